"""Landmark pairs that guide a registration, as terms of its search and of its refinement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch

from deepreg_engine.arrays import new_tensor
from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid


@dataclass(frozen=True)
class LandmarkPairs:
    """Corresponding points.

    Args:
        fixed: (N, 3), LPS mm.
        moving: (N, 3), LPS mm.

    Raises:
        InputError: if their numbers differ.
    """

    fixed: np.ndarray
    moving: np.ndarray

    def __post_init__(self) -> None:
        if len(self.fixed) != len(self.moving):
            raise InputError(
                f"the numbers of landmarks differ: {len(self.fixed)} fixed, {len(self.moving)} moving", "each needs its partner"
            )

    def residual(self, alignment: sitk.Transform) -> np.ndarray:
        """Return the displacements (N, 3), mm, of the fixed points that lead to the moving points when the alignment follows."""
        return _preimages(alignment, self.moving, self.fixed) - self.fixed


def _preimages(transform: sitk.Transform, targets: np.ndarray, guesses: np.ndarray) -> np.ndarray:
    """Return points (N, 3) that a transform maps to the targets (N, 3), by its inverse or by a fixed-point iteration."""
    try:
        inverse = transform.GetInverse()
        return np.array([inverse.TransformPoint(point) for point in targets.tolist()]).reshape(-1, 3)
    except RuntimeError:  # a displacement field has no inverse in closed form
        pass
    points = guesses.copy()
    for _ in range(50):
        residual = np.array([transform.TransformPoint(point) for point in points.tolist()]).reshape(-1, 3) - targets
        points = points - residual
        if np.abs(residual).max() < 1e-4:
            break
    return points


class GuideTerms:
    """Quadratic terms ``w |u(x) - v|^2`` of landmark pairs at the control points x of one level.

    With the Gaussian weight g_n(x) of landmark n, of standard deviation ``radius``, and its displacement v_n:
    ``w(x) = weight sum_n g_n(x)`` and ``v(x) = sum_n g_n(x) v_n / sum_n g_n(x)``.

    Args:
        pairs: the landmarks.
        residual: displacement of each landmark (N, 3), mm.
        grid: of the level.
        weight: of one pair, relative to the data term.
        radius: of the Gaussian, mm.
        device: where to compute.
    """

    def __init__(
        self, pairs: LandmarkPairs, residual: np.ndarray, grid: ImageGrid, weight: float, radius: float, device: torch.device
    ) -> None:
        index = grid.physical_to_index(pairs.fixed)
        to_voxels = np.linalg.inv(grid.index_to_physical_matrix)
        self._index = new_tensor(index, dtype=torch.float32, device=device)
        self._displacement = new_tensor(residual @ to_voxels.T, dtype=torch.float32, device=device)
        self._weight, self._radius = weight, radius / grid.spacing[0]

    def at(
        self, counts: tuple[int, int, int], spacing: int, first: float, present: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weight (Kz, Ky, Kx) and displacement (3, Kz, Ky, Kx), voxels, at control points.

        Args:
            counts: number of control points along z, y, x.
            spacing: distance of the control points, voxels.
            first: index of the first control point, voxels.
            present: displacement (N, 3), voxels, of the present field at the landmarks, which is subtracted.
        """
        displacement = self._displacement if present is None else self._displacement - present
        gaussians = []
        for axis, count in zip((2, 1, 0), counts, strict=True):  # z, y, x; the Gaussian is the product over the axes
            nodes = torch.arange(count, dtype=torch.float32, device=self._index.device) * spacing + first
            gaussians.append(torch.exp(-0.5 * ((nodes[None] - self._index[:, axis, None]) / self._radius) ** 2))
        share = torch.einsum("nz,ny,nx->zyx", *gaussians)
        mean = torch.einsum("nz,ny,nx,nc->czyx", *gaussians, displacement) / share.clamp(min=1e-12)
        return self._weight * share, mean

    def positions(self) -> torch.Tensor:
        """Return the continuous indices of the landmarks as a volume (3, N, 1, 1), components x, y, z, for sampling fields."""
        return self._index.T[:, :, None, None]
