"""The request of a cross-validation, and the comparison of each kind of data: labelled scans, or pairs of keypoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deepreg_engine.methods.common.presets import find_preset
from deepreg_engine.methods.registry import METHODS
from deepreg_engine.progress import Progress
from deepreg_engine.training.base import TrainingRequest
from deepreg_engine.training.registry import check_method


def registration_parameters(method: str, preset: str = "") -> Any:
    """Return the parameters of the registrations of a cross-validation, all but the features.

    Args:
        method: "dense", "points" or "descent".
        preset: by name; the method's default if empty.

    Raises:
        ParameterError: if there is no such method or preset.
    """
    check_method(method)
    return find_preset(METHODS[method].presets, preset or METHODS[method].default_preset).parameters


@dataclass(frozen=True)
class CrossValidationRequest(TrainingRequest):
    """What to learn, and the folds.

    Args:
        folds: 2 or more; a fold has at least one scan, or all pairs of keypoints of at least one patient.
        preset: of the registrations, by name; the method's default if empty.
    """

    folds: int = 3
    preset: str = ""


@dataclass(frozen=True)
class Comparison:
    """The functions that hold out, register and measure one kind of data.

    Args:
        figure: that is measured: "dice" (1 is best), or "tre" (target registration error, mm; 0 is best).
        group: field of a row; means are taken of each of its values.
        groups: field of the summary that holds these means.
        counts: further fields of a row, of which no mean is taken.
        conditions: fields of a row with the figure, one for each way to register.
        more: further fields of a row of which means are taken.
        kept_together: from the names of all entries, lists of names that stay in one fold.
        pairs: from all entries by name and the names that a fold holds out, name and content of each pair to register.
        caveat: from the names that a fold holds out and the names of the registered pairs, a note for the user; "" for none.
        measure: from the request, a pair's name and content, a model's file and a callback for progress, the pair's rows.
        few: from the number of lists and the number of folds, message and advice of the error that they do not fit.
    """

    figure: str
    group: str
    groups: str
    counts: tuple[str, ...]
    conditions: tuple[str, ...]
    more: tuple[str, ...]
    kept_together: Callable[[list[str]], list[list[str]]]
    pairs: Callable[[dict[str, Any], list[str]], list[tuple[str, Any]]]
    caveat: Callable[[list[str], list[str]], str]
    measure: Callable[[Any, str, Any, str, Progress], list[dict]]
    few: Callable[[int, int], tuple[str, str]]

    @property
    def columns(self) -> tuple[str, ...]:
        """Fields of a row."""
        return ("pair", self.group, *self.counts, *self.conditions, *self.more)

    @property
    def averaged(self) -> tuple[str, ...]:
        """Fields of a row of which means are taken."""
        return (*self.conditions, *self.more)
