"""Point sets, and their files: CSV, and 3D Slicer's ``.mrk.json`` and ``.fcsv``.

In memory points are LPS millimetres. A CSV file has a header with x, y and z and is LPS; the Slicer files state
whether they are LPS or RAS, and are read accordingly.
"""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepreg_engine.errors import InputError, concerning
from deepreg_engine.geometry.files import FileGroup, suffix
from deepreg_engine.geometry.frames import flip_points

POINT_SUFFIXES = (".csv", ".mrk.json", ".json", ".fcsv")
# Old files of Slicer hold a number for the frame: 0 is RAS, 1 is LPS.
_FRAMES = {"LPS": "LPS", "RAS": "RAS", "0": "RAS", "1": "LPS"}


@dataclass(frozen=True)
class PointSet:
    """Named points.

    Args:
        positions: (N, 3), LPS mm.
        labels: N names; "1", "2", ... by default.
    """

    positions: np.ndarray
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        positions = np.asarray(self.positions, dtype=np.float64).reshape(-1, 3)
        object.__setattr__(self, "positions", positions)
        labels = tuple(str(name) for name in self.labels) or tuple(str(n + 1) for n in range(len(positions)))
        if len(labels) != len(positions):
            raise ValueError(f"{len(labels)} names for {len(positions)} points")
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.positions)


#: Corresponding fixed and moving points.
PointPair = tuple[PointSet, PointSet]


def read_points(path: str | os.PathLike, role: str = "points") -> PointSet:
    """Read a point set.

    Raises:
        InputError: if the file is missing, of another format, empty, or holds coordinates that are not finite numbers.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"the {role} {path} do not exist", "check the path")
    readers = {".csv": _read_csv, ".fcsv": _read_fcsv, ".mrk.json": _read_markups, ".json": _read_markups}
    reader = readers.get(suffix(path))
    if reader is None:
        raise InputError(f"the {role} {path} do not have the ending of a points file", f"use one of {' '.join(POINT_SUFFIXES)}")
    try:
        points = reader(path.read_text(encoding="utf-8-sig"))
    except InputError as error:
        raise error.about(f"the {role} {path}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"the {role} {path} cannot be read", "give a text file of points") from error
    if len(points) == 0:
        raise InputError(f"the {role} {path} hold no points", "give at least one")
    bad = np.flatnonzero(~np.isfinite(points.positions).all(axis=1))
    if len(bad):
        raise InputError(f"the {role} {path}: point {points.labels[bad[0]]} is not finite", "remove or correct it")
    return points


def read_pairs(fixed: str | os.PathLike, moving: str | os.PathLike, option: str = "{side}_landmarks") -> PointPair:
    """Read corresponding landmarks: the n-th fixed point corresponds to the n-th moving point.

    Args:
        fixed, moving: files.
        option: name of the inputs, with ``{side}`` for "fixed" or "moving", for errors.

    Raises:
        InputError: if a file cannot be read, or has fewer points than the other.
    """
    with concerning(option.format(side="fixed")):
        first = read_points(fixed, "fixed landmarks")
    with concerning(option.format(side="moving")):
        second = read_points(moving, "moving landmarks")
        if len(first) != len(second):
            message = f"there are {len(first)} fixed landmarks but {len(second)} moving landmarks"
            raise InputError(message, "each needs its partner, in the same order")
    return first, second


def add_points(files: FileGroup, path: str | os.PathLike, points: PointSet) -> None:
    """Add a point set to a group of files, in the format of its ending.

    Raises:
        InputError: on an unknown ending.
        OutputError: if it cannot be written.
    """
    writers = {".csv": _csv_text, ".fcsv": _fcsv_text, ".mrk.json": _markups_text, ".json": _markups_text}
    writer = writers.get(suffix(path))
    if writer is None:
        raise InputError(f"{path} does not have the ending of a points file", f"use one of {' '.join(POINT_SUFFIXES)}")
    text = writer(points)
    files.add(path, lambda name: Path(name).write_text(text, encoding="utf-8"))


def write_points(path: str | os.PathLike, points: PointSet) -> None:
    """Write one point set, completely or not at all."""
    with FileGroup() as files:
        add_points(files, path, points)


# ------------------------------------------------------------------------- CSV


def _read_csv(text: str) -> PointSet:
    reader = csv.reader(io.StringIO(text))
    rows, lines = [], []
    for row in reader:
        if any(cell.strip() for cell in row):
            rows.append(row)
            lines.append(reader.line_num)
    if not rows:
        return PointSet(np.empty((0, 3)))
    header = [cell.strip().lower() for cell in rows[0]]
    if not {"x", "y", "z"} <= set(header):
        raise InputError("the first line is not a header with x, y and z", "begin the file with the line x,y,z")
    columns = [header.index(axis) for axis in "xyz"]
    name = next((header.index(word) for word in ("label", "name", "id") if word in header), None)
    positions, labels = [], []
    for line, row in zip(lines[1:], rows[1:], strict=True):
        try:
            positions.append([float(row[column]) for column in columns])
        except (ValueError, IndexError) as error:
            raise InputError(f"line {line} has no three numbers", "write x,y,z in mm") from error
        labels.append(row[name].strip() if name is not None and name < len(row) else "")
    labels = [label or str(number + 1) for number, label in enumerate(labels)]
    return PointSet(np.array(positions).reshape(-1, 3), tuple(labels))


def _csv_text(points: PointSet) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    named = points.labels != tuple(str(n + 1) for n in range(len(points)))
    writer.writerow(["x", "y", "z", "label"] if named else ["x", "y", "z"])
    for position, label in zip(points.positions, points.labels, strict=True):
        writer.writerow([_number(value) for value in position] + ([label] if named else []))
    return stream.getvalue()


def _number(value: float) -> str:
    """A coordinate in mm with seven decimals, without trailing zeros."""
    return f"{value:.7f}".rstrip("0").rstrip(".")


# ---------------------------------------------------------------------- Slicer


def _to_lps(positions: np.ndarray, frame: str) -> np.ndarray:
    known = _FRAMES.get(frame.strip().upper())
    if known is None:
        raise InputError(f"the coordinate system {frame!r} is not LPS or RAS", "save the points in LPS or RAS")
    return flip_points(positions) if known == "RAS" else positions


def _read_markups(text: str) -> PointSet:
    try:
        markups = json.loads(text)["markups"]
        markup = next((m for m in markups if m.get("controlPoints")), markups[0])
        # "undefined" and "preview" points have no position.
        points = [p for p in markup.get("controlPoints", []) if p.get("positionStatus", "defined") == "defined"]
        positions = np.array([p["position"] for p in points], dtype=np.float64).reshape(len(points), 3)
        units = markup.get("coordinateUnits") or "mm"
        frame = str(markup.get("coordinateSystem", "LPS"))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError("this is not a Slicer markups file", "save the points from Slicer as .mrk.json") from error
    if "mm" not in units:  # the unit, or its code: ["mm", "UCUM", "millimeter"]
        raise InputError(f"the coordinates are in {units}, not in millimetres", "save the points in mm")
    labels = [str(p.get("label") or number + 1) for number, p in enumerate(points)]
    return PointSet(_to_lps(positions, frame), tuple(labels))


def _markups_text(points: PointSet) -> str:
    control_points = [
        {"id": str(number + 1), "label": label, "position": [round(float(v), 7) for v in position], "positionStatus": "defined"}
        for number, (position, label) in enumerate(zip(points.positions, points.labels, strict=True))
    ]
    schema = "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json#"
    markup = {"type": "Fiducial", "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": control_points}
    return json.dumps({"@schema": schema, "markups": [markup]}, indent=2) + "\n"


_FCSV_COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"


def _read_fcsv(text: str) -> PointSet:
    frame: str = "RAS"  # of files without a line that states it
    columns: list[str] = list(_FCSV_COLUMNS.split(","))
    positions, labels = [], []
    for line in text.splitlines():
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            if key.strip().lower() == "coordinatesystem":
                frame = value
            elif key.strip().lower() == "columns":
                columns = [column.strip() for column in value.split(",")]
            continue
        if not line.strip():
            continue
        cells = next(csv.reader([line]))
        try:
            positions.append([float(cells[columns.index(axis)]) for axis in "xyz"])
        except (ValueError, IndexError) as error:
            raise InputError(f"the line {line[:40]!r} has no three numbers", "save the points from Slicer again") from error
        place = columns.index("label") if "label" in columns else len(cells)
        labels.append((cells[place] if place < len(cells) else "") or str(len(positions)))
    return PointSet(_to_lps(np.array(positions).reshape(-1, 3), frame), tuple(labels))


def _fcsv_text(points: PointSet) -> str:
    lines = ["# Markups fiducial file version = 5.0", "# CoordinateSystem = LPS", f"# columns = {_FCSV_COLUMNS}"]
    for number, (position, label) in enumerate(zip(points.positions, points.labels, strict=True)):
        xyz = ",".join(_number(value) for value in position)
        lines.append(f"{number + 1},{xyz},0,0,0,1,1,1,0,{_quoted(label)},,")
    return "\n".join(lines) + "\n"


def _quoted(label: str) -> str:
    """A label, which may hold commas, quotation marks and line breaks, as one cell of a line."""
    label = " ".join(label.split())
    return '"' + label.replace('"', '""') + '"' if "," in label or '"' in label else label
