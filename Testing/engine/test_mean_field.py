"""Min-convolution and mean field: against plain pooling."""

from __future__ import annotations

import plain
import pytest
import torch

from deepreg_engine.solvers import mean_field as module
from deepreg_engine.solvers.mean_field import PUBLISHED_WEIGHTS, mean_field, min_convolution, regularise, smoothing_matrix

CONTROLS = [(3, 4, 5), (1, 2, 6), (7, 3, 2), (2, 1, 1)]


def volume(controls=(3, 4, 5), labels=5, seed=0, dtype=torch.float32):
    """Random costs (Kz, Ky, L, L, L, Kx)."""
    generator = torch.Generator().manual_seed(seed)
    return 3.0 * torch.rand(controls[0], controls[1], labels, labels, labels, controls[2], generator=generator, dtype=dtype)


def to_plain(cost):
    """(Kz, Ky, Lz, Ly, Lx, Kx) as (Kz, Ky, Kx, Lz, Ly, Lx)."""
    return cost.permute(0, 1, 5, 2, 3, 4)


def from_plain(cost):
    """And back."""
    return cost.permute(0, 1, 3, 4, 5, 2)


def close(result, expected, tolerance=1e-5):
    torch.testing.assert_close(result.cpu(), expected, atol=tolerance, rtol=0)


def test_layouts_are_inverse_to_each_other():
    cost = volume((2, 3, 4))
    assert to_plain(cost).shape == (2, 3, 4, 5, 5, 5)
    assert torch.equal(from_plain(to_plain(cost)), cost)
    assert to_plain(cost)[1, 2, 3, 0, 1, 4] == cost[1, 2, 0, 1, 4, 3]


def test_the_published_weights():
    assert PUBLISHED_WEIGHTS == (1.1337, 0.0761, 1.0533, -0.7469, 0.0728, 1.1337)


@pytest.mark.parametrize("labels", [3, 5, 9])
@pytest.mark.parametrize("controls", CONTROLS)
def test_min_convolution_equals_pools(controls, labels, device):
    cost = volume(controls, labels)
    close(min_convolution(cost.to(device)), from_plain(plain.min_convolution(to_plain(cost))))


@pytest.mark.parametrize("values", [1, 2000])
def test_blocks_change_nothing(values, monkeypatch):
    cost = volume()
    expected = from_plain(plain.min_convolution(to_plain(cost)))
    monkeypatch.setattr(module, "_BLOCK_VALUES", {"cpu": values})
    close(min_convolution(cost), expected)
    close(min_convolution(cost.clone().requires_grad_()).detach(), expected)


@pytest.mark.parametrize("controls", CONTROLS)
def test_mean_field_equals_pools(controls, device):
    cost = volume(controls)
    expected = from_plain(plain.mean_field(to_plain(cost)))
    close(mean_field(cost.to(device)), expected)
    close(mean_field(cost.to(device).requires_grad_()).detach(), expected)


def test_smoothing_matrix_is_two_averages_of_three():
    for count in (1, 2, 3, 8):
        values = torch.randn(count, generator=torch.Generator().manual_seed(count))
        padded = torch.nn.functional.pad(values[None, None], (2, 2), mode="replicate")
        expected = torch.nn.functional.avg_pool1d(torch.nn.functional.avg_pool1d(padded, 3, stride=1), 3, stride=1)[0, 0]
        close(smoothing_matrix(count, values) @ values, expected)


@pytest.mark.parametrize("passes", [1, 2, 3])
@pytest.mark.parametrize("controls", CONTROLS)
def test_regularisation_equals_pools(controls, passes, device):
    cost = volume(controls)
    expected = from_plain(plain.regularised(to_plain(cost), passes, *PUBLISHED_WEIGHTS[2:5]))
    before = cost.clone()
    close(regularise(cost.to(device), passes), expected, 1e-4)
    assert torch.equal(cost, before)
    close(regularise(cost.to(device).requires_grad_(), passes).detach(), expected, 1e-4)
    mixing = torch.tensor(PUBLISHED_WEIGHTS[2:5], requires_grad=True)
    close(regularise(before, passes, mixing).detach(), expected, 1e-4)


def test_no_pass_leaves_the_cost():
    cost = volume()
    assert torch.equal(regularise(cost, 0), cost)
    assert torch.equal(regularise(cost.clone().requires_grad_(), 0), cost)


def test_any_memory_layout_is_taken():
    """A cost volume that was permuted is not contiguous."""
    cost = volume()
    permuted = from_plain(to_plain(cost).contiguous())
    assert not permuted.is_contiguous()
    assert torch.equal(min_convolution(permuted), min_convolution(cost))
    assert torch.equal(mean_field(permuted), mean_field(cost))
    assert torch.equal(regularise(permuted), regularise(cost))
    assert torch.equal(permuted, cost)


# ----------------------------------------------------------------------------------------------------------------- weights


def test_equal_weights_are_no_weights(device):
    cost = volume().to(device)
    for share in (1.0, 0.01):
        weights = torch.full((3, 4, 5), share, device=device)
        close(mean_field(cost, weights), mean_field(cost).cpu())
        close(regularise(cost, 2, weights=weights), regularise(cost, 2).cpu(), 1e-4)


def test_weighted_mean_field_is_a_weighted_average(device):
    cost = volume()
    weights = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(1)).pow(3)
    share = weights[..., None, None, None]
    expected = from_plain(plain.mean_field(to_plain(cost) * share) / plain.mean_field(share.expand(to_plain(cost).shape)))
    close(mean_field(cost.to(device), weights.to(device)), expected)
    close(mean_field(cost.to(device).requires_grad_(), weights.to(device)).detach(), expected)


def test_a_constant_cost_stays_constant_whatever_the_weights():
    weights = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(2)).pow(8)
    cost = torch.full((3, 4, 5, 5, 5, 5), 2.5)
    close(regularise(cost, 1, weights=weights), cost)
    own, message, offset = PUBLISHED_WEIGHTS[2:5]
    close(regularise(cost, 2, weights=weights), torch.full_like(cost, offset + (own + message) * 2.5))


def test_points_without_weight_do_not_vote_and_take_their_neighbours_value():
    """Two slabs of control points with different costs; the points between them have no weight and an extreme cost."""
    cost = volume((3, 3, 9), 3)
    cost[..., :3], cost[..., 3:6], cost[..., 6:] = 1.0, 1e3 * cost[..., 3:6], 5.0
    weights = torch.ones(3, 3, 9)
    weights[..., 3:6] = 0.0
    result = mean_field(cost, weights)
    # Along x the weights are 1 2 3 2 1: they reach from point 3 to points 1 and 2 on its left, but not to the right slab.
    expected = [1.0, 1.0, 1.0, 1.0, 3.0, 5.0, 5.0, 5.0, 5.0]
    for column, value in enumerate(expected):
        close(result[..., column], torch.full_like(result[..., column], value))


def test_far_from_any_weight_no_label_is_preferred():
    """Far from any weight: a finite cost without preference, not NaN."""
    cost, weights = volume((2, 2, 9), 3), torch.zeros(2, 2, 9)
    weights[..., 0] = 1.0
    for result in (mean_field(cost, weights), mean_field(cost.clone().requires_grad_(), weights).detach()):
        assert torch.isfinite(result).all()
        far = result[..., 5:].permute(0, 1, 5, 2, 3, 4).flatten(3)
        assert torch.equal(far.amax(-1), far.amin(-1))


# --------------------------------------------------------------------------------------------------------------- gradients


def test_gradients_of_min_convolution():
    cost = volume((1, 2, 2), 3, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(min_convolution, (cost,))


def test_gradients_of_mean_field():
    cost = volume((2, 1, 3), 3, dtype=torch.float64).requires_grad_()
    weights = (0.2 + torch.rand(2, 1, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(mean_field, (cost,))
    assert torch.autograd.gradcheck(mean_field, (cost, weights))


def test_gradients_of_the_whole_regularisation():
    cost = volume((2, 1, 2), 3, dtype=torch.float64).requires_grad_()
    mixing = torch.tensor([1.1, 0.6, 0.1], dtype=torch.float64, requires_grad=True)
    weights = (0.2 + torch.rand(2, 1, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda c, m, w: regularise(c, 2, m, w), (cost, mixing, weights))
    assert torch.autograd.gradcheck(lambda m: regularise(cost.detach(), 2, m), (mixing,))


@pytest.mark.parametrize("values", [1, 2000])
def test_gradients_equal_those_of_pools(values, monkeypatch):
    """Of a volume that takes several blocks; also with respect to the weights a2, a3, a4."""
    monkeypatch.setattr(module, "_BLOCK_VALUES", {"cpu": values})
    cost = volume((2, 3, 4), 5, dtype=torch.float64)
    weight = torch.randn(cost.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)

    def gradients(function):
        inputs = cost.clone().requires_grad_(), torch.tensor(PUBLISHED_WEIGHTS[2:5], dtype=torch.float64, requires_grad=True)
        return torch.autograd.grad((function(*inputs) * weight).sum(), inputs)

    ours = gradients(lambda c, m: regularise(c, 2, m))
    theirs = gradients(lambda c, m: from_plain(plain.regularised(to_plain(c), 2, *m)))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-9, rtol=1e-9)
