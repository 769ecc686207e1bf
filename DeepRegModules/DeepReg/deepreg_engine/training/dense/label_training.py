"""Training of a segmentation network, whose probabilities are features for the Dense method.

The loss is the cross entropy, classes weighted by the inverse square root of their frequency, plus one minus the soft Dice of the
structures in the example (Milletari, Navab, Ahmadi, "V-Net", 3DV 2016). The first counts every voxel, the second keeps the weight of small
structures. A registration weights structures alike. Examples follow from their number and the seed, see :mod:`loop`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from deepreg_engine.errors import InputError
from deepreg_engine.features.label_net import LabelNet
from deepreg_engine.training.base import RunSettings, TrainingData
from deepreg_engine.training.dense.label_examples import LabelExample, LabelExamples
from deepreg_engine.training.dense.parameters import DenseTraining
from deepreg_engine.training.dense.search_loss import label_weights
from deepreg_engine.training.example_loader import load_in_order
from deepreg_engine.training.loop import Optimiser, Selection, TrainingLoop, TrainingResult, deterministic
from deepreg_engine.training.precision import mixed_precision

_LARGEST_GRADIENT = 5.0
# Largest weight of a rare structure, relative to the mean: else a few voxels would dominate the loss.
_HEAVIEST = 3.0
# Voxels added to both sides of a Dice, so that it is continuous where an example holds a few voxels of a structure.
_FEW = 1.0
# Examples of a validation.
_VALIDATION = 16
_CHECKPOINT_EVERY = 100


def train_labels(
    data: TrainingData, options: DenseTraining, run: RunSettings, examples: LabelExamples, held_out: LabelExamples
) -> TrainingResult:
    """Train a :class:`LabelNet`; arguments and errors are those of :func:`search_training.train_search`.

    Raises:
        InputError: also if the initial network has another number of labels.
    """
    weights = label_weights(data).clamp(max=_HEAVIEST).to(run.device)
    labels = len(data.labels)
    if run.start is not None and run.start.channels != labels + 1:
        message = f"the numbers of labels differ: {run.start.channels - 1} in the model, {labels} in the scans"
        raise InputError(message, "start from no model, or from one of the same labels", "start")
    with deterministic(run.device):
        torch.manual_seed(options.seed)
        network: Any = run.start or LabelNet(labels, options.width)
        network = network.to(run.device, memory_format=torch.channels_last_3d).train()
        network.importance.copy_(weights)
        optimiser = Optimiser(network, options, weight_decay=1e-2, largest_gradient=_LARGEST_GRADIENT)
        every = run.checkpoint_every or _CHECKPOINT_EVERY
        loop = TrainingLoop(network, options, optimiser.parts, run.monitor, Selection("dice", True, options.patience), every)

        def validate() -> dict[str, float]:
            return validation_figures(network, (held_out[number] for number in range(_VALIDATION)), weights, run.device)

        def learn(example: LabelExample) -> dict[str, float]:
            return _learn(network, optimiser, example.to(run.device), weights)

        return loop.fit(load_in_order(examples, loop.step, run.workers), learn, validate if run.validate else None)


def _learn(network: LabelNet, optimiser: Optimiser, example: LabelExample, weights: Tensor) -> dict[str, float]:
    """Do one optimisation step; return figures to log."""
    loss = label_loss(_logits(network, example), example.labels, weights)
    loss.backward()
    optimiser.step()
    return {"loss": float(loss.detach())}


def _logits(network: LabelNet, example: LabelExample) -> Tensor:
    """Return (L + 1, z, y, x), float32; a GPU computes them in mixed precision."""
    with mixed_precision(example.image.device):
        return network(example.image[None, None])[0].float()


def label_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted cross entropy, plus one minus the mean soft Dice of the structures in the example.

    Args:
        logits: (L + 1, z, y, x), background first.
        labels: (z, y, x).
        weights: of the classes (L + 1,).
    """
    entropy = F.cross_entropy(logits[None], labels[None], weights)
    hot = F.one_hot(labels, len(weights)).movedim(-1, 0).flatten(1).to(logits.dtype)
    probability = torch.softmax(logits, dim=0).flatten(1)
    present = hot.sum(1) > 0
    present[0] = False
    if not bool(present.any()):
        return entropy
    dice = (2.0 * (probability * hot).sum(1) + _FEW) / ((probability + hot).sum(1) + _FEW)
    return entropy + 1.0 - dice[present].mean()


@torch.no_grad()
def validation_figures(network: LabelNet, examples: Iterable[LabelExample], weights: Tensor, device: torch.device) -> dict[str, float]:
    """Return the Dice of the segmentation, the mean over the structures in the examples, and the mean loss."""
    network.eval()
    losses, shared, both = [], torch.zeros(len(weights), device=device), torch.zeros(len(weights), device=device)
    shown = torch.zeros(len(weights), device=device)
    for each in examples:
        example = each.to(device)
        logits = _logits(network, example)
        losses.append(float(label_loss(logits, example.labels, weights)))
        found, true = (F.one_hot(side, len(weights)).flatten(0, 2).sum(0).float() for side in (logits.argmax(0), example.labels))
        same = torch.bincount(example.labels[logits.argmax(0) == example.labels], minlength=len(weights)).float()
        shared, both, shown = shared + same, both + found + true, shown + true
    network.train()
    present = shown > 0
    present[0] = False
    dice = (2.0 * shared / both.clamp(min=1.0))[present]
    return {"dice": float(dice.mean()) if len(dice) else 0.0, "loss": sum(losses) / len(losses)}
