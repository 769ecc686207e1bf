"""Registration of points from scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deepreg_engine.methods.points.presets import points_preset
from deepreg_slicer.registration import Result
from deepreg_slicer.scripting import outputsNamed, parametersOf, runAndWait
from DeepRegPointsLib.registration import PointsInputs, PointsOutputs, PointsRegistration, PointsRequest


def register(
    preset: str,
    parameters: dict[str, Any],
    outputs: Iterable[str],
    device: str = "auto",
    most: int = 3000,
    refine: bool = False,
    refinePreset: str = "thorax-ct",
    **inputs: Any,
) -> Result:
    """Register and wait; see ``DeepRegPointsLogic.register``."""
    values = parametersOf(points_preset, preset, parameters)
    wanted = outputsNamed(tuple(outputs), PointsOutputs, without=("uncertainty",))
    given = PointsInputs(**inputs)
    if not given.hasVolumes:
        wanted.volume.wanted = False
    request = PointsRequest(
        "points", "Point registration", given, wanted, values, preset, device, most=most, refine=refine, refinePreset=refinePreset
    )
    return runAndWait(request, PointsRegistration)
