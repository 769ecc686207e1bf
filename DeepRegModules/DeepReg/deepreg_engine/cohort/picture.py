"""A small picture of a row: axial, coronal and sagittal slices through the middle of the fixed image, before and after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.reporting.grey import grey_windows, scaled
from deepreg_engine.reporting.interest import drawn
from deepreg_engine.reporting.pictures import blend
from deepreg_engine.reporting.planes import planes
from deepreg_engine.reporting.png import png

# Pixels along the longest side of a slice, and between two slices.
_PIXELS, _GAP = 150, 4
_WHITE = 255


def write_picture(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform, path: Path) -> None:
    """Write the picture as PNG: top before, bottom after the registration; fixed in magenta, moving in green, grey where aligned.

    Args:
        fixed, moving: images.
        transform: from fixed to moving points.
        path: of the file.
    """
    grid = ImageGrid.of(fixed)
    windows = grey_windows(fixed, moving)
    rows: list[list[np.ndarray]] = [[], []]
    for plane in planes(grid, np.asarray(grid.centre), _PIXELS):
        own = scaled(drawn(fixed, plane.grid, None)[0], windows[0])
        for row, through in zip(rows, (None, transform), strict=True):
            row.append(blend(own, moving, plane.grid, through, windows[1]))
    path.write_bytes(png(np.concatenate([_beside(row) for row in rows])))


def _beside(pictures: list[np.ndarray]) -> np.ndarray:
    """Return pictures beside each other on white."""
    height = max(each.shape[0] for each in pictures) + _GAP
    parts = []
    for each in pictures:
        part = np.full((height, each.shape[1] + _GAP, 3), _WHITE, dtype=np.uint8)
        part[: each.shape[0], : each.shape[1]] = each
        parts.append(part)
    return np.concatenate(parts, axis=1)
