"""Registration of points from scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deepreg_engine.errors import EngineError
from deepreg_engine.methods.points_parameters import points_preset
from deepreg_slicer.registration import Output, Result
from deepreg_slicer.waiting import waitUntilFree
from DeepRegPointsLib.registration import MODELS, PointsInputs, PointsOutputs, PointsRegistration, PointsRequest

OUTPUTS = ("transform", "volume", "inverse", "labels", "jacobian", *MODELS)


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
    try:
        values = points_preset(preset).parameters.replaced(parameters).to_dict()
    except EngineError as error:
        raise RuntimeError(error.line()) from error
    wanted = set(outputs)
    unknown = wanted - set(OUTPUTS)
    if unknown:
        raise RuntimeError(f"there is no output {sorted(unknown)[0]!r}; there are {', '.join(sorted(OUTPUTS))}")
    given = PointsInputs(**inputs)
    if not given.hasVolumes:
        wanted.discard("volume")
    places = PointsOutputs(**{name: Output(name in wanted) for name in OUTPUTS}, uncertainty=Output(False))
    request = PointsRequest(
        "points", "Point registration", given, places, values, preset, device, most=most, refine=refine, refinePreset=refinePreset
    )
    run = PointsRegistration(request)
    waitUntilFree()
    run.start()
    return run.wait()
