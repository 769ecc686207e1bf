"""Markups between the scene and points files for the engine: world coordinates, LPS mm."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from deepreg_engine.errors import EngineError
from deepreg_engine.geometry.point_pairs import paired
from deepreg_engine.geometry.point_sets import PointList
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.parents import parentTransform
from deepreg_slicer.volumes import NodeError, mapPoints, newNode


def newPoints(name: str) -> Any:
    """Return a new point list in the scene; it already has its display node when it is added, because trees and tool bars use it then."""
    display = newNode("vtkMRMLMarkupsFiducialDisplayNode", f"{name} display")
    return newNode("vtkMRMLMarkupsFiducialNode", name, lambda node: node.SetAndObserveDisplayNodeID(display.GetID()))


def showPoints(*lists: Any) -> None:
    """Make point lists visible in all views; None is ignored."""
    for points in lists:
        display = points.GetDisplayNode() if points is not None else None
        if display is not None:
            display.SetVisibility(True)
            display.SetVisibility2D(True)


def definedNumbers(node: Any) -> list[int]:
    """Return the numbers of the placed points, in order; none without a list."""
    if node is None:
        return []
    placed = node.PositionDefined
    return [number for number in range(node.GetNumberOfControlPoints()) if node.GetNthControlPointPositionStatus(number) == placed]


def definedPoints(node: Any, without: Any = None) -> list[tuple[str, tuple[float, float, float]]]:
    """Return name and world position (RAS mm) of each placed point, in order; ``without`` is a transform above the list that is left
    out."""
    above = parentTransform(node, without) if without is not None else None
    found = []
    for number in definedNumbers(node):
        position = [0.0, 0.0, 0.0]
        if without is None:
            node.GetNthControlPointPositionWorld(number, position)
        else:
            position = mapPoints(above, node.GetNthControlPointPosition(number))[0].tolist()
        found.append((node.GetNthControlPointLabel(number), tuple(position)))
    return found


def pointList(node: Any, without: Any = None) -> PointList:
    """Return all points of a list in the world, LPS mm; NaN for those not placed; ``without`` is a transform above the list that is left
    out."""
    positions = np.full((node.GetNumberOfControlPoints(), 3), np.nan)
    for number, (_label, place) in zip(definedNumbers(node), definedPoints(node, without), strict=True):
        positions[number] = np.array(place) * (-1.0, -1.0, 1.0)
    return PointList(positions, tuple(node.GetNthControlPointLabel(number) for number in range(len(positions))))


def checkPairs(first: tuple[str, Any], second: tuple[str, Any], option: str) -> None:
    """Check that the points of two lists are pairs.

    Args:
        first, second: title and point list.
        option: name of the input, for the error.

    Raises:
        NodeError: if a point has no place for its partner in the other list, or no pair is placed.
    """
    lists = [pointList(node) for _title, node in (first, second)]
    counts = [points.placed for points in lists]
    if not any(counts):
        message = _('"{first}" and "{second}" are empty').format(first=first[0], second=second[0])
        raise NodeError(message, _("place points, or choose none"), option)
    try:
        paired(*lists)
    except EngineError as error:
        if counts[0] == counts[1]:
            raise NodeError(engineText(error.message), engineText(error.advice), option) from error
        message = _('the numbers of points differ: {count} in "{first}", {other} in "{second}"')
        message = message.format(count=counts[0], first=first[0], other=counts[1], second=second[0])
        raise NodeError(message, _("each needs its partner"), option) from error


def writePoints(node: Any, path: str, without: Any = None) -> None:
    """Write the points of a list as CSV; those that are not placed are rows without coordinates, so that the others keep their partners.

    Args:
        node: the list.
        path: of the file.
        without: a transform above the list that is left out.

    Raises:
        NodeError: if none is placed.
    """
    points = pointList(node, without)
    if not points.placed:
        raise NodeError(_("the point list {name} is empty").format(name=node.GetName()), _("place points in it"))
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("label", "x", "y", "z"))
        for label, position, defined in zip(points.labels, points.positions.tolist(), points.defined, strict=True):
            writer.writerow((label, *(map(repr, position) if defined else ("", "", ""))))
