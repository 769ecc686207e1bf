"""Descent registration from scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deepreg_engine.methods.descent.presets import descent_preset
from deepreg_slicer.registration import Inputs, Result
from deepreg_slicer.scripting import outputsNamed, parametersOf, runAndWait
from DeepRegDescentLib.registration import FEATURES, DescentOutputs, DescentRegistration, DescentRequest


def register(
    fixed: Any,
    moving: Any,
    preset: str,
    parameters: dict[str, Any],
    outputs: Iterable[str],
    device: str = "auto",
    keptIterations: int = 20,
    **more: Any,
) -> Result:
    """Register and wait; see ``DeepRegDescentLogic.register``."""
    values = parametersOf(descent_preset, preset, parameters)
    wanted = outputsNamed(tuple(outputs), DescentOutputs, {"features": tuple(FEATURES)}, without=("uncertainty",))
    request = DescentRequest(
        "descent", "Descent registration", Inputs(fixed, moving, **more), wanted, values, preset, device, keptIterations=keptIterations
    )
    return runAndWait(request, DescentRegistration)
