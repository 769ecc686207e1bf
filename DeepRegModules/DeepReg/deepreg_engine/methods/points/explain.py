"""Explanation of a Points registration: the candidate partners of each fixed point and their probabilities.

The last round of the method is repeated from the positions to which the result maps the fixed points: features, costs of the nearest moving
points, messages between neighbours, and marginal probabilities. After coherent point drift alone they are the posterior probabilities
under its Gaussians with its last sigma (Myronenko and Song, TPAMI 2010, eq. 6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepreg_engine.arrays import array_of, new_tensor
from deepreg_engine.features.point_matcher import Matcher
from deepreg_engine.methods.common.lengths import with_factor
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.points.presets import POINTS_PRESETS
from deepreg_engine.methods.points.register import CONFIRMED, candidate_partners, point_features, working_device
from deepreg_engine.models.store import load_matcher
from deepreg_engine.solvers.neighbours import nearest, neighbour_graph, squared_distances
from deepreg_engine.solvers.point_drift import feature_prior, outlier_density

# Number of moving points around a fixed point that are considered after coherent point drift.
_NEAREST = 32
# Pairs of points whose probabilities are in memory at once.
_PAIRS = 4_000_000
# Default sigma of coherent point drift, mm.
_SIGMA = 3.0


@dataclass(frozen=True)
class PointsExplanation:
    """Candidate partners of the fixed points.

    Args:
        fixed: (N, 3), LPS mm.
        moved: mapped by the result (N, 3).
        moving: (M, 3).
        candidates: indices of moving points (N, K), by decreasing probability.
        probability: that a candidate is the partner (N, K); the rest to 1 belongs to other points or to none.
        confidence: probability (N,) that the partner lies within 5 mm, times the length scale, of the mapped point.
    """

    fixed: np.ndarray
    moved: np.ndarray
    moving: np.ndarray
    candidates: np.ndarray
    probability: np.ndarray
    confidence: np.ndarray

    def nearest(self, point: np.ndarray) -> int:
        """Return the index of the fixed point nearest to a point (3,), LPS mm."""
        return int(np.square(self.fixed - np.asarray(point, dtype=np.float64)).sum(1).argmin())


@torch.no_grad()
def explain_points(
    fixed: np.ndarray, moving: np.ndarray, moved: np.ndarray, parameters: PointsParameters, sigma: float | None = None, device: str = "auto"
) -> PointsExplanation:
    """Return the candidate partners of two clouds under a result.

    Args:
        fixed, moving: (N, 3), (M, 3), LPS mm, as registered.
        moved: the fixed points mapped by the result (N, 3).
        parameters: of the run, with its ``length_scale``; 0 selects it by the size of the fixed points.
        sigma: last sigma of coherent point drift, mm; 3 times the length scale by default.
        device: see :func:`choose_device`.

    Raises:
        DeviceError, ParameterError, InputError: if the device or the features do not exist.
    """
    chosen, _ = working_device(device)
    matcher, _ = load_matcher(parameters.features)
    if matcher is not None:
        matcher.to(chosen)
    scale = with_factor(parameters, POINTS_PRESETS, np.asarray(fixed)).length_scale
    first, second, present = (new_tensor(np.asarray(cloud) / scale, dtype=torch.float64, device=chosen) for cloud in (fixed, moving, moved))
    if parameters.solver == "drift":
        candidates, probability = _drift_posteriors(present, second, parameters, matcher, sigma / scale if sigma else _SIGMA)
    else:
        edges = neighbour_graph(first, parameters.graph_neighbours)
        candidates, _, probability = candidate_partners(present, second, edges, parameters, matcher)
    order = probability.argsort(dim=1, descending=True, stable=True)
    candidates, probability = candidates.gather(1, order), probability.gather(1, order)
    distance = (second[candidates] - present[:, None]).norm(dim=2)
    confidence = (probability * (distance < CONFIRMED)).sum(1)
    return PointsExplanation(
        np.asarray(fixed, dtype=np.float64),
        np.asarray(moved, dtype=np.float64),
        np.asarray(moving, dtype=np.float64),
        array_of(candidates),
        array_of(probability).astype(np.float64),
        array_of(confidence).astype(np.float64),
    )


def _drift_posteriors(
    present: torch.Tensor, moving: torch.Tensor, parameters: PointsParameters, matcher: Matcher | None, sigma: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return candidates (N, K) and their posterior probabilities (N, K): eq. 6 with the moving points as centres."""
    variance = torch.tensor(sigma**2, dtype=present.dtype, device=present.device)
    prior = None
    if matcher is not None and parameters.feature_weight > 0:
        strength = parameters.feature_weight * float(matcher.log_scale.exp())
        prior = feature_prior(point_features(moving, matcher), point_features(present, matcher), strength).T
    constant = outlier_density(moving, present, variance, parameters.outliers)
    candidates = nearest(present, moving, _NEAREST)
    weights, total = [], []
    rows = max(1, _PAIRS // len(moving))
    for start in range(0, len(present), rows):
        part = slice(start, start + rows)
        weight = torch.exp(-0.5 * squared_distances(present[part], moving) / variance)
        if prior is not None:
            weight = weight * prior[part].to(weight)
        weights.append(weight.gather(1, candidates[part]))
        total.append(weight.sum(1, keepdim=True) + constant)
    return candidates, torch.cat(weights) / torch.cat(total).clamp(min=torch.finfo(present.dtype).tiny)
