"""Cross-validation: features are learned from some of the scans, and measured in registrations of the others.

The scans, or pairs of keypoints, are divided into folds. For each fold features are learned from all others, and the pairs that the fold
holds out are measured: registered with these features, registered without learned features by the same solver, and unregistered.
:mod:`label_comparison` and :mod:`point_comparison` describe what is compared.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry.files import write_text
from deepreg_engine.jobs.comparison import Comparison, CrossValidationRequest, registration_parameters
from deepreg_engine.jobs.label_comparison import LABELS
from deepreg_engine.jobs.point_comparison import POINTS
from deepreg_engine.jobs.training import run_training
from deepreg_engine.jobs.training_folder import CONTROL
from deepreg_engine.progress import Progress, no_progress
from deepreg_engine.training.base import TrainingRequest
from deepreg_engine.training.registry import find_trainer

_ROWS, TABLE = "rows.json", "cross_validation.csv"
# Share of the time of a fold that is training.
_TRAINING = 0.85
#: How each method's data are compared.
COMPARISONS = {"dense": LABELS, "descent": LABELS, "points": POINTS}


def run_cross_validation(
    request: CrossValidationRequest, progress: Progress = no_progress, log: Callable[[str], None] = lambda text: None
) -> dict:
    """Learn and register fold by fold; results that the folder holds already are kept.

    Returns:
        ``figure`` ("dice", or "tre" for points), ``rows``, ``summary`` (the rows' means: of all, and by label or kind of keypoints),
        ``csv`` (the file), ``folds`` (names of their scans or pairs), ``notes`` (on how scans were read; scans and pairs that were not
        used, and why; folds of one scan), ``state`` ("finished", or "paused" and "stopped" by command).

        A row of labelled scans is a label of a pair: ``pair``, ``label`` (its value, or the name of its segment in lower case), and its
        Dice ``before``, after the alignment alone (``aligned``), with MIND (``mind``) and with the learned features (``learned``). A row of
        points is a pair: ``pair``, ``keypoints`` ("independent" or "partners", see :mod:`point_comparison`), ``points`` (at how many the
        error was measured), and the mean target registration error in mm ``before``, ``aligned``, by the positions alone, that is by the
        same method without features (``positions``), and ``learned``; and its 95th percentiles, whose names end with ``_95``.

    Raises:
        InputError, ParameterError: see :func:`run_training`; also before anything is learned, if there is no such preset.
        OutputError: if the folder cannot be written to.
    """
    request.options()
    registration_parameters(request.method, request.preset)
    if request.validation:
        message = "a cross-validation chooses itself which scans are held out"
        raise ParameterError(message, "name no scans to validate on", "validation")
    comparison, entries = COMPARISONS[request.method], find_trainer(request.method).entries(request)
    together = comparison.kept_together(list(entries))
    if not 2 <= request.folds <= len(together):
        raise ParameterError(*comparison.few(len(together), request.folds), "folds")
    folds = [[name for names in together[number :: request.folds] for name in names] for number in range(request.folds)]
    rows: list[dict] = []
    notes: list[str] = []
    state = "finished"
    for number, held_out in enumerate(folds, start=1):
        fold = _Fold(request, comparison, number, held_out, progress, log)
        state = fold.run(entries)
        rows, notes = rows + fold.rows, notes + fold.notes
        if state != "finished":
            break
    return _result(request, comparison, rows, list(dict.fromkeys(notes)), folds, state)  # a scan is read in several folds


class _Fold:
    """One fold.

    Args:
        request, comparison: of the cross-validation.
        number: from 1 on.
        held_out: names of its scans or pairs.
        progress, log: callbacks of the cross-validation.
    """

    def __init__(
        self,
        request: CrossValidationRequest,
        comparison: Comparison,
        number: int,
        held_out: list[str],
        progress: Progress,
        log: Callable[[str], None],
    ) -> None:
        self._request, self._comparison, self._number, self._held_out = request, comparison, number, held_out
        self._progress, self._log = progress, log
        self._folder = Path(request.folder) / f"fold_{number}"
        #: What was found so far.
        self.rows: list[dict] = []
        self.notes: list[str] = []

    def run(self, entries: dict[str, Any]) -> str:
        """Learn and register; returns "finished", "paused" or "stopped"."""
        control = Path(self._request.folder) / CONTROL
        result = run_training(self._training(), lambda share, stage: self._report(_TRAINING * share, stage), self._log, control)
        self.notes += result["notes"]
        if result["state"] == "paused":
            return "paused"
        found = self._register(self._comparison.pairs(entries, self._held_out), result["model"])
        self.rows += found["rows"]
        self.notes += found["notes"]
        caveat = self._comparison.caveat(self._held_out, list(dict.fromkeys(row["pair"] for row in self.rows)))
        if caveat:
            self.notes.append(caveat)
            self._log(caveat)
        return result["state"]

    def _report(self, share: float, stage: str) -> None:
        folds = self._request.folds
        self._progress((self._number - 1 + share) / folds, f"fold {self._number} of {folds}: {stage}")

    def _training(self) -> TrainingRequest:
        request = self._request
        values = {field.name: getattr(request, field.name) for field in dataclasses.fields(TrainingRequest)}
        return TrainingRequest(
            **values
            | {
                "folder": str(self._folder),
                "leave_out": [*request.leave_out, *self._held_out],
                "name": f"{request.name or 'fold'} {self._folder.name}",
            }
        )

    def _register(self, pairs: list[tuple[str, Any]], model: str) -> dict[str, Any]:
        """Return parameters, rows and notes of the pairs: those in the fold's folder if they were made with the same parameters."""
        request = self._request
        # By their values, not by the preset's name: presets may differ between versions.
        chosen = registration_parameters(request.method, request.preset)
        parameters = json.loads(json.dumps(chosen.to_dict()))
        kept = _kept(self._folder / _ROWS)
        # Parameters that an earlier version did not have were at their defaults.
        if kept is not None and {**type(chosen)().to_dict(), **kept["parameters"]} == parameters:
            return kept
        rows: list[dict] = []
        notes: list[str] = []
        for number, (name, pair) in enumerate(pairs):

            def within(share: float, stage: str, number: int = number, name: str = name) -> None:
                self._report(_TRAINING + (1.0 - _TRAINING) * (number + share) / len(pairs), f"registering {name}")

            within(0.0, "")
            try:
                rows += self._comparison.measure(request, name, pair, model, within)
            except InputError as error:
                if not request.skip_bad:
                    raise
                notes.append(f"not used: {error.line()}")
                self._log(notes[-1])
        found = {"parameters": parameters, "rows": rows, "notes": notes}
        write_text(self._folder / _ROWS, json.dumps(found))
        return found


def _kept(path: Path) -> dict[str, Any] | None:
    """Return the rows of an earlier run with its parameters and notes; None if there are none, or the file is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if {"parameters", "rows", "notes"} <= set(found) and isinstance(found["parameters"], dict) else None
    except (OSError, ValueError, TypeError):
        return None


def _result(
    request: CrossValidationRequest, comparison: Comparison, rows: list[dict], notes: list[str], folds: list[list[str]], state: str
) -> dict:
    table = io.StringIO()
    writer = csv.DictWriter(table, comparison.columns)
    writer.writeheader()
    writer.writerows(rows)
    path = Path(request.folder) / TABLE
    if rows:
        write_text(path, table.getvalue())
    kinds = sorted({row[comparison.group] for row in rows}, key=lambda kind: (isinstance(kind, str), kind))
    summary = {
        **_means(comparison, rows),
        "pairs": len({row["pair"] for row in rows}),
        comparison.groups: {str(kind): _means(comparison, [row for row in rows if row[comparison.group] == kind]) for kind in kinds},
    }
    return {
        "state": state,
        "figure": comparison.figure,
        "rows": rows,
        "summary": summary,
        "csv": str(path) if rows else None,
        "folds": folds,
        "notes": list(dict.fromkeys(notes)),  # each fold that would train on an unusable scan repeats the note
    }


def _means(comparison: Comparison, rows: list[dict]) -> dict[str, float | None]:
    return {what: _mean([row[what] for row in rows]) for what in comparison.averaged}


def _mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
