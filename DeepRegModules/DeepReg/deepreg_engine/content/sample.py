"""A sample of an image's voxels, spread regularly, in the order of the patient's axes: small enough for the window's process."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.intensity_range import IntensityRange
from deepreg_engine.geometry.label_like import label_values

# Largest number of voxels of the sample along each axis: a skull's wall is still thicker than their distance.
_ALONG = 64
# Largest number of voxels along an axis of the part that is searched for labels: neighbours must stay neighbours there.
_PART, _SLABS = 192, 24
# An image that is shorter than this along every axis, mm, is taken for a crop of an organ, because a child's brain is larger.
_CROP_MM = 118.0
# More voxels than this share below the range of an image are its background, unless most have one value.
_PADDING_SHARE, _NOISE = 0.02, 0.15
# Voxels whose values lie below the first share of the contrast are background. An image in which they make up less than the second share
# has no background.
_DARK, _LEAST_DARK = 0.15, 0.05


@dataclass(frozen=True)
class Sample:
    """Some voxels of an image.

    Args:
        values: float32 (z, y, x) along feet-head, front-back and right-left, from the feet, the front and the right; all are finite.
        spacing: distances of the values along z, y, x, mm.
        grid: of the whole image.
        labels: number of different values if the image seems to be a label map or a mask, else 0.
        whole: whether all values are whole numbers.
        not_finite: number of voxels of the sample that were NaN or infinite; they got the lowest value.
    """

    values: np.ndarray
    spacing: tuple[float, float, float]
    grid: ImageGrid
    labels: int
    whole: bool
    not_finite: int

    @classmethod
    def of(cls, image: sitk.Image) -> Sample:
        """Return the sample of a scalar 3D image."""
        return cls.of_array(sitk.GetArrayViewFromImage(image), ImageGrid.of(image))

    @classmethod
    def of_array(cls, array: np.ndarray, grid: ImageGrid) -> Sample:
        """Return the sample of an image's voxels (z, y, x), which are not copied."""
        steps = [-(-size // _ALONG) for size in array.shape]
        some = array[tuple(slice((size - 1) % step // 2, None, step) for size, step in zip(array.shape, steps, strict=True))]
        values = np.ascontiguousarray(some, dtype=np.float32)
        finite = np.isfinite(values)
        bad = int(values.size - np.count_nonzero(finite))
        if bad:
            values = np.where(finite, values, values[finite].min() if bad < values.size else 0.0).astype(np.float32)
        whole = array.dtype.kind != "f" or bool(np.array_equal(values, np.rint(values)))
        labels = label_values(_part(array)) if whole and not bad else 0
        spacing = [step * each for step, each in zip(steps, reversed(grid.spacing), strict=True)]
        order, flips = _patient_axes(grid)
        turned = values.transpose(order)[tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)]
        return cls(np.ascontiguousarray(turned), tuple(spacing[axis] for axis in order), grid, labels, whole, bad)

    @functools.cached_property
    def range(self) -> IntensityRange:
        """The range of the intensities, in which padding and outliers are left out."""
        return IntensityRange.of(sitk.GetImageFromArray(self.values))

    @functools.cached_property
    def clamped(self) -> np.ndarray:
        """The intensities (z, y, x), clamped to :attr:`range`, so that padding gets the value of the background.

        Intensities below the range are padding if there are only a few different ones; otherwise they are not changed.
        """
        below = self.values[self.values < self.range.low]
        kept = False
        if below.size > _PADDING_SHARE * self.values.size:
            middle = float(np.median(below))  # noise of the background lies closer to the range than this
            kept = middle < self.range.low - _NOISE * (self.range.high - self.range.low) and np.mean(below == middle) < 0.5
        return np.clip(self.values, self.range.lowest if kept else self.range.low, self.range.high)

    @functools.cached_property
    def levels(self) -> tuple[float, float]:
        """The value of the background, or the lowest one without a background, and the highest value of tissue apart from a few voxels."""
        low, high = (float(each) for each in np.quantile(self.clamped, (0.01, 0.98)))
        dark = self.clamped[self.clamped < low + _DARK * (high - low)]
        return (float(np.median(dark)) if dark.size > _LEAST_DARK * self.clamped.size else low), high

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Extent of the field of view along the grid's x, y, z, mm."""
        x, y, z = np.array(self.grid.size) * self.grid.spacing
        return float(x), float(y), float(z)

    @property
    def is_crop(self) -> bool:
        """Whether the field of view is a crop of some centimetres."""
        return max(self.extent_mm) < _CROP_MM


def _part(array: np.ndarray) -> np.ndarray:
    """Return some slices of the middle of an array (z, y, x), so few that they are searched at once."""
    thin = array[:: max(1, -(-len(array) // _SLABS))]
    window = [slice(max(0, (size - _PART) // 2), max(0, (size - _PART) // 2) + _PART) for size in thin.shape[1:]]
    part = thin[:, window[0], window[1]]
    return part if part.size and part.min() < part.max() else thin


def _patient_axes(grid: ImageGrid) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Return the axes of an array (z, y, x) along the patient's z, y, x, and whether each is to be reversed."""
    direction = np.array(grid.direction).reshape(3, 3)
    order, flips, left = [], [], [0, 1, 2]
    for patient in (2, 1, 0):
        axis = max(left, key=lambda index: abs(direction[patient, index]))
        left.remove(axis)
        order.append(2 - axis)
        flips.append(bool(direction[patient, axis] < 0.0))
    return (order[0], order[1], order[2]), (flips[0], flips[1], flips[2])
