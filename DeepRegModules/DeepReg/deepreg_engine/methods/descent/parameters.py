"""Parameters and presets of the Descent method. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from deepreg_engine.methods.common import parameters as common
from deepreg_engine.methods.common.parameters import Parameters, parameter

# Modalities with first layers of their own in a network; "auto" chooses by the intensities.
MODALITIES = ("auto", "ct", "mr", "other")
# The model that comes with the engine.
SHIPPED_NETWORK = "any-contrast"


@dataclass(frozen=True)
class DescentParameters(Parameters):
    """Parameters of the Descent method (Blendowski, Hansen and Heinrich, Weakly-supervised learning of multi-modal features for
    regularised iterative descent in 3D image registration, Medical Image Analysis 2021)."""

    initial: str = common.initial()
    features: str = parameter(
        "mind",
        "features to compare: mind (handcrafted, any contrast), self-similarity (learned, any contrast), ct-tissue (learned, CT), "
        "normalised or intensity (same contrast), or the name or file of a model such as any-contrast",
        group="Features",
    )
    fixed_modality: str = parameter(
        "auto", "modality of the fixed image, for networks with layers for each modality", choices=MODALITIES, group="Features"
    )
    moving_modality: str = parameter("auto", "modality of the moving image", choices=MODALITIES, group="Features")
    mind_radius: int = common.mind_radius()
    mind_dilation: int = common.mind_dilation()
    working_spacing: float = common.working_spacing(3.0)
    working_voxels: float = common.working_voxels(5.0)
    length_scale: float = common.length_scale()
    levels: int = parameter(
        3, "number of resolutions, each with half the voxel size of the one before", minimum=1, maximum=5, group="Resolution"
    )
    reach: float = parameter(
        40.0, "how far the moving image is used beyond the fixed image", unit="mm", minimum=0.01, maximum=3000.0, group="Resolution"
    )
    iterations: int = parameter(
        40,
        "iterations at the coarsest resolution; each finer one has two thirds of the one before",
        minimum=1,
        maximum=1000,
        group="Descent",
    )
    window: int = parameter(
        2,
        "distance of the points at which a step is computed, and of the voxels that it uses",
        unit="voxels",
        minimum=1,
        maximum=8,
        group="Descent",
    )
    window_spread: float = parameter(
        2.0, "standard deviation of the Gaussian window around these points", unit="voxels", minimum=0.0, maximum=20.0, group="Descent"
    )
    damping: float = parameter(
        0.05,
        "alpha: shortens steps where the image has little structure, relative to the mean curvature",
        minimum=0.0,
        maximum=100.0,
        group="Descent",
    )
    fluid: float = parameter(
        2.0, "standard deviation of the Gaussian that smooths each step", unit="voxels", minimum=0.0, maximum=20.0, group="Descent"
    )
    elastic: float = parameter(
        2.0,
        "standard deviation of the Gaussian that smooths the whole deformation after each step",
        unit="voxels",
        minimum=0.0,
        maximum=20.0,
        group="Descent",
    )
    robustness: float = parameter(
        0.0,
        "residual at which the weight of a voxel falls to a quarter, relative to the mean; 0 weights all voxels equally",
        minimum=0.0,
        maximum=100.0,
        group="Descent",
    )
    symmetric: bool = parameter(
        False, "deform both images by half of the displacement, so that neither is preferred; takes about twice the time", group="Descent"
    )
