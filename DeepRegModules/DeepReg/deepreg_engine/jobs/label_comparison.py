"""Comparison of labelled scans in a cross-validation, by the Dice of each label after registration with MIND and with learned features."""

from __future__ import annotations

import dataclasses
from typing import Any

import SimpleITK as sitk

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import resample
from deepreg_engine.geometry.label_pairs import joined
from deepreg_engine.geometry.segments import plain_name
from deepreg_engine.jobs.comparison import Comparison, CrossValidationRequest, registration_parameters
from deepreg_engine.methods.base import Inputs, Task
from deepreg_engine.methods.registry import METHODS
from deepreg_engine.progress import Progress
from deepreg_engine.texts import counted

# Pairs of a fold that are registered at most; more hardly change the means.
_MOST_PAIRS = 12
# Separates the names of a pair.
_TO = " - "
_CONDITIONS = ("before", "aligned", "mind", "learned")


def _pairs(entries: dict[str, Any], held_out: list[str]) -> list[tuple[str, Any]]:
    """Return the pairs of scans that are registered: all scans of a fold with each other; a single scan of a fold with two scans of the
    training."""
    if isinstance(entries[held_out[0]], tuple):
        return [(name, entries[name]) for name in held_out][:_MOST_PAIRS]
    partners = held_out if len(held_out) > 1 else [name for name in entries if name not in held_out][:2]
    found = [(f"{a}{_TO}{b}", (entries[a], entries[b])) for a in held_out for b in partners if a != b]
    return found[:: max(1, -(-len(found) // _MOST_PAIRS))]


def _caveat(held_out: list[str], pairs: list[str]) -> str:
    alone = f"{held_out[0]}{_TO}"
    partners = [name.removeprefix(alone) for name in pairs if name.startswith(alone)]
    if len(held_out) > 1 or not partners:
        return ""
    return f"{held_out[0]} is the only scan of its fold: it was registered with scans that were learned from ({', '.join(partners)})"


def _measure(request: CrossValidationRequest, name: str, scans: tuple[Any, Any], model: str, progress: Progress) -> list[dict]:
    """Return the Dice of each label of one pair under the four conditions."""
    from deepreg_engine.metrics.overlap import label_overlap, shared_labels
    from deepreg_engine.training.labelled_scans import read_scan

    (fixed, fixed_labels), (moving, moving_labels) = (read_scan(scan) for scan in scans)
    (fixed_labels, moving_labels), names = joined(fixed_labels, moving_labels)
    labels, _, _ = shared_labels(fixed_labels, moving_labels)
    grid, modalities = ImageGrid.of(fixed_labels), [scan.modality for scan in scans]
    task = Task(None, METHODS[request.method].options(), Inputs(fixed, moving), frozenset({"transform"}), request.device)
    mind = _register(request, task, "mind", modalities, lambda share, stage: progress(0.5 * share, stage))
    task = dataclasses.replace(task, alignment=mind.alignment)
    learned = _register(request, task, model, modalities, lambda share, stage: progress(0.5 + 0.5 * share, stage))
    transforms = {
        "before": sitk.Transform(3, sitk.sitkIdentity),
        "aligned": mind.alignment.transform,
        "mind": mind.field.to_transform(),
        "learned": learned.field.to_transform(),
    }
    dice = {
        what: {
            overlap.label: overlap.dice
            for overlap in label_overlap(fixed_labels, resample(moving_labels, grid, transform, "nearest"), labels)
        }
        for what, transform in transforms.items()
    }
    # Values of segments with names differ between scans.
    named = {label: plain_name(names[label]) if label in names else label for label in labels}
    return [{"pair": name, "label": named[label], **{what: round(float(dice[what][label]), 4) for what in _CONDITIONS}} for label in labels]


def _register(request: CrossValidationRequest, task: Task, features: str, modalities: list[str], progress: Progress) -> Any:
    """Register the images of a task with some features."""
    method, parameters = METHODS[request.method], registration_parameters(request.method, request.preset)
    # The refinement uses the same features, whatever the preset refines with, as these are compared.
    changes = {"refinement_features": "same", "fixed_modality": modalities[0], "moving_modality": modalities[1]}
    known = {description.name for description in parameters.describe()}
    changes = {"features": features, **{name: value for name, value in changes.items() if name in known}}
    task = dataclasses.replace(task, parameters=parameters.replaced(changes))
    method.prepare(task)
    return method.register(task, progress)


def _few(scans: int, folds: int) -> tuple[str, str]:
    message = counted(scans, f"1 scan cannot be divided into {folds} folds", f"{scans} scans cannot be divided into {folds} folds")
    return message, f"give 2 to {scans} folds" if scans > 1 else "give at least two scans"


LABELS = Comparison(
    figure="dice",
    group="label",
    groups="labels",
    counts=(),
    conditions=_CONDITIONS,
    more=(),
    kept_together=lambda names: [[name] for name in names],
    pairs=_pairs,
    caveat=_caveat,
    measure=_measure,
    few=_few,
)
