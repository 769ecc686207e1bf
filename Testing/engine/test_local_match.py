"""Matching a point in a small window, without torch: known shifts, rotations, and places without structure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import deepreg_engine
from deepreg_engine.features.local_match import MARGIN, PATCH, match_patch, match_point, mind, trilinear
from deepreg_engine.metrics.landmarks import outlier_limit

TURN = np.linalg.qr(np.array([[0.9, -0.3, 0.2], [0.3, 0.9, -0.1], [-0.15, 0.2, 0.95]]))[0]
TURN = TURN @ np.diag(np.sign(np.diag(TURN)))


def texture(points: np.ndarray, seed: int = 0) -> np.ndarray:
    """A function of the world (N, 3), mm, with structures of some 5 to 15 mm."""
    generator = np.random.default_rng(seed)
    value = np.zeros(len(points))
    for _ in range(40):
        wave, phase = generator.normal(size=3), generator.uniform(0, 6.3)
        wave *= 2 * np.pi / generator.uniform(6.0, 16.0) / np.linalg.norm(wave)
        value += np.sin(points @ wave + phase)
    return value


IDENTITY = np.eye(3)


def image(seed: int = 0, linear: np.ndarray = IDENTITY, shift=(0.0, 0.0, 0.0), scale: float = 1.0):
    """A sampler of the texture at linear^-1 (x - shift), of other brightness."""
    back = np.linalg.inv(linear)
    return lambda points: (scale * texture((points - np.array(shift)) @ back.T, seed) + 7.0, np.ones(len(points), dtype=bool))


@pytest.mark.parametrize("shift", [(0, 0, 0), (2, -3, 1), (-4, 4, 5)])
def test_a_patch_is_found_where_it_is(shift):
    volume = np.random.default_rng(1).normal(size=(40, 40, 40))
    half, search = PATCH + MARGIN, 6
    fixed = volume[tuple(slice(20 - half, 21 + half) for _ in range(3))]
    moving = volume[tuple(slice(20 - s - half - search, 21 - s + half + search) for s in shift)]
    found = match_patch(fixed, -3.0 * moving)  # inverted contrast, which the descriptor ignores
    assert np.round(found.offset).tolist() == list(shift)
    assert found.confidence > 0.6
    assert not found.at_border


def test_a_point_is_found_after_a_turn_and_a_shift():
    shift, point = np.array([3.1, -2.4, 1.7]), np.array([11.0, -7.0, 4.0])
    linear = TURN @ np.diag([1.05, 0.95, 1.0])
    truth = linear @ point + shift
    found = match_point(image(), image(linear=linear, shift=shift, scale=-2.0), point, truth + (4.3, -3.2, 2.6), linear, 1.0, 10.0)
    assert np.linalg.norm(found.position - truth) < 0.3
    assert found.confidence > 0.2
    assert found.shift == pytest.approx(np.linalg.norm((4.3, -3.2, 2.6)), abs=0.3)


def test_without_structure_the_prediction_stands_without_confidence():
    def flat(points):
        return np.full(len(points), 3.0), np.ones(len(points), dtype=bool)

    found = match_point(flat, flat, np.zeros(3), np.array([1.0, 2.0, 3.0]), np.eye(3), 1.0, 8.0)
    assert found.confidence == 0.0
    assert found.shift < 1e-6

    def edge(points):  # a plane: the place along it is unknown
        return np.tanh(points[:, 0]), np.ones(len(points), dtype=bool)

    assert match_point(edge, edge, np.zeros(3), np.zeros(3), np.eye(3), 1.0, 8.0).confidence < 0.05


def test_a_window_that_is_too_small_gives_no_confidence():
    found = match_point(image(), image(shift=(9.0, 0.0, 0.0)), np.zeros(3), np.zeros(3), np.eye(3), 1.0, 4.0)
    assert found.confidence < 0.15


def test_the_descriptor_is_that_of_the_torch_version():
    torch = pytest.importorskip("torch")
    from deepreg_engine.features.mind import mind_ssc

    volume = np.random.default_rng(2).normal(size=(11, 12, 13))
    whole = mind_ssc(torch.from_numpy(volume), radius=1, dilation=1).numpy()[:, 2:-2, 2:-2, 2:-2]
    assert np.corrcoef(mind(volume).ravel(), whole.ravel())[0, 1] > 0.9999


def test_values_between_voxels():
    volume = np.arange(4 * 5 * 6, dtype=float).reshape(4, 5, 6)
    values, inside = trilinear(volume, np.array([[1.5, 2.25, 0.5], [0.0, 0.0, 0.0], [5.4, 4.0, 3.0], [-2.0, 0.0, 0.0]]))
    assert np.allclose(values, [1.5 + 6 * 2.25 + 30 * 0.5, 0.0, 119.0, 0.0])
    assert inside.tolist() == [True, True, True, False]


def test_no_torch_is_loaded():
    code = "import sys, deepreg_engine.features.local_match, deepreg_engine.metrics.landmarks; sys.exit('torch' in sys.modules)"
    where = Path(deepreg_engine.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=where).returncode == 0


def test_outliers_by_median_and_deviation():
    distances = np.array([1.0, 1.2, 0.9, 1.1, 1.0, 9.0])
    median = np.median(distances)
    assert outlier_limit(distances) == pytest.approx(median + 3 * 1.4826 * np.median(np.abs(distances - median)), abs=1e-5)
    assert (distances > outlier_limit(distances)).sum() == 1
    assert outlier_limit(distances[:2]) == float("inf")
    assert not (np.full(5, 2.0) > outlier_limit(np.full(5, 2.0))).any()
