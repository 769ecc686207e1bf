"""Markups between the scene and points files for the engine: world coordinates, LPS mm."""

from __future__ import annotations

import csv
from typing import Any

from slicer.i18n import tr as _

from deepreg_slicer.volumes import NodeError


def definedPoints(node: Any) -> list[tuple[str, tuple[float, float, float]]]:
    """Name and world position (RAS mm) of each placed point, in order."""
    found = []
    for number in range(node.GetNumberOfControlPoints()):
        if node.GetNthControlPointPositionStatus(number) == node.PositionDefined:
            position = [0.0, 0.0, 0.0]
            node.GetNthControlPointPositionWorld(number, position)
            found.append((node.GetNthControlPointLabel(number), tuple(position)))
    return found


def checkPairs(fixed: Any, moving: Any, what: str) -> str:
    """ "" if the points of two lists are pairs, else what is wrong."""
    if fixed is None and moving is None:
        return ""
    if fixed is None or moving is None:
        return f"choose {'fixed' if fixed is None else 'moving'} {what} too: they come in pairs"
    if fixed is moving:
        return f"fixed and moving {what} are the same list: choose another"
    first, second = len(definedPoints(fixed)), len(definedPoints(moving))
    if first != second:
        return f"there are {first} fixed but {second} moving {what}: each needs its partner"
    return "" if first else f"the lists of {what} are empty: place points or choose none"


def writePoints(node: Any, path: str) -> None:
    """Write the points of a list as CSV.

    Raises:
        NodeError: if it has none.
    """
    points = definedPoints(node)
    if not points:
        raise NodeError(_("the point list {name} is empty").format(name=node.GetName()), _("place points in it"))
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("label", "x", "y", "z"))
        for label, (right, anterior, superior) in points:
            writer.writerow((label, repr(-right), repr(-anterior), repr(superior)))
