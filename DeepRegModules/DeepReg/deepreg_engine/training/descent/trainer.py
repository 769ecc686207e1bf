"""Trainer of the Descent method's features: supervised descent on random contrasts, phantoms and labelled scans.

Examples follow from their number and the seed, see :mod:`loop`; their loss is in :mod:`loss`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.features.contrast_net import ContrastNet
from deepreg_engine.features.similarity_net import SimilarityNet
from deepreg_engine.features.tissue_net import TissueNet
from deepreg_engine.geometry.label_pairs import joined
from deepreg_engine.progress import Progress
from deepreg_engine.solvers.descent import descend
from deepreg_engine.training.base import MODALITIES, RunSettings, Trainer, TrainingData, TrainingRequest
from deepreg_engine.training.descent.examples import Example, SceneViews
from deepreg_engine.training.descent.loss import SPREADS, STEP, contrastive_loss, features, step_loss, teacher_step
from deepreg_engine.training.descent.parameters import DescentTraining
from deepreg_engine.training.descent.scenes import Scene, ct_patients, phantom_scenes, random_shapes, scan_scene
from deepreg_engine.training.example_loader import SEED_STEP, NumberedExamples, TrainingExample, load_in_order
from deepreg_engine.training.labelled_scans import LabelledScan, find_all, read_scan
from deepreg_engine.training.loop import Optimiser, Selection, TrainingLoop, TrainingResult, deterministic, mean_figures

Network = ContrastNet | SimilarityNet | TissueNet
_NETWORKS = {"contrast": ContrastNet, "similarity": SimilarityNet, "tissue": TissueNet}
# Number of the first phantom patient for training; demonstrations and tests use lower numbers.
_FIRST_PATIENT = 1000
# Edge of the cube of random shapes, relative to that of an example.
_SHAPES_ROOM = 1.5
_LOG_EVERY, _CHECKPOINT_EVERY = 50, 500
# Weight of the contrastive loss against that of the steps.
_CONTRASTIVE = 1.0
# Without truth: the most steps that the teacher has made already, and the number of positions on its way at which the step is compared.
_AHEAD, _COMPARED = 10, 3
# Share of the examples from phantoms that compare two patients.
_TWO_PATIENTS = 0.6
# Examples of a validation: they come from another seed, and are the same in each validation.
_VALIDATION, _VALIDATION_SEED = 24, 977_000_000 * SEED_STEP
# Voxel size to which scans are resampled, and its range, mm.
_SPACING, _SPACINGS = 2.0, (0.2, 10.0)


@dataclass(frozen=True)
class Phantoms:
    """Synthetic patients for training.

    Args:
        scenes: one of each patient.
        pairs: pairs of patients whose labels correspond: fixed and moving.
    """

    scenes: list[Scene] = field(default_factory=list)
    pairs: list[tuple[Scene, Scene]] = field(default_factory=list)


@dataclass(frozen=True)
class DescentExample(TrainingExample):
    """One example, and where its descent steps are compared.

    Args:
        views: both sides.
        fields: displacements from which a step is made (3, z, y, x), voxels; without truth one, from which the teacher goes on.
        spread: of the steps, voxels.
        ahead: steps that the teacher makes first.
    """

    views: Example
    fields: list[Tensor]
    spread: float
    ahead: int = 0


class DescentExamples(NumberedExamples):
    """Examples by number.

    Args:
        scans: labelled scans, and pairs of them (fixed and moving).
        phantoms: synthetic patients.
        network: that learns from them.
        options: of the training.
        seed: of all random numbers, with an example's number.
    """

    def __init__(
        self, scans: list[Scene | tuple[Scene, Scene]], phantoms: Phantoms, network: Network, options: DescentTraining, seed: int
    ) -> None:
        super().__init__(options, seed)
        self._scans, self._phantoms = scans, phantoms
        self._modalities, self._calibrated = network.modalities, isinstance(network, TissueNet)

    def __getitem__(self, number: int) -> DescentExample:
        options, generator = self._options, self.generator(number)
        # Calibrated intensities keep their contrast, and random shapes have none.
        contrast = {"random_contrast": 0.0, "calibrated": True} if self._calibrated else {}
        views = SceneViews(self._modalities, options.size, generator, options.motion, **contrast)
        example = self._example(views)
        spread = views.choice(SPREADS)
        if example.truth is None:
            return DescentExample(example, [views.error() * 0.5], spread, views.integer(_AHEAD + 1))
        return DescentExample(example, [example.truth + views.error() for _ in range(options.states)], spread)

    def _example(self, views: SceneViews) -> Example:
        scans, phantoms, pairs = self._scans, self._phantoms.scenes, self._phantoms.pairs
        scans_only = self._calibrated and not phantoms
        if scans and (scans_only or views.uniform(0.0, 1.0) < self._options.scans):
            chosen = views.choice(scans)
            return views.draw_pair(*chosen) if isinstance(chosen, tuple) else views.draw(chosen)
        if not phantoms or (not self._calibrated and views.uniform(0.0, 1.0) < self._options.shapes):
            return views.draw(random_shapes(int(_SHAPES_ROOM * self._options.size), views.generator))
        if pairs and views.uniform(0.0, 1.0) < _TWO_PATIENTS:
            return views.draw_pair(*views.choice(pairs))
        return views.draw(views.choice(phantoms))


class DescentTrainer(Trainer):
    """See :class:`Trainer`."""

    method = "descent"
    least_scans = 4

    def find(self, request: TrainingRequest) -> list[tuple[str, Any]]:
        return find_all(request.data, request.modality, request.moving_modality)

    def read(self, entries: Mapping[str, Any], request: TrainingRequest, options: DescentTraining, progress: Progress) -> TrainingData:
        if not entries and not _adds_examples(options):
            raise InputError("there is nothing to learn from", "give folders with labelled scans, or phantoms or shapes", "data")
        data, spacing = TrainingData(), _spacing(request)
        for number, (name, entry) in enumerate(entries.items()):
            progress(number / len(entries), name)
            try:
                scenes = _read_scenes(entry if isinstance(entry, tuple) else (entry,), options, spacing, data.reading)
            except InputError as error:
                data.skip(name, error, request.skip_bad)
                continue
            data.items[name] = [tuple(scenes) if isinstance(entry, tuple) else scenes[0]]
            for scene in scenes:
                labels = [value for value in scene.labels.unique().tolist() if value]
                data.described.append({"name": scene.name, "voxels": scene.labels.numel(), "labels": labels})
                data.bytes += scene.labels.numel() * 12
        return data

    def read_options(self, options: DescentTraining) -> tuple[Any, ...]:
        return (options.network == "tissue",)

    def needs_data(self, options: DescentTraining) -> bool:
        return False

    def examples(
        self, items: list[Any], options: DescentTraining, seed: int, phantoms: Phantoms | None = None, network: Network | None = None
    ) -> DescentExamples:
        return DescentExamples(items, phantoms or Phantoms(), network or new_network(options, MODALITIES), options, seed)

    def train(
        self, data: TrainingData, options: DescentTraining, run: RunSettings, modalities: tuple[str, ...] = MODALITIES
    ) -> TrainingResult:
        device, progress = run.device, run.monitor.progress
        progress(0.0, "making phantoms" if options.phantoms else "beginning")
        with deterministic(device):
            torch.manual_seed(options.seed)
            network: Network = (run.start or new_network(options, modalities)).to(device).train()
            phantoms = _make_phantoms(options, network, data.training, progress)
            optimiser = Optimiser(network, options, weight_decay=1e-4)
            # Losses of few examples are too noisy to choose the best weights, unless scans are held out for validation.
            held_out = data.validation
            selection = Selection("loss" if held_out else None, higher_is_better=False)
            every = run.checkpoint_every or _CHECKPOINT_EVERY
            loop = TrainingLoop(network, options, optimiser.parts, run.monitor, selection, every, _LOG_EVERY)
            checked = dataclasses.replace(options, steps=_VALIDATION, **({"scans": 1.0} if held_out else {}))
            validation = self.examples(held_out or data.training, checked, _VALIDATION_SEED + options.seed, phantoms, network)
            examples = self.examples(data.training, options, options.seed, phantoms, network)
            return loop.fit(
                load_in_order(examples, loop.step, run.workers),
                lambda example: learn(network, optimiser, example.to(device)),
                (lambda: validation_figures(network, validation, device)) if run.validate else None,
            )

    def architecture(self, options: DescentTraining) -> str:
        return f"{options.network}-net"

    def settings(self, data: TrainingData, request: TrainingRequest, options: DescentTraining) -> dict[str, Any]:
        return {"spacing_mm": _spacing(request)}

    def synthetic_data(self, options: DescentTraining) -> str:
        if options.network != "tissue":
            return "random contrasts"
        return "synthetic patients in CT" if options.phantoms else ""

    def network_kinds(self) -> dict[str, type]:
        return dict(_NETWORKS)

    def trials(self, options: DescentTraining, steps: int) -> list[tuple[float, Any]]:
        return [(1.0, options.replaced({"steps": steps, "phantoms": min(1, options.phantoms)}))]


def new_network(options: DescentTraining, modalities: tuple[str, ...]) -> Network:
    """Return a network with random weights.

    Args:
        options: of the training.
        modalities: stems of the network; the last one serves random contrasts.
    """
    if options.network == "tissue":
        return TissueNet()
    return SimilarityNet(modalities) if options.network == "similarity" else ContrastNet(modalities, options.width, options.channels)


def _read_scenes(scans: Sequence[LabelledScan], options: DescentTraining, spacing: float, notes: list[str]) -> list[Scene]:
    """Return the scenes of one scan, or of a pair, in which structures of one name have one value."""
    for scan in scans:
        if options.network == "tissue" and scan.modality != "ct":
            advice = "give CT as the modality if the values are HU, else leave it out"
            raise InputError(f"{scan.name} is {scan.modality}, and tissue classes are learned from CT alone", advice, "modality")
    found = [read_scan(scan, notes) for scan in scans]
    labels = [labels for _, labels in found]
    if len(labels) == 2:
        labels = list(joined(labels[0], labels[1], notes)[0])
    return [scan_scene(image, own, scan.modality, spacing, scan.name) for (image, _), own, scan in zip(found, labels, scans, strict=True)]


def _spacing(request: TrainingRequest) -> float:
    """Return the voxel size to which scans are resampled, mm."""
    spacing, (finest, coarsest) = _SPACING if request.spacing is None else float(request.spacing), _SPACINGS
    if not finest <= spacing <= coarsest:
        raise ParameterError(f"spacing {spacing:g} is not a voxel size in mm", f"give {finest:g} to {coarsest:g}", "spacing")
    return spacing


def _make_phantoms(options: DescentTraining, network: Network, scans: list[Any], progress: Progress) -> Phantoms:
    """Return phantoms that suit a network."""
    if not options.phantoms:
        if isinstance(network, TissueNet) and not scans:
            raise ParameterError("there is no CT to learn tissue classes from", "give scans, or set phantoms above 0", "phantoms")
        return Phantoms()

    def made(share: float) -> None:
        progress(0.0, f"making phantoms, {share:.0%}")

    if isinstance(network, TissueNet):
        return Phantoms(*ct_patients(options.phantoms, _FIRST_PATIENT, made))
    return Phantoms(phantom_scenes(options.phantoms, _FIRST_PATIENT, made))


def learn(network: Network, optimiser: Optimiser, example: DescentExample) -> dict[str, float]:
    """Do one optimisation step; return figures to log."""
    loss, figures = example_loss(network, example)
    loss.backward()
    optimiser.step()
    return figures


def example_loss(network: Network, example: DescentExample) -> tuple[Tensor, dict[str, float]]:
    """Return the loss of one example, and figures to log."""
    views, regularity = example.views, dataclasses.replace(STEP, spread=example.spread)
    fixed, moving = features(network, views)
    total, figures = fixed.new_zeros(()), {}
    if views.truth is not None:
        generator = torch.Generator().manual_seed(int(1e6 * float(views.truth.abs().sum())) % 2**31)
        contrastive = contrastive_loss(fixed, moving, views.truth, generator)
        total = total + _CONTRASTIVE * contrastive
        figures["contrastive"] = float(contrastive.detach())
    positions = list(example.fields)
    # Without truth the teacher moves the field on, and the step is compared again from there.
    count = len(positions) if views.truth is not None else _COMPARED
    smooth = dataclasses.replace(regularity, fluid=2.0, elastic=0.5)
    with torch.no_grad():
        for _ in range(example.ahead):
            positions[0] = descend(positions[0], teacher_step(views, positions[0], regularity)[0], smooth)
    for number in range(count):
        loss, of_step, goal = step_loss(fixed, moving, views, positions[number], regularity)
        total = total + loss / count
        for name, value in of_step.items():
            figures[name] = figures.get(name, 0.0) + value / count
        if views.truth is None and number + 1 < count:
            with torch.no_grad():
                positions.append(descend(positions[number], goal, smooth))
    return total, {"loss": float(total.detach()), **figures}


@torch.no_grad()
def validation_figures(network: Network, examples: DescentExamples, device: torch.device) -> dict[str, float]:
    """Return mean figures over all examples."""
    return mean_figures(example_loss(network, examples[number].to(device))[1] for number in range(len(examples)))


TRAINER = DescentTrainer()


def _adds_examples(options: DescentTraining) -> bool:
    """Return whether the options add synthetic examples: phantoms, or shapes, from which tissue classes cannot be learned."""
    return options.phantoms > 0 or (options.shapes > 0 and options.network != "tissue")
