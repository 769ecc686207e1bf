"""Loss of features for the Dense method's search: the search has to align equal labels.

The non-local label loss (Heinrich, MICCAI 2019, section 2) compares the labels F_c at a control point k with the labels M_c that its
displacements d reach, weighted by their probabilities p,

    L = sum_k sum_c w_c ( sum_d p(k, d) M_c(k + d) - F_c(k) )^2,

with weights w_c of the classes by inverse square-root frequency, plus the squared differences of neighbouring expected displacements.
Where the true displacement is known, the cross entropy of its probability is added. Costs, min-convolution, mean field and probabilities
are those of a registration.

A few hundred pairs are too few to learn the appearance of a structure. Therefore a linear layer, which is discarded after the training,
also classifies the label of a node from its features alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepreg_engine.errors import InputError
from deepreg_engine.features.context_net import ContextNet
from deepreg_engine.methods.dense.search_costs import mean_mismatch, patches
from deepreg_engine.solvers.correlation import correlate, expected_labels, lattice_size
from deepreg_engine.solvers.labels import as_rows, expected_displacement
from deepreg_engine.solvers.mean_field import regularise
from deepreg_engine.training.base import TrainingData
from deepreg_engine.training.dense.parameters import DenseTraining
from deepreg_engine.training.dense.scans import TrainingScan
from deepreg_engine.training.dense.search_examples import CONTROL, SearchExample
from deepreg_engine.training.precision import mixed_precision


def search(fixed: Tensor, moving: Tensor, example: SearchExample, options: DenseTraining) -> Tensor:
    """Return the logarithms of the displacement probabilities (Kz, Ky, L, L, L, Kx) that features give, by one stage of a registration's
    search.

    Args:
        fixed, moving: features at the nodes (C, z, y, x).
        example: whose features they are.
        options: of the training.
    """
    counts = (options.controls, options.controls, options.controls)
    ratio, radius = CONTROL // example.step, options.radius
    size = lattice_size(counts, ratio, radius)
    fixed, moving = patches(fixed, counts, CONTROL, (0, 0, 0)), patches(moving, size, example.step, (0, 0, 0))
    with torch.no_grad():
        unit = mean_mismatch(fixed, moving, torch.ones_like(moving[0])).mean().clamp(min=1e-12)
    cost = correlate(fixed * unit.rsqrt(), moving * unit.rsqrt(), ratio, radius)
    smooth = regularise(cost, 1)
    return torch.log_softmax(as_rows(smooth) * -options.sharpness, dim=1).view(smooth.shape)


def training_loss(
    network: ContextNet, head: nn.Module, example: SearchExample, classes: Tensor, options: DenseTraining
) -> tuple[Tensor, dict[str, float]]:
    """Return the loss of one example, and figures to log.

    Args:
        network: that is trained.
        head: linear classifier of features, (B, C, z, y, x) to (B, L + 1, z, y, x).
        example: see :class:`SearchExample`.
        classes: weight of each label (L + 1,), background first.
        options: of the training.
    """
    with mixed_precision(example.fixed.device):
        fixed, moving = (network(image[None, None]) for image in (example.fixed, example.moving))
        logits = [head(side).float() for side in (fixed, moving)]
    of_fixed = F.cross_entropy(logits[0], example.fixed_labels[None], classes)
    entropy = (of_fixed + F.cross_entropy(logits[1], example.moving_labels[None], classes)) / 2
    logarithms = search(fixed[0].float(), moving[0].float(), example, options)
    probability = logarithms.exp()
    label, figures = label_loss(probability, example, classes)
    displacement = expected_displacement(probability)
    z, y, x = (displacement.diff(dim=axis).square().mean() for axis in (1, 2, 3))
    roughness = z + y + x
    loss = label + options.smoothness * roughness + options.classification * entropy
    figures = {"loss": 0.0, **figures, "roughness": float(roughness.detach()), "entropy": float(entropy.detach())}
    if example.truth is not None:
        divergence, error = truth_loss(logarithms, displacement, example.truth)
        loss = loss + options.truth * divergence
        figures |= {"divergence": float(divergence.detach()), "error": float(error)}
    return loss, figures | {"loss": float(loss.detach())}


def label_loss(probability: Tensor, example: SearchExample, classes: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Return the non-local label loss, and the soft Dice of the labels that both sides show.

        L = mean_k sum_l w_l (sum_d p(k, d) [l_M(k + d) = l] - [l_F(k) = l])^2            (Heinrich, MICCAI 2019, section 2)

    Args:
        probability: of the displacements (Kz, Ky, L, L, L, Kx).
        example: with labels at the nodes.
        classes: weight of each label, background first.
    """
    counts, radius = (probability.shape[0], probability.shape[1], probability.shape[5]), (probability.shape[2] - 1) // 2
    ratio = CONTROL // example.step
    size = lattice_size(counts, ratio, radius)
    fixed = _shares(example.fixed_labels, len(classes), counts, CONTROL)
    moving = _shares(example.moving_labels, len(classes), size, example.step)
    moved = expected_labels(probability, moving, ratio)
    loss = (classes.view(-1, 1, 1, 1) * (moved - fixed).square()).sum(0).mean()
    with torch.no_grad():
        there = (fixed.flatten(1).sum(1) > 0.5) & (moving.flatten(1).sum(1) > 0.5)
        there[0] = False
        shared = 2.0 * torch.minimum(moved, fixed).flatten(1).sum(1) / (moved + fixed).flatten(1).sum(1).clamp(min=1e-6)
        figures = {"label": float(loss), "dice": float(shared[there].mean()) if bool(there.any()) else 1.0}
    return loss, figures


def truth_loss(logarithms: Tensor, displacement: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return the Kullback-Leibler divergence of the displacements from the true ones, nats, and the mean error of the expected ones, steps.

    The probability of a true displacement between labels is divided among its eight neighbours, trilinearly. Control points whose true
    displacement lies beyond the search do not count.

    Args:
        logarithms: of the probabilities (Kz, Ky, L, L, L, Kx).
        displacement, truth: expected and true displacements (3, Kz, Ky, Kx), steps.
    """
    radius = (logarithms.shape[2] - 1) // 2
    inside = (truth.abs() <= radius).all(0)
    if not bool(inside.any()):
        zero = logarithms.sum() * 0.0
        return zero, zero.detach()
    position = (truth + radius).clamp(0, 2 * radius)
    lower = position.floor().clamp(max=2 * radius - 1)
    share, lower = position - lower, lower.long()
    rows = as_rows(logarithms)  # (Kz * Ky, L^3, Kx)
    labels = 2 * radius + 1
    total = torch.zeros_like(truth[0])
    for corner in range(8):
        x, y, z = corner & 1, corner >> 1 & 1, corner >> 2 & 1
        weight = torch.ones_like(truth[0])
        for axis, bit in enumerate((x, y, z)):
            weight = weight * (share[axis] if bit else 1.0 - share[axis])
        label = ((lower[2] + z) * labels + lower[1] + y) * labels + lower[0] + x  # (Kz, Ky, Kx)
        taken = rows.gather(1, label.view(-1, 1, label.shape[2])).view(truth.shape[1:])
        total = total - weight * taken + torch.special.xlogy(weight, weight)
    error = (displacement.detach() - truth).norm(dim=0)
    return total[inside].mean(), error[inside].mean()


def class_weights(scans: list[TrainingScan], count: int) -> Tensor:
    """Return the weights (count + 1,) of the labels, background first: inverse square roots of their frequencies, with a mean of 1 over
    those present.

    Args:
        scans: that are learned from.
        count: number of labels beside the background.
    """
    frequency = torch.zeros(count + 1, dtype=torch.float64)
    for scan in scans:
        frequency += torch.bincount(scan.labels.flatten().long(), minlength=count + 1).double() / scan.labels.numel()
    weights = torch.where(frequency > 0, frequency.clamp(min=1e-12).rsqrt(), 0.0)
    return (weights / weights[weights > 0].mean()).float()


def label_weights(data: TrainingData) -> Tensor:
    """Return the weights of the labels of the training scans, see :func:`class_weights`.

    Raises:
        InputError: if no scan shows a label.
    """
    weights = class_weights(data.training, len(data.labels))
    if not bool((weights[1:] > 0).any()):
        raise InputError("the scans show none of the labels", "check that images and label maps have one frame")
    return weights


def _shares(labels: Tensor, count: int, counts: tuple[int, int, int], step: int) -> Tensor:
    """Return the share of each label in patches (count, *counts)."""
    hot = F.one_hot(labels, count).movedim(-1, 0).float()
    return patches(hot, counts, step, (0, 0, 0)).view(CONTROL**3, count, *counts).mean(0)
