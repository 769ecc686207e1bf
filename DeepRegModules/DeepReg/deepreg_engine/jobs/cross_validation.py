"""Cross-validation: how well features learned from some of the scans register the others.

The scans are dealt out to folds. For each fold features are learned from all other scans, and the fold's scans are registered with each
other: with these features, with MIND in the same solver, and not at all. No scan judges features that have seen it.
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
import SimpleITK as sitk

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry.files import write_text
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample
from deepreg_engine.jobs.training import CONTROL, TrainingRequest, run_training

Progress = Callable[[float, str], None]

_ROWS, _TABLE = "rows.json", "cross_validation.csv"
COLUMNS = ("pair", "label", "before", "aligned", "mind", "learned")
# Of the time of a fold, for learning.
_LEARNING = 0.85
# Pairs of a fold that are registered at most; more say little more.
_MOST_PAIRS = 12


@dataclass(frozen=True)
class CrossValidationRequest(TrainingRequest):
    """What to learn, and into how many folds the scans are dealt.

    Args:
        folds: 2 or more; a fold has at least one scan.
        preset: of the registrations, by name; the method's default if empty.
    """

    folds: int = 3
    preset: str = ""


def run_cross_validation(
    request: CrossValidationRequest, progress: Progress = lambda share, stage: None, log: Callable[[str], None] = lambda text: None
) -> dict:
    """Learn and register fold by fold; what is done already in the folder is not done again.

    Returns:
        ``rows`` (pair, label, and the Dice before, after the alignment alone, with MIND and with the learned features), ``summary`` (their
        means, and by label), ``csv`` (the file), ``folds`` (their scans), ``state`` ("finished", or "paused" and "stopped" if asked to be).

    Raises:
        InputError, ParameterError: see :func:`run_training`.
    """
    from deepreg_engine.jobs.training_data import list_entries

    request.options()
    if request.method == "points":
        raise ParameterError("keypoints have no labels to cross-validate with", "hold pairs out with validation: their error is measured")
    if request.validation:
        raise ParameterError("a cross-validation chooses itself what is held out", "name no scans to validate on")
    entries = list_entries(request)
    if not 2 <= request.folds <= len(entries):
        raise ParameterError(f"{len(entries)} scans cannot be dealt out to {request.folds} folds", f"give 2 to {max(2, len(entries))} folds")
    names = list(entries)
    folds = [names[number :: request.folds] for number in range(request.folds)]
    rows: list[dict] = []
    for number, held_out in enumerate(folds):
        first, share = number / request.folds, 1.0 / request.folds

        def tell(done: float, stage: str, first: float = first, share: float = share, number: int = number) -> None:
            progress(first + share * done, f"fold {number + 1} of {request.folds}: {stage}")

        folder = Path(request.folder) / f"fold_{number + 1}"
        training = _training(request, folder, held_out)
        control = Path(request.folder) / CONTROL
        result = run_training(training, lambda done, stage, tell=tell: tell(_LEARNING * done, stage), log, control)
        if result["state"] == "paused":
            return _result(request, rows, folds, "paused")
        rows += _registered(request, entries, names, held_out, result["model"], folder, tell, log)
        if result["state"] == "stopped":
            return _result(request, rows, folds, "stopped")
    return _result(request, rows, folds, "finished")


def _training(request: CrossValidationRequest, folder: Path, held_out: list[str]) -> TrainingRequest:
    values = {field.name: getattr(request, field.name) for field in dataclasses.fields(TrainingRequest)}
    values |= {"folder": str(folder), "leave_out": [*request.leave_out, *held_out], "name": f"{request.name or 'fold'} {folder.name}"}
    folder.mkdir(parents=True, exist_ok=True)
    return TrainingRequest(**values)


def _registered(
    request: CrossValidationRequest,
    entries: dict[str, Any],
    names: list[str],
    held_out: list[str],
    model: str,
    folder: Path,
    tell: Progress,
    log: Callable[[str], None],
) -> list[dict]:
    from deepreg_engine.learning.labelled_scans import read_scan

    cached = folder / _ROWS
    if cached.is_file():
        try:
            return json.loads(cached.read_text(encoding="utf-8"))
        except ValueError:  # damaged: made anew
            pass
    rows: list[dict] = []
    pairs = _pairs(entries, names, held_out)
    for number, (name, fixed, moving) in enumerate(pairs):
        tell(_LEARNING + (1.0 - _LEARNING) * number / len(pairs), f"registering {name}")
        try:
            rows += _register(request, name, (fixed, moving), (read_scan(fixed), read_scan(moving)), model)
        except InputError as error:
            if not request.skip_bad:
                raise
            log(f"not used: {error.line()}")
    write_text(cached, json.dumps(rows))
    return rows


def _pairs(entries: dict[str, Any], names: list[str], held_out: list[str]) -> list[tuple[str, Any, Any]]:
    """Scans that are registered: within a fold, and if it has one scan only, with one that was learned from."""
    if isinstance(entries[held_out[0]], tuple):
        return [(name, *entries[name]) for name in held_out][:_MOST_PAIRS]
    partners = held_out if len(held_out) > 1 else [name for name in names if name not in held_out][:2]
    found = [(f"{a} - {b}", entries[a], entries[b]) for a in held_out for b in partners if a != b]
    return found[:: max(1, -(-len(found) // _MOST_PAIRS))]


def _register(request: CrossValidationRequest, name: str, scans: tuple[Any, Any], images: tuple, model: str) -> list[dict]:
    """Dice of each label of one pair under the four conditions."""
    from deepreg_engine.methods.registration import ImagePair
    from deepreg_engine.metrics.overlap import label_overlap, shared_labels

    (fixed, fixed_labels), (moving, moving_labels) = images
    labels, _, _ = shared_labels(fixed_labels, moving_labels)
    grid, pair = ImageGrid.of(fixed_labels), ImagePair(fixed, moving)
    mind, alignment = _run(request, pair, "mind", scans)
    learned, _ = _run(request, dataclasses.replace(pair, alignment=alignment), model, scans)
    transforms = {"before": sitk.Transform(3, sitk.sitkIdentity), "aligned": alignment.transform, "mind": mind, "learned": learned}
    dice = {
        what: {overlap.label: overlap.dice for overlap in label_overlap(fixed_labels, resample(moving_labels, grid, transform, "nearest"), labels)}
        for what, transform in transforms.items()
    }
    return [{"pair": name, "label": label, **{what: round(float(dice[what][label]), 4) for what in transforms}} for label in labels]


def _run(request: CrossValidationRequest, pair: Any, features: str, scans: tuple[Any, Any]) -> tuple[sitk.Transform, Any]:
    if request.method == "dense":
        from deepreg_engine.methods.dense import register_dense
        from deepreg_engine.methods.presets import DEFAULT_DENSE_PRESET, dense_preset

        parameters = dense_preset(request.preset or DEFAULT_DENSE_PRESET).parameters.replaced({"features": features})
        result = register_dense(pair, parameters, request.device)
    else:
        from deepreg_engine.methods.descent import register_descent
        from deepreg_engine.methods.descent_parameters import DEFAULT_DESCENT_PRESET, descent_preset

        parameters = descent_preset(request.preset or DEFAULT_DESCENT_PRESET).parameters
        sides = {f"{side}_modality": scan.modality for side, scan in zip(("fixed", "moving"), scans)}
        result = register_descent(pair, parameters.replaced({"features": features, **sides}), request.device)
    return result.field.to_transform(), result.alignment


def _result(request: CrossValidationRequest, rows: list[dict], folds: list[list[str]], state: str) -> dict:
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    path = Path(request.folder) / _TABLE
    if rows:
        write_text(path, table.getvalue())
    conditions = COLUMNS[2:]
    means = {what: _mean([row[what] for row in rows]) for what in conditions}
    by_label = {
        str(label): {what: _mean([row[what] for row in rows if row["label"] == label]) for what in conditions}
        for label in sorted({row["label"] for row in rows})
    }
    pairs = len({row["pair"] for row in rows})
    summary = {**means, "pairs": pairs, "labels": by_label}
    return {"state": state, "rows": rows, "summary": summary, "csv": str(path) if rows else None, "folds": folds}


def _mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
