"""One pipeline for all methods: requests from plain arguments, outputs by declaration, the report."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import image_on, make_grid, smooth_image

from deepreg_engine.errors import InputError, NotEnoughMemoryError, ParameterError
from deepreg_engine.geometry.body import body_bounds
from deepreg_engine.geometry.composition import linear_matrix
from deepreg_engine.geometry.images import without_outliers
from deepreg_engine.geometry.transform_files import field_grid, kept_alignment, read_field, read_transform
from deepreg_engine.jobs import registration
from deepreg_engine.jobs.evaluation import EvaluationRequest, run_evaluation
from deepreg_engine.jobs.operations import OPERATIONS
from deepreg_engine.jobs.reading import read_inputs
from deepreg_engine.jobs.registration import run_registration
from deepreg_engine.jobs.request import check_request, make_request
from deepreg_engine.jobs.results import _COMPUTED
from deepreg_engine.methods.base import Inputs, Task
from deepreg_engine.methods.registry import METHODS, find_method
from deepreg_engine.methods.slots import outputs, slot

PAIR = {"fixed": "a.nrrd", "moving": "b.nrrd"}
QUICK = {"working_spacing": 8.0, "refinement_iterations": 1, "search_stages": 1, "control_spacing": 20.0}


@pytest.mark.parametrize("method", METHODS)
def test_every_output_is_computed_by_one_function_or_by_its_method(method):
    own = {"dense": {"uncertainty", "expected_error"}, "descent": {"fixed_colours", "moving_colours", "warped_colours", "iterations"}}
    own["linear"] = set()
    own["points"] = {"expected_error", "warped_points", "correspondences", "moved_points", "fixed_keypoints", "moving_keypoints"}
    names = {each.name for each in outputs(method) if each.kind not in ("picture", "report")}
    assert names == {name for name in _COMPUTED if method in slot(name).methods} | own[method]


def test_the_magnitude_of_the_displacement(phantom_folder, tmp_path):
    files = {"fixed": phantom_folder / "fixed.nii.gz", "moving": phantom_folder / "moving.nii.gz", "transform": tmp_path / "t.nrrd"}
    report = run_registration(make_request("dense", **files, magnitude=tmp_path / "m.nrrd", parameters=QUICK, initial="mass"))
    field, image = read_field(files["transform"]), sitk.ReadImage(str(tmp_path / "m.nrrd"))
    shift = np.array(report["alignment"]["matrix"])[:3, 3]
    assert np.linalg.norm(shift) > 1.0
    expected = np.sqrt(np.square(field.vectors - shift[:, None, None, None]).sum(0))
    assert np.allclose(sitk.GetArrayFromImage(image), expected, rtol=1e-5, atol=1e-4)
    assert image.GetSize() == field.grid.size
    assert np.allclose(image.GetDirection(), field.grid.direction)
    assert report["outputs"]["magnitude"] == str(tmp_path / "m.nrrd")
    assert report["deformation"]["maximum"] == pytest.approx(expected.max(), rel=1e-4)
    assert report["displacement"]["max"] == pytest.approx(field.statistics().maximum, rel=1e-4)


def test_a_result_is_written_as_alignment_and_deformation(phantom_folder, tmp_path):
    files = {
        name: str(tmp_path / file) for name, file in (("transform", "t.nrrd"), ("alignment_transform", "a.mat"), ("deformation", "d.nrrd"))
    }
    images = {"fixed": phantom_folder / "fixed.nii.gz", "moving": phantom_folder / "moving.nii.gz"}
    report = run_registration(make_request("dense", **images, **files, parameters=QUICK, initial="affine"))
    whole, alignment, deformation = (read_transform(files[name]) for name in files)
    np.testing.assert_allclose(linear_matrix(alignment), report["alignment"]["matrix"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(report["linear_part"]["matrix"], report["alignment"]["matrix"], rtol=1e-9)
    grid = field_grid(whole)
    points = grid.index_to_physical(np.random.default_rng(0).uniform(0, np.array(grid.size) - 1, (200, 3)))
    both = sitk.CompositeTransform([alignment, deformation])  # the last one acts first
    apart = [np.subtract(both.TransformPoint(point), whole.TransformPoint(point)) for point in points.tolist()]
    assert np.abs(apart).max() < 1e-3
    assert report["deformation"]["mean"] == pytest.approx(read_field(files["deformation"]).statistics().mean, rel=1e-5)
    # The file of the whole transform keeps its alignment for those who measure it without the report.
    np.testing.assert_allclose(kept_alignment(files["transform"]), report["alignment"]["matrix"])
    found = run_evaluation(EvaluationRequest(files["transform"], reference=str(images["fixed"])))
    assert found["linear_part"]["source"] == "alignment"
    assert found["deformation"]["mean"] == pytest.approx(report["deformation"]["mean"], rel=1e-4)


def test_features_are_loaded_once(phantom_folder, tmp_path, monkeypatch):
    from deepreg_engine.models import store

    loaded = []
    original = store._find_feature
    monkeypatch.setattr(store, "_find_feature", lambda name, subject: loaded.append(name) or original(name, subject))
    request = make_request(
        "descent",
        fixed=phantom_folder / "fixed.nii.gz",
        moving=phantom_folder / "moving.nii.gz",
        transform=tmp_path / "t.nrrd",
        warped_colours=tmp_path / "c.nrrd",
        preset="mr-ct",
        parameters={"features": "self-similarity", "working_spacing": 10.0, "levels": 1, "iterations": 1},
    )
    check_request(request)
    loaded.clear()
    monkeypatch.setattr(registration, "check_request", lambda request: None)
    run_registration(request)
    assert loaded == ["self-similarity"]


# ------------------------------------------------------------------------------------------------------------- arguments


def test_arguments_become_a_request():
    request = make_request(
        "points", fixed_points="a.csv", moving_points="b.csv", transform="t.nrrd", source="skeleton", thin=7, initial="rigid", fixed=None
    )
    assert request.files == {"fixed_points": "a.csv", "moving_points": "b.csv", "transform": "t.nrrd"}
    assert (request.options.source, request.options.thin) == ("skeleton", 7)
    assert request.parameters.initial == "rigid"
    assert request.initial == ""
    assert sorted(request.inputs()) == ["a.csv", "b.csv"]
    assert request.outputs() == {"transform": "t.nrrd"}


def test_a_preset_gives_the_parameters_that_are_not_given():
    dense = find_method("dense")
    brain = next(preset for preset in dense.presets if preset.name == "brain-mr")
    assert make_request("dense", preset="brain-mr").parameters == brain.parameters
    assert make_request("dense", preset="brain-mr", parameters={"smoothness": 9}).parameters.smoothness == 9
    own = brain.parameters.replaced({"smoothness": 9}).to_dict()
    assert make_request("dense", preset="my own", parameters=own).parameters.to_dict() == own
    with pytest.raises(ParameterError, match="no preset 'brian-mr'"):  # instead of the default's parameters under another name
        make_request("dense", preset="brian-mr", parameters={"smoothness": 9})


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        ("dens", {}, "there is no method 'dens'"),
        ("dense", {"fixd": "a"}, "there is no argument 'fixd'"),
        ("dense", {"correspondences": "a.csv"}, "there is no argument 'correspondences'"),
        ("descent", {"kept_iterations": 1}, "kept_iterations = 1 is out of range"),
        ("points", {"source": "edges"}, "source = edges is not a choice"),
        ("dense", {"parameters": {"smoothnes": 1}}, "there is no parameter 'smoothnes'"),
        ("dense", {"parameters": "smoothness"}, "parameters = smoothness are no parameters"),
        ("dense", {"parameters": [1, 2]}, "are no parameters"),
        ("dense", {"warp_labels": "a.nrrd"}, "warp_labels = a.nrrd are no label maps"),
        ("dense", {"warp_labels": [["a.nrrd"]]}, "are no label maps"),
        ("dense", {"warp_labels": [["a.nrrd", None]]}, "are no label maps"),
        ("dense", {"warp_labels": 5}, "are no label maps"),
        ("dense", {"threads": "4"}, "threads = 4 is not a number of threads"),
        ("points", {"initial": "t.tfm"}, "cannot start from the transform t.tfm"),
        (None, {}, "there is no method None"),
        (["dense"], {}, "there is no method"),
    ],
)
def test_wrong_arguments(method, arguments, words):
    with pytest.raises(ParameterError, match=words):
        make_request(method, **arguments)


@pytest.mark.parametrize(
    ("method", "arguments", "option"),
    [
        ("dense", {"fixed": "a.nrrd"}, "moving"),
        ("dense", {}, "fixed"),
        ("points", {}, "fixed_points"),
        ("points", {"fixed_points": "a.csv", "moving_points": "b.csv"}, "transform"),
        ("points", {"fixed_points": "a.csv", "moving_points": "b.csv", "transform": "t.nrrd", "refine": True}, "fixed"),
        ("points", {"fixed_points": "a.csv", "moving_points": "b.csv", "transform": "t.nrrd", "fixed_mask": "m.nrrd"}, "fixed"),
        ("points", {"fixed_points": "a.csv", "moving_points": "b.csv", "warp_points": "c.csv", "transform": "t.nrrd"}, "warped_points"),
        ("dense", {"fixed": "a.nrrd", "moving": "b.nrrd", "uncertainty": "u.nrrd", "parameters": {"search_stages": 0}}, "search_stages"),
        ("dense", {**PAIR, "expected_error": "e.nrrd", "parameters": {"search_stages": 0}}, "search_stages"),
        ("dense", {**PAIR, "expected_error": "e.nrrd", "parameters": {"refinement_iterations": 0}}, "refinement_iterations"),
    ],
)
def test_what_does_not_fit_together_is_refused_before_a_file_is_read(method, arguments, option, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        check_request(make_request(method, **arguments))
    assert caught.value.option == option
    assert "--" not in caught.value.line()


def test_labels_to_be_warped_need_no_partner(phantom_folder, tmp_path):
    for name in ("a.nrrd", "b.nrrd", "l.nrrd"):
        (tmp_path / name).touch()
    files = {"fixed": tmp_path / "a.nrrd", "moving": tmp_path / "b.nrrd", "moving_labels": tmp_path / "l.nrrd"}
    check_request(make_request("dense", **files, warped_labels=tmp_path / "w.nrrd"))
    with pytest.raises(InputError, match="moving segmentation cannot be used without the fixed segmentation"):
        check_request(make_request("dense", **files))


def test_further_warped_labels_are_a_result(tmp_path):
    for name in ("a.csv", "b.csv", "l.nrrd"):
        (tmp_path / name).touch()
    points = {"fixed_points": tmp_path / "a.csv", "moving_points": tmp_path / "b.csv"}
    check_request(make_request("points", **points, warp_labels=[[tmp_path / "l.nrrd", tmp_path / "w.nrrd"]]))
    with pytest.raises(InputError, match="no result is requested"):
        check_request(make_request("points", **points, warp_labels=[]))


def test_check_landmarks_without_partners_name_their_own_input(tmp_path):
    (tmp_path / "a.csv").write_text("x,y,z\n1,2,3\n4,5,6\n")
    (tmp_path / "b.csv").write_text("x,y,z\n1,2,3\n")
    landmarks = {"test_fixed_landmarks": tmp_path / "a.csv", "test_moving_landmarks": tmp_path / "b.csv"}
    with pytest.raises(InputError, match="2 fixed check landmarks but 1 moving check") as caught:
        read_inputs(make_request("points", **landmarks))
    assert caught.value.option == "test_moving_landmarks"


def test_null_selects_the_default():
    nothing = dict.fromkeys(("fixed", "thin", "device", "threads", "compress", "preset", "initial", "warp_labels", "parameters"))
    assert make_request("points", **nothing) == make_request("points")


# ------------------------------------------------------------------------------------------------------------ the worker


def test_an_alias_has_one_method():
    with pytest.raises(ParameterError, match="there is no argument 'method'"):
        OPERATIONS["dense"]({"method": "points"}, None)


@pytest.mark.parametrize("operation", ["register", "dense"])
def test_the_operation_and_its_alias(operation, phantom_folder, tmp_path):
    from deepreg_engine.jobs.job import Job
    from deepreg_engine.jobs.operations import OPERATIONS

    events = []
    arguments = {
        "fixed": str(phantom_folder / "fixed.nii.gz"),
        "moving": str(phantom_folder / "moving.nii.gz"),
        "transform": str(tmp_path / "t.nrrd"),
        "report": str(tmp_path / "r.json"),
        "warp_labels": [[str(phantom_folder / "moving_labels.nii.gz"), str(tmp_path / "labels.nrrd")]],
        "parameters": QUICK,
        "initial": "mass",
    }
    method = {"method": "dense"} if operation == "register" else {}
    report = OPERATIONS[operation]({**method, **arguments}, Job(1, events.append))
    assert report["method"] == "dense"
    assert report["alignment"]["kind"] == "mass"
    assert json.loads((tmp_path / "r.json").read_text())["seconds"]["total"] > 0
    assert sitk.ReadImage(str(tmp_path / "labels.nrrd")).GetSize() == sitk.ReadImage(arguments["fixed"]).GetSize()


def test_memory_is_estimated_for_every_method(phantom_pair):
    from deepreg_engine.geometry.image_grid import ImageGrid

    grids = ImageGrid.of(phantom_pair.fixed), ImageGrid.of(phantom_pair.moving)
    for method in METHODS.values():
        assert 1e8 < method.memory(*grids, method.parameters()) < 1e10
    points = find_method("points")
    usual = points.memory(*grids, points.parameters())
    for more in ({"keypoint_spacing": 0.5}, {"keypoint_count": 20_000}):
        assert points.memory(*grids, points.parameters(**more)) > 1.2 * usual
    fine = grids[0].resampled(0.7)
    assert points.memory(fine, grids[1], points.parameters()) - usual > 30 * fine.voxels  # a field and its copies
    dense = find_method("dense")
    assert dense.memory(*grids, dense.parameters(features="mind+intensity")) > dense.memory(*grids, dense.parameters())


@pytest.mark.parametrize("name", ["dense", "descent"])
def test_memory_is_checked_for_the_part_that_is_registered(name, monkeypatch):
    """A body in a large field of view is cropped: what fits then is not refused, and what does not fit is."""
    grid = make_grid((70, 60, 50), (6.0, 7.0, 8.0), (21, -14, 33))
    values = sitk.GetArrayFromImage(smooth_image(grid, 0)) + 900.0
    outside = np.ones(grid.shape, dtype=bool)
    outside[18:31, 22:38, 26:44] = False
    values[outside] = -1000.0
    fixed = sitk.Cast(image_on(grid, values), sitk.sitkFloat32)
    low, high = body_bounds(without_outliers(fixed), 4.0 * 14.0)
    method, part = find_method(name), grid.cropped(low, high)
    parameters = method.parameters(length_scale=1.0)
    needed = method.memory(grid, grid, parameters), method.memory(part, grid, parameters)
    assert part.voxels < 0.5 * grid.voxels
    module = importlib.import_module(type(method).__module__)
    for share, fits in ((0.5, True), (-0.9, False)):
        monkeypatch.setattr(module, "memory_of", lambda device, share=share: needed[1] + share * (needed[0] - needed[1]))
        task = Task(parameters, method.options(), Inputs(fixed, fixed), frozenset({"transform"}), "cpu")
        with contextlib.nullcontext() if fits else pytest.raises(NotEnoughMemoryError):
            method.prepare(task)


def test_the_declarations_of_methods_load_neither_torch_nor_simpleitk():
    """A panel reads them before it opens."""
    code = "import deepreg_engine.methods.registry, sys; print({'torch', 'SimpleITK', 'safetensors', 'scipy'} & set(sys.modules))"
    root = Path(__file__).resolve().parents[2] / "DeepRegModules" / "DeepReg"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "name", ["fixed", "moving", "fixed_mask", "moving_mask", "fixed_landmarks", "moving_labels", "label_names", "initial"]
)
def test_an_error_of_a_file_names_the_input(name, phantom_folder, tmp_path):
    files = {each: str(phantom_folder / f"{each}.nii.gz") for each in ("fixed", "moving")}
    files |= {"transform": str(tmp_path / "t.nrrd"), "warped_labels": str(tmp_path / "w.nrrd")}
    files["moving_labels"] = str(phantom_folder / "moving_labels.nii.gz")
    if name == "fixed_landmarks":
        files["moving_landmarks"] = str(phantom_folder / "moving_landmarks.csv")
    with pytest.raises(InputError) as caught:
        run_registration(make_request("dense", **{**files, name: str(tmp_path / "missing.nrrd")}))
    assert caught.value.option == name


def test_an_error_of_a_value_names_the_parameter():
    with pytest.raises(ParameterError) as caught:
        find_method("dense").parameters(smoothness=-1.0)
    assert caught.value.option == "smoothness"
