"""What two images have in common, as seen after their alignment: one person or two, one contrast or two. No torch.

Both images are compared at coarse resolution, so that deformations of some centimetres matter little.

- One person: the affine alignment hardly stretches, and the normalised mutual information is high. Two people differ in size, and their
  organs in shape; a stretch of more than a sixth, or less information, is taken for that.
- One contrast: around most voxels of the body the intensities of both images rise and fall together; see :class:`Likeness`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.body import around_body
from deepreg_engine.geometry.composition import linear_matrix
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import without_outliers
from deepreg_engine.methods.common.coarse import downsampled, scan_spacing
from deepreg_engine.methods.suggestion import Relation

# Air around the body that is kept, mm, and voxel size of the comparison, in those of the coarsest alignment.
_MARGIN, _SPACING = 30.0, 0.4
# Bins of the joint histogram, and the quantiles that are its ends.
_BINS, _ENDS = 24, (0.5, 99.5)
# Values below this share of the range are background.
_DARK = 0.1
# Half width of a window, voxels, and the share of the windows, those of the least variance, that show no structure.
_WINDOW, _FLAT = 3, 0.5
# Largest logarithm of a stretch, and least normalised mutual information, of one person.
_STRETCH, _INFORMATION = 0.16, 0.2
# Least correlation of one contrast.
_CORRELATION = 0.35
# Fewest common voxels.
_FEWEST = 500


@dataclass(frozen=True)
class Likeness:
    """How similar two aligned images are.

    Args:
        stretch: largest logarithm of a singular value of the linear transform, 0 if it is not linear.
        information: mutual information, as a share of the smaller entropy.
        correlation: median of the correlation coefficients in windows with structure; background is left out.
    """

    stretch: float
    information: float
    correlation: float


def pair_relation(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> Relation:
    """Return what two 3D float32 images have in common under an alignment from fixed to moving points; unknown if they hardly overlap."""
    found = likeness(fixed, moving, transform)
    if found is None:
        return Relation()
    person = found.stretch < _STRETCH and found.information > _INFORMATION
    contrast = found.correlation > _CORRELATION
    if not contrast:  # two contrasts share less information, so that it does not tell people apart
        person = found.stretch < _STRETCH
    why = "they agree like scans of one person" if person else "they differ in size or shape like two people"
    return Relation(person, contrast, (why,) if contrast else (why, "their intensities differ like two contrasts"))


def likeness(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform) -> Likeness | None:
    """Return how similar two 3D float32 images are under a transform from fixed to moving points; None if they hardly overlap."""
    fixed, moving = (around_body(without_outliers(image), _MARGIN) for image in (fixed, moving))
    spacing = _SPACING * scan_spacing(ImageGrid.of(fixed), ImageGrid.of(moving))
    coarse, other = downsampled(fixed, spacing), downsampled(moving, spacing)
    warped = sitk.GetArrayFromImage(sitk.Resample(other, coarse, transform, sitk.sitkLinear, np.nan)).astype(np.float64)
    known, own = np.isfinite(warped), sitk.GetArrayFromImage(coarse).astype(np.float64)
    if np.count_nonzero(known) < _FEWEST:
        return None
    matrix = linear_matrix(transform)
    values = np.ones(3) if matrix is None else np.linalg.svd(matrix[:3, :3], compute_uv=False)
    return Likeness(float(np.abs(np.log(values)).max()), _information(own[known], warped[known]), _correlation(own, warped, known))


def _body(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return which known voxels (z, y, x) are not background."""
    low, high = np.percentile(values[known], _ENDS)
    return known & (np.nan_to_num(values, nan=low) > low + _DARK * (high - low))


def _information(first: np.ndarray, second: np.ndarray) -> float:
    """Return the mutual information of two samples (N,), as a share of the smaller entropy."""
    bins = []
    for values in (first, second):
        low, high = np.percentile(values, _ENDS)
        bins.append(np.clip((values - low) * (_BINS / max(high - low, 1e-12)), 0, _BINS - 1).astype(np.int64))
    joint = np.bincount(bins[0] * _BINS + bins[1], minlength=_BINS * _BINS).reshape(_BINS, _BINS) / len(first)
    entropies = [-float((p[p > 0] * np.log(p[p > 0])).sum()) for p in (joint.sum(1), joint.sum(0), joint.ravel())]
    return (entropies[0] + entropies[1] - entropies[2]) / max(min(entropies[:2]), 1e-12)


def _correlation(first: np.ndarray, second: np.ndarray, known: np.ndarray) -> float:
    """Return the median of the correlation coefficients of two arrays (z, y, x) in windows of the known voxels that show structure."""
    known = _body(first, known) & _body(second, known)
    if np.count_nonzero(known) < _FEWEST:
        return 0.0
    weight = known.astype(np.float64)
    count = np.maximum(_sums(weight), 1e-9)
    one, two = np.where(known, first - first[known].mean(), 0.0), np.where(known, second - second[known].mean(), 0.0)
    means = [_sums(values) / count for values in (one, two)]
    variances = [np.maximum(_sums(values**2) / count - mean**2, 0.0) for values, mean in ((one, means[0]), (two, means[1]))]
    shared = (_sums(one * two) / count - means[0] * means[1])[known]
    product = np.sqrt(variances[0] * variances[1])[known]
    some = product > max(float(np.quantile(product, _FLAT)), 1e-12)
    return float(np.median(shared[some] / product[some])) if some.any() else 0.0


def _sums(values: np.ndarray) -> np.ndarray:
    """Return the sums of an array (z, y, x) in the windows around its voxels."""
    for axis in range(3):
        padded = np.pad(values, [(_WINDOW + 1, _WINDOW) if each == axis else (0, 0) for each in range(3)])
        running = np.cumsum(padded, axis=axis)
        size, width = values.shape[axis], 2 * _WINDOW + 1
        values = np.take(running, range(width, width + size), axis) - np.take(running, range(size), axis)
    return values
