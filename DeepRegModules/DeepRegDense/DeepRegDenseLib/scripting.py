"""Dense registration from scripts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from deepreg_engine.errors import EngineError
from deepreg_engine.methods.presets import dense_preset
from deepreg_slicer.registration import Inputs, Output, Outputs, Registration, Request, Result
from deepreg_slicer.waiting import waitUntilFree


def register(
    fixed: Any, moving: Any, preset: str, parameters: dict[str, Any], outputs: Iterable[str], device: str = "auto", **more: Any
) -> Result:
    """Register and wait; see ``DeepRegDenseLogic.register``."""
    try:
        values = dense_preset(preset).parameters.replaced(parameters).to_dict()
    except EngineError as error:
        raise RuntimeError(error.line()) from error
    known = {field.name for field in dataclasses.fields(Outputs)}
    unknown = set(outputs) - known
    if unknown:
        raise RuntimeError(f"there is no output {sorted(unknown)[0]!r}; there are {', '.join(sorted(known))}")
    wanted = Outputs(**{name: Output(name in set(outputs)) for name in known})
    run = Registration(Request("dense", "Dense registration", Inputs(fixed, moving, **more), wanted, values, preset, device))
    waitUntilFree()
    run.start()
    return run.wait()
