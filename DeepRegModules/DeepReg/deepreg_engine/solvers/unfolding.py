"""Repair of folds, where the Jacobian determinant of a field is not positive.

The regularised solvers rarely produce folds; contradictory evidence can leave a few folded voxels. Only there, the field is replaced by
local averages over increasing neighbourhoods until its Jacobian determinant is positive.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

# Below this determinant a voxel is repaired: a margin above 0, because other difference schemes give other values.
_LEAST_DETERMINANT = 0.05
_ROUNDS = 20


def jacobian_determinant(field: torch.Tensor) -> torch.Tensor:
    """Return the determinant of 1 + du/dx (z, y, x) of a field (3, z, y, x) in voxels: central differences, one-sided at the faces."""
    rows = []
    for component in range(3):
        gradient = torch.gradient(field[component])  # along z, y, x
        rows.append([gradient[2 - axis] + (1.0 if axis == component else 0.0) for axis in range(3)])
    (a, b, c), (d, e, f), (g, h, i) = rows
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def unfold(field: torch.Tensor) -> torch.Tensor:
    """Return the field (3, z, y, x), voxels, with its folds smoothed out; the same tensor if there are none."""
    for number in range(_ROUNDS):
        folded = jacobian_determinant(field) < _LEAST_DETERMINANT
        if not bool(folded.any()):
            break
        reach = 2 + number // 3
        near = _average(folded[None].to(field.dtype), reach) > 0
        share = _average(near.to(field.dtype), reach)  # 1 at the fold, falling off to 0
        field = field + share * (_average(_average(field, reach), reach) - field)
    return field


def _average(volume: torch.Tensor, reach: int) -> torch.Tensor:
    padded = F.pad(volume[None], (reach,) * 6, mode="replicate")
    return F.avg_pool3d(padded, 2 * reach + 1, stride=1)[0]
