"""Files of surface models whose points are changed while everything else in them is kept: ``.vtk``, ``.vtp``, ``.stl`` and ``.ply``.

3D Slicer states in a file whether it is LPS or RAS; files of other programs are read as LPS, as 3D Slicer reads them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry import model_xml
from deepreg_engine.geometry.files import FileGroup, suffix
from deepreg_engine.geometry.frames import flip_points
from deepreg_engine.geometry.point_files import MapPoints

MODEL_SUFFIXES = (".vtk", ".vtp", ".stl", ".ply")
_SPACE = re.compile(rb"SPACE=(RAS|LPS)")
_LEGACY = re.compile(rb"\s*\n\s*POINTS\s+(\d+)\s+(float|double)[^\n]*\n", re.IGNORECASE)
_LEGACY_TYPES = {"float": ">f4", "double": ">f8"}
_PLY_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
_STL = np.dtype([("normal", "<f4", 3), ("points", "<f4", (3, 3)), ("attributes", "<u2")])


@dataclass(frozen=True)
class _Model:
    """The points of a file, and how to write it with others.

    Args:
        points: (N, 3), in the frame of the file.
        space: "LPS" or "RAS"; "" if the file does not state it.
        write: returns the file with other points (N, 3).
        normals: whether the file keeps normals, which belong to the former points.
    """

    points: np.ndarray
    space: str
    write: Callable[[np.ndarray], bytes]
    normals: bool = False


def add_mapped_model(files: FileGroup, source: str | os.PathLike, target: str | os.PathLike, mapped: MapPoints, notes: list[str]) -> int:
    """Add a model to a group of files, with other positions of its points; returns their number.

    Args:
        files: the group.
        source, target: paths with the same ending of :data:`MODEL_SUFFIXES`.
        mapped: returns the new positions (N, 3), LPS mm.
        notes: receives notes on an unknown frame and on normals.

    Raises:
        InputError: if the file is missing, damaged, or holds no model with points, or the endings differ.
    """
    source = Path(source)
    if suffix(target) != suffix(source):
        raise InputError(
            f"the model {source} is written in the format in which it is given", f"choose a name that ends in {suffix(source)}"
        )
    if not source.is_file():
        raise InputError(f"the model {source} does not exist", "check the path")
    readers = {".vtk": _legacy, ".vtp": _xml, ".stl": _stl, ".ply": _ply}
    try:
        model = readers[suffix(source)](source.read_bytes())
    except InputError as error:
        raise error.about(f"the model {source}") from error
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise InputError(f"the model {source} cannot be read", "save it as .vtk, .vtp, .stl or .ply again") from error
    if not len(model.points) or not np.isfinite(model.points).all():
        raise InputError(f"the model {source} has no points, or points that are not finite", "save it again")
    if not model.space:
        notes.append(f"the model {source.name} does not state its coordinate system: it was read as LPS")
    if model.normals:
        notes.append(f"the normals in {Path(target).name} are those before the warp: compute them again")
    ras = model.space == "RAS"
    moved = mapped(flip_points(model.points) if ras else model.points.astype(np.float64))
    content = model.write(flip_points(moved) if ras else moved)
    files.add(target, lambda name: Path(name).write_bytes(content))
    return len(model.points)


def _space(header: bytes) -> str:
    found = _SPACE.search(header)
    return found[1].decode() if found else ""


def _legacy(content: bytes) -> _Model:
    """Return the model of a legacy VTK file."""
    head = content[:400].split(b"\n", 4)
    if not head[0].startswith(b"# vtk DataFile") or len(head) < 4:
        raise InputError("is not a VTK file", "give a surface model")
    if not re.match(rb"\s*DATASET\s+(POLYDATA|UNSTRUCTURED_GRID)", head[3], re.IGNORECASE):
        raise InputError("holds no surface", "give an image as .nrrd, .nii.gz or .mha")
    found = _LEGACY.search(content)
    if found is None:
        raise InputError("has no points of the types float or double", "save it again")
    count, kind, start = int(found[1]), found[2].decode().lower(), found.end()
    normals = re.search(rb"\n\s*NORMALS\s", content) is not None
    if head[2].strip().upper() == b"BINARY":
        dtype = np.dtype(_LEGACY_TYPES[kind])
        end = start + 3 * count * dtype.itemsize
        points = np.frombuffer(content[start:end], dtype).reshape(count, 3)
        return _Model(points, _space(head[1]), lambda new: content[:start] + new.astype(dtype).tobytes() + content[end:], normals)
    words = list(_words(content, start, 3 * count))
    points = np.array([float(content[a:b]) for a, b in words]).reshape(count, 3)
    end = words[-1][1] if words else start
    return _Model(points, _space(head[1]), lambda new: content[:start] + _lines(new) + content[end:], normals)


def _words(content: bytes, start: int, count: int) -> list[tuple[int, int]]:
    """Return the places of a number of words from a position on; raises ValueError if there are fewer."""
    places = []
    for found in re.compile(rb"\S+").finditer(content, start):
        if len(places) == count:
            break
        places.append(found.span())
    if len(places) < count:
        raise ValueError(count)
    return places


def _lines(points: np.ndarray) -> bytes:
    return "\n".join(" ".join(f"{value:.9g}" for value in point) for point in points.tolist()).encode("ascii")


def _xml(content: bytes) -> _Model:
    """Return the model of an XML VTK file."""
    file = model_xml.XmlModel(content)
    return _Model(file.points(), file.space(), file.with_points, file.has_normals)


def _stl(content: bytes) -> _Model:
    """Return the model of an STL file; its points are the corners of its triangles, whose normals are computed again."""
    space = _space(content[:400])
    if content[:5].lower() == b"solid" and b"facet" in content[:2000]:
        corners = np.array([float(word) for found in re.findall(rb"vertex\s+(\S+)\s+(\S+)\s+(\S+)", content) for word in found])
        corners = corners.reshape(-1, 3)
        title = content.split(b"\n", 1)[0].strip()
        return _Model(corners, space, lambda new: _stl_text(title, new.reshape(-1, 3, 3)))
    count = int(np.frombuffer(content[80:84], "<u4")[0])
    facets = np.frombuffer(content[84 : 84 + count * _STL.itemsize], _STL)
    if len(facets) != count:
        raise ValueError(count)

    def write(new: np.ndarray) -> bytes:
        changed = facets.copy()
        changed["points"] = new.reshape(-1, 3, 3)
        changed["normal"] = _facet_normals(new.reshape(-1, 3, 3))
        return content[:84] + changed.tobytes() + content[84 + count * _STL.itemsize :]

    return _Model(facets["points"].reshape(-1, 3), space, write)


def _stl_text(title: bytes, triangles: np.ndarray) -> bytes:
    lines = [title.decode("latin-1")]
    for normal, corners in zip(_facet_normals(triangles).tolist(), triangles.tolist(), strict=True):
        lines += ["  facet normal {:.6g} {:.6g} {:.6g}".format(*normal), "    outer loop"]
        lines += ["      vertex {:.9g} {:.9g} {:.9g}".format(*corner) for corner in corners]
        lines += ["    endloop", "  endfacet"]
    return ("\n".join([*lines, "endsolid"]) + "\n").encode("latin-1")


def _facet_normals(triangles: np.ndarray) -> np.ndarray:
    """Return the unit normals (N, 3) of triangles (N, 3, 3); zeros for those without an area."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return normals / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)[:, None]


def _ply(content: bytes) -> _Model:
    """Return the model of a PLY file."""
    if not content.startswith(b"ply"):
        raise InputError("is not a PLY file", "save it again")
    found = re.search(rb"end_header\r?\n", content)
    if found is None:
        raise ValueError("end_header")
    start, lines = found.end(), [line.split() for line in content[: found.start()].decode("latin-1").splitlines()]
    style = next(line[1] for line in lines if line[:1] == ["format"])
    elements = [number for number, line in enumerate(lines) if line[:1] == ["element"]]
    if lines[elements[0]][1] != "vertex":
        raise InputError("does not begin with its vertices", "save it again")
    count = int(lines[elements[0]][2])
    last = elements[1] if len(elements) > 1 else len(lines)
    properties = [(line[-1], _PLY_TYPES[line[1]]) for line in lines[elements[0] + 1 : last] if line[:1] == ["property"]]
    space, normals = _space(content[:start]), any(name == "nx" for name, _ in properties)
    if style == "ascii":
        return _ply_text(content, start, count, [name for name, _ in properties], space)
    order = {"binary_little_endian": "<", "binary_big_endian": ">"}[style]
    dtype = np.dtype([(name, order + kind) for name, kind in properties])
    end = start + count * dtype.itemsize
    vertices = np.frombuffer(content[start:end], dtype)
    if len(vertices) != count:
        raise ValueError(count)

    def write(new: np.ndarray) -> bytes:
        changed = vertices.copy()
        for axis, name in enumerate("xyz"):
            changed[name] = new[:, axis]
        return content[:start] + changed.tobytes() + content[end:]

    return _Model(np.stack([vertices[name] for name in "xyz"], axis=1), space, write, normals)


def _ply_text(content: bytes, start: int, count: int, names: list[str], space: str) -> _Model:
    """Return the model of a PLY file whose vertices are lines of text."""
    lines = content[start:].split(b"\n", count)
    cells = [line.split() for line in lines[:count]]
    columns = [names.index(axis) for axis in "xyz"]
    points = np.array([[float(row[column]) for column in columns] for row in cells]).reshape(-1, 3)
    if len(points) != count:
        raise ValueError(count)

    def write(new: np.ndarray) -> bytes:
        for row, point in zip(cells, new.tolist(), strict=True):
            for column, value in zip(columns, point, strict=True):
                row[column] = f"{value:.9g}".encode()
        return content[:start] + b"\n".join([b" ".join(row) for row in cells] + lines[count:])

    return _Model(points, space, write, "nx" in names)
