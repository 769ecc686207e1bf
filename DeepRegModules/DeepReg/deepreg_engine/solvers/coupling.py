"""The smooth displacement field of least cost in a cost volume, computed by alternating between labels and field.

    E(u) = sum_k s(k, u(k)) + lambda E_bend(u)

is split by a copy of the field (Heinrich, Papiez, Schnabel, Handels, "Non-parametric discrete registration with convex
optimisation", WBIR 2014): each control point takes its best label given the field around it,

    d*(k) = argmin_d  s(k, d) + theta/2 |d - u(k)|^2,

and the field is the smooth field nearest to these labels. theta grows, so that early rounds allow large changes and late rounds converge.
Three properties make the result robust and accurate:

* around d* the cost is a parabola along each axis: its minimum lies between labels, and its curvature is the weight of
  that control point, so that edges constrain the field along their normal, and homogeneous tissue follows its neighbourhood;
* the force of a parabola far from the field is unlimited. There the weight is that of the chord, 2 (s(u) - s(d*)) / |d* - u|^2:
  the force of a control point is limited by its decrease of cost;
* the smooth field is a thin plate (see :mod:`smoothness`), not a blurred one: translations and shears have no cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from deepreg_engine.solvers.labels import as_rows, grid_to_rows, label_vectors, radius_of, rows_to_grid
from deepreg_engine.solvers.smoothness import smooth_field

# The coupling of each round, in units of the largest cost a control point can have; chosen once, for all presets.
THETAS = (0.0, 0.001, 0.003, 0.01, 0.03)
# Beyond this distance (steps) from the field, weights are those of chords.
_CHORD_DISTANCE = 1.5
# Lower limit of the curvature, so that a parabola through three equal costs has a minimum.
_LEAST_CURVATURE = 1e-5


@dataclass(frozen=True)
class Guides:
    """Quadratic terms of known displacements: ``weight(k)/2 |d - target(k)|^2`` is added to the cost of label d.

    Args:
        weight: (Kz, Ky, Kx), in units of cost per squared step; 0 without a guide.
        target: (3, Kz, Ky, Kx), in steps.
    """

    weight: torch.Tensor
    target: torch.Tensor

    def cost(self, labels: torch.Tensor) -> torch.Tensor:
        """Return the term for labels (3, L^3), as rows (Kz * Ky, L^3, Kx), up to a constant of each control point."""
        weight, target = grid_to_rows(self.weight[None]), grid_to_rows(self.target)
        return 0.5 * weight * labels.square().sum(0)[:, None] - torch.matmul(labels.T, weight * target)


def couple(
    cost: torch.Tensor,
    smoothness: float,
    confidence: torch.Tensor | None = None,
    guides: Guides | None = None,
    thetas: Sequence[float] = THETAS,
    iterations: int = 20,
    tolerance: float = 1e-3,
) -> torch.Tensor:
    """Return the field u that minimises the cost of its labels and its bending.

    Args:
        cost: s (Kz, Ky, L, L, L, Kx).
        smoothness: lambda, in units of cost, with control points one apart and displacements in steps.
        confidence: factor on the weight of each control point (Kz, Ky, Kx); 1 by default.
        guides: known displacements, if any.
        thetas: the coupling of each round.
        iterations: of conjugate gradients, each round.
        tolerance: residual, relative to the first, at which they end.

    Returns:
        (3, Kz, Ky, Kx), in steps; differentiable in the cost, given the labels that were chosen.
    """
    radius = radius_of(cost)
    labels = label_vectors(radius, cost)
    rows = as_rows(cost)
    shape = cost.shape
    field = torch.zeros(3, shape[0], shape[1], shape[5], dtype=cost.dtype, device=cost.device)
    if guides is not None:
        # Half of a guide is a cost of labels, so that labels near it are chosen; half acts on the field, so that it has an effect outside
        # the range of the labels and where the confidence is low.
        rows = rows + 0.5 * guides.cost(labels)
    for theta in thetas:
        best = _best_labels(rows, labels, grid_to_rows(field), theta)
        centre, curvature, lowest = _parabolas(rows, best, radius)
        weight = _limit_by_chord(curvature, centre, lowest, rows, grid_to_rows(field), radius)
        weight, centre = rows_to_grid(weight, shape), rows_to_grid(centre, shape)
        if confidence is not None:
            weight = weight * confidence[None]
        if guides is not None:
            pull = 0.5 * guides.weight[None]
            weight, evidence = weight + pull, weight * centre + pull * guides.target
        else:
            evidence = weight * centre
        field = smooth_field(weight, evidence, smoothness, field.detach(), iterations, tolerance)
    return field


@torch.no_grad()
def _best_labels(rows: torch.Tensor, labels: torch.Tensor, field: torch.Tensor, theta: float) -> torch.Tensor:
    """Return argmin over labels of cost + theta/2 |d - u|^2, (rows, 1, Kx)."""
    if theta == 0.0:
        return rows.argmin(1, keepdim=True)
    best = torch.empty(rows.shape[0], 1, rows.shape[2], dtype=torch.long, device=rows.device)
    design = torch.cat([labels, 0.5 * theta * labels.square().sum(0, keepdim=True)]).T.contiguous()  # (L^3, 4)
    one = torch.ones_like(field[:, :1])
    load = torch.cat([-theta * field, one], dim=1)
    step = 8 if rows.device.type == "cpu" else max(1, (1 << 25) // rows[0].numel())
    for start in range(0, len(rows), step):
        block = slice(start, start + step)
        best[block] = (
            torch.baddbmm(rows[block], design.expand(len(rows[block]), -1, -1), load[block]).min(1, keepdim=True).indices
        )  # faster than argmin
    return best


def _parabolas(rows: torch.Tensor, best: torch.Tensor, radius: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return minimum (rows, 3, Kx), curvature (rows, 3, Kx) of the parabola along each axis, and cost at the best labels."""
    count = 2 * radius + 1
    centres, curvatures = [], []
    for axis in range(3):
        stride = count**axis
        place = (best // stride) % count
        inner = best + stride * ((place == 0).long() - (place == count - 1).long())  # the label has neighbours on both sides
        below, at, above = (rows.gather(1, inner + offset) for offset in (-stride, 0, stride))
        curvature = (above + below - 2.0 * at).clamp(min=_LEAST_CURVATURE)
        slope = 0.5 * (above - below)
        centres.append(((inner // stride) % count - radius).to(rows.dtype) + (-slope / curvature).clamp(-1.0, 1.0))
        curvatures.append(curvature)
    return torch.cat(centres, 1), torch.cat(curvatures, 1), rows.gather(1, best)


def _limit_by_chord(
    curvature: torch.Tensor, centre: torch.Tensor, lowest: torch.Tensor, rows: torch.Tensor, field: torch.Tensor, radius: int
) -> torch.Tensor:
    count = 2 * radius + 1
    nearest = (field.detach().round() + radius).clamp(0, count - 1).long()
    here = rows.gather(1, nearest[:, :1] + count * nearest[:, 1:2] + count**2 * nearest[:, 2:3])
    squared = (centre - field).square().sum(1, keepdim=True)
    chord = 2.0 * (here - lowest).clamp(min=0.0) / squared.clamp(min=1.0)
    return torch.where(squared > _CHORD_DISTANCE**2, torch.minimum(curvature, chord), curvature)
