"""The part of an image that is not background, as a box: the patient in a large field of view."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample

# Approximate number of voxels along each axis of the grid on which the body is found.
_COARSE = 40
# A voxel is background if it differs from the middle value of the faces by less than this number of standard deviations of the faces, and
# by less than this share of the image's contrast.
_DEVIATIONS, _SHARE = 5.0, 0.08
# The faces are background if their values spread by less than this share of the contrast, and are among the lowest.
_EVEN, _LOWEST = 0.05, 0.1
# Parts smaller than this share of the largest one are noise, or things that lie near the patient.
_LEAST_PART = 0.05
# A box that fills more than this share of the image is not worth a crop.
_WORTH = 0.5

#: First voxel of a box and the voxel behind its last one, both x, y, z.
Bounds = tuple[np.ndarray, np.ndarray]


def body_bounds(image: sitk.Image, margin: float) -> Bounds | None:
    """Return the smallest box around the body with a margin; None if it fills more than half of the image, or without background.

    Background is one even value, apart from noise, on most of the image's faces, below all tissue. Thin things, such as the table under the
    patient, are not counted.

    Args:
        image: scalar, without outliers.
        margin: mm on each side.
    """
    size = np.array(image.GetSize())
    factors = np.maximum(1, size // _COARSE)
    coarse = sitk.BinShrink(image, factors.tolist()) if factors.max() > 1 else image
    inside = foreground(sitk.GetArrayViewFromImage(coarse).astype(np.float64))
    if inside is None:
        return None
    body = _large_parts(inside)
    if body is None:
        return None
    ends = []
    for axis in range(3):
        found = np.flatnonzero(body.any(axis=tuple(other for other in range(3) if other != 2 - axis)))
        ends.append((found[0], found[-1] + 1))
    pad = np.ceil(margin / np.array(image.GetSpacing())).astype(int)
    low = np.maximum(0, np.array([end[0] for end in ends]) * factors - factors - pad)
    high = np.minimum(size, np.array([end[1] for end in ends]) * factors + factors + pad)
    # Voxels at the end that do not fill a coarse one are not in the coarse image.
    high = np.where(np.array([end[1] for end in ends]) == coarse.GetSize(), size, high)
    return (low, high) if np.prod((high - low) / size) < _WORTH else None


def body_at(image: sitk.Image, grid: ImageGrid) -> np.ndarray:
    """Return which points (z, y, x) of a grid lie in the body, see :func:`body_bounds`; all of them without background.

    Args:
        image: scalar, without outliers.
        grid: points outside the image are not in the body.
    """
    factors = np.maximum(1, np.array(image.GetSize()) // _COARSE)
    coarse = sitk.BinShrink(image, factors.tolist()) if factors.max() > 1 else image
    inside = foreground(sitk.GetArrayViewFromImage(coarse).astype(np.float64))
    body = None if inside is None else _large_parts(inside)
    if body is None:
        return np.ones(grid.shape, dtype=bool)
    filled = ImageGrid.of(coarse).to_image(_without_holes(body).astype(np.uint8))
    return sitk.GetArrayFromImage(resample(filled, grid, None, "nearest", 0.0)) > 0


def _without_holes(body: np.ndarray) -> np.ndarray:
    """Return a mask (z, y, x) with what it encloses in the slices across any axis, such as lungs."""
    from scipy import ndimage

    filled = body.copy()
    for axis in range(3):
        in_plane = ndimage.generate_binary_structure(3, 1)
        in_plane.swapaxes(0, axis)[[0, 2]] = False
        filled |= ndimage.binary_fill_holes(body, in_plane)
    return filled


def cropped(image: sitk.Image, bounds: Bounds) -> sitk.Image:
    """Return the part of an image in a box."""
    low, high = bounds
    return sitk.RegionOfInterest(image, (high - low).tolist(), low.tolist())


def around_body(image: sitk.Image, margin: float) -> sitk.Image:
    """Return the image, cropped to :func:`body_bounds` if there are any."""
    bounds = body_bounds(image, margin)
    return image if bounds is None else cropped(image, bounds)


def foreground(array: np.ndarray) -> np.ndarray | None:
    """Return the mask (z, y, x) of what is not background; None if the faces are not background."""
    faces = np.concatenate([array.take(end, axis).ravel() for axis in range(3) for end in (0, -1)])
    middle = float(np.median(faces))
    spread = 1.48 * float(np.median(np.abs(faces - middle)))
    other = array[np.abs(array - middle) > _DEVIATIONS * spread]
    if other.size < 8:
        return None
    high, low = float(np.quantile(other, 0.9)), float(np.quantile(array, 0.01))
    contrast = high - middle
    if contrast <= 0.0 or spread > _EVEN * contrast or middle - low > _LOWEST * contrast:
        return None
    return array - middle > max(_DEVIATIONS * spread, _SHARE * contrast)


def _large_parts(inside: np.ndarray) -> np.ndarray | None:
    """Return the large connected parts of a mask (z, y, x), after thin things were removed; None if nothing is left."""
    mask = sitk.GetImageFromArray(inside.astype(np.uint8))
    opened = sitk.BinaryMorphologicalOpening(mask, [1, 1, 1], sitk.sitkBox)
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(opened))
    counts = np.bincount(parts.ravel())
    counts[0] = 0
    if not counts.any():
        return None
    return np.isin(parts, np.flatnonzero(counts >= max(1.0, _LEAST_PART * counts.max())))
