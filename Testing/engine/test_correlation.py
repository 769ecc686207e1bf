"""Correlation layer: against one lookup for each control point and displacement."""

from __future__ import annotations

import plain
import pytest
import torch

from deepreg_engine.solvers import correlation
from deepreg_engine.solvers.correlation import correlate, correlate_anywhere, lattice_size

# Control points (z, y, x), control point spacing in steps, radius.
LATTICES = [((3, 4, 5), 1, 2), ((2, 3, 4), 2, 3), ((4, 2, 3), 3, 1), ((1, 2, 1), 1, 2), ((5, 3, 2), 4, 2), ((2, 2, 7), 2, 1)]


def features(controls, ratio, radius, channels=5, seed=0, dtype=torch.float32):
    """Random features at the control points and on the moving lattice."""
    generator = torch.Generator().manual_seed(seed)
    size = lattice_size(controls, ratio, radius)
    return torch.randn(channels, *controls, generator=generator, dtype=dtype), torch.randn(
        channels, *size, generator=generator, dtype=dtype
    )


def engine_layout(cost):
    """(Kz, Ky, Kx, Lz, Ly, Lx) as (Kz, Ky, Lz, Ly, Lx, Kx)."""
    return cost.permute(0, 1, 3, 4, 5, 2)


def looked_up(fixed, moving, controls, displacements):
    """The plain cost in double precision, positions and displacements in voxels along z, y, x."""
    sizes = moving.shape[1:]
    centres = [plain.places(positions.double(), n) for positions, n in zip(controls, sizes, strict=True)]
    shifts = [plain.lengths(steps.double(), n) for steps, n in zip(displacements, sizes, strict=True)]
    return engine_layout(plain.correlation(fixed.double(), moving.double(), centres, shifts))


def lattice_positions(controls, ratio, radius):
    """Control points and labels of the commensurate lattice, in its own voxels."""
    return [ratio * torch.arange(n) + radius for n in controls], [torch.arange(-radius, radius + 1)] * 3


def assert_same(result, expected, tolerance=1e-4):
    assert result.shape == expected.shape
    torch.testing.assert_close(result.double().cpu(), expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("rows", [1, 2, 64])
@pytest.mark.parametrize("lattice", LATTICES)
def test_equals_lookups(lattice, rows, device, monkeypatch):
    monkeypatch.setattr(correlation, "_ROWS", {device.type: rows})
    fixed, moving = features(*lattice)
    result = correlate(fixed.to(device), moving.to(device), *lattice[1:])
    assert_same(result, looked_up(fixed, moving, *lattice_positions(*lattice)))


@pytest.mark.parametrize("lattice", LATTICES)
def test_ceiling_and_penalty(lattice, device):
    """The penalty is added where a label lands; the ceiling is each control point's own, and holds for the sum."""
    fixed, moving = features(*lattice, seed=1)
    generator = torch.Generator().manual_seed(2)
    ceiling = 4.0 + 8.0 * torch.rand(lattice[0], generator=generator)
    penalty = 3.0 * torch.rand(moving.shape[1:], generator=generator)
    positions = lattice_positions(*lattice)
    nothing = torch.zeros(1, *lattice[0])
    expected = looked_up(fixed, moving, *positions) + looked_up(nothing, penalty[None].double().sqrt(), *positions)
    result = correlate(fixed.to(device), moving.to(device), *lattice[1:], penalty=penalty.to(device))
    assert_same(result, expected)
    truncated = torch.minimum(expected, ceiling[:, :, None, None, None, :].double())
    assert (truncated < expected).any()
    if truncated.numel() > 1000:
        assert (truncated == expected).any()
    result = correlate(fixed.to(device), moving.to(device), *lattice[1:], ceiling.to(device), penalty.to(device))
    assert_same(result, truncated)
    with_gradient = correlate(fixed.requires_grad_(), moving, *lattice[1:], ceiling, penalty)
    assert_same(with_gradient.detach(), truncated)
    assert_same(correlate(fixed.detach(), moving, *lattice[1:], ceiling.requires_grad_(), penalty).detach(), truncated)


def test_the_moving_lattice_has_to_fit():
    fixed, moving = features((2, 3, 4), 2, 1)
    for bad in (moving[:, 1:], moving[:, :, :-1], moving[..., 1:], moving[:-1]):
        with pytest.raises(ValueError, match="does not fit"):
            correlate(fixed, bad, 2, 1)


def test_a_moved_image_costs_nothing_at_its_displacement():
    """The label order is z, y, x, and label d reads the moving image at k + d."""
    moving = torch.randn(4, *lattice_size((3, 4, 5), 2, 3), generator=torch.Generator().manual_seed(3))
    shift = (-2, 1, 3)  # z, y, x
    places = [2 * torch.arange(n) + 3 + d for n, d in zip((3, 4, 5), shift, strict=True)]
    fixed = moving[:, places[0]][:, :, places[1]][:, :, :, places[2]]
    cost = correlate(fixed, moving, 2, 3)
    assert cost[:, :, -2 + 3, 1 + 3, 3 + 3].abs().max() < 1e-4
    assert (cost < 1e-2).sum() == 3 * 4 * 5


def anywhere(dtype=torch.float32, shape=(9, 8, 12), controls=(3, 4, 5), labels=(5, 5, 5), q=0.4, channels=5):
    """Features and positions as in the paper: control points from face to face, labels up to q of half the extent."""
    generator = torch.Generator().manual_seed(4)
    fixed = torch.randn(channels, *controls, generator=generator, dtype=dtype)
    moving = torch.randn(channels, *shape, generator=generator, dtype=dtype)
    positions = tuple(torch.linspace(0.0, n - 1.0, k, dtype=dtype) for n, k in zip(shape, controls, strict=True))
    steps = tuple(q * 0.5 * (n - 1) * torch.linspace(-1.0, 1.0, k, dtype=dtype) for n, k in zip(shape, labels, strict=True))
    return fixed, moving, positions, steps


@pytest.mark.parametrize("q", [0.15, 0.4, 1.7])
@pytest.mark.parametrize("labels", [(5, 5, 5), (3, 5, 7)])
def test_anywhere_equals_lookups(q, labels, device):
    fixed, moving, positions, steps = anywhere(q=q, labels=labels)
    on_device = [tuple(value.to(device) for value in values) for values in ((fixed, moving), positions, steps)]
    result = correlate_anywhere(*on_device[0], *on_device[1:])
    assert result.shape == (3, 4, *labels, 5)
    assert_same(result, looked_up(fixed, moving, positions, steps))


def test_anywhere_equals_the_papers_own_coordinates():
    """q and the positions as the paper writes them, in shares of half the extent."""
    fixed, moving, positions, steps = anywhere(q=0.4)
    controls = [torch.linspace(-1.0, 1.0, k, dtype=torch.float64) for k in fixed.shape[1:]]
    labels = [0.4 * torch.linspace(-1.0, 1.0, 5, dtype=torch.float64)] * 3
    expected = engine_layout(plain.correlation(fixed.double(), moving.double(), controls, labels))
    assert_same(correlate_anywhere(fixed, moving, positions, steps), expected)


def test_anywhere_takes_irregular_positions_and_holds_the_faces():
    fixed, moving, _, _ = anywhere()
    positions = (torch.tensor([-2.0, 3.3, 8.0]), torch.tensor([0.0, 7.0, 6.9, 2.5]), torch.tensor([11.0, 0.2, 14.0, 5.0, -1.0]))
    steps = torch.tensor([-7.0, -0.3, 0.0, 1.1, 20.0])
    assert_same(correlate_anywhere(fixed, moving, positions, steps), looked_up(fixed, moving, positions, [steps] * 3))


@pytest.mark.parametrize("lattice", LATTICES)
def test_both_layers_agree_on_a_lattice(lattice):
    fixed, moving = features(*lattice, seed=5)
    controls, steps = lattice_positions(*lattice)
    other = correlate_anywhere(fixed, moving, tuple(c.float() for c in controls), steps[0].float())
    torch.testing.assert_close(correlate(fixed, moving, *lattice[1:]), other, atol=1e-4, rtol=0)


@pytest.mark.parametrize("lattice", [((2, 2, 3), 1, 1), ((2, 1, 2), 2, 1), ((1, 2, 2), 3, 1)])
def test_gradients(lattice):
    fixed, moving = (value.requires_grad_() for value in features(*lattice, channels=2, dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda f, m: correlate(f, m, *lattice[1:]), (fixed, moving), fast_mode=True)
    generator = torch.Generator().manual_seed(6)
    ceiling = (2.0 + 4.0 * torch.rand(lattice[0], generator=generator, dtype=torch.float64)).requires_grad_()
    penalty = torch.rand(moving.shape[1:], generator=generator, dtype=torch.float64, requires_grad=True)
    truncated = lambda f, m, c, p: correlate(f, m, *lattice[1:], c, p)  # noqa: E731
    assert torch.autograd.gradcheck(truncated, (fixed, moving, ceiling, penalty), fast_mode=True)
    assert torch.autograd.gradcheck(truncated, (fixed, moving, ceiling.detach(), penalty), fast_mode=True)


def test_gradients_anywhere():
    fixed, moving, positions, steps = anywhere(torch.float64, shape=(4, 3, 5), controls=(2, 2, 2), labels=(3, 3, 3), q=0.7, channels=2)
    inputs = fixed.requires_grad_(), moving.requires_grad_()
    assert torch.autograd.gradcheck(lambda f, m: correlate_anywhere(f, m, positions, steps), inputs, fast_mode=True)


def test_gradients_equal_those_of_lookups():
    """Of a larger case than finite differences could check, and of both layers."""
    lattice = ((3, 4, 5), 2, 2)
    fixed, moving = features(*lattice, dtype=torch.float64)
    controls, steps = lattice_positions(*lattice)
    weight = torch.randn(3, 4, 5, 5, 5, 5, generator=torch.Generator().manual_seed(7), dtype=torch.float64)

    def gradients(function):
        inputs = fixed.clone().requires_grad_(), moving.clone().requires_grad_()
        return torch.autograd.grad((function(*inputs) * weight).sum(), inputs)

    expected = gradients(lambda f, m: looked_up(f, m, controls, steps))
    positions = tuple(c.double() for c in controls)
    for function in (lambda f, m: correlate(f, m, 2, 2), lambda f, m: correlate_anywhere(f, m, positions, steps[0].double())):
        for ours, theirs in zip(gradients(function), expected, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-9)
