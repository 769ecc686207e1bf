"""Neighbourhoods of voxels: the same systems as from whole volumes, also for volumes warped by a field."""

from __future__ import annotations

import pytest
import torch

from deepreg_engine.geometry.sampling import Lookup, identity, sample
from deepreg_engine.solvers import gauss_newton
from deepreg_engine.solvers.gauss_newton import equations_at, normal_equations
from deepreg_engine.solvers.neighbourhood import Neighbourhood

SHAPES = [(8, 9, 10), (7, 4, 13), (1, 6, 2), (3, 2, 5)]


def volumes(shape, channels=3, count=2, dtype=torch.float32):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(channels, *shape, generator=generator, dtype=dtype) for _ in range(count)]


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("values", [1, 1 << 20])
def test_systems_are_those_of_the_whole_at_every_so_manieth_voxel(stride, shape, values, monkeypatch):
    fixed, moving = volumes(shape)
    whole = normal_equations(fixed, moving)
    monkeypatch.setattr(gauss_newton, "_SLAB_VALUES", {"cpu": values})
    looked_at = (Neighbourhood.of(side, stride) for side in (fixed, moving))
    for part, expected in zip(equations_at(*looked_at), whole, strict=True):
        torch.testing.assert_close(part, expected[..., ::stride, ::stride, ::stride], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lookup", [False, True])
def test_what_is_looked_up_is_what_a_warped_volume_shows(stride, shape, lookup):
    (moving,) = volumes((6, 7, 5), 12, 1)
    index = identity(shape, moving) * 0.7 + 1.5 * volumes(shape, 3, 1)[0]  # far beyond the faces, too
    found = Neighbourhood.sampled(Lookup(moving) if lookup else moving, index, stride)
    expected = Neighbourhood.of(sample(moving, index), stride)
    assert found.shape == expected.shape == shape
    for one, other in zip((found.values, *found.slopes), (expected.values, *expected.slopes), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_joined_channels_lie_behind_each_other():
    one, other = (Neighbourhood.of(volume, 2) for volume in volumes((6, 7, 5)))
    both = Neighbourhood.joined([one, other], [1.0, 0.25])
    assert torch.equal(both.values, torch.cat([one.values, 0.25 * other.values]))
    for axis in range(3):
        assert torch.equal(both.slopes[axis], torch.cat([one.slopes[axis], 0.25 * other.slopes[axis]]))
    assert both.shape == (6, 7, 5)
    assert Neighbourhood.joined([one], [7.0]) is one  # alone it counts as it is


def test_gradients_by_finite_differences():
    fixed, moving = (volume.requires_grad_() for volume in volumes((4, 3, 5), 2, 2, torch.float64))
    index = identity((4, 3, 5), moving.detach()) + 0.3 * volumes((4, 3, 5), 3, 1, torch.float64)[0]

    def systems(fixed, moving):
        return equations_at(Neighbourhood.of(fixed, 2), Neighbourhood.sampled(moving, index, 2))

    assert torch.autograd.gradcheck(systems, (fixed, moving), fast_mode=True)
