"""What the Dense method's features are to achieve: that the solver moves labels onto labels.

The non-local label loss (Heinrich, MICCAI 2019, section 2): a control point's displacement probabilities, times what is labelled where they
lead, are to be what is labelled at the control point,

    L = sum_k sum_c w_c ( sum_d p(k, d) M_c(k + d) - F_c(k) )^2,

classes weighted by inverse square-root frequency, plus the squared differences of neighbouring expected displacements. Where the true
displacement is known, its probability counts too. Costs, min-convolution, mean field and probabilities are those of a registration.

That says for a pair of scans which displacements were better; a few hundred pairs say little of what a liver looks like. So the features are
also asked directly: from a node's features alone, a linear layer that is thrown away afterwards is to tell its label.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepreg_engine.features.context_net import ContextNet
from deepreg_engine.methods.dense.search_costs import mean_mismatch, patches
from deepreg_engine.solvers.correlation import correlate, expected_labels
from deepreg_engine.solvers.labels import as_rows, expected_displacement
from deepreg_engine.solvers.mean_field import regularise
from deepreg_engine.training.options import DenseTraining
from deepreg_engine.training.precision import mixed_precision
from deepreg_engine.training.scan_pairs import CONTROL, PairExample


def search(fixed: Tensor, moving: Tensor, example: PairExample, options: DenseTraining) -> Tensor:
    """Logarithms of the displacement probabilities (Kz, Ky, L, L, L, Kx) that features give, by one stage of a registration's search.

    Args:
        fixed, moving: features at the nodes (C, z, y, x).
        example: whose they are.
        options: of the training.
    """
    counts = (options.controls,) * 3
    ratio, radius = CONTROL // example.step, options.radius
    size = tuple((n - 1) * ratio + 2 * radius + 1 for n in counts)
    fixed, moving = patches(fixed, counts, CONTROL, (0, 0, 0)), patches(moving, size, example.step, (0, 0, 0))
    with torch.no_grad():
        unit = mean_mismatch(fixed, moving, torch.ones_like(moving[0])).mean().clamp(min=1e-12)
    cost = correlate(fixed * unit.rsqrt(), moving * unit.rsqrt(), ratio, radius)
    smooth = regularise(cost, 1)
    return torch.log_softmax(as_rows(smooth) * -options.sharpness, dim=1).view(smooth.shape)


def training_loss(
    network: ContextNet, head: nn.Module, example: PairExample, classes: Tensor, options: DenseTraining
) -> tuple[Tensor, dict[str, float]]:
    """Loss of one example, and figures to log.

    Args:
        network: being trained.
        head: tells labels from features, (B, C, z, y, x) to (B, L + 1, z, y, x).
        example: see :class:`PairExample`.
        classes: weight of each label (L + 1,), background first.
        options: of the training.
    """
    with mixed_precision(example.fixed.device):
        fixed, moving = (network(image[None, None]) for image in (example.fixed, example.moving))
        named = [(head(side).float(), labels[None]) for side, labels in ((fixed, example.fixed_labels), (moving, example.moving_labels))]
    told = sum(F.cross_entropy(logits, labels, classes) for logits, labels in named) / 2
    logarithms = search(fixed[0].float(), moving[0].float(), example, options)
    probability = logarithms.exp()
    label, figures = label_loss(probability, example, classes)
    displacement = expected_displacement(probability)
    rough = sum(displacement.diff(dim=axis).square().mean() for axis in (1, 2, 3))
    loss = label + options.smoothness * rough + options.telling * told
    figures = {"loss": 0.0, **figures, "rough": float(rough.detach()), "told": float(told.detach())}
    if example.truth is not None:
        surprise, error = truth_loss(logarithms, displacement, example.truth)
        loss = loss + options.truth * surprise
        figures |= {"surprise": float(surprise.detach()), "error": float(error)}
    return loss, figures | {"loss": float(loss.detach())}


def label_loss(probability: Tensor, example: PairExample, classes: Tensor) -> tuple[Tensor, dict[str, float]]:
    """The non-local label loss, and the soft Dice of the labels that both sides show.

    Args:
        probability: of the displacements (Kz, Ky, L, L, L, Kx).
        example: with labels at the nodes.
        classes: weight of each label, background first.
    """
    counts, radius = (probability.shape[0], probability.shape[1], probability.shape[5]), (probability.shape[2] - 1) // 2
    ratio = CONTROL // example.step
    size = tuple((n - 1) * ratio + 2 * radius + 1 for n in counts)
    fixed = _shares(example.fixed_labels, len(classes), counts, CONTROL)
    moving = _shares(example.moving_labels, len(classes), size, example.step)
    moved = expected_labels(probability, moving, ratio)
    wanted = classes.view(-1, 1, 1, 1)
    loss = (wanted * (moved - fixed).square()).sum(0).mean()
    with torch.no_grad():
        there = (fixed.flatten(1).sum(1) > 0.5) & (moving.flatten(1).sum(1) > 0.5)
        there[0] = False
        shared = 2.0 * torch.minimum(moved, fixed).flatten(1).sum(1) / (moved + fixed).flatten(1).sum(1).clamp(min=1e-6)
        figures = {"label": float(loss), "dice": float(shared[there].mean()) if bool(there.any()) else 1.0}
    return loss, figures


def truth_loss(logarithms: Tensor, displacement: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Cross entropy of the displacements with the true ones, in nats above its least, and the mean error of the expected ones, in steps.

    A true displacement between labels is shared out among its eight neighbours, trilinearly. Those beyond the search do not count.
    """
    radius = (logarithms.shape[2] - 1) // 2
    inside = (truth.abs() <= radius).all(0)
    if not bool(inside.any()):
        zero = logarithms.sum() * 0.0
        return zero, zero.detach()
    place = (truth + radius).clamp(0, 2 * radius)
    lower = place.floor().clamp(max=2 * radius - 1)
    share, lower = place - lower, lower.long()
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


def class_weights(scans: list, count: int) -> Tensor:
    """Inverse square roots of how often each label occurs, the mean of those that do being 1 (count + 1,)."""
    frequency = torch.zeros(count + 1, dtype=torch.float64)
    for scan in scans:
        frequency += torch.bincount(scan.labels.flatten().long(), minlength=count + 1).double() / scan.labels.numel()
    weights = torch.where(frequency > 0, frequency.clamp(min=1e-12).rsqrt(), 0.0)
    return (weights / weights[weights > 0].mean()).float()


def _shares(labels: Tensor, count: int, counts: tuple[int, int, int], step: int) -> Tensor:
    """Share of each label in patches (count, *counts)."""
    hot = torch.nn.functional.one_hot(labels, count).movedim(-1, 0).float()
    return patches(hot, counts, step, (0, 0, 0)).view(CONTROL**3, count, *counts).mean(0)
