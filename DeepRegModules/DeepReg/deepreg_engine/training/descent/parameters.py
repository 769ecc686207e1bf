"""Parameters and presets of a training for the Descent method. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from deepreg_engine.methods.common.parameters import Parameters, parameter
from deepreg_engine.training.presets import QUICK, TrainingPreset

#: Networks that can be trained for the Descent method.
NETWORKS = ("contrast", "similarity", "tissue")


@dataclass(frozen=True)
class DescentTraining(Parameters):
    """Parameters of a training of features for the Descent method."""

    steps: int = parameter(3600, "number of steps, with one example each", minimum=1, maximum=1_000_000)
    rate: float = parameter(2e-3, "highest learning rate", minimum=1e-6, maximum=0.1)
    network: str = parameter(
        "contrast",
        "contrast, a network with context; similarity, the few weights of a descriptor like MIND, accurate below a millimetre; or tissue, "
        "that descriptor and tissue classes by HU, for CT",
        choices=NETWORKS,
    )
    width: int = parameter(16, "channels of the hidden layers of a contrast network", minimum=4, maximum=128, only=("contrast",))
    channels: int = parameter(12, "number of features of a contrast network", minimum=3, maximum=64, only=("contrast",))
    size: int = parameter(40, "edge of the training cubes", unit="voxels", minimum=24, maximum=160)
    states: int = parameter(2, "positions along the descent at which each example is evaluated", minimum=1, maximum=16)
    motion: float = parameter(4.0, "largest amplitude of the random deformations", unit="voxels", minimum=0.5, maximum=40.0)
    shapes: float = parameter(
        0.35, "share of the examples that are random shapes", minimum=0.0, maximum=1.0, only=("contrast", "similarity")
    )
    phantoms: int = parameter(12, "number of phantoms in the training data; 0 for none", minimum=0, maximum=500)
    scans: float = parameter(0.5, "share of the examples from the given scans, if any are given", minimum=0.0, maximum=1.0)
    seed: int = parameter(0, "seed of all random numbers", minimum=0, maximum=2**31 - 1)


PRESETS = (
    TrainingPreset("quick", "Quick try", QUICK, {"steps": 250, "phantoms": 0, "size": 32}),
    TrainingPreset("standard", "Standard", "about three quarters of an hour on two cores", {}),
    TrainingPreset(
        "similarity",
        "Self-similarity",
        "the few weights of a descriptor like MIND, in some minutes: sharper than a network, but without its context",
        {"network": "similarity", "rate": 0.03, "steps": 600},
    ),
    TrainingPreset(
        "tissue",
        "CT tissue",
        "the few weights of a descriptor of CT, in less than ten minutes: self-similarity and tissue classes by HU",
        {"network": "tissue", "rate": 0.03, "steps": 600, "phantoms": 10},
    ),
)
