"""What register dense, warp and evaluate write, measured against SimpleITK and numpy."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from command_line import call, register_dense, succeed

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.points import read_points, write_points
from deepreg_engine.geometry.transform_files import read_transform, write_field
from deepreg_engine.methods.dense.presets import dense_preset

pytestmark = pytest.mark.usefixtures("no_models")


def files_to_measure(folder, kind=""):
    """Arguments that name the landmarks and labels of the pair."""
    files = {
        f"{kind}fixed-landmarks": "fixed_landmarks.csv",
        f"{kind}moving-landmarks": "moving_landmarks.csv",
        "fixed-labels": "fixed_labels.nii.gz",
        "moving-labels": "moving_labels.nii.gz",
        "label-names": "phantom.json",
    }
    return [part for option, name in files.items() for part in (f"--{option}", folder / name)]


@pytest.fixture(scope="module")
def result(phantom_folder, tmp_path_factory):
    """A registration with all outputs: its folder, with what it printed in printed.txt."""
    folder = tmp_path_factory.mktemp("result")
    files = {
        "transform": "t.nrrd",
        "inverse": "i.nrrd",
        "warped": "w.nii.gz",
        "warped-labels": "l.nii.gz",
        "jacobian": "j.nrrd",
        "uncertainty": "u.mha",
        "overview": "o.png",
        "report": "r.json",
    }
    outputs = [part for option, name in files.items() for part in (f"--{option}", folder / name)]
    (folder / "printed.txt").write_text(register_dense(phantom_folder, *outputs, *files_to_measure(phantom_folder, "test-")))
    return folder


@pytest.fixture(scope="module")
def report(result):
    return json.loads((result / "r.json").read_text())


@pytest.fixture(scope="module")
def itk_transform(result):
    """The written field as any other program would read it."""
    return sitk.DisplacementFieldTransform(sitk.ReadImage(str(result / "t.nrrd"), sitk.sitkVectorFloat64))


def array(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def mapped(transform, points):
    return np.array([transform.TransformPoint(point) for point in np.asarray(points, dtype=float).tolist()])


# ------------------------------------------------------------------------------------------------------- register dense


def test_registration_brings_the_images_together(report, result):
    landmarks, overlap = report["landmarks"], report["overlap"]
    assert landmarks["before"]["count"] == landmarks["after"]["count"] == 49
    assert landmarks["after"]["mean"] < 0.35 * landmarks["before"]["mean"]
    assert overlap["mean_after"]["dice"] > overlap["mean_before"]["dice"] + 0.25
    assert overlap["mean_after"]["mean_surface_distance"] < 0.5 * overlap["mean_before"]["mean_surface_distance"]
    printed = (result / "printed.txt").read_text()
    assert re.search(rf"^  mean +{landmarks['before']['mean']:.2f} +{landmarks['after']['mean']:.2f}$", printed, re.MULTILINE)
    assert printed.startswith("registered in ")
    assert "\nliver " in printed


def test_the_landmarks_of_the_report_are_those_of_the_written_transform(report, itk_transform, phantom_folder):
    fixed, moving = (read_points(phantom_folder / f"{side}_landmarks.csv") for side in ("fixed", "moving"))
    after = np.linalg.norm(mapped(itk_transform, fixed.positions) - moving.positions, axis=1)
    before = np.linalg.norm(fixed.positions - moving.positions, axis=1)
    each = report["landmarks"]["each"]
    assert [entry["label"] for entry in each] == list(fixed.labels)
    np.testing.assert_allclose([entry["after_mm"] for entry in each], after, atol=1e-3)
    np.testing.assert_allclose([entry["before_mm"] for entry in each], before, atol=1e-3)
    np.testing.assert_allclose([report["landmarks"]["after"][key] for key in ("mean", "max")], [after.mean(), after.max()], atol=1e-3)


def test_the_warped_image_is_what_the_written_transform_makes(result, itk_transform, phantom_pair):
    fixed, moving = phantom_pair.fixed, phantom_pair.moving
    warped = sitk.ReadImage(str(result / "w.nii.gz"))
    assert warped.GetPixelID() == moving.GetPixelID() == sitk.sitkInt16
    assert ImageGrid.of(warped).same_as(ImageGrid.of(fixed), 1e-5)
    lowest = float(sitk.GetArrayFromImage(moving).min())
    expected = sitk.Resample(sitk.Cast(moving, sitk.sitkFloat64), fixed, itk_transform, sitk.sitkLinear, lowest)
    difference = np.abs(sitk.GetArrayFromImage(warped) - sitk.GetArrayFromImage(expected))
    assert difference.max() <= 0.5 + 1e-2  # rounded
    labels = sitk.ReadImage(str(result / "l.nii.gz"))
    assert labels.GetPixelID() == phantom_pair.moving_labels.GetPixelID()
    expected = sitk.Resample(phantom_pair.moving_labels, fixed, itk_transform, sitk.sitkNearestNeighbor, 0)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), sitk.GetArrayFromImage(expected))


def test_the_inverse_is_as_good_as_the_report_says(report, result, itk_transform, phantom_pair):
    image = sitk.ReadImage(str(result / "i.nrrd"), sitk.sitkVectorFloat64)
    grid, fixed = ImageGrid.of(image), ImageGrid.of(phantom_pair.fixed)
    assert grid.same_as(ImageGrid.of(phantom_pair.moving), 1e-5)
    inverse = sitk.DisplacementFieldTransform(image)
    points = fixed.points().reshape(-1, 3)
    there = mapped(itk_transform, points)
    index = (there - np.array(grid.origin)) @ grid.axes / np.array(grid.spacing)
    inside = ((index >= -0.5) & (index < np.array(grid.size) - 0.5)).all(axis=1)
    errors = np.linalg.norm(mapped(inverse, there[inside]) - points[inside], axis=1)
    inverse_figures = report["inverse"]
    found = inverse_figures["worst_round_trip_mm"], inverse_figures["mean_round_trip_mm"]
    np.testing.assert_allclose(found, [errors.max(), errors.mean()], rtol=1e-3, atol=1e-3)
    assert inverse_figures["fixed_voxels_tried_percent"] == pytest.approx(100 * inside.mean(), abs=0.1)
    assert 50 < inverse_figures["fixed_voxels_tried_percent"] <= 100
    assert errors.mean() < 0.5


def test_the_maps_lie_on_the_fixed_grid(report, result, phantom_pair):
    jacobian, uncertainty = array(result / "j.nrrd"), array(result / "u.mha")
    for name in ("j.nrrd", "u.mha"):
        assert ImageGrid.of(sitk.ReadImage(str(result / name))).same_as(ImageGrid.of(phantom_pair.fixed), 1e-5)
    regularity = report["deformation"]["regularity"]
    assert [regularity[key] for key in ("min_jacobian", "max_jacobian")] == pytest.approx([jacobian.min(), jacobian.max()], rel=1e-3)
    assert regularity["folding_percent"] == pytest.approx(100 * (jacobian <= 0).mean(), abs=1e-3)
    searched = next(stage for stage in report["stages"] if stage["stage"] == "search")
    assert np.isfinite(uncertainty).all()
    assert 0 <= uncertainty.min() < uncertainty.max() < np.sqrt(3) * searched["range_mm"]
    lengths = np.linalg.norm(array(result / "t.nrrd"), axis=-1)
    assert [report["displacement"][key] for key in ("mean", "max")] == pytest.approx([lengths.mean(), lengths.max()], rel=1e-3)
    picture = (result / "o.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) > 50_000


def test_the_report(report, result, phantom_folder, phantom_pair):
    assert report["method"] == "dense"
    assert report["preset"] == "quick"
    assert report["engine"].startswith("deepreg-engine ")
    assert report["parameters"] == {**dense_preset("quick").parameters.to_dict(), "length_scale": 1.0}
    inputs = report["inputs"]
    assert inputs["fixed"]["file"] == str(phantom_folder / "fixed.nii.gz")
    assert inputs["moving"]["pixel_type"] == "16-bit signed integer"
    assert inputs["moving"]["size"] == list(phantom_pair.moving.GetSize())
    np.testing.assert_allclose(inputs["fixed"]["direction"], phantom_pair.fixed.GetDirection(), atol=1e-5)
    assert inputs["label_names"] == {"file": str(phantom_folder / "phantom.json")}
    assert "fixed_mask" not in inputs
    assert [stage["stage"] for stage in report["stages"]] == ["search", "refinement", "refinement"]
    for stage in report["stages"]:
        assert stage["seconds"] > 0
        assert stage["spacing_mm"] > 0
        assert stage["voxels"] > 0
    seconds = report["seconds"]
    assert sum(stage["seconds"] for stage in report["stages"]) < seconds["total"]
    assert seconds["alignment"] < seconds["total"] < 120
    assert report["alignment"]["kind"] == "affine"
    assert np.shape(report["alignment"]["matrix"]) == (4, 4)
    assert report["features"] == "mind"
    assert report["device"].startswith("CPU")
    assert report["notes"] == []
    assert set(report["outputs"]) == {"transform", "inverse", "warped", "warped-labels", "jacobian", "uncertainty", "overview", "report"}
    assert {str(path) for path in result.iterdir()} == {*report["outputs"].values(), str(result / "printed.txt")}


def test_a_mask_on_another_grid_is_resampled_with_a_note(phantom_folder, phantom_pair, tmp_path):
    mask = phantom_pair.fixed_mask
    place = mask.GetOrigin(), (20.0, 19.0, 18.0), mask.GetDirection()
    other = sitk.Resample(mask, (20, 18, 15), sitk.Transform(), sitk.sitkNearestNeighbor, *place)
    sitk.WriteImage(other, str(tmp_path / "mask.nrrd"))
    outputs = ("--fixed-mask", tmp_path / "mask.nrrd", "--transform", tmp_path / "t.nrrd", "--report", tmp_path / "r.json")
    printed = register_dense(phantom_folder, "--initial", "geometry", *outputs)
    note = "the fixed mask was on another grid (20 x 18 x 15 voxels of 20 x 19 x 18 mm) and was resampled"
    assert f"note: {note}\n" in printed
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["notes"] == [note]
    assert report["inputs"]["fixed_mask"] == {"file": str(tmp_path / "mask.nrrd")}


def test_the_format_of_the_transform_does_not_matter(phantom_folder, tmp_path):
    arrays = []
    for ending in (".nrrd", ".nii.gz", ".mha", ".h5", ".tfm"):
        path = tmp_path / f"t{ending}"
        register_dense(phantom_folder, "--initial", "geometry", "--transform", path)
        if ending in (".h5", ".tfm"):
            image = sitk.DisplacementFieldTransform(sitk.ReadTransform(str(path))).GetDisplacementField()
        else:
            image = sitk.ReadImage(str(path))
        arrays.append(sitk.GetArrayFromImage(image).astype(np.float32))
    for other in arrays[1:]:
        np.testing.assert_array_equal(other, arrays[0])


def test_an_initial_transform_from_a_file(phantom_folder, phantom_pair, tmp_path):
    fixed, moving = ImageGrid.of(phantom_pair.fixed), ImageGrid.of(phantom_pair.moving)
    shift = moving.centre - fixed.centre  # what --initial geometry does
    affine = sitk.AffineTransform(3)
    affine.SetTranslation(shift.tolist())
    sitk.WriteTransform(affine, str(tmp_path / "shift.tfm"))
    around = fixed.padded(16)  # beyond its grid a field ends
    vectors = np.broadcast_to(shift.astype(np.float32)[:, None, None, None], (3, *around.shape))
    write_field(tmp_path / "shift.nrrd", DisplacementField(vectors, around))
    fields = {}
    for initial in ("geometry", tmp_path / "shift.tfm", tmp_path / "shift.nrrd"):
        register_dense(phantom_folder, "--initial", initial, "--transform", tmp_path / "t.nrrd", "--report", tmp_path / "r.json")
        fields[initial] = array(tmp_path / "t.nrrd")
        report = json.loads((tmp_path / "r.json").read_text())
        assert report["alignment"]["kind"] == ("geometry" if initial == "geometry" else "file")
        assert report["alignment"]["file"] == (None if initial == "geometry" else str(initial))
    np.testing.assert_allclose(fields[tmp_path / "shift.tfm"], fields["geometry"], atol=1e-3)
    np.testing.assert_allclose(fields[tmp_path / "shift.nrrd"], fields["geometry"], atol=0.05)


def test_settings_arrive(phantom_folder, tmp_path):
    settings = ("--set", "capture_range=40", "--set", "search_stages=0", "--set", "refinement_iterations = 2", "--set", "initial=rigid")
    options = ("--initial", "mass", "--features", "intensity", "--threads", "1")
    before = torch.get_num_threads()
    try:
        register_dense(phantom_folder, *settings, *options, "--transform", tmp_path / "t.nrrd", "--report", tmp_path / "r.json")
    finally:
        torch.set_num_threads(before)
    report = json.loads((tmp_path / "r.json").read_text())
    changed = {"capture_range": 40.0, "search_stages": 0, "refinement_iterations": 2, "initial": "mass", "features": "intensity"}
    changed["length_scale"] = 1.0
    assert report["parameters"] == {**dense_preset("quick").parameters.to_dict(), **changed}
    assert [stage["stage"] for stage in report["stages"]] == ["refinement"] * len(report["stages"])
    assert report["alignment"]["kind"] == "mass"
    assert report["features"] == "intensity"
    assert "1 thread" in report["device"]


def test_guides_draw_and_two_frames_are_honoured(phantom_folder, tmp_path):
    """Guides that contradict the images, written by Slicer in RAS."""
    fixed = read_points(phantom_folder / "fixed_landmarks.csv")
    centre = fixed.positions.mean(0)
    points = tmp_path / "fixed.csv", tmp_path / "moving.mrk.json"
    points[0].write_text("x,y,z\n" + ",".join(str(value) for value in centre) + "\n")
    there = (centre + (25.0, 0.0, 0.0)) * (-1.0, -1.0, 1.0)
    markup = {"coordinateSystem": "RAS", "coordinateUnits": "mm", "controlPoints": [{"id": "1", "position": there.tolist()}]}
    points[1].write_text(json.dumps({"markups": [{"type": "Fiducial", **markup}]}))
    ends = []
    pull = ("--set", "guide_weight=1000", "--set", "guide_radius=30")
    for guides in ((), ("--fixed-landmarks", points[0], "--moving-landmarks", points[1], *pull)):
        register_dense(phantom_folder, "--initial", "geometry", "--transform", tmp_path / "t.nrrd", *guides)
        ends.append(mapped(read_transform(tmp_path / "t.nrrd"), [centre])[0] - centre)
    target = np.array([25.0, 0.0, 0.0])
    assert np.linalg.norm(ends[1] - target) < 0.5 * np.linalg.norm(ends[0] - target)


# ----------------------------------------------------------------------------------------------------------------- warp


def test_warp_makes_what_register_made(result, phantom_folder, tmp_path):
    images = ("--reference", phantom_folder / "fixed.nii.gz"), ()
    for number, reference in enumerate(images):
        output = tmp_path / f"{number}.nrrd"
        succeed("warp", "--transform", result / "t.nrrd", "--image", phantom_folder / "moving.nii.gz", *reference, "--output", output)
        np.testing.assert_array_equal(array(output), array(result / "w.nii.gz"))
    labels = ("--image", phantom_folder / "moving_labels.nii.gz", "--labels", "--output", tmp_path / "l.nii.gz")
    assert succeed("warp", "--transform", result / "t.nrrd", *labels) == f"written: {tmp_path / 'l.nii.gz'}\n"
    np.testing.assert_array_equal(array(tmp_path / "l.nii.gz"), array(result / "l.nii.gz"))


def test_warp_takes_points_to_the_moving_image_and_the_inverse_takes_them_back(result, phantom_folder, itk_transform, tmp_path):
    fixed = read_points(phantom_folder / "fixed_landmarks.csv")
    expected = mapped(itk_transform, fixed.positions)
    for ending in (".csv", ".mrk.json", ".fcsv", ".json"):
        write_points(tmp_path / f"in{ending}", fixed)
        succeed("warp", "--transform", result / "t.nrrd", "--points", tmp_path / f"in{ending}", "--output", tmp_path / f"out{ending}")
        there = read_points(tmp_path / f"out{ending}")
        np.testing.assert_allclose(there.positions, expected, atol=1e-3)
        assert there.labels == fixed.labels
    succeed("warp", "--transform", result / "i.nrrd", "--points", tmp_path / "out.csv", "--output", tmp_path / "back.csv")
    assert np.median(np.linalg.norm(read_points(tmp_path / "back.csv").positions - fixed.positions, axis=1)) < 0.5


def test_warp_by_an_affine_needs_and_takes_a_reference(phantom_folder, phantom_pair, tmp_path):
    affine = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.1, -0.05, 0.2, (4.0, -3.0, 7.0))
    sitk.WriteTransform(affine, str(tmp_path / "a.tfm"))
    images = ("--image", phantom_folder / "moving.nii.gz", "--reference", phantom_folder / "fixed.nii.gz")
    for how, interpolator in (("nearest", sitk.sitkNearestNeighbor), ("linear", sitk.sitkLinear), ("cubic", sitk.sitkBSpline)):
        succeed("warp", "--transform", tmp_path / "a.tfm", *images, "--interpolation", how, "--output", tmp_path / "w.nrrd")
        moving = sitk.Cast(phantom_pair.moving, sitk.sitkFloat32)
        lowest = float(sitk.GetArrayFromImage(moving).min())
        expected = sitk.GetArrayFromImage(sitk.Resample(moving, phantom_pair.fixed, affine, interpolator, lowest))
        assert np.abs(array(tmp_path / "w.nrrd") - expected).max() <= 0.51


def test_warp_notes_points_outside(result, phantom_folder, tmp_path):
    points = read_points(phantom_folder / "fixed_landmarks.csv").positions[:3]
    points[0] += 5000.0
    (tmp_path / "p.csv").write_text("x,y,z\n" + "\n".join(",".join(str(value) for value in point) for point in points) + "\n")
    outcome = call("warp", "--transform", result / "t.nrrd", "--points", tmp_path / "p.csv", "--output", tmp_path / "q.csv")
    assert outcome.code == 0
    assert outcome.messages == ["note: points outside the displacement field, which stay where they are: 1 of 3"]
    np.testing.assert_allclose(read_points(tmp_path / "q.csv").positions[0], points[0], atol=1e-6)


# ------------------------------------------------------------------------------------------------------------- evaluate


def test_evaluate_finds_the_figures_of_the_registration(result, report, phantom_folder, tmp_path):
    printed = succeed("evaluate", "--transform", result / "t.nrrd", *files_to_measure(phantom_folder), "--report", tmp_path / "e.json")
    found = json.loads((tmp_path / "e.json").read_text())
    same_figures({key: found[key] for key in ("landmarks", "overlap", "displacement", "regularity", "deformation", "structures")}, report)
    made = (result / "printed.txt").read_text()
    lines = [line for line in printed.splitlines() if not line.startswith("note")]
    assert len(lines) > 20
    assert [line for line in lines if line not in made.splitlines()] == []


def same_figures(found, expected):
    if isinstance(found, dict):
        for key, value in found.items():
            same_figures(value, expected[key])
    elif isinstance(found, list):
        assert len(found) == len(expected)
        for value, other in zip(found, expected, strict=True):
            same_figures(value, other)
    else:
        assert found == (pytest.approx(expected, rel=1e-4, abs=1e-3) if isinstance(found, float) else expected)


def test_the_truth_is_exact(phantom_folder, tmp_path):
    where = ("--mask", phantom_folder / "fixed_mask.nii.gz", "--report", tmp_path / "e.json")
    succeed("evaluate", "--transform", phantom_folder / "truth.nrrd", *files_to_measure(phantom_folder), *where)
    report = json.loads((tmp_path / "e.json").read_text())
    assert report["landmarks"]["after"]["mean"] < 0.5 < 10 < report["landmarks"]["before"]["mean"]  # linear between voxels of 10 mm
    assert report["regularity"]["folding_percent"] == 0.0
    assert report["notes"] == []


def test_evaluate_an_affine_on_a_reference(phantom_folder, tmp_path):
    sitk.WriteTransform(sitk.TranslationTransform(3, (3.0, 0.0, 4.0)), str(tmp_path / "s.tfm"))
    printed = succeed("evaluate", "--transform", tmp_path / "s.tfm", "--reference", phantom_folder / "fixed.nii.gz")
    assert printed.splitlines() == [
        "linear transform: shift 5.0 mm (3.0 left, 0.0 posterior, 4.0 superior), rotation 0.0\u00b0",
        "deformation beyond: mean 0.00 mm, 95 % below 0.00 mm, largest 0.00 mm",
        "Jacobian: 1.00 to 1.00, folding 0.000 %, SD of log 0.000",
    ]
