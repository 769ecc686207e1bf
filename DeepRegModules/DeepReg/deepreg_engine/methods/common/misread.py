"""Landmarks that were read in a wrong frame, unit or order, as the images show. No torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from deepreg_engine.features.local_match import MARGIN, PATCH, mind, trilinear
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.point_readings import FEWEST, Reading, readings

# Largest number of pairs of landmarks that are compared, and number of samples of a patch along the longest side of the image.
_MOST, _STEPS = 30, 64
# Landmarks that are read in another way fit better if this share of the pairs does, and the median cost is below this share of the other.
_WINS, _BETTER = 0.75, 0.7


def images_note(name: str, points: Sequence[np.ndarray], images: Sequence[sitk.Image]) -> str:
    """Return a note if the images agree much better at the landmarks when these are read in another way; else "".

    See :func:`readings`. Around each pair the self-similarity (MIND-SSC) of both images is compared. Images of different modalities
    give no note.

    Args:
        name: of the landmarks, for the note.
        points: fixed and moving landmarks (N, 3), LPS mm.
        images: fixed and moving.
    """
    chosen = np.linspace(0, len(points[0]) - 1, min(len(points[0]), _MOST)).round().astype(int)
    fixed, moving = (side[chosen] for side in points)
    given = _costs((fixed, moving), images)
    best: tuple[float, Reading | None] = (np.inf, None)
    for reading in readings(fixed, moving, [ImageGrid.of(image) for image in images]):
        other = _costs((reading.fixed, reading.moving), images)
        known = np.isfinite(given) & np.isfinite(other)
        if known.sum() < FEWEST or (other < given)[known].mean() < _WINS:
            continue
        ratio = float(np.median(other[known]) / max(np.median(given[known]), 1e-12))
        if ratio <= _BETTER and ratio < best[0]:
            best = ratio, reading
    return f"the images agree much better at the {name} with {best[1].how}: {best[1].why}" if best[1] else ""


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
