"""Three planes through a point along the axes of the fixed image, in radiological orientation.

Axial planes are viewed from the feet, so that the patient's right is at the left of the picture; coronal ones from the front; sagittal
ones from the patient's left, so that anterior is at the left of the picture. An oblique image is cut along its own axes, not along the
patient's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from deepreg_engine.geometry.image_grid import ImageGrid

# A direction is named by the patient's axes along which it has at least this component: one letter for most scans, two or three for
# strongly oblique ones, as in DICOM.
_SHARE = 0.38
# Maximal number of pixels along a side of a voxel: enough for fine lines over coarse images.
_FINEST = 4.0
_LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))
# Name, axis across, axis down and its sign, axis through; axes are ordered left, posterior, superior.
_CUTS = (("axial", 0, (1, 1.0), 2), ("coronal", 0, (2, -1.0), 1), ("sagittal", 1, (2, -1.0), 0))


@dataclass(frozen=True)
class Plane:
    """One plane.

    Args:
        name: axial, coronal, or sagittal: the nearest of them.
        grid: of square pixels, (width, height, 1); its first axis points to the right of the picture, the second down.
        sides: letters of the patient's side at the left, right, top and bottom.
        cross: position of the point in the picture, in pixels from its left and top edge.
    """

    name: str
    grid: ImageGrid
    sides: tuple[str, str, str, str]
    cross: tuple[float, float]


def planes(fixed: ImageGrid, point: np.ndarray, pixels: int) -> list[Plane]:
    """Return the axial, coronal and sagittal plane through the voxel of the fixed image that contains a point.

    Args:
        fixed: the grid of the fixed image.
        point: (3,), LPS mm; outside the image its nearest voxel is used.
        pixels: maximal number along the longest side.
    """
    axes, order = patient_axes(fixed)
    voxel = np.clip(np.round(fixed.physical_to_index(point[None])[0]), 0, np.array(fixed.size) - 1)
    middle = fixed.index_to_physical(voxel[None])[0]
    extent = fixed.extent[order]
    step = max(min(fixed.spacing) / _FINEST, float(extent.max()) / pixels)
    offset = axes.T @ (middle - fixed.centre)  # of the point from the middle, along the axes
    found = []
    for name, across, (down, sign), through in _CUTS:
        columns = axes[:, across], sign * axes[:, down], axes[:, through]
        size = np.maximum(np.round(extent[[across, down]] / step).astype(int), 1)
        centre = fixed.centre + columns[2] * offset[through]
        origin = centre - columns[0] * step * (size[0] - 1) / 2 - columns[1] * step * (size[1] - 1) / 2
        grid = ImageGrid(
            (*size.tolist(), 1), (step, step, fixed.spacing[order[through]]), tuple(origin), tuple(np.stack(columns, axis=1).ravel())
        )
        cross = size / 2 + np.array([offset[across], sign * offset[down]]) / step
        sides = (letters(-columns[0]), letters(columns[0]), letters(-columns[1]), letters(columns[1]))
        found.append(Plane(name, grid, sides, (float(cross[0]), float(cross[1]))))
    return found


def patient_axes(grid: ImageGrid) -> tuple[np.ndarray, list[int]]:
    """Return the axes of a grid (3, 3) as columns, ordered and signed as left, posterior and superior; and their numbers in the grid."""
    order = list(max(permutations(range(3)), key=lambda some: sum(abs(grid.axes[row, axis]) for row, axis in enumerate(some))))
    axes = grid.axes[:, order]
    return axes * np.where(np.diag(axes) < 0, -1.0, 1.0), order


def obliqueness(grid: ImageGrid) -> float:
    """Return the largest angle between an axis of a grid and the nearest axis of the patient, degrees."""
    axes, _ = patient_axes(grid)
    return float(np.degrees(np.arccos(np.clip(np.diag(axes).min(), -1.0, 1.0))))


def letters(direction: np.ndarray) -> str:
    """Return the patient's side to which a direction (3,), LPS, points: "L", or "LA" between two, the larger component first."""
    shares = sorted(range(3), key=lambda axis: -abs(direction[axis]))
    kept = [axis for axis in shares if abs(direction[axis]) >= _SHARE]
    return "".join(_LETTERS[axis][0 if direction[axis] > 0 else 1] for axis in kept)
