"""Pairs of landmarks that the user has marked, as terms of the search and of the refinement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid


@dataclass(frozen=True)
class LandmarkPairs:
    """Corresponding points.

    Args:
        fixed: (N, 3), LPS mm.
        moving: (N, 3), LPS mm.
    """

    fixed: np.ndarray
    moving: np.ndarray

    def __post_init__(self) -> None:
        if len(self.fixed) != len(self.moving):
            raise InputError(
                f"there are {len(self.fixed)} fixed landmarks but {len(self.moving)} moving landmarks", "each needs its partner"
            )

    def residual(self, alignment: sitk.Transform) -> np.ndarray:
        """What the field has to do at the fixed points (N, 3), mm: from each to where the alignment has its partner from."""
        return _preimages(alignment, self.moving, self.fixed) - self.fixed


def _preimages(transform: sitk.Transform, targets: np.ndarray, guesses: np.ndarray) -> np.ndarray:
    """Points that a transform takes to targets."""
    try:
        inverse = transform.GetInverse()
        return np.array([inverse.TransformPoint(point) for point in targets.tolist()]).reshape(-1, 3)
    except RuntimeError:  # a displacement field has none of its own
        pass
    points = guesses.copy()
    for _ in range(50):
        residual = np.array([transform.TransformPoint(point) for point in points.tolist()]).reshape(-1, 3) - targets
        points = points - residual
        if np.abs(residual).max() < 1e-4:
            break
    return points


class GuideTerms:
    """The landmarks of one registration on one level.

    Args:
        pairs: the landmarks.
        residual: what the field has to do at each (N, 3), mm.
        grid: of the level.
        weight: pull of one pair, in units of the data term.
        radius: standard deviation of its reach, mm.
        device: where to compute.
    """

    def __init__(
        self, pairs: LandmarkPairs, residual: np.ndarray, grid: ImageGrid, weight: float, radius: float, device: torch.device
    ) -> None:
        place = grid.physical_to_index(pairs.fixed)
        to_voxels = np.linalg.inv(grid.index_to_physical_matrix)
        self._place = torch.tensor(place, dtype=torch.float32, device=device)
        self._wanted = torch.tensor(residual @ to_voxels.T, dtype=torch.float32, device=device)
        self._weight, self._radius = weight, radius / grid.spacing[0]

    def at(
        self, counts: tuple[int, int, int], spacing: int, first: float, present: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight (Kz, Ky, Kx) and displacement (3, Kz, Ky, Kx), voxels, at control points.

        Args:
            counts: number of control points z, y, x.
            spacing: between them, voxels.
            first: voxel of the first.
            present: displacement (N, 3), voxels, that the field already has at the landmarks.
        """
        wanted = self._wanted if present is None else self._wanted - present
        falls = []
        for axis, count in zip((2, 1, 0), counts):  # along z, y, x; the Gaussian is their product
            nodes = torch.arange(count, dtype=torch.float32, device=self._place.device) * spacing + first
            falls.append(torch.exp(-0.5 * ((nodes[None] - self._place[:, axis, None]) / self._radius) ** 2))
        share = torch.einsum("nz,ny,nx->zyx", *falls)
        moved = torch.einsum("nz,ny,nx,nc->czyx", *falls, wanted) / share.clamp(min=1e-12)
        return self._weight * share, moved

    def positions(self) -> torch.Tensor:
        """The landmarks' continuous indices as a volume (3, N, 1, 1) to sample fields at."""
        return self._place.T[:, :, None, None]
