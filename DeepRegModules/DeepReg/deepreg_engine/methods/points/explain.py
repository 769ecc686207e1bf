"""Why the Points method led where it did: the partners that each fixed point considers, seen from the result.

Everything is as in the method's last round, but from where the *result* takes the fixed points: features of the clouds as they are then,
costs of the nearest moving points, messages between neighbours, and the probabilities that follow. For a run by coherent point drift alone
they are posterior probabilities under its Gaussians, with the sigma it ended with (Myronenko and Song, TPAMI 2010, eq. 6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from deepreg_engine.features.point_matcher import Matcher
from deepreg_engine.methods.common.device import choose_device
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.points.register import CONFIRMED, candidate_partners, looks_of
from deepreg_engine.models.store import load_matcher
from deepreg_engine.solvers.neighbours import nearest, neighbour_graph, squared_distances
from deepreg_engine.solvers.point_drift import feature_prior, outlier_density

# Moving points that are looked at around a fixed one after coherent point drift.
_NEAREST = 32
# Pairs of points whose probability is held at once.
_PAIRS = 4_000_000
# Sigma, mm, of a drift that does not say with which it ended.
_SIGMA = 3.0


@dataclass(frozen=True)
class PointsExplanation:
    """What fixed points think of moving ones.

    Args:
        fixed: (N, 3), LPS mm.
        moved: where the result takes them (N, 3).
        moving: (M, 3).
        candidates: indices of moving points (N, K), the likeliest first.
        probability: that a candidate is the partner (N, K); what is left to 1 has other or no partners.
        confidence: probability (N,) that the partner lies within 5 mm of where the result takes the point.
    """

    fixed: np.ndarray
    moved: np.ndarray
    moving: np.ndarray
    candidates: np.ndarray
    probability: np.ndarray
    confidence: np.ndarray

    def nearest(self, point: np.ndarray) -> int:
        """Number of the fixed point next to a place (3,), LPS mm."""
        return int(np.square(self.fixed - np.asarray(point, dtype=np.float64)).sum(1).argmin())


@torch.no_grad()
def explain_points(
    fixed: np.ndarray, moving: np.ndarray, moved: np.ndarray, parameters: PointsParameters, sigma: float | None = None, device: str = "auto"
) -> PointsExplanation:
    """What the method thinks of two clouds under its result.

    Args:
        fixed, moving: (N, 3), (M, 3), LPS mm, as they were registered.
        moved: where the result takes the fixed ones (N, 3).
        parameters: of the run.
        sigma: with which coherent point drift has ended, mm; None takes 3.
        device: see :func:`choose_device`.

    Raises:
        DeviceError, ParameterError, InputError: if the device or the features do not exist.
    """
    chosen, _ = choose_device(device)
    if chosen.type == "mps":  # no float64 there
        chosen = torch.device("cpu")
    matcher, _ = load_matcher(parameters.features)
    if matcher is not None:
        matcher.to(chosen)
    first, second, present = (torch.tensor(np.asarray(cloud), dtype=torch.float64, device=chosen) for cloud in (fixed, moving, moved))
    if parameters.solver == "drift":
        candidates, probability = _drifting(present, second, parameters, matcher, sigma or _SIGMA)
    else:
        edges = neighbour_graph(first, parameters.graph_neighbours)
        candidates, _, probability = candidate_partners(present, second, edges, parameters, matcher)
    order = probability.argsort(dim=1, descending=True, stable=True)
    candidates, probability = candidates.gather(1, order), probability.gather(1, order)
    apart = (second[candidates] - present[:, None]).norm(dim=2)
    confidence = (probability * (apart < CONFIRMED)).sum(1)
    return PointsExplanation(
        np.asarray(fixed, dtype=np.float64),
        np.asarray(moved, dtype=np.float64),
        np.asarray(moving, dtype=np.float64),
        candidates.cpu().numpy(),
        probability.cpu().numpy().astype(np.float64),
        confidence.cpu().numpy().astype(np.float64),
    )


def _drifting(
    present: torch.Tensor, moving: torch.Tensor, parameters: PointsParameters, matcher: Matcher | None, sigma: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Candidates (N, K) and the probabilities (N, K) that they belong to a fixed point: eq. 6 with the moving points as centres."""
    variance = torch.as_tensor(sigma**2, dtype=present.dtype, device=present.device)
    prior = None
    if matcher is not None and parameters.feature_weight > 0:
        strength = parameters.feature_weight * float(matcher.log_scale.exp())
        prior = feature_prior(looks_of(moving, matcher), looks_of(present, matcher), strength).T
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
