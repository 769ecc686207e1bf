"""The folder of a training, from which it can be resumed after a pause or a crash.

training.json       the request, the state and the result
log.jsonl           figures, one line every few steps
checkpoint.pt       all that is needed to resume
model.safetensors   the trained model with its card
control             the command "pause" or "stop", written by another program
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from deepreg_engine.errors import InputError, OutputError
from deepreg_engine.geometry.files import write_text
from deepreg_engine.training.base import TrainingRequest
from deepreg_engine.training.registry import TRAININGS

RECORD, LOG, CHECKPOINT, MODEL, CONTROL = "training.json", "log.jsonl", "checkpoint.pt", "model.safetensors", "control"
RUNNING = "running"
# Fields of a request that change where and how a training runs, but not what it computes.
_IRRELEVANT = ("device", "workers", "folder", "skip_bad")


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return the record of a folder's training: request, state, times and result; None if it has none."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return record if {"request", "state", "begun"} <= set(record) else None
    except (OSError, ValueError, TypeError):
        return None


def prepare_folder(folder: Path, request: TrainingRequest) -> dict[str, Any] | None:
    """Make the folder; returns the record of the training that it holds already, or None.

    Raises:
        InputError: if the folder holds another training.
        OutputError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder} ({error.strerror or error})", "choose another", "folder") from error
    record = read_record(folder)
    if record is None:
        if (folder / CHECKPOINT).exists():
            message = f"{folder} holds a training whose {RECORD} is missing or damaged"
            raise InputError(message, "choose another folder", "folder")
        return None
    for partial in folder.glob(f".*{Path(CHECKPOINT).suffix}"):  # half-written when it was killed
        partial.unlink(missing_ok=True)
    wanted, present = (_essence(each, request.method) for each in (request.to_dict(), record["request"]))
    differing = [name for name in wanted if wanted[name] != present.get(name)]
    if differing:
        message = f"{folder} holds a training with other {differing[0]}"
        raise InputError(message, "resume it with the same, or choose another folder", "folder")
    return record


def write_record(folder: Path, request: TrainingRequest, state: str, begun: str, result: dict | None = None) -> None:
    """Write the record.

    Args:
        folder: of the training.
        request: of the training.
        state: "running", or that of the result.
        begun: when the training began, ISO.
        result: of :func:`run_training`.
    """
    record = {"state": state, "begun": begun, "changed": now(), "request": request.to_dict(), "result": result}
    write_text(folder / RECORD, json.dumps(record, indent=2) + "\n")


def now() -> str:
    """Return the time, ISO."""
    return datetime.datetime.now().isoformat(timespec="seconds")


def _essence(request: dict[str, Any], method: str) -> dict[str, Any]:
    """Return the fields of a request that determine the weights: all parameters of the training, and of data the names without folders."""
    values = {name: value for name, value in json.loads(json.dumps(request)).items() if name not in _IRRELEVANT}
    # Parameters that are missing, such as those that were added later, have their defaults.
    parameters = {**TRAININGS[method]().to_dict(), **values["parameters"]}
    return values | {"data": [Path(path).name for path in values["data"]], "parameters": parameters}
