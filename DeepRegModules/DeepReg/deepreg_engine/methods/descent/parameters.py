"""Parameters and presets of the Descent method. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from deepreg_engine.methods.common.parameters import INITIALS, Parameters, parameter

# What an image can be said to be; each has its first layers in a network. "auto" looks at the intensities.
MODALITIES = ("auto", "ct", "mr", "other")
# The network that comes with the engine.
SHIPPED_NETWORK = "any-contrast"


@dataclass(frozen=True)
class DescentParameters(Parameters):
    """Parameters of the Descent method (regularised iterative descent on learned features; Blendowski, Hansen and Heinrich 2021)."""

    initial: str = parameter(
        "affine",
        "alignment before the deformation: image centres, centres of mass, rigid or affine by mutual information",
        choices=INITIALS,
        group="Alignment",
    )
    features: str = parameter(
        "mind",
        "what is compared: mind (a formula, any contrast), self-similarity (learned, any contrast), ct-tissue (learned, CT), intensity (same contrast), or the name or file of a model such as any-contrast",
        group="Features",
    )
    fixed_modality: str = parameter(
        "auto", "what the fixed image is, for networks that treat modalities apart", choices=MODALITIES, group="Features"
    )
    moving_modality: str = parameter("auto", "what the moving image is", choices=MODALITIES, group="Features")
    mind_radius: int = parameter(1, "half width of MIND's patches", unit="voxels", minimum=0, maximum=3, group="Features")
    mind_dilation: int = parameter(2, "distance of the neighbours MIND compares", unit="voxels", minimum=1, maximum=4, group="Features")
    working_spacing: float = parameter(
        3.0,
        "finest voxel size of the computation; never finer than the fixed image",
        unit="mm",
        minimum=0.25,
        maximum=20.0,
        group="Resolution",
    )
    working_voxels: float = parameter(
        5.0,
        "cap on the voxels of the computation; above it the working spacing grows",
        unit="million",
        minimum=0.01,
        maximum=200.0,
        group="Resolution",
    )
    levels: int = parameter(3, "resolutions, each with half the voxel size of the one before", minimum=1, maximum=5, group="Resolution")
    reach: float = parameter(
        40.0, "how far beyond the fixed image the moving one is looked at", unit="mm", minimum=1.0, maximum=300.0, group="Resolution"
    )
    iterations: int = parameter(
        40, "steps at the coarsest resolution; each finer one has two thirds of those before", minimum=1, maximum=1000, group="Descent"
    )
    window: int = parameter(
        2,
        "distance of the points at which a step is computed, and of the voxels that it looks at",
        unit="voxels",
        minimum=1,
        maximum=8,
        group="Descent",
    )
    window_spread: float = parameter(
        2.0, "width of the Gaussian that widens these windows", unit="voxels", minimum=0.0, maximum=20.0, group="Descent"
    )
    damping: float = parameter(
        0.05,
        "alpha: shortens steps where the image has little structure, as a share of its mean structure",
        minimum=0.0,
        maximum=100.0,
        group="Descent",
    )
    fluid: float = parameter(2.0, "width of the Gaussian that smooths each step", unit="voxels", minimum=0.0, maximum=20.0, group="Descent")
    elastic: float = parameter(
        2.0,
        "width of the Gaussian that smooths the whole deformation after each step",
        unit="voxels",
        minimum=0.0,
        maximum=20.0,
        group="Descent",
    )
    robustness: float = parameter(
        0.0,
        "residual at which a voxel counts a quarter, as a share of the mean; 0 trusts all voxels alike",
        minimum=0.0,
        maximum=100.0,
        group="Descent",
    )
    symmetric: bool = parameter(
        False, "whether both images are moved half of the way, so that neither is preferred; takes about twice the time", group="Descent"
    )
