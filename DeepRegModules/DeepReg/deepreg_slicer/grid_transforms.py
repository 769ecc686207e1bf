"""Transform nodes that are displacement fields on a grid, and grids of volumes, in the world."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import vtk

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.transforms import writeFromParent, writeVectors
from deepreg_slicer.volumes import snapshot, worldGeometry

#: From RAS to LPS and back.
FLIP = np.array([-1.0, -1.0, 1.0])


def geometryOf(grid: Any) -> Geometry | None:
    """Return the grid of a grid transform; None if it has no vectors."""
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
    geometry = geometryOf(grid) if grid is not None and not grid.GetInverseFlag() else None
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


def contains(geometry: Geometry, points: np.ndarray) -> np.ndarray:
    """Return which points (N, 3), RAS mm, lie in a voxel of a grid (N,), bool."""
    return imageGrid(geometry).contains(points * FLIP)


def imageGrid(geometry: Geometry) -> ImageGrid:
    """Return a grid as the engine's class."""
    return ImageGrid(geometry.size, geometry.spacing, geometry.origin, tuple(np.asarray(geometry.direction).ravel().tolist()))


def writeTransform(transform: Any, fixed: Any, path: str) -> Generator[float, None, str]:
    """Write the mapping of fixed points: unchanged if it is linear or a displacement field, else sampled over the grid ``fixed``."""
    own = ownGrid(transform)
    if own is None:
        return (yield from writeFromParent(transform, fixed, path))
    vectors, geometry = own
    yield from writeVectors(f"{path}.nrrd", (vectors.reshape(-1, 3) * FLIP).astype("float32"), geometry)
    return f"{path}.nrrd"
