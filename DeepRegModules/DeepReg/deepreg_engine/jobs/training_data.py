"""What a training learns from, by method: scans from files, the network it begins with, and the loop that trains it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from deepreg_engine.errors import EngineError, InputError, ParameterError
from deepreg_engine.methods.common.parameters import Parameters
from deepreg_engine.training.labelled_scans import find_labelled, read_scan
from deepreg_engine.training.point_pairs import read_point_pairs

if TYPE_CHECKING:
    import torch

    from deepreg_engine.jobs.training import TrainingRequest
    from deepreg_engine.training.course import Places, Trained

# Fewer scans teach a network these people, not their organs.
_LEAST = {"dense": 2, "descent": 4, "points": 1}
_ARCHITECTURES = {"points": "edge-conv"}
_SPACING, _POINT_SPACING = 2.0, (1.0, 1.0, 1.0)
# More labels than this make the loss slow; the rarest are left out.
_MOST_LABELS = 60


@dataclass
class Gathered:
    """What was read.

    Args:
        architecture: of the network that learns from it.
        learned: names of scans or pairs that are learned from.
        training: scans or pairs, as the method wants them.
        validation: those that are held out.
        labels: values of the label maps that are learned.
        settings: for the model's card.
        described: name, voxels and labels of each scan.
        bad: name and problem of those that could not be read.
        bytes: about what the training's copies need beyond this process.
    """

    architecture: str
    learned: list[str] = field(default_factory=list)
    training: list = field(default_factory=list)
    validation: list = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    described: list[dict] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    bytes: int = 0

    @property
    def notes(self) -> list[str]:
        """What the user should know."""
        return [f"not used: {problem}" for problem in self.bad.values()]


def list_entries(request: TrainingRequest) -> dict[str, Any]:
    """Scans, or pairs of scans, by name, without those that are left out.

    Raises:
        InputError: if a folder holds none, two have one name, or a name to hold out or leave out does not exist.
    """
    entries: dict[str, Any] = {}
    if request.method == "points":
        found = [(pair.name, pair) for pair in read_point_pairs(request.data, point_spacing(request))]
    else:
        data = [find_labelled(folder, request.modality, request.moving_modality) for folder in request.data]
        found = [(scan.name, scan) for part in data for scan in part.scans] + [(pair[0].name, pair) for part in data for pair in part.pairs]
    for name, entry in found:
        if name in entries:
            raise InputError(f"two scans are called {name}", "give them different file names")
        entries[name] = entry
    for what, names in (("leave out", request.leave_out), ("validate on", request.validation)):
        unknown = [name for name in names if name not in entries]
        if unknown:
            kind = "pair" if request.method == "points" else "scan"
            raise InputError(f"there is no {kind} {unknown[0]!r} to {what}", f"there are {', '.join(entries)}")
    return {name: entry for name, entry in entries.items() if name not in request.leave_out}


def gather(request: TrainingRequest, options: Parameters, tell: Callable[[float, str], None] = lambda share, name: None) -> Gathered:
    """Read what a training learns from.

    Raises:
        InputError: if scans cannot be read, or are too few.
    """
    entries = list_entries(request)
    made_up = request.method == "descent" and not request.data
    if made_up and options.phantoms == 0 and (options.shapes == 0 or options.network == "tissue"):
        raise InputError("there is nothing to learn from", "give folders with labelled scans, or phantoms or shapes")
    learning = [name for name in entries if name not in request.validation]
    people = sum(2 if isinstance(entries[name], tuple) else 1 for name in learning)
    if not made_up and not learning:
        raise InputError("no scan is left to learn from", "leave out fewer")
    if not made_up and people < _LEAST[request.method]:
        raise InputError(f"{people} scans are too few to learn from", f"give at least {_LEAST[request.method]}")
    gathered = Gathered(_ARCHITECTURES.get(request.method) or f"{options.network}-net")
    if request.method == "points":
        _gather_points(entries, request, gathered)
    else:
        (_gather_dense if request.method == "dense" else _gather_descent)(entries, request, options, gathered, tell)
    gathered.learned = [name for name in learning if name not in gathered.bad]
    if not made_up and not gathered.learned:
        raise InputError("no scan could be read", next(iter(gathered.bad.values()), "give others"))
    return gathered


def _gather_points(entries: dict[str, Any], request: TrainingRequest, gathered: Gathered) -> None:
    for name, pair in entries.items():
        (gathered.validation if name in request.validation else gathered.training).append(pair)
        gathered.described.append({"name": name, "voxels": len(pair.fixed), "labels": []})


def _gather_dense(
    entries: dict[str, Any], request: TrainingRequest, options: Any, gathered: Gathered, tell: Callable[[float, str], None]
) -> None:
    from deepreg_engine.training.training_scans import make_scan

    read, scans = {}, {}
    flat = {}
    for name, entry in entries.items():  # pairs are two scans of their own here: any two are compared
        for part, scan in zip(("", " moving"), entry if isinstance(entry, tuple) else (entry,)):
            flat[name + part] = (name, scan)
    for number, (key, (name, scan)) in enumerate(flat.items()):
        tell(number / len(flat), key)
        try:
            read[key] = read_scan(scan)
        except InputError as error:
            _note(name, error, request, gathered)
    gathered.labels = _labels([labels for _, labels in read.values()])
    spacing = options.voxel_size()
    for key, (image, labels) in read.items():
        name, scan = flat[key]
        scans[key] = make_scan(key, image, labels, scan.modality, spacing, gathered.labels)
        names = [value for value in gathered.labels if int((scans[key].labels == gathered.labels.index(value) + 1).sum())]
        if not names:
            _note(
                name,
                InputError(f"scan {key} has no label inside its image", "leave it out, or check that both have one frame"),
                request,
                gathered,
            )
            continue
        gathered.described.append({"name": key, "voxels": int(np.prod(image.GetSize())), "labels": names})
        (gathered.validation if name in request.validation else gathered.training).append(scans[key])
        gathered.bytes += scans[key].image.numel() * 3
    kinds = {scan.modality for scan in gathered.training}
    gathered.settings = {"spacing_mm": spacing, "modality": "ct" if kinds == {"ct"} and options.contrast == 0 else "other"}
    if gathered.settings["modality"] == "other" and "ct" in kinds:  # all are looked at alike, so that one network input serves
        gathered.settings["modality"] = "auto"


def _gather_descent(
    entries: dict[str, Any], request: TrainingRequest, options: Any, gathered: Gathered, tell: Callable[[float, str], None]
) -> None:
    from deepreg_engine.training.contrast_scenes import scan_scene
    from deepreg_engine.training.descent_training import Material
    from deepreg_engine.training.labelled_scans import check_scene

    spacing = descent_spacing(request)
    training, validation = Material(), Material()
    for number, (name, entry) in enumerate(entries.items()):
        tell(number / len(entries), name)
        target = validation if name in request.validation else training
        try:
            scenes = []
            for scan in entry if isinstance(entry, tuple) else (entry,):
                if options.network == "tissue" and scan.modality != "ct":
                    advice = "give --modality ct if its values are HU, else leave it out"
                    raise InputError(f"{scan.name} is {scan.modality}, and tissue classes are learned from CT alone", advice)
                image, labels = read_scan(scan)
                scenes.append(check_scene(scan_scene(image, labels, scan.modality, spacing, scan.name)))
        except InputError as error:
            _note(name, error, request, gathered)
            continue
        for scene in scenes:
            gathered.described.append(
                {"name": scene.name, "voxels": scene.labels.numel(), "labels": [v for v in scene.labels.unique().tolist() if v]}
            )
            gathered.bytes += scene.labels.numel() * 12
        if isinstance(entry, tuple):
            target.pairs.append(tuple(scenes))
        else:
            target.scenes.append(scenes[0])
    gathered.training, gathered.validation = [training], [validation]
    gathered.settings = {"spacing_mm": spacing}


def _note(name: str, error: EngineError, request: TrainingRequest, gathered: Gathered) -> None:
    if not request.skip_bad:
        raise error
    gathered.bad[name] = error.line()


def _labels(maps: list) -> list[int]:
    """Labels of at least two scans, or of all if no label is in two; the most frequent ones."""
    import SimpleITK as sitk

    found: dict[int, int] = {}
    for labels in maps:
        for value in np.unique(sitk.GetArrayViewFromImage(labels)).tolist():
            if value > 0:
                found[int(value)] = found.get(int(value), 0) + 1
    shared = [value for value, count in found.items() if count > 1] or list(found)
    return sorted(sorted(shared, key=lambda value: -found[value])[:_MOST_LABELS])


def point_spacing(request: TrainingRequest) -> tuple[float, float, float]:
    """Edges of the voxels in which keypoints are given, mm."""
    values = _POINT_SPACING if request.spacing is None else request.spacing
    values = tuple(float(value) for value in (values if isinstance(values, (list, tuple)) else (values,) * 3))
    if len(values) != 3 or not all(0 < value < 100 for value in values):
        raise ParameterError(f"spacing {request.spacing} is not three voxel sizes in mm", "give three numbers such as 1.75, 1, 1.25")
    return values


def descent_spacing(request: TrainingRequest) -> float:
    """Voxel size at which scans are looked at, mm."""
    spacing = _SPACING if request.spacing is None else float(request.spacing)
    if not 0.2 <= spacing <= 10.0:
        raise ParameterError(f"--spacing {spacing:g} is not a voxel size in mm", "give 0.2 to 10")
    return spacing


def start_network(request: TrainingRequest, options: Parameters) -> Any:
    """The network of a given model to begin with, or None.

    Raises:
        InputError, ParameterError: if there is no such model, or it is of another kind.
    """
    if not request.start:
        return None
    if request.method == "points":
        raise ParameterError("a training of points cannot begin with a model", "leave the model out")
    import torch

    from deepreg_engine.features.context_net import ContextNet
    from deepreg_engine.features.label_net import LabelNet
    from deepreg_engine.models.card import read_weights
    from deepreg_engine.models.store import find_model
    from deepreg_engine.training.descent_training import DESCENT_NETWORKS

    kinds = {"context": ContextNet, "label": LabelNet} if request.method == "dense" else DESCENT_NETWORKS
    kind = kinds[options.network]
    return kind.from_state({name: torch.from_numpy(array.copy()) for name, array in read_weights(find_model(request.start).path).items()})


def train(
    request: TrainingRequest,
    options: Any,
    material: Gathered,
    device: torch.device,
    places: Places,
    start: Any = None,
    keep_every: int | None = None,
    validate: bool = True,
) -> Trained:
    """Train the method's network."""
    from deepreg_engine.training.supply import suitable_workers

    held_out = material.validation if validate else []
    workers = suitable_workers(device) if request.workers is None else request.workers
    every = {} if keep_every is None else {"keep_every": keep_every}
    if request.method == "points":
        from deepreg_engine.training.point_training import train_points

        return train_points(material.training, options, device, places, held_out or None, **every)
    if request.method == "descent":
        from deepreg_engine.training.descent_training import train_descent

        return train_descent(
            material.training[0],
            options,
            device=device,
            places=places,
            start=start,
            workers=workers,
            held_out=held_out[0] if held_out else None,
            **every,
        )
    if options.network == "label":
        from deepreg_engine.training.label_training import train_labels as train_dense
    else:
        from deepreg_engine.training.dense_training import train_dense

    return train_dense(
        material.training, held_out, options, len(material.labels), device, places, start, workers, validated=validate, **every
    )
