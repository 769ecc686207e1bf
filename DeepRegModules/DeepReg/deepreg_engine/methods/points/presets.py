"""Presets of the Points method. No torch."""

from __future__ import annotations

from deepreg_engine.methods.common.presets import Preset, find_preset
from deepreg_engine.methods.points.parameters import NO_FEATURES, PointsParameters

POINTS_PRESETS: tuple[Preset, ...] = (
    Preset("lung", "Lung, breathing", "keypoints or vessels of a lung at two breathing states: up to some centimetres", PointsParameters()),
    Preset(
        "shape",
        "Any shape",
        "surfaces, centrelines or landmarks of any structure, by their positions alone",
        PointsParameters(features=NO_FEATURES, solver="drift", drift_iterations=60, drift_width=30.0, drift_stiffness=2.0, outliers=0.1),
    ),
    Preset(
        "landmarks",
        "Few landmarks",
        "tens of points in any order, all of which have a partner",
        PointsParameters(features=NO_FEATURES, solver="drift", drift_iterations=150, drift_width=60.0, drift_stiffness=0.5, outliers=0.0),
    ),
)
DEFAULT_POINTS_PRESET = "lung"


def points_preset(name: str) -> Preset:
    """Return the preset of that name; raises ParameterError if there is none."""
    return find_preset(POINTS_PRESETS, name)
