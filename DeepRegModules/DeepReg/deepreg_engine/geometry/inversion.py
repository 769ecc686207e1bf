"""The inverse of a displacement field, and how well it undoes the field.

Contract: ``v`` on a grid of the moving image with ``y + v(y) + u(y + v(y)) = y`` for each of its voxels y. Solved for all
voxels at once by Newton's method: where the field stretches to more than double the usual fixed-point iteration
v <- -u(y + v) diverges, and where it compresses to a third or less it crawls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepreg_engine.geometry.displacement_field import DisplacementField, index_gradient, sample_linear
from deepreg_engine.geometry.image_grid import ImageGrid


@dataclass(frozen=True)
class Inverse:
    """An inverse with its proof.

    Args:
        field: displacements that take moving points back to fixed points.
        worst_error: largest distance (mm) between a fixed voxel and its round trip there and back, over the fixed
            voxels whose moving point lies inside the inverse's grid; 0 if there is none.
        mean_error: the mean of the same.
        covered: share of the fixed voxels that were tried.
    """

    field: DisplacementField
    worst_error: float
    mean_error: float
    covered: float


def invert(field: DisplacementField, grid: ImageGrid | None = None, tolerance: float = 1e-3, iterations: int = 30) -> Inverse:
    """Invert a displacement field.

    Args:
        field: the forward field.
        grid: where the inverse is wanted, usually the moving image's grid; the field's own by default.
        tolerance: residual in mm at which a voxel is done.
        iterations: at most so many Newton steps.

    Beyond the forward grid the field goes on with its nearest value, so that the inverse does not tear at its edge.
    """
    grid = grid or field.grid
    to_index = np.linalg.inv(field.grid.index_to_physical_matrix)
    # All twelve numbers a Newton step reads at a point, in one volume: u, then du_c / dindex_b.
    samples = np.concatenate([field.vectors, index_gradient(field.vectors).reshape(9, *field.grid.shape).astype(np.float32)])

    vectors = np.empty((3, *grid.shape), dtype=np.float32)
    for part, target in DisplacementField.zeros(grid)._slabs():
        source = target - field.at(target, extend=True)  # the fixed-point guess
        active = np.arange(len(target))
        for _ in range(iterations):
            values = sample_linear(samples, field.grid.physical_to_index(source[active]))
            residual = source[active] + values[:, :3] - target[active]
            open_ = np.linalg.norm(residual, axis=1) > tolerance
            if not open_.any():
                break
            active, residual, values = active[open_], residual[open_], values[open_]
            jacobian = values[:, 3:].reshape(-1, 3, 3) @ to_index + np.eye(3)
            source[active] -= _newton_step(jacobian, residual)
        vectors[:, part] = np.moveaxis((source - target).reshape(-1, *grid.shape[1:], 3), -1, 0)
    inverse = DisplacementField(vectors, grid)
    worst, mean, covered = round_trip(field, inverse)
    return Inverse(inverse, worst, mean, covered)


def _newton_step(jacobian: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """J^-1 r, held to the length of 2 |r|; where J is folded or nearly so, the plain damped residual."""
    determinant = np.linalg.det(jacobian)
    sound = determinant > 0.1
    step = 0.5 * residual
    step[sound] = np.linalg.solve(jacobian[sound], residual[sound][..., None])[..., 0]
    length = np.linalg.norm(step, axis=1)
    limit = 2.0 * np.linalg.norm(residual, axis=1)
    return step * np.minimum(1.0, limit / np.maximum(length, 1e-12))[:, None]


def round_trip(forward: DisplacementField, backward: DisplacementField) -> tuple[float, float, float]:
    """Worst and mean distance (mm) of the forward grid's voxels from their way there and back, and the share tried."""
    worst, total, tried = 0.0, 0.0, 0
    for _, points in forward._slabs():
        there = forward.map_points(points)
        inside = backward.grid.contains(there)
        if not inside.any():
            continue
        error = np.linalg.norm(backward.map_points(there[inside]) - points[inside], axis=1)
        worst, total, tried = max(worst, float(error.max())), total + float(error.sum()), tried + int(inside.sum())
    return worst, total / max(tried, 1), tried / forward.grid.voxels
