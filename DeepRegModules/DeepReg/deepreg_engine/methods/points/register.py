"""The Points method: registration of two point clouds, from keypoints, vessels, surfaces or landmarks.

1. Alignment: rigid, similarity or affine coherent point drift.
2. Belief propagation, in four rounds from coarse to fine. With the present position p of each fixed point, features g and candidates c
   among the nearest moving points, the minimised energy is

       sum_i (a |c_i - p_i|^2 + b |g(p_i) - g(c_i)|^2) + r sum_(i, j) |(c_i - p_i) - (c_j - p_j)|^2

   over the edges (i, j) of a graph of nearest neighbours. A smooth map, a sum of Gaussians, is fitted to the expected displacements,
   with a robust weight of each; the Gaussians become narrower from round to round.
3. Coherent point drift refines the map.

All lengths, also those that were learned, are for a human body. Positions are therefore divided by the length scale
(:mod:`deepreg_engine.methods.common.lengths`), and the result is multiplied by it.

Hansen and Heinrich, Deep learning based geometric registration for medical images, IPMI 2021; Myronenko and Song, Point set registration:
coherent point drift, IEEE TPAMI 2010.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deepreg_engine.arrays import array_of, new_tensor
from deepreg_engine.features.point_matcher import Matcher
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.base import required
from deepreg_engine.methods.common.device import choose_device
from deepreg_engine.methods.common.lengths import with_factor
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.points.presets import POINTS_PRESETS
from deepreg_engine.methods.points.result import PointsResult
from deepreg_engine.models.store import load_matcher
from deepreg_engine.progress import Progress, RunControl, no_progress
from deepreg_engine.solvers.belief_propagation import belief_propagation, expected_move, likeliest, marginals
from deepreg_engine.solvers.kernel import Factor, Kernel, SmoothMap, Term, factorise, weighted_fit
from deepreg_engine.solvers.neighbours import nearest, neighbour_graph, squared_distances
from deepreg_engine.solvers.point_drift import DriftOptions, drift_linear, drift_smooth, feature_prior
from deepreg_engine.solvers.thin_plate import ThinPlate

# Largest number of Gaussians of a deformation; fewer for clouds of more than 4000 points.
_RANK, _RANK_OF_MANY, _MANY = 900, 500, 4000
# Factor on the learned weight of the distance, and ridge of the fit, in the four rounds.
_SPACE, _RIDGE = (0.06, 0.2, 0.6, 0.6), (0.6, 0.6, 0.6, 0.2)
# Factor on the learned sharpness of the marginals: in a graph with loops beliefs are overconfident, because messages are not independent.
_SHARPNESS = 0.5
# First sigma of an alignment, relative to the standard deviation of the moving cloud along an axis.
_FIRST_SIGMA = 0.35
# Weights of distances and of bonds without a model, per mm^2.
_PLAIN_SPACE, _PLAIN_BOND = 0.015, 0.05
# Variance, mm^2, at which the weight of a displacement falls to one half, and the iterations of robust reweighting.
_VARIANCE, _REWEIGHTINGS = 9.0, 3
# First sigma, mm, and least assumed share of outliers of coherent point drift after belief propagation.
_NEAR, _NEAR_OUTLIERS = 3.0, 0.4
# A partner within this distance, mm, of the mapped point confirms the map.
CONFIRMED = 5.0
# Pairs of features in memory at once.
_PAIRS = 4_000_000
# Largest number of points of a thin-plate spline.
_PLATE_POINTS = 2000


@torch.no_grad()
def register_points(
    fixed: np.ndarray,
    moving: np.ndarray,
    parameters: PointsParameters,
    device: str = "auto",
    progress: Progress | None = None,
    control: RunControl | None = None,
    grid: ImageGrid | None = None,
) -> PointsResult:
    """Register two point clouds.

    Args:
        fixed: (N, 3), LPS mm; see :func:`deepreg_engine.geometry.point_clouds.checked_clouds` for their requirements.
        moving: (M, 3), LPS mm.
        parameters: see :class:`PointsParameters`; a ``length_scale`` of 0 is selected by the size of the fixed points.
        device: see :func:`choose_device`.
        progress: callback, receives the share done, 0 to 1, and the name of the stage; it may raise to stop the run.
        control: receives previews, and may end the run early.
        grid: of the previews; None computes none.

    Raises:
        DeviceError, ParameterError, InputError: if the device or the features do not exist.
    """
    control = control or RunControl()
    scale = with_factor(parameters, POINTS_PRESETS, np.asarray(fixed)).length_scale
    clouds = np.asarray(fixed) / scale, np.asarray(moving) / scale

    def reached(stage: str, found: SmoothMap) -> None:
        if grid is not None:
            control.reached(stage, grid, lambda coarse: DisplacementField(_on_cpu(found).scaled(scale).displacements(coarse), coarse))

    outside = _Outside(progress or no_progress, reached, lambda: control.finishing)
    return _Registration(*clouds, parameters, device, outside).run().scaled(scale)


@dataclass(frozen=True)
class _Outside:
    """Functions of the caller of a run.

    Args:
        progress: receives the share done, and the stage.
        reached: receives a stage that is over, and the map that it has reached.
        finishing: returns whether the run was asked to end with its result so far.
    """

    progress: Progress
    reached: Callable[[str, SmoothMap], None]
    finishing: Callable[[], bool]


def _on_cpu(found: SmoothMap) -> SmoothMap:
    terms = tuple(Term(term.kernel, term.centres.cpu(), term.coefficients.cpu()) for term in found.terms)
    return SmoothMap(found.matrix.cpu(), found.offset.cpu(), terms)


def working_device(name: str) -> tuple[torch.device, str]:
    """Return the device of :func:`choose_device`, and its description; the CPU instead of Metal, which has no double precision."""
    device, description = choose_device(name)
    return (torch.device("cpu"), "CPU (Metal has no double precision)") if device.type == "mps" else (device, description)


class _Registration:
    """One run."""

    def __init__(self, fixed: np.ndarray, moving: np.ndarray, parameters: PointsParameters, device: str, outside: _Outside) -> None:
        self._device, self._device_name = working_device(device)
        self._parameters, self._outside, self._progress = parameters, outside, outside.progress
        # What was done last; and the same at the end of a run that was ended early.
        self._done_last = self._stopped = ""
        self._matcher, self._features = load_matcher(parameters.features)
        if self._matcher is not None:
            self._matcher.to(self._device)
        self._fixed = new_tensor(np.asarray(fixed), dtype=torch.float64, device=self._device)
        self._moving = new_tensor(np.asarray(moving), dtype=torch.float64, device=self._device)
        self._stages: list[dict] = []
        self._notes: list[str] = []
        self._seconds: dict[str, float] = {}

    def run(self) -> PointsResult:
        start = time.perf_counter()
        parameters, fixed = self._parameters, self._fixed
        affine = self._align()
        found, confidence, partners, spread, sigma = affine, None, None, None, None
        if parameters.solver != "drift":
            found, partners, confidence, spread = self._propagate(affine)
        if parameters.solver != "belief" and (partners is None or not self._stops()):
            found, sigma, shares, best = self._drift(affine, found)
            if partners is None:
                partners, confidence, spread = best, shares, torch.full_like(shares, sigma)
        begun = time.perf_counter()
        moved = found(fixed)
        plate = self._plate(moved) if parameters.interpolation == "thin-plate" else None
        self._seconds["field"] = time.perf_counter() - begun
        self._seconds["total"] = time.perf_counter() - start
        self._progress(1.0, "fitting the deformation")
        alignment = np.eye(4)
        alignment[:3, :3], alignment[:3, 3] = array_of(affine.matrix), array_of(affine.offset)
        return PointsResult(
            _on_cpu(found),
            array_of(moved),
            array_of(required(partners, "partner")),
            array_of(required(confidence, "confidence")),
            array_of(required(spread, "spread")),
            alignment,
            sigma,
            self._stages,
            self._seconds,
            self._notes,
            self._device_name,
            self._features,
            plate,
            self._stopped,
        )

    def _reached(self, stage: str, found: SmoothMap) -> None:
        """Record the end of a stage, and pass on the map so far."""
        self._done_last = stage
        self._outside.reached(stage, found)

    def _stops(self) -> bool:
        """Return whether the run ends here, with the map so far."""
        if self._outside.finishing() and not self._stopped:
            self._stopped = self._done_last
        return bool(self._stopped)

    # --------------------------------------------------------------- alignment

    def _align(self) -> SmoothMap:
        begun, kind = time.perf_counter(), self._parameters.initial
        eye, zero = torch.eye(3).to(self._fixed), torch.zeros(3).to(self._fixed)
        self._progress(0.0, "aligning the points")
        if kind == "none":
            found = SmoothMap(eye, zero)
        elif kind == "centres":
            found = SmoothMap(eye, self._moving.mean(0) - self._fixed.mean(0))
        else:
            most = 40

            def report(number: int, sigma: float) -> None:
                self._progress(0.2 * number / most, "aligning the points")

            # The centres are aligned, and sigma is limited: with a large sigma an affine map first shrinks the cloud and may not recover.
            shift = self._moving.mean(0) - self._fixed.mean(0)
            first = _FIRST_SIGMA**2 * float(((self._moving - self._moving.mean(0)) ** 2).sum(1).mean()) / 3.0
            drift = drift_linear(
                self._fixed + shift,
                self._moving,
                kind,
                DriftOptions(outliers=self._parameters.outliers, iterations=most, variance=first, step=report),
            )
            found = SmoothMap(drift.map.matrix, drift.map.offset + drift.map.matrix @ shift)
            self._stages.append({"stage": "alignment", "kind": kind, "iterations": drift.iterations, "sigma_mm": drift.variance**0.5})
        self._seconds["alignment"] = time.perf_counter() - begun
        self._reached("the alignment", found)
        return found

    # ------------------------------------------------------ belief propagation

    def _propagate(self, affine: SmoothMap) -> tuple[SmoothMap, Tensor, Tensor, Tensor]:
        begun, parameters = time.perf_counter(), self._parameters
        edges = neighbour_graph(self._fixed, parameters.graph_neighbours)
        coarse, fine = parameters.coarse_width, min(parameters.fine_width, parameters.coarse_width)
        middle = max(fine, 0.75 * coarse)
        kernels = [Kernel((coarse,)), Kernel((middle,)), Kernel((middle, max(fine, 1.5 * fine))), Kernel((middle, fine))]
        moving_features = None if self._matcher is None else point_features(self._moving, self._matcher)
        found = affine
        for number, kernel in enumerate(kernels):
            if number and self._stops():  # partners of the points come from the first round
                break
            self._progress(0.2 + 0.15 * number, f"matching the points, round {number + 1} of {len(kernels)}")
            factor = factorise(kernel, self._fixed, _RANK if len(self._fixed) <= _MANY else _RANK_OF_MANY)
            present = found(self._fixed)
            chosen, moves, probability = candidate_partners(
                present, self._moving, edges, parameters, self._matcher, moving_features, number
            )
            mean, variance = expected_move(probability, moves)
            found = self._fit(affine, factor, kernel, present + mean.double(), variance.double(), _RIDGE[number] * parameters.smoothing)
            residual = (found(self._fixed) - present - mean).norm(dim=1)
            self._stages.append(
                {
                    "stage": f"belief propagation {number + 1}",
                    "widths_mm": list(kernel.widths),
                    "gaussians": int(len(factor.pivots)),
                    "median_residual_mm": float(residual.median()),
                }
            )
            self._reached(f"round {number + 1} of {len(kernels)} of belief propagation", found)
        best = probability.argmax(1)
        partners = chosen.gather(1, best[:, None])[:, 0]
        distance = (present[:, None] + moves - found(self._fixed)[:, None]).norm(dim=2)
        confidence = (probability * (distance < CONFIRMED)).sum(1)
        self._seconds["belief propagation"] = time.perf_counter() - begun
        return found, partners, confidence, variance.sqrt()

    def _fit(self, affine: SmoothMap, factor: Factor, kernel: Kernel, targets: Tensor, variance: Tensor, ridge: float) -> SmoothMap:
        """Return the smooth map to the targets (N, 3), by iteratively reweighted least squares with the weights of a Cauchy
        distribution."""
        base = affine(self._fixed)
        certain = 1.0 / (1.0 + variance / _VARIANCE)
        weights, robust = certain, self._parameters.robustness
        for _ in range(_REWEIGHTINGS if robust > 0 else 1):
            inner = weighted_fit(factor, weights, weights[:, None] * (targets - base), ridge)
            distance = (base + factor.columns @ inner - targets).norm(dim=1)
            weights = certain / (1.0 + (distance / robust) ** 2) if robust > 0 else certain
        term = Term(kernel, self._fixed[factor.pivots], factor.coefficients(inner))
        return SmoothMap(affine.matrix, affine.offset, (term,))

    # ------------------------------------------------------------------- drift

    def _drift(self, affine: SmoothMap, found: SmoothMap) -> tuple[SmoothMap, float, Tensor, Tensor]:
        begun, parameters = time.perf_counter(), self._parameters
        after = parameters.solver != "drift"
        kernel = Kernel((parameters.drift_width,))
        prior = None
        if not after and self._matcher is not None and parameters.feature_weight > 0:
            own, other = point_features(affine(self._fixed), self._matcher), point_features(self._moving, self._matcher)
            prior = feature_prior(own, other, parameters.feature_weight * float(self._matcher.log_scale.exp()))
        first = 0.8 if after else 0.2

        def report(number: int, sigma: float) -> None:
            share = first + (0.98 - first) * number / parameters.drift_iterations
            self._done_last = f"iteration {number} of {parameters.drift_iterations} of coherent point drift"
            self._progress(share, "fitting the deformation")

        factor = factorise(kernel, self._fixed, 2000)
        drift = drift_smooth(
            self._fixed,
            self._moving,
            kernel,
            parameters.drift_stiffness,
            DriftOptions(
                outliers=max(parameters.outliers, _NEAR_OUTLIERS) if after else parameters.outliers,
                iterations=parameters.drift_iterations,
                variance=_NEAR**2 if after else None,
                step=report,
                finish=self._stops,
            ),
            prior=prior,
            factor=factor,
            base=found,
        )
        self._stages.append(
            {
                "stage": "coherent point drift",
                "iterations": drift.iterations,
                "sigma_mm": drift.variance**0.5,
                "gaussians": int(len(factor.pivots)),
            }
        )
        best = nearest(drift.moved, self._moving, 1)[:, 0]
        distance = (drift.moved - self._moving[best]).norm(dim=1)
        confidence = torch.exp(-0.5 * (distance / max(drift.variance**0.5, 1.0)) ** 2)
        self._seconds["coherent point drift"] = time.perf_counter() - begun
        return drift.map, drift.variance**0.5, confidence, best

    def _plate(self, moved: Tensor) -> ThinPlate:
        fixed, moved = self._fixed.cpu(), moved.cpu()
        if len(fixed) > _PLATE_POINTS:  # the pivots of a narrow Gaussian are evenly spread
            chosen = factorise(Kernel((5.0,)), fixed, _PLATE_POINTS, 1e-3).pivots
            fixed, moved = fixed[chosen], moved[chosen]
            self._notes.append(f"the thin-plate spline goes through {len(chosen)} of the points")
        return ThinPlate.fit(fixed, moved - fixed)


def point_features(points: Tensor, matcher: Matcher) -> Tensor:
    """Return the features (N, C) of points (N, 3), mm, which are centred because float32 is inaccurate far from the origin."""
    return matcher.features((points - points.mean(0)).float())


def candidate_partners(
    present: Tensor,
    moving: Tensor,
    edges: Tensor,
    parameters: PointsParameters,
    matcher: Matcher | None,
    moving_features: Tensor | None = None,
    number: int = len(_SPACE) - 1,
) -> tuple[Tensor, Tensor, Tensor]:
    """Do one round of belief propagation.

    Args:
        present: present positions of the fixed points (N, 3), mm.
        moving: (M, 3), mm.
        edges: of the graph of fixed points.
        parameters: of the method.
        matcher: learned features and weights, or None.
        moving_features: (M, C); computed by default.
        number: of the round, 0 to 3; the last by default.

    Returns:
        Indices of the candidates (N, K) among the moving points, their displacements (N, K, 3), mm, and probabilities (N, K).
    """
    candidates = nearest(present, moving, parameters.candidates)
    moves = (moving[candidates] - present[:, None]).float()
    space, bond = _PLAIN_SPACE, _PLAIN_BOND
    if matcher is not None:
        space, bond = float(matcher.log_space.exp()), float(matcher.log_bond.exp())
    cost = parameters.space_weight * _SPACE[number] * space * (moves * moves).sum(2)
    if matcher is not None:
        other = point_features(moving, matcher) if moving_features is None else moving_features
        distances = _feature_distances(point_features(present, matcher), other, candidates)
        cost = cost + parameters.feature_weight * matcher.log_scale.exp() * distances
    likely = likeliest(cost, parameters.kept)
    cost, candidates = cost.gather(1, likely), candidates.gather(1, likely)
    moves = moves.gather(1, likely[..., None].expand(-1, -1, 3))
    beliefs = belief_propagation(cost, moves, edges, parameters.bond * bond, parameters.messages)
    return candidates, moves, marginals(beliefs, _SHARPNESS)


def _feature_distances(own: Tensor, other: Tensor, candidates: Tensor) -> Tensor:
    """Return squared distances (N, K) of features (N, C) to those of the candidates (N, K) among features (M, C)."""
    # A matrix product for all pairs is faster than the distances of the candidates alone.
    rows = max(1, _PAIRS // len(other))
    blocks = zip(own.split(rows), candidates.split(rows), strict=True)
    return torch.cat([squared_distances(block, other).gather(1, chosen) for block, chosen in blocks])
