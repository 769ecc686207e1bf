"""Cross-validation: how well features learned from some of the scans register the others.

The scans, or pairs of keypoints, are dealt out to folds. For each fold features are learned from all others, and what the fold holds is
registered: with these features, without learned features in the same solver, and not at all. Nothing that is held out was learned from.
What is compared, and how, say :mod:`label_comparison` and :mod:`point_comparison`.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry.files import write_text
from deepreg_engine.jobs.comparison import Comparison, Progress, registration_parameters
from deepreg_engine.jobs.label_comparison import LABELS
from deepreg_engine.jobs.point_comparison import POINTS
from deepreg_engine.jobs.training import CONTROL, TrainingRequest, run_training

_ROWS, TABLE = "rows.json", "cross_validation.csv"
# Of the time of a fold, for learning.
_LEARNING = 0.85


@dataclass(frozen=True)
class CrossValidationRequest(TrainingRequest):
    """What to learn, and into how many folds the scans are dealt.

    Args:
        folds: 2 or more; a fold has at least one scan, or all pairs of keypoints of at least one patient.
        preset: of the registrations, by name; the method's default if empty.
    """

    folds: int = 3
    preset: str = ""


def run_cross_validation(
    request: CrossValidationRequest, progress: Progress = lambda share, stage: None, log: Callable[[str], None] = lambda text: None
) -> dict:
    """Learn and register fold by fold; what is done already in the folder is not done again.

    Returns:
        ``figure`` ("dice", or "tre" for points), ``rows``, ``summary`` (the rows' means: of all, and by label or kind of keypoints),
        ``csv`` (the file), ``folds`` (names of their scans or pairs), ``notes`` (scans and pairs that were
        not used, and why; folds of one scan),
        ``state`` ("finished", or "paused" and "stopped" if asked to be).

        A row of labelled scans is a label of a pair: ``pair``, ``label``, and its Dice ``before``, after the alignment alone
        (``aligned``), with MIND (``mind``) and with the learned features (``learned``). A row of points is a pair: ``pair``, ``keypoints``
        ("independent" or "partners", see :mod:`point_comparison`), ``points`` (how many the error was measured at), and the mean target
        registration error in mm ``before``, ``aligned``, by the positions alone, that is by the same method without features
        (``positions``), and ``learned``; and its 95th percentiles, whose names end with ``_95``.

    Raises:
        InputError, ParameterError: see :func:`run_training`; also before anything is learned, if there is no such preset.
        OutputError: if the folder cannot be written to.
    """
    from deepreg_engine.jobs.training_data import list_entries

    request.options()
    registration_parameters(request.method, request.preset)
    if request.validation:
        raise ParameterError("a cross-validation chooses itself what is held out", "name no scans to validate on")
    comparison, entries = POINTS if request.method == "points" else LABELS, list_entries(request)
    together = comparison.kept_together(list(entries))
    if not 2 <= request.folds <= len(together):
        raise ParameterError(*comparison.few(len(together), request.folds))
    folds = [[name for names in together[number :: request.folds] for name in names] for number in range(request.folds)]
    rows: list[dict] = []
    notes: list[str] = []
    for number, held_out in enumerate(folds):
        first, share = number / request.folds, 1.0 / request.folds

        def tell(done: float, stage: str, first: float = first, share: float = share, number: int = number) -> None:
            progress(first + share * done, f"fold {number + 1} of {request.folds}: {stage}")

        folder = Path(request.folder) / f"fold_{number + 1}"
        training = _training(request, folder, held_out)
        control = Path(request.folder) / CONTROL
        result = run_training(training, lambda done, stage, tell=tell: tell(_LEARNING * done, stage), log, control)
        notes += result["notes"]
        if result["state"] == "paused":
            return _result(request, comparison, rows, notes, folds, "paused")
        found = _registered(request, comparison, comparison.pairs(entries, held_out), result["model"], folder, tell, log)
        rows, notes = rows + found["rows"], notes + found["notes"]
        caveat = comparison.caveat(held_out, list(dict.fromkeys(row["pair"] for row in found["rows"])))
        if caveat:
            notes.append(caveat)
            log(caveat)
        if result["state"] == "stopped":
            return _result(request, comparison, rows, notes, folds, "stopped")
    return _result(request, comparison, rows, notes, folds, "finished")


def _training(request: CrossValidationRequest, folder: Path, held_out: list[str]) -> TrainingRequest:
    values = {field.name: getattr(request, field.name) for field in dataclasses.fields(TrainingRequest)}
    values |= {"folder": str(folder), "leave_out": [*request.leave_out, *held_out], "name": f"{request.name or 'fold'} {folder.name}"}
    return TrainingRequest(**values)


def _registered(
    request: CrossValidationRequest,
    comparison: Comparison,
    pairs: list[tuple[str, Any]],
    model: str,
    folder: Path,
    tell: Progress,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """Rows of a fold, and notes on pairs that could not be registered: those in its folder if they were made with the same parameters."""
    # By their values, not by the preset's name: a preset may be another one in another version.
    parameters = json.loads(json.dumps(registration_parameters(request.method, request.preset).to_dict()))
    kept = _kept(folder / _ROWS)
    if kept is not None and kept["parameters"] == parameters:
        return kept
    rows: list[dict] = []
    notes: list[str] = []
    for number, (name, pair) in enumerate(pairs):

        def within(share: float, stage: str, number: int = number, name: str = name) -> None:
            tell(_LEARNING + (1.0 - _LEARNING) * (number + share) / len(pairs), f"registering {name}")

        within(0.0, "")
        try:
            rows += comparison.measure(request, name, pair, model, within)
        except InputError as error:
            if not request.skip_bad:
                raise
            notes.append(f"not used: {error.line()}")
            log(notes[-1])
    found = {"parameters": parameters, "rows": rows, "notes": notes}
    write_text(folder / _ROWS, json.dumps(found))
    return found


def _kept(path: Path) -> dict[str, Any] | None:
    """What was found before; None if there is nothing, or nothing whole, and it has to be made anew."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if {"parameters", "rows", "notes"} <= set(found) else None
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
    kinds = sorted({row[comparison.group] for row in rows})
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
        "notes": list(dict.fromkeys(notes)),  # the folds that learn from a scan all say why it cannot be used
    }


def _means(comparison: Comparison, rows: list[dict]) -> dict[str, float | None]:
    return {what: _mean([row[what] for row in rows]) for what in comparison.averaged}


def _mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
