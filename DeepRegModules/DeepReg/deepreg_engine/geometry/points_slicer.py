"""Points in the files of 3D Slicer: ``.mrk.json``, and the older ``.fcsv``. Both state whether they are LPS or RAS."""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.frames import flip_points
from deepreg_engine.geometry.point_sets import PointList
from deepreg_engine.geometry.points_csv import number

# Old files hold a number for the frame: 0 is RAS, 1 is LPS.
_FRAMES = {"LPS": "LPS", "RAS": "RAS", "0": "RAS", "1": "LPS"}
_MISSING = [np.nan] * 3


def _to_lps(positions: list[list[float]], frame: str) -> np.ndarray:
    known = _FRAMES.get(frame.strip().upper())
    if known is None:
        raise InputError(f"the coordinate system {frame!r} is not LPS or RAS", "save the points in LPS or RAS")
    found = np.array(positions, dtype=np.float64).reshape(-1, 3)
    return flip_points(found) if known == "RAS" else found


# ------------------------------------------------------------------------------------------------------------------- .mrk.json

# "preview" is the point below the mouse, "missing" one that the user has marked as not visible.
_STATUSES = ("defined", "undefined", "preview", "missing")


def read_markups(text: str, notes: list[str]) -> PointList:
    """Return the points of the first list in a ``.mrk.json`` file that has any.

    Args:
        text: of the file.
        notes: receives a note if other lists in the file have points too.

    Raises:
        InputError: if it is not a markups file, or its coordinates are not LPS or RAS mm.
    """
    try:
        markups = json.loads(text)["markups"]
        filled = [markup for markup in markups if markup.get("controlPoints")]
        markup = filled[0] if filled else markups[0]
        points = markup.get("controlPoints", [])
        positions = [_markup_position(point) for point in points]
        labels = tuple(str(point.get("label") or "") for point in points)
        units = markup.get("coordinateUnits") or "mm"
        frame = str(markup.get("coordinateSystem", "LPS"))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError("this is not a Slicer markups file", "save the points from Slicer as .mrk.json") from error
    if "mm" not in (units, units[0] if isinstance(units, list) else ""):  # the unit, or its code: ["mm", "UCUM", "millimeter"]
        raise InputError(f"the coordinates are in {units}, not in millimetres", "save the points in mm")
    if len(filled) > 1:
        notes.append(f"the file has {len(filled)} lists of points, of which the first was read")
    return PointList(_to_lps(positions, frame), labels)


def _markup_position(point: dict[str, Any]) -> list[float]:
    """Return x, y and z of a control point; NaN without a position. Raises ValueError for anything else."""
    status, place = point.get("positionStatus"), point.get("position")
    if status not in (None, *_STATUSES):
        raise ValueError(status)
    if status in _STATUSES[1:] or (status is None and not place):
        return _MISSING
    x, y, z = np.array(place, dtype=np.float64).tolist()
    return [np.inf] * 3 if np.isnan([x, y, z]).any() else [x, y, z]


def markups_text(points: PointList) -> str:
    """Return the text of a ``.mrk.json`` file."""
    control_points = [
        {
            "id": str(count),
            "label": label,
            "position": [round(float(value), 7) for value in position] if defined else "",
            "positionStatus": "defined" if defined else "undefined",
        }
        for count, (position, label, defined) in enumerate(zip(points.positions, points.names(), points.defined, strict=True), start=1)
    ]
    schema = "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json#"
    markup = {"type": "Fiducial", "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": control_points}
    return json.dumps({"@schema": schema, "markups": [markup]}, indent=2) + "\n"


# ------------------------------------------------------------------------------------------------------------------------ .fcsv

_COLUMNS: str = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
# Two cells follow that Slicer's header does not name: the status of the position, and whether the program made the point.
_UNDEFINED, _DEFINED, _STATUS_CELLS = "0", "2", ("0", "1", "2", "3")


def read_fcsv(text: str) -> PointList:
    """Return the points of a ``.fcsv`` file, which is RAS if it does not state its coordinate system.

    Raises:
        InputError: if a line does not have the cells of a point, or the coordinates are not LPS or RAS.
    """
    frame: str = "RAS"
    columns: list[str] = list(_COLUMNS.split(","))
    lengths: tuple[int, ...] = (4, 12, 13, 14)
    positions, labels = [], []
    for count, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            if key.strip().lower() == "coordinatesystem":
                frame = value
            elif key.strip().lower() == "columns":
                columns = [column.strip() for column in value.split(",")]
                lengths = (len(columns),)
            continue
        if not line.strip():
            continue
        cells = next(csv.reader([line]))
        positions.append(_fcsv_position(count, cells, columns, lengths))
        place = columns.index("label") if "label" in columns else len(cells)
        labels.append(cells[place].strip() if place < len(cells) else "")
    return PointList(_to_lps(positions, frame), tuple(labels))


def _fcsv_position(line: int, cells: list[str], columns: list[str], lengths: tuple[int, ...]) -> list[float]:
    """Return x, y and z of a line; NaN without a position."""
    status = cells[len(columns)] if len(columns) < len(cells) <= len(columns) + 2 else _DEFINED
    if (len(cells) <= len(columns) and len(cells) not in lengths) or len(cells) > len(columns) + 2 or status not in _STATUS_CELLS:
        raise InputError(
            f"line {line} has {len(cells)} cells, not those of a point, and no three numbers",
            "save the points from Slicer again, and write decimal points instead of decimal commas",
        )
    if status != _DEFINED:
        return _MISSING
    try:
        x, y, z = (float(cells[columns.index(axis)]) for axis in "xyz")
    except (ValueError, IndexError) as error:
        raise InputError(f"line {line} has no three numbers", "save the points from Slicer again") from error
    return [np.inf] * 3 if np.isnan([x, y, z]).any() else [x, y, z]


def fcsv_text(points: PointList) -> str:
    """Return the text of a ``.fcsv`` file."""
    lines = ["# Markups fiducial file version = 5.0", "# CoordinateSystem = LPS", f"# columns = {_COLUMNS}"]
    for count, (position, label, defined) in enumerate(zip(points.positions, points.names(), points.defined, strict=True), start=1):
        xyz = ",".join(number(value) if defined else "0" for value in position)
        lines.append(f"{count},{xyz},0,0,0,1,1,1,0,{_quoted(label)},," + ("" if defined else f",{_UNDEFINED},0"))
    return "\n".join(lines) + "\n"


def _quoted(label: str) -> str:
    """Return a label, which may hold commas, quotation marks and line breaks, as one cell of a line."""
    label = " ".join(label.split())
    return '"' + label.replace('"', '""') + '"' if "," in label or '"' in label else label
