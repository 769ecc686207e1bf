"""Composition of displacement fields with transforms, and the matrix of a linear transform."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid


def linear_matrix(transform: sitk.Transform) -> np.ndarray | None:
    """Return the homogeneous matrix (4, 4) of a linear transform of LPS points, mm; None for other transforms."""
    if not transform.IsLinear():
        return None
    offset = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    linear = np.stack([np.array(transform.TransformPoint(tuple(axis))) - offset for axis in np.eye(3)], axis=1)
    return np.vstack([np.column_stack([linear, offset]), [0.0, 0.0, 0.0, 1.0]])


def followed_by(field: DisplacementField, transform: sitk.Transform, domain: ImageGrid | None = None) -> DisplacementField:
    """Return the composition x -> transform(x + u(x)) on the grid of the field u.

    In ITK, a displacement field is the identity outside its grid. Outside the domain a transform that is not linear is
    therefore extrapolated: it moves a point like the nearest point of the domain.

    Args:
        field: u.
        transform: applied after the field.
        domain: where a transform that is not linear is valid; the field's grid by default.
    """
    if transform.GetName() == "IdentityTransform":
        return field
    matrix = linear_matrix(transform)
    return _nonlinear(field, transform, domain or field.grid) if matrix is None else _linear(field, matrix)


def _linear(field: DisplacementField, matrix: np.ndarray) -> DisplacementField:
    # A (x + u) + t - x = A u + (A - 1) x + t; the part in x is linear in the index.
    grid, linear, offset = field.grid, matrix[:3, :3], matrix[:3, 3]
    vectors = np.einsum("ab,bzyx->azyx", linear.astype(np.float32), field.vectors)
    _add_linear(vectors, (linear - np.eye(3)) @ grid.index_to_physical_matrix)
    vectors += ((linear - np.eye(3)) @ np.array(grid.origin) + offset).astype(np.float32)[:, None, None, None]
    return DisplacementField(vectors, grid)


def _nonlinear(field: DisplacementField, transform: sitk.Transform, domain: ImageGrid) -> DisplacementField:
    grid = field.grid
    to_index = np.linalg.inv(domain.index_to_physical_matrix)
    first = domain.physical_to_index(np.array([grid.origin]))[0]
    beyond = np.einsum("ab,bzyx->azyx", to_index.astype(np.float32), field.vectors)
    _add_linear(beyond, to_index @ grid.index_to_physical_matrix)
    for axis, count in enumerate(domain.size):
        beyond[axis] += first[axis]
        beyond[axis] -= np.clip(beyond[axis], 0.0, count - 1.0)
    beyond = np.einsum("ab,bzyx->azyx", domain.index_to_physical_matrix.astype(np.float32), beyond)
    inside = DisplacementField(field.vectors - beyond, grid)
    both = sitk.CompositeTransform([transform, inside.to_transform()])  # the last one acts first
    vectors = DisplacementField.from_transform(both, grid).vectors
    vectors += beyond
    return DisplacementField(vectors, grid)


def _add_linear(vectors: np.ndarray, step: np.ndarray) -> None:
    """Add ``step @ index`` to vectors (3, z, y, x), with the index x, y, z of each voxel."""
    for axis in range(3):
        shape = [1, 1, 1]
        shape[2 - axis] = -1
        vectors += (step[:, axis, None, None, None] * np.arange(vectors.shape[3 - axis]).reshape(shape)).astype(np.float32)
