"""Images on voxels of the size that a feature needs, which is the same at each resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch

from deepreg_engine.features.extractor import Extractor
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import without_outliers
from deepreg_engine.geometry.volume import draw
from deepreg_engine.methods.common.moving_frame import extrapolated, moving_frame


@dataclass(frozen=True)
class FineVolume:
    """An image on voxels of a feature's own size.

    Args:
        volume: (z, y, x).
        spacing: voxel size, mm.
        index: continuous indices (3, z, y, x) in the volume, components x, y, z, of the voxels of a resolution.
    """

    volume: torch.Tensor
    spacing: float
    index: torch.Tensor

    @classmethod
    def of_fixed(cls, image: sitk.Image, grid: ImageGrid, extractor: Extractor, device: torch.device) -> FineVolume | None:
        """Return the fixed image for the grid of a resolution; None if the feature takes voxels of any size."""
        if extractor.finest <= 0.0:
            return None
        own = ImageGrid.of(image).resampled(extractor.finest)
        return cls(draw(without_outliers(image), own).to(device), own.spacing[0], _indices(own, grid).to(device))

    @classmethod
    def of_moving(
        cls,
        image: sitk.Image,
        frame: ImageGrid,
        alignment: sitk.Transform,
        reach: float,
        fixed: ImageGrid,
        extractor: Extractor,
        device: torch.device,
    ) -> FineVolume | None:
        """Return the moving image in the fixed image's frame, for the moving frame of a resolution; None as for :meth:`of_fixed`.

        See :func:`moving_frame` for the arguments.
        """
        if extractor.finest <= 0.0:
            return None
        own = moving_frame(ImageGrid.of(image), fixed.resampled(extractor.finest), alignment, reach, fixed)
        volume = draw(without_outliers(image), own, extrapolated(alignment, own, fixed))
        return cls(volume.to(device), own.spacing[0], _indices(own, frame).to(device))

    def features(self, extractor: Extractor) -> torch.Tensor:
        """Return features (C, z, y, x) at the voxels of the resolution."""
        return extractor.at(self.volume, self.spacing, self.index)


def _indices(own: ImageGrid, grid: ImageGrid) -> torch.Tensor:
    """Return indices (3, z, y, x) of a grid's voxels in another grid with the same axes."""
    first = own.physical_to_index(np.array([grid.origin]))[0]
    ratio = grid.spacing[0] / own.spacing[0]
    axes = [torch.arange(n, dtype=torch.float32) * ratio + float(f) for n, f in zip(grid.size, first, strict=True)]
    z, y, x = torch.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    return torch.stack([x, y, z])
