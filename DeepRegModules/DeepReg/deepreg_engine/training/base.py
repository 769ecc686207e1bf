"""The request of a training, its data, and the interface of the methods' trainers. No torch at import."""

from __future__ import annotations

import dataclasses
import datetime
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepreg_engine.errors import EngineError, InputError, ParameterError
from deepreg_engine.methods.common.parameters import Parameters
from deepreg_engine.progress import Progress, no_progress
from deepreg_engine.training.registry import TRAININGS, check_method, find_trainer

if TYPE_CHECKING:
    import torch
    from torch import nn

    from deepreg_engine.models.card import ModelCard
    from deepreg_engine.training.loop import Monitor, TrainingResult

MODALITIES = ("ct", "mr", "other")


@dataclass(frozen=True)
class TrainingRequest:
    """The data and the options of a training.

    Args:
        method: "dense", "descent" or "points".
        data: folders or ``dataset.json`` files with labelled scans (:mod:`labelled_scans`); for points, folders or zip files of keypoints.
        folder: of the training's files; made if it is missing.
        parameters: of the training that differ from their defaults, see :data:`TRAININGS`.
        name: of the model; by default the folder's.
        about: description of the data, for the model card.
        licence: of the model, for the model card.
        modality: "ct", "mr" or "other", of scans whose files do not give it, and of fixed images.
        moving_modality: of moving images, where scans come in pairs.
        spacing: voxel size to which scans are resampled, mm; for points the three edges of their voxels. None for the method's default.
        validation: names of scans or pairs that are held out for validation.
        leave_out: names of scans or pairs that are not used at all.
        skip_bad: whether to go on without scans that cannot be read.
        start: name or file of a model whose weights are the initial ones.
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

    def options(self) -> Any:
        """Return the parameters of the training, checked: an instance of the method's class in :data:`TRAININGS`.

        Raises:
            ParameterError: naming the wrong parameter.
        """
        check_method(self.method)
        if not isinstance(self.data, (list, tuple)) or not all(isinstance(path, (str, os.PathLike)) for path in self.data):
            raise ParameterError(f"data = {self.data} is not a list of files and folders", "give a list of paths", "data")
        for option in ("modality", "moving_modality"):
            modality = getattr(self, option)
            if modality not in MODALITIES:
                raise ParameterError(f"there is no modality {modality!r}", f"there are {', '.join(MODALITIES)}", option)
        return TRAININGS[self.method]().replaced(self.parameters)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary of name to value of all fields; paths as given."""
        return dataclasses.asdict(self)


@dataclass
class TrainingData:
    """Scans, or pairs of keypoints, in memory.

    Args:
        items: by name, as the trainer's examples need them; the two scans of a pair have one name.
        labels: values of the label maps that are learned.
        described: name, voxels and labels of each scan.
        problems: by name, the errors of those that cannot be used.
        bytes: approximate memory of the processes that make examples, beside this process.
        held_out: names of the scans for validation.
        reading: notes on how scans were read.
    """

    items: dict[str, list[Any]] = field(default_factory=dict)
    labels: list[int] = field(default_factory=list)
    described: list[dict] = field(default_factory=list)
    problems: dict[str, EngineError] = field(default_factory=dict)
    bytes: int = 0
    held_out: tuple[str, ...] = ()
    reading: list[str] = field(default_factory=list)

    @property
    def learned(self) -> list[str]:
        """Names of the scans or pairs for training."""
        return [name for name in self.items if name not in self.held_out and name not in self.problems]

    @property
    def training(self) -> list[Any]:
        """Items for training."""
        return [item for name, items in self.items.items() if name not in self.held_out for item in items]

    @property
    def validation(self) -> list[Any]:
        """Items for validation."""
        return [item for name, items in self.items.items() if name in self.held_out for item in items]

    @property
    def notes(self) -> list[str]:
        """Remarks for the user."""
        return [*dict.fromkeys(self.reading), *(f"not used: {error.line()}" for error in self.problems.values())]

    def add(self, name: str, item: Any, voxels: int, labels: list[int], scan: str = "") -> None:
        """Add an item of a scan or pair.

        Args:
            name: of the scan or pair.
            item: for the examples.
            voxels, labels: for :attr:`described`.
            scan: name of one scan of a pair; by default ``name``.
        """
        self.items.setdefault(name, []).append(item)
        self.described.append({"name": scan or name, "voxels": voxels, "labels": labels})

    def skip(self, name: str, error: EngineError, skip_bad: bool) -> None:
        """Note that a scan cannot be used; raise its error unless bad scans are skipped."""
        if not skip_bad:
            raise error
        self.problems[name] = error


@dataclass(frozen=True)
class RunSettings:
    """How a training runs.

    Args:
        device: where to compute.
        monitor: files and callbacks.
        start: network whose weights are the initial ones; None for a new one.
        workers: processes that make examples.
        checkpoint_every: steps between two checkpoints, and validations; None for the method's default.
        validate: whether there are validations.
    """

    device: torch.device
    monitor: Monitor
    start: Any = None
    workers: int = 0
    checkpoint_every: int | None = None
    validate: bool = True


class Trainer(ABC):
    """Training of one method's features: gather the data, make examples, train, and describe the model."""

    #: Name of the method.
    method: str
    #: The least number of scans; from fewer a network would learn the patients instead of the anatomy.
    least_scans: int
    #: What the data are, for messages.
    kind = "scan"

    @abstractmethod
    def find(self, request: TrainingRequest) -> list[tuple[str, Any]]:
        """Return name and files of each scan, or pair of scans.

        Raises:
            InputError: if a folder holds none.
        """

    @abstractmethod
    def read(self, entries: Mapping[str, Any], request: TrainingRequest, options: Any, progress: Progress) -> TrainingData:
        """Read what was found.

        Raises:
            InputError: if scans cannot be read, unless the request skips them.
        """

    @abstractmethod
    def examples(self, items: list[Any], options: Any, seed: int) -> Any:
        """Return the training examples of items of :class:`TrainingData`.

        Args:
            items: scans, or pairs of keypoints.
            options: parameters of the training.
            seed: of all random numbers.
        """

    @abstractmethod
    def train(self, data: TrainingData, options: Any, run: RunSettings) -> TrainingResult:
        """Train a network.

        Raises:
            InputError: if the data cannot be learned from, or the checkpoint belongs to another training.
        """

    @abstractmethod
    def architecture(self, options: Any) -> str:
        """Return the name of the network's architecture."""

    @abstractmethod
    def settings(self, data: TrainingData, request: TrainingRequest, options: Any) -> dict[str, Any]:
        """Return the settings of the model that a registration needs, for its card."""

    def needs_data(self, options: Any) -> bool:
        """Return whether the training needs scans of the user's."""
        return True

    def read_options(self, options: Any) -> tuple[Any, ...]:
        """Return the parameters of the training on which :meth:`read` depends."""
        return ()

    def synthetic_data(self, options: Any) -> str:
        """Return what synthetic data the training adds to the given scans, in words; "" for none."""
        return ""

    def network_kinds(self) -> dict[str, type]:
        """Return the classes of the networks that a training can start from, by the parameter ``network``."""
        return {}

    def start_network(self, request: TrainingRequest, options: Any) -> nn.Module | None:
        """Return the network of the model that the request starts from, or None.

        Raises:
            InputError, ParameterError: if there is no such model, or it is of another kind.
        """
        if not request.start:
            return None
        kinds = self.network_kinds()
        if not kinds:
            raise ParameterError(f"a training of {self.method} cannot start from a model", "leave the model out", "start")
        from deepreg_engine.arrays import tensor_of
        from deepreg_engine.models.card import read_weights
        from deepreg_engine.models.store import find_model

        weights = read_weights(find_model(request.start).path)
        kind: Any = kinds[options.network]
        return kind.from_state({name: tensor_of(array.copy()) for name, array in weights.items()})

    def trials(self, options: Any, steps: int) -> list[tuple[float, Any]]:
        """Return the kinds of steps of a training, for an estimate: the share of each, and parameters of a short training of that kind.

        Args:
            options: parameters of the training.
            steps: of the short trainings.
        """
        return [(1.0, options.replaced({"steps": steps}))]

    def card(self, request: TrainingRequest, options: Parameters, data: TrainingData, result: TrainingResult) -> ModelCard:
        """Return the card of a trained model."""
        from deepreg_engine.models.card import ModelCard

        kind = "labelled scans or pairs" if self.kind == "scan" else "pairs of keypoints"
        given = f"{len(data.learned)} {kind}: {', '.join(data.learned)}" if data.learned else ""
        best = result.best
        return ModelCard(
            request.name or Path(request.folder).name,
            self.method,
            self.architecture(options),
            origin=f"deepreg-engine train {self.method}",
            licence=request.licence,
            training_data=request.about or "; and ".join(part for part in (given, self.synthetic_data(options)) if part),
            date=datetime.date.today().isoformat(),
            intended_use=f"{'images' if self.kind == 'scan' else 'points'} like those it was trained on",
            figures={} if best is None else {f"validation {best.figure}, step {best.step}": round(best.value, 4)},
            settings={**options.used(), **self.settings(data, request, options)},
        )

    def entries(self, request: TrainingRequest) -> dict[str, Any]:
        """Return the files of scans, or pairs of scans, by name, without those that are left out.

        Raises:
            InputError: if a folder holds none, two have one name, or a name to hold out or leave out does not exist.
        """
        entries: dict[str, Any] = {}
        for name, entry in self.find(request):
            if name in entries:
                raise InputError(f"two scans are called {name}", "give them different file names", "data")
            entries[name] = entry
        for option, what in (("leave_out", "leave out"), ("validation", "validate on")):
            for name in getattr(request, option):
                if name not in entries:
                    raise InputError(f"there is no {self.kind} {name!r} to {what}", f"there are {', '.join(entries)}", option)
        return {name: entry for name, entry in entries.items() if name not in request.leave_out}

    def gather(self, request: TrainingRequest, options: Any, progress: Progress = no_progress, keep: bool = False) -> TrainingData:
        """Find and read the data of a training.

        Args:
            request: of the training.
            options: its parameters.
            progress: called with the share read and the name of a scan.
            keep: whether the scans stay in memory for the next call that needs the same ones, as a training after its estimate does.

        Raises:
            InputError: if scans cannot be read, or are too few.
        """
        entries = self.entries(request)
        needed = self.needs_data(options) or bool(request.data)
        if needed:
            self._check_count([entry for name, entry in entries.items() if name not in request.validation])
        data = _read_once(self, entries, request, options, progress, keep)
        if data.problems and not request.skip_bad:
            raise next(iter(data.problems.values()))
        data = dataclasses.replace(data, held_out=tuple(request.validation))
        if needed and not data.learned:
            raise InputError(f"no {self.kind} could be read", next((e.line() for e in data.problems.values()), "give others"), "data")
        return data

    def _check_count(self, entries: list[Any]) -> None:
        """Raise InputError if scans or pairs to learn from are too few."""
        count = sum(2 if isinstance(entry, tuple) else 1 for entry in entries)
        if not count:
            raise InputError(f"no {self.kind} is left to learn from", "leave out fewer", "leave_out")
        if count < self.least_scans:
            raise InputError(f"{count} {self.kind}s are too few to learn from", f"give at least {self.least_scans}", "data")


# What the last estimate has read, for the training that follows it: the key and the data.
_last_read: dict[tuple, TrainingData] = {}


def _read_once(
    trainer: Trainer, entries: dict[str, Any], request: TrainingRequest, options: Any, progress: Progress, keep: bool
) -> TrainingData:
    """Return the contents of the entries: from memory if the last call with ``keep`` read the same files in the same way."""
    stamps = tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in _files(list(entries.items())) if file.is_file())
    key = (trainer.method, tuple(entries), stamps, repr(entries), repr(request.spacing), repr(trainer.read_options(options)))
    data = _last_read.pop(key, None)
    _last_read.clear()
    if data is None:
        data = trainer.read(entries, request, options, progress)
    if keep:
        _last_read[key] = data
    return data


def _files(value: Any) -> list[Path]:
    """Return all paths in nested tuples, lists and dataclasses."""
    if isinstance(value, Path):
        return [value]
    if dataclasses.is_dataclass(value):
        value = list(vars(value).values())
    return [file for part in value for file in _files(part)] if isinstance(value, (list, tuple)) else []


def train_network(request: TrainingRequest, options: Any, data: TrainingData, run: RunSettings) -> TrainingResult:
    """Train the method's network, with as many processes that make examples as suit the device, or as the request gives."""
    from deepreg_engine.training.example_loader import suitable_workers

    workers = suitable_workers(run.device) if request.workers is None else request.workers
    return find_trainer(request.method).train(data, options, dataclasses.replace(run, workers=workers))
