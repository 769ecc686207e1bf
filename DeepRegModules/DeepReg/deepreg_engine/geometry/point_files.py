"""Files of points whose positions are changed while everything else in them is kept: names, kinds of markups, display."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.files import FileGroup, suffix
from deepreg_engine.geometry.frames import flip_points
from deepreg_engine.geometry.points import PointList, add_points, read_list

#: Takes points (N, 3), LPS mm, to others (N, 3).
MapPoints = Callable[[np.ndarray], np.ndarray]
_MARKUPS = (".mrk.json", ".json")
# Markups of which the control points are everything; planes and boxes also have a direction and a size.
_POINT_MARKUPS = ("Fiducial", "Curve", "ClosedCurve", "Line", "Angle", "PointSet")


def add_mapped_points(files: FileGroup, source: str | os.PathLike, target: str | os.PathLike, mapped: MapPoints, notes: list[str]) -> int:
    """Add a file of points to a group of files, with other positions; returns the number of points.

    A ``.mrk.json`` file that is written as one keeps all lists and curves in it, with their kinds, names, selections and display. In other
    formats points keep their names. Points without a position stay without one.

    Args:
        files: the group.
        source, target: paths.
        mapped: returns the new positions.
        notes: receives notes on how the file was read.

    Raises:
        InputError: if the source cannot be read, or has a plane or a box.
    """
    points = read_list(source, "points", notes if suffix(target) not in _MARKUPS else None)
    if suffix(source) in _MARKUPS and suffix(target) in _MARKUPS:
        text, count = _mapped_markups(Path(source), mapped)
        files.add_text(target, text)
        return count
    if suffix(source) in _MARKUPS:
        _check_kinds(Path(source), json.loads(Path(source).read_text(encoding="utf-8-sig"))["markups"])
    positions = points.positions.copy()
    positions[points.defined] = mapped(positions[points.defined])
    add_points(files, target, PointList(positions, points.labels, points.breaks))
    return int(points.defined.sum())


def _mapped_markups(path: Path, mapped: MapPoints) -> tuple[str, int]:
    """Return the text of a markups file with other positions of its control points, and their number."""
    content = json.loads(path.read_text(encoding="utf-8-sig"))
    markups = content["markups"]
    _check_kinds(path, markups)
    count = 0
    for markup in markups:
        placed = [point for point in markup.get("controlPoints") or [] if _has_position(point)]
        if not placed:
            continue
        ras = _is_ras(path, markup)
        positions = np.array([point["position"] for point in placed], dtype=np.float64).reshape(-1, 3)
        moved = mapped(flip_points(positions) if ras else positions)
        for point, position in zip(placed, flip_points(moved) if ras else moved, strict=True):
            point["position"] = [round(float(value), 7) for value in position]
        # Measurements are those of the former positions: 3D Slicer computes them again.
        markup.pop("measurements", None)
        count += len(placed)
    return json.dumps(content, indent=2) + "\n", count


def _has_position(point: dict[str, Any]) -> bool:
    """Return whether a control point has a position, as :func:`deepreg_engine.geometry.points_slicer.read_markups` finds it."""
    return point.get("positionStatus") in (None, "defined") and bool(point.get("position"))


def _is_ras(path: Path, markup: dict[str, Any]) -> bool:
    frame = str(markup.get("coordinateSystem", "LPS")).strip().upper()
    if frame not in ("LPS", "RAS", "0", "1"):
        raise InputError(f"the points {path}: the coordinate system {frame!r} is not LPS or RAS", "save the points in LPS or RAS")
    return frame in ("RAS", "0")


def _check_kinds(path: Path, markups: list[dict[str, Any]]) -> None:
    """Raise InputError for a plane or a box, whose direction and size no transform of its points gives."""
    kind = next((str(markup.get("type")) for markup in markups if markup.get("type", "Fiducial") not in _POINT_MARKUPS), "")
    if kind:
        raise InputError(f"{path} holds a markup of the kind {kind}, which cannot be warped", "give point lists, lines or curves")
