"""Repair of folds."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from deepreg_engine.geometry.sampling import identity
from deepreg_engine.solvers.unfolding import jacobian_determinant, unfold

SHAPE = (14, 16, 18)


def smooth_random(amplitude, seed=0, shape=SHAPE):
    coarse = torch.randn(1, 3, 4, 4, 4, generator=torch.Generator().manual_seed(seed))
    return amplitude * F.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[0]


def test_the_determinant_of_an_affine_field_is_exact_up_to_the_faces():
    index = identity(SHAPE, torch.empty(0, dtype=torch.float64))
    matrix = torch.tensor([[0.1, -0.2, 0.05], [0.3, -0.1, 0.2], [0.0, 0.15, 0.25]], dtype=torch.float64)
    field = torch.einsum("ab,bzyx->azyx", matrix, index) + 3.0
    expected = torch.linalg.det(torch.eye(3, dtype=torch.float64) + matrix)
    torch.testing.assert_close(jacobian_determinant(field), expected.expand(SHAPE))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_determinant_of_a_bent_axis(axis):
    """u = 0.02 x^2 along one axis: 1 + 0.04 x inside, by central differences exactly."""
    index = identity(SHAPE, torch.empty(0, dtype=torch.float64))
    field = torch.zeros_like(index)
    field[axis] = 0.02 * index[axis] ** 2
    inner = (slice(1, -1),) * 3
    torch.testing.assert_close(jacobian_determinant(field)[inner], (1.0 + 0.04 * index[axis])[inner])


def test_a_mirrored_axis_is_a_fold():
    index = identity(SHAPE, torch.empty(0))
    field = torch.zeros_like(index)
    field[1] = -2.0 * index[1]
    torch.testing.assert_close(jacobian_determinant(field), torch.full(SHAPE, -1.0))


def test_a_regular_field_stays_bit_for_bit():
    field = smooth_random(0.8)
    assert jacobian_determinant(field).min() > 0.05
    before = field.clone()
    result = unfold(field)
    assert result is field
    assert torch.equal(field, before)


def spike(depth, place=(7, 8, 9)):
    """One voxel that lies far from where it should."""
    field = smooth_random(0.5, 1)
    field[:, place[0], place[1], place[2]] += torch.tensor([depth, -depth, 0.5 * depth])
    return field


def crossing():
    """Two halves of the grid that overlap by three voxels."""
    index = identity(SHAPE, torch.empty(0))
    field = torch.zeros_like(index)
    field[0] = torch.where(index[0] < 9, 1.5, -1.5)
    return field


def noise():
    """Noise in a block of 4^3 voxels."""
    field = smooth_random(0.5, 2)
    field[:, 5:9, 6:10, 7:11] += 2.0 * torch.randn(3, 4, 4, 4, generator=torch.Generator().manual_seed(3))
    return field


@pytest.mark.parametrize(
    "folded", [spike(4.0), spike(15.0), spike(-5.0, (0, 15, 17)), crossing(), noise()], ids=["spike", "far", "corner", "crossing", "noise"]
)
def test_folds_are_removed(folded):
    assert jacobian_determinant(folded).min() < 0.0
    before = folded.clone()
    result = unfold(folded)
    assert jacobian_determinant(result).min() > 0.0
    assert torch.equal(folded, before)
    assert torch.isfinite(result).all()


def test_only_the_surroundings_of_a_fold_change():
    folded = spike(4.0)
    changed = (unfold(folded) - folded).abs().amax(0) > 1e-6
    assert changed.any()
    assert (changed.nonzero() - torch.tensor([7, 8, 9])).abs().max() <= 5
