"""Sets of points of markups, curves and models, in the world.

The worker computes the points of segments from a label map. This takes seconds, and does not depend on the display of the segments in 3D.
"""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from deepreg_slicer.labels import isSegmentation, segmentNames
from deepreg_slicer.landmarks import definedPoints
from deepreg_slicer.parents import parentTransform
from deepreg_slicer.volumes import NodeError, mapPoints
from DeepRegPointsLib.segments import chosen

#: Fewer do not determine a deformation.
FEWEST = 4
#: Points nearer than this are duplicates, mm.
SAME = 1e-3
# Sets of up to this number of points are checked at every change.
_QUICK = 2000


def pointsOf(node: Any, without: Any = None) -> np.ndarray:
    """Return the points of a node (N, 3), RAS mm in the world: placed points, points along a curve, or vertices of a model.

    ``without`` is a transform above the node that is left out.

    Raises:
        NodeError: if it has none.
    """
    if node.IsA("vtkMRMLModelNode"):
        own = _vertices(node.GetPolyData())
        return _checked(node, mapPoints(parentTransform(node, without), own) if len(own) else own)
    if node.IsA("vtkMRMLMarkupsCurveNode") and node.GetNumberOfControlPoints() > 1:
        curve = node.GetCurvePointsWorld() if without is None else node.GetCurvePoints()
        found = vtk_to_numpy(curve.GetData()).astype(np.float64) if curve is not None else np.zeros((0, 3))
        return _checked(node, found if without is None else mapPoints(parentTransform(node, without), found))
    return _checked(node, np.array([position for _, position in definedPoints(node, without)], dtype=np.float64).reshape(-1, 3))


def _checked(node: Any, points: np.ndarray) -> np.ndarray:
    if not len(points):
        raise NodeError(_("{name} has no points").format(name=node.GetName()), _("choose another"))
    if not np.isfinite(points).all():
        raise NodeError(
            _("{name} has points whose positions are not finite").format(name=node.GetName()), _("check it and the transforms above it")
        )
    return points


def _vertices(surface: Any) -> np.ndarray:
    if surface is None or surface.GetNumberOfPoints() == 0:
        return np.zeros((0, 3))
    return vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64)


def distinct(points: np.ndarray) -> np.ndarray:
    """Return the points without duplicates, in their order."""
    _, first = np.unique(np.round(points / SAME), axis=0, return_index=True)
    return points[np.sort(first)]


def check(node: Any, segmentId: str, option: str) -> None:
    """Check whether a node can give points, without slow computations.

    Args:
        node: markups, a curve, a model or a segmentation.
        segmentId: of the segment, or of a group of segments; "" for all.
        option: name of the input, for the error.

    Raises:
        NodeError: if it cannot.
    """
    name = node.GetName()
    if isSegmentation(node):
        names = dict(segmentNames(node))
        if not names:
            raise NodeError(_("the segmentation {name} has no segments").format(name=name), _("choose another"), option)
        if segmentId and segmentId not in names and not isinstance(chosen(node, segmentId), list):
            raise NodeError(_("the segmentation {name} has no such segment any more").format(name=name), _("choose another"), option)
        return
    if node.IsA("vtkMRMLModelNode"):
        count = node.GetPolyData().GetNumberOfPoints() if node.GetPolyData() is not None else 0
    else:
        count = node.GetNumberOfControlPoints()
    if count <= _QUICK:
        try:
            count = len(distinct(pointsOf(node)))
        except NodeError:
            count = 0
    if count < FEWEST:
        raise tooFew(name, count, option)


def tooFew(name: str, count: int, option: str) -> NodeError:
    """Return the error of a set with too few points."""
    message = _("{name} has too few different points ({count})") if count else _("{name} has no points")
    return NodeError(message.format(name=name, count=count), _("at least {least} are needed").format(least=FEWEST), option)


def writeCloud(path: str, points: np.ndarray) -> None:
    """Write points (RAS mm) as CSV, LPS mm, rounded to 1e-9 mm: a scene that was saved and loaded gives the same file."""
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("x", "y", "z"))
        writer.writerows([repr(float(number)) for number in row] for row in np.round(points * (-1.0, -1.0, 1.0), 9) + 0.0)


def readCloud(path: str) -> np.ndarray:
    """Return the points (N, 3), RAS mm, of a file of the worker."""
    return readColumns(path, ("x", "y", "z")) * (-1.0, -1.0, 1.0)


def readColumns(path: str, names: tuple[str, ...]) -> np.ndarray:
    """Return the columns of numbers of a CSV file, by their names (N, C)."""
    with open(path, newline="", encoding="utf-8") as stream:
        return np.array([[float(row[name]) for name in names] for row in csv.DictReader(stream)], dtype=np.float64).reshape(-1, len(names))
