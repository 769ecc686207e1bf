"""Inverse consistency: how far a point is from where it began after the way there and back.

Source: Christensen and Johnson, "Consistent image registration", IEEE TMI 2001: for a fixed point x the distance
``|B(A(x)) - x|``, where A takes fixed points to moving points and B moving points to fixed points.
"""

from __future__ import annotations

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.metrics.mapping import Mapping, map_points, outside_field


def inverse_consistency(forward: Mapping, backward: Mapping, grid: ImageGrid, inside: np.ndarray | None = None, most: int = 60_000) -> dict:
    """Distance of fixed points from themselves after the way there and back.

    Args:
        forward: takes fixed points to moving points.
        backward: takes moving points to fixed points.
        grid: whose voxels are tried.
        inside: which of them (z, y, x), bool; None is all.
        most: evenly thinned out to so many at most.

    Returns:
        "points": how many came back; "outside": how many left the inverse's grid, which says nothing of them; and of those that
        came back mean, median, percentile95 and max, mm.

    Raises:
        InputError: if no point comes into the inverse's grid.
    """
    number = np.arange(grid.voxels) if inside is None else np.flatnonzero(inside)
    number = number[:: max(1, -(-len(number) // most))]
    index = np.stack(np.unravel_index(number, grid.shape)[::-1], axis=1)
    points = grid.index_to_physical(index)
    there = map_points(forward, points)
    known = ~outside_field(backward, there)
    if not known.any():
        raise InputError(
            "the transform takes no point of the fixed image into the grid of the inverse", "give the inverse that belongs to it"
        )
    error = np.linalg.norm(map_points(backward, there[known]) - points[known], axis=1)
    median, percentile95 = np.percentile(error, [50, 95])
    return {
        "points": int(known.sum()),
        "outside": int((~known).sum()),
        "mean": float(error.mean()),
        "median": float(median),
        "percentile95": float(percentile95),
        "max": float(error.max()),
    }
