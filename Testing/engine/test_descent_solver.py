"""Iterative descent: its formula, its smoothing, and that it is differentiable."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from deepreg_engine.geometry.sampling import identity, warp
from deepreg_engine.solvers.descent import Regularity, descend, descent_step, limited, smooth, solve
from deepreg_engine.solvers.gauss_newton import at_controls

EXACT = Regularity(window=1, spread=0.0, damping=0.0, fluid=0.0, elastic=0.0)


def gaussian(shape: tuple[int, int, int], centre: torch.Tensor, sigma: float = 6.0) -> torch.Tensor:
    """A Gaussian blob (1, z, y, x) about a centre x, y, z."""
    place = identity(shape, torch.zeros(1, dtype=torch.float64))
    return torch.exp(-0.5 * (place - centre.view(3, 1, 1, 1)).square().sum(0, keepdim=True) / sigma**2)


def test_step_of_a_shifted_gaussian_is_its_shift_to_first_order():
    shape, centre = (30, 34, 38), torch.tensor([18.0, 17.0, 15.0], dtype=torch.float64)
    direction = torch.tensor([0.6, -0.48, 0.64], dtype=torch.float64)
    wide = Regularity(window=1, spread=4.0, damping=0.0, fluid=0.0, elastic=0.0)
    errors = []
    for length in (0.4, 0.2, 0.1):
        fixed = gaussian(shape, centre)
        moving = gaussian(shape, centre + length * direction)
        step, _, _ = descent_step(fixed, moving, wide)
        middle = step[:, 15, 17, 18]
        errors.append(float((middle - length * direction).norm()) / length)
    # Central differences of a Gaussian of 6 voxels are 1.4 % too small, whatever the shift; the rest vanishes with it.
    assert errors[-1] < 0.02
    assert errors[0] - errors[-1] < 0.01


def test_step_is_exact_for_linear_features():
    shape = (9, 10, 11)
    place = identity(shape, torch.zeros(1, dtype=torch.float64))
    shift = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
    slopes = torch.tensor([[1.0, 0.2, 0.0], [0.0, 1.0, -0.3], [0.4, 0.0, 1.0]], dtype=torch.float64)
    moving = torch.einsum("ca,azyx->czyx", slopes, place)
    fixed = moving + torch.einsum("ca,a->c", slopes, shift).view(3, 1, 1, 1)
    step, _, residual = descent_step(fixed, moving, EXACT)
    assert torch.allclose(step, shift.view(3, 1, 1, 1).expand_as(step), atol=1e-7)
    assert torch.allclose(residual, (slopes @ shift).square().mean().expand(shape), atol=1e-12)


def test_solve_agrees_with_linear_algebra():
    rng = torch.Generator().manual_seed(3)
    root = torch.randn(3, 3, 50, generator=rng, dtype=torch.float64)
    matrices = torch.einsum("abn,cbn->acn", root, root)
    packed = torch.stack([matrices[i, j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))])
    force = torch.randn(3, 50, generator=rng, dtype=torch.float64)
    expected = torch.linalg.solve((matrices + 0.3 * torch.eye(3, dtype=torch.float64)[:, :, None]).permute(2, 0, 1), force.T).T
    assert torch.allclose(solve(packed, force, 0.3), expected, atol=1e-9)


def test_voxels_without_weight_say_nothing():
    rng = torch.Generator().manual_seed(1)
    fixed, moving = (smooth(torch.randn(4, 14, 15, 16, generator=rng), 1.5) for _ in range(2))
    weights = torch.ones(14, 15, 16)
    weights[:, :, 8:] = 0.0
    changed = moving.clone()
    changed[:, :, :, 10:] += 5.0  # beyond what the gradients of the voxels that count can see
    one, other = (descent_step(fixed, side, Regularity(), weights)[0] for side in (moving, changed))
    assert torch.allclose(one, other, atol=1e-6)
    assert not torch.allclose(one, descent_step(fixed, moving, Regularity())[0], atol=1e-3)


def test_gradients_by_finite_differences():
    rng = torch.Generator().manual_seed(0)
    fixed, moving = (smooth(torch.randn(2, 3, 4, 5, generator=rng, dtype=torch.float64), 1.0).requires_grad_() for _ in range(2))
    field = 0.3 * torch.randn(3, 3, 4, 5, generator=rng, dtype=torch.float64)
    regularity = Regularity(window=2, spread=1.0, damping=0.1, fluid=1.0, elastic=0.8)

    def result(fixed: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
        # alpha is a constant of the step, not a part of what is learned: detached, so it is held fixed here too
        step, _, _ = descent_step(fixed, warp(moving, field), regularity)
        return descend(field, step, regularity)

    fixed_alpha = Regularity(window=2, spread=1.0, damping=0.0, fluid=1.0, elastic=0.8)
    assert torch.autograd.gradcheck(
        lambda a, b: descend(field, descent_step(a, warp(b, field), fixed_alpha)[0], fixed_alpha), (fixed, moving), eps=1e-6, atol=1e-4
    )
    gradient = torch.autograd.grad(result(fixed, moving).square().sum(), (fixed, moving))
    assert all(torch.isfinite(part).all() and part.abs().max() > 0 for part in gradient)


@pytest.mark.parametrize("sigma", [0.6, 1.7, 4.0])
def test_smoothing_keeps_constants_and_straight_fields(sigma: float):
    place = identity((9, 12, 15), torch.zeros(1, dtype=torch.float64))
    matrix = torch.tensor([[0.1, 0.2, -0.3], [0.0, 0.1, 0.2], [0.3, -0.1, 0.05]], dtype=torch.float64)
    straight = torch.einsum("ab,bzyx->azyx", matrix, place) + 2.0
    assert torch.allclose(smooth(straight, sigma, straight=True), straight, atol=1e-9)
    assert torch.allclose(smooth(torch.full_like(straight, 3.0), sigma), torch.full_like(straight, 3.0), atol=1e-9)


def test_smoothing_agrees_with_simpleitk():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((26, 28, 30)).astype(np.float32)
    gaussian_filter = sitk.DiscreteGaussianImageFilter()
    gaussian_filter.SetVariance(4.0)
    gaussian_filter.SetMaximumError(1e-3)
    gaussian_filter.SetUseImageSpacing(False)
    expected = sitk.GetArrayFromImage(gaussian_filter.Execute(sitk.GetImageFromArray(values)))
    ours = smooth(torch.from_numpy(values)[None], 2.0)[0].numpy()
    inner = (slice(8, -8),) * 3
    assert np.abs(ours - expected)[inner].max() < 0.02 * values.std()


def test_elastic_smoothing_keeps_an_affine_field_on_a_lattice_that_does_not_fit():
    place = identity((10, 12, 14), torch.zeros(1, dtype=torch.float64))  # 9, 11 and 13 are odd: the last control points lie outside
    matrix = torch.tensor([[0.05, 0.02, 0.0], [0.0, -0.04, 0.03], [0.01, 0.0, 0.06]], dtype=torch.float64)
    field = torch.einsum("ab,bzyx->azyx", matrix, place)
    regularity = Regularity(window=2, elastic=1.5, fluid=0.0)
    nothing = torch.zeros_like(at_controls(field, 2))
    assert torch.allclose(descend(field, nothing, regularity), field, atol=1e-9)


def test_steps_are_cut_to_a_length_and_keep_their_direction():
    steps = torch.tensor([[3.0, 0.1, 0.0], [4.0, 0.2, 0.0], [0.0, 0.2, 0.0]])
    cut = limited(steps, 1.0)
    assert torch.allclose(cut[:, 0], torch.tensor([0.6, 0.8, 0.0]))
    assert torch.allclose(cut[:, 1:], steps[:, 1:])


def test_steps_are_composed():
    field = torch.zeros(3, 8, 8, 8)
    field[0] = 0.5 * identity((8, 8, 8), field)[0]
    step = torch.zeros(3, 8, 8, 8)
    step[0] = 1.0
    moved = descend(field, step, Regularity(window=1, fluid=0.0, elastic=0.0))
    # x -> x + 1 -> 1.5 (x + 1) = x + (0.5 x + 1.5)
    assert torch.allclose(moved[0, :, :, :6], field[0, :, :, :6] + 1.5)
