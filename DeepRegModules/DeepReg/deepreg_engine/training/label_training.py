"""Training of a network that names structures, for the Dense method: of every voxel of an example its label is asked.

The loss is the cross entropy, classes weighted by the inverse square root of how often they occur, plus one minus the soft Dice of the
structures that the example shows (Milletari, Navab, Ahmadi, "V-Net", 3DV 2016): the one says what is wrong where, the other does not let small
structures drown. In a registration structures count by the same weights. Example number n follows from the seed and n alone (:mod:`course` says what that is good for).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepreg_engine.errors import InputError
from deepreg_engine.features.label_net import LabelNet
from deepreg_engine.training.course import Course, Places, Trained, repeatable
from deepreg_engine.training.dense_loss import class_weights
from deepreg_engine.training.label_examples import LabelExample, LabelExamples
from deepreg_engine.training.options import DenseTraining
from deepreg_engine.training.precision import mixed_precision
from deepreg_engine.training.supply import in_order
from deepreg_engine.training.training_scans import TrainingScan

_LONGEST_GRADIENT = 5.0
# Of rare structures, relative to the mean: a few voxels would shout everything else down.
_HEAVIEST = 3.0
# Voxels added to both sides of a Dice, so that it does not jump where a structure is only touched.
_FEW = 1.0
# Examples of a validation: they come from another seed, and are always the same.
_VALIDATION, _VALIDATION_SEED = 16, 977_000_000


def train_labels(
    scans: list[TrainingScan],
    held_out: list[TrainingScan],
    options: DenseTraining,
    labels: int,
    device: torch.device | None = None,
    places: Places | None = None,
    start: LabelNet | None = None,
    workers: int = 1,
    keep_every: int = 100,
    validated: bool = True,
) -> Trained:
    """Train a :class:`LabelNet`; arguments and errors as of :func:`dense_training.train_dense`.

    Raises:
        InputError: also if the network to begin with knows another number of labels.
    """
    device, places = device or torch.device("cpu"), places or Places()
    weights = class_weights(scans, labels).clamp(max=_HEAVIEST).to(device)
    if not bool((weights[1:] > 0).any()):
        raise InputError("the scans show none of the labels", "check that images and label maps have one frame")
    if start is not None and start.channels != labels + 1:
        raise InputError(
            f"the model knows {start.channels - 1} labels, the scans have {labels}", "begin with none, or with one of the same labels"
        )
    with repeatable(device):
        torch.manual_seed(options.seed)
        network = (start or LabelNet(labels, options.width)).to(device, memory_format=torch.channels_last_3d).train()
        network.importance.copy_(weights)
        optimiser = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=options.steps, pct_start=0.1)
        parts = {"network": network, "optimiser": optimiser, "schedule": schedule}
        course = Course(options.to_dict(), options.steps, parts, places, keep_every, figure="dice", patience=options.patience)
        checked = LabelExamples(held_out or scans, options, _VALIDATION_SEED + options.seed)
        if not course.over:
            for example in in_order(LabelExamples(scans, options, options.seed), course.done, workers):
                figures = _learn(network, optimiser, example.to(device), weights)
                schedule.step()
                if not course.after(figures, (lambda: validate(network, checked, weights, device)) if validated else None):
                    break
    return course.result()


def _learn(network: LabelNet, optimiser: torch.optim.Optimizer, example: LabelExample, weights: Tensor) -> dict[str, float]:
    """One step; returns figures to log."""
    loss = label_loss(_logits(network, example), example.labels, weights)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_GRADIENT)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return {"loss": float(loss.detach())}


def _logits(network: LabelNet, example: LabelExample) -> Tensor:
    """(L + 1, z, y, x), float32; a GPU computes them with half the digits."""
    with mixed_precision(example.image.device):
        return network(example.image[None, None])[0].float()


def label_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross entropy, plus one minus the mean soft Dice of the structures that are there.

    Args:
        logits: (L + 1, z, y, x), background first.
        labels: (z, y, x).
        weights: of the classes (L + 1,).
    """
    entropy = F.cross_entropy(logits[None], labels[None], weights)
    hot = F.one_hot(labels, len(weights)).movedim(-1, 0).flatten(1).to(logits.dtype)
    probability = torch.softmax(logits, dim=0).flatten(1)
    there = hot.sum(1) > 0
    there[0] = False
    if not bool(there.any()):
        return entropy
    dice = (2.0 * (probability * hot).sum(1) + _FEW) / ((probability + hot).sum(1) + _FEW)
    return entropy + 1.0 - dice[there].mean()


@torch.no_grad()
def validate(network: LabelNet, examples: LabelExamples, weights: Tensor, device: torch.device) -> dict[str, float]:
    """Over the same few examples each time: Dice of what the network would say, mean of the structures that they show, and the loss."""
    network.eval()
    losses, shared, both = [], torch.zeros(len(weights), device=device), torch.zeros(len(weights), device=device)
    shown = torch.zeros(len(weights), device=device)
    for number in range(_VALIDATION):
        example = examples[number].to(device)
        logits = _logits(network, example)
        losses.append(float(label_loss(logits, example.labels, weights)))
        said, true = (F.one_hot(side, len(weights)).flatten(0, 2).sum(0).float() for side in (logits.argmax(0), example.labels))
        same = torch.bincount(example.labels[logits.argmax(0) == example.labels], minlength=len(weights)).float()
        shared, both, shown = shared + same, both + said + true, shown + true
    network.train()
    there = shown > 0
    there[0] = False
    dice = (2.0 * shared / both.clamp(min=1.0))[there]
    return {"dice": float(dice.mean()) if len(dice) else 0.0, "loss": sum(losses) / len(losses)}
