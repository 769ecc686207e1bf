"""What a run does: method, preset and parameters, from the task, the quality, and what the volumes show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deepreg_engine.content.description import Content
from deepreg_engine.methods.common.parameters import LINEAR_KINDS
from deepreg_engine.methods.common.presets import find_preset
from deepreg_engine.methods.registry import METHODS, find_method
from deepreg_engine.methods.suggestion import AUTO, suggest


@dataclass(frozen=True)
class Plan:
    """What a run does.

    Args:
        method: name of the method; "auto" if the engine decides when it has aligned the images.
        preset: its name.
        title: of the preset, in English.
        parameters: of the method, name to value.
        options: further arguments of the run.
        reason: why, one line in English; "" while the contents of the volumes are not known.
    """

    method: str
    preset: str
    title: str
    parameters: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


def planOf(task: str, quality: float, contents: tuple[Content | None, Content | None] = (None, None), clouds: bool = False) -> Plan:
    """Return what a run does.

    Args:
        task: a value of the parameter ``task``.
        quality: from 0 (fast) to 1 (best).
        contents: of the fixed and the moving volume; None if they are not known.
        clouds: whether points are registered that were not found in the volumes.
    """
    decided = task in LINEAR_KINDS or clouds
    if not decided and None in contents:
        return _open("", "", task, quality, contents)
    suggestion = suggest(*contents, task=task or AUTO, quality=quality, clouds=clouds)
    preset = find_preset(METHODS[suggestion.method].presets, suggestion.preset)
    if not decided:
        return _open(preset.title, suggestion.reason, task, quality, contents)
    parameters = preset.parameters.replaced(dict(suggestion.parameters)).to_dict()
    return Plan(suggestion.method, preset.name, preset.title, parameters, dict(suggestion.options), suggestion.reason)


def _open(title: str, reason: str, task: str, quality: float, contents: tuple[Content | None, Content | None]) -> Plan:
    """Return a plan whose method is decided by the engine: one person or two is seen only in aligned images."""
    options: dict[str, Any] = {"task": task or AUTO, "quality": quality}
    known = {side: content.to_json() for side, content in zip(("fixed", "moving"), contents, strict=True) if content is not None}
    if known:
        options["contents"] = known
    return Plan(AUTO, AUTO, title, {}, options, reason)


def presetTitle(report: Mapping[str, Any]) -> str:
    """Return the title of the preset that a run has used, in English; the method's title if it is not known."""
    method = find_method(str(report["method"]))
    return next((preset.title for preset in method.presets if preset.name == report.get("preset")), method.title)
