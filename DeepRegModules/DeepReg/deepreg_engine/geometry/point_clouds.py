"""Clouds of points to register: read from files, made from label maps, and checked."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.cloud_orientation import orientation_note
from deepreg_engine.geometry.files import suffix
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import LABEL_SUFFIXES, read_labels, resample
from deepreg_engine.geometry.points import read_points
from deepreg_engine.texts import counted

FEWEST = 4
# More points do not improve a registration, and take minutes and many GB.
MOST = 30_000
# Smallest extent of a cloud, mm: a smaller one is probably in metres.
_SMALLEST = 2.0
# Largest ratio of the sizes of two clouds of the same structure.
_LARGEST_RATIO = 20.0
# A cloud is flat, or a line, if a singular value is below this share of the first.
_FLAT = 1e-3
# A voxel is on the medial axis if no neighbour is deeper by more than this share of a voxel.
_RIDGE = 0.35
# Largest number of voxels of the grid onto which a structure is resampled.
_VOXELS = 20_000_000


def read_cloud(
    path: str | os.PathLike, role: str, source: str, spacing: Callable[[np.ndarray, float], float], notes: list[str] | None = None
) -> np.ndarray:
    """Read points (N, 3), LPS mm, from a points file or from the structures of a label map.

    Args:
        path: .csv, .mrk.json or .fcsv; or an image, whose voxels above 0 are one structure.
        role: name of the points in messages.
        source: for a label map, "surface" or "skeleton" (the medial axis, such as the centreline of vessels).
        spacing: returns the distance of the points from a label map, mm, for positions (N, 3) that have the extent of its structure,
            and its finest voxel spacing, mm.
        notes: receives notes on how the file was read.

    Raises:
        InputError: if the file cannot be read or is empty.
    """
    if suffix(path) in LABEL_SUFFIXES:
        labels = read_labels(path, role, notes)
        ends = _row_ends(labels)
        return label_points(labels, source, spacing(ends, min(labels.GetSpacing())) if len(ends) else 1.0, role)
    return read_points(path, role, notes).positions


def _row_ends(labels: sitk.Image) -> np.ndarray:
    """Return the positions (N, 3), LPS mm, of the first and the last voxel above 0 of each row along x, which have the extent of all."""
    inside = sitk.GetArrayViewFromImage(labels) > 0
    z, y = np.nonzero(inside.any(axis=2))
    rows = inside[z, y]
    ends = rows.argmax(axis=1), rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)
    index = np.concatenate([np.stack([x, y, z], axis=1) for x in ends]).astype(np.float64)
    return ImageGrid.of(labels).index_to_physical(index)


def label_points(labels: sitk.Image, source: str, spacing: float, role: str = "label map") -> np.ndarray:
    """Return points (N, 3), LPS mm, on the surface or the medial axis of the voxels above 0.

    The label map is resampled to cubic voxels as fine as its own and smoothed by less than one of them.

    Raises:
        InputError: if the label map is empty.
    """
    inside = sitk.Cast(labels > 0, sitk.sitkFloat32)
    values = sitk.GetArrayViewFromImage(inside)
    if not values.any():
        raise InputError(f"the {role} is empty", "give one with the structure to register")
    grid = ImageGrid.of(inside)
    where = np.argwhere(values)[:, ::-1]
    part = grid.cropped(np.maximum(where.min(0) - 2, 0), np.minimum(where.max(0) + 3, grid.size))
    step = min(spacing, min(grid.spacing))
    step = max(step, float((np.prod(np.array(part.size) * part.spacing) / _VOXELS) ** (1 / 3)))
    fine = part.resampled(step).padded(2)
    soft = sitk.SmoothingRecursiveGaussian(resample(inside, fine, None, "linear", 0.0), [0.7 * step] * 3)
    if source == "surface":
        index = _level_set(sitk.GetArrayFromImage(soft))
    else:
        index = _ridge(sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(soft > 0.5, True, False, True)), step)
    if len(index) == 0:
        raise InputError(f"the {role} is too small to have a {source}", "give a larger structure")
    return thinned(fine.index_to_physical(index[:, ::-1]), spacing)


def _level_set(soft: np.ndarray) -> np.ndarray:
    """Return continuous indices (N, 3), z, y, x, at which a smooth mask is 0.5."""
    above = soft > 0.5
    crossed = np.zeros_like(above)
    for axis in range(3):
        change = np.diff(above, axis=axis)
        lower, upper = [slice(None)] * 3, [slice(None)] * 3
        lower[axis], upper[axis] = slice(None, -1), slice(1, None)
        crossed[tuple(lower)] |= change
        crossed[tuple(upper)] |= change
    where = np.argwhere(crossed)
    gradient = np.stack([part[crossed] for part in np.gradient(soft)], axis=1)
    # One Newton step along the gradient, at most one voxel long.
    step = (0.5 - soft[crossed])[:, None] * gradient / np.maximum((gradient**2).sum(1), 1e-4)[:, None]
    return where + step / np.maximum(1.0, np.linalg.norm(step, axis=1))[:, None]


def _ridge(depth: np.ndarray, step: float) -> np.ndarray:
    """Return indices (N, 3), z, y, x, of the medial axis: voxels whose depth (mm, positive inside) no neighbour clearly exceeds."""
    from scipy import ndimage

    highest = ndimage.maximum_filter(depth, size=3)
    return np.argwhere((depth > 0) & (depth > highest - _RIDGE * step)).astype(np.float64)


def thinned(points: np.ndarray, spacing: float) -> np.ndarray:
    """Return the points (N, 3) thinned to one in each cube of the given edge (mm), the one nearest to the mean of those in it."""
    cells = np.floor((points - points.min(0)) / spacing).astype(np.int64)
    _, cell, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    cell = cell.ravel()
    means = np.stack([np.bincount(cell, points[:, axis]) for axis in range(3)], axis=1) / counts[:, None]
    apart = ((points - means[cell]) ** 2).sum(1)
    order = np.lexsort((apart, cell))
    first = np.r_[True, np.diff(cell[order]) > 0]
    return points[order[first]]


def thinned_to(points: np.ndarray, count: int) -> np.ndarray:
    """Return the points (N, 3) thinned evenly to at most ``count``."""
    if len(points) <= count:
        return points
    low, high = 0.0, float(np.ptp(points, axis=0).max()) + 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if len(np.unique(np.floor((points - points.min(0)) / middle), axis=0)) > count else (low, middle)
    return thinned(points, high)


def checked_clouds(fixed: np.ndarray, moving: np.ndarray, initial: str, thin: int = 0) -> tuple[np.ndarray, np.ndarray, str, list[str]]:
    """Check two clouds, and remove what must not be registered.

    Args:
        fixed, moving: (N, 3) and (M, 3), LPS mm.
        initial: their initial alignment, see ``PointsParameters.initial``.
        thin: largest number of points of each; 0 for no thinning.

    Returns:
        Both without duplicates, the alignment that they allow, and notes for the user.

    Raises:
        InputError: if they cannot be registered.
    """
    notes: list[str] = []
    first, second = (_checked_cloud(points, role, thin, notes) for points, role in ((fixed, "fixed"), (moving, "moving")))
    _check_sizes(first, second)
    notes += [note] if (note := orientation_note(first, second)) else []
    if initial == "none" and (np.minimum(first.max(0), second.max(0)) < np.maximum(first.min(0), second.min(0))).any():
        raise InputError("the clouds do not overlap", "choose the alignment centres, rigid or affine", "initial")
    for cloud, role in ((first, "fixed"), (second, "moving")):
        spread = np.linalg.svd(cloud - cloud.mean(0), compute_uv=False)
        if spread[1] < _FLAT * spread[0]:
            raise InputError(f"the {role} points lie on one line", "give points that span the structure")
        if spread[2] < _FLAT * spread[0] and initial in ("affine", "similarity"):
            notes.append(f"the {role} points lie in one plane: they are aligned rigidly")
            initial = "rigid"
    return first, second, initial, notes


def _checked_cloud(points: np.ndarray, role: str, thin: int, notes: list[str]) -> np.ndarray:
    """Return one cloud without duplicates, thinned; notes for the user are appended."""
    if not np.isfinite(points).all():
        raise InputError(f"the {role} points hold values that are not finite", "remove or correct them")
    single = _without_duplicates(points)
    if len(single) < len(points):
        twice = len(points) - len(single)
        one, many = f"1 duplicate among the {role} points was left out", f"{twice} duplicates among the {role} points were left out"
        notes.append(counted(twice, one, many))
    if thin and len(single) > thin:
        notes.append(f"{len(single)} {role} points were thinned")
        single = thinned_to(single, thin)
    if len(single) < FEWEST:
        one, many = f"there is only 1 different {role} point", f"there are {len(single)} different {role} points"
        raise InputError(counted(len(single), one, many), f"at least {FEWEST} are needed")
    if len(single) > MOST:
        raise InputError(f"there are {len(single)} {role} points, more than {MOST}", "thin them, for instance to 10000", "thin")
    if np.ptp(single, axis=0).max() < _SMALLEST:
        raise InputError(f"the {role} points span {np.ptp(single, axis=0).max():.3g} mm", "are they in metres? give millimetres")
    return single


def _check_sizes(fixed: np.ndarray, moving: np.ndarray) -> None:
    """Raise InputError if one cloud is so much larger than the other that they cannot show the same structure."""
    sizes = [float(np.sqrt(((cloud - cloud.mean(0)) ** 2).sum(1).mean())) for cloud in (fixed, moving)]
    ratio = max(sizes) / min(sizes)
    if ratio > _LARGEST_RATIO:
        larger = "fixed" if sizes[0] > sizes[1] else "moving"
        hint = "are the others in metres? give millimetres" if ratio > 300 else "check that both show the same structure, in millimetres"
        raise InputError(f"the {larger} points span {ratio:.0f} times as much as the others", hint)


def _without_duplicates(points: np.ndarray) -> np.ndarray:
    _, first = np.unique(points.round(6), axis=0, return_index=True)
    return points[np.sort(first)]
