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
# Mirrored landmarks fit better if this share of the pairs does, and the median cost is below this share of the other.
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


def mirrored_note(name: str, points: Sequence[np.ndarray], images: Sequence[sitk.Image]) -> str:
    """Return a note if the images agree much better at the mirrored landmarks, as they do if both lists are in RAS instead of LPS.

    Around each pair the self-similarity (MIND-SSC) of both images is compared. Images of different modalities give no note.

    Args:
        name: of the landmarks, for the note.
        points: fixed and moving landmarks (N, 3), LPS mm.
        images: fixed and moving.
    """
    chosen = np.linspace(0, len(points[0]) - 1, min(len(points[0]), _MOST)).round().astype(int)
    pairs = [side[chosen] for side in points]
    costs = _costs(pairs, images), _costs([flip_points(side) for side in pairs], images)
    known = np.isfinite(costs[0]) & np.isfinite(costs[1])
    given, mirrored = (cost[known] for cost in costs)
    if len(given) < _FEWEST or (mirrored < given).mean() < _WINS or np.median(mirrored) > _BETTER * np.median(given):
        return ""
    return f"the images agree much better at the {name} with x and y mirrored: the points seem to be in RAS instead of LPS"


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
