"""Modality by intensities: Hounsfield units of CT, the empty corners of ultrasound, the broad contrast of MR."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.content.body_shape import AIR_LIMIT, BodyShape, air_limit, enclosed, neighbours
from deepreg_engine.content.sample import Sample
from deepreg_engine.geometry.images import without_outliers

# Fat and air have values below the first, HU; soft tissue lies between the second and the third, and is at least the last share of a CT.
_FAT, _TISSUE, _TISSUE_SHARE = -50.0, (-200.0, 300.0), 0.02
# Air of a calibrated scanner, HU, with noise and lung; and its least share of an image that shows air.
_AIR, _AIR_SHARE = (-1150.0, -860.0), 0.02
# In CT, fat and organs lie close together compared with their distance from air: at least this share of what is denser than lung is between
# these HU. Tissues of MR differ by a multiple of this.
_SOFT, _SOFT_SHARE = (-200.0, 200.0), 0.72
# Bone, HU. In a head it is a closed wall, and the brain inside is uniform: its quartiles differ by less than the last number of HU.
BONE = 300.0
_INSIDE_SKULL, _EVEN_BRAIN = 0.15, 110.0
# Where values are not in HU, at least the third share of the tissue of CT is as close to its median as the first share of the median's
# distance from the background. Tissue is what lies further from the background than the second share of the contrast.
_CLOSE, _DENSE, _CLOSE_SHARE = 0.2, 0.4, 0.77
# Distance of soft tissue from air, HU.
_AIR_TO_TISSUE = 1040.0
# In CT some of the tissue is denser than the first multiple of its median, and less than the last share: bone, contrast medium.
_DENSER, _SOME_DENSE = 1.3, (0.002, 0.4)
# Variance of the difference of neighbours relative to that of all tissue, in the roughest direction: about 0.25 to 0.7 in anatomy that is
# sampled by some millimetres, 1 in noise, less than 0.1 in doses, probabilities and maps of a deformation.
_ROUGH = (0.1, 0.88)
# More voxels than this share at the highest value: a window has cut the values above.
_CUT_OFF = 0.004
# Highest value of ultrasound, whose values have 8 bits, with noise. A value below this share of the highest is empty.
_ULTRASOUND_HIGHEST, _EMPTY = 265.0, 0.05
# A corner is empty if so much of its edge is; a turned box fills more of the smallest rectangle around it than the fan of a probe.
_EMPTY_EDGE, _BOX = 0.7, 0.93


@dataclass(frozen=True)
class SeenModality:
    """A modality by intensities.

    Args:
        name: as in :class:`Content`.
        certain: whether it is beyond doubt.
        reasons: why.
        hounsfield: whether the values are in HU.
        anatomy: whether it can be an image of a body at all, not noise or a map.
    """

    name: str
    certain: bool
    reasons: tuple[str, ...]
    hounsfield: bool = False
    anatomy: bool = True


def in_hounsfield(image: sitk.Image) -> bool:
    """Return whether an image can be CT in HU: it has values of fat or air, and of soft tissue."""
    inside = without_outliers(image)
    return may_be_hounsfield(sitk.GetArrayViewFromImage(inside))


def may_be_hounsfield(array: np.ndarray) -> bool:
    """Return whether an array without outliers can be CT in HU: see :func:`in_hounsfield`."""
    tissue = np.count_nonzero((array > _TISSUE[0]) & (array < _TISSUE[1]))
    return bool(array.min() < _FAT and tissue > _TISSUE_SHARE * array.size)


def modality_of(sample: Sample) -> SeenModality:
    """Return the modality of a sample that is neither a label map nor constant."""
    found = _ct(sample)
    if found is not None:
        return found
    if _has_empty_corners(sample):
        return SeenModality("us", False, ("a small field of view with empty corners, as the fan of an ultrasound probe leaves them",))
    return _by_contrast(sample)


def _ct(sample: Sample) -> SeenModality | None:
    """Return CT if the values are those of air, soft tissue and bone in HU, else None."""
    values = sample.clamped
    if not may_be_hounsfield(values):
        return None
    air = float(np.mean((values > _AIR[0]) & (values < _AIR[1])))
    dense = values[values > AIR_LIMIT]
    if not dense.size:
        return None
    soft = float(np.mean((dense > _SOFT[0]) & (dense < _SOFT[1])))
    middle = float(np.median(dense[dense < BONE])) if (dense < BONE).any() else np.inf
    if not _SOFT[0] < middle < _SOFT[1]:
        return None
    if air >= _AIR_SHARE and np.quantile(values, 0.01) > _AIR[0]:
        if soft >= _SOFT_SHARE:
            reason = f"CT: air at {_air(values):.0f} HU, {100 * soft:.0f} % of the tissue between -200 and 200 HU"
            return SeenModality("ct", True, (reason,), True)
        if brain_share(values) >= _INSIDE_SKULL:
            reason = f"CT: air at {_air(values):.0f} HU, uniform soft tissue within bone above {BONE:.0f} HU"
            return SeenModality("ct", True, (reason,), True)
        return None
    lowest, fat = (float(each) for each in np.quantile(values, (0.01, 0.05)))
    if soft >= _SOFT_SHARE and lowest > 2.0 * _SOFT[0] and fat < _FAT:
        return SeenModality("ct", False, ("all values are those of fat, soft tissue and bone in HU, but there is no air",), True)
    return None


def _air(values: np.ndarray) -> float:
    return float(np.median(values[(values > _AIR[0]) & (values < _AIR[1])]))


def brain_share(values: np.ndarray) -> float:
    """Return the share of what is denser than lung that is soft tissue within bone on all sides; 0 if that is not uniform.

    Args:
        values: (z, y, x), HU.
    """
    dense, bone = values > AIR_LIMIT, values > BONE
    inside = enclosed(bone, 3) & ~bone
    if not inside.any() or np.subtract(*np.quantile(values[inside], (0.75, 0.25))) > _EVEN_BRAIN:
        return 0.0
    return float(np.count_nonzero(inside & (values > -100.0) & (values < 150.0)) / np.count_nonzero(dense))


def _by_contrast(sample: Sample) -> SeenModality:
    """Return MR, or CT in other units, by how much tissues differ compared with the background."""
    values = sample.clamped
    body = BodyShape.of(sample, air_limit(sample))
    background, high = sample.levels
    dense = values[body.tissue & (values > background + _DENSE * (high - background))]
    if not dense.size:
        return SeenModality("unknown", False, ("no tissue stands out from the background",))
    if np.mean(sample.values >= sample.values.max()) > _CUT_OFF or np.mean(values >= values.max()) > 5 * _CUT_OFF:
        return SeenModality("unknown", False, ("the highest values are cut off, as by a window for display",))
    lower, middle, upper = (float(each) for each in np.quantile(values[body.tissue], (0.25, 0.5, 0.75)))
    centre = float(np.median(dense[dense < 2.0 * middle - background]))
    close = float(np.mean(np.abs(dense - centre) < _CLOSE * (centre - background)))
    rough = roughness(values, body.tissue)
    if not sample.is_crop and not _ROUGH[0] < rough < _ROUGH[1]:
        reason = (
            "its values vary less than anatomy does, like those of a map" if rough <= _ROUGH[0] else "neighbouring values differ like noise"
        )
        return SeenModality("unknown", False, (reason,), anatomy=False)
    above = float(np.mean(dense > background + _DENSER * (centre - background)))
    if close >= _CLOSE_SHARE and _SOME_DENSE[0] < above < _SOME_DENSE[1]:
        return SeenModality("ct", False, (f"{100 * close:.0f} % of the tissue have values as close together as in CT, but not in HU",))
    if brain_share((values - background) * (_AIR_TO_TISSUE / (centre - background)) - 1000.0) >= _INSIDE_SKULL:
        return SeenModality("ct", False, ("even soft tissue within bone, as in CT of a head, but not in HU",))
    spread = (upper - lower) / (middle - background)
    reason = (
        f"not in Hounsfield units; tissues differ as in MR (their quartiles differ by {spread:.2f} of their distance from the background)"
    )
    return SeenModality("mr", _is_surely_mr(sample, body, background, spread), (reason,))


def roughness(values: np.ndarray, mask: np.ndarray) -> float:
    """Return half the mean squared difference of neighbours in a mask (z, y, x) as a share of the variance, along the roughest axis."""
    variance = float(np.var(values[mask]))
    found = [0.0]
    for axis in range(3):
        before, behind = neighbours(axis)
        both = mask[before] & mask[behind]
        if both.any() and variance > 0.0:
            found.append(0.5 * float(np.mean((values[before][both] - values[behind][both]) ** 2)) / variance)
    return max(found)


def _is_surely_mr(sample: Sample, body: BodyShape, background: float, spread: float) -> bool:
    """Return whether an image with a broad contrast can be nothing but MR.

    Values of 8 bits, or up to 1, may have been scaled by a program, and scanners give no negative background. A dose, a PET scan or a map
    has blurred borders or single bright spots; the body in MR ends within a voxel, and its tissues fill the range evenly.
    """
    lowest, highest = float(sample.values.min()), float(sample.values.max())
    if highest <= 1.5 or background < -0.05 * highest or (sample.whole and lowest >= 0.0 and highest <= 255.0):
        return False
    if sample.is_crop or body.outline.mean() > 0.9:  # no background to compare with
        return False
    values, high = sample.clamped, sample.levels[1]
    tissue = values[body.tissue]
    counts = [np.count_nonzero(values > background + share * (high - background)) for share in (0.06, 0.24)]
    sharp = counts[0] < 1.7 * max(counts[1], 1)
    tail = (float(np.quantile(tissue, 0.95)) - background) / (float(np.median(tissue)) - background)
    return bool(sharp and 0.25 < spread < 1.5 and tail < 4.0)


def _has_empty_corners(sample: Sample) -> bool:
    """Return whether the four edges along one axis are empty and the rest is not: the corners beside the fan of a probe.

    A field of view that was turned has empty corners too, but the filled part is a rectangle then.
    """
    low, high = (float(each) for each in np.quantile(sample.clamped, (0.01, 0.99)))
    if not sample.is_crop or low < -0.1 * high or high > _ULTRASOUND_HIGHEST:
        return False
    image = sitk.Mean(sitk.GetImageFromArray(sample.clamped), [1, 1, 1])  # against noise
    filled = _trimmed(sitk.GetArrayFromImage(image) > max(low, 0.0) + _EMPTY * high)
    if min(filled.shape) < 4:
        return False
    for axis in range(3):
        turned = np.moveaxis(filled, axis, 0)
        edges = [turned[:, row, column].mean() for row in (0, -1) for column in (0, -1)]
        if max(edges) <= 1.0 - _EMPTY_EDGE and min(turned[0].mean(), turned[-1].mean()) > 0.1:
            lengths = [each for index, each in enumerate(sample.spacing) if index != axis]
            if _rectangle_share(turned[len(turned) // 2], lengths) < _BOX:
                return True
    return False


def _trimmed(mask: np.ndarray) -> np.ndarray:
    """Return a mask (z, y, x) without the faces at which it is nearly empty."""
    for axis in range(3):
        share = mask.mean(axis=tuple(other for other in range(3) if other != axis))
        found = np.flatnonzero(share > 0.1)
        if not len(found):
            return mask[:0]
        mask = mask.take(np.arange(found[0], found[-1] + 1), axis)
    return mask


def _rectangle_share(mask: np.ndarray, spacing: list[float]) -> float:
    """Return the share of the smallest rectangle around a mask (y, x), turned by any angle, that the mask fills."""
    points = np.argwhere(mask) * np.array(spacing)
    best = np.inf
    for angle in np.radians(np.arange(0.0, 90.0, 3.0)):
        along = points @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        best = min(best, float(np.prod(np.ptp(along, axis=0) + np.mean(spacing))))
    return float(len(points) * np.prod(spacing) / best)
