"""MIND-SSC: against its formula."""

from __future__ import annotations

import numpy as np
import plain
import pytest
import torch

from deepreg_engine.features import mind
from deepreg_engine.features.handcrafted import Intensity, Mind
from deepreg_engine.features.mind import CHANNELS, NEIGHBOURS, PAIRS, mind_ssc

OFFSETS = [(NEIGHBOURS[first], NEIGHBOURS[second]) for first, second in PAIRS]


def image(shape=(7, 10, 13), seed=0, dtype=torch.float32):
    """Smooth structure, noise, and an edge."""
    generator = torch.Generator().manual_seed(seed)
    z, y, x = torch.meshgrid(*(torch.arange(n, dtype=dtype) for n in shape), indexing="ij")
    structure = 40.0 * torch.sin(0.9 * x + 0.4 * y * z / 3.0) + 100.0 * (x + y > 9)
    return structure + 5.0 * torch.randn(shape, generator=generator, dtype=dtype)


def test_the_pairs_are_the_twelve_of_the_paper():
    assert len(plain.SSC_PAIRS) == 12 == CHANNELS == len(PAIRS)
    assert {frozenset(pair) for pair in OFFSETS} == plain.SSC_PAIRS


@pytest.mark.parametrize(("radius", "dilation"), [(1, 2), (2, 1), (0, 3), (1, 1), (3, 4)])
def test_equals_the_formula(radius, dilation, device):
    volume = image()
    expected = plain.mind_ssc(volume.double().numpy(), OFFSETS, radius, dilation)
    result = mind_ssc(volume.to(device), radius, dilation).cpu()
    assert result.shape == (12, *volume.shape)
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("limit", [1, 400, 1 << 20])
@pytest.mark.parametrize("radius", [0, 1, 3])
def test_slabs_change_nothing(limit, radius, monkeypatch):
    """One slice at a time, three, all at once: the same."""
    expected = plain.mind_ssc(image().double().numpy(), OFFSETS, radius, 2)
    monkeypatch.setattr(mind, "_SLAB_VOXELS", {"cpu": limit})
    np.testing.assert_allclose(mind_ssc(image(), radius, 2).numpy(), expected, atol=1e-4)


def test_the_differentiable_path_gives_the_same():
    volume = image()
    torch.testing.assert_close(mind_ssc(volume.clone().requires_grad_()).detach(), mind_ssc(volume), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("gain", "offset"), [(3.0, 0.0), (1.0, -1000.0), (0.02, 50.0)])
def test_brightness_and_contrast_do_not_matter(gain, offset):
    volume = image(dtype=torch.float64)
    torch.testing.assert_close(mind_ssc(gain * volume + offset), mind_ssc(volume), atol=1e-9, rtol=0)
    torch.testing.assert_close(mind_ssc(-volume), mind_ssc(volume), atol=1e-12, rtol=0)  # nor does the sign: squares


def test_values_are_shares_and_the_nearest_pair_has_one():
    result = mind_ssc(image())
    assert result.min() >= 0.0
    torch.testing.assert_close(result.amax(0), torch.ones_like(result[0]))


def test_an_empty_image_gives_numbers():
    assert torch.equal(mind_ssc(torch.full((5, 6, 7), 3.0)), torch.ones(12, 5, 6, 7))


def test_gradients():
    volume = image((3, 4, 3), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: mind_ssc(v, 1, 1), (volume,), atol=1e-6)


def test_the_extractor_is_the_descriptor():
    extractor = Mind(2, 1)
    assert (extractor.name, extractor.channels, extractor.reach) == ("mind", 12, 3)
    assert torch.equal(extractor(image(), 2.5), mind_ssc(image(), 2, 1))


def test_reach_is_the_largest_distance_of_a_voxel_with_influence():
    """A changed voxel changes no descriptor beyond the reach, but the image's mean contrast, which only bounds V."""
    extractor, volume = Mind(1, 2), image((15, 15, 15))
    other = volume.clone()
    other[7, 7, 7] += 30.0
    changed = ((extractor(volume, 1.0) - extractor(other, 1.0)).abs().amax(0) > 1e-4).nonzero()
    assert (changed - 7).abs().max() == extractor.reach


def test_intensity_has_one_window_for_both_images():
    extractor = Intensity()
    first = torch.linspace(0.0, 1000.0, 6 * 7 * 8).view(6, 7, 8)
    features = extractor(first, 1.0)
    assert features.shape == (1, 6, 7, 8)
    assert (features.min(), features.max()) == (0.0, 1.0)
    torch.testing.assert_close(features[0, 3, 3, 3], (first[3, 3, 3] - 10.0) / 980.0, atol=1e-3, rtol=0)
    torch.testing.assert_close(extractor(first + 98.0, 1.0)[0, 3, 3, 3], features[0, 3, 3, 3] + 0.1, atol=1e-5, rtol=0)
