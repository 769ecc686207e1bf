"""The Points method on lungs at two breathing states, with experts' landmarks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.points.presets import points_preset
from deepreg_engine.methods.points.register import register_points

CASES = (2, 3, 4, 5)


@pytest.fixture(scope="module")
def copd(shared_data):
    """Keypoints detected independently in the exhaled (fixed) and inhaled scan, and 300 pairs of landmarks, mm, of each case."""
    folder = shared_data / "lung_points" / "dirlab_copd_02_05"
    parts = ("exp_keypoints", "insp_keypoints", "exp_landmarks", "insp_landmarks")
    return [[np.loadtxt(folder / f"case_{case:02d}_{part}.csv", delimiter=",", skiprows=1) for part in parts] for case in CASES]


def errors(copd, parameters):
    """Mean landmark error of each case, mm."""
    return [
        np.linalg.norm(register_points(fixed, moving, parameters, "cpu").map_points(marks) - truth, axis=1).mean()
        for fixed, moving, marks, truth in copd
    ]


def test_lungs_are_registered_and_features_help(copd):
    before = np.mean([np.linalg.norm(marks - truth, axis=1).mean() for _, _, marks, truth in copd])
    with_features = errors(copd, PointsParameters())
    without = errors(copd, replace(PointsParameters(), features="none"))
    assert before > 11.0
    assert np.mean(with_features) < 3.0, with_features
    assert max(with_features) < 4.5, with_features
    assert np.mean(with_features) < np.mean(without) - 0.2, (with_features, without)


@pytest.fixture(scope="module")
def landmarks(shared_data):
    """51 true pairs, some 35 mm apart."""
    folder = shared_data / "thorax"
    fixed, moving = (np.loadtxt(folder / f"CT_3D_lung_{part}_point_set_corrected.txt", skiprows=2) for part in ("fixed", "moving"))
    assert fixed.shape == moving.shape == (51, 3)
    return fixed, moving


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reverse", [False, True])
def test_every_partner_of_shuffled_landmarks_is_found(landmarks, seed, reverse):
    fixed, moving = landmarks[::-1] if reverse else landmarks
    order = np.random.default_rng(seed).permutation(len(moving))
    result = register_points(fixed, moving[order], points_preset("landmarks").parameters, "cpu")
    assert order[result.partners].tolist() == list(range(len(fixed)))
    assert np.linalg.norm(fixed - moving, axis=1).mean() > 30.0
    assert np.linalg.norm(result.moved - moving, axis=1).mean() < 2.5
