"""Dense registration from scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deepreg_slicer.registration import Registration
from deepreg_slicer.request import Inputs, Request, Result
from deepreg_slicer.scripting import outputsNamed, parametersOf
from DeepRegDenseLib.parameters import METHOD


def register(nodes: dict[str, Any], preset: str, parameters: dict[str, Any], outputs: Iterable[str], device: str = "auto") -> Result:
    """Register and wait; see ``DeepRegDenseLogic.register``."""
    values = parametersOf(METHOD, preset, parameters)
    return Registration(Request(METHOD, Inputs(METHOD, **nodes), outputsNamed(outputs, METHOD), values, preset, device)).compute()
