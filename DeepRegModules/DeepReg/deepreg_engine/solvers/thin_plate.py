"""Thin-plate splines in three dimensions: the interpolation of least bending energy.

``u(x) = A x + b - sum_n w_n |x - y_n|`` with ``sum w = 0`` and ``sum w y' = 0`` (Bookstein, TPAMI 1989; Wahba, 1990). Beyond the points it
is extrapolated linearly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deepreg_engine.arrays import array_of, tensor_of
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid

# Distances in memory at once.
_PAIRS = 16_000_000
# Approximate upper limit of the nodes at which the field is computed. It is linear between them, because it varies over the distance of the
# points.
_NODES = 150_000


@dataclass(frozen=True)
class ThinPlate:
    """A spline of displacements.

    Args:
        centres: y (N, 3), mm.
        weights: w (N, 3).
        linear: (4, 3): displacement at the centre of the points, and its change along x, y, z.
        origin: centre of the points (3,).
    """

    centres: Tensor
    weights: Tensor
    linear: Tensor
    origin: Tensor

    @classmethod
    def fit(cls, points: Tensor, displacements: Tensor, smoothing: float = 0.0) -> ThinPlate:
        """Return the spline at points (N, 3), mm, N at least 4 and not in a plane, float64.

        Args:
            points: positions, mm.
            displacements: (N, 3), mm.
            smoothing: 0 interpolates; higher values (mm) allow larger residuals at single points.
        """
        origin = points.mean(0)
        centred = points - origin
        count = len(points)
        system = points.new_zeros(count + 4, count + 4)
        system[:count, :count] = -torch.cdist(centred, centred) + smoothing * torch.eye(count).to(points)
        system[:count, count] = system[count, :count] = 1.0
        system[:count, count + 1 :] = centred
        system[count + 1 :, :count] = centred.T
        right = torch.cat([displacements, points.new_zeros(4, 3)])
        solution = torch.linalg.solve(system, right)
        return cls(centred, solution[:count], solution[count:], origin)

    def scaled(self, factor: float) -> ThinPlate:
        """Return the same spline of points that are multiplied by a factor, as of another unit of length."""
        linear = torch.cat([factor * self.linear[:1], self.linear[1:]])
        return ThinPlate(factor * self.centres, self.weights, linear, factor * self.origin)

    def __call__(self, points: Tensor) -> Tensor:
        """Return displacements (M, 3), mm, at points (M, 3)."""
        centred = points.to(self.centres) - self.origin
        rows = max(1, _PAIRS // len(self.centres))
        bent = torch.cat([-torch.cdist(part, self.centres) @ self.weights for part in centred.split(rows)])
        return bent + self.linear[0] + centred @ self.linear[1:]

    @torch.no_grad()
    def field(self, grid: ImageGrid) -> DisplacementField:
        """Return the displacements on a grid."""
        spacing = max(*grid.spacing, (np.prod(np.array(grid.size) * grid.spacing) / _NODES) ** (1 / 3))
        nodes = grid if np.prod(grid.size) <= _NODES else grid.resampled(spacing)
        values = self(tensor_of(nodes.points().reshape(-1, 3)))
        vectors = np.moveaxis(array_of(values).reshape(*nodes.shape, 3), -1, 0)
        return DisplacementField(vectors, nodes).resampled(grid)
