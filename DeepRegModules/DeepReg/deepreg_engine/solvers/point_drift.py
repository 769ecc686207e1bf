"""Coherent point drift: expectation-maximisation that moves a point cloud coherently onto another, in closed-form steps.

The template's points y_m are the centres of a Gaussian mixture, the target's points x_n its samples. In turn, the E-step computes the
probability with which each target point belongs to each centre, and the M-step moves all centres rigidly, by an affine map or by
a smooth displacement. Myronenko and Song, "Point set registration: coherent point drift", TPAMI 2010; equation numbers are theirs.

A prior pi(m, n) from the similarity of the points' features takes the place of the uniform 1/M (Hansen, Dittmer, Heinrich, GLMI 2019).
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
# Lower limit of sigma, mm, far below the accuracy of any scan.
_NARROWEST = 1e-3

Step = Callable[[int, float], None]


@dataclass(frozen=True)
class Sums:
    """Sums of the probabilities P (M, N) of the centres and the target points X (N, 3), as the M-steps need them.

    Args:
        p1: P 1 (M,).
        pt1: P' 1 (N,).
        px: P X (M, 3).
    """

    p1: Tensor
    pt1: Tensor
    px: Tensor


def expectation(moved: Tensor, target: Tensor, variance: Tensor, outliers: float, prior: Tensor | None = None) -> Sums:
    """Return the E-step: the probability that each target point x_n belongs to each moved centre T(y_m).

        P(m, n) = pi(m, n) exp(-|x_n - T(y_m)|^2 / 2 sigma^2) / (sum_k pi(k, n) exp(-|x_n - T(y_k)|^2 / 2 sigma^2) + c)

    with c of :func:`outlier_density`. With pi = 1 this is eq. 6 of Myronenko and Song; with the prior of :func:`feature_prior` it is the
    E-step of Hansen, Dittmer, Heinrich, GLMI 2019. Only sums of P are returned; P is never completely in memory.

    Args:
        moved: centres T(y_m) (M, 3).
        target: points x_n (N, 3).
        variance: sigma^2.
        outliers: w, the share of target points that belong to no centre, 0 to below 1.
        prior: pi (M, N), not negative, with mean 1 over the centres of each target point; None is the uniform one.
    """
    c = outlier_density(moved, target, variance, outliers)
    origin = target.mean(0)
    y, x = moved - origin, target - origin
    if not torch.is_grad_enabled():
        radius = float((x * x).sum(1).max())
        if float(variance) > max(_SINGLE**2, _SINGLE_SHARE * radius):
            # Exponents in float32 are accurate enough, and twice as fast.
            y, x, variance, c = y.float(), x.float(), variance.float(), c.float()
    p1, pt1, px = (values.to(moved) for values in _sums(y, x, variance, c if outliers > 0.0 else None, prior))
    return Sums(p1, pt1, px + p1[:, None] * origin)


def outlier_density(moved: Tensor, target: Tensor, variance: Tensor, outliers: float) -> Tensor:
    """Return the outlier term of the denominator of eq. 6, c = (2 pi sigma^2)^(3/2) w / (1 - w) M / V.

    Outliers have a uniform distribution in the bounding box of the target, with the volume V. (The paper's M / N is the same for data
    scaled to unit volume; in millimetres it would classify all points as outliers while sigma is large.)
    """
    volume = (target.amax(0) - target.amin(0)).clamp(min=1.0).prod()
    return (2.0 * math.pi * variance) ** 1.5 * (outliers / (1.0 - outliers)) * len(moved) / volume


def _sums(y: Tensor, x: Tensor, variance: Tensor, c: Tensor | None, prior: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return P 1 (M,), P' 1 (N,) and P X (M, 3) of centres y (M, 3) and target points x (N, 3); c is None without outliers.

    The exponents are one product of matrices, and so are all sums over the target:

        -|x_n - y_m|^2 / 2 sigma^2 = y_m.x_n / sigma^2 - |y_m|^2 / 2 sigma^2 - |x_n|^2 / 2 sigma^2
    """
    half = 0.5 / variance
    one_m, one_n = torch.ones_like(y[:, :1]), torch.ones_like(x[:, :1])
    of_y = torch.cat([2.0 * half * y, -half * (y * y).sum(1, keepdim=True), one_m], dim=1)
    of_x = torch.cat([x, one_n, -half * (x * x).sum(1, keepdim=True)], dim=1)
    one_and_x = torch.cat([one_n, x], dim=1).T
    size = max(1, (_PAIRS_GPU if y.is_cuda else _PAIRS) // len(y))
    pt1: list[Tensor] = []
    p1_and_px: Tensor | float = 0.0
    for start in range(0, len(x), size):
        n = slice(start, start + size)
        numerator = _numerator(of_y, of_x[n], None if prior is None else prior[:, n], nearest=c is None)
        total = numerator.sum(0)
        inverse = 1.0 / (total if c is None else total + c).clamp(min=torch.finfo(total.dtype).tiny)  # P = numerator * inverse
        pt1.append(total * inverse)
        p1_and_px = p1_and_px + (inverse * one_and_x[:, n]) @ numerator.T
    gathered = cast(Tensor, p1_and_px)
    return gathered[0], torch.cat(pt1), gathered[1:].T


def _numerator(of_y: Tensor, of_x: Tensor, prior: Tensor | None, nearest: bool) -> Tensor:
    """Return pi(m, n) exp(-|x_n - y_m|^2 / 2 sigma^2) (M, n) from the factors of the exponents.

    Args:
        of_y, of_x: factors (M, 5) and (n, 5), whose product is the exponent.
        prior: pi (M, n).
        nearest: whether a target point far from all centres belongs to the nearest one: its exponents are shifted so that the largest is 0,
            which avoids 0 / 0 where there are no outliers.
    """
    values = (of_y @ of_x.T).clamp_(_LEAST, 0.0).exp_()
    if nearest:
        lost = (values.detach().amax(0) < _LOST).nonzero()[:, 0]
        if len(lost):
            exponents = of_y @ of_x[lost].T
            exponents = (exponents - exponents.detach().amax(0, keepdim=True)).clamp_(min=_LEAST)
            values = values.index_copy(1, lost, torch.exp(exponents))
    return values if prior is None else values * prior.to(values)


def feature_prior(template: Tensor, target: Tensor, strength: Tensor | float) -> Tensor:
    """Return the prior of the E-step by the features of the points, with mean 1 over the centres:

        pi(m, n) = M softmax_m(-a |f_m - g_n|^2)                        (M, N)

    Args:
        template, target: features f (M, C) of the centres and g (N, C) of the target points.
        strength: a; 0 gives the uniform prior.
    """
    similarity = torch.softmax(-strength * squared_distances(template, target), dim=0)
    return similarity * len(template)


def first_variance(template: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared distance of all pairs, per axis: the initial sigma^2 (fig. 2 and 4)."""
    offset = template.mean(0) - target.mean(0)
    spread = ((template - template.mean(0)) ** 2).sum(1).mean() + ((target - target.mean(0)) ** 2).sum(1).mean()
    return (spread + (offset**2).sum()) / 3.0


def _variance(sums: Sums, moved: Tensor, target: Tensor) -> Tensor:
    """Return sigma^2 after an M-step (fig. 2 and 4), with N_P = 1' P 1:

    sigma^2 = (sum_n (P' 1)_n |x_n|^2 - 2 sum_m (P X)_m.T(y_m) + sum_m (P 1)_m |T(y_m)|^2) / 3 N_P
    """
    origin = target.mean(0)  # far from the origin the squares would lose digits
    y, x, px = moved - origin, target - origin, sums.px - sums.p1[:, None] * origin
    error = (sums.pt1 * (x**2).sum(1)).sum() - 2.0 * (px * y).sum() + (sums.p1 * (y**2).sum(1)).sum()
    return (error / (3.0 * sums.p1.sum().clamp(min=1e-12))).clamp(min=_NARROWEST**2)


@dataclass(frozen=True)
class Drift:
    """The result of coherent point drift.

    Args:
        map: of points of the template's frame.
        moved: the template's points (M, 3).
        variance: sigma^2, mm^2.
        p1: P 1 (M,): the approximate number of target points assigned to each point.
        iterations: done.
    """

    map: SmoothMap
    moved: Tensor
    variance: float
    p1: Tensor
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
        finish: called after each iteration; returns whether to end with the result so far.
    """

    outliers: float = 0.1
    iterations: int = 60
    tolerance: float = 1e-4
    variance: float | None = None
    step: Step | None = None
    finish: Callable[[], bool] | None = None

    def first_variance(self, template: Tensor, target: Tensor) -> Tensor:
        """Return sigma^2 to start from."""
        return first_variance(template, target) if self.variance is None else torch.tensor(self.variance).to(template)

    def ends(self, number: int, before: Tensor, after: Tensor) -> bool:
        """Report an iteration; returns whether it was the last: sigma^2 has converged, or the caller ends the iterations."""
        if self.step is not None:
            self.step(number, float(after.detach()) ** 0.5)
        if abs(float((after / before).detach()) - 1.0) < 2.0 * self.tolerance:
            return True
        return self.finish is not None and number < self.iterations and self.finish()


def affine_map(sums: Sums, template: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Return the matrix (3, 3) and the offset (3,) of the rigid (with scale: "similarity") or affine M-step (fig. 2).

    Raises:
        ValueError: if the kind is unknown.
    """
    count = sums.p1.sum()
    mean_x = sums.px.sum(0) / count
    mean_y = (sums.p1[:, None] * template).sum(0) / count
    y = template - mean_y
    cross = (sums.px - sums.p1[:, None] * mean_x).T @ y
    spread = y.T @ (sums.p1[:, None] * y)
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
    return matrix, mean_x - matrix @ mean_y


def drift_linear(
    template: Tensor, target: Tensor, kind: str = "affine", options: DriftOptions | None = None, prior: Tensor | None = None
) -> Drift:
    """Run rigid, similarity or affine coherent point drift (sec. 4).

    Args:
        template: Y (M, 3), mm, float64.
        target: X (N, 3), mm.
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
    return Drift(SmoothMap(matrix, offset), moved, float(spread.detach()), sums.p1, number)


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
    """Run coherent point drift with a smooth displacement (sec. 5; eq. 22 solved with a factor of G).

    Args:
        template: Y (M, 3), mm, float64.
        target: X (N, 3), mm.
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
        inner = weighted_fit(factor, sums.p1, sums.px - sums.p1[:, None] * start, stiffness * spread)
        moved = start + factor.columns @ inner
        before, spread = spread, _variance(sums, moved, target)
        if options.ends(number, before, spread):
            break
    assert sums is not None  # there is at least one iteration
    term = Term(kernel, template[factor.pivots], factor.coefficients(inner))
    result = SmoothMap(base.matrix, base.offset, (*base.terms, term))
    return Drift(result, moved, float(spread.detach()), sums.p1, number)
