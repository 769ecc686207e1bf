"""Parameters and presets of a training for the Points method. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from deepreg_engine.methods.common.parameters import Parameters, parameter
from deepreg_engine.training.presets import QUICK, TrainingPreset


@dataclass(frozen=True)
class PointTraining(Parameters):
    """Parameters of a training of point features."""

    steps: int = parameter(2250, "number of steps", minimum=1, maximum=1_000_000)
    solver: str = parameter(
        "belief",
        "solver in the loss: belief, belief propagation; or drift, coherent point drift with the features as prior",
        choices=("belief", "drift"),
    )
    solver_share: float = parameter(
        0.3, "share of the steps, at the end, in which the solver is part of the loss", minimum=0.0, maximum=1.0
    )
    rate: float = parameter(2e-3, "highest learning rate", minimum=1e-6, maximum=0.1)
    neighbours: int = parameter(20, "number of nearest neighbours of a point in the graph of the features", minimum=4, maximum=64)
    graph: str = parameter(
        "static",
        "neighbours in the features' layers: static, those of the positions; or dynamic, computed again from the features of each layer",
        choices=("static", "dynamic"),
    )
    candidates: int = parameter(128, "number of nearest target points that are compared", minimum=16, maximum=1024)
    batch: int = parameter(4, "number of examples whose gradients are averaged in a step", minimum=1, maximum=64)
    seed: int = parameter(0, "seed of all random numbers", minimum=0, maximum=2**31 - 1)


PRESETS = (
    TrainingPreset("quick", "Quick try", QUICK, {"steps": 200, "batch": 2}),
    TrainingPreset("standard", "Standard", "about half an hour on two cores, minutes on a GPU", {}),
)
