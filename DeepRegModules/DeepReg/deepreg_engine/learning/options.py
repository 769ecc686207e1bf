"""What can be chosen of a training. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from deepreg_engine.methods.parameters import Parameters, parameter


@dataclass(frozen=True)
class PointTraining(Parameters):
    """How point features are trained."""

    steps: int = parameter(2250, "steps", minimum=1, maximum=1_000_000)
    solver_share: float = parameter(0.3, "share of the steps, the last ones, in which the solver is part of the loss", minimum=0.0, maximum=1.0)
    rate: float = parameter(2e-3, "learning rate at its highest", minimum=1e-6, maximum=0.1)
    neighbours: int = parameter(20, "nearest neighbours that make the graph of the features", minimum=4, maximum=64)
    candidates: int = parameter(128, "nearest target points that are compared", minimum=16, maximum=1024)
    batch: int = parameter(4, "examples whose gradients are averaged before a step", minimum=1, maximum=64)
    seed: int = parameter(0, "of all random numbers", minimum=0, maximum=2**31 - 1)
