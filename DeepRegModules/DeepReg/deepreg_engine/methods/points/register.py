"""The Points method: two clouds of points, from keypoints, vessels, surfaces or landmarks, find each other.

1. The clouds are aligned by rigid or affine coherent point drift.
2. Graph features say what the surroundings of each point look like. Belief propagation chooses a partner for each fixed point such
   that features agree and neighbours move alike; a smooth map is fitted to the choices, and those far from it are distrusted. That is
   done four times, with narrower and narrower Gaussians, each from where the last one led.
3. Coherent point drift moves the cloud the last millimetres: partners are then averages over the points near.

Hansen and Heinrich, "Deep learning based geometric registration for medical images", IPMI 2021; Myronenko and Song, TPAMI 2010.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deepreg_engine.features.point_matcher import Matcher
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.device import choose_device
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.models.store import load_matcher
from deepreg_engine.progress import Progress
from deepreg_engine.solvers.belief_propagation import belief_propagation, expected_move, likeliest, marginals
from deepreg_engine.solvers.kernel import Factor, Kernel, SmoothMap, Term, factorise, weighted_fit
from deepreg_engine.solvers.neighbours import nearest, neighbour_graph, squared_distances
from deepreg_engine.solvers.point_drift import DriftOptions, drift_linear, drift_smooth, feature_prior
from deepreg_engine.solvers.thin_plate import ThinPlate

# Most Gaussians that a deformation is made of; many more than a body's motion has shapes, and still quick.
_RANK, _RANK_OF_MANY, _MANY = 900, 500, 4000
# What the learned weight of distance in space is multiplied with in the four rounds, and the ridge of their fits: far at first, then near.
_SPACE, _RIDGE = (0.06, 0.2, 0.6, 0.6), (0.6, 0.6, 0.6, 0.2)
# How much of the learned certainty is believed: neighbours' beliefs are not independent, and count twice in a graph with loops.
_SHARPNESS = 0.5
# Sigma with which an alignment begins, as a share of the moving cloud's extent (standard deviation along an axis).
_FIRST_SIGMA = 0.35
# Without a model: the weights of position and of bonds, per mm^2.
_PLAIN_SPACE, _PLAIN_BOND = 0.015, 0.05
# Variance (mm^2) at which a choice counts half, and the iterations of distrust.
_VARIANCE, _REWEIGHTINGS = 9.0, 3
# Sigma (mm) with which drift begins where belief propagation has ended, and the outliers it then assumes at least.
_NEAR, _NEAR_OUTLIERS = 3.0, 0.4
# A partner within this distance (mm) of where the map leads confirms it.
CONFIRMED = 5.0
# Pairs of features that are compared at once.
_PAIRS = 4_000_000
# Points a thin-plate spline is made of at most.
_PLATE_POINTS = 2000


@dataclass
class PointsResult:
    """What a registration of points gives.

    Args:
        map: of fixed points (LPS mm) to moving points.
        moved: where the map takes the fixed points (N, 3), mm.
        partners: index of the moving point that each fixed point most likely belongs to (N,).
        confidence: probability (N,) that a fixed point's partner lies within 5 mm of where the map takes it.
        alignment: matrix (4, 4) of the alignment before the deformation.
        sigma: mean distance of partners and map, mm, as coherent point drift sees it; None if it was not used.
        stages: what was done.
        seconds: of the parts, and "total".
        notes: what the user should know.
        device: where it was computed.
        features: what was compared.
        plate: spline that gives the field instead of the map, if that was asked for.
    """

    map: SmoothMap
    moved: np.ndarray
    partners: np.ndarray
    confidence: np.ndarray
    alignment: np.ndarray
    sigma: float | None
    stages: list[dict]
    seconds: dict[str, float]
    notes: list[str]
    device: str
    features: str
    plate: ThinPlate | None = None

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Any fixed points (M, 3), LPS mm, to moving points."""
        points = torch.from_numpy(np.asarray(points, dtype=np.float64).reshape(-1, 3))
        if self.plate is not None:
            return (points + self.plate(points)).numpy()
        return self.map(points).numpy()

    def field(self, grid: ImageGrid) -> DisplacementField:
        """The displacement field on a grid."""
        if self.plate is not None:
            return self.plate.field(grid)
        return DisplacementField(self.map.displacements(grid), grid)


@torch.no_grad()
def register_points(
    fixed: np.ndarray, moving: np.ndarray, parameters: PointsParameters, device: str = "auto", progress: Progress | None = None
) -> PointsResult:
    """Register two clouds of points.

    Args:
        fixed: (N, 3), LPS mm; see :func:`deepreg_engine.geometry.point_clouds.checked_cloud` for what is refused.
        moving: (M, 3), LPS mm.
        parameters: see :class:`PointsParameters`.
        device: see :func:`choose_device`.
        progress: called with the share done, 0 to 1, and the name of the stage; it may raise to stop the run.

    Raises:
        DeviceError, ParameterError, InputError: if the device or the features do not exist.
    """
    return _Registration(fixed, moving, parameters, device, progress or (lambda share, stage: None)).run()


class _Registration:
    """One run."""

    def __init__(self, fixed: np.ndarray, moving: np.ndarray, parameters: PointsParameters, device: str, progress: Progress) -> None:
        self._device, self._device_name = choose_device(device)
        if self._device.type == "mps":  # no float64 there
            self._device, self._device_name = torch.device("cpu"), "CPU (Metal has no double precision)"
        self._parameters, self._progress = parameters, progress
        self._matcher, self._features = load_matcher(parameters.features)
        if self._matcher is not None:
            self._matcher.to(self._device)
        self._fixed = torch.tensor(np.asarray(fixed), dtype=torch.float64, device=self._device)
        self._moving = torch.tensor(np.asarray(moving), dtype=torch.float64, device=self._device)
        self._stages: list[dict] = []
        self._notes: list[str] = []
        self._seconds: dict[str, float] = {}

    def run(self) -> PointsResult:
        start = time.perf_counter()
        parameters, fixed = self._parameters, self._fixed
        affine = self._align()
        found, confidence, partners, sigma = affine, None, None, None
        if parameters.solver != "drift":
            found, partners, confidence = self._believe(affine)
        if parameters.solver != "belief":
            found, sigma, shares, best = self._drift(affine, found)
            if partners is None:
                partners, confidence = best, shares
        begun = time.perf_counter()
        moved = found(fixed)
        plate = self._plate(moved) if parameters.interpolation == "thin-plate" else None
        self._seconds["field"] = time.perf_counter() - begun
        self._seconds["total"] = time.perf_counter() - start
        self._progress(1.0, "coherent point drift" if self._parameters.solver != "belief" else "belief propagation")
        alignment = np.eye(4)
        alignment[:3, :3], alignment[:3, 3] = affine.matrix.cpu().numpy(), affine.offset.cpu().numpy()
        terms = tuple(Term(term.kernel, term.centres.cpu(), term.coefficients.cpu()) for term in found.terms)
        return PointsResult(
            SmoothMap(found.matrix.cpu(), found.offset.cpu(), terms),
            moved.cpu().numpy(),
            partners.cpu().numpy(),
            confidence.cpu().numpy(),
            alignment,
            sigma,
            self._stages,
            self._seconds,
            self._notes,
            self._device_name,
            self._features,
            plate,
        )

    # --------------------------------------------------------------- alignment

    def _align(self) -> SmoothMap:
        begun, kind = time.perf_counter(), self._parameters.initial
        eye, zero = torch.eye(3).to(self._fixed), torch.zeros(3).to(self._fixed)
        self._progress(0.0, f"alignment ({kind})")
        if kind == "none":
            found = SmoothMap(eye, zero)
        elif kind == "centres":
            found = SmoothMap(eye, self._moving.mean(0) - self._fixed.mean(0))
        else:
            most = 40

            def tell(number: int, sigma: float) -> None:
                self._progress(0.2 * number / most, f"alignment ({kind})")

            # From equal centres, and not from so far that the cloud would first shrink to a point: an affine map may stay there.
            shift = self._moving.mean(0) - self._fixed.mean(0)
            first = _FIRST_SIGMA**2 * float(((self._moving - self._moving.mean(0)) ** 2).sum(1).mean()) / 3.0
            drift = drift_linear(
                self._fixed + shift,
                self._moving,
                kind,
                DriftOptions(outliers=self._parameters.outliers, iterations=most, variance=first, step=tell),
            )
            found = SmoothMap(drift.map.matrix, drift.map.offset + drift.map.matrix @ shift)
            self._stages.append({"stage": "alignment", "kind": kind, "iterations": drift.iterations, "sigma_mm": drift.variance**0.5})
        self._seconds["alignment"] = time.perf_counter() - begun
        return found

    # ------------------------------------------------------ belief propagation

    def _believe(self, affine: SmoothMap) -> tuple[SmoothMap, Tensor, Tensor]:
        begun, parameters = time.perf_counter(), self._parameters
        edges = neighbour_graph(self._fixed, parameters.graph_neighbours)
        coarse, fine = parameters.coarse_width, min(parameters.fine_width, parameters.coarse_width)
        middle = max(fine, 0.75 * coarse)
        kernels = [Kernel((coarse,)), Kernel((middle,)), Kernel((middle, max(fine, 1.5 * fine))), Kernel((middle, fine))]
        other = None if self._matcher is None else self._look(self._moving)
        found = affine
        for number, kernel in enumerate(kernels):
            self._progress(0.2 + 0.15 * number, f"belief propagation {number + 1} of {len(kernels)}")
            factor = factorise(kernel, self._fixed, _RANK if len(self._fixed) <= _MANY else _RANK_OF_MANY)
            present = found(self._fixed)
            chosen, moves, probability = self._match(present, other, edges, number)
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
        best = probability.argmax(1)
        partners = chosen.gather(1, best[:, None])[:, 0]
        apart = (present[:, None] + moves - found(self._fixed)[:, None]).norm(dim=2)
        confidence = (probability * (apart < CONFIRMED)).sum(1)
        self._seconds["belief propagation"] = time.perf_counter() - begun
        return found, partners, confidence

    def _look(self, points: Tensor) -> Tensor:
        return looks_of(points, self._matcher)

    def _match(self, present: Tensor, other: Tensor | None, edges: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Candidates (N, K), their displacements (N, K, 3) and probabilities (N, K)."""
        return candidate_partners(present, self._moving, edges, self._parameters, self._matcher, other, number)

    def _fit(self, affine: SmoothMap, factor: Factor, kernel: Kernel, targets: Tensor, variance: Tensor, ridge: float) -> SmoothMap:
        """The smooth map to the targets (N, 3), with distrust of those it cannot reach."""
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
            own, other = self._look(affine(self._fixed)), self._look(self._moving)
            prior = feature_prior(own, other, parameters.feature_weight * float(self._matcher.log_scale.exp()))
        first = 0.8 if after else 0.2

        def tell(number: int, sigma: float) -> None:
            share = first + (0.98 - first) * number / parameters.drift_iterations
            self._progress(share, "coherent point drift")

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
                step=tell,
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
        if len(fixed) > _PLATE_POINTS:  # the pivots of a narrow Gaussian are spread evenly
            chosen = factorise(Kernel((5.0,)), fixed, _PLATE_POINTS, 1e-3).pivots
            fixed, moved = fixed[chosen], moved[chosen]
            self._notes.append(f"the thin-plate spline goes through {len(chosen)} of the points")
        return ThinPlate.fit(fixed, moved - fixed)


def looks_of(points: Tensor, matcher: Matcher) -> Tensor:
    """Features of points (N, 3); in float32 digits would be lost far from the origin."""
    return matcher.features((points - points.mean(0)).float())


def candidate_partners(
    present: Tensor,
    moving: Tensor,
    edges: Tensor,
    parameters: PointsParameters,
    matcher: Matcher | None,
    other: Tensor | None = None,
    number: int = len(_SPACE) - 1,
) -> tuple[Tensor, Tensor, Tensor]:
    """Belief propagation of one round.

    Args:
        present: where fixed points are at present (N, 3), mm.
        moving: (M, 3), mm.
        edges: of the graph of fixed points.
        parameters: of the method.
        matcher: what was learned, or None.
        other: features of the moving points; computed if they are not given.
        number: of the round, 0 to 3; the last by default.

    Returns:
        Candidates (N, K), indices of moving points; their displacements (N, K, 3), mm; and probabilities (N, K).
    """
    candidates = nearest(present, moving, parameters.candidates)
    moves = (moving[candidates] - present[:, None]).float()
    space, bond = _PLAIN_SPACE, _PLAIN_BOND
    if matcher is not None:
        space, bond = float(matcher.log_space.exp()), float(matcher.log_bond.exp())
    cost = parameters.space_weight * _SPACE[number] * space * (moves * moves).sum(2)
    if matcher is not None:
        unlike = _apart(looks_of(present, matcher), looks_of(moving, matcher) if other is None else other, candidates)
        cost = cost + parameters.feature_weight * matcher.log_scale.exp() * unlike
    likely = likeliest(cost, parameters.kept)
    cost, candidates = cost.gather(1, likely), candidates.gather(1, likely)
    moves = moves.gather(1, likely[..., None].expand(-1, -1, 3))
    beliefs = belief_propagation(cost, moves, edges, parameters.bond * bond, parameters.messages)
    return candidates, moves, marginals(beliefs, _SHARPNESS)


def _apart(own: Tensor, other: Tensor, candidates: Tensor) -> Tensor:
    """Squared distances (N, K) of features (N, C) and (M, C) of candidates (N, K)."""
    # All pairs by a product of matrices take less time than the candidates' features one by one.
    rows = max(1, _PAIRS // len(other))
    return torch.cat([squared_distances(one, other).gather(1, chosen) for one, chosen in zip(own.split(rows), candidates.split(rows))])
