"""The body in an image: what is not background, its outline with all that lies inside, and where the image's faces cut it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.content.sample import Sample

# A voxel is tissue if its value exceeds that of the background by the first share of the contrast; in CT by the second share, so that lung
# is not tissue.
_TISSUE, _TISSUE_CT = 0.12, 0.4
# Air and lung lie below it, tissue above, HU.
AIR_LIMIT = -400.0
# A face cuts the body if the body fills this share of its largest cross-section there.
_CUT = 0.25


def air_limit(sample: Sample, ct: bool = False, hounsfield: bool = False) -> float:
    """Return the value below which a voxel is air, background or lung.

    Args:
        sample: the image.
        ct: whether it is CT, in any units.
        hounsfield: whether it is in HU.
    """
    low, high = sample.levels
    return AIR_LIMIT if hounsfield else low + (_TISSUE_CT if ct else _TISSUE) * (high - low)


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
    def of(cls, sample: Sample, limit: float) -> BodyShape:
        """Return the body in a sample: what is above a limit, see :func:`air_limit`."""
        tissue = _largest_part(sample.clamped > limit)
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


def large_parts(mask: np.ndarray, least: float) -> np.ndarray:
    """Return the connected parts of a mask (z, y, x) of at least this number of voxels, without what is one or two voxels thin."""
    sizes, parts = _parts(opened(mask))
    return np.isin(parts, np.flatnonzero(sizes >= max(least, 1)))


def _largest_part(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask (z, y, x), without what is one or two voxels thin if something thicker is left."""
    sizes, parts = _parts(opened(mask))
    return parts == int(np.argmax(sizes)) if sizes.any() else mask


def _parts(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of voxels of each connected part of a mask (z, y, x), 0 for the first, and the number of the part of each voxel."""
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8))))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return sizes, parts


def opened(mask: np.ndarray) -> np.ndarray:
    """Return the morphological opening of a mask (z, y, x) by a cross of three voxels; the faces are repeated as padding."""
    eroded = mask.copy()
    for axis in range(3):
        first, last = neighbours(axis)
        eroded[first] &= mask[last]
        eroded[last] &= mask[first]
    dilated = eroded.copy()
    for axis in range(3):
        first, last = neighbours(axis)
        dilated[first] |= eroded[last]
        dilated[last] |= eroded[first]
    return dilated


def neighbours(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the indices of all voxels that have a neighbour behind them along an axis, and of these neighbours."""
    before = tuple(slice(None, -1) if each == axis else slice(None) for each in range(3))
    behind = tuple(slice(1, None) if each == axis else slice(None) for each in range(3))
    return before, behind


def enclosed(mask: np.ndarray, axes: int = 2) -> np.ndarray:
    """Return what lies between voxels of a mask (z, y, x) along at least this number of axes: with two, an open end does not matter."""
    ways = np.zeros(mask.shape, np.uint8)
    for axis in range(3):
        before = np.logical_or.accumulate(mask, axis=axis)
        behind = np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis=axis), axis)
        ways += before & behind
    return ways >= axes
