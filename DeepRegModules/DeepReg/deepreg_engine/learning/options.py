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


@dataclass(frozen=True)
class DescentTraining(Parameters):
    """How features of images for iterative descent are trained."""

    steps: int = parameter(3600, "steps, one example each", minimum=1, maximum=1_000_000)
    rate: float = parameter(2e-3, "learning rate at its highest", minimum=1e-6, maximum=0.1)
    width: int = parameter(16, "channels of the hidden layers", minimum=4, maximum=128)
    channels: int = parameter(12, "features", minimum=3, maximum=64)
    size: int = parameter(40, "edge of the cubes that are learned from", unit="voxels", minimum=24, maximum=160)
    states: int = parameter(2, "places of the descent from which each example is looked at", minimum=1, maximum=16)
    motion: float = parameter(4.0, "largest amplitude of the made-up deformations", unit="voxels", minimum=0.5, maximum=40.0)
    shapes: float = parameter(0.35, "share of the examples that are random shapes", minimum=0.0, maximum=1.0)
    phantoms: int = parameter(12, "phantoms that are made to learn from; 0 for none", minimum=0, maximum=500)
    scans: float = parameter(0.5, "share of the examples from given scans, where there are any", minimum=0.0, maximum=1.0)
    seed: int = parameter(0, "of all random numbers", minimum=0, maximum=2**31 - 1)
