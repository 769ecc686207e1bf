"""The method that is chosen after the images have been read: its declaration until then. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.base import Inputs, Method, NoOptions, Result, Task
from deepreg_engine.methods.common import parameters as common
from deepreg_engine.methods.common.parameters import Parameters
from deepreg_engine.methods.common.presets import Preset
from deepreg_engine.methods.slots import AUTOMATIC, outputs
from deepreg_engine.progress import Progress

if TYPE_CHECKING:
    from deepreg_engine.methods.common.affine import Alignment

# Only the declarations and the check are used before another method takes the place of this one. Calling anything else is an error of the
# program.
_UNCHOSEN = "the method has not been chosen yet"


@dataclass(frozen=True)
class AutomaticParameters(Parameters):
    """The parameter that all methods for images have."""

    initial: str = common.initial()


class Automatic(Method):
    """Stands for a method until it is chosen (:mod:`deepreg_engine.jobs.automatic`); it has the inputs and outputs of all methods."""

    name = AUTOMATIC
    title = "Automatic registration"
    summary = "the method that suits both images"
    parameters = AutomaticParameters
    options = NoOptions
    presets: tuple[Preset, ...] = ()
    default_preset = AUTOMATIC
    shortcuts = ("initial",)
    aligns = True

    def check(self, files: Mapping[str, str], parameters: Any, options: Any) -> None:
        if "fixed" not in files:
            raise InputError("there is nothing to register", "give a fixed and a moving image, or fixed and moving points", "fixed")
        if not any(each.name in files for each in outputs() if each.kind != "report"):
            raise InputError("no result is requested", "request the transform, or the warped image", "transform")

    def fitted(self, parameters: Any, fixed: ImageGrid | np.ndarray) -> tuple[Any, list[str]]:
        raise NotImplementedError(_UNCHOSEN)

    def memory(self, fixed: ImageGrid, moving: ImageGrid, parameters: Any) -> float:
        raise NotImplementedError(_UNCHOSEN)

    def align(self, inputs: Inputs, parameters: Any) -> Alignment:
        raise NotImplementedError(_UNCHOSEN)

    def prepare(self, task: Task) -> None:
        raise NotImplementedError(_UNCHOSEN)

    def register(self, task: Task, progress: Progress) -> Result:
        raise NotImplementedError(_UNCHOSEN)
