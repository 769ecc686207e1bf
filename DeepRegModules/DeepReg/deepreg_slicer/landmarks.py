"""Markups between the scene and points files for the engine: world coordinates, LPS mm."""

from __future__ import annotations

import csv
from typing import Any

from slicer.i18n import tr as _

from deepreg_slicer.parents import parentTransform
from deepreg_slicer.volumes import NodeError, mapPoints


def definedPoints(node: Any, without: Any = None) -> list[tuple[str, tuple[float, float, float]]]:
    """Name and world position (RAS mm) of each placed point, in order; ``without`` is a transform above the list that is left out."""
    above = parentTransform(node, without) if without is not None else None
    found = []
    for number in range(node.GetNumberOfControlPoints()):
        if node.GetNthControlPointPositionStatus(number) == node.PositionDefined:
            position = [0.0, 0.0, 0.0]
            if without is None:
                node.GetNthControlPointPositionWorld(number, position)
            else:
                position = mapPoints(above, node.GetNthControlPointPosition(number))[0].tolist()
            found.append((node.GetNthControlPointLabel(number), tuple(position)))
    return found


def checkPairs(first: tuple[str, Any], second: tuple[str, Any], option: str) -> None:
    """Check that the points of two lists are pairs.

    Args:
        first, second: title and point list.
        option: name of the input, for the error.

    Raises:
        NodeError: if their numbers differ, or there are none.
    """
    counts = [len(definedPoints(node)) for _title, node in (first, second)]
    if counts[0] != counts[1]:
        message = _('there are {count} points in "{first}" but {other} in "{second}"')
        message = message.format(count=counts[0], first=first[0], other=counts[1], second=second[0])
        raise NodeError(message, _("each needs its partner"), option)
    if not counts[0]:
        message = _('"{first}" and "{second}" are empty').format(first=first[0], second=second[0])
        raise NodeError(message, _("place points, or choose none"), option)


def writePoints(node: Any, path: str, without: Any = None) -> None:
    """Write the points of a list as CSV; ``without`` is a transform above the list that is left out.

    Raises:
        NodeError: if it has none.
    """
    points = definedPoints(node, without)
    if not points:
        raise NodeError(_("the point list {name} is empty").format(name=node.GetName()), _("place points in it"))
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("label", "x", "y", "z"))
        for label, (right, anterior, superior) in points:
            writer.writerow((label, repr(-right), repr(-anterior), repr(superior)))
