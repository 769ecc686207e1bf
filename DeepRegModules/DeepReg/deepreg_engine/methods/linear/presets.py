"""Presets of the Linear method. No torch."""

from __future__ import annotations

from deepreg_engine.methods.common.presets import Preset, find_preset
from deepreg_engine.methods.linear.parameters import LinearParameters

LINEAR_PRESETS: tuple[Preset, ...] = (
    Preset("rigid", "Rigid", "one person's head, bone or other part that does not deform: rotation and shift", LinearParameters()),
    Preset("similarity", "Similarity", "rotation, shift and one scale: another size or voxel spacing", LinearParameters(kind="similarity")),
    Preset("affine", "Affine", "two people, or a scanner with distortion: also stretches and shears", LinearParameters(kind="affine")),
)
DEFAULT_LINEAR_PRESET = "rigid"


def linear_preset(name: str) -> Preset:
    """Return the preset of that name; raises ParameterError if there is none."""
    return find_preset(LINEAR_PRESETS, name)
