"""Raw NRRD files, read and written in pieces, so that the window stays responsive.

Geometry is LPS, as the engine has it. Only the formats of the worker's files are read: raw encoding, little or big endian,
scalars and vectors over three dimensions.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: A piece takes a few milliseconds to write or read.
PIECE_BYTES = 4_000_000
# Digits of a position in mm. Saving and loading a scene changes the last digits of a double, and where a voxel lies just on a
# border, they would change the result, which has to be the same for the same scene.
_DIGITS = 9
_TYPES = {
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "int64": "int64",
    "uint64": "uint64",
    "float32": "float",
    "float64": "double",
}
_NAMES = {
    **{name: dtype for dtype, name in _TYPES.items()},
    "int8": "int8",
    "uint8": "uint8",
    "uchar": "uint8",
    "int8_t": "int8",
    "uint8_t": "uint8",
    "int16": "int16",
    "uint16": "uint16",
    "ushort": "uint16",
    "signed short": "int16",
    "int32": "int32",
    "uint32": "uint32",
    "uint": "uint32",
    "signed int": "int32",
    "longlong": "int64",
    "long long": "int64",
    "unsigned long long": "uint64",
    "ulonglong": "uint64",
}


class NrrdError(RuntimeError):
    """A file of another format, or an incomplete file."""


@dataclass(frozen=True)
class Geometry:
    """The geometry of the voxels of an array.

    Args:
        size: voxels along i, j, k.
        spacing: mm along i, j, k.
        origin: centre of the first voxel, LPS mm.
        direction: 3x3, its columns are the unit vectors of i, j, k in LPS.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: np.ndarray

    @property
    def voxels(self) -> int:
        return int(np.prod(self.size, dtype=np.int64))

    def ijkToLps(self) -> np.ndarray:
        """Return 4x4: voxel indices to LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.asarray(self.direction) * np.asarray(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix

    def ijkToRas(self) -> np.ndarray:
        """Return 4x4: voxel indices to RAS mm."""
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ self.ijkToLps()

    @classmethod
    def fromIjkToRas(cls, size: tuple[int, int, int], matrix: np.ndarray) -> Geometry:
        """Return the geometry of a 4x4 matrix from voxel indices to RAS mm, whose axes must be at right angles.

        Raises:
            ValueError: if they are not.
        """
        lps = np.round(np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(matrix, dtype=np.float64), _DIGITS)
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        if not np.isfinite(lps).all() or spacing.min() <= 0.0:
            raise ValueError("the axes of the volume are degenerate")
        direction = lps[:3, :3] / spacing
        if np.abs(direction.T @ direction - np.eye(3)).max() > 1e-4:
            raise ValueError("the axes of the volume are not at right angles")
        return cls(tuple(int(n) for n in size), tuple(spacing.tolist()), tuple(lps[:3, 3].tolist()), direction)


def write(path: str | Path, values: np.ndarray, geometry: Geometry) -> Iterator[float]:
    """Write an array in pieces; yields the share that is written.

    Args:
        path: of the file.
        values: flat, i fastest; one number a voxel.
        geometry: of the voxels.
    """
    values = values.reshape(-1)
    if values.size != geometry.voxels:
        raise ValueError(f"{values.size} values for {geometry.voxels} voxels")
    with open(path, "wb") as stream:
        stream.write(_header(values.dtype, geometry).encode("ascii"))
        step = max(1, PIECE_BYTES // values.itemsize)
        for start in range(0, values.size, step):
            stream.write(np.ascontiguousarray(values[start : start + step]).data)
            yield min(1.0, (start + step) / values.size)


def _header(dtype: np.dtype, geometry: Geometry) -> str:
    vectors = (geometry.direction * np.asarray(geometry.spacing)).T
    directions = " ".join(f"({x!r},{y!r},{z!r})" for x, y, z in vectors.tolist())
    origin = ",".join(repr(float(o)) for o in geometry.origin)
    endian = sys.byteorder if dtype.byteorder in "=|" else "little" if dtype.byteorder == "<" else "big"
    lines = (
        "NRRD0004",
        f"type: {_TYPES[dtype.newbyteorder('=').name]}",
        "dimension: 3",
        "space: left-posterior-superior",
        "sizes: " + " ".join(str(n) for n in geometry.size),
        f"space directions: {directions}",
        "kinds: domain domain domain",
        f"endian: {endian}",
        "encoding: raw",
        f"space origin: ({origin})",
    )
    return "\n".join(lines) + "\n\n"


@dataclass(frozen=True)
class Header:
    """The header of a file.

    Args:
        geometry: of the voxels.
        dtype: of a number.
        components: numbers a voxel.
        offset: bytes before the first number.
    """

    geometry: Geometry
    dtype: np.dtype
    components: int
    offset: int


def _readFields(path: str | Path) -> tuple[dict[str, str], int]:
    """Return the fields of a file's header, with names in lower case, and the position of the data, bytes."""
    fields: dict[str, str] = {}
    with open(path, "rb") as stream:
        if not stream.readline().startswith(b"NRRD"):
            raise NrrdError(f"{path} is not a NRRD file")
        while (line := stream.readline(65536)) not in (b"\n", b"\r\n"):
            if not line:
                raise NrrdError(f"{path} ends in its header")
            name, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(":")
            if not line.startswith(b"#"):
                fields[name.strip().lower()] = value.strip().lstrip("=").strip()
        return fields, stream.tell()


def readHeader(path: str | Path) -> Header:
    """Return the header of a file.

    Raises:
        NrrdError: if it is not of the kind that is read here.
    """
    fields, offset = _readFields(path)
    try:
        sizes = [int(n) for n in fields["sizes"].split()]
        vectors = [_vector(text) for text in fields["space directions"].replace(" (", "|(").replace(" none", "|none").split("|")]
        components = sizes[0] if vectors[0] is None else 1
        size = tuple(sizes[-3:])
        columns = np.array([vector for vector in vectors if vector is not None]).T
        spacing = np.linalg.norm(columns, axis=0)
        if fields["encoding"] != "raw" or fields["space"].lower() != "left-posterior-superior" or len(sizes) not in (3, 4):
            raise NrrdError(f"{path} is not raw, three-dimensional and LPS")
        dtype = np.dtype(_NAMES[fields["type"]]).newbyteorder({"little": "<", "big": ">"}[fields.get("endian", sys.byteorder)])
        geometry = Geometry(size, tuple(spacing.tolist()), tuple(_vector(fields["space origin"])), columns / spacing)
    except (KeyError, ValueError, IndexError) as error:
        raise NrrdError(f"the header of {path} cannot be read") from error
    return Header(geometry, dtype, components, offset)


def _vector(text: str) -> list[float] | None:
    text = text.strip()
    return None if text == "none" else [float(number) for number in text.strip("()").split(",")]


def read(path: str | Path, header: Header, target: np.ndarray) -> Iterator[float]:
    """Read the numbers of a file into an array in pieces; yields the share that is read.

    Args:
        path: of the file.
        header: of the file.
        target: flat, of the header's type, as long as voxels times components.

    Raises:
        NrrdError: if the file ends before its last number.
    """
    if target.size != header.geometry.voxels * header.components:
        raise ValueError("the array does not fit the file")
    step = max(1, PIECE_BYTES // target.itemsize)
    with open(path, "rb") as stream:
        stream.seek(header.offset)
        for start in range(0, target.size, step):
            piece = np.fromfile(stream, dtype=header.dtype, count=min(step, target.size - start))
            if piece.size != min(step, target.size - start):
                raise NrrdError(f"{path} ends before its last number")
            target[start : start + step] = piece
            yield min(1.0, (start + step) / target.size)
