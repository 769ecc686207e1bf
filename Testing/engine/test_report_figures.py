"""The figures of a report against SimpleITK and closed forms; ratings; errors of inputs."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
import SimpleITK as sitk
from reports import FIELD, FIXED, MOVING, WAVES, made, report_fixture, run_of, scene_fixture, small_pictures_fixture  # noqa: F401
from scenes import image_on, inside, itk_map, itk_transform, make_grid, voxel_points

from deepreg_engine.errors import EngineError, InputError, ParameterError
from deepreg_engine.jobs.report import ReportRequest, run_report
from deepreg_engine.methods.slots import slot
from deepreg_engine.metrics.consistency import inverse_consistency
from deepreg_engine.reporting.figures import error_histogram
from deepreg_engine.reporting.limits import LIMITS, limits_with

# ---------------------------------------------------------------------------------------------------------------- figures


def test_landmark_errors_are_those_of_simpleitk(report, scene):
    landmarks = report[0]["figures"]["landmarks"]
    fixed, moving = scene.landmarks
    within = inside(FIELD, fixed)
    assert [entry["after_mm"] is not None for entry in landmarks["each"]] == within.tolist()
    after = np.linalg.norm(itk_map(scene.transform, fixed) - moving, axis=1)[within]
    before = np.linalg.norm(fixed - moving, axis=1)[within]
    np.testing.assert_allclose([entry["after_mm"] for entry in landmarks["each"] if entry["after_mm"] is not None], after, atol=1e-3)
    for stage, values in (("before", before), ("after", after)):
        expected = [values.mean(), np.median(values), np.percentile(values, 95), values.max()]
        np.testing.assert_allclose([landmarks[stage][key] for key in ("mean", "median", "percentile95", "max")], expected, atol=1e-3)
    assert landmarks["outside_field"] == int((~within).sum()) > 0
    histogram = report[0]["figures"]["histograms"]["landmark_error"]
    assert histogram["after"] == np.histogram(after, histogram["edges"])[0].tolist()
    assert sum(histogram["before"]) == len(before)


def test_the_deformation_is_measured_as_simpleitk_and_the_closed_form_have_it(report, scene):
    figures = report[0]["figures"]
    vectors = sitk.GetArrayFromImage(scene.transform.GetDisplacementField())
    lengths = np.linalg.norm(vectors, axis=-1)
    np.testing.assert_allclose(
        [figures["displacement"]["mean"], figures["displacement"]["max"]], [lengths.mean(), lengths.max()], atol=1e-3
    )
    exact = WAVES.jacobian(voxel_points(FIELD).reshape(-1, 3))
    np.testing.assert_allclose(figures["regularity"]["mean_jacobian"], exact.mean(), atol=5e-3)
    np.testing.assert_allclose(figures["regularity"]["min_jacobian"], exact.min(), atol=0.03)
    histogram = figures["histograms"]["jacobian"]
    assert sum(histogram["counts"]) + histogram["folded"] + histogram["beyond"] == FIELD.voxels
    assert figures["measured_on"]["own_grid"]
    assert figures["measured_on"]["size"] == list(FIELD.size)


def test_overlap_is_that_of_simpleitk(report, scene):
    fixed, moving = scene.labels
    for stage, transform in (("before", sitk.Transform(3, sitk.sitkIdentity)), ("after", scene.transform)):
        measures = sitk.LabelOverlapMeasuresImageFilter()
        measures.Execute(fixed, sitk.Resample(moving, fixed, transform, sitk.sitkNearestNeighbor, 0))
        for entry in report[0]["figures"]["overlap"]["labels"]:
            assert entry[stage]["dice"] == pytest.approx(measures.GetDiceCoefficient(entry["label"]), abs=1e-3)


def test_inverse_consistency_is_that_of_simpleitk(scene):
    points = voxel_points(FIXED).reshape(-1, 3)
    there = itk_map(scene.transform, points)
    known = inside(MOVING, there)
    error = np.linalg.norm(itk_map(scene.inverse, there[known]) - points[known], axis=1)
    found = inverse_consistency(scene.transform, scene.inverse, FIXED)
    assert (found["points"], found["outside"]) == (known.sum(), (~known).sum())
    expected = [error.mean(), np.percentile(error, 95), error.max()]
    np.testing.assert_allclose([found[key] for key in ("mean", "percentile95", "max")], expected, atol=1e-3)
    assert error.mean() > 0.01  # the rough inverse is not exact
    some = inverse_consistency(scene.transform, scene.inverse, FIXED, most=2000)
    assert 1000 < some["points"] + some["outside"] <= 2000
    assert some["mean"] == pytest.approx(found["mean"], rel=0.1)
    far = itk_transform(np.zeros((3, 4, 5, 6), dtype=np.float32), make_grid((6, 5, 4), (1, 2, 3), (5, 6, 7), centre=(900.0, 0, 0)))
    with pytest.raises(InputError, match="no point of the fixed image"):
        inverse_consistency(scene.transform, far, FIXED)


def test_a_map_that_is_declared_as_an_output_is_in_the_report(report, scene):
    """The magnitude of the displacement: figures, table and pictures come from its slot and its function."""
    content, text, page, folder = report
    lengths = np.linalg.norm(sitk.GetArrayFromImage(scene.transform.GetDisplacementField()), axis=-1)
    found = content["figures"]["maps"]["magnitude"]
    np.testing.assert_allclose([found["mean"], found["percentile95"]], [lengths.mean(), np.percentile(lengths, 95)], atol=1e-3)
    declared = slot("magnitude")
    assert declared.title in page.text
    assert declared.help in page.text
    assert text.count(f'alt="{declared.title}, ') == 3
    rows = list(csv.DictReader(io.StringIO((folder / "r.csv").read_text(encoding="utf-8"))))
    maps = [row for row in rows if row["section"] == "maps" and row["item"] == "magnitude"]
    assert [float(row["value"]) for row in maps if row["measure"] == "max"] == [found["max"]]


def test_a_mask_is_where_the_deformation_counts(scene, tmp_path):
    index = np.zeros(FIXED.size[::-1], dtype=np.uint8)
    index[6:14, 8:20, 10:24] = 1
    sitk.WriteImage(image_on(FIXED, index), str(tmp_path / "mask.nii.gz"))
    content, _, _ = made(scene.request(tmp_path / "r.html", everything=False, mask=str(tmp_path / "mask.nii.gz")))
    moved = sitk.Resample(image_on(FIXED, index), scene.transform.GetDisplacementField(), sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    assert content["figures"]["regularity"]["voxels"] == int(sitk.GetArrayFromImage(moved).sum()) > 0
    middle = voxel_points(FIXED)[6:14, 8:20, 10:24].reshape(-1, 3).mean(axis=0)
    assert np.linalg.norm(np.array(content["views"]["point_lps"]) - middle) < np.linalg.norm(FIXED.spacing)
    assert content["views"]["why"] == "the centre of the mask"
    assert content["inputs"]["with"] == ["mask"]


def test_a_linear_transform_is_measured_on_the_fixed_grid(scene, tmp_path):
    matrix = np.diag([1.1, 0.9, 1.2])
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(matrix.ravel().tolist())
    affine.SetCenter(FIXED.centre.tolist())
    sitk.WriteTransform(affine, str(tmp_path / "a.tfm"))
    content, _, page = made(scene.request(tmp_path / "r.html", everything=False, transform=str(tmp_path / "a.tfm")))
    regularity = content["figures"]["regularity"]
    expected = np.linalg.det(matrix)
    np.testing.assert_allclose([regularity[key] for key in ("min_jacobian", "mean_jacobian", "max_jacobian")], expected, atol=1e-3)
    assert regularity["voxels"] == FIXED.voxels
    assert content["views"]["why"] == "the centre of the tissue"
    assert "linear" in page.text
    linear, beyond = content["figures"]["linear_part"], content["figures"]["deformation"]
    assert (linear["source"], linear["volume_ratio"]) == ("transform", pytest.approx(expected))
    assert beyond["maximum"] < 1e-3
    assert beyond["regularity"]["max_jacobian"] == pytest.approx(1.0, abs=1e-4)
    assert "Scales of the alignment: 1.100 left-right, 0.900 anterior-posterior, 1.200 superior-inferior." in page.text


def test_scanners_with_different_origins_leave_the_deformation_readable(scene, tmp_path):
    """An alignment of 1.3 m changes neither the figures of the deformation, nor its maps, histogram, grid and colours."""
    matrix = np.eye(4)
    matrix[:3, 3] = -310.0, 950.0, -820.0
    field = scene.transform.GetDisplacementField()
    moved = sitk.GetArrayFromImage(field) + matrix[:3, 3]
    sitk.WriteImage(image_on(FIELD, moved.astype(np.float32), vector=True), str(tmp_path / "far.nrrd"))
    moving = sitk.ReadImage(scene.file("moving.nrrd"))
    moving.SetOrigin((np.array(moving.GetOrigin()) + matrix[:3, 3]).tolist())
    sitk.WriteImage(moving, str(tmp_path / "far_moving.nrrd"))
    far = {"transform": str(tmp_path / "far.nrrd"), "moving": str(tmp_path / "far_moving.nrrd")}
    run = {**run_of(tmp_path), "alignment": {"kind": "geometry", "matrix": matrix.tolist(), "file": None}}
    near_run = run_of(tmp_path)
    near, _, _ = made(scene.request(tmp_path / "n.html", everything=False, run_report=near_run))
    known, _, page = made(scene.request(tmp_path / "k.html", everything=False, run_report=run, **far))
    fitted, _, other = made(scene.request(tmp_path / "f.html", everything=False, **far))
    lengths = np.linalg.norm(sitk.GetArrayFromImage(field), axis=-1)
    expected = [lengths.mean(), np.percentile(lengths, 95), lengths.max()]
    assert known["figures"]["linear_part"]["source"] == "alignment"
    assert known["figures"]["linear_part"]["shift_mm"] == pytest.approx(np.linalg.norm(matrix[:3, 3]), rel=1e-6)
    assert known["figures"]["displacement"]["mean"] > 1200.0  # it keeps its meaning: the whole transform
    beyond = known["figures"]["deformation"]
    np.testing.assert_allclose([beyond[key] for key in ("mean", "percentile95", "maximum")], expected, atol=2e-3)
    assert known["figures"]["maps"]["magnitude"]["max"] == pytest.approx(lengths.max(), abs=2e-3)
    assert known["figures"]["histograms"]["jacobian"] == near["figures"]["histograms"]["jacobian"]
    for name in ("longest_mm", "grid_mm"):
        assert known["views"][name] == pytest.approx(near["views"][name], abs=0.05)
    assert "Alignment: shift 1292.7 mm (310.0 right, 950.0 posterior, 820.0 inferior), rotation 0.0\u00b0." in page.text
    # Without the report of the run, a rigid part is fitted, and that is said.
    assert fitted["figures"]["linear_part"]["source"] == "fitted rigid"
    assert fitted["figures"]["deformation"]["maximum"] < lengths.max() + 3.0
    assert "Alignment (not known, rigid fit)" in other.text


def test_the_histogram_of_errors_shows_those_after_however_large_they_were_before():
    after = np.linspace(0.2, 3.9, 30)
    for far in (0.0, 1267.6):
        found = error_histogram(after + 4.0 + far, after)
        assert found["edges"][1] <= 2.0
        assert sum(found["after"]) == 30
        assert sum(found["before"]) + found["beyond"] == 30
        assert (found["beyond"] == 30) == bool(far)


# -------------------------------------------------------------------------------------------------- page, JSON and CSV agree


def shown(value, digits):
    if value is None:  # of a landmark outside the field
        return "\u2013"
    return f"{value:.{digits}f}".replace("-", "\u2212")


def test_json_and_page_agree(report):
    content, _, page, folder = report
    assert json.loads((folder / "r.json").read_text(encoding="utf-8")) == content
    checked = 0
    for where, texts in page.figures.items():
        parts = where.split(".")
        if parts[0] == "ratings":
            entry = next(entry for entry in content["ratings"] if entry["key"] == parts[1])
            digits = next(limit.digits for limit in LIMITS if limit.key == parts[1])
            expected = (
                "0 %" if parts[1] == "folding" and entry["value"] == 0 else f"{shown(entry['value'], digits)} {entry['unit']}".strip()
            )
        else:
            value = content["figures"]
            for part in parts:
                value = value[int(part)] if isinstance(value, list) else value[part]
            if "error_mm" in where:  # LPS in the file, RAS on the page
                value = -value if parts[-1] in "01" else value
            expected = shown(value, 3 if "dice" in where else 1 if "hd95" in where else 2)
            if value and float(expected.replace("\u2212", "-")) == 0:
                assert texts[0][0] in "<>"
                continue
        assert set(texts) == {expected}, where
        checked += 1
    assert checked > 5 * 14
    assert {f"ratings.{limit.key}" for limit in LIMITS} <= set(page.figures)


def test_csv_and_json_agree(report):
    content, _, _, folder = report
    rows = list(csv.DictReader(io.StringIO((folder / "r.csv").read_text(encoding="utf-8"))))
    values = {(row["section"], row["item"], row["measure"], row["stage"]): row for row in rows}
    assert len(values) == len(rows)
    figures = content["figures"]
    for entry in figures["landmarks"]["each"]:
        found = [values["landmarks", entry["label"], measure, "after"]["value"] for measure in ("error", "error y (LPS)")]
        if entry["after_mm"] is None:
            assert found == ["", ""]
        else:
            assert [float(value) for value in found] == [entry["after_mm"], entry["error_mm"][1]]
    for entry in figures["overlap"]["labels"]:
        assert float(values["overlap", entry["name"], "hd95", "before"]["value"]) == entry["before"]["hd95"]
    for section in ("regularity", "displacement", "inverse_consistency"):
        for name, value in figures[section].items():
            assert float(values[section, "", name, ""]["value"]) == value
    rated = {row["rating"] for row in rows} - {""}
    assert sum(row["rating"] != "" for row in rows if row["section"] != "verdict") == len(content["ratings"]) == 7
    assert rated <= {"green", "amber", "red"}
    median = values["landmarks", "", "median", "after"]
    assert median["rating"] == next(entry["rating"] for entry in content["ratings"] if entry["key"] == "tre_median")
    assert median["unit"] == "mm"


# ---------------------------------------------------------------------------------------------------------- traffic lights


def test_limits_are_met_at_their_very_value():
    for limit in limits_with({"tre_95": (1.5, 2.5), "dice": [0.9, 0.6]}):
        beyond = -1e-9 if limit.higher else 1e-9
        assert limit.rate(limit.green) == "green"
        assert limit.rate(limit.green + beyond) == ("amber" if limit.amber != limit.green else "red")
        assert limit.rate(limit.amber) in ("green", "amber")
        assert limit.rate(limit.amber + beyond) == "red"
        assert limit.rate(float("nan")) == limit.rate(float("inf") * (-1 if limit.higher else 1)) == "red"
        assert limit.rule()["green"].startswith("\u2265" if limit.higher else "\u2264")
    assert [limit.green for limit in limits_with({"tre_95": (1.5, 2.5)}) if limit.key == "tre_95"] == [1.5]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tre_medain": (1, 2)}, "did you mean tre_median"),
        ({"dice": (0.7, 0.8)}, "at least as high"),
        ({"folding": (1, 0.5)}, "at most as high"),
        ({"dice": (1,)}, "two numbers"),
        ({"dice": ("a", 1)}, "two numbers"),
        ({"dice": (float("nan"), 0.1)}, "not finite"),
    ],
)
def test_limits_that_make_no_sense_are_refused(changes, words):
    with pytest.raises(ParameterError) as refused:
        limits_with(changes)
    assert words in refused.value.line()


# -------------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("changes", "words", "option"),
    [
        ({"moving_landmarks": None}, "the fixed landmarks cannot be used without the moving landmarks", "moving_landmarks"),
        ({"fixed_labels": None}, "the moving labels cannot be used without the fixed labels", "fixed_labels"),
        ({"output": "r.txt"}, "needs another ending", "output"),
        ({"json": "fixed.nii.gz.json", "csv": "r.json"}, "needs another ending", "csv"),
        ({"run_report": "fixed.csv"}, "is not JSON", "run_report"),
        ({"run_report": "labels.json"}, "not the report of a registration", "run_report"),
        ({"fixed_window": (5.0, 1.0)}, "5 to 1 is not a range", "fixed_window"),
        ({"point": (0.0, float("nan"), 1.0)}, "not finite", "point"),
        ({"limits": {"tre": (1, 2)}}, "no limit 'tre'", "limit"),
        ({"fixed_landmarks": "far.csv"}, "landmarks lies in the fixed", "fixed_landmarks"),
    ],
)
def test_errors_name_the_input_and_nothing_is_written(scene, tmp_path, changes, words, option):
    (tmp_path / "labels.json").write_text('{"1": "liver"}')
    (tmp_path / "far.csv").write_text("x,y,z\n" + "900,0,0\n" * len(scene.landmarks[0]))
    values = {}
    for name, value in changes.items():
        here = isinstance(value, str) and name not in ("run_report",) or value in ("labels.json",)
        values[name] = str(tmp_path / value) if here else scene.file(value) if isinstance(value, str) else value
    request = ReportRequest(**{**vars(scene.request(tmp_path / "r.html")), **values})
    before = sorted(tmp_path.iterdir())
    with pytest.raises(EngineError) as refused:
        run_report(request)
    assert words in refused.value.line()
    assert refused.value.option == option
    assert sorted(tmp_path.iterdir()) == before
