"""Presets of the Descent method. No torch."""

from __future__ import annotations

from deepreg_engine.methods.common.parameters import SHIPPED_FEATURES
from deepreg_engine.methods.common.presets import Preset, find_preset
from deepreg_engine.methods.descent.parameters import DescentParameters

DESCENT_PRESETS: tuple[Preset, ...] = (
    Preset(
        "mr-ct", "MR with CT, abdomen", "MR and CT of the trunk, of one or two people: large structures that both show", DescentParameters()
    ),
    Preset(
        "brain-mr",
        "Brain MR, other contrast",
        "two MR contrasts of a head, such as T1 with T2 or FLAIR: sub-millimetre accuracy",
        DescentParameters(
            features=SHIPPED_FEATURES,
            mind_dilation=1,
            working_spacing=1.0,
            iterations=27,
            window_spread=8.0,
            fluid=3.0,
            elastic=0.5,
            robustness=1.0,
        ),
    ),
    Preset(
        "ct-cbct",
        "CT with cone-beam CT",
        "CT and cone-beam CT of one person, with different intensities",
        DescentParameters(fixed_modality="other", moving_modality="other", working_spacing=2.0, window_spread=4.0),
    ),
    Preset(
        "quick",
        "Quick preview",
        "a first impression in seconds at coarse resolution, for any region",
        DescentParameters(working_spacing=5.0, levels=2, iterations=20),
    ),
)
DEFAULT_DESCENT_PRESET = "mr-ct"


def descent_preset(name: str) -> Preset:
    """Return the preset of that name; raises ParameterError if there is none."""
    return find_preset(DESCENT_PRESETS, name)
