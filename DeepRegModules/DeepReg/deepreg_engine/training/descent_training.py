"""Training of the Descent method's features: supervised descent on made-up contrasts, phantoms and labelled scans.

Example number n follows from the seed and n alone, so a training that was interrupted goes on as if it had not been. What an example
asks is in :mod:`descent_loss`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from deepreg_engine.errors import ParameterError
from deepreg_engine.features.contrast_net import ContrastNet
from deepreg_engine.features.similarity_net import SimilarityNet
from deepreg_engine.features.tissue_net import TissueNet
from deepreg_engine.solvers.descent import descend
from deepreg_engine.training.contrast_examples import Example, Looks
from deepreg_engine.training.contrast_scenes import Scene, ct_people, phantom_scenes, random_shapes
from deepreg_engine.training.course import Course, Places, Trained, repeatable
from deepreg_engine.training.descent_loss import SPREADS, STEP, features, likeness_loss, step_loss, teacher_step
from deepreg_engine.training.options import DescentTraining
from deepreg_engine.training.supply import in_order

Network = ContrastNet | SimilarityNet | TissueNet
# What can learn, by the name that options give it.
DESCENT_NETWORKS = {"contrast": ContrastNet, "similarity": SimilarityNet, "tissue": TissueNet}
# Patients of the phantoms that are learned from; those of demonstrations and tests are numbered lower.
_FIRST_PATIENT = 1000
# Random shapes are made in a cube so many times as wide as an example.
_SHAPES_ROOM = 1.5
# Gradients of one example are cut at this norm: some examples show nothing but noise.
_LONGEST_GRADIENT = 1.0
_LOG_EVERY = 50
# Weight of the likeness of features against that of steps.
_LIKENESS = 1.0
# Without truth: so many steps the teacher may have gone already, and so many places on its way from where the student is asked.
_AHEAD, _ASKED = 10, 3
# Share of the examples from phantoms that compare two people.
_PEOPLE = 0.6
# Examples of a validation: they come from another seed, and are always the same.
_VALIDATION, _VALIDATION_SEED = 24, 977_000_000


@dataclass(frozen=True)
class Material:
    """What is learned from, beside random shapes.

    Args:
        scenes: phantoms and labelled scans of which each example is made alone.
        pairs: two labelled scans each, whose labels correspond: fixed and moving.
    """

    scenes: list[Scene] = field(default_factory=list)
    pairs: list[tuple[Scene, Scene]] = field(default_factory=list)


class _Supply(Dataset):
    """Examples by number, each with the places from which it is looked at."""

    def __init__(self, material: Material, phantoms: Material, network: Network, options: DescentTraining, first: int) -> None:
        self._material, self._phantoms = material, phantoms
        self._modalities, self._calibrated = network.modalities, isinstance(network, TissueNet)
        self._options, self._first = options, first

    def __len__(self) -> int:
        return self._options.steps

    def __getitem__(self, number: int) -> tuple[Example, list[Tensor], float, int]:
        options = self._options
        generator = torch.Generator().manual_seed((self._first + number) * 2_147_483_629 + options.seed)
        # Where values mean something, contrasts are not made up, and there are no random shapes.
        contrast = {"random_contrast": 0.0, "calibrated": True} if self._calibrated else {}
        looks = Looks(self._modalities, options.size, generator, options.motion, **contrast)
        example = self._draw(looks, generator)
        spread = SPREADS[int(torch.randint(len(SPREADS), (1,), generator=generator))]
        if example.truth is None:
            return example, [looks.error() * 0.5], spread, int(torch.randint(_AHEAD + 1, (1,), generator=generator))
        return example, [example.truth + looks.error() for _ in range(options.states)], spread, 0

    def _draw(self, looks: Looks, generator: torch.Generator) -> Example:
        given = [*self._material.scenes, *self._material.pairs]
        alone = self._calibrated and not self._phantoms.scenes
        if given and (alone or looks.uniform(0.0, 1.0) < self._options.scans):
            chosen = given[int(torch.randint(len(given), (1,), generator=generator))]
            return looks.draw_pair(*chosen) if isinstance(chosen, tuple) else looks.draw(chosen)
        phantoms = self._phantoms.scenes
        if not phantoms or (not self._calibrated and looks.uniform(0.0, 1.0) < self._options.shapes):
            return looks.draw(random_shapes(int(_SHAPES_ROOM * self._options.size), generator))
        pairs = self._phantoms.pairs
        if pairs and looks.uniform(0.0, 1.0) < _PEOPLE:
            return looks.draw_pair(*pairs[int(torch.randint(len(pairs), (1,), generator=generator))])
        return looks.draw(phantoms[int(torch.randint(len(phantoms), (1,), generator=generator))])


def train_descent(
    material: Material,
    options: DescentTraining,
    modalities: tuple[str, ...] = ("ct", "mr", "other"),
    device: torch.device | None = None,
    places: Places | None = None,
    start: Network | None = None,
    workers: int = 1,
    keep_every: int = 500,
    held_out: Material | None = None,
) -> Trained:
    """Train a feature network.

    Args:
        material: labelled scans; may be empty.
        options: see :class:`DescentTraining`.
        modalities: stems of the network; the last one serves contrasts that are made up.
        device: where to compute; the CPU by default.
        places: files, and how the training is spoken to.
        start: a network to begin with, instead of a new one.
        workers: processes that make examples; 0 makes them in this one.
        keep_every: steps from one checkpoint, and validation, to the next.
        held_out: labelled scans to validate on; without any, other examples of the material serve.

    Raises:
        InputError: if the checkpoint belongs to another training.
        ParameterError: if there is nothing to learn from.
    """
    device, places = device or torch.device("cpu"), places or Places()
    places.tell(0.0, "making phantoms" if options.phantoms else "beginning")
    with repeatable(device):
        torch.manual_seed(options.seed)
        network = (start or _new_network(modalities, options)).to(device).train()
        phantoms = _made_up(options, network, material, places.tell)
        optimiser = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=options.steps, pct_start=0.1)
        parts = {"network": network, "optimiser": optimiser, "schedule": schedule}
        # Losses of few examples are too uneven to choose by, unless scans of the user's are held out for it.
        judged = "loss" if held_out is not None and (held_out.scenes or held_out.pairs) else None
        course = Course(options.to_dict(), options.steps, parts, places, keep_every, _LOG_EVERY, judged, higher_is_better=False)
        checked = dataclasses.replace(options, steps=_VALIDATION, **({"scans": 1.0} if judged else {}))
        validation = _Supply(held_out if judged else material, phantoms, network, checked, _VALIDATION_SEED)
        if not course.over:
            supply = _Supply(material, phantoms, network, options, 0)
            for example, fields, spread, ahead in in_order(supply, course.done, workers):
                figures = _learn(network, optimiser, example.to(device), [place.to(device) for place in fields], spread, ahead)
                schedule.step()
                if not course.after(figures, lambda: validate(network, validation, device)):
                    break
    return course.result()


def _new_network(modalities: tuple[str, ...], options: DescentTraining) -> Network:
    if options.network == "tissue":
        return TissueNet()
    return SimilarityNet(modalities) if options.network == "similarity" else ContrastNet(modalities, options.width, options.channels)


def _made_up(options: DescentTraining, network: Network, given: Material, tell: Callable[[float, str], None]) -> Material:
    """Phantoms that suit a network."""
    if not options.phantoms:
        if isinstance(network, TissueNet) and not given.scenes and not given.pairs:
            raise ParameterError("there is no CT to learn tissue classes from", "give scans, or set phantoms above 0")
        return Material()

    def told(share: float) -> None:
        tell(0.0, f"making phantoms, {share:.0%}")

    if isinstance(network, TissueNet):
        return Material(*ct_people(options.phantoms, _FIRST_PATIENT, told))
    return Material(phantom_scenes(options.phantoms, _FIRST_PATIENT, told))


def _learn(
    network: Network, optimiser: torch.optim.Optimizer, example: Example, fields: list[Tensor], spread: float, ahead: int = 0
) -> dict[str, float]:
    """One step; returns figures to log."""
    fixed, moving = features(network, example)
    loss, sums = _losses(fixed, moving, example, fields, spread, ahead)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_GRADIENT)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return sums


def _losses(
    fixed: Tensor, moving: Tensor, example: Example, fields: list[Tensor], spread: float, ahead: int = 0
) -> tuple[Tensor, dict[str, float]]:
    regularity = dataclasses.replace(STEP, spread=spread)
    total, sums = fixed.new_zeros(()), {}
    if example.truth is not None:
        chance = torch.Generator().manual_seed(int(1e6 * float(example.truth.abs().sum())) % 2**31)
        unlike = likeness_loss(fixed, moving, example.truth, chance)
        total = total + _LIKENESS * unlike
        sums["unlike"] = float(unlike.detach())
    places = list(fields)
    # Without truth the teacher moves the field on, and the student is asked again from there.
    count = len(places) if example.truth is not None else _ASKED
    smooth = dataclasses.replace(regularity, fluid=2.0, elastic=0.5)
    with torch.no_grad():
        for _ in range(ahead):
            places[0] = descend(places[0], teacher_step(example, places[0], regularity)[0], smooth)
    for number in range(count):
        loss, figures, goal = step_loss(fixed, moving, example, places[number], regularity)
        total = total + loss / count
        for name, value in figures.items():
            sums[name] = sums.get(name, 0.0) + value / count
        if example.truth is None and number + 1 < count:
            with torch.no_grad():
                places.append(descend(places[number], goal, smooth))
    return total, {"loss": float(total.detach()), **sums}


@torch.no_grad()
def validate(network: Network, supply: _Supply, device: torch.device) -> dict[str, float]:
    """Mean figures over a supply's examples."""
    sums: dict[str, list[float]] = {}
    for number in range(len(supply)):
        example, fields, spread, ahead = supply[number]
        example = example.to(device)
        _, figures = _losses(*features(network, example), example, [place.to(device) for place in fields], spread, ahead)
        for name, value in figures.items():
            sums.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in sums.items()}
