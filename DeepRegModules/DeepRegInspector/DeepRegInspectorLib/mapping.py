"""The mapping of fixed points by a transform node, in the world, and positions of moving data without it.

A transform that aligns the moving image with the fixed one maps fixed points to moving points by its inverse. The moving image and its
landmarks may already be below the transform; they are then used without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.errors import NodeError
from deepreg_slicer.grid_transforms import FLIP, contains, geometryOf, gridOf, imageGrid, ownGrid
from deepreg_slicer.parents import isBelow, parentTransform, shownThrough
from deepreg_slicer.volumes import mapPoints

__all__ = ["FLIP", "FixedToMoving", "belowTransform", "checkNotBelow", "contains", "gridOf", "imageGrid", "leftOut", "ownGrid"]


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


def leftOut(node: Any, transform: Any, others: Iterable[Any] = ()) -> Any:
    """Return the transform above a moving volume or list that is left out when ``transform`` is measured; None without one. It is the
    transform itself, one of ``others`` that are measured as well, or a result through which a panel shows the node.
    """
    return next((each for each in (transform, *others) if each is not None and isBelow(node, each)), None) or shownThrough(node)


def belowTransform(node: Any, transform: Any, others: Iterable[Any] = ()) -> vtk.vtkAbstractTransform | None:
    """Return the transform from the coordinates of a moving volume or list to the world, both RAS, without the transform of
    :func:`leftOut`. None is the identity.
    """
    return parentTransform(node, leftOut(node, transform, others))


def checkNotBelow(node: Any, transforms: Iterable[Any], option: str) -> None:
    """Check that data of the fixed side, or moving labels, are not below one of the transforms that are measured.

    Raises:
        NodeError: if they are.
    """
    found = next((each for each in transforms if node is not None and each is not None and isBelow(node, each)), None)
    if found is not None:
        message = _("{name} is below the transform {transform} that is measured").format(name=node.GetName(), transform=found.GetName())
        raise NodeError(message, _("take it out of this transform"), option)


def _frozen(get: Any) -> vtk.vtkGeneralTransform:
    general, frozen = vtk.vtkGeneralTransform(), vtk.vtkGeneralTransform()
    get(general)
    frozen.DeepCopy(general)
    return frozen


def _followed(transform: vtk.vtkAbstractTransform, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Map points through the parts of a transform; return the points and the mask (N,) of those that leave the grid of a part."""
    transform.Update()
    outside = np.zeros(len(points), dtype=bool)
    if transform.IsA("vtkGeneralTransform"):
        for number in range(transform.GetNumberOfConcatenatedTransforms()):
            points, left = _followed(transform.GetConcatenatedTransform(number), points)
            outside |= left
        return points, outside
    mapped = mapPoints(transform, points)
    geometry = geometryOf(transform) if transform.IsA("vtkOrientedGridTransform") else None
    if geometry is not None:
        outside = ~contains(geometry, mapped if transform.GetInverseFlag() else points)
    return mapped, outside
