"""Images at coarse resolution, on which alignments are computed, and their centres of mass. No torch."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample

# Voxels of the smaller image in the evaluation of starts; the fine refinement has eight times as many.
_SCAN_VOXELS = 14_000
# Fewest voxels along an axis for ITK's recursive Gaussian, by which it also differentiates images.
_LEAST_VOXELS = 4


def centre_of_mass(image: sitk.Image, mask: sitk.Image | None) -> np.ndarray:
    """Return the centre of mass (3,) of the intensities, LPS mm.

    Intensities are clipped at the 5th percentile, which has no mass, and the 95th, so that neither air nor metal dominates.
    """
    small = downsampled(image, scan_spacing(ImageGrid.of(image)))
    array = sitk.GetArrayFromImage(small).astype(np.float64)
    low, high = np.percentile(array, [5, 95])
    weight = np.clip(array - low, 0.0, max(high - low, 1e-6))
    if mask is not None:
        inside = sitk.GetArrayFromImage(resample(mask, ImageGrid.of(small), interpolation="nearest")) > 0
        weight = weight * inside
        if not weight.any():  # all dark, or smaller than a coarse voxel
            places = np.argwhere(sitk.GetArrayViewFromImage(mask))[:, ::-1]
            return ImageGrid.of(mask).index_to_physical(places.mean(axis=0, keepdims=True))[0]
    if not weight.any():
        return ImageGrid.of(image).centre
    index = [
        float((weight.sum(axis=tuple(a for a in range(3) if a != axis)) * np.arange(n)).sum() / weight.sum())
        for axis, n in enumerate(weight.shape)
    ]
    return ImageGrid.of(small).index_to_physical(np.array([index[::-1]]))[0]


def scan_spacing(*grids: ImageGrid) -> float:
    """Return the spacing, mm, at which the smallest field of view has :data:`_SCAN_VOXELS` voxels."""
    return float(min(np.prod(grid.extent) for grid in grids) / _SCAN_VOXELS) ** (1 / 3)


def downsampled(image: sitk.Image, spacing: float) -> sitk.Image:
    """Return the image, smoothed, on voxels of a coarser spacing, mm; finer along an axis that would have too few of them."""
    sizes = zip(image.GetSize(), image.GetSpacing(), strict=True)
    factors = [max(1, min(int(0.5 * spacing / own), count // _LEAST_VOXELS)) for count, own in sizes]
    if max(factors) > 1:  # block averages are fast and leave few voxels for the Gaussian
        image = sitk.BinShrink(image, factors)
    grid = ImageGrid.of(image)
    spacing = max(spacing, min(grid.spacing))
    for axis, own in enumerate(grid.spacing):
        if spacing > 1.2 * own and grid.size[axis] >= _LEAST_VOXELS:
            image = sitk.RecursiveGaussian(image, 0.5 * spacing, False, sitk.RecursiveGaussianImageFilter.ZeroOrder, axis)
    # A voxel centre of the coarse grid may lie just outside the fine one, where the border value is repeated.
    resampler = sitk.ResampleImageFilter()
    across = (np.array(grid.size) - 1) * grid.spacing
    coarse = grid.resampled(np.minimum(spacing, across / (_LEAST_VOXELS - 1)))
    resampler.SetSize(coarse.size)
    resampler.SetOutputSpacing(coarse.spacing)
    resampler.SetOutputOrigin(coarse.origin)
    resampler.SetOutputDirection(coarse.direction)
    resampler.SetUseNearestNeighborExtrapolator(True)
    return resampler.Execute(image)
