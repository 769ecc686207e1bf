"""Parameters of the Dense method. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from deepreg_engine.methods.common.parameters import INITIALS, SHIPPED_CT, SHIPPED_FEATURES, Parameters, parameter


@dataclass(frozen=True)
class DenseParameters(Parameters):
    """Parameters of the Dense method (probabilistic dense displacements, Heinrich, MICCAI 2019)."""

    initial: str = parameter(
        "affine",
        "alignment before the deformation: image centres, centres of mass, rigid or affine by mutual information",
        choices=INITIALS,
        group="Alignment",
    )
    features: str = parameter(
        "mind",
        "what is compared: mind (a formula, any contrast), self-similarity (learned, any contrast), ct-tissue (learned, CT), intensity (same contrast), "
        "or the name or file of a model",
        group="Features",
    )
    refinement_features: str = parameter(
        "same",
        "what the refinement compares: the same (beside names of structures, MIND), or self-similarity, ct-tissue, mind or intensity",
        choices=("same", SHIPPED_FEATURES, SHIPPED_CT, "mind", "intensity"),
        group="Features",
    )
    mind_radius: int = parameter(1, "half width of MIND's patches", unit="voxels", minimum=0, maximum=3, group="Features")
    mind_dilation: int = parameter(2, "distance of the neighbours MIND compares", unit="voxels", minimum=1, maximum=4, group="Features")
    working_spacing: float = parameter(
        3.5,
        "finest voxel size of the computation; never finer than the fixed image",
        unit="mm",
        minimum=0.25,
        maximum=20.0,
        group="Resolution",
    )
    working_voxels: float = parameter(
        6.0,
        "cap on the voxels of the computation; above it the working spacing grows",
        unit="million",
        minimum=0.01,
        maximum=200.0,
        group="Resolution",
    )
    control_spacing: float = parameter(
        12.0, "distance of the control points of the discrete search", unit="mm", minimum=1.0, maximum=80.0, group="Search"
    )
    capture_range: float = parameter(
        60.0, "largest displacement searched along each axis, beyond the alignment", unit="mm", minimum=1.0, maximum=300.0, group="Search"
    )
    search_stages: int = parameter(
        2,
        "discrete stages; each halves the displacement step of the one before and starts from its result",
        minimum=0,
        maximum=3,
        group="Search",
    )
    search_weights: str = parameter(
        "own",
        "weights of the search: own (costs in units of the mean mismatch, with a ceiling); or published, a0 to a5 of PDD-Net, which replace "
        "truncation, message_weight and sharpness and belong with two mean_field_passes",
        choices=("own", "published"),
        group="Search",
    )
    mean_field_passes: int = parameter(1, "rounds of min-convolution and mean field in each stage", minimum=0, maximum=4, group="Search")
    message_weight: float = parameter(
        1.0,
        "share of the neighbours' costs in the second and later rounds (a3 of the paper, relative to a2)",
        minimum=-2.0,
        maximum=4.0,
        group="Search",
    )
    truncation: float = parameter(
        0.0,
        "ceiling of a mismatch, as a share of the mean mismatch; low values ignore what has no partner; 0 is what suits the features: 0.3, "
        "or 1 for probabilities of structures",
        minimum=0.0,
        maximum=100.0,
        group="Search",
    )
    sharpness: float = parameter(
        150.0,
        "how strongly a lower cost raises a displacement's probability (a5 of the paper)",
        minimum=0.1,
        maximum=10000.0,
        group="Search",
    )
    instance_optimisation: str = parameter(
        "coupled",
        "how a field is drawn from the costs: coupled (best labels and smooth field in turn), adam (the paper's), none (expected displacement)",
        choices=("coupled", "adam", "none"),
        group="Search",
    )
    search_smoothness: float = parameter(
        300.0, "resistance to bending in the coupled search", unit="mm^2", minimum=0.0, maximum=99999.0, group="Search"
    )
    refinement_iterations: int = parameter(
        4,
        "Gauss-Newton steps on the features at each resolution; 0 leaves the result of the search",
        minimum=0,
        maximum=50,
        group="Refinement",
    )
    refinement_spacing: float = parameter(
        9.0, "distance of the control points of the refinement", unit="mm", minimum=0.5, maximum=80.0, group="Refinement"
    )
    smoothness: float = parameter(
        10.0, "resistance to bending in the refinement", unit="mm^2", minimum=0.0, maximum=99999.0, group="Refinement"
    )
    robustness: float = parameter(
        1.0,
        "residual at which a voxel counts a quarter, as a share of the mean; 0 trusts all voxels alike",
        minimum=0.0,
        maximum=100.0,
        group="Refinement",
    )
    guide_weight: float = parameter(
        20.0,
        "pull of a pair of guiding landmarks, relative to a voxel's mismatch over one control point spacing",
        minimum=0.0,
        maximum=10000.0,
        group="Landmarks",
    )
    guide_radius: float = parameter(
        15.0, "distance over which a guiding landmark's pull falls to 61 %", unit="mm", minimum=1.0, maximum=200.0, group="Landmarks"
    )
