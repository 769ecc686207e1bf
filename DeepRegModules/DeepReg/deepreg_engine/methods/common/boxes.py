"""Boxes of voxels in which a computation is repeated."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from deepreg_engine.arrays import array_of

Box = tuple[slice, ...]

# Edge length of the cells into which a volume is divided, voxels.
_CELL = 4


def bounding_box(mask: torch.Tensor, margin: int) -> Box:
    """Return the bounding box of a mask (z, y, x) with a margin, voxels; an empty box if the mask is empty."""
    box = []
    for axis in range(3):
        others = [other for other in range(3) if other != axis]
        found = mask.any(dim=others[1]).any(dim=others[0]).nonzero()
        if not len(found):
            return (slice(0, 0),) * 3
        box.append(slice(max(0, int(found[0]) - margin), min(mask.shape[axis], int(found[-1]) + 1 + margin)))
    return tuple(box)


def boxes_around(mask: torch.Tensor, reach: int) -> list[Box]:
    """Return disjoint boxes that contain all voxels within ``reach`` voxels of a mask (z, y, x), and few others.

    The masks lie along the borders of a volume, so the boxes cover the volume except for a large box without mask voxels.
    """
    size = mask.shape
    if min(size) <= 2 * (_CELL + 2 * reach):
        return [tuple(slice(0, n) for n in size)] if bool(mask.any()) else []
    dilated = F.max_pool3d(mask[None].float(), _CELL + 2 * reach, _CELL, reach, ceil_mode=True)
    clear = _clear_box(array_of(dilated[0]) > 0)
    boxes, rest = [], [slice(0, n) for n in size]
    for axis, count in enumerate(size):
        start, stop = (min(end * _CELL, count) for end in (clear[axis].start, clear[axis].stop))
        for part in (slice(0, start), slice(stop, count)):
            if part.stop > part.start:
                boxes.append((*rest[:axis], part, *rest[axis + 1 :]))
        rest[axis] = slice(start, stop)
        if start == stop:
            break
    return boxes


def _clear_box(cells: np.ndarray) -> Box:
    """Return a large box without marked cells (z, y, x): the face with the largest marked share is removed until none is marked."""
    low, high = [0, 0, 0], list(cells.shape)
    while (inside := cells[tuple(map(slice, low, high))]).any():
        shares = [(inside.take(end, axis).mean(), axis, end) for axis in range(3) for end in (0, -1)]
        _, axis, end = max(shares)
        if end:
            high[axis] -= 1
        else:
            low[axis] += 1
    return tuple(map(slice, low, high))
