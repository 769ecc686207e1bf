"""Loss of point features: the matching of points, and the error of the solver that uses the features.

A softmax over candidates by the similarity of their features is compared with the true partners. In the last steps of a training the solver
runs, unrolled, and the distance of its displacements from the truth is added: belief propagation (Hansen and Heinrich, IPMI 2021), or
coherent point drift whose E-step has the features as prior (Hansen, Dittmer, Heinrich, GLMI 2019).
"""

from __future__ import annotations

import torch
from torch import Tensor

from deepreg_engine.features.point_matcher import Matcher
from deepreg_engine.solvers.belief_propagation import belief_propagation, expected_move, likeliest, marginals
from deepreg_engine.solvers.kernel import Kernel, factorise
from deepreg_engine.solvers.neighbours import nearest, neighbour_graph
from deepreg_engine.solvers.point_drift import DriftOptions, drift_smooth, feature_prior
from deepreg_engine.training.points.examples import Example
from deepreg_engine.training.points.parameters import PointTraining

# A partner counts as found within this distance, mm, which is the repeatability of keypoint detectors.
_EXACT = 2.5
# Candidates of belief propagation, and the distance at which an error's gradient stops growing, mm.
_CANDIDATES, _HUBER = 32, 3.0
# Weight of the solver's error.
_ERROR_WEIGHT = 0.3
# Coherent point drift: points of the template, unrolled iterations, sigma at first (mm: about the error of the rough alignment), width of
# the kernel (mm), stiffness, share of outliers.
_DRIFT_POINTS, _DRIFT_ITERATIONS, _DRIFT_SIGMA, _DRIFT_WIDTH, _DRIFT_STIFFNESS, _DRIFT_OUTLIERS = 600, 8, 12.0, 30.0, 3.0, 0.1


def point_loss(matcher: Matcher, example: Example, options: PointTraining, solve: bool) -> tuple[Tensor, dict[str, float]]:
    """Return the loss of one example, and figures to log.

    Args:
        matcher: that is trained.
        example: of :class:`PointExamples`.
        options: of the training.
        solve: whether the solver's error is part of the loss.
    """
    candidates = nearest(example.moved, example.target, options.candidates)
    cost, move = matcher.costs(example.moved, example.target, candidates)
    apart = ((example.target[candidates] - example.truth[:, None]) ** 2).sum(2)
    near = torch.exp(-0.5 * apart / _EXACT**2)
    # A point whose partner was not detected has no match to learn.
    weight = near.amax(1)
    wanted = near / near.sum(1, keepdim=True).clamp(min=1e-9)
    entropy = torch.special.xlogy(wanted, wanted).sum(1)
    divergence = entropy - (wanted * torch.log_softmax(-cost, 1)).sum(1)
    matching = (weight * divergence).sum() / weight.sum().clamp(min=1e-6)
    figures = {"matching": float(matching.detach())}
    if not solve:
        return matching, figures
    error = drift_error(matcher, example).float() if options.solver == "drift" else _belief_error(matcher, example, cost, move)
    figures["error"] = float(error.detach().mean())
    robust = torch.where(error < _HUBER, 0.5 * error**2 / _HUBER, error - 0.5 * _HUBER)
    return matching + _ERROR_WEIGHT * robust.mean(), figures


def _belief_error(matcher: Matcher, example: Example, cost: Tensor, move: Tensor) -> Tensor:
    """Return the distance (N,) of the displacements that belief propagation expects from the truth, mm."""
    chosen = likeliest(cost, _CANDIDATES)
    some = move.gather(1, chosen[..., None].expand(-1, -1, 3))
    edges = neighbour_graph(example.template, 10)
    beliefs = belief_propagation(cost.gather(1, chosen), some, edges, matcher.log_bond.exp(), 4)
    mean, _ = expected_move(marginals(beliefs), some)
    return (mean - (example.truth - example.moved)).norm(dim=1)


def drift_error(matcher: Matcher, example: Example) -> Tensor:
    """Return the distance (N,) of the template's points, or of some of them, from the truth after coherent point drift, mm.

    The prior of its E-step is the softmax of the similarity of features, see :func:`feature_prior`; gradients reach the features through
    all iterations.
    """
    step = -(-len(example.moved) // _DRIFT_POINTS)  # examples are in random order
    own, other = matcher.features(example.moved)[::step], matcher.features(example.target)
    template, target = example.moved[::step].double(), example.target.double()
    kernel = Kernel((_DRIFT_WIDTH,))
    drift = drift_smooth(
        template,
        target,
        kernel,
        _DRIFT_STIFFNESS,
        DriftOptions(outliers=_DRIFT_OUTLIERS, iterations=_DRIFT_ITERATIONS, tolerance=0.0, variance=_DRIFT_SIGMA**2),
        prior=feature_prior(own, other, matcher.log_scale.exp()),
        factor=factorise(kernel, template),
    )
    return (drift.moved - example.truth[::step]).norm(dim=1)
