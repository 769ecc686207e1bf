"""The body in an image: what is not background, its outline with all that lies inside, and where the image's faces cut it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.content.sample import Sample

# A voxel is tissue if its value lies above the background by this share of the contrast.
_TISSUE = 0.12
# Air and lung lie below it, tissue above, HU.
AIR_LIMIT = -400.0
# A face cuts the body if the body fills this share of its largest cross-section there.
_CUT = 0.25


@dataclass(frozen=True)
class BodyShape:
    """The body in a sample.

    Args:
        tissue: (z, y, x), what is not background, its largest part.
        outline: (z, y, x), the tissue and what it encloses, such as lungs.
        spacing: along z, y, x, mm.
    """

    tissue: np.ndarray
    outline: np.ndarray
    spacing: tuple[float, float, float]

    @classmethod
    def of(cls, sample: Sample, hounsfield: bool) -> BodyShape:
        """Return the body in a sample, whose values are in HU if ``hounsfield`` is true."""
        values = sample.clamped
        low, high = np.quantile(values, (0.01, 0.98))
        tissue = _largest_part(values > (AIR_LIMIT if hounsfield else low + _TISSUE * (high - low)))
        return cls(tissue, tissue | enclosed(tissue), sample.spacing)

    @functools.cached_property
    def size_mm(self) -> tuple[float, float, float]:
        """Extent of the outline along x, y, z, mm: slices that hold only some hundredths of it, such as a table, do not count."""
        found = []
        for axis in (2, 1, 0):
            areas = self.areas(axis)
            filled = np.flatnonzero(areas > 0.03 * max(areas.max(), 1))
            found.append(float((filled[-1] - filled[0] + 1) * self.spacing[axis]) if len(filled) else 0.0)
        return found[0], found[1], found[2]

    def areas(self, axis: int) -> np.ndarray:
        """Return the number of voxels of the outline in each slice along an axis of the arrays."""
        return self.outline.sum(axis=tuple(other for other in range(3) if other != axis))

    @functools.cached_property
    def cuts(self) -> tuple[tuple[bool, bool], tuple[bool, bool], tuple[bool, bool]]:
        """Whether the first and the last face cut the body, along z, y, x."""
        found = []
        for axis in range(3):
            areas = self.areas(axis)
            least = _CUT * max(areas.max(), 1)
            found.append((bool(areas[0] > least), bool(areas[-1] > least)))
        return found[0], found[1], found[2]

    @property
    def volume_ml(self) -> float:
        """Volume of the outline, ml."""
        return float(np.count_nonzero(self.outline) * np.prod(self.spacing)) / 1000.0


def _largest_part(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask (z, y, x), without what is one voxel thin if something thicker is left."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    opened = sitk.BinaryMorphologicalOpening(image, [1, 1, 1], sitk.sitkCross)
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(opened))
    counts = np.bincount(parts.ravel())
    counts[0] = 0
    return parts == int(np.argmax(counts)) if counts.any() else mask


def enclosed(mask: np.ndarray, axes: int = 2) -> np.ndarray:
    """Return what lies between voxels of a mask (z, y, x) along at least this number of axes: with two, an open end does not matter."""
    ways = np.zeros(mask.shape, np.uint8)
    for axis in range(3):
        before = np.logical_or.accumulate(mask, axis=axis)
        behind = np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis=axis), axis)
        ways += before & behind
    return ways >= axes
