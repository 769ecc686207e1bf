"""Dense registration from scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deepreg_engine.methods.dense.presets import dense_preset
from deepreg_slicer.registration import Inputs, Outputs, Request, Result
from deepreg_slicer.scripting import outputsNamed, parametersOf, runAndWait


def register(
    fixed: Any, moving: Any, preset: str, parameters: dict[str, Any], outputs: Iterable[str], device: str = "auto", **more: Any
) -> Result:
    """Register and wait; see ``DeepRegDenseLogic.register``."""
    values = parametersOf(dense_preset, preset, parameters)
    wanted = outputsNamed(tuple(outputs), Outputs)
    return runAndWait(Request("dense", "Dense registration", Inputs(fixed, moving, **more), wanted, values, preset, device))
