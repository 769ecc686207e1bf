"""Maps points, curves and models of the moving side by a result, in pieces between the events of the window.

A result maps fixed points to moving points. Data of the moving side goes the other way: through the transform as the scene applies it to
nodes below it, which VTK computes by inverting a displacement field point by point.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from deepreg_slicer.grid_transforms import contains, ownGrid
from deepreg_slicer.landmarks import definedNumbers
from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.parents import parentTransform
from deepreg_slicer.volumes import mapPoints

# Number of points that are mapped in one step: some milliseconds of work.
_PIECE = 2000
# VTK inverts a field to some hundredths of a millimetre; steps that correct this, and the distance at which they end, mm.
_STEPS, _CLOSE = 10, 1e-4
#: Largest distance from its moving point to which a result takes a carried point back, mm.
ROUND_TRIP = 0.1


@dataclass
class Carried:
    """A node through a result.

    Args:
        points: of the node in the order of the node, RAS mm, in the world.
        outside: number of points for which the result is not known: beyond its grid, or where it cannot be inverted.
    """

    points: np.ndarray
    outside: int


class Carrier:
    """Maps points of the moving volume to the fixed volume by the inverse of a transform; positions are in RAS mm.

    Args:
        transform: node of a result.
        region: grid of the fixed side; None for the transform's own. Beyond it the result is not known.
    """

    def __init__(self, transform: Any, region: Geometry | None = None) -> None:
        own = ownGrid(transform)
        self._region = own[1] if own is not None else None
        self._region = self._region or (None if transform.IsTransformToWorldLinear() else region)
        self._toFixed, self._toMoving = _frozen(transform.GetTransformToWorld), _frozen(transform.GetTransformFromWorld)

    def carry(self, points: np.ndarray) -> Generator[float, None, Carried]:
        """Map points (N, 3), in pieces."""
        found, outside = np.empty((len(points), 3)), 0
        for start in range(0, len(points), _PIECE):
            piece = points[start : start + _PIECE]
            carried, apart = self._corrected(mapPoints(self._toFixed, piece), piece)
            unknown = ~(apart < ROUND_TRIP)
            if self._region is not None:
                unknown |= ~contains(self._region, carried)
            found[start : start + _PIECE] = carried
            outside += int(np.count_nonzero(unknown))
            yield start / len(points)
        return Carried(found, outside)

    def _corrected(self, carried: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return carried points nearer to the inverse, and the distances (N,), mm, of the points to which the result takes them back."""
        rest = points - mapPoints(self._toMoving, carried)
        apart = np.linalg.norm(rest, axis=1)
        for _step in range(_STEPS):
            if not (apart > _CLOSE).any():
                break
            moved = carried + rest
            back = points - mapPoints(self._toMoving, moved)
            nearer = np.linalg.norm(back, axis=1) < apart
            if not nearer.any():
                break
            carried, rest = np.where(nearer[:, None], moved, carried), np.where(nearer[:, None], back, rest)
            apart = np.linalg.norm(rest, axis=1)
        return carried, apart


def _frozen(get: Any) -> vtk.vtkGeneralTransform:
    general, frozen = vtk.vtkGeneralTransform(), vtk.vtkGeneralTransform()
    get(general)
    frozen.DeepCopy(general)
    return frozen


def pointsOf(node: Any, without: Any = None) -> np.ndarray:
    """Return the placed control points of a list or curve, or the points of a model (N, 3), RAS mm in the world.

    Args:
        node: markups or a model.
        without: a transform above it that is left out.
    """
    if node.IsA("vtkMRMLModelNode"):
        own = vtk_to_numpy(node.GetMesh().GetPoints().GetData()).astype(np.float64)
    else:
        own = np.array([node.GetNthControlPointPosition(number) for number in definedNumbers(node)], dtype=np.float64).reshape(-1, 3)
    return mapPoints(parentTransform(node, without), own)


def fillCopy(copy: Any, node: Any, carried: Carried) -> None:
    """Fill a new node with the contents of another, and the positions of its points.

    Args:
        copy: a node of the same class, without a parent transform.
        node: the original, which is not changed.
        carried: the positions of its points.
    """
    if node.IsA("vtkMRMLModelNode"):
        mesh = node.GetMesh().NewInstance()
        mesh.DeepCopy(node.GetMesh())
        points = vtk.vtkPoints()
        points.SetData(numpy_to_vtk(carried.points.astype(np.float32), deep=True))
        mesh.SetPoints(points)
        copy.SetAndObserveMesh(_withNormals(mesh))
        return
    copy.CopyContent(node, True)
    for number, position in zip(definedNumbers(node), carried.points.tolist(), strict=True):
        copy.SetNthControlPointPosition(number, position, copy.PositionDefined)


def _withNormals(mesh: Any) -> Any:
    """Return a mesh with normals that are computed from its points and replace the former ones."""
    if not mesh.IsA("vtkPolyData") or mesh.GetPointData().GetNormals() is None:
        return mesh
    mesh.GetPointData().SetNormals(None)
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputData(mesh)
    normals.SplittingOff()  # the points keep their number and order
    normals.ConsistencyOff()
    normals.Update()
    return normals.GetOutput()


def copyDisplay(copy: Any, node: Any) -> None:
    """Show a node in the colours and with the visibility of another."""
    copy.CreateDefaultDisplayNodes()
    display, like = copy.GetDisplayNode(), node.GetDisplayNode()
    if display is not None and like is not None and display.GetClassName() == like.GetClassName():
        views = display.GetViewNodeIDs()
        display.CopyContent(like)
        display.RemoveAllViewNodeIDs()
        for identifier in views or ():
            display.AddViewNodeID(identifier)


def isCarriedByPoints(node: Any) -> bool:
    """Return whether a node comes along by its points, without the worker."""
    return node.IsA("vtkMRMLModelNode") or node.IsA("vtkMRMLMarkupsNode")


def newLike(node: Any) -> Any:
    """Return a node of the class of another, not yet in the scene."""
    copy = slicer.mrmlScene.CreateNodeByClass(node.GetClassName())
    copy.UnRegister(None)
    return copy
