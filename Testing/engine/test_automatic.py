"""Registration without a method or a preset: the choice, its report, its errors, and the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import call, succeed
from registering import FIXED_TURNS, scene
from scenes import image_on, make_grid, rotation
from test_affine import known_pair

from deepreg_engine.commands.register import with_method
from deepreg_engine.errors import InputError, OutputError, ParameterError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.transform_files import read_field
from deepreg_engine.jobs.automatic import _content, possible_methods, resolved
from deepreg_engine.jobs.reading import read_inputs
from deepreg_engine.jobs.registration import run_registration
from deepreg_engine.jobs.request import check_request, make_request
from deepreg_engine.methods.common.affine import align
from deepreg_engine.methods.common.relation import likeness, pair_relation
from deepreg_engine.methods.dense.presets import dense_preset
from deepreg_engine.verdict.remarks import remark_checks

QUICK = {"working_spacing": 9.0, "refinement_iterations": 1}
SOMETHING = {"contrast": "", "body_part": "abdomen", "size_mm": [300.0] * 3, "spacing_mm": [5.0] * 3}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An abdomen in two states, in CT."""
    folder, pair = tmp_path_factory.mktemp("automatic"), scene("abdomen")
    for side in ("fixed", "moving"):
        sitk.WriteImage(getattr(pair, side), str(folder / f"{side}.nrrd"))
    return {side: folder / f"{side}.nrrd" for side in ("fixed", "moving")}


def test_ultrasound_is_noted_and_its_result_is_to_be_checked(files):
    contents = {"fixed": {**SOMETHING, "modality": "us"}, "moving": {**SOMETHING, "modality": "mr"}}
    request = make_request("auto", **files, contents=contents)
    inputs = read_inputs(request)
    assert resolved(request, inputs).suggestion.row == "ultrasound"
    assert [check.level for check in remark_checks(inputs.notes)] == ["check"]


# --------------------------------------------------------------------------------------------------- what images share


def test_one_person_and_two_are_recognised():
    for anatomy in ("abdomen", "thorax"):
        pair = scene(anatomy)
        found = pair_relation(pair.fixed, pair.moving, align(pair.fixed, pair.moving, "affine").transform)
        assert (found.same_person, found.same_contrast) == (True, True), anatomy
    # A larger person, whose organs have other shapes.
    fixed, moving, _, _ = known_pair("abdomen", np.diag([1.2, 1.22, 1.15]))
    assert pair_relation(fixed, moving, align(fixed, moving, "affine").transform).same_person is False


def test_contrasts_are_recognised():
    fixed, moving, _, _ = known_pair("brain", rotation(3, -2, 4), ("mr", "mr"))
    transform = align(fixed, moving, "affine").transform
    assert pair_relation(fixed, moving, transform).same_contrast
    array = sitk.GetArrayFromImage(moving)
    inside = array > 0.1 * array.max()
    inverted = image_on(ImageGrid.of(moving), np.where(inside, 1.1 * array.max() - array, array).astype(np.float32))
    assert pair_relation(fixed, inverted, transform).same_contrast is False


def test_the_likeness_is_that_of_closed_forms():
    """Independent noise has no information in common; a linear function of the same image has all."""
    grid = make_grid((30, 26, 22), (2.0, 2.5, 3.0), FIXED_TURNS)
    noise = np.random.default_rng(0).normal(size=(2, *grid.shape)).astype(np.float32)
    identity = sitk.TranslationTransform(3)
    first, second = (image_on(grid, values) for values in noise)
    assert likeness(first, second, identity).information < 0.05
    assert abs(likeness(first, second, identity).correlation) < 0.1
    same = likeness(first, image_on(grid, 7.0 - 2.0 * noise[0]), identity)
    assert same.information > 0.95
    assert same.correlation == pytest.approx(-1.0, abs=1e-5)
    stretched = sitk.AffineTransform(3)
    stretched.SetCenter(grid.centre.tolist())
    stretched.SetMatrix((rotation(10, 20, 30) @ np.diag([1.1, 0.8, 1.0])).ravel().tolist())
    assert likeness(first, second, stretched).stretch == pytest.approx(-np.log(0.8), rel=1e-6)
    assert likeness(first, second, sitk.TranslationTransform(3, (1e4, 0.0, 0.0))) is None


# --------------------------------------------------------------------------------------------------------------- choice


def test_method_and_preset_are_chosen_and_reported(files, tmp_path):
    out = {"transform": tmp_path / "t.nrrd", "report": tmp_path / "r.json"}
    report = run_registration(make_request("auto", **files, **out, parameters=QUICK))
    chosen = report["suggestion"]
    assert (report["method"], report["preset"]) == (chosen["method"], chosen["preset"]) == ("dense", "follow-up-ct")
    assert "CT of the abdomen" in chosen["reason"] or "CT" in chosen["reason"]
    assert report["features"] == dense_preset("follow-up-ct").parameters.features
    assert report["parameters"]["working_spacing"] == 9.0
    assert json.loads(out["report"].read_text())["suggestion"] == chosen
    # The same as with the explicit preset, to the last bit: the alignment that the choice needed is the one that the run uses.
    again = {**files, "transform": tmp_path / "again.nrrd"}
    explicit = run_registration(make_request("dense", **again, preset="follow-up-ct", parameters=QUICK))
    assert np.array_equal(read_field(out["transform"]).vectors, read_field(again["transform"]).vectors)
    assert "suggestion" not in explicit


def test_the_default_preset_of_a_method_is_automatic(files, tmp_path):
    request = make_request("dense", **files, transform=tmp_path / "t.nrrd")
    found = resolved(request, read_inputs(request))
    assert found.request.preset == "follow-up-ct"
    assert found.request.parameters == dense_preset("follow-up-ct").parameters
    assert found.alignment is not None
    changed = make_request("dense", **files, transform=tmp_path / "t.nrrd", initial="mass", parameters={"smoothness": 3})
    found = resolved(changed, read_inputs(changed))
    assert (found.request.parameters.initial, found.request.parameters.smoothness) == ("mass", 3.0)
    assert found.alignment.kind == "mass"
    for explicit in ({"preset": "abdomen-ct"}, {"parameters": dense_preset("quick").parameters}, {"parameters": QUICK, "preset": "quick"}):
        request = make_request("dense", **files, transform=tmp_path / "t.nrrd", **explicit)
        assert resolved(request, None).request is request


def test_tasks_and_qualities(files, tmp_path):
    for changes, method, preset in (
        ({"task": "rigid"}, "linear", "rigid"),
        ({"task": "affine", "quality": 0.0}, "linear", "affine"),
        ({"quality": "fast"}, "dense", "quick"),
        ({"task": "points"}, "points", "shape"),
    ):
        request = make_request("auto", **files, transform=tmp_path / "t.nrrd", **changes)
        found = resolved(request, read_inputs(request)).request
        assert (found.method.name, found.preset) == (method, preset)


def test_outputs_limit_the_choice(files, tmp_path):
    assert possible_methods(make_request("auto", **files, uncertainty="u.nrrd")) == ["dense"]
    assert possible_methods(make_request("auto", **files, iterations="folder", kept_iterations=5)) == ["descent"]
    with pytest.raises(ParameterError, match="no method for a rigid registration has all of"):
        possible_methods(make_request("auto", **files, uncertainty="u.nrrd", task="rigid"))
    assert "linear" in possible_methods(make_request("auto", **files, transform="t.mat"))
    with pytest.raises(ParameterError, match="no method has all of fixed, moving, uncertainty, iterations"):
        possible_methods(make_request("auto", **files, uncertainty="u.nrrd", iterations="folder"))
    request = make_request("auto", **files, warped_colours=tmp_path / "c.nrrd")
    found = resolved(request, read_inputs(request)).request
    assert (found.method.name, found.preset) == ("descent", "ct-cbct")
    request = make_request("auto", **files, transform=tmp_path / "t.mat")
    with pytest.raises(OutputError, match="needs another ending"):  # a deformation was chosen
        resolved(request, read_inputs(request))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"preset": "quick"}, ParameterError, "the preset quick needs a method"),
        ({"task": "elastic"}, ParameterError, "there is no task 'elastic'"),
        ({"quality": 2}, ParameterError, "2 is not a quality"),
        ({"method": "dense", "preset": "quick", "quality": 0.2}, ParameterError, "with a named preset, the quality has no effect"),
        ({"method": "dense", "task": "rigid"}, ParameterError, "Dense registration has no task rigid"),
        ({"changes": {}}, ParameterError, "there is no argument 'changes'"),
        ({"transform": None}, InputError, "no result is requested"),
        ({"fixed": None, "moving": None}, InputError, "there is nothing to register"),
        ({"moving": None}, InputError, "cannot be used without the moving volume"),
    ],
)
def test_wrong_requests(arguments, error, words):
    given = {"method": "auto", "fixed": "a.nrrd", "moving": "b.nrrd", "transform": "t.nrrd", **arguments}
    with pytest.raises(error, match=words):
        check_request(make_request(**given))


def test_a_parameter_that_the_chosen_method_lacks_is_refused(files, tmp_path):
    request = make_request("auto", **files, transform=tmp_path / "t.nrrd", parameters={"window_spread": 3.0})
    with pytest.raises(ParameterError, match=r"no parameter 'window_spread' \(Dense registration was chosen\)"):
        resolved(request, read_inputs(request))


# ---------------------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("size", [0.08, 9.0])
def test_one_choice_suits_a_mouse_and_a_whole_body(size, tmp_path):
    """The same scans in other units: the error is that of the best preset, and has the same proportion to the size."""
    pair, paths = scene("abdomen"), {}
    for side in ("fixed", "moving"):
        image = sitk.Image(getattr(pair, side))
        image.SetSpacing([size * each for each in image.GetSpacing()])
        image.SetOrigin([size * each for each in image.GetOrigin()])
        paths[side] = tmp_path / f"{side}.nrrd"
        sitk.WriteImage(image, str(paths[side]))

    def error(**chosen):
        run_registration(make_request(**chosen, **paths, transform=tmp_path / "t.nrrd"))
        return pair.error(read_field(tmp_path / "t.nrrd").vectors / size)

    automatic = error(method="auto")
    assert automatic < 0.25 * pair.error()
    assert automatic < 1.05 * min(error(method="dense", preset=preset) for preset in ("abdomen-ct", "follow-up-ct"))


# --------------------------------------------------------------------------------------------------------- command line


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("a.nrrd b.nrrd --transform t", "auto --fixed a.nrrd --moving b.nrrd --transform t"),
        ("--fixed a --moving b", "auto --fixed a --moving b"),
        ("a.csv b.mrk.json --transform t", "auto --fixed-points a.csv --moving-points b.mrk.json --transform t"),
        ("a.nrrd --transform t", "auto --fixed a.nrrd --transform t"),
        ("a.nrrd --fixed b.nrrd", "auto a.nrrd --fixed b.nrrd"),
        ("auto a b --task rigid", "auto --fixed a --moving b --task rigid"),
        ("dense --fixed a", "dense --fixed a"),
        ("--help", "--help"),
        ("dens --fixed a", "dens --fixed a"),
        ("", "auto"),
    ],
)
def test_a_method_is_put_in_where_none_is_named(given, found):
    assert " ".join(with_method(tuple(given.split()))) == found


def test_register_without_a_method(files, tmp_path):
    words = (files["fixed"], files["moving"], "--task", "rigid", "--quality", "fast", "--transform", tmp_path / "t.tfm")
    printed = succeed("register", *words)
    assert "chosen: linear, preset rigid: a rigid transform was requested" in printed
    assert sitk.ReadTransform(str(tmp_path / "t.tfm")).GetName() == "AffineTransform"
    for wrong, text in (
        (("register",), "there is nothing to register"),
        (("register", "dens", "--fixed", "a"), "did you mean dense?"),
        (("register", *words[:2], "--quality", "good", "--transform", "t.nrrd"), "not a quality"),
        (("register", *words[:2], "--task", "rigd", "--transform", "t.nrrd"), "did you mean rigid?"),
    ):
        outcome = call(*wrong)
        assert outcome.code == 2
        assert text in outcome.err


def test_what_is_stated_of_an_image_counts_more_than_what_is_seen(tmp_path):
    """As a panel states it, from the tags of the scene or corrected by the user."""
    image = sitk.GetImageFromArray(np.random.default_rng(0).normal(size=(12, 13, 14)).astype(np.float32))
    for side in ("fixed", "moving"):
        sitk.WriteImage(image, str(tmp_path / f"{side}.nii.gz"))
    files = {side: str(tmp_path / f"{side}.nii.gz") for side in ("fixed", "moving")}
    stated = _content(make_request("auto", **files, transform=str(tmp_path / "t.nrrd")), "fixed", image)
    known = {"moving": stated.replaced(modality="mr", body_part="abdomen").to_json()}
    request = make_request("auto", **files, transform=str(tmp_path / "t.nrrd"), contents=known)
    assert _content(request, "moving", image).title() == "MR, abdomen"
    assert _content(request, "fixed", image) == stated
    wrong = make_request("auto", **files, transform=str(tmp_path / "t.nrrd"), contents={"moving": {"modality": "x-ray"}})
    with pytest.raises(ParameterError, match="content of the moving image"):
        _content(wrong, "moving", image)
