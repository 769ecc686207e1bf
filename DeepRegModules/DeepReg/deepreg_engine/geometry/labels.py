"""The labels of an integer label map and their numbers of voxels; 0 is background."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError

# Labels below this index a table of counts; larger ones are counted by np.unique, which is slow but needs little memory.
_TABLE = 1 << 16


def label_array(labels: sitk.Image) -> np.ndarray:
    """Return the array (z, y, x) of an integer label map, a view.

    Raises:
        InputError: if it is not of an integer type.
    """
    array = sitk.GetArrayViewFromImage(labels)
    if array.dtype.kind not in "iu":
        raise InputError(f"a label map holds {labels.GetPixelIDTypeAsString()}, not whole numbers", "give a label map, not an image")
    return array


def label_counts(array: np.ndarray) -> dict[int, int]:
    """Return the number of voxels of each value that occurs in an array (z, y, x)."""
    if array.min() >= 0 and array.max() < _TABLE:
        counts = np.zeros(int(array.max()) + 1, dtype=np.int64)
        for part in array:  # slice by slice: bincount makes a 64-bit copy of what it counts
            counts += np.bincount(part.ravel(), minlength=len(counts))
        return {int(label): int(counts[label]) for label in np.flatnonzero(counts)}
    return {int(label): int(count) for label, count in zip(*np.unique(array, return_counts=True), strict=True)}


def label_numbers(labels: sitk.Image) -> set[int]:
    """Return the labels other than 0 of an integer label map.

    Raises:
        InputError: if it is not of an integer type.
    """
    return set(label_counts(label_array(labels))) - {0}
