"""A transform as an alignment and the deformation beyond it.

A transform T from fixed to moving points is ``T(x) = L(x + d(x))``: first the deformation d on the fixed image's grid, then the linear
part L. It is exact for every L that can be inverted, also between voxels, because linear interpolation and L commute. L is the alignment
of the registration where it is known and linear; otherwise it is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.composition import followed_by, linear_matrix
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.linear_parts import LinearParts, linear_parts

# Largest number of points of a field to which a linear part is fitted.
_SAMPLES = 40_000
# An affine part is fitted instead of a rigid one if it leaves less than this share of the root mean square of the deformation.
_MUCH_LESS = 0.5
# A linear transform with a smaller determinant cannot be inverted reliably.
_SMALLEST_DETERMINANT = 1e-6
#: Origins of a linear part: the alignment of a registration, a transform that is linear itself, and fits by least squares.
SOURCES = ("alignment", "transform", "fitted rigid", "fitted affine")


@dataclass(frozen=True)
class LinearPart:
    """The linear part of a transform.

    Args:
        matrix: homogeneous, (4, 4), from fixed to moving LPS points, mm.
        source: one of :data:`SOURCES`.
    """

    matrix: np.ndarray
    source: str

    @property
    def determinant(self) -> float:
        """Determinant of the linear part: change of volume from fixed to moving."""
        return float(np.linalg.det(self.matrix[:3, :3]))

    def to_transform(self) -> sitk.AffineTransform:
        """Return it as a SimpleITK transform from fixed to moving points."""
        return affine_transform(self.matrix)

    def parts(self, centre: np.ndarray) -> LinearParts:
        """Return shift, rotation, scales and shear about a centre, LPS mm."""
        return linear_parts(self.matrix, centre)

    def to_dict(self, centre: np.ndarray) -> dict[str, Any]:
        """Return source, matrix and parts as plain data, for a report."""
        return {"source": self.source, "matrix": self.matrix.tolist(), **self.parts(centre).to_dict()}

    def beyond(self, field: DisplacementField) -> DisplacementField:
        """Return the deformation d of a field u beyond this part: ``x + d(x) = L^-1(x + u(x))``."""
        return followed_by(field, affine_transform(np.linalg.inv(self.matrix)))


@dataclass(frozen=True)
class SplitField:
    """A displacement field and its linear part.

    Args:
        field: of the whole transform.
        linear: its linear part.
    """

    field: DisplacementField
    linear: LinearPart

    @classmethod
    def of(cls, field: DisplacementField, alignment: Any = None, transform: sitk.Transform | None = None) -> SplitField:
        """Return a field with its linear part, see :func:`linear_part`."""
        return cls(field, linear_part(field, alignment, transform))

    @cached_property
    def deformation(self) -> DisplacementField:
        """The deformation beyond the linear part, on the field's grid."""
        return self.linear.beyond(self.field)

    @cached_property
    def jacobian(self) -> np.ndarray:
        """Jacobian determinant of the deformation (z, y, x); times the linear part's determinant it is that of the whole transform."""
        return self.deformation.jacobian_determinant()


def affine_transform(matrix: np.ndarray) -> sitk.AffineTransform:
    """Return the SimpleITK transform of a homogeneous matrix (4, 4) of LPS points, mm."""
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(np.asarray(matrix)[:3, :3].ravel().tolist())
    affine.SetTranslation(np.asarray(matrix)[:3, 3].tolist())
    return affine


def usable(matrix: Any) -> np.ndarray | None:
    """Return a value as an array (4, 4) if it is the homogeneous matrix of an invertible linear map, otherwise None."""
    try:
        found = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if found.shape != (4, 4) or not np.isfinite(found).all() or abs(np.linalg.det(found[:3, :3])) < _SMALLEST_DETERMINANT:
        return None
    return found


def linear_part(field: DisplacementField, alignment: Any = None, transform: sitk.Transform | None = None) -> LinearPart:
    """Return the linear part of a transform.

    Args:
        field: the transform on a grid.
        alignment: matrix (4, 4) of the registration's alignment, fixed to moving; None if it is not known or not linear.
        transform: the transform itself; one that is linear is its own linear part.
    """
    known = usable(alignment)
    if known is not None:
        return LinearPart(known, "alignment")
    own = None if transform is None else usable(linear_matrix(transform))
    if own is not None:
        return LinearPart(own, "transform")
    return fitted_part(*_samples(field))


def fitted_part(points: np.ndarray, moved: np.ndarray) -> LinearPart:
    """Return the rigid part that is nearest to a mapping by least squares; the affine part where it leaves much less deformation.

    Args:
        points: (N, 3), LPS mm.
        moved: their moving points (N, 3).
    """
    centre, moved_centre = points.mean(axis=0), moved.mean(axis=0)
    source, target = points - centre, moved - moved_centre
    rigid = _rotation(source, target)
    choices = [("fitted rigid", rigid)]
    if np.linalg.matrix_rank(source, tol=1e-6 * max(float(np.abs(source).max()), 1e-12)) == 3:
        choices.append(("fitted affine", np.linalg.lstsq(source, target, rcond=None)[0].T))
    found = []
    for name, linear in choices:
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = linear, moved_centre - linear @ centre
        if usable(matrix) is not None:
            beyond = target @ np.linalg.inv(linear).T - source
            found.append((LinearPart(matrix, name), float(np.sqrt((beyond**2).sum(axis=1).mean()))))
    first, last = found[0], found[-1]
    return last[0] if last[1] < _MUCH_LESS * first[1] and first[1] > 1e-3 else first[0]


def _rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the rotation (3, 3) that takes centred points (N, 3) nearest to others (Kabsch, Acta Crystallographica A32, 1976)."""
    left, _, right = np.linalg.svd(source.T @ target)
    sign = np.sign(np.linalg.det(right.T @ left.T)) or 1.0
    return right.T @ np.diag([1.0, 1.0, sign]) @ left.T


def _samples(field: DisplacementField) -> tuple[np.ndarray, np.ndarray]:
    """Return some voxels (N, 3) of a field, LPS mm, and their moving points."""
    steps = _steps(field.grid.shape)
    part = tuple(slice(None, None, step) for step in steps)
    index = np.stack(np.meshgrid(*(np.arange(0, n, step) for n, step in zip(field.grid.shape, steps, strict=True)), indexing="ij"), -1)
    points = field.grid.index_to_physical(index.reshape(-1, 3)[:, ::-1])
    return points, points + np.moveaxis(field.vectors[(slice(None), *part)], 0, -1).reshape(-1, 3)


def _steps(shape: Sequence[int]) -> list[int]:
    """Return the steps along each axis with which about :data:`_SAMPLES` voxels of an array remain."""
    step = (float(np.prod(shape)) / _SAMPLES) ** (1.0 / 3.0)
    return [max(1, min(int(np.ceil(step)), max(1, n // 3))) for n in shape]
