"""Features of whole images as volumes: computed on cubic voxels, written on the image's own grid."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from deepreg_engine.arrays import array_of
from deepreg_engine.features.extractor import Extractor
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import without_outliers
from deepreg_engine.geometry.volume import draw


def feature_volume(image: sitk.Image, extractor: Extractor, spacing: float, device: torch.device | None = None) -> tuple[Tensor, ImageGrid]:
    """Return features (C, z, y, x) of an image, and their grid.

    Args:
        image: float32.
        extractor: of the features.
        spacing: of the cubic voxels, mm.
        device: where to compute.
    """
    grid = ImageGrid.of(image).resampled(spacing)
    with torch.no_grad():
        return extractor(draw(without_outliers(image), grid).to(device or "cpu"), grid.spacing[0]), grid


def on_grid(volume: Tensor, grid: ImageGrid, target: ImageGrid, transform: sitk.Transform | None = None) -> sitk.Image:
    """Return channels (C, z, y, x) on a grid as a vector image on another, linearly interpolated; 0 outside the grid.

    Args:
        volume: the channels.
        grid: where they are.
        target: where they are wanted.
        transform: maps points of the target to points of the grid; None is the identity.
    """
    array = np.ascontiguousarray(np.moveaxis(array_of(volume), 0, -1))
    image = sitk.GetImageFromArray(array, isVector=True)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    resampler = sitk.ResampleImageFilter()
    resampler.SetReferenceImage(target.to_image(np.zeros(target.shape, dtype=np.uint8)))
    resampler.SetInterpolator(sitk.sitkLinear)
    resampler.SetTransform(transform or sitk.Transform(3, sitk.sitkIdentity))
    return resampler.Execute(image)
