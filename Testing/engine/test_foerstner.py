"""Förstner keypoints: where corners and branches are, to a fraction of a voxel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deepreg_engine.features import foerstner as module
from deepreg_engine.features.foerstner import distinctiveness, keypoints


def lattice(shape=(30, 34, 38)):
    return torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in shape), indexing="ij")


def blobs(centres, width=2.0, shape=(30, 34, 38)):
    """Gaussian blobs at centres x, y, z."""
    z, y, x = lattice(shape)
    return sum(torch.exp(-((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) / (2.0 * width**2)) for a, b, c in centres).float()


def tube(volume, start, end, radius=1.6):
    """A smooth tube from start to end, x, y, z, added by maximum."""
    points = torch.stack(lattice(tuple(volume.shape))[::-1], -1)
    start, end = torch.tensor(start, dtype=torch.float64), torch.tensor(end, dtype=torch.float64)
    along = ((points - start) @ (end - start) / (end - start).square().sum()).clamp(0.0, 1.0)
    distance = (points - start - along[..., None] * (end - start)).norm(dim=-1)
    return torch.maximum(volume, torch.sigmoid(2.0 * (radius - distance)).float())


@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.3, -0.4, 0.25), (-0.45, 0.1, 0.4)])
def test_blobs_are_found_to_a_fraction_of_a_voxel(shift, device):
    centres = np.array([[9.0, 9.0, 8.0], [26.0, 10.0, 20.0], [12.0, 24.0, 18.0]]) + shift
    found, values = keypoints(blobs(centres).to(device), None, 1.4, 4, 3)
    found = found.cpu().numpy()[np.argsort(found.cpu().numpy()[:, 2])]
    np.testing.assert_allclose(found, centres[np.argsort(centres[:, 2])], atol=0.15)
    assert (values.diff() <= 0).all()
    assert float(values.min()) > 0


def test_the_branch_of_a_tube_is_more_distinct_than_the_tube():
    volume = torch.zeros(36, 36, 36)
    branch = (18.2, 17.7, 18.4)
    for end in ((18.2, 17.7, -20.0), (50.0, 40.0, 50.0), (-14.0, -5.0, 50.0)):
        volume = tube(volume, branch, end)
    response = distinctiveness(volume)
    found, _ = keypoints(volume, None, 1.4, 4, 1)
    assert float((found[0] - torch.tensor(branch)).norm()) < 2.5
    assert float(response[16:21, 16:21, 16:21].max()) > 10.0 * float(response[6:10, 15:21, 15:21].max())


def test_a_corner_beats_an_edge_and_an_edge_a_face():
    volume = torch.zeros(30, 30, 30)
    volume[10:, 10:, 10:] = 1.0
    response = distinctiveness(volume)
    corner, edge, face = (
        float(response[a - 2 : a + 2, b - 2 : b + 2, c - 2 : c + 2].max()) for a, b, c in ((10, 10, 10), (10, 10, 20), (10, 20, 20))
    )
    assert corner > 100.0 * edge
    assert edge >= face


def test_the_formula():
    """1 / trace of the inverse of the structure tensor."""
    volume = torch.randn(9, 10, 11, generator=torch.Generator().manual_seed(0))
    kernel = module._gaussian(1.4, volume.device)
    gradient = [module._derivative(volume, axis) for axis in range(3)]
    tensor = torch.stack([torch.stack([module._smoothed((a * b)[None], kernel)[0] for b in gradient], -1) for a in gradient], -1)
    expected = 1.0 / torch.linalg.inv(tensor.double()).diagonal(dim1=-2, dim2=-1).sum(-1)
    torch.testing.assert_close(distinctiveness(volume).double(), expected, rtol=1e-3, atol=1e-5)


def test_derivatives_are_exact_for_cubics_and_kernels_sum_to_one():
    z, y, x = lattice((12, 12, 12))
    derivative = module._derivative((x**3 - 2.0 * y).float(), 2)
    torch.testing.assert_close(derivative[:, :, 3:-3], (3.0 * x**2).float()[:, :, 3:-3], atol=1e-3, rtol=1e-5)
    assert float(module._gaussian(1.4, torch.device("cpu")).sum()) == pytest.approx(1.0)


@pytest.mark.parametrize("block", [1, 4000, 12000])
def test_slabs_do_not_change_the_result(block, monkeypatch):
    volume = torch.randn(23, 20, 21, generator=torch.Generator().manual_seed(1))
    volume[:8] *= 0.01  # slabs of different contrast
    whole = distinctiveness(volume)
    places, values = keypoints(volume, None, 1.4, 3, 50)
    monkeypatch.setattr(module, "_BLOCK", block)
    torch.testing.assert_close(distinctiveness(volume), whole, rtol=1e-4, atol=0)
    slabs = keypoints(volume, None, 1.4, 3, 50)
    torch.testing.assert_close(slabs[0], places, atol=1e-3, rtol=0)
    torch.testing.assert_close(slabs[1], values, rtol=1e-4, atol=0)


def test_only_inside_the_mask_and_apart():
    volume = torch.randn(30, 30, 30, generator=torch.Generator().manual_seed(2))
    mask = torch.zeros(30, 30, 30)
    mask[5:20, 8:25, 3:28] = 1.0
    found, _ = keypoints(volume, mask, 1.4, 4, 1000)
    assert len(found) > 10
    index = found.round().long()
    assert (mask[index[:, 2], index[:, 1], index[:, 0]] > 0).all()
    apart = (found[:, None] - found[None]).abs().amax(2) + 99.0 * torch.eye(len(found))
    assert float(apart.min()) > 4.0 - 1.0  # the tops of two parabolas may come half a voxel nearer each
    assert len(keypoints(volume, mask, 1.4, 4, 7)[0]) == 7
    assert len(keypoints(volume, torch.zeros(30, 30, 30), 1.4, 4, 7)[0]) == 0


@pytest.mark.parametrize(
    "volume", [torch.zeros(20, 20, 20), torch.full((20, 20, 20), -1000.0), torch.zeros(3, 3, 3), torch.zeros(1, 20, 20)]
)
def test_nothing_in_an_empty_volume(volume):
    assert len(keypoints(volume, None, 1.4, 4, 10)[0]) == 0


def test_equal_maxima_near_each_other_are_one():
    """Two voxels of exactly the same response side by side."""
    volume = blobs([[10.5, 12.0, 14.0]])
    volume = (volume + volume.flip(2).roll(-16, 2)) / 2.0  # exactly symmetric about x = 10.5
    found, _ = keypoints(volume, None, 1.4, 4, 10)
    near = (found - torch.tensor([10.5, 12.0, 14.0])).norm(dim=1) < 3.0
    assert int(near.sum()) == 1
