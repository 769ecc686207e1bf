"""The best smooth field in a cost volume."""

from __future__ import annotations

import pytest
import torch

from deepreg_engine.geometry.sampling import identity
from deepreg_engine.solvers.coupling import Guides, couple
from deepreg_engine.solvers.labels import as_rows, label_vectors

CONTROLS = (4, 5, 6)


def constant(vector, controls=CONTROLS, dtype=torch.float32):
    return torch.tensor(vector, dtype=dtype).view(3, 1, 1, 1).expand(3, *controls).contiguous()


def quadratic(target, radius=3, steepness=1.0):
    """Costs steepness |d - target(k)|^2 of the labels, for a target (3, Kz, Ky, Kx)."""
    labels = label_vectors(radius, target)
    squared = (labels[:, :, None, None, None] - target[:, None]).square().sum(0)  # (L^3, Kz, Ky, Kx)
    count = 2 * radius + 1
    return steepness * squared.permute(1, 2, 0, 3).reshape(*target.shape[1:3], count, count, count, target.shape[3])


@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (1.3, -0.6, 0.4), (2.4, 2.6, -1.7), (-3.0, 3.0, 3.0)])
def test_recovers_a_shift_between_labels(shift, device):
    target = constant(shift)
    field = couple(quadratic(target).to(device), smoothness=1.0)
    torch.testing.assert_close(field.cpu(), target, atol=2e-3, rtol=0)


def test_recovers_an_affine_field():
    x, y, z = identity(CONTROLS, torch.empty(0))
    target = torch.stack([0.4 * x - 1.0, 0.3 * z - 0.2 * y, 0.5 * y - 0.1 * x])
    torch.testing.assert_close(couple(quadratic(target), smoothness=10.0), target, atol=0.02, rtol=0)


def test_ambiguous_points_follow_their_surroundings():
    """A point with two equally good labels takes the one that its neighbours take."""
    target = constant((2.0, 0.0, -1.0))
    cost = quadratic(target)
    other = quadratic(constant((-2.0, 1.0, 2.0)))
    cost[2, 2, ..., 3] = torch.minimum(cost, other - 0.01)[2, 2, ..., 3]
    alone = as_rows(cost).argmin(1)[2 * CONTROLS[1] + 2, 3]
    assert label_vectors(3, cost)[:, alone].tolist() == [-2.0, 1.0, 2.0]
    torch.testing.assert_close(couple(cost, smoothness=0.05, thetas=(0.0, 0.1, 0.3, 1.0, 3.0)), target, atol=0.05, rtol=0)


def test_points_without_evidence_go_on_as_their_neighbours():
    x, y, z = identity(CONTROLS, torch.empty(0))
    target = torch.stack([0.4 * x - 1.0, 0.2 * y, torch.zeros_like(z)])
    cost = quadratic(target)
    cost[..., 4:] = 0.5  # the last two columns have no information
    torch.testing.assert_close(couple(cost, smoothness=0.1, iterations=200), target, atol=0.05, rtol=0)


def test_confidence_scales_what_a_point_says():
    """The halves contradict each other; the half with low confidence follows the other."""
    target = constant((1.0, 0.0, 0.0))
    target[..., 3:] = -1.0
    confidence = torch.ones(CONTROLS)
    confidence[..., 3:] = 0.0
    field = couple(quadratic(target), 1.0, confidence, iterations=100)
    torch.testing.assert_close(field, constant((1.0, 0.0, 0.0)), atol=0.02, rtol=0)
    assert couple(quadratic(target), 1e-3, torch.ones(CONTROLS))[0, ..., 5].max() < -0.9


def test_more_smoothness_bends_less():
    target = constant((0.0, 0.0, 0.0))
    target[0, 2, 2, 3] = 2.0
    peaks = [float(couple(quadratic(target), smoothness)[0, 2, 2, 3]) for smoothness in (1e-4, 0.1, 100.0)]
    assert peaks[0] > 1.95
    assert peaks[0] > peaks[1] > peaks[2]
    assert peaks[2] < 0.3


# ------------------------------------------------------------------------------------------------------------------ guides


def test_guide_cost_is_the_quadratic_up_to_a_constant():
    generator = torch.Generator().manual_seed(0)
    target, weight = torch.randn(3, 2, 3, 4, generator=generator), torch.rand(2, 3, 4, generator=generator)
    labels = label_vectors(1, target)
    cost = Guides(weight, target).cost(labels)
    expected = 0.5 * weight * (labels[:, :, None, None, None] - target[:, None]).square().sum(0)  # (27, 2, 3, 4)
    difference = cost - expected.permute(1, 2, 0, 3).reshape(6, 27, 4)
    torch.testing.assert_close(difference, difference[:, :1].expand_as(difference), atol=1e-5, rtol=0)


def test_guides_decide_where_the_images_say_nothing():
    """Three landmarks in an empty cost volume carry the whole field along."""
    target, weight = constant((1.5, -2.0, 0.5)), torch.zeros(CONTROLS)
    for place in ((0, 0, 0), (3, 4, 5), (1, 4, 0), (2, 0, 5)):
        weight[place] = 5.0
    field = couple(torch.zeros(*CONTROLS[:2], 7, 7, 7, CONTROLS[2]), 0.1, guides=Guides(weight, target), iterations=200)
    torch.testing.assert_close(field, target, atol=0.05, rtol=0)


def test_guides_pull_the_more_the_heavier_they_are():
    images, target = constant((0.0, 0.0, 0.0)), constant((2.0, 0.0, 0.0))
    moved = [float(couple(quadratic(images), 0.1, guides=Guides(torch.full(CONTROLS, w), target))[0].mean()) for w in (0.0, 1.0, 500.0)]
    assert abs(moved[0]) < 1e-3
    assert moved[0] + 0.1 < moved[1] < moved[2] - 0.1
    assert abs(moved[2] - 2.0) < 0.02


def test_guides_hold_although_their_surroundings_are_not_trusted():
    target, weight = constant((1.0, 2.0, 0.0)), torch.zeros(CONTROLS)
    weight[1, 2, 3] = 10.0
    cost = quadratic(constant((0.0, 0.0, 0.0)))
    field = couple(cost, 1e-3, torch.full(CONTROLS, 1e-4), Guides(weight, target), iterations=200)
    torch.testing.assert_close(field[:, 1, 2, 3], target[:, 1, 2, 3], atol=0.05, rtol=0)


# --------------------------------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("guided", [False, True])
def test_gradients_given_the_labels(guided):
    """Finite differences so small that no control point changes its label."""
    generator = torch.Generator().manual_seed(1)
    controls = (2, 2, 3)
    target = 1.6 * torch.rand(3, *controls, generator=generator, dtype=torch.float64) - 0.8
    cost = quadratic(target, radius=2)
    cost = (cost + 0.05 * torch.rand(cost.shape, generator=generator, dtype=torch.float64)).requires_grad_()
    guides = Guides(torch.rand(controls, generator=generator, dtype=torch.float64), constant((0.4, 0.1, -0.7), controls, torch.float64))
    confidence = 0.5 + torch.rand(controls, generator=generator, dtype=torch.float64)

    def solve(values):
        return couple(values, 0.3, confidence, guides if guided else None, thetas=(0.0, 0.1), iterations=500, tolerance=1e-13)

    field = solve(cost)
    assert field.requires_grad
    assert torch.autograd.gradcheck(solve, (cost,), atol=1e-6, fast_mode=True)


def test_a_gradient_step_moves_the_field_to_where_it_should_be():
    """Learning through the layer: the loss falls along the negative gradient of the costs."""
    cost = quadratic(constant((0.2, -0.3, 0.1))).requires_grad_()
    wanted = constant((0.4, -0.3, 0.1))

    def loss(values):
        return (couple(values, 0.1) - wanted).square().mean()

    (gradient,) = torch.autograd.grad(loss(cost), cost)
    with torch.no_grad():
        assert loss(cost - 0.1 * gradient / gradient.abs().max()) < 0.999 * loss(cost)
