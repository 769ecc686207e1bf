"""Labelled scans as trainings of the Dense method's features keep them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from deepreg_engine.features.contrast_net import standard_intensities
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample
from deepreg_engine.geometry.volume import draw

# Spacing of the small images that are aligned, mm.
_ALIGNED_SPACING = 5.0


@dataclass(frozen=True)
class TrainingScan:
    """A labelled scan as examples are cut from it.

    Args:
        name: for messages.
        image: as the network wants it (z, y, x), float16.
        labels: indices into the training's list of labels (z, y, x), 0 for none of them.
        grid: cubic voxels.
        modality: "ct", "mr" or "other".
        small: the scan at low resolution, for the alignment.
    """

    name: str
    image: Tensor
    labels: Tensor
    grid: ImageGrid
    modality: str
    small: sitk.Image


def make_scan(name: str, image: sitk.Image, labels: sitk.Image, modality: str, spacing: float, known: list[int]) -> TrainingScan:
    """Draw a scan on cubic voxels.

    Args:
        name: for messages.
        image: float32.
        labels: on any grid.
        modality: of the image.
        spacing: voxel size, mm.
        known: labels that are learned; the first becomes 1, the second 2, and so on.
    """
    grid = ImageGrid.of(image).resampled(spacing)
    drawn = sitk.GetArrayFromImage(resample(labels, grid, sitk.Transform(3, sitk.sitkIdentity), "nearest")).astype(np.int64)
    table = np.zeros(max(int(drawn.max()), *known) + 1, dtype=np.uint8)
    table[known] = np.arange(1, len(known) + 1)
    small = ImageGrid.of(image).resampled(max(_ALIGNED_SPACING, spacing))
    volume = draw(image, small).numpy()
    values = standard_intensities(draw(image, grid), modality)
    return TrainingScan(name, values.half(), torch.from_numpy(table[drawn]), grid, modality, small.to_image(volume))
