"""The mapping of fixed points by a transform node, in the world, and positions of moving data without it.

A transform that aligns the moving image with the fixed one maps fixed points to moving points by its inverse. The moving image and its
landmarks may already be below the transform; they are then used without it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.volumes import mapPoints, parentTransform, snapshot, worldGeometry

FLIP = np.array([-1.0, -1.0, 1.0])


class FixedToMoving:
    """Maps fixed points to moving points, RAS mm, with the present state of a transform node.

    Args:
        node: a transform node; None is the identity.
    """

    def __init__(self, node: Any) -> None:
        self.node = node
        self.transform = _frozen(lambda general: node.GetTransformFromWorld(general)) if node is not None else None

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Map points (N, 3)."""
        return mapPoints(self.transform, points)

    def outside(self, points: np.ndarray) -> np.ndarray:
        """Return which points (N, 3) lie outside a displacement grid of the transform (N,), bool: their displacement is not known."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        return _followed(self.transform, points)[1] if self.transform is not None else np.zeros(len(points), dtype=bool)

    def linear(self, point: np.ndarray, step: float = 1.0) -> np.ndarray:
        """Return the derivative (3, 3) at a point, by central differences."""
        ends = np.concatenate([point + step * np.eye(3), point - step * np.eye(3)])
        moved = self(ends)
        return (moved[:3] - moved[3:]).T / (2.0 * step)


def belowTransform(node: Any, transform: Any) -> vtk.vtkAbstractTransform | None:
    """Return the transform from the coordinates of a moving volume or list to the world, both RAS, without ``transform``.

    None is the identity.
    """
    parent = node.GetParentTransformNode()
    if not isBelow(node, transform):
        return parentTransform(node)
    if parent is transform:
        return None
    return _frozen(lambda general: slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(parent, transform, general))


def isBelow(node: Any, transform: Any) -> bool:
    """Whether a node is below a transform."""
    parent = node.GetParentTransformNode() if node is not None else None
    while parent is not None and transform is not None:
        if parent is transform:
            return True
        parent = parent.GetParentTransformNode()
    return False


def _frozen(get: Any) -> vtk.vtkGeneralTransform:
    general, frozen = vtk.vtkGeneralTransform(), vtk.vtkGeneralTransform()
    get(general)
    frozen.DeepCopy(general)
    return frozen


def _followed(transform: vtk.vtkAbstractTransform, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points through a transform, part by part, and which of them (N,) come to lie outside the grid of a part."""
    transform.Update()
    outside = np.zeros(len(points), dtype=bool)
    if transform.IsA("vtkGeneralTransform"):
        for number in range(transform.GetNumberOfConcatenatedTransforms()):
            points, left = _followed(transform.GetConcatenatedTransform(number), points)
            outside |= left
        return points, outside
    mapped = mapPoints(transform, points)
    geometry = _geometryOf(transform) if transform.IsA("vtkOrientedGridTransform") else None
    if geometry is not None:
        outside = ~contains(geometry, mapped if transform.GetInverseFlag() else points)
    return mapped, outside


def contains(geometry: Geometry, points: np.ndarray) -> np.ndarray:
    """Return which points (N, 3), RAS mm, lie in a voxel of a grid (N,), bool."""
    return imageGrid(geometry).contains(points * FLIP)


def imageGrid(geometry: Geometry) -> ImageGrid:
    """Return a grid as the engine's class."""
    return ImageGrid(geometry.size, geometry.spacing, geometry.origin, tuple(np.asarray(geometry.direction).ravel().tolist()))


def _geometryOf(grid: Any) -> Geometry | None:
    """The grid of a grid transform; None if it has no vectors."""
    image = grid.GetDisplacementGrid()
    if image is None:
        return None
    matrix = np.eye(4)
    direction = grid.GetGridDirectionMatrix()
    axes = np.array([[direction.GetElement(i, j) for j in range(3)] for i in range(3)]) if direction is not None else np.eye(3)
    matrix[:3, :3] = axes * np.array(image.GetSpacing())
    matrix[:3, 3] = image.GetOrigin()
    return Geometry.fromIjkToRas(image.GetDimensions(), matrix)


def ownGrid(node: Any) -> tuple[np.ndarray, Geometry] | None:
    """Return vectors (z, y, x, 3), RAS mm, and grid of a transform that is a displacement field of fixed points; None for others."""
    if node is None or node.GetParentTransformNode() is not None:
        return None
    grid = node.GetTransformFromParentAs("vtkOrientedGridTransform", False)
    geometry = _geometryOf(grid) if grid is not None and not grid.GetInverseFlag() else None
    if geometry is None:
        return None
    image = grid.GetDisplacementGrid()
    scalars = image.GetPointData().GetScalars()
    if scalars is None or scalars.GetNumberOfComponents() != 3:
        return None
    vectors = vtk.util.numpy_support.vtk_to_numpy(scalars).reshape(*image.GetDimensions()[::-1], 3)
    if grid.GetDisplacementScale() != 1.0 or grid.GetDisplacementShift() != 0.0:
        vectors = vectors * grid.GetDisplacementScale() + grid.GetDisplacementShift()
    return vectors, geometry


def gridOf(volume: Any) -> Geometry:
    """Return the grid of a volume in the world."""
    return worldGeometry(snapshot(volume))[0]
