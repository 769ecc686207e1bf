"""Presets of the Dense method. No torch."""

from __future__ import annotations

from deepreg_engine.methods.common.parameters import SHIPPED_CT, SHIPPED_FEATURES
from deepreg_engine.methods.common.presets import Preset, find_preset
from deepreg_engine.methods.dense.parameters import DenseParameters

DENSE_PRESETS: tuple[Preset, ...] = (
    Preset("abdomen-ct", "Abdomen CT", "CT of the trunk, of one person or two: large, smooth differences up to 6 cm", DenseParameters()),
    Preset(
        "follow-up-ct",
        "Follow-up CT",
        "CT of one person's trunk at two dates: like Abdomen CT, with finer detail",
        DenseParameters(features=SHIPPED_CT),
    ),
    Preset(
        "thorax-ct",
        "Thorax CT",
        "CT of the chest at two breathing states: up to 6 cm at the diaphragm, fine vessels",
        DenseParameters(features=SHIPPED_CT, working_spacing=3.0, search_stages=1, refinement_iterations=3),
    ),
    Preset(
        "brain-mr",
        "Brain MR",
        "MR of the head with one contrast: small differences, with sub-millimetre accuracy",
        DenseParameters(
            features=SHIPPED_FEATURES,
            working_spacing=1.0,
            control_spacing=8.0,
            capture_range=32.0,
            refinement_spacing=4.0,
            search_smoothness=100.0,
            smoothness=4.0,
            refinement_iterations=3,
        ),
    ),
    Preset(
        "people-mr",
        "MR of two people",
        "MR of two people with one contrast: heads, or the same part of both heads",
        # Softer and finer than for one person. The differences of two people are as large in a crop of a head as in the whole head, so the
        # lengths do not follow the size of the image.
        DenseParameters(
            features="normalised",
            working_spacing=1.0,
            length_scale=1.0,
            control_spacing=6.0,
            capture_range=18.0,
            refinement_spacing=2.5,
            search_smoothness=100.0,
            smoothness=0.1,
            refinement_iterations=8,
        ),
    ),
    Preset(
        "mr-ct",
        "MR with CT",
        "two modalities of the trunk: more smoothness, because fewer edges correspond",
        DenseParameters(working_spacing=3.0, capture_range=48.0, search_smoothness=600.0, smoothness=20.0),
    ),
    Preset(
        "quick",
        "Quick preview",
        "a first impression in a second or two at coarse resolution, for any region",
        # At this resolution MIND matches organs of two people better, and self-similarity localises them better.
        DenseParameters(
            refinement_features=SHIPPED_FEATURES,
            working_spacing=5.0,
            control_spacing=16.0,
            search_stages=1,
            refinement_iterations=3,
            refinement_spacing=15.0,
        ),
    ),
)
DEFAULT_DENSE_PRESET = "abdomen-ct"


def dense_preset(name: str) -> Preset:
    """Return the preset of that name; raises ParameterError if there is none."""
    return find_preset(DENSE_PRESETS, name)
