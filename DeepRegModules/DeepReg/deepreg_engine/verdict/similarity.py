"""How similar two images are that show the same or different contrasts, in numpy.

All measures compare a fixed array with a moving one on its grid, within a mask (z, y, x). They are relative, so that they can be compared
between pairs: mutual information as a share of the entropies, the difference of self-similarities as a share of that of unrelated points.
"""

from __future__ import annotations

import itertools

import numpy as np

from deepreg_engine.features.local_match import MARGIN, mind

# Bins of each image's values, and the fewest voxels for which anything is computed.
_BINS, FEWEST = 16, 200
# Half the side of the box over which local measures are taken, voxels.
_HALF = 3
# Shifts with which a position is compared, voxels.
_APART = 2


def normalised_information(fixed: np.ndarray, moving: np.ndarray, mask: np.ndarray) -> float:
    """Return the mutual information of two images within a mask as a share of the mean of their entropies, 0 to 1; NaN with few voxels.

    The bins hold equal numbers of voxels, so that a few bright voxels do not decide.
    """
    one, two = _binned(fixed[mask]), _binned(moving[mask])
    if len(one) < FEWEST:
        return float("nan")
    joint = np.bincount(one * _BINS + two, minlength=_BINS * _BINS).reshape(_BINS, _BINS) / len(one)
    entropies = [_entropy(joint.sum(axis)) for axis in (0, 1)]
    # With few voxels, independent values have some mutual information too (Miller and Madow's correction).
    cells = np.count_nonzero(joint) - np.count_nonzero(joint.sum(0)) - np.count_nonzero(joint.sum(1)) + 1
    information = sum(entropies) - _entropy(joint.ravel()) - max(cells, 0) / (2.0 * len(one))
    return float(max(information, 0.0) / max(0.5 * sum(entropies), 1e-9))


def _entropy(shares: np.ndarray) -> float:
    shares = shares[shares > 0.0]
    return float(-(shares * np.log(shares)).sum())


def _binned(values: np.ndarray) -> np.ndarray:
    """Return the number of the bin (N,) of each value, 0 to 15."""
    if not values.size:
        return np.zeros(0, dtype=np.int64)
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, _BINS + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right")


def _boxed(array: np.ndarray) -> np.ndarray:
    """Return the sum over the box around each voxel; voxels outside the array count as 0."""
    for axis in range(3):
        pads = [(0, 0)] * 3
        pads[axis] = (_HALF + 1, _HALF)
        total = np.cumsum(np.pad(array, pads), axis=axis)
        count = array.shape[axis]
        wide = 2 * _HALF + 1
        array = np.take(total, range(wide, wide + count), axis) - np.take(total, range(count), axis)
    return array


def descriptors(array: np.ndarray) -> np.ndarray:
    """Return the self-similarity (12, z, y, x) of an image, float32; borders are repeated."""
    return mind(np.pad(array, MARGIN, mode="edge")).astype(np.float32)


def mismatch(fixed: np.ndarray, moving: np.ndarray, mask: np.ndarray) -> float:
    """Return the mean squared difference of descriptors (C, z, y, x) within a mask as a share of that of unrelated points."""
    if np.count_nonzero(mask) < FEWEST:
        return float("nan")
    one, two = fixed[:, mask].astype(np.float64), moving[:, mask].astype(np.float64)
    unrelated = one.var(1) + two.var(1) + (one.mean(1) - two.mean(1)) ** 2
    return float(((one - two) ** 2).mean(1).sum() / max(float(unrelated.sum()), 1e-12))


def best_here(fixed: np.ndarray, moving: np.ndarray, mask: np.ndarray) -> float:
    """Return the share of a mask in which the images match better at their present position than when one of them is shifted.

    The mean difference of the descriptors (C, z, y, x) is compared box by box with that after shifts of the moving ones by two voxels, in
    both directions of each axis. NaN with few voxels.
    """
    if np.count_nonzero(mask) < FEWEST:
        return float("nan")
    here, best = _differences(fixed, moving, mask), np.ones(mask.shape, bool)
    for axis, step in itertools.product((1, 2, 3), (-_APART, _APART)):
        best &= here <= _differences(fixed, np.roll(moving, step, axis), mask)
    return float(best[mask].mean())


def _differences(fixed: np.ndarray, moving: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the mean squared difference of descriptors in boxes within a mask (z, y, x)."""
    residual = np.square(fixed - moving).mean(0).astype(np.float64) * mask
    return _boxed(residual) / np.maximum(_boxed(mask.astype(np.float64)), 1e-9)
