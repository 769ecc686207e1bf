"""Coherent point drift: expectation-maximisation that moves a point cloud coherently onto another, in closed-form steps.

The template's points are the centres of a Gaussian mixture, the target's points its samples. In turn, the E-step computes the
probability with which each target point belongs to each centre, and the M-step moves all centres rigidly, by an affine map or by
a smooth displacement. Myronenko and Song, "Point set registration: coherent point drift", TPAMI 2010; equation numbers are theirs.

A prior pi(m, n) from the similarity of the points' features takes the place of the uniform 1/N (Hansen, Dittmer, Heinrich, GLMI 2019).
Every step is differentiable, also with respect to the prior.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from deepreg_engine.solvers.kernel import Factor, Kernel, SmoothMap, Term, factorise, weighted_fit
from deepreg_engine.solvers.neighbours import squared_distances

# Pairs of points whose probabilities are in memory at once: they fit into the processor's cache.
_PAIRS = 250_000
_PAIRS_GPU = 200_000_000
# Above this sigma, mm, and this share of the cloud's squared radius for sigma^2, float32 is enough for distances.
_SINGLE, _SINGLE_SHARE = 1.0, 1e-5
# Lower limit of exponents: processors are thirty times slower for results below the smallest normal number. A target point is far from all
# centres if no weight is above this.
_LEAST, _LOST = -80.0, 1e-25
# Lower limit of sigma, mm: float64 allows less, but no scan is as accurate.
_NARROWEST = 1e-3

Step = Callable[[int, float], None]


@dataclass(frozen=True)
class Sums:
    """Sums of the probabilities P (N, M) that the M-steps need.

    Args:
        rows: P 1 (N,).
        columns: P' 1 (M,).
        targets: P X (N, 3).
    """

    rows: Tensor
    columns: Tensor
    targets: Tensor


def expectation(moved: Tensor, target: Tensor, variance: Tensor, outliers: float, prior: Tensor | None = None) -> Sums:
    """The E-step: the probability that each target point x_n belongs to each moved centre T(y_m).

        P(m, n) = pi(m, n) exp(-|x_n - T(y_m)|^2 / 2 sigma^2) / (sum_k pi(k, n) exp(-|x_n - T(y_k)|^2 / 2 sigma^2) + c)

    with c of :func:`outlier_density`. With pi = 1 this is eq. 6 of Myronenko and Song; with the prior of :func:`feature_prior` it is the
    E-step of Hansen, Dittmer, Heinrich, GLMI 2019. Only sums of P are returned; P is never completely in memory.

    Args:
        moved: centres (N, 3).
        target: points (M, 3).
        variance: sigma^2.
        outliers: w, the share of target points that belong to no centre, 0 to below 1.
        prior: (N, M), not negative, with mean 1 over the centres of each target point; None is the uniform one.
    """
    constant = outlier_density(moved, target, variance, outliers)
    centre = target.mean(0)
    first, second = moved - centre, target - centre
    if not torch.is_grad_enabled():
        radius = float((second * second).sum(1).max())
        if float(variance) > max(_SINGLE**2, _SINGLE_SHARE * radius):
            # Exponents in float32 are accurate enough, and twice as fast.
            first, second, variance, constant = first.float(), second.float(), variance.float(), constant.float()
    rows, columns, targets = _sums(first, second, variance, constant, outliers > 0.0, prior)
    rows, columns, targets = rows.to(moved), columns.to(moved), targets.to(moved)
    return Sums(rows, columns, targets + rows[:, None] * centre)


def outlier_density(moved: Tensor, target: Tensor, variance: Tensor, outliers: float) -> Tensor:
    """The outlier term in the denominator of eq. 6.

    Outliers have a uniform distribution in the bounding box of the target. (The paper's 1/M is the same for data scaled to unit volume; in
    millimetres it would classify all points as outliers while sigma is large.)
    """
    volume = (target.amax(0) - target.amin(0)).clamp(min=1.0).prod()
    return (2.0 * math.pi * variance) ** 1.5 * (outliers / (1.0 - outliers)) * len(moved) / volume


def _sums(
    moved: Tensor, target: Tensor, variance: Tensor, constant: Tensor, with_outliers: bool, prior: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    size = max(1, (_PAIRS_GPU if moved.is_cuda else _PAIRS) // len(moved))
    # The exponents -|x - y|^2 / (2 sigma^2) are one product of matrices, and so are all sums over the target.
    half = 0.5 / variance
    one, other = torch.ones_like(moved[:, :1]), torch.ones_like(target[:, :1])
    left = torch.cat([2.0 * half * moved, -half * (moved * moved).sum(1, keepdim=True), one], dim=1)
    right = torch.cat([target, other, -half * (target * target).sum(1, keepdim=True)], dim=1)
    values = torch.cat([other, target], dim=1).T
    columns: list[Tensor] = []
    sums: Tensor | float = 0.0
    for start in range(0, len(target), size):
        part = slice(start, start + size)
        weight = _weights(left, right[part], None if prior is None else prior[:, part], shifted=not with_outliers)
        total = weight.sum(0)
        share = 1.0 / (total + constant if with_outliers else total).clamp(min=torch.finfo(weight.dtype).tiny)
        columns.append(total * share)
        sums = sums + (share * values[:, part]) @ weight.T
    gathered = cast(Tensor, sums)
    return gathered[0], torch.cat(columns), gathered[1:].T


def _weights(left: Tensor, right: Tensor, prior: Tensor | None, shifted: bool) -> Tensor:
    """exp(left right') times the prior; shifted: a column that would vanish is scaled so that its largest exponent is 0."""
    weight = (left @ right.T).clamp_(_LEAST, 0.0).exp_()
    if shifted:
        # A target point far from all centres belongs to the nearest one, which avoids 0 / 0.
        lost = (weight.detach().amax(0) < _LOST).nonzero()[:, 0]
        if len(lost):
            exponent = left @ right[lost].T
            exponent = (exponent - exponent.detach().amax(0, keepdim=True)).clamp_(min=_LEAST)
            weight = weight.index_copy(1, lost, torch.exp(exponent))
    return weight if prior is None else weight * prior.to(weight)


def feature_prior(template: Tensor, target: Tensor, strength: Tensor | float) -> Tensor:
    """Prior of the E-step by the features f (N, C) of the centres and g (M, C) of the target points, with mean 1 over the centres:

        pi(m, n) = N softmax_m(-a |f_m - g_n|^2)                        (N, M)

    Args:
        template, target: features.
        strength: a; 0 gives the uniform prior.
    """
    likeness = torch.softmax(-strength * squared_distances(template, target), dim=0)
    return likeness * len(template)


def first_variance(template: Tensor, target: Tensor) -> Tensor:
    """Mean squared distance of all pairs, per axis: the initial sigma^2 (fig. 2 and 4)."""
    offset = template.mean(0) - target.mean(0)
    spread = ((template - template.mean(0)) ** 2).sum(1).mean() + ((target - target.mean(0)) ** 2).sum(1).mean()
    return (spread + (offset**2).sum()) / 3.0


def _variance(sums: Sums, moved: Tensor, target: Tensor) -> Tensor:
    """sigma^2 after an M-step (fig. 2 and 4)."""
    centre = target.mean(0)  # far from the origin the squares would cost digits
    first, second, targets = moved - centre, target - centre, sums.targets - sums.rows[:, None] * centre
    error = (sums.columns * (second**2).sum(1)).sum() - 2.0 * (targets * first).sum() + (sums.rows * (first**2).sum(1)).sum()
    return (error / (3.0 * sums.rows.sum().clamp(min=1e-12))).clamp(min=_NARROWEST**2)


@dataclass(frozen=True)
class Drift:
    """The result of coherent point drift.

    Args:
        map: of points of the template's frame.
        moved: the template's points (N, 3).
        variance: sigma^2, mm^2.
        rows: P 1 (N,): the approximate number of target points assigned to each point.
        iterations: done.
    """

    map: SmoothMap
    moved: Tensor
    variance: float
    rows: Tensor
    iterations: int


@dataclass(frozen=True)
class DriftOptions:
    """Options of the iterations of coherent point drift.

    Args:
        outliers: w, the share of target points that belong to no centre, 0 to below 1.
        iterations: at most.
        tolerance: it ends when sigma changes by less than this share.
        variance: sigma^2 (mm^2) to start from; by default that of all pairs.
        step: called after each iteration with its number and sigma (mm); it may raise to stop.
    """

    outliers: float = 0.1
    iterations: int = 60
    tolerance: float = 1e-4
    variance: float | None = None
    step: Step | None = None

    def first_variance(self, template: Tensor, target: Tensor) -> Tensor:
        """sigma^2 to start from."""
        return first_variance(template, target) if self.variance is None else torch.tensor(self.variance).to(template)

    def ends(self, number: int, before: Tensor, after: Tensor) -> bool:
        """Report an iteration; returns whether sigma^2 has converged."""
        if self.step is not None:
            self.step(number, float(after.detach()) ** 0.5)
        return abs(float((after / before).detach()) - 1.0) < 2.0 * self.tolerance


def affine_map(sums: Sums, template: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Matrix (3, 3) and offset (3,) of the rigid (with scale: "similarity") or affine M-step (fig. 2).

    Raises:
        ValueError: if the kind is unknown.
    """
    total = sums.rows.sum()
    to = sums.targets.sum(0) / total
    source = (sums.rows[:, None] * template).sum(0) / total
    centred = template - source
    cross = (sums.targets - sums.rows[:, None] * to).T @ centred
    spread = centred.T @ (sums.rows[:, None] * centred)
    if kind == "affine":
        scale = spread.diagonal().mean().clamp(min=1e-12)
        matrix = torch.linalg.solve(spread + 1e-9 * scale * torch.eye(3).to(spread), cross.T).T
    elif kind in ("rigid", "similarity"):
        left, values, right = torch.linalg.svd(cross)
        sign = torch.ones(3).to(cross)
        sign[2] = torch.sign(torch.linalg.det(left @ right)).detach()
        matrix = left @ torch.diag(sign) @ right
        if kind == "similarity":
            matrix = matrix * ((values * sign).sum() / spread.diagonal().sum())
    else:
        raise ValueError(f"no such map: {kind}")
    return matrix, to - matrix @ source


def drift_linear(
    template: Tensor, target: Tensor, kind: str = "affine", options: DriftOptions | None = None, prior: Tensor | None = None
) -> Drift:
    """Rigid, similarity or affine coherent point drift (sec. 4).

    Args:
        template: (N, 3), mm, float64.
        target: (M, 3), mm.
        kind: "rigid", "similarity" or "affine".
        options: see :class:`DriftOptions`.
        prior: see :func:`expectation`.
    """
    options = options or DriftOptions()
    moved, spread = template, options.first_variance(template, target)
    matrix, offset, sums, number = torch.eye(3).to(template), torch.zeros(3).to(template), None, 0
    for number in range(1, options.iterations + 1):
        sums = expectation(moved, target, spread, options.outliers, prior)
        matrix, offset = affine_map(sums, template, kind)
        moved = template @ matrix.T + offset
        before, spread = spread, _variance(sums, moved, target)
        if options.ends(number, before, spread):
            break
    assert sums is not None  # there is at least one iteration
    return Drift(SmoothMap(matrix, offset), moved, float(spread.detach()), sums.rows, number)


def drift_smooth(
    template: Tensor,
    target: Tensor,
    kernel: Kernel,
    stiffness: float,
    options: DriftOptions | None = None,
    prior: Tensor | None = None,
    factor: Factor | None = None,
    base: SmoothMap | None = None,
) -> Drift:
    """Coherent point drift with a smooth displacement (sec. 5; eq. 22 solved with a factor of G).

    Args:
        template: (N, 3), mm, float64.
        target: (M, 3), mm.
        kernel: G.
        stiffness: lambda (pycpd calls it alpha).
        options, prior: see :func:`drift_linear`.
        factor: of the kernel at the template's points, if it is known.
        base: map that the displacement is added to; the identity by default.
    """
    options = options or DriftOptions()
    factor = factor or factorise(kernel, template)
    base = base or SmoothMap(torch.eye(3).to(template), torch.zeros(3).to(template))
    start = base(template)
    moved = start
    spread = options.first_variance(start, target)
    inner, sums, number = template.new_zeros(factor.columns.shape[1], 3), None, 0
    for number in range(1, options.iterations + 1):
        sums = expectation(moved, target, spread, options.outliers, prior)
        inner = weighted_fit(factor, sums.rows, sums.targets - sums.rows[:, None] * start, stiffness * spread)
        moved = start + factor.columns @ inner
        before, spread = spread, _variance(sums, moved, target)
        if options.ends(number, before, spread):
            break
    assert sums is not None  # there is at least one iteration
    term = Term(kernel, template[factor.pivots], factor.coefficients(inner))
    result = SmoothMap(base.matrix, base.offset, (*base.terms, term))
    return Drift(result, moved, float(spread.detach()), sums.rows, number)
