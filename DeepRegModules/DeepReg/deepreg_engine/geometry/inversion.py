"""The inverse of a displacement field, and its round-trip error.

Contract: ``v`` on a grid of the moving image with ``y + v(y) + u(y + v(y)) = y`` for each of its voxels y. It is solved
for all voxels at once by Newton's method, because the usual fixed-point iteration v <- -u(y + v) diverges where the field expands by
more than a factor of two, and converges slowly where it compresses to a third or less. Quick steps use smoothed Jacobians that are
reused. They do not converge at some voxels in strongly compressed regions; there, careful steps use the exact Jacobian of the
interpolated field and a line search, and start again, if necessary, from the fixed voxels that the field takes nearest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deepreg_engine.geometry.displacement_field import DisplacementField, index_gradient, sample_linear
from deepreg_engine.geometry.image_grid import ImageGrid

# Quick steps, after which one or two percent of the voxels remain; and steps per Jacobian, whose sampling costs three times as much as one.
_QUICK_STEPS = 9
_REFRESH = 3
# Longest careful step in voxels; largest number of times that it is shortened, and the factor.
_LONGEST = 3.0
_SHORTENINGS = 6
_SHORTENED = 0.4
# Share of the trace of J^T J that is added to its diagonal (Levenberg-Marquardt), so that it can be inverted where J is singular.
_DAMPING = 1e-9
# Fixed voxels tried as starting points for a voxel that has not converged.
_STARTS = 4
# Distance (mm) around the bounding box of all such voxels in which they are searched.
_MARGIN = 50.0


@dataclass(frozen=True)
class Inverse:
    """An inverse field and its round-trip error.

    Args:
        field: displacements that take moving points back to fixed points.
        worst_error: largest distance (mm) between a fixed voxel and its round trip through both fields, over the fixed voxels whose
            moving point lies inside the inverse's grid; 0 if there is none.
        mean_error: the mean of these distances, mm.
        covered: share of the fixed voxels over which they were taken.
    """

    field: DisplacementField
    worst_error: float
    mean_error: float
    covered: float


def invert(field: DisplacementField, grid: ImageGrid | None = None, tolerance: float = 1e-3, iterations: int = 30) -> Inverse:
    """Invert a displacement field.

    Args:
        field: the forward field.
        grid: grid of the inverse, usually the moving image's; the field's own by default.
        tolerance: residual in mm at which a voxel has converged.
        iterations: largest number of Newton steps of each kind.

    Outside its grid the forward field is extrapolated with its nearest value, so that the inverse does not fold at its border.
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


def inverse_points(
    field: DisplacementField, moving: np.ndarray, tolerance: float = 1e-4, iterations: int = 30
) -> tuple[np.ndarray, np.ndarray]:
    """Return the fixed points (N, 3), mm, that a field takes to moving points (N, 3), and the distances (N,), mm, that remain.

    Outside its grid the field is extrapolated with its nearest value.
    """
    found = _Solver(field).solve(np.asarray(moving, dtype=np.float64), tolerance, iterations)
    return found, np.linalg.norm(found + field.at(found, extend=True) - moving, axis=1)


class _Solver:
    """Finds x with x + u(x) = y for many y."""

    def __init__(self, field: DisplacementField) -> None:
        self._field = field
        self._to_index = np.linalg.inv(field.grid.index_to_physical_matrix)
        self._gradient = index_gradient(field.vectors).reshape(9, *field.grid.shape).astype(np.float32)
        # The inverse of the affine map nearest to the field is the first guess: alignments may be large.
        step = max(1, round((field.grid.voxels / 20_000) ** (1 / 3)))
        points = field.grid.points()[::step, ::step, ::step].reshape(-1, 3)
        moved = points + np.moveaxis(field.vectors[:, ::step, ::step, ::step], 0, -1).reshape(-1, 3)
        self._centre, self._moved_centre = points.mean(0), moved.mean(0)
        linear = np.linalg.lstsq(points - self._centre, moved - self._moved_centre, rcond=None)[0]
        sound = len(points) >= 12 and 0.05 < np.linalg.det(linear) < 20.0
        self._back = np.linalg.inv(linear) if sound else np.eye(3)

    def solve(self, target: np.ndarray, tolerance: float, iterations: int) -> np.ndarray:
        """Return fixed points (N, 3), mm, of moving points (N, 3)."""
        source = (target - self._moved_centre) @ self._back + self._centre
        active = np.arange(len(target))
        inverses = np.empty((0, 3, 3))
        for iteration in range(min(iterations, _QUICK_STEPS)):
            index = self._index(source[active])
            residual = source[active] + sample_linear(self._field.vectors, index) - target[active]
            open_ = np.einsum("na,na->n", residual, residual) > tolerance**2
            active, residual, index = active[open_], residual[open_], index[open_]
            if not len(active):
                return source
            inverses = self._inverse_jacobians(index) if iteration % _REFRESH == 0 else inverses[open_]
            step = np.einsum("nab,nb->na", inverses, residual)
            length, limit = (np.sqrt(np.einsum("na,na->n", v, v)) for v in (step, residual))
            source[active] -= step * np.minimum(1.0, 2.0 * limit / np.maximum(length, 1e-12))[:, None]
        source[active], error = self._carefully(source[active], target[active], tolerance, iterations)
        active, error = active[error > tolerance], error[error > tolerance]
        for starts in self._nearest(target[active]):
            left = np.flatnonzero(error > tolerance)
            found, found_error = self._carefully(starts[left], target[active[left]], tolerance, iterations)
            better = found_error < error[left]
            source[active[left[better]]], error[left[better]] = found[better], found_error[better]
        return source

    def _carefully(self, source: np.ndarray, target: np.ndarray, tolerance: float, iterations: int) -> tuple[np.ndarray, np.ndarray]:
        """Improve fixed points (N, 3), mm, by damped Gauss-Newton steps, of which only those that reduce the residual are taken.

        Returns:
            The points (N, 3), and the lengths of their residuals (N,), mm.
        """
        index = self._index(source)
        residual, jacobian = self._exactly(index, target)
        error = np.linalg.norm(residual, axis=1)
        active = np.flatnonzero(error > tolerance)
        for _ in range(iterations):
            if not len(active):
                break
            square = np.einsum("nca,ncb->nab", jacobian[active], jacobian[active])
            square += _DAMPING * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(3)
            step = np.linalg.solve(square, np.einsum("nca,nc->na", jacobian[active], residual[active])[..., None])[..., 0]
            step *= np.minimum(1.0, _LONGEST / np.maximum(np.abs(step).max(axis=1), 1e-12))[:, None]
            pending = np.arange(len(active))
            for _ in range(_SHORTENINGS):
                places = active[pending]
                trial = index[places] - step[pending]
                trial_residual, trial_jacobian = self._exactly(trial, target[places])
                trial_error = np.linalg.norm(trial_residual, axis=1)
                better = trial_error < error[places]
                places = places[better]
                index[places], residual[places], jacobian[places] = trial[better], trial_residual[better], trial_jacobian[better]
                error[places] = trial_error[better]
                pending = pending[~better]
                if not len(pending):
                    break
                step[pending] *= _SHORTENED
            active = np.delete(active, pending)  # no shorter step reduces their residual
            active = active[error[active] > tolerance]
        grid = self._field.grid
        return grid.index_to_physical(index), error

    def _exactly(self, index: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the residual x + u(x) - y (N, 3), mm, at indices of x, and its exact derivative by the index (N, 3, 3)."""
        grid = self._field.grid
        last = np.array(grid.size) - 1
        held = np.clip(index, 0, last)
        lower = np.minimum(held.astype(int), np.maximum(last - 1, 0))
        share = held - lower
        residual = grid.index_to_physical(index) - target
        jacobian = np.broadcast_to(grid.index_to_physical_matrix, (len(index), 3, 3)).copy()
        beyond = (index < 0) | (index > last)
        for corner in np.ndindex(2, 2, 2):
            upper = np.array(corner, dtype=bool)
            x, y, z = np.minimum(lower + upper, last).T
            vectors = self._field.vectors[:, z, y, x].T.astype(np.float64)
            weights = np.where(upper, share, 1.0 - share)
            residual += vectors * weights.prod(axis=1)[:, None]
            for axis in range(3):
                slope = weights.copy()
                slope[:, axis] = np.where(beyond[:, axis], 0.0, 1.0 if upper[axis] else -1.0)
                jacobian[:, :, axis] += vectors * slope.prod(axis=1)[:, None]
        return residual, jacobian

    def _nearest(self, target: np.ndarray) -> Iterator[np.ndarray]:
        """Yield fixed voxels (N, 3) that the field takes nearest to targets (N, 3), then the second nearest, and so on."""
        if not len(target):
            return
        from scipy.spatial import KDTree  # here: most inverses do not need it

        points = self._field.grid.points().reshape(-1, 3)
        moved = points + np.moveaxis(self._field.vectors, 0, -1).reshape(-1, 3)
        near = np.all((moved > target.min(axis=0) - _MARGIN) & (moved < target.max(axis=0) + _MARGIN), axis=1)
        near = np.flatnonzero(near) if np.count_nonzero(near) >= _STARTS else np.arange(len(points))
        count = min(_STARTS, len(near))
        _, nearest = KDTree(moved[near], leafsize=16).query(target, count)
        for column in nearest.reshape(len(target), count).T:
            yield points[near[column]]

    def _index(self, points: np.ndarray) -> np.ndarray:
        return (points - np.array(self._field.grid.origin)) @ self._to_index.T

    def _inverse_jacobians(self, index: np.ndarray) -> np.ndarray:
        """Return (d(x + u)/dx)^-1 (N, 3, 3) at indices; half the identity, a damped fixed-point step, where the field folds or nearly
        so."""
        size = np.array(self._field.grid.size)
        gradient = sample_linear(self._gradient, index).reshape(-1, 3, 3)
        # Outside the grid the field is extrapolated with its nearest value: its derivative along that axis is zero.
        gradient[np.broadcast_to(((index < 0) | (index > size - 1))[:, None, :], gradient.shape)] = 0.0
        jacobian = gradient @ self._to_index + np.eye(3)
        (a, b, c), (d, e, f), (g, h, i) = np.moveaxis(jacobian, 0, -1)
        adjugate = np.stack(
            [
                e * i - f * h,
                c * h - b * i,
                b * f - c * e,
                f * g - d * i,
                a * i - c * g,
                c * d - a * f,
                d * h - e * g,
                b * g - a * h,
                a * e - b * d,
            ],
            axis=-1,
        )
        determinant = a * adjugate[:, 0] + b * adjugate[:, 3] + c * adjugate[:, 6]
        sound = determinant > 0.05
        inverse = np.broadcast_to(0.5 * np.eye(3), jacobian.shape).copy()
        inverse[sound] = (adjugate[sound] / determinant[sound, None]).reshape(-1, 3, 3)
        return inverse


def round_trip(forward: DisplacementField, backward: DisplacementField) -> tuple[float, float, float]:
    """Return largest and mean distance (mm) between the forward grid's voxels and their round trips, and the share of voxels compared."""
    worst, total, tried = 0.0, 0.0, 0
    for _, points in forward._slabs():
        there = forward.map_points(points)
        inside = backward.grid.contains(there)
        if not inside.any():
            continue
        error = np.linalg.norm(backward.map_points(there[inside]) - points[inside], axis=1)
        worst, total, tried = max(worst, float(error.max())), total + float(error.sum()), tried + int(inside.sum())
    return worst, total / max(tried, 1), tried / forward.grid.voxels
