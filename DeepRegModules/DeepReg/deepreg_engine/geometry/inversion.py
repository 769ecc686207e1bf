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


# Jacobians serve so many steps: sampling them costs three times as much as the step.
_REFRESH = 3


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
    solver = _Solver(field)
    vectors = np.empty((3, *grid.shape), dtype=np.float32)
    for part, target in DisplacementField.zeros(grid)._slabs():
        source = solver.solve(target, tolerance, iterations)
        vectors[:, part] = np.moveaxis((source - target).reshape(-1, *grid.shape[1:], 3), -1, 0)
    inverse = DisplacementField(vectors, grid)
    worst, mean, covered = round_trip(field, inverse)
    return Inverse(inverse, worst, mean, covered)


class _Solver:
    """Finds x with x + u(x) = y for many y."""

    def __init__(self, field: DisplacementField) -> None:
        self._field = field
        self._to_index = np.linalg.inv(field.grid.index_to_physical_matrix)
        self._gradient = index_gradient(field.vectors).reshape(9, *field.grid.shape).astype(np.float32)
        # The affine map nearest to the field: its inverse is the first guess. An alignment across the room is common.
        step = max(1, round((field.grid.voxels / 20_000) ** (1 / 3)))
        points = field.grid.points()[::step, ::step, ::step].reshape(-1, 3)
        moved = points + np.moveaxis(field.vectors[:, ::step, ::step, ::step], 0, -1).reshape(-1, 3)
        self._centre, self._moved_centre = points.mean(0), moved.mean(0)
        linear = np.linalg.lstsq(points - self._centre, moved - self._moved_centre, rcond=None)[0]
        sound = len(points) >= 12 and 0.05 < np.linalg.det(linear) < 20.0
        self._back = np.linalg.inv(linear) if sound else np.eye(3)

    def solve(self, target: np.ndarray, tolerance: float, iterations: int) -> np.ndarray:
        """Fixed points (N, 3), mm, of moving points (N, 3)."""
        source = (target - self._moved_centre) @ self._back + self._centre
        active = np.arange(len(target))
        inverses = np.empty((0, 3, 3))
        for iteration in range(iterations):
            index = self._index(source[active])
            residual = source[active] + sample_linear(self._field.vectors, index) - target[active]
            open_ = np.einsum("na,na->n", residual, residual) > tolerance**2
            if not open_.any():
                break
            active, residual, index = active[open_], residual[open_], index[open_]
            if iteration % _REFRESH == 0:
                inverses = self._inverse_jacobians(index)
            else:
                inverses = inverses[open_]
            step = np.einsum("nab,nb->na", inverses, residual)
            length, limit = (np.sqrt(np.einsum("na,na->n", v, v)) for v in (step, residual))
            source[active] -= step * np.minimum(1.0, 2.0 * limit / np.maximum(length, 1e-12))[:, None]
        return source

    def _index(self, points: np.ndarray) -> np.ndarray:
        return (points - np.array(self._field.grid.origin)) @ self._to_index.T

    def _inverse_jacobians(self, index: np.ndarray) -> np.ndarray:
        """(d(x + u)/dx)^-1 (N, 3, 3) at indices; half the identity, a damped plain step, where the field is folded or nearly so."""
        size = np.array(self._field.grid.size)
        gradient = sample_linear(self._gradient, index).reshape(-1, 3, 3)
        # Beyond the grid the field goes on with its nearest value: along that axis it does not change.
        gradient[np.broadcast_to(((index < 0) | (index > size - 1))[:, None, :], gradient.shape)] = 0.0
        jacobian = gradient @ self._to_index + np.eye(3)
        (a, b, c), (d, e, f), (g, h, i) = np.moveaxis(jacobian, 0, -1)
        adjugate = np.stack([e * i - f * h, c * h - b * i, b * f - c * e, f * g - d * i, a * i - c * g, c * d - a * f,
                             d * h - e * g, b * g - a * h, a * e - b * d], axis=-1)
        determinant = a * adjugate[:, 0] + b * adjugate[:, 3] + c * adjugate[:, 6]
        sound = determinant > 0.05
        inverse = np.broadcast_to(0.5 * np.eye(3), jacobian.shape).copy()
        inverse[sound] = (adjugate[sound] / determinant[sound, None]).reshape(-1, 3, 3)
        return inverse


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
