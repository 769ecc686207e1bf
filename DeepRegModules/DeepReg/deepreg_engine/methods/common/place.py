"""Check that points lie in the images: files in a wrong coordinate system or unit are common. No torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.features.local_match import MARGIN, PATCH, mind, trilinear
from deepreg_engine.geometry.frames import flip_points
from deepreg_engine.geometry.image_grid import ImageGrid

# A coordinate that is this close to a whole number counts as whole. Fewest pairs of landmarks for a note, and most that are compared.
_WHOLE, _FEWEST, _MOST = 1e-6, 4, 30
# Samples of a patch along the longest side of the image.
_STEPS = 64
# Landmarks that are read in another way fit better if this share of the pairs does, and the median cost is below this share of the other.
_WINS, _BETTER = 0.75, 0.7


def check_place(name: str, points: Sequence[np.ndarray], images: Sequence[sitk.Image | None], option: str = "{side}_points") -> list[str]:
    """Check that fixed and moving points (N, 3), LPS mm, lie in the fixed and the moving image.

    Args:
        name: of the points, for messages.
        points, images: fixed and moving; an image may be None.
        option: name of the input, with ``{side}`` for "fixed" or "moving".

    Returns:
        Notes on points outside the images, and on those that may be voxel indices.

    Raises:
        InputError: if all points of a side lie outside.
    """
    notes = []
    for positions, image, side in zip(points, images, ("fixed", "moving"), strict=True):
        if image is None:
            continue
        grid = ImageGrid.of(image)
        inside, mirrored = grid.contains(positions), grid.contains(flip_points(positions))
        what = name.format(side=side) if "{side}" in name else f"{side} {name}"
        if not inside.any():
            advice = "check that they belong to it and are in LPS mm (CSV) or have a frame (.mrk.json, .fcsv)"
            if mirrored.all():
                advice = "with x and y mirrored all do: they are in RAS, and a CSV file has to be in LPS mm"
            elif _may_be_indices(positions, grid):
                advice = "they are whole numbers that fit its size: give millimetres, not voxel indices"
            raise InputError(f"none of the {len(positions)} {what} lies in the {side} image", advice, option.format(side=side))
        if not inside.all():
            more = ": with x and y mirrored all lie inside, as points in RAS would" if mirrored.all() else ""
            notes.append(f"{int((~inside).sum())} of {len(positions)} {what} lie outside the {side} image{more}")
        if _may_be_indices(positions, grid):
            notes.append(f"the {what} are whole numbers that fit the size of the {side} image: they were read as mm, not as voxel indices")
    return notes


def _may_be_indices(positions: np.ndarray, grid: ImageGrid) -> bool:
    """Return whether points (N, 3) may be indices of voxels of the grid."""
    whole = bool((np.abs(positions - np.rint(positions)) < _WHOLE).all())
    return len(positions) >= _FEWEST and whole and bool((positions >= 0).all() and (positions < grid.size).all())


def misread_note(name: str, points: Sequence[np.ndarray], images: Sequence[sitk.Image]) -> str:
    """Return a note if the images agree much better at the landmarks under another interpretation of the files; else "".

    The interpretations are: RAS for both lists or one of them, exchanged lists, and centimetres. Around each pair the self-similarity
    (MIND-SSC) of both images is compared. Images of different modalities give no note.

    Args:
        name: of the landmarks, for the note.
        points: fixed and moving landmarks (N, 3), LPS mm.
        images: fixed and moving.
    """
    chosen = np.linspace(0, len(points[0]) - 1, min(len(points[0]), _MOST)).round().astype(int)
    fixed, moving = (side[chosen] for side in points)
    readings = [
        ("with x and y mirrored: the points seem to be in RAS instead of LPS", (flip_points(fixed), flip_points(moving))),
        ("with x and y of the fixed ones mirrored: these seem to be in RAS instead of LPS", (flip_points(fixed), moving)),
        ("with x and y of the moving ones mirrored: these seem to be in RAS instead of LPS", (fixed, flip_points(moving))),
        ("with both lists exchanged", (moving, fixed)),
        ("times 10: the points seem to be in centimetres", (10.0 * fixed, 10.0 * moving)),
    ]
    given, best = _costs((fixed, moving), images), ("", np.inf)
    for how, pairs in readings:
        other = _costs(pairs, images)
        known = np.isfinite(given) & np.isfinite(other)
        if known.sum() < _FEWEST or (other < given)[known].mean() < _WINS:
            continue
        ratio = float(np.median(other[known]) / max(np.median(given[known]), 1e-12))
        if ratio <= _BETTER and ratio < best[1]:
            best = how, ratio
    return f"the images agree much better at the {name} {best[0]}" if best[0] else ""


def _costs(points: Sequence[np.ndarray], images: Sequence[sitk.Image]) -> np.ndarray:
    """Return the mean squared difference of the descriptors around each pair (N,); NaN where less than half of it lies in an image."""
    step = max(ImageGrid.of(images[0]).extent) / _STEPS
    half = PATCH + MARGIN
    side = np.arange(-half, half + 1) * step
    offsets = np.stack(np.meshgrid(side, side, side, indexing="ij"), axis=-1).reshape(-1, 3)
    found = []
    for pair in zip(*points, strict=True):
        features = []
        for point, image in zip(pair, images, strict=True):
            values, inside = trilinear(sitk.GetArrayViewFromImage(image), ImageGrid.of(image).physical_to_index(point + offsets))
            features.append(mind(values.reshape((len(side),) * 3)) if inside.mean() > 0.5 else np.nan)
        found.append(float(np.mean((features[0] - features[1]) ** 2)))
    return np.array(found)
