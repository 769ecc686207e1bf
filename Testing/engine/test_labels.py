"""Probabilities, expected displacements and their uncertainty from a cost volume, compared with closed forms."""

from __future__ import annotations

import math

import plain
import pytest
import torch

from deepreg_engine.solvers.labels import (
    as_rows,
    entropy,
    expected_displacement,
    grid_to_rows,
    interpolate_labels,
    label_vectors,
    probabilities,
    radius_of,
    rows_to_grid,
    standard_deviation,
)

SHAPE = (2, 3, 5, 5, 5, 4)  # Kz, Ky, L, L, L, Kx


def random_cost(seed=0, shape=SHAPE, dtype=torch.float32):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def certain(*label, shape=SHAPE):
    """Probabilities of 1 for one label (x, y, z) of every control point."""
    radius = (shape[2] - 1) // 2
    probability = torch.zeros(shape)
    probability[:, :, label[2] + radius, label[1] + radius, label[0] + radius] = 1.0
    return probability


def test_labels_run_with_x_fastest():
    labels = label_vectors(2, torch.empty(0))
    assert labels.shape == (3, 125)
    assert labels[:, 0].tolist() == [-2, -2, -2]
    assert labels[:, 1].tolist() == [-1, -2, -2]
    assert labels[:, 5].tolist() == [-2, -1, -2]
    assert labels[:, 25].tolist() == [-2, -2, -1]
    assert radius_of(random_cost()) == 2


def test_rows_and_grids_are_inverse_to_each_other():
    cost = random_cost()
    grid = rows_to_grid(as_rows(cost), SHAPE)
    assert grid.shape == (125, 2, 3, 4)
    assert grid[7, 1, 2, 3] == cost[1, 2, 0, 1, 2, 3]
    assert torch.equal(grid_to_rows(grid), as_rows(cost))


def test_probabilities_sum_to_one_and_follow_the_cost():
    cost = random_cost()
    probability = probabilities(cost, 3.0)
    torch.testing.assert_close(as_rows(probability).sum(1), torch.ones(6, 4))
    ratio = probability[1, 2, 3, 1, 0, 2] / probability[1, 2, 0, 4, 4, 2]
    torch.testing.assert_close(ratio, torch.exp(-3.0 * (cost[1, 2, 3, 1, 0, 2] - cost[1, 2, 0, 4, 4, 2])))
    torch.testing.assert_close(probabilities(cost + 1e3, 3.0), probability, atol=1e-5, rtol=1e-2)


def test_equals_the_plain_formulas():
    cost = random_cost(1)
    expected = plain.probabilities(cost.permute(0, 1, 5, 2, 3, 4), 4.0)
    probability = probabilities(cost, 4.0)
    torch.testing.assert_close(probability.permute(0, 1, 5, 2, 3, 4), expected)
    torch.testing.assert_close(
        expected_displacement(probability).permute(1, 2, 3, 0), plain.expected_displacement(expected), atol=1e-6, rtol=1e-5
    )


@pytest.mark.parametrize("label", [(0, 0, 0), (2, -1, 1), (-2, 2, -2)])
def test_a_certain_label(label):
    probability = certain(*label)
    expected = torch.tensor(label, dtype=torch.float32).view(3, 1, 1, 1).expand(3, 2, 3, 4)
    assert torch.equal(expected_displacement(probability), expected)
    assert torch.equal(standard_deviation(probability), torch.zeros(2, 3, 4))
    assert torch.equal(entropy(probability), torch.zeros(2, 3, 4))


def test_labels_that_are_all_alike():
    probability = probabilities(torch.zeros(SHAPE), 10.0)
    torch.testing.assert_close(expected_displacement(probability), torch.zeros(3, 2, 3, 4), atol=1e-5, rtol=0)
    # Variance of -2 .. 2 is 2 along each axis.
    torch.testing.assert_close(standard_deviation(probability), torch.full((2, 3, 4), math.sqrt(6.0)))
    torch.testing.assert_close(entropy(probability), torch.ones(2, 3, 4))


def test_two_labels():
    probability = 0.25 * certain(2, 0, 0) + 0.75 * certain(-2, 0, 1)
    expected = torch.tensor([-1.0, 0.0, 0.75]).view(3, 1, 1, 1).expand(3, 2, 3, 4)
    torch.testing.assert_close(expected_displacement(probability), expected)
    variance = 0.25 * 0.75 * (4.0**2 + 1.0**2)
    torch.testing.assert_close(standard_deviation(probability), torch.full((2, 3, 4), math.sqrt(variance)))
    bits = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)) / math.log(125)
    torch.testing.assert_close(entropy(probability), torch.full((2, 3, 4), bits))


def test_control_points_do_not_mix():
    probability = certain(0, 0, 0)
    probability[1, 2, ..., 3] = certain(1, 2, -1)[1, 2, ..., 3]
    moved = expected_displacement(probability)
    assert moved[:, 1, 2, 3].tolist() == [1.0, 2.0, -1.0]
    assert moved.abs().sum() == 4.0


def affine_values(shape, dtype=torch.float32):
    """Values 3 + x - 2 y + 0.5 z of the labels, times the number of the control point's column."""
    labels = label_vectors((shape[2] - 1) // 2, torch.empty(0, dtype=dtype))
    values = (3.0 + labels[0] - 2.0 * labels[1] + 0.5 * labels[2]).view(*shape[2:5], 1)
    return (values * torch.arange(1, shape[5] + 1)).expand(shape).contiguous()


def test_interpolation_between_labels_is_exact_for_linear_values():
    place = 4.0 * torch.rand(3, 2, 3, 4, generator=torch.Generator().manual_seed(2)) - 2.0
    place[:, 0, 0, 0], place[:, 1, 2, 3] = 2.0, -2.0
    expected = (3.0 + place[0] - 2.0 * place[1] + 0.5 * place[2]) * torch.arange(1, 5)
    torch.testing.assert_close(interpolate_labels(affine_values(SHAPE), place), expected, atol=1e-4, rtol=0)


def test_interpolation_at_a_label_gives_its_value_and_holds_the_range():
    cost = random_cost(3)
    place = torch.zeros(3, 2, 3, 4)
    place[:, 1, 0, 2] = torch.tensor([1.0, -2.0, 2.0])
    place[:, 0, 1, 1] = torch.tensor([9.0, 0.0, -7.0])
    values = interpolate_labels(cost, place)
    torch.testing.assert_close(values[0, 0, 0], cost[0, 0, 2, 2, 2, 0])
    torch.testing.assert_close(values[1, 0, 2], cost[1, 0, 4, 0, 3, 2])
    torch.testing.assert_close(values[0, 1, 1], cost[0, 1, 0, 2, 4, 1])


def test_gradients():
    shape = (1, 2, 3, 3, 3, 2)
    cost = random_cost(4, shape, torch.float64).requires_grad_()
    sharpness = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    for function in (expected_displacement, standard_deviation, entropy):
        assert torch.autograd.gradcheck(lambda c, s: function(probabilities(c, s)), (cost, sharpness), fast_mode=True)  # noqa: B023
    place = (1.6 * torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64) - 0.8).requires_grad_()
    assert torch.autograd.gradcheck(interpolate_labels, (cost, place))
