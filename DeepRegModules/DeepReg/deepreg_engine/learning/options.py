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


# What can learn features for the Descent method.
NETWORKS = ("contrast", "similarity")


@dataclass(frozen=True)
class DescentTraining(Parameters):
    """How features of images for iterative descent are trained."""

    steps: int = parameter(3600, "steps, one example each", minimum=1, maximum=1_000_000)
    rate: float = parameter(2e-3, "learning rate at its highest", minimum=1e-6, maximum=0.1)
    network: str = parameter(
        "contrast",
        "what learns: contrast, a network that looks around; or similarity, a descriptor like MIND whose few numbers are learned, for the last millimetre",
        choices=NETWORKS,
    )
    width: int = parameter(16, "channels of the hidden layers of a contrast network", minimum=4, maximum=128)
    channels: int = parameter(12, "features of a contrast network", minimum=3, maximum=64)
    size: int = parameter(40, "edge of the cubes that are learned from", unit="voxels", minimum=24, maximum=160)
    states: int = parameter(2, "places of the descent from which each example is looked at", minimum=1, maximum=16)
    motion: float = parameter(4.0, "largest amplitude of the made-up deformations", unit="voxels", minimum=0.5, maximum=40.0)
    shapes: float = parameter(0.35, "share of the examples that are random shapes", minimum=0.0, maximum=1.0)
    phantoms: int = parameter(12, "phantoms that are made to learn from; 0 for none", minimum=0, maximum=500)
    scans: float = parameter(0.5, "share of the examples from given scans, where there are any", minimum=0.0, maximum=1.0)
    seed: int = parameter(0, "of all random numbers", minimum=0, maximum=2**31 - 1)


@dataclass(frozen=True)
class DenseTraining(Parameters):
    """How features for the Dense method's search are trained."""

    steps: int = parameter(2000, "steps, one pair each", minimum=1, maximum=1_000_000)
    rate: float = parameter(3e-3, "learning rate at its highest", minimum=1e-6, maximum=0.1)
    channels: int = parameter(16, "features", minimum=2, maximum=64)
    width: int = parameter(24, "channels of the hidden layers", minimum=4, maximum=128)
    spacing: float = parameter(1.5, "voxel size that the network sees; it has a node for every third", unit="mm", minimum=0.2, maximum=10.0)
    controls: int = parameter(10, "control points along an edge of what an example compares", minimum=4, maximum=48)
    radius: int = parameter(5, "largest displacement that is searched, in steps", minimum=1, maximum=10)
    motion: float = parameter(0.25, "largest made-up deformation, as a share of the search's reach", minimum=0.0, maximum=0.6)
    same: float = parameter(0.3, "share of the examples that are one scan against itself, deformed: their truth is known", minimum=0.0, maximum=1.0)
    contrast: float = parameter(0.0, "share of looks with random contrast; above 0 the features serve any contrast", minimum=0.0, maximum=1.0)
    noise: float = parameter(0.15, "largest noise, as a share of half the range of intensities", minimum=0.0, maximum=1.0)
    smoothness: float = parameter(0.01, "weight of squared differences of neighbouring displacements", minimum=0.0, maximum=10.0)
    truth: float = parameter(0.02, "weight of the probability of true displacements, where they are known", minimum=0.0, maximum=10.0)
    telling: float = parameter(0.3, "weight of telling a node's label from its features alone", minimum=0.0, maximum=10.0)
    initial: str = parameter("affine", "how scans are aligned before", choices=("geometry", "mass", "rigid", "affine"))
    sharpness: float = parameter(20.0, "how strongly a lower cost raises a displacement's probability", minimum=0.1, maximum=1000.0)
    patience: int = parameter(0, "validations without a better one before the training ends; 0 never ends it", minimum=0, maximum=1000)
    seed: int = parameter(0, "of all random numbers", minimum=0, maximum=2**31 - 1)
