"""How well the features of two images agree under a deformation, and whether a result agrees better than what it began with.

The mismatch is the mean squared difference of the features F and M over the weighted voxels, as a share of the mean squared difference v of
unrelated points. Voxels whose partner lies outside the moving image count as unrelated:

    E(u) = (sum_x w(x) |F(x) - M(x + u(x))|^2 / v + sum_x (m(x) - w(x))) / sum_x m(x),

with the fixed mask m, and w = m where the moving image is known and within its mask, 0 elsewhere. So a deformation that moves the images
apart does not seem good for lack of a comparison.
"""

from __future__ import annotations

import torch

from deepreg_engine.methods.common.level import LevelData


def mismatch(data: LevelData, field: torch.Tensor, unit: float = 0.0) -> tuple[float, float]:
    """Return the mismatch E of the images of a level under a field, and its unit.

    Args:
        data: of the level.
        field: (3, z, y, x), voxels.
        unit: v, of an earlier call, so that both mismatches have one unit; 0 computes it.
    """
    fixed = data.fixed_features()
    features, coverage, moving_mask = data.warped_best_padding(field)
    inside = torch.ones_like(coverage) if data.fixed_mask is None else data.fixed_mask
    weights = (coverage > 0.5).to(coverage.dtype) * inside
    if moving_mask is not None:
        weights = weights * moving_mask
    if not unit:
        unit = unrelated_mismatch(fixed, features, weights)
    residual = (fixed - features).square().mean(0)
    total = float(inside.sum())
    return (float((residual * weights).sum()) / unit + total - float(weights.sum())) / max(total, 1.0), unit


def unrelated_mismatch(fixed: torch.Tensor, moving: torch.Tensor, weights: torch.Tensor) -> float:
    """Return v, the mean squared difference of features of unrelated points: the sum of both variances and the squared difference of means.

    Args:
        fixed, moving: features (C, z, y, x).
        weights: of the voxels (z, y, x).
    """
    total, share = 0.0, weights / weights.sum().clamp(min=1.0)
    for one, other in zip(fixed, moving, strict=True):
        means = [(side * share).sum() for side in (one, other)]
        total += sum(float((share * (side - mean).square()).sum()) for side, mean in zip((one, other), means, strict=True))
        total += float((means[0] - means[1]).square())
    return total / len(fixed) or 1.0
