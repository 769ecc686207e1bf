"""The figures of a report against SimpleITK and closed forms; its pictures against where things are in the patient."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
import SimpleITK as sitk
from reports import FIELD, FIXED, MOVING, WAVES, made, write_scene
from scenes import image_on, inside, itk_map, itk_transform, make_grid, voxel_points

from deepreg_engine.errors import EngineError, InputError, ParameterError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.jobs import report as job
from deepreg_engine.jobs.report import ReportRequest, run_report
from deepreg_engine.metrics.consistency import inverse_consistency
from deepreg_engine.reporting.figures import Measured, Pair, measure, nice_step
from deepreg_engine.reporting.interest import Linear, coarse_view, linear_part, point_of_interest
from deepreg_engine.reporting.limits import LIMITS, limits_with
from deepreg_engine.reporting.pictures import Views, draw
from deepreg_engine.reporting.planes import letters, obliqueness, planes
from deepreg_engine.reporting.png import png

SOFT = ((-200.0, 300.0),) * 2
STILL = Linear(np.zeros(3), np.zeros((3, 3)), np.zeros(3))


@pytest.fixture(scope="module", autouse=True)
def small_pictures():
    """Those of whole reports; pictures are tested by themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "_PIXELS", (60,))
        yield


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return write_scene(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def report(scene, tmp_path_factory):
    """What was made, and the folder of the files."""
    folder = tmp_path_factory.mktemp("report")
    request = scene.request(folder / "r.html", json=str(folder / "r.json"), csv=str(folder / "r.csv"))
    return (*made(request), folder)


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
    assert error.mean() > 0.01  # the guess of an inverse is none exactly
    some = inverse_consistency(scene.transform, scene.inverse, FIXED, most=2000)
    assert 1000 < some["points"] + some["outside"] <= 2000
    assert some["mean"] == pytest.approx(found["mean"], rel=0.1)
    far = itk_transform(np.zeros((3, 4, 5, 6), dtype=np.float32), make_grid((6, 5, 4), (1, 2, 3), (5, 6, 7), centre=(900.0, 0, 0)))
    with pytest.raises(InputError, match="no point of the fixed image"):
        inverse_consistency(scene.transform, far, FIXED)


def test_a_mask_is_where_the_deformation_counts(scene, tmp_path):
    index = np.zeros(FIXED.size[::-1], dtype=np.uint8)
    index[6:14, 8:20, 10:24] = 1
    sitk.WriteImage(image_on(FIXED, index), str(tmp_path / "mask.nii.gz"))
    content, _, _ = made(scene.request(tmp_path / "r.html", everything=False, mask=str(tmp_path / "mask.nii.gz")))
    moved = sitk.Resample(image_on(FIXED, index), scene.transform.GetDisplacementField(), sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    assert content["figures"]["regularity"]["voxels"] == int(sitk.GetArrayFromImage(moved).sum()) > 0
    middle = voxel_points(FIXED)[6:14, 8:20, 10:24].reshape(-1, 3).mean(axis=0)
    assert np.linalg.norm(np.array(content["views"]["point_lps"]) - middle) < np.linalg.norm(FIXED.spacing)
    assert content["views"]["why"] == "the middle of the mask"
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
    assert content["views"]["why"] == "the middle of the tissue"
    assert "linear" in page.text


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
    assert sum(row["rating"] != "" for row in rows) == len(content["ratings"]) == 7
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


# --------------------------------------------------------------------------------------------------------------- pictures


def marked(grid: ImageGrid, places: list[np.ndarray], radius: float = 9.0) -> sitk.Image:
    """Black, with a bright ball at each place."""
    points = voxel_points(grid)
    value = np.full(grid.size[::-1], -1000.0)
    for place in places:
        value[np.linalg.norm(points - place, axis=-1) < radius] = 400.0
    return image_on(grid, value.astype(np.float32))


def centre_of(image: np.ndarray) -> np.ndarray:
    """Column and row of the middle of what is bright."""
    rows, columns = np.nonzero(image > 128)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


TURNED = (  # the same place in space, stored in other orders and directions
    make_grid((40, 32, 18), (2.0, 2.6, 4.5), (11, -8, 13)),
    make_grid((40, 32, 18), (2.0, 2.6, 4.5), (11, -8, 193)),
    make_grid((40, 32, 18), (2.0, 2.6, 4.5), (11, -8, 13), mirrored=True),
)


@pytest.mark.parametrize("grid", TURNED, ids=["straight", "turned round", "mirrored"])
def test_pictures_are_as_a_radiologist_has_them(grid):
    """The patient's left is at the right, the front above, the head above; a millimetre is as long along both axes."""
    middle = grid.centre
    for direction, name, axis, sign in (
        ((1, 0, 0), "axial", 0, 1),
        ((0, 1, 0), "axial", 1, 1),
        ((1, 0, 0), "coronal", 0, 1),
        ((0, 0, 1), "coronal", 1, -1),
        ((0, 1, 0), "sagittal", 0, 1),
        ((0, 0, 1), "sagittal", 1, -1),
    ):
        plane = next(plane for plane in planes(grid, middle, 300) if plane.name == name)
        image = marked(grid, [middle + 20.0 * np.array(direction)], 13.0)
        identity = sitk.Transform(3, sitk.sitkIdentity)
        pair = Pair(image, image, identity)
        picture = draw(pair, measure(pair), plane, Views(((-1000.0, 400.0),) * 2, None, STILL, 1.0, 10.0, True))["after"]
        assert picture.shape == (plane.grid.size[1], plane.grid.size[0], 3)
        place = centre_of(picture[..., 0])
        expected = np.array([plane.grid.size[0], plane.grid.size[1]]) / 2.0
        columns = plane.grid.axes[:, :2].T @ (20.0 * np.array(direction)) / plane.grid.spacing[0]
        np.testing.assert_allclose(place, expected + columns, atol=1.5)
        assert sign * (place - expected)[axis] > 0.8 * 20.0 / plane.grid.spacing[0]  # turned by a few degrees only
        np.testing.assert_allclose(plane.cross, expected, atol=2.5 / plane.grid.spacing[0] * max(grid.spacing))
        assert plane.sides == {"axial": ("R", "L", "A", "P"), "coronal": ("R", "L", "S", "I"), "sagittal": ("A", "P", "S", "I")}[name]


def test_letters_of_steep_directions():
    assert letters(np.array([0.99, 0.05, 0.1])) == "L"
    assert letters(np.array([0.0, -1.0, 0.0])) == "A"
    assert letters(np.array([-0.8, 0.6, 0.0])) == "RP"
    assert letters(np.array([0.1, 0.6, -0.8])) == "IP"
    assert obliqueness(make_grid((4, 5, 6), (1, 2, 3), (0, 0, 12))) == pytest.approx(12.0)
    assert obliqueness(make_grid((4, 5, 6), (1, 2, 3), (0, 0, 90))) == pytest.approx(0.0, abs=1e-4)


def test_before_and_after_are_where_the_images_are(scene):
    """Through the true deformation fixed and moving agree; before they do not."""
    fixed, moving = (sitk.ReadImage(scene.file(name)) for name in ("fixed.nii.gz", "moving.nrrd"))
    pair = Pair(fixed, moving, scene.transform)
    measured = measure(pair)
    views = Views(SOFT, None, STILL, 3.0, 10.0, True)
    for plane in planes(FIXED, FIXED.centre, 150):
        pictures = draw(pair, measured, plane, views)
        apart = {
            stage: np.abs(pictures[stage][..., 0].astype(int) - pictures[stage][..., 1])[20:-20, 20:-20].mean()
            for stage in ("before", "after")
        }
        assert apart["after"] < 0.6 * apart["before"], (plane.name, apart)
        reference = sitk.Resample(
            sitk.Cast(fixed, sitk.sitkFloat32),
            image_on(plane.grid, np.zeros(plane.grid.shape, np.uint8)),
            sitk.Transform(),
            sitk.sitkLinear,
            -1000.0,
        )
        grey = np.clip((sitk.GetArrayFromImage(reference)[0] + 200.0) / 500.0, 0, 1) * 255
        full = pictures["after"][..., 0] >= pictures["after"][..., 2]
        np.testing.assert_allclose(pictures["checkerboard"][:10, :10, 0], grey[:10, :10], atol=1.0)
        assert full.all()
        assert set(pictures) == {"before", "after", "checkerboard", "grid", "jacobian", "difference"}


def test_a_single_fold_is_seen():
    """One voxel is enough for magenta; and without a fold there is none."""
    grid = make_grid((60, 50, 40), (1.1, 1.3, 1.9), (9, -7, 14))
    image = marked(grid, [grid.centre], 25.0)
    pair = Pair(image, image, sitk.Transform(3, sitk.sitkIdentity))
    measured = measure(pair)
    plane = planes(grid, grid.centre, 40)[0]  # coarser than the voxels
    views = Views(((-1000.0, 400.0),) * 2, None, STILL, 1.0, 10.0, True)

    def magenta(jacobian):
        picture = draw(pair, Measured(measured.figures, measured.field, jacobian), plane, views)["jacobian"]
        return int((picture == (255, 0, 255)).all(axis=-1).sum())

    assert magenta(measured.jacobian) == 0
    folded = measured.jacobian.copy()
    voxel = np.round(grid.physical_to_index(grid.centre[None])[0]).astype(int)
    folded[voxel[2], voxel[1] + 3, voxel[0] - 5] = -0.1
    assert 1 <= magenta(folded) <= 4


def test_the_deformation_grid_is_that_of_the_moving_image():
    """Lines of u = 0 are as far apart as they are told to be; a field that stretches brings them nearer."""
    grid = make_grid((60, 50, 30), (2.0, 2.2, 3.0), (0, 0, 0))
    counts = {}
    for factor in (1.0, 2.0):
        affine = sitk.AffineTransform(3)
        affine.SetMatrix((np.eye(3) * factor).ravel().tolist())
        affine.SetCenter(grid.centre.tolist())
        noisy = image_on(grid, np.random.default_rng(0).normal(size=grid.size[::-1]).astype(np.float32))
        pair = Pair(noisy, noisy, affine)
        plane = planes(grid, grid.centre, 240)[0]
        picture = draw(pair, measure(pair), plane, Views(((50.0, 60.0),) * 2, None, STILL, 1.0, 12.0, True))["grid"][..., 0]
        row = (picture[: plane.grid.size[1] // 2] > 40).mean(axis=0) > 0.9
        counts[factor] = int(np.count_nonzero(np.diff(row.astype(int)) == 1))
    assert counts[1.0] == pytest.approx(120.0 / 12.0, abs=1)
    assert counts[2.0] == pytest.approx(2 * counts[1.0], abs=2)


def test_the_views_go_where_the_tissue_is_deformed_most():
    grid = make_grid((40, 36, 30), (3.0, 3.3, 4.0), (9, -7, 14))
    points = voxel_points(grid)
    body = np.linalg.norm((points - grid.centre) / (45.0, 45.0, 50.0), axis=-1) < 1
    image = image_on(grid, np.where(body, 50.0, -1000.0).astype(np.float32))
    place = grid.centre + (20.0, -12.0, 15.0)
    bump = 8.0 * np.exp(-np.sum((points - place) ** 2, axis=-1) / (2 * 12.0**2))
    shift = np.array([15.0, -9.0, 6.0])  # a movement of all is no deformation
    vectors = np.moveaxis(shift + bump[..., None] * np.array([0.6, 0.8, 0.0]), -1, 0)
    transform = itk_transform(vectors, grid)
    coarse = coarse_view(image, image, transform, SOFT)
    linear, deformation = linear_part(coarse, transform)
    assert np.linalg.norm(linear.shift - shift) < 2.0
    assert np.abs(linear.gradient).max() < 0.1
    assert np.linalg.norm(deformation, axis=1).max() < 9.0  # the shift is taken out
    found, why = point_of_interest(coarse, deformation, None)
    assert np.linalg.norm(found - place) < 12.0
    assert "deformed most" in why
    nothing, why = point_of_interest(coarse, 0.0 * deformation, None)
    assert np.linalg.norm(nothing - grid.centre) < 5.0
    assert "middle of the tissue" in why


def test_png_files_are_read_by_others(tmp_path):
    generator = np.random.default_rng(0)
    for shape in ((7, 5), (16, 9, 3), (1, 4, 3), (12, 1, 4), (40, 30, 3)):
        pixels = generator.integers(0, 256, shape).astype(np.uint8)
        if shape[0] == 40:
            pixels = np.repeat(np.linspace(0, 255, 40).astype(np.uint8)[:, None, None], 30, axis=1).repeat(3, axis=2)  # filters matter
        (tmp_path / "p.png").write_bytes(png(pixels))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "p.png"))), pixels)
    with pytest.raises(ValueError):
        png(np.zeros((3, 3)))


def test_steps_are_round():
    assert [nice_step(value) for value in (0.03, 0.11, 1.0, 1.01, 7.0, 200.0)] == pytest.approx([0.05, 0.2, 1.0, 2.0, 10.0, 200.0])


# -------------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"moving_landmarks": None}, "--fixed-landmarks needs its partner"),
        ({"output": "r.txt"}, "needs another ending"),
        ({"json": "fixed.nii.gz.json", "csv": "r.json"}, "needs another ending"),
        ({"run_report": "fixed.csv"}, "is not JSON"),
        ({"run_report": "labels.json"}, "not the report of a registration"),
        ({"fixed_window": (5.0, 1.0)}, "--fixed-window 5 to 1"),
        ({"point": (0.0, float("nan"), 1.0)}, "not finite"),
        ({"limits": {"tre": (1, 2)}}, "no limit 'tre'"),
        ({"fixed_landmarks": "far.csv"}, "landmarks lies in the fixed"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(scene, tmp_path, changes, words):
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
    assert sorted(tmp_path.iterdir()) == before
