"""Parameters and presets of a training for the Dense method. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepreg_engine.errors import ParameterError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.lengths import size_of
from deepreg_engine.methods.common.parameters import Parameters, parameter
from deepreg_engine.training.presets import QUICK, TrainingPreset

# Finest voxels that a scan is resampled to, mm.
_FINEST = 0.2
# Scans that show at least this size, mm, get the usual voxel size; smaller scans get a smaller one.
_USUAL_SIZE = 300.0
# Edges of cubes are multiples of the first value, because the network halves the resolution three times; the second value is the least
# edge.
_STEP, _LEAST_EDGE = 8, 24
#: Networks that can be trained for the Dense method, and the voxel size, mm, that suits each for scans of a trunk.
DENSE_NETWORKS = {"label": 3.0, "context": 1.5}


@dataclass(frozen=True)
class DenseTraining(Parameters):
    """Parameters of a training of features for the Dense method."""

    network: str = parameter(
        "label",
        "network: label, a segmentation network whose probabilities are the features; or context, features learned through the search",
        choices=tuple(DENSE_NETWORKS),
    )
    steps: int = parameter(2000, "number of steps, with one cube or pair each", minimum=1, maximum=1_000_000)
    rate: float = parameter(3e-3, "highest learning rate", minimum=1e-6, maximum=0.1)
    width: int = parameter(16, "channels of the hidden layers", minimum=4, maximum=128)
    spacing: float = parameter(
        0.0,
        "voxel size of the network; 0 for automatic: 3 (label) or 1.5 (context, with a node for every third) for scans of 30 cm or more; "
        "for smaller scans less in proportion to their size, but not finer than their own voxels",
        unit="mm",
        minimum=0.0,
        maximum=10.0,
    )
    size: int = parameter(64, "label network: edge of the training cubes", unit="voxels", minimum=16, maximum=192, only=("label",))
    structures: float = parameter(
        0.12,
        "label network: random change of the brightness of structures, as a share of half the range of intensities",
        minimum=0.0,
        maximum=1.0,
        only=("label",),
    )
    channels: int = parameter(16, "context network: number of features", minimum=2, maximum=64, only=("context",))
    controls: int = parameter(10, "context network: control points along an edge of an example", minimum=4, maximum=48, only=("context",))
    radius: int = parameter(5, "context network: largest displacement that is searched, in steps", minimum=1, maximum=10, only=("context",))
    motion: float = parameter(
        0.25, "context network: largest random deformation, as a share of the capture range", minimum=0.0, maximum=0.6, only=("context",)
    )
    same: float = parameter(
        0.3,
        "context network: share of the examples that register a scan with its deformed copy, with known true displacements",
        minimum=0.0,
        maximum=1.0,
        only=("context",),
    )
    contrast: float = parameter(
        0.0, "share of images with random contrast; above 0 the features suit any contrast", minimum=0.0, maximum=1.0
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
    classification: float = parameter(
        0.3, "context network: weight of classifying a node's label from its features alone", minimum=0.0, maximum=10.0, only=("context",)
    )
    initial: str = parameter(
        "affine", "context network: alignment of the scans", choices=("geometry", "mass", "rigid", "affine"), only=("context",)
    )
    sharpness: float = parameter(
        20.0,
        "context network: how strongly a lower cost raises a displacement's probability",
        minimum=0.1,
        maximum=1000.0,
        only=("context",),
    )
    patience: int = parameter(0, "number of validations without improvement before early stopping; 0 for none", minimum=0, maximum=1000)
    seed: int = parameter(0, "seed of all random numbers", minimum=0, maximum=2**31 - 1)

    def voxel_size(self, scans: Sequence[ImageGrid]) -> float:
        """Return the edge of the network's voxels, mm.

        Args:
            scans: grids of the scans that are learned from.

        Raises:
            ParameterError: if the parameter is implausibly small.
        """
        if 0.0 < self.spacing < _FINEST:
            advice = f"give {_FINEST:g} to 10 mm, or 0 for automatic"
            raise ParameterError(f"spacing={self.spacing:g} is too fine a voxel size", advice, "spacing")
        if self.spacing or not scans:
            return self.spacing or DENSE_NETWORKS[self.network]
        usual = DENSE_NETWORKS[self.network]
        suitable = usual * min(1.0, float(np.median([size_of(grid) for grid in scans])) / _USUAL_SIZE)
        own = float(np.median([np.prod(grid.spacing) ** (1 / 3) for grid in scans]))
        return min(usual, max(round(suitable, 2), round(own, 2), _FINEST))

    def fitted(self, scans: Sequence[ImageGrid]) -> DenseTraining:
        """Return the parameters with cubes that are not much larger than the scans, which are given on the network's voxels.

        Larger cubes would hold padding, which takes time and changes the statistics of the network's norms.
        """
        edge = float(np.median([np.prod(grid.size) ** (1 / 3) for grid in scans])) if scans else math.inf
        least = min(self.size, _LEAST_EDGE)
        return self.replaced({"size": self.size if edge >= self.size else max(least, _STEP * round(edge / _STEP))})


PRESETS = (
    TrainingPreset("quick", "Quick try", QUICK, {"steps": 250, "spacing": 4.0, "size": 48, "width": 12}),
    TrainingPreset("standard", "Standard", "a segmentation network: about half an hour on two cores, minutes on a GPU", {}),
    TrainingPreset(
        "any-contrast",
        "Any contrast",
        "segments images of any contrast: more than half of the training images have random intensities; about an hour on two cores, "
        "minutes on a GPU",
        {"contrast": 0.6, "steps": 4000},
    ),
    TrainingPreset(
        "search",
        "Through the search",
        "features that are learned through the search, as in the paper, instead of segmentation",
        {"network": "context", "steps": 2000, "width": 24},
    ),
)
