"""What can be chosen of a training. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from deepreg_engine.errors import ParameterError
from deepreg_engine.methods.common.parameters import Parameters, parameter

# Smallest voxels that a scan is drawn on, mm.
_FINEST = 0.2


@dataclass(frozen=True)
class PointTraining(Parameters):
    """How point features are trained."""

    steps: int = parameter(2250, "steps", minimum=1, maximum=1_000_000)
    solver_share: float = parameter(
        0.3, "share of the steps, the last ones, in which the solver is part of the loss", minimum=0.0, maximum=1.0
    )
    rate: float = parameter(2e-3, "learning rate at its highest", minimum=1e-6, maximum=0.1)
    neighbours: int = parameter(20, "nearest neighbours that make the graph of the features", minimum=4, maximum=64)
    candidates: int = parameter(128, "nearest target points that are compared", minimum=16, maximum=1024)
    batch: int = parameter(4, "examples whose gradients are averaged before a step", minimum=1, maximum=64)
    seed: int = parameter(0, "of all random numbers", minimum=0, maximum=2**31 - 1)


# What can learn features for the Descent method.
NETWORKS = ("contrast", "similarity", "tissue")


@dataclass(frozen=True)
class DescentTraining(Parameters):
    """How features of images for iterative descent are trained."""

    steps: int = parameter(3600, "steps, one example each", minimum=1, maximum=1_000_000)
    rate: float = parameter(2e-3, "learning rate at its highest", minimum=1e-6, maximum=0.1)
    network: str = parameter(
        "contrast",
        "what learns: contrast, a network that looks around; similarity, a descriptor like MIND whose few numbers are learned, for the last millimetre; or "
        "tissue, that and tissue classes by HU, for CT",
        choices=NETWORKS,
    )
    width: int = parameter(16, "channels of the hidden layers of a contrast network", minimum=4, maximum=128, only=("contrast",))
    channels: int = parameter(12, "features of a contrast network", minimum=3, maximum=64, only=("contrast",))
    size: int = parameter(40, "edge of the cubes that are learned from", unit="voxels", minimum=24, maximum=160)
    states: int = parameter(2, "places of the descent from which each example is looked at", minimum=1, maximum=16)
    motion: float = parameter(4.0, "largest amplitude of the made-up deformations", unit="voxels", minimum=0.5, maximum=40.0)
    shapes: float = parameter(
        0.35, "share of the examples that are random shapes", minimum=0.0, maximum=1.0, only=("contrast", "similarity")
    )
    phantoms: int = parameter(12, "phantoms that are made to learn from; 0 for none", minimum=0, maximum=500)
    scans: float = parameter(0.5, "share of the examples from given scans, where there are any", minimum=0.0, maximum=1.0)
    seed: int = parameter(0, "of all random numbers", minimum=0, maximum=2**31 - 1)


# What can learn features for the Dense method, and the voxels that suit each, mm.
DENSE_NETWORKS = {"label": 3.0, "context": 1.5}


@dataclass(frozen=True)
class DenseTraining(Parameters):
    """How features for the Dense method are trained."""

    network: str = parameter(
        "label",
        "what learns: label, a network that names structures, whose probabilities are the features; or context, features learned through the search",
        choices=tuple(DENSE_NETWORKS),
    )
    steps: int = parameter(2000, "steps, one cube or pair each", minimum=1, maximum=1_000_000)
    rate: float = parameter(3e-3, "learning rate at its highest", minimum=1e-6, maximum=0.1)
    width: int = parameter(16, "channels of the hidden layers", minimum=4, maximum=128)
    spacing: float = parameter(
        0.0,
        "voxel size that the network sees; 0 for what suits it, 3 (label) or 1.5 (context, with a node for every third)",
        unit="mm",
        minimum=0.0,
        maximum=10.0,
    )
    size: int = parameter(64, "label network: edge of the cubes that it looks at", unit="voxels", minimum=16, maximum=192, only=("label",))
    structures: float = parameter(
        0.12,
        "label network: how much brighter or darker structures are made, as a share of half the range of intensities",
        minimum=0.0,
        maximum=1.0,
        only=("label",),
    )
    channels: int = parameter(16, "context network: features", minimum=2, maximum=64, only=("context",))
    controls: int = parameter(
        10, "context network: control points along an edge of what an example compares", minimum=4, maximum=48, only=("context",)
    )
    radius: int = parameter(5, "context network: largest displacement that is searched, in steps", minimum=1, maximum=10, only=("context",))
    motion: float = parameter(
        0.25, "context network: largest made-up deformation, as a share of the search's reach", minimum=0.0, maximum=0.6, only=("context",)
    )
    same: float = parameter(
        0.3,
        "context network: share of the examples that are one scan against itself, deformed: their truth is known",
        minimum=0.0,
        maximum=1.0,
        only=("context",),
    )
    contrast: float = parameter(
        0.0, "share of looks with random contrast; above 0 the features serve any contrast", minimum=0.0, maximum=1.0
    )
    noise: float = parameter(0.15, "largest noise, as a share of half the range of intensities", minimum=0.0, maximum=1.0)
    smoothness: float = parameter(
        0.01, "context network: weight of squared differences of neighbouring displacements", minimum=0.0, maximum=10.0, only=("context",)
    )
    truth: float = parameter(
        0.02,
        "context network: weight of the probability of true displacements, where they are known",
        minimum=0.0,
        maximum=10.0,
        only=("context",),
    )
    telling: float = parameter(
        0.3, "context network: weight of telling a node's label from its features alone", minimum=0.0, maximum=10.0, only=("context",)
    )
    initial: str = parameter(
        "affine", "context network: how scans are aligned before", choices=("geometry", "mass", "rigid", "affine"), only=("context",)
    )
    sharpness: float = parameter(
        20.0,
        "context network: how strongly a lower cost raises a displacement's probability",
        minimum=0.1,
        maximum=1000.0,
        only=("context",),
    )
    patience: int = parameter(0, "validations without a better one before the training ends; 0 never ends it", minimum=0, maximum=1000)
    seed: int = parameter(0, "of all random numbers", minimum=0, maximum=2**31 - 1)

    def voxel_size(self) -> float:
        """What the network sees, mm.

        Raises:
            ParameterError: if it is too small to be meant.
        """
        if 0.0 < self.spacing < _FINEST:
            raise ParameterError(
                f"spacing={self.spacing:g} is too fine a voxel size", f"give {_FINEST:g} to 10 mm, or 0 for what suits the network"
            )
        return self.spacing or DENSE_NETWORKS[self.network]
