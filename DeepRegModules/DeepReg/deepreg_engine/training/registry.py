"""The trainings: parameters, presets and trainer of each method. No torch until a trainer is needed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from deepreg_engine.errors import ParameterError
from deepreg_engine.methods.common.parameters import Parameters
from deepreg_engine.training.dense.parameters import PRESETS as DENSE_PRESETS
from deepreg_engine.training.dense.parameters import DenseTraining
from deepreg_engine.training.descent.parameters import PRESETS as DESCENT_PRESETS
from deepreg_engine.training.descent.parameters import DescentTraining
from deepreg_engine.training.points.parameters import PRESETS as POINTS_PRESETS
from deepreg_engine.training.points.parameters import PointTraining
from deepreg_engine.training.presets import TrainingPreset

if TYPE_CHECKING:
    from deepreg_engine.training.base import Trainer

#: Parameters of each method's training.
TRAININGS: dict[str, type[Parameters]] = {"dense": DenseTraining, "points": PointTraining, "descent": DescentTraining}
_PRESETS = {"dense": DENSE_PRESETS, "points": POINTS_PRESETS, "descent": DESCENT_PRESETS}


def training_presets(method: str) -> tuple[TrainingPreset, ...]:
    """Return the presets of a method's training.

    Raises:
        ParameterError: if there is no training of that method.
    """
    check_method(method)
    return _PRESETS[method]


def find_trainer(method: str) -> Trainer:
    """Return the trainer of a method; its module ``training/METHOD/trainer.py`` is imported when it is needed first.

    Raises:
        ParameterError: if there is no training of that method.
    """
    check_method(method)
    return import_module(f"deepreg_engine.training.{method}.trainer").TRAINER


def check_method(method: str) -> None:
    """Raise ParameterError if there is no training of that method."""
    if not isinstance(method, str) or method not in TRAININGS:
        raise ParameterError(f"there is no training {method!r}", f"there are {', '.join(TRAININGS)}", "method")
