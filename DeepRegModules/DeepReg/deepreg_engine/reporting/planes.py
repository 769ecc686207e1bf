"""Three planes through a point, along the fixed image's own axes, as a radiologist has them on the screen.

Axial planes are seen from the feet, so that the patient's right is at the left of the picture; coronal ones from the front; sagittal
ones from the patient's left, so that the front is at the left of the picture. An oblique image is cut along its own axes,
not along the patient's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from deepreg_engine.geometry.image_grid import ImageGrid

# A direction is named by those of the patient's axes along which it goes at least so far: one letter for most scans, two or three
# for steeply oblique ones, as DICOM has it.
_SHARE = 0.38
# A voxel of a coarse image is drawn with so many pixels a side at most: lines over it are fine then, and more would show nothing.
_FINEST = 4.0
_LETTERS = (("L", "R"), ("P", "A"), ("S", "I"))
# name, axis across, axis down and its sign, axis through; axes in the order to the left, to the back, to the head.
_CUTS = (("axial", 0, (1, 1.0), 2), ("coronal", 0, (2, -1.0), 1), ("sagittal", 1, (2, -1.0), 0))


@dataclass(frozen=True)
class Plane:
    """One plane.

    Args:
        name: axial, coronal, or sagittal: that which the image's axes come next to.
        grid: of square pixels, (width, height, 1); its first axis goes to the right of the picture, the second down.
        sides: letters of the patient's side at the left, right, top and bottom.
        cross: where the point is in the picture, in pixels from its left and top edge.
    """

    name: str
    grid: ImageGrid
    sides: tuple[str, str, str, str]
    cross: tuple[float, float]


def planes(fixed: ImageGrid, point: np.ndarray, pixels: int) -> list[Plane]:
    """The axial, coronal and sagittal plane through the voxel of the fixed image that a point lies in.

    Args:
        fixed: the grid of the fixed image.
        point: (3,), LPS mm; one outside the image is taken to its nearest voxel.
        pixels: at most so many along the longest side.
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
    """The grid's axes (3, 3) as columns that come next to the patient's: to the left, to the back, to the head; and which they are."""
    order = list(max(permutations(range(3)), key=lambda some: sum(abs(grid.axes[row, axis]) for row, axis in enumerate(some))))
    axes = grid.axes[:, order]
    return axes * np.where(np.diag(axes) < 0, -1.0, 1.0), order


def obliqueness(grid: ImageGrid) -> float:
    """Angle of the axis that is furthest from the patient's axis that it comes next to, degrees."""
    axes, _ = patient_axes(grid)
    return float(np.degrees(np.arccos(np.clip(np.diag(axes).min(), -1.0, 1.0))))


def letters(direction: np.ndarray) -> str:
    """The patient's side that a direction (3,), LPS, goes to: "L", or "LA" for one between two, the larger share first."""
    shares = sorted(range(3), key=lambda axis: -abs(direction[axis]))
    kept = [axis for axis in shares if abs(direction[axis]) >= _SHARE]
    return "".join(_LETTERS[axis][0 if direction[axis] > 0 else 1] for axis in kept)
