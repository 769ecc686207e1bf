"""Matching of points with learned features: the data cost of pairing a fixed with a moving point.

    c(i, j) = a |f_i - g_j|^2 + b |y_j - x_i|^2                           (Hansen and Heinrich, IPMI 2021)

with features f, g of both clouds at positions x, y. The weights a, b, and that of the difference of neighbouring displacements in belief
propagation, are learned with the features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from deepreg_engine.features.edge_conv import PointFeatures
from deepreg_engine.features.weights import weights_of
from deepreg_engine.solvers.neighbours import squared_distances

# In a model's settings: whether all layers use the graph of the positions, or each layer has its own graph.
STATIC, DYNAMIC = "static", "dynamic"


class Matcher(nn.Module):
    """Costs of pairing points.

    Args:
        neighbours: of the features' graph.
        dynamic: whether the graph is computed again before each layer, see :class:`PointFeatures`.
    """

    def __init__(self, neighbours: int = 20, dynamic: bool = False) -> None:
        super().__init__()
        self.features = PointFeatures(neighbours, dynamic=dynamic)
        self.log_scale = nn.Parameter(torch.tensor(0.0))
        self.log_space = nn.Parameter(torch.tensor(-5.0))
        self.log_bond = nn.Parameter(torch.tensor(-3.0))

    @classmethod
    def load(cls, name: str, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Matcher:
        """Return the matcher of a model, in evaluation mode.

        Raises:
            InputError: if the weights do not fit.
        """
        return cls.from_state(weights, int(settings.get("neighbours", 20)), settings.get("graph") == DYNAMIC)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], neighbours: int, dynamic: bool = False) -> Matcher:
        """Return the matcher with these weights, in evaluation mode.

        Raises:
            InputError: if they do not fit.
        """
        matcher = cls(neighbours, dynamic)
        own = {name.removeprefix("features."): value for name, value in state.items() if name.startswith("features.")}
        matcher.features = PointFeatures.from_state(own, neighbours, dynamic)
        with weights_of("a point matcher"):
            for name in ("log_scale", "log_space", "log_bond"):
                getattr(matcher, name).data = state[name].reshape(())
        return matcher.eval()

    def costs(self, moved: Tensor, target: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Return data costs (N, K) and displacements (N, K, 3) of candidates (N, K) among the target's points."""
        own, other = self.features(moved), self.features(target)
        move = target[candidates] - moved[:, None]
        apart = squared_distances(own, other).gather(1, candidates)
        return self.log_scale.exp() * apart + self.log_space.exp() * (move * move).sum(2), move
