"""The verdict on a registration: each check both ways, and where the verdict is shown."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import call
from scenes import image_on, make_grid, smooth_image

import deepreg_engine
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.jobs.report import ReportRequest, run_report
from deepreg_engine.verdict import similarity
from deepreg_engine.verdict.checks import Check, Limits, summary, worst
from deepreg_engine.verdict.conclusion import conclude
from deepreg_engine.verdict.evidence import Evidence
from deepreg_engine.verdict.given_checks import landmark_check, point_checks, rating_checks, structure_check
from deepreg_engine.verdict.image_checks import agreement_check
from deepreg_engine.verdict.line import LEVELS, level_of, verdict_line
from deepreg_engine.verdict.remarks import REMARKS, remark_checks
from deepreg_engine.verdict.shape_checks import folding_check, inverse_check, stretch_check

CATALOGUE = Path(deepreg_engine.__file__).parent.parent / "deepreg_slicer" / "engine_catalogue.py"
GRID = make_grid((30, 26, 24), (3.0, 3.4, 4.1), (12, -9, 20))


def landmarks(before: float, after: float) -> dict:
    return {"before": {"mean": before}, "after": {"mean": after}}


def structures(before: float, after: float, *each: tuple[float, float]) -> dict:
    labels = [{"label": n, "before": {"dice": one}, "after": {"dice": two}} for n, (one, two) in enumerate(each, 1)]
    return {"mean_before": {"dice": before}, "mean_after": {"dice": after}, "labels": labels}


# ---------------------------------------------------------------------------------------------------------------------- levels


@pytest.mark.parametrize(("value", "level"), [(0.2, "good"), (0.3, "good"), (0.4, "check"), (0.7, "bad"), (float("nan"), "check")])
def test_limits_of_a_measure_that_should_be_low(value, level):
    assert Limits(0.3, 0.6).level(value) == level


@pytest.mark.parametrize(("value", "level"), [(0.7, "good"), (0.5, "check"), (0.2, "bad")])
def test_limits_of_a_measure_that_should_be_high(value, level):
    assert Limits(0.6, 0.3, higher=True).level(value) == level


def test_the_first_of_the_worst_checks_gives_the_reason():
    checks = [Check("folding", "check", "a"), Check("stretch", "bad", "b", "do c"), Check("inverse", "bad", "d")]
    assert worst(checks) is checks[1]
    found = summary(checks, "all is well")
    assert (found["level"], found["line"]) == ("bad", "Do not use: b; do c")
    assert summary([], "all is well")["line"] == "Good: all is well"


def test_reports_without_a_verdict_have_no_line():
    assert verdict_line({}) == verdict_line(None) == level_of({"verdict": {"level": "odd"}}) == ""


# ------------------------------------------------------------------------------------------------- what is given, and the shape


@pytest.mark.parametrize(("before", "after", "level"), [(8.0, 2.0, "good"), (2.0, 2.02, "good"), (2.0, 2.3, "bad"), (0.0, 0.03, "good")])
def test_check_landmarks_must_not_get_worse(before, after, level):
    assert landmark_check(landmarks(before, after)).level == level


def test_landmarks_without_a_known_error_are_not_checked():
    assert landmark_check({"before": {"mean": None}, "after": {"mean": None}}) is None
    assert landmark_check({}) is None


def test_structures_must_not_get_worse_each_and_on_average():
    assert structure_check(structures(0.4, 0.8, (0.4, 0.8))).level == "good"
    assert structure_check(structures(0.6, 0.55, (0.6, 0.55))).level == "bad"
    one_worse = structure_check(structures(0.5, 0.6, (0.3, 0.9), (0.7, 0.5)))
    assert one_worse.level == "bad"
    assert "structure 2" in one_worse.reason
    assert structure_check(structures(0.0, 0.0, (0.0, 0.0))).level == "bad"


def test_points_need_confident_partners():
    near = {"confident_share": 0.9, "median_distance_to_partner_mm": 1.0, "moving_spacing_mm": 8.0}
    assert [check.level for check in point_checks(near)] == ["good", "good"]
    assert [check.level for check in point_checks({**near, "confident_share": 0.05})] == ["bad", "good"]
    assert [check.level for check in point_checks({**near, "median_distance_to_partner_mm": 7.0})] == ["good", "check"]
    assert [check.level for check in point_checks({**near, "median_distance_to_partner_mm": 70.0})] == ["good", "bad"]
    assert point_checks({}) == []
    surface = {"confident_share": 0.4, "median_distance_to_partner_mm": 0.94, "moving_spacing_mm": 1.2}
    assert [check.level for check in point_checks(surface)] == ["check", "check"]
    assert [check.level for check in point_checks(surface, drift=True)] == ["good"]
    drifted = conclude(Evidence({"points": {**surface, "median_distance_to_partner_mm": 9.0}, "parameters": {"solver": "drift"}}))
    assert drifted["level"] == "bad"


def test_a_red_light_is_never_beside_a_good_verdict():
    rating = {"key": "dice", "title": "Dice, mean of structures", "unit": "", "value": 0.4, "rating": "red"}
    assert [check.level for check in rating_checks([rating])] == ["check"]
    assert rating_checks([{**rating, "rating": "amber"}]) == []


def test_folding_stretch_and_inverse():
    assert [folding_check({"folding_percent": share}).level for share in (0.0, 0.2, 3.0)] == ["good", "check", "bad"]
    assert [stretch_check({"stretch": stretch}).level for stretch in (1.05, 1.6, 10.0)] == ["good", "check", "bad"]
    assert [inverse_check({"inverse": {"mean_round_trip_mm": error}}).level for error in (0.1, 5.0, 30.0)] == ["good", "check", "bad"]
    assert inverse_check({}) is None


# ----------------------------------------------------------------------------------------------------------------------- notes


@pytest.mark.parametrize("remark", REMARKS, ids=[remark.name for remark in REMARKS])
def test_every_remark_finds_a_note_of_the_engine(remark):
    """The words of a remark are in a text of the engine: a changed note fails here."""
    texts = runpy.run_path(str(CATALOGUE))["TEXTS"]
    found = [text for text in texts if re.search(remark.words, text)]
    assert found
    checks = remark_checks([found[0]])
    assert [check.level for check in checks] == [remark.level]
    assert remark_checks(["the fixed mask was on another grid and was resampled"]) == []


# ---------------------------------------------------------------------------------------------------------------------- images


def field_of(shift=(0.0, 0.0, 0.0)) -> DisplacementField:
    return DisplacementField.from_transform(sitk.TranslationTransform(3, shift), GRID)


def checks_of(moving: sitk.Image, field: DisplacementField, **report) -> dict:
    """The level of each check of a pair whose fixed image has waves of 18 mm."""
    verdict = conclude(Evidence(report, (smooth_image(GRID, 3), moving), field, sitk.Transform(3, sitk.sitkIdentity)))
    return {check["name"]: check["level"] for check in verdict["checks"]} | {"verdict": verdict["level"]}


def test_images_that_agree_are_good_and_others_are_bad():
    moving_grid = make_grid((34, 31, 30), (2.9, 3.1, 3.9), (-8, 14, 5))
    assert checks_of(smooth_image(moving_grid, 3), field_of()) == {
        "coverage": "good",
        "agreement": "good",
        "stretch": "good",
        "verdict": "good",
    }
    assert checks_of(smooth_image(moving_grid, 4), field_of())["agreement"] == "bad"
    noise = image_on(GRID, np.random.default_rng(0).normal(0.0, 100.0, GRID.size[::-1]).astype(np.float32))
    assert checks_of(noise, field_of())["verdict"] == "bad"
    assert checks_of(smooth_image(moving_grid, 3), field_of((9.0, 0.0, 0.0)))["agreement"] == "bad"


def test_another_contrast_agrees_as_well():
    moving = smooth_image(GRID, 3)
    array = sitk.GetArrayFromImage(moving)
    other = image_on(GRID, np.cos(array / 90.0).astype(np.float32) * 40.0 - 0.1 * array)
    assert checks_of(other, field_of())["agreement"] == "good"


def test_a_moving_image_of_a_small_part_covers_too_little():
    part = sitk.RegionOfInterest(smooth_image(GRID, 3), [9, 9, 9], [5, 5, 5])
    assert checks_of(part, field_of())["coverage"] == "bad"
    half = sitk.RegionOfInterest(smooth_image(GRID, 3), [30, 26, 10], [0, 0, 5])
    assert checks_of(half, field_of())["coverage"] == "check"


def test_measures_of_similarity_follow_their_definitions():
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(2, 14, 15, 16))
    mask = np.ones(one.shape, bool)
    assert similarity.normalised_information(one, 3.0 - 2.0 * one, mask) == pytest.approx(1.0)
    assert similarity.normalised_information(one, other, mask) < 0.02
    there = similarity.descriptors(one)
    assert similarity.mismatch(there, there, mask) == 0.0
    assert similarity.mismatch(there, similarity.descriptors(other), mask) == pytest.approx(1.0, abs=0.05)
    assert similarity.best_here(there, there, mask) == 1.0
    assert similarity.best_here(there, np.roll(there, 2, axis=1), mask) == 0.0
    assert np.isnan(similarity.mismatch(there, there, np.zeros(one.shape, bool)))


def test_images_that_were_aligned_already_say_so():
    images = smooth_image(GRID, 3), smooth_image(GRID, 3)
    assert conclude(Evidence({}, images, field_of()))["line"] == "Good: the images were aligned already, and hardly anything was moved"


def test_a_result_worse_than_no_registration_is_bad():
    assert checks_of(smooth_image(GRID, 3), field_of((0.0, 9.0, 0.0)))["loss"] == "bad"
    assert "loss" not in checks_of(smooth_image(GRID, 3), field_of((0.5, 0.0, 0.0)))


def test_an_uncertain_search_is_noted():
    """The standard deviation of the displacement is measured in steps of the last search."""
    stages = [{"stage": "search", "step_mm": 9.0}, {"stage": "search", "step_mm": 4.0}]
    levels = []
    for deviation in (4.0, 10.0, 14.0):
        uncertainty = image_on(GRID, np.full(GRID.size[::-1], deviation, np.float32))
        checks = conclude(Evidence({"stages": stages}, uncertainty=uncertainty))["checks"]
        levels += [check["level"] for check in checks if check["name"] == "search"]
    assert levels == ["good", "check", "bad"]


def test_an_alignment_that_does_not_bring_the_images_together_is_noted():
    images, far = (smooth_image(GRID, 3), smooth_image(GRID, 3)), sitk.TranslationTransform(3, (9.0, -7.0, 0.0))
    near = sitk.TranslationTransform(3, (1.0, 0.0, 0.0))

    def names(alignment: sitk.Transform, field: DisplacementField) -> set[str]:
        return {check["name"] for check in conclude(Evidence({}, images, field, alignment))["checks"]}

    wrong = field_of((0.0, 8.0, 0.0))
    assert "alignment" in names(far, wrong)
    assert "alignment" not in names(near, wrong)
    assert "alignment" not in names(far, field_of())  # the deformation found the right position all the same


def test_linear_results_need_to_agree_less():
    measures = {"information_result": 0.15, "mismatch_result": 0.55, "best_result": 0.5}
    assert agreement_check(measures).level == "check"
    assert agreement_check(measures, linear=True).level == "good"
    assert agreement_check({**measures, "best_result": 0.1}, linear=True).level == "bad"


def test_points_without_images_have_a_verdict_of_their_partners():
    found = conclude(Evidence({"points": {"confident_share": 0.9}}))
    assert found["line"] == "Good: 90 % of the points have a confident partner"
    assert conclude(Evidence({"points": {"confident_share": 0.1}}))["level"] == "bad"


def test_a_stopped_run_is_to_be_checked():
    assert conclude(Evidence({"stopped": "search 2 of 3"}))["level"] == "check"


# ----------------------------------------------------------------------------------------------------------- where it is shown


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A pair that agrees, a moving image of noise, and check landmarks that a registration takes apart."""
    folder = tmp_path_factory.mktemp("verdict")
    sitk.WriteImage(smooth_image(GRID, 3), str(folder / "fixed.nrrd"))
    noise = np.random.default_rng(0).normal(0.0, 100.0, GRID.size[::-1]).astype(np.float32)
    sitk.WriteImage(image_on(GRID, noise), str(folder / "noise.nrrd"))
    points = GRID.index_to_physical(np.argwhere(np.ones((3, 3, 3)))[:, ::-1] * 8.0 + 3.0)
    for name, shift in (("a", 0.0), ("b", 6.0)):
        np.savetxt(folder / f"{name}.csv", points + shift, delimiter=",", header="x,y,z", comments="")
    return folder


QUICK = ("--preset", "quick", "--set", "initial=none", "--set", "refinement_iterations=1", "--quiet")


def registered(folder, moving: str, *more: object):
    paths = ("--fixed", folder / "fixed.nrrd", "--moving", folder / moving, "--transform", folder / "t.nrrd", "--report", folder / "t.json")
    outcome = call("register", "dense", *paths, *QUICK, *more)
    return outcome, json.loads((folder / "t.json").read_text(encoding="utf-8"))


def test_the_command_line_notes_a_bad_verdict_and_succeeds(files):
    outcome, report = registered(files, "noise.nrrd")
    assert outcome.code == 0
    assert level_of(report) == "bad"
    assert verdict_line(report) in outcome.err
    assert f"verdict: {verdict_line(report)}" in outcome.out
    assert LEVELS.index(level_of(report)) == max(LEVELS.index(check["level"]) for check in report["verdict"]["checks"])


def test_landmarks_that_got_worse_are_red_whatever_the_images_show(files):
    outcome, report = registered(files, "fixed.nrrd")
    assert level_of(report) == "good"
    assert outcome.err == ""
    shifted = files / "shifted.nrrd"
    image = smooth_image(GRID, 3)
    image.SetOrigin(np.add(image.GetOrigin(), 5.0).tolist())
    sitk.WriteImage(image, str(shifted))
    landmarks_of = ("--test-fixed-landmarks", files / "a.csv", "--test-moving-landmarks", files / "a.csv")
    outcome, report = registered(files, "shifted.nrrd", *landmarks_of)
    assert report["verdict"]["reason"].startswith("the error of the check landmarks is larger than before")
    assert level_of(report) == "bad"


def test_the_page_shows_the_verdict_above_the_lights(files, tmp_path):
    _, run = registered(files, "noise.nrrd")
    paths = [str(path) for path in (files / "fixed.nrrd", files / "noise.nrrd", files / "t.nrrd", tmp_path / "page.html")]
    request = ReportRequest(*paths, csv=str(tmp_path / "r.csv"), run_report=run)
    content = run_report(request)
    assert content["verdict"]["level"] == "bad"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.index('class="verdict"') < page.index('class="lights"')
    assert "Do not use" in page
    rows = (tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()
    assert rows[1] == "verdict,,level,,bad,,red"
    assert any(row.startswith("verdict,agreement,value,") and row.endswith(",red") for row in rows)
