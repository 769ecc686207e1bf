"""Interpolation: against SimpleITK and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from deepreg_engine.geometry.sampling import Lookup, compose, identity, sample, separable, warp

SHAPE = (7, 9, 12)  # z, y, x: all unequal, so that a swapped axis shows


def ramp(shape, slope, offset=0.0, dtype=torch.float32):
    """offset + slope . (x, y, z) over a grid."""
    index = identity(shape, torch.empty(0, dtype=dtype))
    return offset + torch.tensordot(torch.tensor(slope, dtype=dtype), index, dims=1)


def random_index(shape, size, generator, margin=0.0):
    """Positions (3, *size) inside a grid, or up to ``margin`` voxels outside."""
    extent = torch.tensor([n - 1.0 for n in reversed(shape)]).view(3, 1, 1, 1)
    return torch.rand(3, *size, generator=generator) * (extent + 2 * margin) - margin


def itk_warped(volume, displacement):
    """A volume (z, y, x) seen through displacements (3, z, y, x) in voxels, by SimpleITK."""
    vectors = np.moveaxis(displacement.numpy().astype(np.float64), 0, -1)
    reference = sitk.GetImageFromArray(np.zeros(vectors.shape[:3], np.float32))
    transform = sitk.DisplacementFieldTransform(sitk.GetImageFromArray(vectors, isVector=True))
    return torch.from_numpy(
        sitk.GetArrayFromImage(sitk.Resample(sitk.GetImageFromArray(volume.numpy()), reference, transform, sitk.sitkLinear))
    )


def test_identity_holds_the_indices_x_first():
    index = identity(SHAPE, torch.empty(0))
    assert index.shape == (3, *SHAPE)
    assert index[:, 2, 5, 11].tolist() == [11.0, 5.0, 2.0]


@pytest.mark.parametrize("outside", ["border", "zeros"])
def test_linear_functions_are_exact_between_voxels(outside, device):
    index = random_index(SHAPE, (4, 3, 6), torch.Generator().manual_seed(1))
    slope = (0.5, -2.0, 3.0)
    values = sample(ramp(SHAPE, slope, 7.0)[None].to(device), index.to(device), outside)
    expected = 7.0 + torch.tensordot(torch.tensor(slope), index, dims=1)
    torch.testing.assert_close(values[0].cpu(), expected, atol=2e-5, rtol=0)


def test_channels_keep_their_order():
    volume = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(sample(volume, identity(SHAPE, volume)), volume, atol=1e-5, rtol=0)


def test_border_goes_on_with_the_face():
    generator = torch.Generator().manual_seed(3)
    volume = torch.randn(2, *SHAPE, generator=generator)
    index = random_index(SHAPE, (5, 6, 7), generator, margin=4.0)
    extent = torch.tensor([n - 1.0 for n in reversed(SHAPE)]).view(3, 1, 1, 1)
    held = torch.minimum(index.clamp(min=0.0), extent)
    assert (held != index).any()
    torch.testing.assert_close(sample(volume, index, "border"), sample(volume, held, "zeros"), atol=1e-5, rtol=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_zeros_falls_off_within_one_voxel(axis):
    volume = torch.full((1, *SHAPE), 8.0)
    index = torch.full((3, 1, 1, 6), 3.0)
    last = SHAPE[2 - axis] - 1
    index[axis, 0, 0] = torch.tensor([-1.5, -1.0, -0.25, 0.0, last + 0.5, last + 1.0])
    torch.testing.assert_close(sample(volume, index, "zeros").flatten(), torch.tensor([0.0, 0.0, 6.0, 8.0, 4.0, 0.0]), atol=1e-4, rtol=0)


def test_warp_equals_simpleitk_where_both_are_inside():
    generator = torch.Generator().manual_seed(4)
    volume = torch.randn(1, *SHAPE, generator=generator)
    size = (6, 11, 8)  # the field's grid is another one than the volume's
    displacement = random_index(SHAPE, size, generator) - identity(size, volume)
    torch.testing.assert_close(warp(volume, displacement)[0], itk_warped(volume[0], displacement), atol=1e-4, rtol=0)


def test_composition_is_second_after_first():
    """Against SimpleITK's composite transform, at points whose images stay inside."""
    first = torch.stack([ramp(SHAPE, (0.05, 0.02, 0.0), 0.4), ramp(SHAPE, (0.0, -0.03, 0.02), 0.3), ramp(SHAPE, (0.01, 0.0, 0.04), -0.2)])
    generator = torch.Generator().manual_seed(5)
    second = torch.randn(3, *SHAPE, generator=generator)
    composed = compose(first, second)

    def itk(field):
        vectors = np.moveaxis(field.numpy().astype(np.float64), 0, -1)
        return sitk.DisplacementFieldTransform(sitk.GetImageFromArray(vectors, isVector=True))

    both = sitk.CompositeTransform([itk(second), itk(first)])  # the last one acts first
    for z, y, x in ((1, 1, 1), (3, 4, 5), (5, 6, 9), (2, 7, 3)):
        moved = np.array(both.TransformPoint((float(x), float(y), float(z)))) - (x, y, z)
        np.testing.assert_allclose(composed[:, z, y, x].numpy(), moved, atol=1e-4)


def test_composition_with_nothing_changes_nothing():
    field = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(6))
    still = torch.zeros_like(field)
    assert torch.equal(compose(field, still), field)
    torch.testing.assert_close(compose(still, field), field, atol=1e-5, rtol=0)


def test_separable_applies_each_matrix_along_its_axis():
    generator = torch.Generator().manual_seed(7)
    volume = torch.randn(2, *SHAPE, generator=generator, dtype=torch.float64)
    matrices = tuple(torch.randn(new, old, generator=generator, dtype=torch.float64) for new, old in zip((5, 4, 3), SHAPE, strict=True))
    expected = torch.einsum("czyx,az,by,dx->cabd", volume, *matrices)
    result = separable(volume, matrices)
    assert result.is_contiguous()
    torch.testing.assert_close(result, expected)


def test_gradients():
    generator = torch.Generator().manual_seed(8)
    shape = (3, 4, 5)
    volume = torch.randn(2, *shape, generator=generator, dtype=torch.float64, requires_grad=True)
    index = random_index(shape, (2, 3, 2), generator).double().requires_grad_()
    assert torch.autograd.gradcheck(sample, (volume, index))
    field = (0.3 * torch.randn(3, *shape, generator=generator, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(compose, (field, field.detach().flip(1).requires_grad_()))


@pytest.mark.parametrize("shape", [SHAPE, (1, 9, 12), (7, 1, 12), (7, 9, 1), (1, 1, 1), (2, 3, 2)])
@pytest.mark.parametrize("channels", [1, 6, 13])
def test_places_that_are_looked_up_are_those_that_are_sampled(shape, channels, device):
    generator = torch.Generator().manual_seed(9)
    volume = torch.randn(channels, *shape, generator=generator)
    index = random_index(shape, (5, 6, 7), generator, margin=4.0)
    index[:, 0, 0] = index[:, 0, 0].round()  # on voxels and on the last one too
    index[:, 1, 1] = torch.tensor([n - 1.0 for n in reversed(shape)]).view(3, 1)
    found = Lookup(volume.to(device)).sample(index.to(device))
    torch.testing.assert_close(found.cpu(), sample(volume, index), atol=1e-5, rtol=0)


def test_places_between_voxels_are_looked_up_as_simpleitk_does():
    generator = torch.Generator().manual_seed(10)
    volume = torch.randn(8, *SHAPE, generator=generator)
    displacement = 0.4 * torch.randn(3, *SHAPE, generator=generator)
    inner = (slice(2, -2),) * 3
    found = Lookup(volume).sample(identity(SHAPE, volume) + displacement)
    for one, channel in zip(found, volume, strict=True):
        torch.testing.assert_close(one[inner], itk_warped(channel, displacement)[inner], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("recorded", ["volume", "index"])
def test_lookups_are_differentiable(recorded):
    generator = torch.Generator().manual_seed(11)
    volume = torch.randn(6, 3, 4, 5, generator=generator, dtype=torch.float64)
    index = random_index((3, 4, 5), (2, 3, 2), generator).double()
    wanted = volume if recorded == "volume" else index
    wanted.requires_grad_()
    assert torch.autograd.gradcheck(lambda _: Lookup(volume).sample(index), (wanted,))
