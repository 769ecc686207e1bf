"""Label maps given as images, where interpolation between values makes labels that no structure has; and images given as labels."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

# An image with more values is not a label map; label maps of the whole body have about a hundred.
_MOST_VALUES = 256
# With more values than this, an image whose neighbours mostly differ by the smallest step is smooth, not a label map.
_FEW_VALUES = 32
# Number of voxels of a first, quick check, and of slices of the second.
_SAMPLE, _SLICES = 200_000, 24
# Least share of neighbours with equal values, among those that are not both background; structures some voxels thick exceed it.
_EQUAL = 0.5
# Share of neighbours of one value below which more values than a few are those of an image.
_EQUAL_IN_IMAGES = 0.2


def label_values(image: sitk.Image | np.ndarray) -> int:
    """Return the number of different values of an image, or of its array (z, y, x), that seems to be a label map; 0 for other images.

    A label map has few values, all whole numbers, and most neighbours have equal ones. In a smooth image of few grey values neighbours
    differ by the smallest step.
    """
    array = sitk.GetArrayViewFromImage(image) if isinstance(image, sitk.Image) else image
    sample = array.ravel()[:: max(1, array.size // _SAMPLE)]
    if not (np.isfinite(sample).all() and _are_whole(sample)) or len(np.unique(sample)) > _MOST_VALUES:
        return 0
    slices = array[:: max(1, len(array) // _SLICES)]
    if not _are_whole(slices):
        return 0
    values, counts = np.unique(slices, return_counts=True)
    if not 2 <= len(values) <= _MOST_VALUES:
        return 0
    steps = _steps(slices, values[np.argmax(counts)])
    apart = steps[steps > 0.0]
    if not steps.size or steps.size - apart.size < _EQUAL * steps.size:
        return 0
    if len(values) > _FEW_VALUES and len(apart) and np.median(apart) <= np.diff(values).min():
        return 0
    return len(values)


def _are_whole(array: np.ndarray) -> bool:
    """Return whether all values are whole numbers."""
    return array.dtype.kind != "f" or np.array_equal(array, np.rint(array))


def _steps(slices: np.ndarray, background: float) -> np.ndarray:
    """Return the differences (N,) of neighbours in slices (z, y, x), where not both are background."""
    found = []
    for axis in (1, 2):
        one, two = np.delete(slices, -1, axis), np.delete(slices, 0, axis)
        inside = (one != background) | (two != background)
        found.append(np.abs(one[inside].astype(np.float64) - two[inside]))
    return np.concatenate(found)


def image_note(image: sitk.Image, what: str) -> str:
    """Return a note if a label map or a mask seems to be an image, whose neighbours mostly differ, else ""; ``what`` is its role."""
    array = sitk.GetArrayViewFromImage(image)
    slices = array[:: max(1, len(array) // _SLICES)]
    values, counts = np.unique(slices, return_counts=True)
    if len(values) <= _FEW_VALUES:
        return ""
    steps = _steps(slices, values[np.argmax(counts)])
    if np.count_nonzero(steps == 0.0) >= _EQUAL_IN_IMAGES * steps.size:
        return ""
    return f"the {what}: {len(values)} values seem to be those of an image, not of a label map or a mask; every value other than 0 counts"


def label_note(image: sitk.Image | np.ndarray, what: str) -> str:
    """Return a note if an image, or its array (z, y, x), seems to be a label map, else ""; ``what`` is its role."""
    count = label_values(image)
    if not count:
        return ""
    return f"the {what} seems to be a label map ({count} values): interpolation makes labels that no structure has; give it as labels"
