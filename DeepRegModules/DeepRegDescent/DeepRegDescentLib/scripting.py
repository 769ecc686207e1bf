"""Descent registration from scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deepreg_slicer.request import Inputs, Result
from deepreg_slicer.scripting import outputsNamed, parametersOf
from DeepRegDescentLib.registration import METHOD, DescentOutputs, DescentRegistration, DescentRequest


def register(
    nodes: dict[str, Any], preset: str, parameters: dict[str, Any], outputs: Iterable[str], device: str = "auto", keptIterations: int = 20
) -> Result:
    """Register and wait; see ``DeepRegDescentLogic.register``."""
    values = parametersOf(METHOD, preset, parameters)
    wanted = outputsNamed(outputs, METHOD, DescentOutputs)
    request = DescentRequest(METHOD, Inputs(METHOD, **nodes), wanted, values, preset, device, keptIterations=keptIterations)
    return DescentRegistration(request).compute()
