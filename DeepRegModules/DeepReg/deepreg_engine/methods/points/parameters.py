"""Parameters and presets of the Points method. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from deepreg_engine.methods.common import parameters as common
from deepreg_engine.methods.common.parameters import Parameters, parameter
from deepreg_engine.methods.dense.presets import DENSE_PRESETS

POINT_INITIALS = ("none", "centres", "rigid", "similarity", "affine")
SOLVERS = ("belief+drift", "belief", "drift")
NO_FEATURES = "none"
DEFAULT_FEATURES = "lung-points"
# Points of a label map.
SOURCES = ("surface", "skeleton")


@dataclass(frozen=True)
class PointsParameters(Parameters):
    """Parameters of the Points method (Hansen and Heinrich, Deep learning based geometric registration for medical images, IPMI 2021;
    Myronenko and Song, Point set registration: coherent point drift, IEEE TPAMI 2010)."""

    initial: str = parameter(
        "affine",
        "alignment of the clouds before the deformation: centres, or rigid, similarity (with scale) or affine coherent point drift",
        choices=POINT_INITIALS,
        group="Alignment",
    )
    outliers: float = parameter(
        0.3, "assumed share of moving points without a partner, in coherent point drift", minimum=0.0, maximum=0.95, group="Alignment"
    )
    keypoint_count: int = parameter(
        1500, "number of keypoints of each image, the most distinctive ones", minimum=20, maximum=50000, group="Keypoints"
    )
    keypoint_distance: float = parameter(
        6.0, "least distance of two keypoints along an axis", unit="mm", minimum=1.0, maximum=100.0, group="Keypoints"
    )
    keypoint_spacing: float = parameter(
        1.5, "voxel size at which keypoints are detected", unit="mm", minimum=0.25, maximum=10.0, group="Keypoints"
    )
    keypoint_sigma: float = parameter(
        1.4, "standard deviation of the window of the Förstner operator", unit="voxels", minimum=0.5, maximum=5.0, group="Keypoints"
    )
    features: str = parameter(
        DEFAULT_FEATURES, "features of the points: the name or file of a model, or none for their positions alone", group="Features"
    )
    feature_weight: float = parameter(
        1.0, "weight of the feature distance relative to the positions", minimum=0.0, maximum=100.0, group="Features"
    )
    solver: str = parameter(
        "belief+drift",
        "belief (belief propagation on a graph), drift (coherent point drift), or belief+drift (the second refines the first)",
        choices=SOLVERS,
        group="Solver",
    )
    candidates: int = parameter(
        256, "number of nearest moving points that are compared with each fixed point", minimum=8, maximum=4096, group="Belief propagation"
    )
    kept: int = parameter(
        32, "number of these, the most probable ones, in the belief propagation", minimum=4, maximum=512, group="Belief propagation"
    )
    graph_neighbours: int = parameter(
        12, "number of nearest neighbours of a point in the graph", minimum=3, maximum=64, group="Belief propagation"
    )
    messages: int = parameter(5, "iterations of the messages between neighbours", minimum=1, maximum=50, group="Belief propagation")
    bond: float = parameter(
        0.5,
        "weight of the difference of neighbouring displacements, relative to the learned weight",
        minimum=0.0,
        maximum=100.0,
        group="Belief propagation",
    )
    space_weight: float = parameter(
        1.0, "weight of the length of displacements, relative to the learned weight", minimum=0.0, maximum=100.0, group="Belief propagation"
    )
    smoothing: float = parameter(
        1.0,
        "smoothness of the displacement between the points; higher values give single points less influence",
        minimum=0.01,
        maximum=1000.0,
        group="Deformation",
    )
    coarse_width: float = parameter(
        80.0, "width of the coarsest Gaussians of the deformation", unit="mm", minimum=1.0, maximum=1000.0, group="Deformation"
    )
    fine_width: float = parameter(
        20.0, "width of the finest Gaussians of the deformation", unit="mm", minimum=1.0, maximum=500.0, group="Deformation"
    )
    robustness: float = parameter(
        3.0,
        "distance from the smooth deformation at which the weight of a correspondence falls to one half; 0 weights all equally",
        unit="mm",
        minimum=0.0,
        maximum=100.0,
        group="Deformation",
    )
    interpolation: str = parameter(
        "gaussian",
        "interpolation between the points: gaussian (the deformation itself) or thin-plate (spline through the moved points)",
        choices=("gaussian", "thin-plate"),
        group="Deformation",
    )
    drift_width: float = parameter(
        30.0,
        "beta: width of the Gaussian that couples the points in coherent point drift",
        unit="mm",
        minimum=0.1,
        maximum=1000.0,
        group="Coherent point drift",
    )
    drift_stiffness: float = parameter(
        3.0, "lambda: weight of the smoothness in coherent point drift", minimum=0.001, maximum=100000.0, group="Coherent point drift"
    )
    drift_iterations: int = parameter(
        10, "largest number of iterations of coherent point drift", minimum=1, maximum=1000, group="Coherent point drift"
    )
    length_scale: float = common.length_scale("fixed image or points", "Lengths")


@dataclass(frozen=True)
class PointsOptions(Parameters):
    """Settings of a run of the Points method that are not part of a preset."""

    source: str = parameter("surface", "points of label maps: surface or skeleton", choices=SOURCES)
    source_spacing: float = parameter(3.0, "distance of the points of label maps", unit="mm", minimum=0.2, maximum=50.0)
    thin: int = parameter(0, "largest number of points of each cloud, evenly spread; 0 uses all", minimum=0, maximum=1_000_000)
    refine: bool = parameter(False, "refine the result by the Dense method on the images")
    refine_preset: str = parameter("thorax-ct", "preset of the refinement", choices=tuple(preset.name for preset in DENSE_PRESETS))
