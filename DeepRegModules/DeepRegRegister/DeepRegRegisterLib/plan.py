"""What a run does: method, preset and parameters, from the task, the quality, and what the volumes show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from deepreg_engine.methods.common.presets import find_preset
from deepreg_engine.methods.registry import find_method


@dataclass(frozen=True)
class Plan:
    """What a run does.

    Args:
        method: name of the method.
        preset: its name.
        title: of the preset, in English.
        parameters: all parameters of the method, name to value.
        options: of the method, as the engine declares them.
        reason: why, one line in English.
    """

    method: str
    preset: str
    title: str
    parameters: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


_LINEAR = ("rigid", "similarity", "affine")


def planOf(task: str, quality: float) -> Plan:
    """Return what a run does."""
    method = "linear" if task in _LINEAR else "points" if task == "points" else "dense"
    engine = find_method(method)
    name = task if task in _LINEAR else "quick" if quality < 0.25 and method == "dense" else engine.default_preset
    preset = find_preset(engine.presets, name)
    return Plan(engine.name, preset.name, preset.title, preset.parameters.to_dict())
