"""Inverse consistency: the distance of a point from itself after the forward and the backward transform.

For a fixed point x it is ``|B(A(x)) - x|``, where A maps fixed points to moving points and B maps moving points to fixed points
(Christensen and Johnson, "Consistent image registration", IEEE TMI 2001).
"""

from __future__ import annotations

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.metrics.landmarks import summarize
from deepreg_engine.metrics.mapping import Mapping, map_points, outside_field


def inverse_consistency(forward: Mapping, backward: Mapping, grid: ImageGrid, inside: np.ndarray | None = None, most: int = 60_000) -> dict:
    """Measure the inverse consistency at the voxels of a grid.

    Args:
        forward: maps fixed points to moving points.
        backward: maps moving points to fixed points.
        grid: whose voxels are tested.
        inside: which of them (z, y, x), bool; None for all.
        most: largest number of voxels; more are evenly subsampled.

    Returns:
        "points": number of voxels that were measured; "outside": number of voxels that the forward transform takes out of the grid of the
        backward one, where it is not known; and "mean", "median", "percentile95" and "max" of the distances, mm.

    Raises:
        InputError: if no voxel can be measured.
    """
    number = np.arange(grid.voxels) if inside is None else np.flatnonzero(inside)
    number = number[:: max(1, -(-len(number) // most))]
    index = np.stack(np.unravel_index(number, grid.shape)[::-1], axis=1)
    points = grid.index_to_physical(index)
    there = map_points(forward, points)
    known = ~outside_field(backward, there)
    if not known.any():
        raise InputError(
            "the transform maps no point of the fixed image into the grid of the inverse transform",
            "give the inverse that belongs to the transform",
            "inverse",
        )
    found = summarize(map_points(backward, there[known]) - points[known])
    return {
        "points": found["count"],
        "outside": int((~known).sum()),
        **{key: found[key] for key in ("mean", "median", "percentile95", "max")},
    }
