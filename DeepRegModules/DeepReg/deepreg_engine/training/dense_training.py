"""Training of the Dense method's features from a few labelled scans, through the search.

Each step compares two scans, or one with itself, by one stage of the method's search, and asks that labels land on labels
(:mod:`dense_loss`). Example number n follows from the seed and n alone (:mod:`course` says what that is good for).
"""

from __future__ import annotations

import torch
from torch import nn

from deepreg_engine.errors import InputError
from deepreg_engine.features.context_net import ContextNet
from deepreg_engine.training.course import Course, Places, Trained, repeatable
from deepreg_engine.training.dense_loss import class_weights, training_loss
from deepreg_engine.training.options import DenseTraining
from deepreg_engine.training.scan_pairs import PairExample, PairExamples
from deepreg_engine.training.supply import in_order
from deepreg_engine.training.training_scans import TrainingScan

# Gradients of one example are cut at this norm: some examples show nothing but noise.
_LONGEST_GRADIENT = 1.0
# Examples of a validation: they come from another seed, and are always the same.
_VALIDATION, _VALIDATION_SEED = 12, 977_000_000


def train_dense(
    scans: list[TrainingScan],
    held_out: list[TrainingScan],
    options: DenseTraining,
    labels: int,
    device: torch.device | None = None,
    places: Places | None = None,
    start: ContextNet | None = None,
    workers: int = 1,
    keep_every: int = 100,
    validated: bool = True,
) -> Trained:
    """Train features for the search of the Dense method.

    Args:
        scans: to learn from.
        held_out: to validate on; without any, validations show how well it learned, not how well it will do.
        options: see :class:`DenseTraining`.
        labels: how many the scans' label maps know, beside the background.
        device: where to compute; the CPU by default.
        places: files, and how the training is spoken to.
        start: a network to begin with, instead of a new one.
        workers: processes that make examples; 0 makes them in this one.
        keep_every: steps from one checkpoint, and validation, to the next.
        validated: whether there are validations; without, it ends with its last step.

    Raises:
        InputError: if no scan has a label, or the checkpoint belongs to another training.
    """
    device, places = device or torch.device("cpu"), places or Places()
    weights = class_weights(scans, labels)
    if not bool((weights[1:] > 0).any()):
        raise InputError("the scans show none of the labels", "check that images and label maps have one frame")
    weights = weights.to(device)
    with repeatable(device):
        torch.manual_seed(options.seed)
        network = (start or ContextNet(options.channels, options.width)).to(device).train()
        head = nn.Conv3d(network.channels, labels + 1, 1).to(device)
        optimiser = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=options.rate, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.rate, total_steps=options.steps, pct_start=0.1)
        parts = {"network": network, "head": head, "optimiser": optimiser, "schedule": schedule}
        course = Course(options.to_dict(), options.steps, parts, places, keep_every, figure="dice", patience=options.patience)
        checked = PairExamples(held_out or scans, options, _VALIDATION_SEED + options.seed)
        if not course.over:
            examples = PairExamples(scans, options, options.seed)
            for example in in_order(examples, course.done, workers):
                figures = _learn(network, head, optimiser, example.to(device), weights, options)
                schedule.step()
                if not course.after(figures, (lambda: validate(network, head, checked, weights, options, device)) if validated else None):
                    break
    return course.result()


def _learn(
    network: ContextNet,
    head: nn.Module,
    optimiser: torch.optim.Optimizer,
    example: PairExample,
    weights: torch.Tensor,
    options: DenseTraining,
) -> dict[str, float]:
    """One step; returns figures to log."""
    loss, figures = training_loss(network, head, example, weights, options)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), _LONGEST_GRADIENT)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return figures


@torch.no_grad()
def validate(
    network: ContextNet, head: nn.Module, examples: PairExamples, weights: torch.Tensor, options: DenseTraining, device: torch.device
) -> dict[str, float]:
    """Mean figures over the same few examples each time: Dice of the labels after the search, and the loss."""
    sums: dict[str, list[float]] = {}
    for number in range(_VALIDATION):
        _, figures = training_loss(network, head, examples[number].to(device), weights, options)
        for name, value in figures.items():
            sums.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in sums.items()}
