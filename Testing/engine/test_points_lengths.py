"""The lengths of the Points method follow the size of what the fixed image or points show."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from command_line import call
from registering import scene
from scenes import image_on, make_grid

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.points import PointSet, read_points, write_points
from deepreg_engine.jobs.reading import read_inputs
from deepreg_engine.jobs.request import make_request
from deepreg_engine.methods.base import Inputs, Task
from deepreg_engine.methods.common.lengths import length_factor, size_of
from deepreg_engine.methods.points.explain import explain_points
from deepreg_engine.methods.points.parameters import PointsOptions, PointsParameters
from deepreg_engine.methods.points.presets import POINTS_PRESETS
from deepreg_engine.methods.points.register import register_points
from deepreg_engine.methods.registry import find_method
from deepreg_engine.progress import no_progress
from deepreg_engine.training.points.examples import PointExamples
from deepreg_engine.training.points.pairs import PointPair
from deepreg_engine.training.points.parameters import PointTraining
from deepreg_engine.training.points.trainer import PointTrainer

pytestmark = pytest.mark.usefixtures("one_thread")
FACTORS = (0.1, 10.0)


def motion(points):
    return points @ np.array([[1.05, 0.04, 0.0], [-0.03, 0.95, 0.02], [0.0, 0.05, 1.08]]).T + 6.0 * np.sin(points[:, [1, 2, 0]] / 40.0)


def clouds(count=240, alone=30):
    """Fixed points of a person, and moving ones in another order, some of which have no partner."""
    random = np.random.default_rng(4)
    points = random.uniform([-60.0, -50.0, 100.0], [60.0, 50.0, 350.0], (count + alone, 3))
    return points[:count], random.permutation(motion(points[alone:]))


def settings(**changes):
    return replace(PointsParameters(), **changes)


# -------------------------------------------------------------------------------------------------------------------- clouds


@pytest.mark.parametrize("refined", [False, True])
def test_the_distance_of_points_of_label_maps_follows_the_factor(tmp_path, refined):
    """A structure of a mouse has as many points as that of a person, unless a distance was chosen; the moving one has the same factor."""
    counts = {}
    for name, factor in (("person", 1.0), ("mouse", 0.1)):
        grid = make_grid((170, 26, 22), tuple(factor * np.array((1.5, 1.4, 1.6))), (3, -4, 5))
        far = np.linalg.norm(
            grid.physical_to_index(grid.points().reshape(-1, 3)).reshape(*grid.shape, 3) / (84.5, 12.5, 10.5) - 1.0, axis=-1
        )
        files = {side: str(tmp_path / f"{name} {side}.nrrd") for side in ("fixed", "moving", "image")}
        for side, limit in (("fixed", 0.98), ("moving", 0.5)):
            sitk.WriteImage(image_on(grid, (far < limit).astype(np.uint8)), files[side])
        sitk.WriteImage(image_on(grid, (100.0 * far).astype(np.float32)), files["image"])
        images = {"fixed": files["image"], "moving": files["image"]} if refined else {}
        for chosen in ({}, {"source_spacing": 4.0}):
            arguments = {"fixed_points": files["fixed"], "moving_points": files["moving"], "transform": str(tmp_path / "t.nrrd"), **images}
            found = read_inputs(make_request("points", **arguments, **chosen)).clouds
            counts[name, bool(chosen)] = [len(cloud) for cloud in found]
    assert counts["mouse", False] == pytest.approx(counts["person", False], rel=0.15)
    assert min(counts["person", False]) > 300
    assert max(counts["mouse", True]) < 60


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("preset", POINTS_PRESETS, ids=lambda preset: preset.name)
def test_clouds_of_any_size_are_registered_like_those_of_a_person(preset, factor):
    fixed, moving = clouds()
    error = np.linalg.norm(
        register_points(factor * fixed, factor * moving, preset.parameters, "cpu").moved / factor - motion(fixed), axis=1
    )
    person = np.linalg.norm(register_points(fixed, moving, preset.parameters, "cpu").moved - motion(fixed), axis=1)
    assert np.median(error) < 1.1 * np.median(person) + 0.1
    assert np.median(error) < 0.2 * np.median(np.linalg.norm(motion(fixed) - fixed, axis=1))


@pytest.mark.parametrize("changes", [{}, {"solver": "belief"}, {"solver": "drift", "interpolation": "thin-plate"}], ids=str)
def test_the_result_is_in_proportion(changes):
    """The field on an oblique grid, alignment, stages, confidence and partners."""
    factor, (fixed, moving) = 0.1, clouds()
    grid = make_grid((9, 7, 8), (11.0, 14.0, 17.0), (12, -9, 17), centre=(5.0, -4.0, 220.0))
    small = make_grid((9, 7, 8), (1.1, 1.4, 1.7), (12, -9, 17), centre=(0.5, -0.4, 22.0))
    person = register_points(fixed, moving, settings(**changes), "cpu")
    mouse = register_points(factor * fixed, factor * moving, settings(length_scale=factor, **changes), "cpu")
    np.testing.assert_allclose(mouse.moved, factor * person.moved, atol=2e-3)
    np.testing.assert_allclose(mouse.map_points(factor * fixed), mouse.moved, atol=1e-6)
    np.testing.assert_allclose(mouse.field(small).vectors, factor * person.field(grid).vectors, atol=2e-3)
    np.testing.assert_allclose(mouse.alignment[:3, :3], person.alignment[:3, :3], atol=1e-4)
    np.testing.assert_allclose(mouse.alignment[:3, 3], factor * person.alignment[:3, 3], atol=1e-3)
    np.testing.assert_allclose(mouse.confidence, person.confidence, atol=0.02)
    assert (mouse.partners == person.partners).mean() > 0.98
    assert (mouse.sigma is None) == (person.sigma is None)
    for one, other in zip(mouse.stages, person.stages, strict=True):
        lengths = [name for name in one if name.endswith("_mm")]
        assert lengths
        for name in lengths:
            np.testing.assert_allclose(one[name], factor * np.array(other[name]), rtol=0.02)


@pytest.mark.parametrize("solver", ["belief", "drift"])
def test_the_explanation_is_in_proportion(solver):
    factor, (fixed, moving) = 0.1, clouds()
    arguments = settings(solver=solver, length_scale=1.0), 2.0
    person = explain_points(fixed, moving, motion(fixed), *arguments, device="cpu")
    parameters = settings(solver=solver, length_scale=factor)
    mouse = explain_points(factor * fixed, factor * moving, factor * motion(fixed), parameters, 2.0 * factor, "cpu")
    np.testing.assert_array_equal(mouse.candidates[:, 0], person.candidates[:, 0])
    np.testing.assert_allclose(mouse.probability, person.probability, atol=1e-3)
    np.testing.assert_allclose(mouse.confidence, person.confidence, atol=1e-3)
    np.testing.assert_allclose(mouse.moved, factor * motion(fixed))


def test_the_size_of_points_is_the_longest_edge_of_their_bounding_box():
    spine = np.random.default_rng(1).uniform([0, 0, 0], [30.0, 30.0, 400.0], (200, 3))
    assert find_method("points").fitted(PointsParameters(), spine) == (settings(length_scale=1.0), [])
    chosen = settings(fine_width=7.0)
    assert find_method("points").fitted(chosen, 0.1 * spine) == (replace(chosen, length_scale=1.0), [])


def test_a_file_of_points_is_noted_and_reported(tmp_path):
    fixed, moving = (0.1 * cloud for cloud in clouds())
    write_points(tmp_path / "fixed.csv", PointSet(fixed))
    write_points(tmp_path / "moving.csv", PointSet(moving))
    inputs = ("--fixed-points", tmp_path / "fixed.csv", "--moving-points", tmp_path / "moving.csv")
    outputs = ("--transform", tmp_path / "t.nrrd", "--report", tmp_path / "r.json")
    outcome = call("register", "points", *inputs, "--preset", "shape", *outputs)
    size = np.ptp(fixed, axis=0).max()
    note = f"the fixed points span {size:.3g} mm: all lengths of the parameters were multiplied by 0.099 (length_scale)"
    assert outcome.code == 0
    assert note in outcome.out
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["notes"] == [note]
    assert report["parameters"]["length_scale"] == pytest.approx(size / 250.0)
    # The grid of the field is that of a person, smaller.
    grid = ImageGrid.of(sitk.ReadImage(str(tmp_path / "t.nrrd")))
    assert max(grid.spacing) < 0.25
    assert np.abs(np.array(grid.origin) - (np.minimum(fixed.min(0), moving.min(0)) - 2.0)).max() < 0.25


# -------------------------------------------------------------------------------------------------------------------- images


def scaled(image, factor):
    copy = sitk.Image(image)
    copy.SetSpacing([factor * value for value in image.GetSpacing()])
    copy.SetOrigin([factor * value for value in image.GetOrigin()])
    return copy


def registered(factor, length_scale):
    pair = scene("thorax")
    inputs = Inputs(fixed=scaled(pair.fixed, factor), moving=scaled(pair.moving, factor))
    parameters = settings(keypoint_spacing=5.0, keypoint_distance=15.0, keypoint_count=500, length_scale=length_scale)
    options = PointsOptions(refine=True, refine_preset="quick")
    return find_method("points").register(Task(parameters, options, inputs, frozenset({"transform"}), "cpu"), no_progress)


def test_keypoints_and_refinement_are_in_proportion():
    person = registered(1.0, 0.0)  # without a scale: lengths that were chosen stay
    assert person.details["refinement"]["parameters"]["length_scale"] == 1.0
    for factor in FACTORS:
        other = registered(factor, factor)
        assert other.details["refinement"]["parameters"]["length_scale"] == factor
        keypoints = person.products["fixed_keypoints"].positions, other.products["fixed_keypoints"].positions
        np.testing.assert_allclose(keypoints[1], factor * keypoints[0], atol=1e-3 * factor)
        apart = np.linalg.norm(other.displacements.vectors / factor - person.displacements.vectors, axis=0)
        assert np.median(apart) < 0.03 * np.median(person.displacements.lengths())


def test_the_command_of_keypoints_scales_their_distance(tmp_path):
    noise = np.random.default_rng(2).normal(size=(20, 24, 28)).astype(np.float32)
    grid = make_grid((28, 24, 20), (6.0, 7.0, 8.0), (12, -9, 17))
    found = []
    for factor in (1.0, 0.1):
        sitk.WriteImage(scaled(image_on(grid, noise), factor), str(tmp_path / "i.nii.gz"))
        outcome = call("keypoints", "--image", tmp_path / "i.nii.gz", "--output", tmp_path / "k.csv")
        assert outcome.code == 0
        assert any("multiplied by 0.067" in message for message in outcome.messages) == (factor < 1.0)
        found.append(read_points(tmp_path / "k.csv").positions)
    assert len(found[1]) > 0.8 * len(found[0]) > 100


# ------------------------------------------------------------------------------------------------------------------ training


def test_features_are_trained_at_the_size_at_which_they_are_compared():
    fixed, _ = clouds()
    np.testing.assert_array_equal(PointPair("p", fixed, motion(fixed)).nominal().fixed, fixed)
    pair = PointPair("p", 0.1 * fixed, 0.1 * motion(fixed))
    factor = length_factor(size_of(pair.fixed))
    assert factor == pytest.approx(0.1, rel=0.02)
    np.testing.assert_allclose(pair.nominal().fixed, pair.fixed / factor)
    np.testing.assert_allclose(pair.nominal().partners, pair.partners / factor)
    examples = PointTrainer().examples([pair], PointTraining(), 3)
    expected = PointExamples([pair.nominal()], torch.Generator().manual_seed(3))
    assert torch.equal(examples.draw().target, expected.draw().target)
