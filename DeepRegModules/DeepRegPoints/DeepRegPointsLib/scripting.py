"""Registration of points from scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deepreg_slicer.request import Result
from deepreg_slicer.scripting import outputsNamed, parametersOf
from DeepRegPointsLib.registration import METHOD, PointsInputs, PointsOutputs, PointsRegistration, PointsRequest


def register(
    nodes: dict[str, Any], preset: str, parameters: dict[str, Any], outputs: Iterable[str], device: str = "auto", **options: Any
) -> Result:
    """Register and wait; see ``DeepRegPointsLogic.register``."""
    values = parametersOf(METHOD, preset, parameters)
    wanted = outputsNamed(outputs, METHOD, PointsOutputs)
    given = PointsInputs(METHOD, **nodes)
    wanted.volume.wanted = wanted.volume.wanted and given.hasVolumes
    request = PointsRequest(METHOD, given, wanted, values, preset, device, **options)
    return PointsRegistration(request).compute()
