"""Shapes, deformations, noise and trees, of which phantoms are made."""

from __future__ import annotations

import numpy as np
import pytest

from deepreg_engine.phantoms.deformation import Breathing, Deformation
from deepreg_engine.phantoms.noise import NoiseField, Warp, generator
from deepreg_engine.phantoms.shapes import capsule, ellipsoid, rotation, smooth_minimum
from deepreg_engine.phantoms.trees import grow
from deepreg_engine.phantoms.tubes import centreline, tube


def test_inverse_of_a_deformation_undoes_it():
    rng = np.random.default_rng(0)
    field = Deformation(
        np.array((5.0, -3.0, 150.0)), rng.normal(0, 0.04, (3, 3)), np.array((4.0, -6.0, 2.0)), rng.uniform(-100, 100, (12, 3)),
        rng.uniform(30, 50, 12), rng.normal(0, 5, (12, 3)), Breathing(24.0, 5.0),
    )  # fmt: skip
    moving = rng.uniform(-120, 250, (200, 3))
    fixed = field.inverse(moving)
    np.testing.assert_allclose(field.map_points(fixed), moving, atol=1e-8)
    step = np.array((1e-4, -2e-4, 1e-4))
    linear = np.einsum("nca,a->nc", field.jacobian(fixed), step)
    np.testing.assert_allclose(field.map_points(fixed + step) - moving, linear, atol=1e-7)


def test_distances_are_distances():
    rng = np.random.default_rng(1)
    points = rng.uniform(-60, 60, (3, 400)).astype(np.float32)
    ball = ellipsoid((5, -4, 3), (30, 30, 30))
    expected = np.linalg.norm(points.T - (5, -4, 3), axis=1) - 30
    np.testing.assert_allclose(ball.distance(points), expected, atol=1e-3)
    bar = capsule((-20, 0, 0), (20, 0, 0), 8.0, 8.0)
    beside = np.linalg.norm(points.T - np.clip(points[0], -20, 20)[:, None] * (1, 0, 0), axis=1) - 8
    np.testing.assert_allclose(bar.distance(points), beside, atol=1e-3)
    pipe = tube(centreline([(-20, 0, 0), (20, 0, 0)], 8.0), reach=500.0)
    middle = np.abs(points[0]) < 18
    np.testing.assert_allclose(pipe.distance(points)[middle], beside[middle], atol=1e-2)
    # An oblique ellipsoid: zero on its surface, of slope one across it, and its box holds it.
    axes = rotation(("z", 30), ("x", 20))
    egg = ellipsoid((0, 0, 0), (40, 25, 15), axes)
    sphere = rng.standard_normal((3, 300))
    surface = axes @ (np.array((40, 25, 15))[:, None] * sphere / np.linalg.norm(sphere, axis=0))
    assert np.abs(egg.distance(surface.astype(np.float32))).max() < 1e-3
    normal = axes @ (axes.T @ surface / np.array((40, 25, 15))[:, None] ** 2)
    normal /= np.linalg.norm(normal, axis=0)
    np.testing.assert_allclose(egg.distance((surface + 0.5 * normal).astype(np.float32)), 0.5, atol=0.05)
    assert np.all(egg.lower - 1e-6 <= surface.T)
    assert np.all(egg.upper + 1e-6 >= surface.T)


def test_smooth_minimum_rounds_only_where_both_are_near():
    first, second = np.linspace(-10, 10, 41), np.full(41, 1.0)
    rounded = smooth_minimum(first, second, 4.0)
    sharp = np.minimum(first, second)
    far = np.abs(first - second) >= 4
    np.testing.assert_array_equal(rounded[far], sharp[far])
    assert np.all(rounded <= sharp)
    assert (sharp - rounded).max() == pytest.approx(1.0)


def test_a_warp_is_undone():
    warp = Warp(generator(3, "test"), ((90.0, 3.0), (40.0, 1.0)), (1.03, 0.97, 1.01))
    model = np.random.default_rng(2).uniform(-100, 100, (50, 3))
    np.testing.assert_allclose(warp.to_model(warp.to_patient(model).T).T, model, atol=1e-3)


def test_noise_has_zero_mean_unit_variance_and_its_wavelength():
    field = NoiseField(generator(0, "test"), 20.0, 0.2)
    line = np.zeros((3, 4000), dtype=np.float32)
    line[:] = np.random.default_rng(5).uniform(0, 160, (3, 4000))
    values = field(line)
    assert abs(values.mean()) < 0.15
    assert 0.8 < values.std() < 1.2
    # Half a wavelength on, a narrow band tends to the opposite sign; in 3D over all directions less than fully.
    shifted = line + np.array((10.0, 0, 0), dtype=np.float32)[:, None]
    assert np.corrcoef(values, field(shifted))[0, 1] < 0.25
    assert np.corrcoef(values, field(line + np.float32(0.5)))[0, 1] > 0.95


def test_a_tree_reaches_its_tips_and_obeys_murrays_law():
    rng = np.random.default_rng(4)
    tips = rng.uniform(-50, 50, (40, 3)) + (0, 0, 80)
    tree = grow(np.array([(0, 0, -10.0), (0, 0, 0)]), tips, rng, 1.0, 100.0)
    assert all(np.linalg.norm(tree.nodes - tip, axis=1).min() < 1e-9 for tip in tips)
    leaves = np.setdiff1d(np.arange(len(tree.nodes)), tree.parents)
    assert np.all(tree.radii[leaves] == 1.0)
    assert len(leaves) > 10
    assert tree.radii[0] == pytest.approx(len(leaves) ** (1 / 3))
    for node in range(len(tree.nodes)):
        children = [child for child in range(1, len(tree.nodes)) if tree.parents[child] == node]
        if children:
            assert tree.radii[node] ** 3 == pytest.approx(sum(tree.radii[child] ** 3 for child in children))
    assert np.all(tree.parents[1:] < np.arange(1, len(tree.nodes)))
