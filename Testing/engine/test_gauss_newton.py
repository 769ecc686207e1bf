"""Gauss-Newton on features: closed forms, adjoint operators, gradients."""

from __future__ import annotations

import pytest
import torch

from deepreg_engine.geometry.sampling import compose, identity, warp
from deepreg_engine.solvers import gauss_newton
from deepreg_engine.solvers.gauss_newton import (
    Update,
    at_controls,
    control_shape,
    gather,
    gauss_newton_step,
    normal_equations,
    robust_weights,
    spread,
    spread_matrix,
)
from deepreg_engine.solvers.smoothness import bending_energy

SHAPE = (10, 12, 14)
# Gradients (x, y, z) of three linear channels: together they see every direction.
SLOPES = torch.tensor([[2.0, 0.5, -0.3], [0.1, -1.5, 0.4], [-0.6, 0.2, 1.0]])


def linear(shape=SHAPE, shift=(0.0, 0.0, 0.0)):
    """Three linear channels, moved by a shift: value at x of a . (x - shift)."""
    index = identity(shape, SLOPES) - torch.tensor(shift).view(3, 1, 1, 1)
    return torch.tensordot(SLOPES, index, dims=1)


def waves(shape=SHAPE, shift=(0.0, 0.0, 0.0)):
    """Three channels of waves in three directions, moved by a shift."""
    x, y, z = identity(shape, SLOPES) - torch.tensor(shift).view(3, 1, 1, 1)
    return torch.stack([torch.sin(0.5 * x + 0.3 * y), torch.cos(0.4 * y - 0.5 * z), torch.sin(0.45 * z - 0.3 * x)])


def inside(shape=SHAPE):
    """Weights without the outermost voxels: there the gradient across the face is not known."""
    weights = torch.zeros(shape)
    weights[1:-1, 1:-1, 1:-1] = 1.0
    return weights


def constant(vector, shape=SHAPE):
    return torch.tensor(vector).view(3, 1, 1, 1).expand(3, *shape).contiguous()


# -------------------------------------------------------------------------------------------------------- normal equations


def test_systems_of_linear_channels():
    shift = torch.tensor([0.3, -0.2, 0.5])
    system, force, residual = normal_equations(linear(), linear(shift=shift.tolist()))
    matrix = SLOPES.T @ SLOPES / 3.0
    inner = (slice(1, -1),) * 3
    for entry, (row, column) in enumerate(((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))):
        torch.testing.assert_close(system[entry][inner], matrix[row, column].expand(8, 10, 12), atol=1e-4, rtol=1e-4)
    for row in range(3):
        torch.testing.assert_close(force[row][inner], (matrix @ shift)[row].expand(8, 10, 12), atol=1e-4, rtol=1e-4)
    expected = (SLOPES @ shift).square().mean()
    torch.testing.assert_close(residual, expected.expand(SHAPE), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("values", [1, 1000, 1 << 20])
def test_slabs_change_nothing(values, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    fixed, moving = (torch.randn(3, *SHAPE, generator=generator) for _ in range(2))
    monkeypatch.setattr(gauss_newton, "_SLAB_VALUES", {"cpu": 1 << 30})
    whole = normal_equations(fixed, moving)
    monkeypatch.setattr(gauss_newton, "_SLAB_VALUES", {"cpu": values})
    for part, expected in zip(normal_equations(fixed, moving), whole, strict=True):
        torch.testing.assert_close(part, expected, atol=1e-6, rtol=1e-6)
    for part, expected in zip(normal_equations(fixed.clone().requires_grad_(), moving), whole, strict=True):
        torch.testing.assert_close(part.detach(), expected, atol=1e-6, rtol=1e-6)


def test_thin_images_have_no_gradient_across():
    system, force, _ = normal_equations(linear((1, 5, 6)), linear((1, 5, 6), (0.1, 0.0, 0.0)))
    assert torch.equal(system[[2, 4, 5]], torch.zeros(3, 1, 5, 6))
    assert torch.equal(force[2], torch.zeros(1, 5, 6))
    assert system[0].abs().max() > 0


@pytest.mark.parametrize("shape", [SHAPE, (2, 5, 6)])
def test_linear_images_are_exact_up_to_the_faces(shape):
    """At the faces of the image, gradients are one-sided differences, so that motion perpendicular to a face is estimated correctly."""
    shift = (0.1, -0.2, 0.3)
    system, force, _ = normal_equations(linear(shape), linear(shape, shift))
    expected = SLOPES.T @ SLOPES / len(SLOPES)
    entries = torch.stack([expected[i, j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))])
    torch.testing.assert_close(system, entries.view(6, 1, 1, 1).expand(6, *shape), atol=1e-4, rtol=1e-4)
    pull = expected @ torch.tensor(shift)
    torch.testing.assert_close(force, pull.view(3, 1, 1, 1).expand(3, *shape), atol=1e-4, rtol=1e-4)


def test_robust_weights():
    residual = torch.tensor([0.0, 0.5, 1.0, 2.5]).view(4, 1, 1)  # mean 1
    weights = robust_weights(residual, 0.5).flatten()
    torch.testing.assert_close(weights, torch.tensor([1.0, 0.25, 1 / 9, 1 / 36]))
    assert torch.equal(robust_weights(torch.zeros(2, 2, 2), 0.3), torch.ones(2, 2, 2))


# ---------------------------------------------------------------------------------------------------------- control points


@pytest.mark.parametrize("spacing", [1, 2, 3, 4, 7, 20])
def test_control_points_cover_the_grid(spacing):
    for count, controls in zip((5, 8, 13), control_shape((5, 8, 13), spacing), strict=True):
        assert controls >= 2
        assert (controls - 1) * spacing >= count - 1
        assert controls == 2 or (controls - 2) * spacing < count - 1


@pytest.mark.parametrize("spacing", [1, 2, 3, 5])
def test_gathering_is_the_adjoint_of_linear_spreading(spacing):
    """<gather(v), c> = <v, spread(c)> / spacing^3 for all v and c."""
    generator = torch.Generator().manual_seed(spacing)
    controls = control_shape(SHAPE, spacing)
    voxels = torch.randn(4, *SHAPE, generator=generator, dtype=torch.float64)
    values = torch.randn(4, *controls, generator=generator, dtype=torch.float64)
    matrices = [spread_matrix(k, n, spacing, values, cubic=False) for k, n in zip(controls, SHAPE, strict=True)]
    linearly = torch.einsum("cabd,za,yb,xd->czyx", values, *matrices)
    torch.testing.assert_close((gather(voxels, spacing) * values).sum(), (voxels * linearly).sum() / spacing**3)


@pytest.mark.parametrize("spacing", [2, 3, 5])
def test_gathering_loses_nothing(spacing):
    volume = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(gather(volume, spacing).sum((1, 2, 3)) * spacing**3, volume.sum((1, 2, 3)))


@pytest.mark.parametrize("cubic", [False, True])
@pytest.mark.parametrize("first", [0.0, 0.5, -1.3])
def test_spreading_keeps_constants_and_values_at_control_points(cubic, first):
    like = torch.empty(0, dtype=torch.float64)
    matrix = spread_matrix(5, 13, 3, like, cubic, first)
    torch.testing.assert_close(matrix.sum(1), torch.ones(13, dtype=torch.float64))
    if first == 0.0:
        torch.testing.assert_close(matrix[[0, 3, 6, 9, 12]], torch.eye(5, dtype=torch.float64))
    held = [voxel for voxel in range(13) if voxel <= first]
    torch.testing.assert_close(matrix[held, 0], torch.ones(len(held), dtype=torch.float64))


@pytest.mark.parametrize("first", [0.0, 0.5, -1.3])
def test_cubic_spreading_is_exact_for_parabolas_inside(first):
    place = first + 3.0 * torch.arange(6, dtype=torch.float64)
    voxels = torch.arange(16, dtype=torch.float64)
    inner = (voxels >= place[1]) & (voxels <= place[4])  # two control points on either side

    def parabola(x):
        return 0.3 * x**2 - 2.0 * x + 1.0

    result = spread_matrix(6, 16, 3, place, True, first) @ parabola(place)
    torch.testing.assert_close(result[inner], parabola(voxels)[inner])


def test_spreading_a_field_to_voxels_and_reading_it_back():
    generator = torch.Generator().manual_seed(2)
    controls = torch.randn(3, *control_shape(SHAPE, 3), generator=generator)
    field = spread(controls, SHAPE, 3)
    assert field.shape == (3, *SHAPE)
    back = at_controls(field, 3)
    assert back.shape == controls.shape
    torch.testing.assert_close(back[:, :4, :4, :5], controls[:, :4, :4, :5], atol=1e-5, rtol=0)  # those on voxels: 0, 3, 6, 9, 12
    torch.testing.assert_close(back[:, :, -1], field[:, [0, 3, 6, 9]][:, :, -1][..., [0, 3, 6, 9, 12, 13]][:, :, : back.shape[3]])
    assert torch.equal(spread(field, SHAPE, 1), field)


# ------------------------------------------------------------------------------------------------------------------- steps


@pytest.mark.parametrize("spacing", [1, 2, 3])
def test_a_step_on_linear_images_is_exact(spacing, device):
    """The linearisation holds, so one step finds the shift, and goes on with it where nothing is seen."""
    shift = (0.7, -0.4, 0.9)
    still = torch.zeros(3, *SHAPE, device=device)
    images = linear().to(device), linear(shift=shift).to(device)
    update, residual, _ = gauss_newton_step(
        *images, still, Update(spacing, 3.0, robustness=0.0, iterations=100), weights=inside().to(device)
    )
    torch.testing.assert_close(update.cpu(), constant(shift), atol=0.01, rtol=0)
    torch.testing.assert_close(residual.cpu(), (SLOPES @ torch.tensor(shift)).square().mean().expand(SHAPE), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("length", [0.02, 0.1, 0.3])
def test_a_step_is_exact_to_first_order(length):
    """On waves, up to the error of central differences: 1 - sin(k)/k, 6 % here."""
    shift = (length, -0.5 * length, 0.8 * length)
    update, *_ = gauss_newton_step(
        waves(), waves(shift=shift), torch.zeros(3, *SHAPE), Update(2, 1.0, robustness=0.0, iterations=100), weights=inside()
    )
    assert (update - constant(shift)).abs().max() < 0.06 * length


def test_steps_converge_to_a_large_shift():
    """The field u with F(x) = M(x + u(x)), composed step by step."""
    shift = (1.8, -1.2, 1.0)
    moving, field = waves(shift=shift), torch.zeros(3, *SHAPE)
    for _ in range(4):
        known = (warp(torch.ones(1, *SHAPE), field, "zeros")[0] > 0.99) * inside()
        update, *_ = gauss_newton_step(waves(), warp(moving, field), field, Update(2, 1.0, robustness=0.0, iterations=30), weights=known)
        field = compose(update, field)
    torch.testing.assert_close(field, constant(shift), atol=0.05, rtol=0)


def test_no_control_point_moves_further_than_allowed():
    shift = (9.0, -6.0, 3.0)
    still = torch.zeros(3, *SHAPE)
    update, *_ = gauss_newton_step(
        linear(), linear(shift=shift), still, Update(2, 3.0, robustness=0.0, longest=1.5, iterations=50), weights=inside()
    )
    torch.testing.assert_close(at_controls(update, 2).norm(dim=0), torch.full((6, 7, 8), 1.5), atol=1e-3, rtol=0)
    expected = 1.5 * torch.tensor(shift) / torch.tensor(shift).norm()
    torch.testing.assert_close(update, constant(expected.tolist()), atol=0.05, rtol=0)


def test_what_has_no_partner_does_not_pull():
    shift = (0.5, 0.3, -0.4)
    moving = linear(shift=shift)
    moving[:, 3:6, 4:8, 5:9] += 25.0  # a structure that only one image has
    errors = []
    for robustness in (0.0, 0.3):
        update, *_ = gauss_newton_step(
            linear(), moving, torch.zeros(3, *SHAPE), Update(2, 3.0, robustness=robustness, longest=100.0, iterations=50), weights=inside()
        )
        errors.append(float((update - constant(shift)).abs().max()))
    assert errors[0] > 1.0
    assert errors[1] < 0.25 * errors[0]


def test_voxels_without_weight_do_not_pull():
    shift = (0.5, 0.3, -0.4)
    moving, weights = linear(shift=shift), inside()
    moving[..., 7:] = torch.randn(3, 10, 12, 7, generator=torch.Generator().manual_seed(3))
    weights[..., 6:] = 0.0  # the gradient at 6 sees voxel 7
    update, *_ = gauss_newton_step(
        linear(), moving, torch.zeros(3, *SHAPE), Update(2, 3.0, robustness=0.0, iterations=200), weights=weights
    )
    torch.testing.assert_close(update[..., :7], constant(shift)[..., :7], atol=0.05, rtol=0)
    torch.testing.assert_close(update, constant(shift), atol=0.2, rtol=0)  # eight voxels on


def test_a_bent_field_is_straightened():
    """The bending of the whole deformation counts, not only that of the update."""
    field = torch.zeros(3, *SHAPE)
    field[0, 5, 6, 7] = 1.0
    field[1] = 0.1 * identity(SHAPE, field)[0]  # a shear is not bent
    update, *_ = gauss_newton_step(linear(), linear(), field, Update(1, 100.0, robustness=0.0, iterations=50))
    assert update[0, 5, 6, 7] < -0.8
    assert update[1].abs().max() < 0.1


def test_guides_draw_the_whole_field():
    """The present field and the update together reach the target."""
    controls = control_shape(SHAPE, 2)
    target, field = torch.full((3, *controls), 1.25), constant((0.5, 0.5, 0.5))
    same = torch.zeros(1, *SHAPE)
    update, *_ = gauss_newton_step(same, same, field, Update(2, 1e-2, iterations=100), guides=(torch.full(controls, 3.0), target))
    torch.testing.assert_close(field + update, torch.full_like(field, 1.25), atol=0.01, rtol=0)


def test_the_unit_weighs_features_against_smoothness():
    """Features and unit scaled alike: the same step. A larger unit alone: a smaller one."""
    generator = torch.Generator().manual_seed(4)
    fixed, moving = waves(), waves(shift=(0.3, 0.1, 0.2)) + 0.1 * torch.randn(3, *SHAPE, generator=generator)
    still = torch.zeros(3, *SHAPE)
    update, *_ = gauss_newton_step(fixed, moving, still, Update(2, 0.05, unit=0.1))
    scaled, *_ = gauss_newton_step(10.0 * fixed, 10.0 * moving, still, Update(2, 0.05, unit=10.0))
    torch.testing.assert_close(update, scaled, atol=1e-4, rtol=1e-3)
    stiffer, *_ = gauss_newton_step(fixed, moving, still, Update(2, 0.05, unit=100.0))
    assert bending_energy(at_controls(stiffer, 2)) < 0.1 * bending_energy(at_controls(update, 2))


# --------------------------------------------------------------------------------------------------------------- gradients


def test_gradients_of_the_parts():
    generator = torch.Generator().manual_seed(5)
    fixed, moving = (torch.randn(2, 3, 4, 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(normal_equations, (fixed, moving), fast_mode=True)
    residual = torch.rand(2, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda e: robust_weights(e, 0.3), (residual,), fast_mode=True)
    volume = torch.randn(2, 5, 4, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: gather(v, 2), (volume,), fast_mode=True)
    assert torch.autograd.gradcheck(lambda v: spread(v, (9, 7, 12), 2, 0.5), (volume,), fast_mode=True)


def test_gradients_of_a_step():
    shape = (4, 5, 4)
    generator = torch.Generator().manual_seed(6)
    fixed, moving = (torch.randn(2, *shape, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2))
    field = (0.1 * torch.randn(3, *shape, generator=generator, dtype=torch.float64)).requires_grad_()

    def step(f, m, u):
        return gauss_newton_step(f, m, u, Update(2, 0.5, robustness=0.3, longest=50.0, iterations=1000, tolerance=1e-13))[0]

    assert step(fixed, moving, field).abs().max() < 50.0  # no length is cut
    assert torch.autograd.gradcheck(step, (fixed, moving, field), fast_mode=True)
