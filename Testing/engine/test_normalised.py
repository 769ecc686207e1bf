"""Locally normalised intensity against SciPy, its invariance, and its relation to the local correlation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from deepreg_engine.features.normalised import SCALES, Normalised


def smooth_noise(seed, shape=(22, 25, 28), sigma=1.5):
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma)


def features(volume):
    return Normalised()(torch.tensor(volume, dtype=torch.float32), 1.0).numpy()


def test_values_agree_with_scipy():
    volume = 100.0 + 40.0 * smooth_noise(1)
    expected = []
    for sigma in SCALES:
        mean = ndimage.gaussian_filter(volume, sigma, mode="nearest", truncate=2.0)
        variance = ndimage.gaussian_filter(np.square(volume), sigma, mode="nearest", truncate=2.0) - np.square(mean)
        expected.append((volume - mean) / np.sqrt(variance))
    assert features(volume) == pytest.approx(np.stack(expected), abs=2e-3)


@pytest.mark.parametrize(("gain", "offset"), [(0.01, 0.0), (3.0, 1000.0), (1.0, -1024.0)])
def test_brightness_and_contrast_do_not_matter(gain, offset):
    volume = smooth_noise(2)
    assert features(gain * volume + offset) == pytest.approx(features(volume), abs=5e-3)


def test_the_sign_of_the_contrast_matters():
    volume = smooth_noise(3)
    assert features(-volume) == pytest.approx(-features(volume), abs=1e-5)


def test_differences_measure_the_correlation():
    """For two images with correlation r, the mean squared difference is nearly 2 (1 - r) times the mean square."""
    first, second = smooth_noise(4, (40, 40, 40)), smooth_noise(5, (40, 40, 40))
    for share in (0.0, 0.5, 0.9):
        other = share * first + np.sqrt(1 - share**2) * second
        one, two = features(first), features(other)
        assert np.square(one - two).mean() / np.square(one).mean() == pytest.approx(2 * (1 - share), abs=0.12)


def test_a_uniform_image_has_features_of_zero():
    assert np.all(features(np.full((8, 9, 10), 7.0)) == 0.0)
