"""Train features from scans in files: a folder of its own holds all that belongs to a training, so that it can be paused, killed and resumed.

training.json       what was asked, and how far it is
log.jsonl           figures, a line now and then
checkpoint.pt       all that is needed to go on
model.safetensors   the result, with its card
control             the word "pause" or "stop", written by whoever watches
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deepreg_engine.errors import InputError, OutputError, ParameterError
from deepreg_engine.geometry.files import write_text
from deepreg_engine.methods.common.parameters import Parameters
from deepreg_engine.progress import Progress, no_progress
from deepreg_engine.training.presets import TRAININGS, check_method

_RECORD, _LOG, _CHECKPOINT, _MODEL = "training.json", "log.jsonl", "checkpoint.pt", "model.safetensors"
CONTROL = "control"
_RUNNING = "running"
# Steps by which an estimate finds how long one takes.
_TRIED = 3
MODALITIES = ("ct", "mr", "other")


@dataclass(frozen=True)
class TrainingRequest:
    """What to learn, from what, and where.

    Args:
        method: "dense", "descent" or "points".
        data: folders or ``dataset.json`` files with labelled scans (:mod:`labelled_scans`); for points, folders or zip files of keypoints.
        folder: the training's own; made if it is missing.
        parameters: of the training, see :mod:`options`; what is not named has its default.
        name: of the model; by default the folder's.
        about: what the data are, for the card.
        licence: of the model, for the card.
        modality: "ct", "mr" or "other", of scans whose files do not say it, and of fixed images.
        moving_modality: of moving images, where scans come in pairs.
        spacing: voxel size at which scans are looked at, mm; for points the three edges of their voxels. None for the method's default.
        validation: names of scans or pairs to validate on, not to learn from.
        leave_out: names of those not to use at all.
        skip_bad: whether to go on without scans that cannot be read.
        start: a model to begin with.
        device: see ``choose_device``.
        workers: processes that make examples; None for as many as suit the device.
    """

    method: str
    data: list[str]
    folder: str
    parameters: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    about: str = ""
    licence: str = ""
    modality: str = "other"
    moving_modality: str = "other"
    spacing: Any = None
    validation: list[str] = field(default_factory=list)
    leave_out: list[str] = field(default_factory=list)
    skip_bad: bool = False
    start: str = ""
    device: str = "auto"
    workers: int | None = None

    def options(self) -> Parameters:
        """Of the training, checked.

        Raises:
            ParameterError: naming what is wrong.
        """
        check_method(self.method)
        for modality in (self.modality, self.moving_modality):
            if modality not in MODALITIES:
                raise ParameterError(f"there is no modality {modality!r}", f"there are {', '.join(MODALITIES)}")
        return TRAININGS[self.method]().replaced(self.parameters)

    def to_dict(self) -> dict[str, Any]:
        """For the record; paths as given."""
        return dataclasses.asdict(self)


def run_training(
    request: TrainingRequest, progress: Progress = no_progress, log: Callable[[str], None] = lambda text: None, control: Path | None = None
) -> dict:
    """Train, or go on with a training.

    Args:
        request: what to learn.
        progress: called with the share done and a line; it may raise to stop at once: then it goes on from the last checkpoint.
        log: told what the user should know.
        control: file that is looked into for "pause" and "stop"; by default that in the folder.

    Returns:
        ``state`` ("finished", "paused", "stopped"), ``model`` (its file, or None), ``step``, ``steps``, ``best``, ``notes``, ``seconds``,
        ``device``, ``device_memory`` (the most bytes that were taken of a GPU; None without one).

    Raises:
        InputError, ParameterError: if scans, names or options are wrong.
        OutputError: if the folder cannot be written to.
    """
    options, folder = request.options(), Path(request.folder)
    former = _prepare(folder, request)
    if former is not None and former["state"] in ("finished", "stopped") and (folder / _MODEL).is_file():
        return former["result"]
    from deepreg_engine.jobs.training_data import gather, start_network, train
    from deepreg_engine.methods.common.device import DeviceMemory, choose_device
    from deepreg_engine.training.course import PAUSED, Places

    control = control or folder / CONTROL
    control.unlink(missing_ok=True)  # of a run before; what is written from here on is obeyed after the first step
    progress(0.0, "reading the scans")
    material = gather(request, options, lambda share, name: progress(0.0, f"reading {name}"))
    for note in material.notes:
        log(note)
    device, described = choose_device(request.device)
    network = start_network(request, options)

    def asked() -> str:
        try:
            return control.read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    begun = former["begun"] if former is not None else _now()
    _write_record(folder, request, _RUNNING, begun)
    places, taken = Places(folder / _LOG, folder / _CHECKPOINT, progress, asked), DeviceMemory(device)
    trained = train(request, options, material, device, places, network)
    course = trained.course
    control.unlink(missing_ok=True)
    model = None
    if course.state != PAUSED:
        model = str(folder / _MODEL)
        write_trained(model, request, options, material, trained)
    result = {
        "state": course.state,
        "model": model,
        "step": course.done,
        "steps": options.steps,
        "best": None if course.best is None else course.best.to_dict(),
        "notes": material.notes,
        "seconds": round(course.seconds, 1),
        "device": described,
        "device_memory": taken.most(),
    }
    _write_record(folder, request, course.state, begun, result)
    return result


def train_to_file(request: TrainingRequest, model: str, log: str | None, checkpoint: str | None, progress: Progress = no_progress) -> dict:
    """Train without a folder: a model file, and if wanted a log and a checkpoint from which the training goes on.

    Returns:
        ``learned`` (names), ``notes``, ``device``, ``device_memory``, ``best``, ``seconds``, as of :func:`run_training`.
    """
    from deepreg_engine.jobs.training_data import gather, start_network, train
    from deepreg_engine.methods.common.device import DeviceMemory, choose_device
    from deepreg_engine.training.course import Places

    options = request.options()
    material = gather(request, options, lambda share, name: progress(0.0, f"reading {name}"))
    device, described = choose_device(request.device)
    taken = DeviceMemory(device)
    trained = train(request, options, material, device, Places(log, checkpoint, progress), start_network(request, options))
    write_trained(model, request, options, material, trained)
    best = trained.course.best
    return {
        "learned": material.learned,
        "notes": material.notes,
        "device": described,
        "device_memory": taken.most(),
        "best": None if best is None else best.to_dict(),
        "seconds": round(trained.course.seconds, 1),
    }


def estimate_training(request: TrainingRequest, progress: Progress = no_progress) -> dict:
    """What a training will take, found by a few of its steps; nothing is written.

    Returns:
        ``steps``, ``seconds``, ``step_seconds``, ``memory`` and ``free_memory`` (bytes), ``device``, ``device_memory`` and
        ``free_device_memory`` (bytes of a GPU's own; None without one), ``scans`` (name, voxels, labels of each), ``bad`` (name, problem
        of each that cannot be used).
    """
    import psutil

    from deepreg_engine.jobs.training_data import gather, list_entries, start_network, train
    from deepreg_engine.methods.common.device import DeviceMemory, choose_device
    from deepreg_engine.training.course import Places

    options = request.options()
    entries = list_entries(request)
    free = psutil.virtual_memory().available
    progress(0.05, "reading the scans")
    material = gather(
        dataclasses.replace(request, skip_bad=True), options, lambda share, name: progress(0.05 + 0.55 * share, f"reading {name}")
    )
    found = {
        "scans": material.described,
        "bad": [{"name": name, "problem": problem} for name, problem in material.bad.items()],
        "entries": len(entries),
    }
    progress(0.6, "trying a few steps")
    device, described = choose_device(request.device)
    kinds, number, marks = _kinds_of_steps(request.method, options), 0, []

    def tell(share: float, stage: str) -> None:
        marks.append(time.perf_counter())
        progress(0.6 + 0.4 * (number + share) / len(kinds), "trying a few steps")

    process, taken = psutil.Process(), DeviceMemory(device)
    before, free_there = process.memory_info().rss, taken.free()
    step_seconds, phantom_seconds, here = 0.0, 0.0, dataclasses.replace(request, workers=0)
    try:
        for number, (share, tried) in enumerate(kinds):
            marks.clear()
            train(here, tried, material, device, Places(tell=tell), start_network(request, options), keep_every=1_000_000, validate=False)
            # The first step warms up, the last one ends with other things.
            step = min((later - sooner for sooner, later in zip(marks[-_TRIED:], marks[-_TRIED + 1 :])), default=0.0)
            step_seconds += share * step
            if getattr(tried, "phantoms", 0):  # told when it is begun, and when it is made; the first step comes after that
                phantom_seconds = marks[-_TRIED - 1] - marks[-_TRIED - 2]
    except InputError as error:
        if not material.bad:
            raise
        raise InputError(error.message, "; ".join(material.bad.values())) from error
    memory = max(process.memory_info().rss, before) + material.bytes
    return {
        **found,
        "steps": options.steps,
        "seconds": round(step_seconds * options.steps * 1.1 + phantom_seconds * getattr(options, "phantoms", 0) + 10.0, 1),
        "step_seconds": round(step_seconds, 3),
        "memory": int(memory),
        "free_memory": int(free),
        "device": described,
        "device_memory": taken.most(),
        "free_device_memory": free_there,
    }


def _kinds_of_steps(method: str, options: Any) -> list[tuple[float, Any]]:
    """The kinds of steps that a training has: the share of each, and options by which a few of that kind are tried."""
    if method == "descent":
        return [(1.0, options.replaced({"steps": _TRIED, "phantoms": min(1, options.phantoms)}))]
    if method == "points":
        shares = {0.0: 1.0 - options.solver_share, 1.0: options.solver_share}
        return [(share, options.replaced({"steps": _TRIED, "solver_share": solved})) for solved, share in shares.items() if share > 0.0]
    return [(1.0, options.replaced({"steps": _TRIED}))]


def made_up_of(options: Parameters) -> str:
    """What a training of the Descent method sees beside given scans."""
    if getattr(options, "network", "") != "tissue":
        return "made-up contrasts"
    return "made-up people in CT" if options.phantoms else ""


def write_trained(path: str, request: TrainingRequest, options: Parameters, material: Any, trained: Any) -> None:
    """Write a model with its card."""
    from deepreg_engine.models.card import ModelCard, write_model

    learned = material.learned
    made_up = made_up_of(options) if request.method == "descent" else ""
    given = f"{len(learned)} labelled scans or pairs: {', '.join(learned)}" if learned else ""
    what = request.about or "; and ".join(part for part in (given, made_up) if part)
    best = trained.course.best
    card = ModelCard(
        request.name or Path(request.folder).name,
        request.method,
        material.architecture,
        origin=f"deepreg-engine train {request.method}",
        licence=request.licence,
        training_data=what,
        date=datetime.date.today().isoformat(),
        intended_use="images like those it was trained on" if request.method != "points" else "points like those it was trained on",
        figures={} if best is None else {f"validation {best.figure}, step {best.step}": round(best.value, 4)},
        settings={**options.used(), **material.settings},
    )
    write_model(path, card, {name: value.numpy() for name, value in trained.network.state_dict().items()})


# ------------------------------------------------------------------- record


def read_record(folder: Path) -> dict | None:
    """What a folder says of its training; None if it holds none."""
    path = folder / _RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return record if {"request", "state", "begun"} <= set(record) else None
    except (OSError, ValueError, TypeError):
        return None


def _prepare(folder: Path, request: TrainingRequest) -> dict | None:
    """Make the folder; the record of the training that lies in it already."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder} ({error.strerror or error})", "choose another") from error
    record = read_record(folder)
    if record is None:
        if (folder / _CHECKPOINT).exists():
            raise InputError(f"{folder} holds a training whose {_RECORD} is missing or damaged", "choose another folder")
        return None
    for left in folder.glob(f".*{Path(_CHECKPOINT).suffix}"):  # half-written when it was killed
        left.unlink(missing_ok=True)
    asked, there = _essence(request.to_dict()), _essence(record["request"])
    differing = [name for name in asked if asked[name] != there.get(name)]
    if differing:
        raise InputError(f"{folder} holds a training with other {differing[0]}", "resume it as it was, or choose another folder")
    return record


def _essence(request: dict) -> dict:
    """What makes a training another one; where its files lie and by how many processes it is computed does not."""
    values = {
        name: value for name, value in json.loads(json.dumps(request)).items() if name not in ("device", "workers", "folder", "skip_bad")
    }
    return values | {"data": [Path(path).name for path in values["data"]]}


def _write_record(folder: Path, request: TrainingRequest, state: str, begun: str, result: dict | None = None) -> None:
    record = {"state": state, "begun": begun, "changed": _now(), "request": request.to_dict(), "result": result}
    write_text(folder / _RECORD, json.dumps(record, indent=2) + "\n")


def _now() -> str:
    return datetime.datetime.now().isoformat(timespec="seconds")
