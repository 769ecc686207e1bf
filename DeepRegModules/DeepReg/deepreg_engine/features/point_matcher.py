"""What was learned to match points: their features, and how unlike features, distance and disagreement of neighbours weigh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from deepreg_engine.features.edge_conv import PointFeatures
from deepreg_engine.features.weights import weights_of
from deepreg_engine.solvers.neighbours import squared_distances


class Matcher(nn.Module):
    """Costs of pairing points.

    Args:
        neighbours: of the features' graph.
    """

    def __init__(self, neighbours: int = 20) -> None:
        super().__init__()
        self.features = PointFeatures(neighbours)
        self.log_scale = nn.Parameter(torch.tensor(0.0))
        self.log_space = nn.Parameter(torch.tensor(-5.0))
        self.log_bond = nn.Parameter(torch.tensor(-3.0))

    @classmethod
    def load(cls, name: str, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Matcher:
        """The matcher of a model, in evaluation mode.

        Raises:
            InputError: if the weights do not fit.
        """
        return cls.from_state(weights, int(settings.get("neighbours", 20)))

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], neighbours: int) -> Matcher:
        """The matcher whose weights these are, in evaluation mode.

        Raises:
            InputError: if they do not fit.
        """
        matcher = cls(neighbours)
        own = {name.removeprefix("features."): value for name, value in state.items() if name.startswith("features.")}
        matcher.features = PointFeatures.from_state(own, neighbours)
        with weights_of("a point matcher"):
            for name in ("log_scale", "log_space", "log_bond"):
                getattr(matcher, name).data = state[name].reshape(())
        return matcher.eval()

    def costs(self, moved: Tensor, target: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Data costs (N, K) and displacements (N, K, 3) of candidates (N, K) among the target's points."""
        own, other = self.features(moved), self.features(target)
        move = target[candidates] - moved[:, None]
        apart = squared_distances(own, other).gather(1, candidates)
        return self.log_scale.exp() * apart + self.log_space.exp() * (move * move).sum(2), move
