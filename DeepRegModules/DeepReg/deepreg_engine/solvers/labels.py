"""Displacement labels of a cost volume: their probabilities, expectation and uncertainty.

    p(k, .) = softmax(-a5 s(k, .)),   u(k) = sum_d p(k, d) d          (Heinrich, MICCAI 2019, section 2)

Displacements here are in steps of the label lattice, -radius .. radius along each axis, components x, y, z.
"""

from __future__ import annotations

import math
from typing import cast

import torch


def label_vectors(radius: int, like: torch.Tensor) -> torch.Tensor:
    """Return the labels (3, L^3), components x, y, z, in the order in which a cost volume holds them (x fastest)."""
    steps = torch.arange(-radius, radius + 1, dtype=like.dtype, device=like.device)
    z, y, x = torch.meshgrid(steps, steps, steps, indexing="ij")
    return torch.stack([x, y, z]).reshape(3, -1)


def radius_of(cost: torch.Tensor) -> int:
    """Return the radius of the labels of a cost volume (Kz, Ky, L, L, L, Kx)."""
    return (cost.shape[2] - 1) // 2


def as_rows(cost: torch.Tensor) -> torch.Tensor:
    """Return a cost volume (Kz, Ky, L, L, L, Kx) as rows (Kz * Ky, L^3, Kx)."""
    planes, rows, *_, columns = cost.shape
    return cost.reshape(planes * rows, -1, columns)


def rows_to_grid(values: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Return the values of rows (Kz * Ky, n, Kx) as a volume (n, Kz, Ky, Kx), for a cost volume of the given shape."""
    return values.view(shape[0], shape[1], -1, shape[5]).permute(2, 0, 1, 3).contiguous()


def grid_to_rows(values: torch.Tensor) -> torch.Tensor:
    """Return a volume (n, Kz, Ky, Kx) as rows (Kz * Ky, n, Kx)."""
    return values.permute(1, 2, 0, 3).reshape(-1, values.shape[0], values.shape[3])


def probabilities(cost: torch.Tensor, sharpness: float | torch.Tensor) -> torch.Tensor:
    """Return p(k, .) = softmax(-a5 s(k, .)) over the labels of each control point; ``sharpness`` is a5; the layout of the cost volume."""
    return torch.softmax(as_rows(cost) * -sharpness, dim=1).view(cost.shape)


def expected_displacement(probability: torch.Tensor) -> torch.Tensor:
    """Return the soft arg-min u(k) = sum_d p(k, d) d (3, Kz, Ky, Kx), in steps, of label probabilities (Kz, Ky, L, L, L, Kx)."""
    labels = label_vectors(radius_of(probability), probability)
    return rows_to_grid(torch.matmul(labels, as_rows(probability)), probability.shape)


def standard_deviation(probability: torch.Tensor) -> torch.Tensor:
    """Return the root of the trace of the covariance of the displacement (Kz, Ky, Kx), in steps: the uncertainty."""
    labels = label_vectors(radius_of(probability), probability)
    moments = torch.cat([labels, labels.square().sum(0, keepdim=True)])
    moments = rows_to_grid(torch.matmul(moments, as_rows(probability)), probability.shape)
    return (moments[3] - moments[:3].square().sum(0)).clamp(min=0).sqrt()


def entropy(probability: torch.Tensor) -> torch.Tensor:
    """Return the entropy of the labels (Kz, Ky, Kx) as a share of its largest value, log L^3: 0 for one certain label, 1 for equal
    probabilities."""
    rows = as_rows(probability)
    bits = -torch.xlogy(rows, rows).sum(1, keepdim=True) / math.log(rows.shape[1])
    return rows_to_grid(bits, probability.shape)[0]


def interpolate_labels(values: torch.Tensor, displacement: torch.Tensor) -> torch.Tensor:
    """Return trilinear values between labels, differentiable in both.

    Args:
        values: of each control point and label (Kz, Ky, L, L, L, Kx).
        displacement: one for each control point (3, Kz, Ky, Kx), in steps; clipped to the range of the labels.

    Returns:
        (Kz, Ky, Kx).
    """
    radius = radius_of(values)
    count = 2 * radius + 1
    place = (grid_to_rows(displacement) + radius).clamp(0, count - 1)
    lower = place.detach().floor().clamp(max=count - 2)
    weight = place - lower
    lower = lower.long()
    rows = as_rows(values)
    total: torch.Tensor | float = 0.0
    for corner in range(8):
        offset = [(corner >> axis) & 1 for axis in range(3)]
        index = cast(torch.Tensor, sum((lower[:, axis] + offset[axis]) * count**axis for axis in range(3)))
        share = torch.ones_like(weight[:, 0])
        for axis in range(3):
            share = share * (weight[:, axis] if offset[axis] else 1.0 - weight[:, axis])
        total = total + share * rows.gather(1, index[:, None])[:, 0]
    return cast(torch.Tensor, total).view(values.shape[0], values.shape[1], values.shape[5])
