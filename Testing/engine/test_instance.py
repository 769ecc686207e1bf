"""Instance optimisation by Adam, as the paper has it."""

from __future__ import annotations

import pytest
import torch

from deepreg_engine.solvers.instance import maximise_probability
from deepreg_engine.solvers.labels import interpolate_labels, label_vectors

CONTROLS = (7, 8, 9)
# Beyond the faces the paper's smoothing counts zeros, so control points near them lag behind.
INNER = (slice(None), slice(2, -2), slice(2, -2), slice(2, -2))


def constant(vector):
    return torch.tensor(vector).view(3, 1, 1, 1).expand(3, *CONTROLS).contiguous()


def peaked(target, radius=3, width=1.5):
    """Probabilities that fall off like a Gaussian around a target (3, Kz, Ky, Kx)."""
    labels = label_vectors(radius, target)
    squared = (labels[:, :, None, None, None] - target[:, None]).square().sum(0)
    rows = torch.softmax(-squared / (2.0 * width**2), dim=0)
    count = 2 * radius + 1
    return rows.permute(1, 2, 0, 3).reshape(*CONTROLS[:2], count, count, count, CONTROLS[2]).contiguous()


@pytest.mark.parametrize("start", [(0.0, 0.0, 0.0), (0.0, -1.0, 2.0)])
def test_moves_to_the_peak(start):
    """Adam comes near, within a fraction of a step, not to the point."""
    target = constant((1.0, -2.0, 0.0))
    field = maximise_probability(peaked(target), constant(start), smoothness=0.001, iterations=60, rate=0.02)
    assert not field.requires_grad
    error = (field - target)[INNER].abs()
    assert error.mean() < 0.25
    assert (error < 0.5).float().mean() > 0.9


def test_the_probability_of_the_field_grows():
    generator = torch.Generator().manual_seed(0)
    probability = peaked(constant((1.0, 1.0, -1.0))) + 0.01 * torch.rand(*CONTROLS[:2], 7, 7, 7, CONTROLS[2], generator=generator)
    before = probability.clone()
    start = constant((0.0, 0.0, 0.0))
    field = maximise_probability(probability, start, smoothness=0.05)
    assert interpolate_labels(probability, field).mean() > 1.3 * interpolate_labels(probability, start).mean()
    assert torch.equal(probability, before)
    assert torch.equal(start, constant((0.0, 0.0, 0.0)))


def test_smoothness_keeps_neighbours_together():
    """Some control points belong elsewhere than those around them."""
    target, still = constant((0.0, 0.0, 0.0)), constant((0.0, 0.0, 0.0))
    target[0, 2:5, 2:6, 3:6] = 2.0
    steps = [
        float(maximise_probability(peaked(target, width=1.0), still, smoothness)[0].diff(dim=2).abs().max())
        for smoothness in (0.0, 1.0, 10.0)
    ]
    assert steps[0] > 0.6
    assert steps[0] > steps[1] > 2.0 * steps[2]


def test_it_works_where_gradients_are_switched_off():
    """The registration as a whole runs under no_grad; the same bits come out each time."""
    target = constant((1.0, 0.0, 0.0))
    with torch.no_grad():
        first = maximise_probability(peaked(target), constant((0.0, 0.0, 0.0)), iterations=5)
        second = maximise_probability(peaked(target), constant((0.0, 0.0, 0.0)), iterations=5)
    assert first[0].mean() > 0.05
    assert torch.equal(first, second)
