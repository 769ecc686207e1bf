"""Training and cross-validation from scripts; the event loop runs until they end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deepreg_slicer.waiting import waitForJob
from DeepRegTrainerLib import models
from DeepRegTrainerLib.evaluation import named
from DeepRegTrainerLib.methods import METHODS
from DeepRegTrainerLib.preparing import EstimateTask, Prepared, choicesOf, rolesOf
from DeepRegTrainerLib.running import Run, trainingClient
from DeepRegTrainerLib.scans import LEARN, VALIDATE, SceneScan
from DeepRegTrainerLib.trainings import EVALUATE, TRAIN, Training, begin, rootFolder


def train(
    scans: Any,
    method: str,
    name: str,
    preset: str = "standard",
    parameters: dict[str, Any] | None = None,
    validate: int | list[str] = 0,
    progress: Callable[[float, str], None] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Learn features, and add the model to the user's own models.

    Args:
        scans: pairs of a volume and a segmentation, or a folder.
        method: "dense", "descent" or "points".
        name: of the model.
        preset: of the training.
        parameters: options that differ from the preset.
        validate: number of scans that are held out (of the scene: the last ones), or their names.
        progress: called with the share done and a line.
        more: further arguments of the worker's operation: spacing, modality, moving_modality, about, licence, start, device, skip_bad.

    Returns:
        The worker's result, and ``name``: the name of the user's model.

    Raises:
        RuntimeError: with a message and advice.
    """
    prepared, arguments = _prepared(scans, method, name, preset, parameters, validate, more)
    result = _done(_begun(prepared, TRAIN, name, arguments), progress)
    if result.get("model"):
        result["name"] = waitForJob(models.adopt(trainingClient(), result["model"], name))["card"]["name"]
    return result


def crossValidate(
    scans: Any,
    method: str,
    name: str,
    folds: int = 5,
    preset: str = "standard",
    parameters: dict[str, Any] | None = None,
    progress: Callable[[float, str], None] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Compare learned features with the same method without them, and with no registration; arguments are those of :func:`train`.

    Returns:
        The worker's result: ``rows`` (of scans: pair, label, and the Dice before, aligned, mind, learned; of points: pair, keypoints,
        points, and the target registration error in mm before, aligned, positions, learned, and its 95th percentiles), ``figure`` ("dice"
        or "tre"), ``summary``, ``csv``.
    """
    prepared, arguments = _prepared(scans, method, name, preset, parameters, 0, more)
    arguments.pop("validation", None)
    training = _begun(prepared, EVALUATE, name, {**arguments, "folds": folds})
    result = _done(training, progress)
    return {**result, "rows": named(result.get("rows") or [], training.arguments["data"])}


def _sceneScans(scans: Any, validate: int | list[str]) -> list[SceneScan]:
    """Return pairs of volume and labels as scans, those to validate on by their number (the last ones) or by their names."""
    held = {len(scans) - 1 - n for n in range(validate)} if isinstance(validate, int) else set()
    named = set() if isinstance(validate, int) else set(validate)
    return [
        SceneScan(str(n), volume.GetName(), VALIDATE if n in held or volume.GetName() in named else LEARN, volume, labels)
        for n, (volume, labels) in enumerate(scans)
    ]


def _checkScans(prepared: Prepared, chosen: list[SceneScan] | None) -> None:
    """Raise RuntimeError, and discard what was prepared, if scans cannot be used."""
    bad = prepared.bad()
    if prepared.exported is not None:
        bad.update({chosen[int(key)].name: problem for key, problem in prepared.exported.problems.items()})
    if bad:
        prepared.discard()
        problems = "; ".join(f"{each}: {problem}" for each, problem in bad.items())
        raise RuntimeError(f"scans cannot be used ({problems}): correct them, or give skip_bad=True")


def _prepared(
    scans: Any, method: str, name: str, preset: str, parameters: dict[str, Any] | None, validate: int | list[str], more: dict[str, Any]
) -> tuple[Prepared, dict[str, Any]]:
    """Return scans with their estimate, and the arguments of the operation."""
    if method not in METHODS:
        raise RuntimeError(f"there is no method {method!r}: there are {', '.join(METHODS)}")
    chosenPreset = METHODS[method].preset(preset)
    if chosenPreset is None:
        raise RuntimeError(f"there is no preset {preset!r}: there are {', '.join(each.name for each in METHODS[method].presets())}")
    options = METHODS[method].options().replaced({**chosenPreset.changes, **(parameters or {})}).to_dict()
    arguments = {"method": method, "name": name, "parameters": options, "skip_bad": False, **more}
    chosen = None
    if isinstance(scans, (str, os.PathLike)):
        arguments["data"] = [str(scans)]
    else:
        chosen = _sceneScans(scans, validate)
    prepared: Prepared = EstimateTask(choicesOf(arguments, chosen), rootFolder(), chosen, arguments, trainingClient()).compute()
    if not arguments["skip_bad"]:
        _checkScans(prepared, chosen)
    if chosen is not None:
        arguments.update(rolesOf(prepared.exported, chosen))
    elif not isinstance(validate, int):
        arguments["validation"] = list(validate)
    elif validate:
        arguments["validation"] = [str(scan["name"]) for scan in prepared.estimate.get("scans") or []][-validate:]
    return prepared, arguments


def _begun(prepared: Prepared, operation: str, name: str, arguments: dict[str, Any]) -> Training:
    try:
        home: Path = prepared.keepAs(rootFolder(), name)
        return begin(home, operation, name, {**arguments, "data": list(prepared.data)})
    except OSError as error:
        prepared.discard()
        raise RuntimeError(f"the training cannot begin: {error.strerror or error}") from error


def _done(training: Training, progress: Callable[[float, str], None] | None) -> dict[str, Any]:
    run = Run(training)
    if progress is not None:
        run.progressed.connect(lambda share, stage, _left: progress(share, stage))
    return run.compute()
