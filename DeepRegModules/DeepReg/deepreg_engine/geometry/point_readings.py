"""The ways in which coordinates of points are mistaken for LPS millimetres: other frames, units and orders, and voxel indices. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.frames import flip_points
from deepreg_engine.geometry.image_grid import ImageGrid

Grids = Sequence[ImageGrid | None]
_Change = Callable[[np.ndarray, ImageGrid | None], np.ndarray]

#: Fewest pairs of landmarks that show how they were meant.
FEWEST = 4
# A coordinate that is this close to a whole number counts as whole.
_WHOLE = 1e-6


@dataclass(frozen=True)
class Reading:
    """Another way to read two lists of landmarks.

    Args:
        how: what is changed; follows "with" in a message.
        why: the mistake that the change would correct.
        fixed, moving: the changed positions (N, 3), LPS mm.
    """

    how: str
    why: str
    fixed: np.ndarray
    moving: np.ndarray


def _indices(points: np.ndarray, grid: ImageGrid | None) -> np.ndarray:
    """Return the positions (N, 3) of points that are indices of voxels; without a grid, the points."""
    return points if grid is None else grid.index_to_physical(_unsigned(points))


def _unsigned(points: np.ndarray) -> np.ndarray:
    """Return points (N, 3), without the signs of a file in RAS: indices are not negative."""
    return flip_points(points) if (points[:, :2] <= 0.0).all() else points


#: How all points are changed, what that shows, and the positions (N, 3) that it gives; those of indices need a grid.
_CHANGES: tuple[tuple[str, str, _Change], ...] = (
    ("x and y of all landmarks mirrored", "the points seem to be in RAS instead of LPS", lambda points, grid: flip_points(points)),
    ("x and z of all landmarks exchanged", "the coordinates seem to be in the order z, y, x", lambda points, grid: points[:, ::-1]),
    ("all landmarks times 10", "the points seem to be in centimetres", lambda points, grid: 10.0 * points),
    ("all landmarks times 1000", "the points seem to be in metres", lambda points, grid: 1000.0 * points),
)
_OF_VOXELS: tuple[tuple[str, str, _Change], ...] = (
    ("all landmarks as voxel indices", "they seem to be indices instead of mm", _indices),
    (
        "all landmarks as voxel indices in the order z, y, x",
        "they seem to be indices instead of mm",
        lambda points, grid: _indices(_unsigned(points)[:, ::-1], grid),
    ),
)


def readings(fixed: np.ndarray, moving: np.ndarray, grids: Grids = (None, None)) -> Iterator[Reading]:
    """Yield the other ways to read two lists of corresponding landmarks (N, 3), which were read as LPS mm.

    Args:
        fixed, moving: the landmarks.
        grids: of the fixed and the moving image; voxel indices are tried if both are known.
    """
    ras = "seem to be in RAS instead of LPS"
    changes = [*_CHANGES, *(_OF_VOXELS if all(grid is not None for grid in grids) else ())]
    for how, why, change in changes:
        yield Reading(how, why, change(fixed, grids[0]), change(moving, grids[1]))
    yield Reading("x and y of the fixed landmarks mirrored", f"the fixed points {ras}", flip_points(fixed), moving)
    yield Reading("x and y of the moving landmarks mirrored", f"the moving points {ras}", fixed, flip_points(moving))
    yield Reading("fixed and moving landmarks exchanged", "the lists seem to be exchanged", moving, fixed)


def check_place(
    name: str,
    points: Sequence[np.ndarray],
    grids: Grids,
    option: str = "{side}_points",
    places: Sequence[str] = ("the fixed image", "the moving image"),
) -> list[str]:
    """Check that fixed and moving points (N, 3), LPS mm, lie in the fixed and the moving image.

    Args:
        name: of the points, for messages.
        points, grids: fixed and moving; a grid may be None.
        option: name of the input, with ``{side}`` for "fixed" or "moving".
        places: what the grids are, for messages.

    Returns:
        Notes on points outside the grids, and on those that may be voxel indices.

    Raises:
        InputError: if all points of a side lie outside.
    """
    notes = []
    for positions, grid, side, place in zip(points, grids, ("fixed", "moving"), places, strict=True):
        if grid is None:
            continue
        inside = grid.contains(positions)
        what = name.format(side=side) if "{side}" in name else f"{side} {name}"
        if not inside.any():
            raise InputError(f"none of the {len(positions)} {what} lies in {place}", _advice(positions, grid), option.format(side=side))
        if not inside.all():
            more = ": with x and y mirrored all lie inside, as points in RAS would" if grid.contains(flip_points(positions)).all() else ""
            notes.append(f"{int((~inside).sum())} of {len(positions)} {what} lie outside {place}{more}")
        if _may_be_indices(positions, grid):
            notes.append(f"the {what} are whole numbers that fit the size of {place}: they were read as mm, not as voxel indices")
    return notes


def _advice(positions: np.ndarray, grid: ImageGrid) -> str:
    """Return what to do with points (N, 3) that all lie outside a grid."""
    if grid.contains(flip_points(positions)).all():
        return "with x and y mirrored all lie inside: they are in RAS, and a CSV file has to be in LPS mm"
    if _may_be_indices(positions, grid):
        return "they are whole numbers that fit its size: give millimetres, not voxel indices"
    for how, why, change in (*_CHANGES, *_OF_VOXELS):
        if grid.contains(change(positions, grid)).all():
            return f"with {how} all lie inside: {why}"
    return "check that they belong to it and are in LPS mm (CSV) or have a frame (.mrk.json, .fcsv)"


def _may_be_indices(positions: np.ndarray, grid: ImageGrid) -> bool:
    """Return whether points (N, 3) may be indices of voxels of the grid."""
    positions = _unsigned(positions)
    whole = bool((np.abs(positions - np.rint(positions)) < _WHOLE).all())
    return len(positions) >= FEWEST and whole and bool((positions >= 0).all() and (positions < grid.size).all())
