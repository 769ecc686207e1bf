"""Parameters of the Dense method. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from deepreg_engine.methods.common import parameters as common
from deepreg_engine.methods.common.parameters import SHIPPED_CT, SHIPPED_FEATURES, Parameters, parameter


@dataclass(frozen=True)
class DenseParameters(Parameters):
    """Parameters of the Dense method (Heinrich, Closing the gap between deep and conventional image registration using probabilistic
    dense displacement networks, MICCAI 2019)."""

    initial: str = common.initial()
    features: str = parameter(
        "mind",
        "features to compare: mind (handcrafted, any contrast), self-similarity (learned, any contrast), ct-tissue (learned, CT), "
        "normalised or intensity (same contrast), or the name or file of a model",
        group="Features",
    )
    refinement_features: str = parameter(
        "same",
        "features of the refinement: same (those of the search, with MIND if these are probabilities of structures), self-similarity, "
        "ct-tissue, mind, normalised or intensity",
        choices=("same", SHIPPED_FEATURES, SHIPPED_CT, "mind", "normalised", "intensity"),
        group="Features",
    )
    mind_radius: int = common.mind_radius()
    mind_dilation: int = common.mind_dilation()
    working_spacing: float = common.working_spacing(3.5)
    working_voxels: float = common.working_voxels(6.0)
    length_scale: float = common.length_scale()
    control_spacing: float = parameter(
        12.0, "distance of the control points of the discrete search", unit="mm", minimum=0.01, maximum=800.0, group="Search"
    )
    capture_range: float = parameter(
        60.0, "largest displacement searched along each axis, beyond the alignment", unit="mm", minimum=0.01, maximum=3000.0, group="Search"
    )
    search_stages: int = parameter(
        2,
        "discrete stages; each starts from the result of the one before, with half its displacement step",
        minimum=0,
        maximum=3,
        group="Search",
    )
    search_weights: str = parameter(
        "own",
        "weights of the search: own (costs in units of the mean mismatch, truncated), or published (a0 to a5 of PDD-Net), which replace "
        "truncation, message_weight and sharpness and need two mean_field_passes",
        choices=("own", "published"),
        group="Search",
    )
    mean_field_passes: int = parameter(
        1, "iterations of min-convolution and mean-field inference in each stage", minimum=0, maximum=4, group="Search"
    )
    message_weight: float = parameter(
        1.0,
        "weight of the neighbours' costs from the second iteration on (a3 of the paper, relative to a2)",
        minimum=-2.0,
        maximum=4.0,
        group="Search",
    )
    truncation: float = parameter(
        0.0,
        "upper limit of a mismatch, relative to the mean mismatch; low values ignore structures without a counterpart; 0 selects the "
        "default of the features: 0.3, or 1 for probabilities of structures",
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
        "how the field is computed from the costs: coupled (alternately best displacements and smooth field), adam (as in the paper), "
        "none (expected displacement)",
        choices=("coupled", "adam", "none"),
        group="Search",
    )
    search_smoothness: float = parameter(
        300.0, "weight of the bending energy in the coupled search", unit="mm^2", minimum=0.0, maximum=99999.0, group="Search"
    )
    refinement_iterations: int = parameter(
        4,
        "Gauss-Newton steps on the features at each resolution; 0 keeps the result of the search",
        minimum=0,
        maximum=50,
        group="Refinement",
    )
    refinement_spacing: float = parameter(
        9.0, "distance of the control points of the refinement", unit="mm", minimum=0.01, maximum=800.0, group="Refinement"
    )
    smoothness: float = parameter(
        10.0, "weight of the bending energy in the refinement", unit="mm^2", minimum=0.0, maximum=99999.0, group="Refinement"
    )
    robustness: float = parameter(
        1.0,
        "residual at which the weight of a voxel falls to a quarter, relative to the mean; 0 weights all voxels equally; no effect on "
        "features that are probabilities of structures",
        minimum=0.0,
        maximum=100.0,
        group="Refinement",
    )
    guide_weight: float = parameter(
        20.0,
        "weight of a pair of guide landmarks, relative to a voxel's mismatch over one control point spacing",
        minimum=0.0,
        maximum=10000.0,
        group="Landmarks",
    )
    guide_radius: float = parameter(
        15.0, "distance at which the weight of a guide landmark falls to 61 %", unit="mm", minimum=0.01, maximum=2000.0, group="Landmarks"
    )
