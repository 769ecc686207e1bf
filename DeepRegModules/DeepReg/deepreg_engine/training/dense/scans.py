"""Labelled scans as trainings of the Dense method's features hold them in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from deepreg_engine.arrays import array_of, tensor_of
from deepreg_engine.features.contrast_net import standard_intensities
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample
from deepreg_engine.geometry.sampling import sample
from deepreg_engine.geometry.volume import draw
from deepreg_engine.training.augmentation.draws import RandomDraws
from deepreg_engine.training.augmentation.intensity import examined, recoloured
from deepreg_engine.training.dense.parameters import DenseTraining

# Spacing of the small images that are aligned, mm.
_ALIGNED_SPACING = 5.0


@dataclass(frozen=True)
class TrainingScan:
    """A labelled scan on cubic voxels.

    Args:
        name: for messages.
        image: intensities as the network takes them (z, y, x), float16.
        labels: indices into the training's list of labels (z, y, x), 0 for none of them.
        grid: of the voxels.
        modality: "ct", "mr" or "other".
        small: the scan at low resolution, for the alignment.
    """

    name: str
    image: Tensor
    labels: Tensor
    grid: ImageGrid
    modality: str
    small: sitk.Image

    def view(self, draws: RandomDraws, positions: Tensor, options: DenseTraining, structures: float = 0.0) -> Tensor:
        """Return the intensities (z, y, x) of the scan at positions, with intensity augmentation.

        Args:
            draws: random numbers.
            positions: in voxels of the scan (3, z, y, x), components x, y, z.
            options: of the training: contrast and noise.
            structures: standard deviation of the amounts by which structures become brighter or darker.
        """
        low = [max(0, int(positions[axis].amin().floor()) - 1) for axis in range(3)]
        high = [int(positions[axis].amax().ceil()) + 2 for axis in range(3)]
        low = [min(first, n - 2) for first, n in zip(low, self.grid.size, strict=True)]
        box = tuple(slice(low[axis], max(high[axis], low[axis] + 2)) for axis in (2, 1, 0))
        part = self.image[box].float()
        if structures > 0:
            part = recoloured(draws, part, self.labels[box], structures, int(self.labels.max()) + 1)
        shift = torch.tensor([float(first) for first in low]).view(3, 1, 1, 1)
        values = sample(part[None], positions - shift)[0]
        return examined(draws, values, self.modality, options.contrast, options.noise)


def make_scan(name: str, image: sitk.Image, labels: sitk.Image, modality: str, spacing: float, known: list[int]) -> TrainingScan:
    """Resample a scan to cubic voxels.

    Args:
        name: for messages.
        image: float32.
        labels: on any grid.
        modality: of the image.
        spacing: edge of a voxel, mm.
        known: labels that are learned; the first becomes 1, the second 2, and so on.
    """
    grid = ImageGrid.of(image).resampled(spacing)
    resampled = sitk.GetArrayFromImage(resample(labels, grid, sitk.Transform(3, sitk.sitkIdentity), "nearest")).astype(np.int64)
    table = np.zeros(max(int(resampled.max()), *known) + 1, dtype=np.uint8)
    table[known] = np.arange(1, len(known) + 1)
    small = ImageGrid.of(image).resampled(max(_ALIGNED_SPACING, spacing))
    volume = array_of(draw(image, small))
    values = standard_intensities(draw(image, grid), modality)
    return TrainingScan(name, values.half(), tensor_of(table[resampled]), grid, modality, small.to_image(volume))
