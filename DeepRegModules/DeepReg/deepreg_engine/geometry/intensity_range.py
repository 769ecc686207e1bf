"""The range of intensities in which an image is compared: without the padding of a scanner or a program, and without outliers.

Files hold values that no tissue has: padding outside the field of view (-32768, -3024), burnt-in text, metal, or a hot spot of PET
with hundreds of times the body's value. Such values would determine the bins of a histogram, and the mean by which features are divided.
Values are therefore clamped to a range around the quantiles of what is neither padding nor background. The range is so wide that it does
not change most images at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

# Number of voxels from which quantiles are estimated, fewest voxels for quantiles, and fewest voxels of one value for a mark: padding,
# text or a frame.
_SAMPLES, _FEWEST, _FEWEST_MARKED = 60_000, 50, 20
# Quantiles of the values that differ from the background, and how far beyond them values are kept, in distances of the quantiles.
_QUANTILES, _BEYOND = (0.02, 0.98), 2.0
# Values differ from the background by more than this number of standard deviations of the background.
_DEVIATIONS = 5.0
# One value is padding if it is so far below all others, as a share of their range, and if the image has a background of its
# own: at least this share of the other values on the faces lie in the lowest part of their range.
_GAP, _OWN_BACKGROUND, _LOWEST_PART = 0.4, 0.6, 0.15
# Text and frames of one value fill less than this share of an image.
_LARGEST_MARK = 0.1
# No tissue has less than the HU of air. Only CT has values below the second.
_AIR, _CT = -1024.0, -900.0


@dataclass(frozen=True)
class IntensityRange:
    """Range of the values in which an image is compared.

    Args:
        background: the padding value for voxels outside the image.
        low, high: values outside are clamped.
        lowest, highest: of the image.
    """

    background: float
    low: float
    high: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, image: sitk.Image) -> IntensityRange:
        """Return the range of a scalar 3D image."""
        array = sitk.GetArrayViewFromImage(image)
        lowest, highest = float(array.min()), float(array.max())
        background = max(lowest, _AIR) if lowest < _CT else lowest
        some = _sample(array)
        some = some[np.isfinite(some)]
        faces = np.concatenate([array[index].ravel() for index in _faces()]).astype(np.float64)
        if _is_padding(some, faces, lowest):
            others = float(some[some > lowest].min())
            background = others if others >= _CT else background
        some, faces = (values[values > lowest] if background > lowest else values for values in (some, faces))
        limit = highest
        if _is_mark(some, highest):
            some, faces = some[some < highest], faces[faces < highest]
            limit = float(some.max())
        some, faces = np.maximum(some, background), np.maximum(faces, background)
        low, high = _quantiles(some, faces)
        width = _BEYOND * (high - low)
        if not width > 0.0:
            return cls(background, background, highest, lowest, highest)
        return cls(background, max(background, low - width), min(high + width, limit), lowest, highest)

    @property
    def clamps(self) -> bool:
        """Return whether the image has values outside the range."""
        return self.lowest < self.low or self.highest > self.high


def _sample(array: np.ndarray) -> np.ndarray:
    """Return some values of an image, spread regularly."""
    step = max(1, array.size // _SAMPLES)
    while step > 1 and any(step % n == 0 or n % step == 0 for n in array.shape[1:]):  # not always the same column
        step += 1
    return array.ravel()[::step].astype(np.float64)


def _faces() -> list[tuple]:
    return [(slice(None),) * axis + (end,) for axis in range(3) for end in (0, -1)]


def _is_padding(values: np.ndarray, faces: np.ndarray, lowest: float) -> bool:
    """Return whether the lowest value is padding, which marks voxels outside the scanned region."""
    others = values[values > lowest]
    if len(others) < _FEWEST or len(values) - len(others) < _FEWEST_MARKED:
        return False
    low, high = np.quantile(others, _QUANTILES)
    own = faces[faces > lowest]
    dark = np.count_nonzero(own < low + _LOWEST_PART * (high - low)) > _OWN_BACKGROUND * len(own)
    return bool(high > low and dark and others.min() - lowest > _GAP * (high - low))


def _is_mark(values: np.ndarray, highest: float) -> bool:
    """Return whether the highest value belongs to a frame or to text that was drawn into the image."""
    others = values[values < highest]
    if len(others) < max(_FEWEST, (1.0 - _LARGEST_MARK) * len(values)) or len(values) - len(others) < _FEWEST_MARKED:
        return False
    low, high = np.quantile(others, _QUANTILES)
    return bool(high > low and highest - others.max() > _GAP * (high - low))


def _quantiles(values: np.ndarray, faces: np.ndarray) -> tuple[float, float]:
    """Return the low and the high quantile of the values without the background; most voxels at the faces of the image are background."""
    if not len(faces):  # nothing is left of the faces without padding, text and frames
        faces = values
    middle = float(np.median(faces))
    # For normally distributed noise, the standard deviation is 1.48 times the median absolute deviation.
    spread = 1.48 * float(np.median(np.abs(faces - middle)))
    body = values[np.abs(values - middle) > _DEVIATIONS * spread]
    low, high = np.quantile(body if len(body) >= _FEWEST else values, _QUANTILES)
    return min(float(low), middle), max(float(high), middle)
