"""The Points method on clouds with a known deformation: every solver, every preset."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scenes import make_grid

from deepreg_engine.errors import DeviceError, InputError, ParameterError
from deepreg_engine.methods.points import register as module
from deepreg_engine.methods.points.parameters import POINT_INITIALS, SOLVERS, PointsParameters
from deepreg_engine.methods.points.presets import POINTS_PRESETS, points_preset
from deepreg_engine.methods.points.register import register_points

CENTRE = np.array([20.0, -30.0, 40.0])
GRID = make_grid((30, 26, 18), (4.1, 4.6, 8.3), (12, -9, 17), centre=CENTRE)


def motion(points):
    """Fixed to moving points, mm: an affine map and a smooth wave."""
    centred = points - CENTRE
    affine = centred @ np.array([[1.05, 0.04, 0.0], [-0.03, 0.95, 0.02], [0.0, 0.05, 1.08]]).T + CENTRE + [6.0, 6.0, -9.0]
    return affine + 5.0 * np.sin(centred[:, [1, 2, 0]] / 30.0)


@dataclasses.dataclass
class Clouds:
    """Fixed points, moving points, the fixed points' partners among them (-1 is none), and other places."""

    fixed: np.ndarray
    moving: np.ndarray
    partners: np.ndarray
    inside: np.ndarray


def clouds(count, alone, seed=0):
    """Of the fixed points and of the moving ones that many have no partner; moving ones are shuffled."""
    random = np.random.default_rng(seed)
    low, high = CENTRE - [60.0, 50.0, 70.0], CENTRE + [60.0, 50.0, 70.0]
    fixed = random.uniform(low, high, (count, 3))
    extra = motion(random.uniform(low, high, (alone, 3)))
    moving = np.concatenate([motion(fixed[alone:]), extra])
    order = random.permutation(len(moving))
    partners = np.full(count, -1)
    partners[alone:] = np.argsort(order)[: count - alone]
    return Clouds(fixed, moving[order], partners, random.uniform(low + 15.0, high - 15.0, (200, 3)))


@pytest.fixture(scope="module")
def many():
    return clouds(400, 60)


def error(result, scene):
    return float(np.linalg.norm(result.map_points(scene.inside) - motion(scene.inside), axis=1).mean())


def settings(**changes):
    return dataclasses.replace(PointsParameters(), **changes)


@pytest.mark.parametrize(
    ("solver", "features", "limit"),
    [
        ("belief+drift", "lung-points", 1.0),
        ("belief+drift", "none", 1.0),
        ("belief", "lung-points", 2.0),
        ("belief", "none", 2.0),
        ("drift", "lung-points", 1.5),
        ("drift", "none", 1.5),
    ],
)
def test_every_solver_finds_a_smooth_motion(many, solver, features, limit):
    assert np.linalg.norm(many.inside - motion(many.inside), axis=1).mean() > 10.0
    iterations = 60 if solver == "drift" else 10
    result = register_points(many.fixed, many.moving, settings(solver=solver, features=features, drift_iterations=iterations), "cpu")
    assert error(result, many) < limit
    known = many.partners >= 0
    assert (result.partners[known] == many.partners[known]).mean() > 0.8
    assert result.confidence.shape == (400,)
    assert result.confidence.min() >= 0.0
    assert result.confidence.max() <= 1.0 + 1e-6
    assert result.confidence[known].mean() > result.confidence[~known].mean()
    assert (result.sigma is None) is (solver == "belief")
    assert result.features == features
    assert result.device.startswith("CPU")
    np.testing.assert_allclose(result.map_points(many.fixed), result.moved, atol=1e-9)


@pytest.mark.parametrize("preset", POINTS_PRESETS, ids=lambda preset: preset.name)
def test_every_preset(preset):
    scene = clouds(60, 0, 3) if preset.name == "landmarks" else clouds(400, 20, 3)
    result = register_points(scene.fixed, scene.moving, preset.parameters, "cpu")
    assert error(result, scene) < 1.5
    known = scene.partners >= 0
    assert (result.partners[known] == scene.partners[known]).mean() > (0.99 if preset.name == "landmarks" else 0.9)


@pytest.mark.parametrize("initial", POINT_INITIALS)
def test_alignments(many, initial):
    """Each alignment leads to the same motion, and the result names the alignment."""
    result = register_points(many.fixed, many.moving, settings(initial=initial), "cpu")
    assert error(result, many) < 1.5
    matrix = result.alignment[:3, :3]
    assert result.alignment[3].tolist() == [0.0, 0.0, 0.0, 1.0]
    if initial in ("none", "centres"):
        np.testing.assert_array_equal(matrix, np.eye(3))
        np.testing.assert_allclose(result.alignment[:3, 3], (many.moving.mean(0) - many.fixed.mean(0)) * (initial == "centres"))
    if initial == "rigid":
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
    if initial == "similarity":
        scale = np.linalg.det(matrix) ** (1 / 3)
        np.testing.assert_allclose(matrix @ matrix.T, scale**2 * np.eye(3), atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_far_from_the_origin_is_the_same(solver):
    scene = clouds(150, 20)
    parameters = settings(solver=solver, coarse_width=60.0)
    shift = np.array([1500.0, -1500.0, 1500.0])
    near = register_points(scene.fixed, scene.moving, parameters, "cpu")
    far = register_points(scene.fixed + shift, scene.moving + shift, parameters, "cpu")
    np.testing.assert_allclose(far.moved - shift, near.moved, atol=1e-3)
    np.testing.assert_allclose(far.map_points(scene.inside + shift) - shift, near.map_points(scene.inside), atol=1e-3)


def test_twice_is_the_same(many):
    one, two = (register_points(many.fixed, many.moving, PointsParameters(), "cpu") for _ in range(2))
    np.testing.assert_allclose(one.moved, two.moved, atol=1e-3)


def test_the_order_of_points_means_nothing():
    scene = clouds(150, 20)
    order = np.random.default_rng(9).permutation(150)
    one = register_points(scene.fixed, scene.moving, PointsParameters(), "cpu")
    two = register_points(scene.fixed[order], scene.moving[order], PointsParameters(), "cpu")
    np.testing.assert_allclose(two.moved, one.moved[order], atol=0.2)


def test_on_every_device(many, device):
    result = register_points(many.fixed, many.moving, PointsParameters(), device.type)
    assert error(result, many) < 1.0
    assert result.device.startswith("CPU") is (device.type == "cpu")


def test_field_is_the_map(many):
    result = register_points(many.fixed, many.moving, PointsParameters(), "cpu")
    places = GRID.points().reshape(-1, 3)
    expected = (result.map_points(places) - places).T.reshape(3, *GRID.shape)
    np.testing.assert_allclose(result.field(GRID).vectors, expected, atol=1e-3)


def test_thin_plates_go_through_the_moved_points(many, monkeypatch):
    result = register_points(many.fixed, many.moving, settings(interpolation="thin-plate"), "cpu")
    np.testing.assert_allclose(result.map_points(many.fixed), result.moved, atol=1e-5)
    assert error(result, many) < 1.2
    assert not result.notes
    monkeypatch.setattr(module, "_PLATE_POINTS", 100)
    fewer = register_points(many.fixed, many.moving, settings(interpolation="thin-plate"), "cpu")
    assert any("100 of the points" in note for note in fewer.notes)
    assert error(fewer, many) < 2.0
    assert np.isfinite(fewer.field(GRID).vectors).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_progress_goes_on_to_the_end(many, solver):
    seen = []
    register_points(many.fixed, many.moving, settings(solver=solver), "cpu", lambda share, stage: seen.append((share, stage)))
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert len(seen) > 10
    assert all(stage for _, stage in seen)


@pytest.mark.parametrize("at", [0.0, 0.1, 0.3, 0.85])
def test_what_progress_raises_stops_it(many, at):
    class Stop(Exception):
        pass

    def progress(share, stage):
        if share >= at:
            raise Stop

    with pytest.raises(Stop):
        register_points(many.fixed, many.moving, PointsParameters(), "cpu", progress)


def test_few_points_and_duplicates():
    """As few as four, more candidates asked for than there are, each point twice."""
    scene = clouds(4, 0)
    for parameters in (PointsParameters(), points_preset("shape").parameters, points_preset("landmarks").parameters):
        assert np.isfinite(register_points(scene.fixed, scene.moving, parameters, "cpu").moved).all()
    scene = clouds(120, 0)
    twice = register_points(np.repeat(scene.fixed, 2, 0), np.repeat(scene.moving, 2, 0), PointsParameters(), "cpu")
    assert error(twice, scene) < 2.5
    np.testing.assert_allclose(twice.moved[::2], twice.moved[1::2], atol=1e-4)


def test_what_is_not_there_is_refused(many):
    with pytest.raises(DeviceError):
        register_points(many.fixed, many.moving, PointsParameters(), "abacus")
    with pytest.raises(ParameterError):
        register_points(many.fixed, many.moving, settings(features="no-such-model"), "cpu")
    with pytest.raises(ParameterError, match="no preset 'lungs'") as caught:
        points_preset("lungs")
    assert caught.value.advice == "did you mean lung?"


def test_another_methods_model_is_refused(tmp_path):
    from deepreg_engine.models.card import ModelCard, write_model
    from deepreg_engine.models.store import load_matcher

    write_model(tmp_path / "dense.safetensors", ModelCard("dense-one", "dense", "obelisk"), {"a": np.zeros(3, np.float32)})
    with pytest.raises(InputError, match="gives no features of points"):
        load_matcher(str(tmp_path / "dense.safetensors"))


def test_nothing_needs_gradients(many):
    with torch.enable_grad():
        result = register_points(many.fixed, many.moving, PointsParameters(), "cpu")
    assert not result.map.matrix.requires_grad
