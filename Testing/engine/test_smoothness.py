"""The smooth field: closed forms of the energy, and the linear system solved densely."""

from __future__ import annotations

import plain
import pytest
import torch

from deepreg_engine.geometry.sampling import identity
from deepreg_engine.solvers.smoothness import apply_weights, bending_energy, bending_gradient, smooth_field

SHAPE = (4, 5, 6)


def axes(shape=SHAPE):
    """x, y, z of every voxel, double precision."""
    return identity(shape, torch.empty(0, dtype=torch.float64))


def random_field(shape=SHAPE, seed=0):
    return torch.randn(3, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def positive_weights(entries, shape, seed=1):
    """W of 1, 3 or 6 entries, positive definite at every voxel."""
    generator = torch.Generator().manual_seed(seed)
    if entries < 6:
        return 0.1 + torch.rand(entries, *shape, generator=generator, dtype=torch.float64)
    root = torch.randn(3, 3, *shape, generator=generator, dtype=torch.float64)
    matrix = torch.einsum("ikzyx,jkzyx->ijzyx", root, root)
    return torch.stack([matrix[0, 0], matrix[0, 1], matrix[0, 2], matrix[1, 1], matrix[1, 2], matrix[2, 2]])


def dense_weights(weights):
    """W as a matrix over all unknowns."""
    unknowns = 3 * weights[0].numel()
    columns = [apply_weights(weights, column.view(3, *weights.shape[1:])).flatten() for column in torch.eye(unknowns, dtype=weights.dtype)]
    return torch.stack(columns, dim=1)


def dense_bending(shape):
    """The matrix of the bending energy: the second derivative of the plain formula."""
    unknowns = torch.zeros(3, *shape, dtype=torch.float64)
    return torch.autograd.functional.hessian(plain.bending_energy, unknowns, vectorize=True).view(unknowns.numel(), -1)


def test_affine_fields_cost_nothing():
    x, y, z = axes()
    field = torch.stack([1.0 + 0.3 * x - 2.0 * y, 5.0 * z - x, torch.full_like(x, -7.0)])
    assert bending_energy(field).abs() < 1e-20
    assert bending_gradient(field).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("field", "energy"),
    [
        (lambda x, y, z: x**2, 0.5 * 4 * (4 * 5 * 4)),  # u_xx = 2 at the inner 4 of 6
        (lambda x, y, z: y**2, 0.5 * 4 * (4 * 3 * 6)),
        (lambda x, y, z: z**2, 0.5 * 4 * (2 * 5 * 6)),
        (lambda x, y, z: x * y, 0.5 * 2 * (4 * 4 * 5)),  # u_xy = 1 in every cell of x and y, counted twice
        (lambda x, y, z: 3.0 * y * z, 0.5 * 2 * 9 * (3 * 4 * 6)),
        (lambda x, y, z: x * z, 0.5 * 2 * (3 * 5 * 5)),
    ],
)
@pytest.mark.parametrize("component", [0, 1, 2])
def test_closed_forms(field, energy, component):
    values = torch.zeros(3, *SHAPE, dtype=torch.float64)
    values[component] = field(*axes())
    torch.testing.assert_close(bending_energy(values), torch.tensor(float(energy), dtype=torch.float64))


@pytest.mark.parametrize("shape", [SHAPE, (2, 5, 3), (1, 4, 2), (2, 2, 2)])
def test_energy_and_gradient_are_those_of_the_formula(shape):
    field = random_field(shape).requires_grad_()
    energy = plain.bending_energy(field)
    torch.testing.assert_close(bending_energy(field.detach()), energy.detach())
    torch.testing.assert_close(bending_gradient(field.detach()), torch.autograd.grad(energy, field)[0])
    assert torch.autograd.gradcheck(bending_energy, (field,), fast_mode=True)


def test_weights_of_six_entries_are_symmetric_matrices():
    weights = torch.arange(1.0, 7.0).view(6, 1, 1, 1)
    field = torch.tensor([1.0, 10.0, 100.0]).view(3, 1, 1, 1)
    matrix = torch.tensor([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]])
    assert torch.equal(apply_weights(weights, field).flatten(), matrix @ field.flatten())


@pytest.mark.parametrize("smoothness", [0.1, 30.0])
@pytest.mark.parametrize("entries", [1, 3, 6])
def test_solves_the_normal_equations(entries, smoothness):
    shape = (3, 4, 3)
    weights, evidence = positive_weights(entries, shape), random_field(shape, 2)
    matrix = dense_weights(weights) + smoothness * dense_bending(shape)
    expected = torch.linalg.solve(matrix, evidence.flatten()).view_as(evidence)
    result = smooth_field(weights, evidence, smoothness, iterations=1000, tolerance=1e-12)
    torch.testing.assert_close(result, expected, atol=1e-8, rtol=1e-8)
    started = smooth_field(weights, evidence, smoothness, random_field(shape, 3), iterations=1000, tolerance=1e-12)
    torch.testing.assert_close(started, expected, atol=1e-8, rtol=1e-8)


def test_the_default_accuracy_is_enough_for_a_registration(device):
    """The error is hundredths of a voxel, in single precision, for displacements of a voxel."""
    shape = (12, 14, 16)
    x, y, z = axes(shape)
    truth = torch.stack([torch.sin(0.2 * y), 0.05 * x - 1.0, torch.cos(0.15 * z + 0.1 * x)])
    weights = positive_weights(6, shape, 4)
    evidence = apply_weights(weights, truth)
    exact = smooth_field(weights, evidence, 3.0, iterations=1000, tolerance=1e-12)
    result = smooth_field(weights.float().to(device), evidence.float().to(device), 3.0)
    torch.testing.assert_close(result.cpu().double(), exact, atol=0.02, rtol=0)


def test_an_affine_field_goes_on_where_nothing_is_known():
    x, y, z = axes((5, 6, 7))
    truth = torch.stack([0.2 * x - 0.1 * z, 1.0 + 0.05 * y, 0.3 * x + 0.1 * y])
    weights = torch.zeros(1, 5, 6, 7, dtype=torch.float64)
    weights[:, 1:4, 1:4, 1:4] = 1.0
    result = smooth_field(weights, weights * truth, 2.0, iterations=2000, tolerance=1e-12)
    torch.testing.assert_close(result, truth, atol=1e-6, rtol=0)


def test_no_evidence_gives_no_field():
    weights = torch.ones(1, 3, 4, 5)
    assert torch.equal(smooth_field(weights, torch.zeros(3, 3, 4, 5), 1.0), torch.zeros(3, 3, 4, 5))


@pytest.mark.parametrize("entries", [1, 3, 6])
def test_gradients_by_the_implicit_function(entries):
    shape = (2, 3, 3)
    weights, evidence = positive_weights(entries, shape).requires_grad_(), random_field(shape, 5).requires_grad_()

    def solve(w, e):
        return smooth_field(w, e, 0.7, None, 1000, 1e-13)

    assert torch.autograd.gradcheck(solve, (weights, evidence), fast_mode=True)
