"""One transform applied to many files, against SimpleITK, on an oblique anisotropic pair of unequal sizes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from brought_along import ALIGNMENT, FIXED, blank, folder_fixture, read, transform_of  # noqa: F401 - fixtures
from command_line import call, succeed
from scenes import inside, itk_map

from deepreg_engine.errors import EngineError
from deepreg_engine.geometry.beyond import affine_transform
from deepreg_engine.geometry.points import PointSet, read_points, write_points
from deepreg_engine.jobs.apply import ApplyRequest, Warping, run_apply
from deepreg_engine.jobs.job import Job
from deepreg_engine.jobs.operations import OPERATIONS


def test_everything_is_brought_along_in_one_call(folder, tmp_path):
    names = ("ct.nrrd", "dose.nrrd", "organs.seg.nrrd", "moving.csv", "curve.mrk.json")
    files = [{"input": str(folder / name), "output": str(tmp_path / name)} for name in names]
    files[1]["kind"] = "dose"
    arguments = {"transform": str(folder / "t.nrrd"), "files": files, "fixed_labels": str(folder / "fixed_organs.nrrd"),
                 "structures": str(tmp_path / "s.csv"), "report": str(tmp_path / "r.json")}  # fmt: skip
    found = OPERATIONS["apply"](arguments, Job("1", lambda event: None))
    assert [each["kind"] for each in found["files"]] == ["ct", "dose", "labels", "points", "points"]
    transform = transform_of(folder)
    # Volumes: linear; outside the moving image a CT has air, and a dose is 0.
    for name, background, tolerance in (("ct.nrrd", -1024, 0.51), ("dose.nrrd", 0.0, 1e-3)):
        moving = sitk.Cast(sitk.ReadImage(str(folder / name)), sitk.sitkFloat64)
        expected = sitk.GetArrayFromImage(sitk.Resample(moving, blank(), transform, sitk.sitkLinear, background))
        assert np.abs(read(tmp_path / name) - expected).max() <= tolerance
        assert (expected == background).any()
    # Segmentations: nearest neighbour, with names and colours.
    segments = sitk.ReadImage(str(tmp_path / "organs.seg.nrrd"))
    organs = sitk.ReadImage(str(folder / "organs.seg.nrrd"))
    expected = sitk.Resample(organs, blank(), transform, sitk.sitkNearestNeighbor)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(segments), sitk.GetArrayFromImage(expected))
    assert [segments.GetMetaData(f"Segment1_{key}") for key in ("Name", "Color", "LabelValue")] == ["Left kidney", "0.7 0.6 0.1", "5"]
    # Points go the other way: to the fixed points from which SimpleITK's transform takes them.
    fixed = read_points(folder / "fixed.csv")
    points = read_points(tmp_path / "moving.csv")
    np.testing.assert_allclose(points.positions, fixed.positions, atol=2e-3)
    assert points.labels == fixed.labels
    assert found["files"][3]["round_trip_mm"] < 1e-3
    # Curves stay curves, in their frame.
    curve, empty = json.loads((tmp_path / "curve.mrk.json").read_text())["markups"]
    assert (curve["type"], curve["display"], empty["type"]) == ("ClosedCurve", {"color": [0.1, 0.9, 0.2]}, "Fiducial")
    assert "measurements" not in curve
    assert curve["controlPoints"][1]["selected"] is False
    positions = np.array([point["position"] for point in curve["controlPoints"]]) * (-1, -1, 1)
    np.testing.assert_allclose(positions, fixed.positions, atol=2e-3)
    # The contour table.
    assert [(row["name"], row["side"], row["outside_percent"]) for row in found["structures"]] == [
        ("Liver", "moving", 0.0),
        ("Left kidney", "moving", 0.0),
    ]
    assert [row["dice"] for row in found["structures"]] == [1.0, 1.0]
    assert found["structures"][0]["shift_mm"] < 5.0  # the scanners' origins are 400 mm apart
    assert (tmp_path / "s.csv").read_text().count("\n") == 3
    assert json.loads((tmp_path / "r.json").read_text())["structures"] == found["structures"]


def test_points_of_the_fixed_side_go_to_the_moving_side(folder, tmp_path):
    files = [Warping(str(folder / "fixed.csv"), str(tmp_path / "m.csv"), side="fixed")]
    (entry,) = run_apply(ApplyRequest(str(folder / "t.nrrd"), files))["files"]
    np.testing.assert_allclose(read_points(tmp_path / "m.csv").positions, read_points(folder / "moving.csv").positions, atol=1e-4)
    assert "round_trip_mm" not in entry


def test_a_linear_transform_and_a_given_inverse(folder, tmp_path):
    affine = affine_transform(ALIGNMENT)
    sitk.WriteTransform(affine, str(tmp_path / "a.tfm"))
    sitk.WriteTransform(affine.GetInverse(), str(tmp_path / "i.tfm"))
    moving = read_points(folder / "moving.csv").positions
    for inverse in (None, str(tmp_path / "i.tfm")):
        files = [Warping(str(folder / "moving.csv"), str(tmp_path / "p.csv")), Warping(str(folder / "ct.nrrd"), str(tmp_path / "c.nrrd"))]
        found = run_apply(ApplyRequest(str(tmp_path / "a.tfm"), files, str(folder / "fixed_organs.nrrd"), inverse))
        np.testing.assert_allclose(read_points(tmp_path / "p.csv").positions, itk_map(affine.GetInverse(), moving), atol=1e-5)
        assert found["files"][0]["round_trip_mm"] < 1e-6
        assert read(tmp_path / "c.nrrd").shape == FIXED.size[::-1]
    with pytest.raises(EngineError, match="no grid of its own"):
        run_apply(ApplyRequest(str(tmp_path / "a.tfm"), files))
    run_apply(ApplyRequest(str(tmp_path / "a.tfm"), files[:1]))  # points need no grid


def test_an_inverse_that_does_not_fit_is_noted(folder, tmp_path):
    sitk.WriteTransform(affine_transform(np.linalg.inv(ALIGNMENT)), str(tmp_path / "rough.tfm"))  # without the deformation
    files = [Warping(str(folder / "moving.csv"), str(tmp_path / "p.csv"))]
    found = run_apply(ApplyRequest(str(folder / "t.nrrd"), files, inverse=str(tmp_path / "rough.tfm")))
    moving = read_points(folder / "moving.csv").positions
    back = itk_map(transform_of(folder), itk_map(affine_transform(np.linalg.inv(ALIGNMENT)), moving))
    assert found["files"][0]["round_trip_mm"] == pytest.approx(np.linalg.norm(back - moving, axis=1).max(), rel=1e-4)
    assert any("the inverse is exact only to" in note for note in found["notes"])


def test_points_outside_the_field_are_noted(folder, tmp_path):
    points = read_points(folder / "moving.csv").positions[:4].copy()
    points[0] += ALIGNMENT[:3, :3] @ FIXED.axes @ (np.array(FIXED.extent) * (0.9, 0.0, 0.0))
    write_points(tmp_path / "q.csv", PointSet(points))
    found = run_apply(ApplyRequest(str(folder / "t.nrrd"), [Warping(str(tmp_path / "q.csv"), str(tmp_path / "p.csv"))]))
    assert found["files"][0]["outside"] == 1
    assert any("1 of 4 points of q.csv are mapped to points outside the displacement field" in note for note in found["notes"])
    assert not inside(FIXED, read_points(tmp_path / "p.csv").positions)[0]
    write_points(tmp_path / "far.csv", PointSet(points[:1] + 900.0))
    with pytest.raises(EngineError, match="no point of .* lies in the displacement field"):
        run_apply(ApplyRequest(str(folder / "t.nrrd"), [Warping(str(tmp_path / "far.csv"), str(tmp_path / "p2.csv"))]))


def test_nothing_is_written_if_one_file_cannot_be_used(folder, tmp_path):
    (tmp_path / "bad.mrk.json").write_text("{}")
    box = {"markups": [{"type": "ROI", "controlPoints": [{"position": [1, 2, 3]}]}]}
    (tmp_path / "box.mrk.json").write_text(json.dumps(box))
    good = Warping(str(folder / "ct.nrrd"), str(tmp_path / "c.nrrd"))
    for bad, words in (("bad.mrk.json", "not a Slicer markups file"), ("box.mrk.json", "of the kind ROI, which cannot be warped")):
        with pytest.raises(EngineError, match=words):
            run_apply(ApplyRequest(str(folder / "t.nrrd"), [good, Warping(str(tmp_path / bad), str(tmp_path / "o.mrk.json"))]))
    assert not (tmp_path / "c.nrrd").exists()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "there is no file to warp"),
        ([{"input": "a.nrrd"}], "does not describe a file to warp"),
        ([{"input": "a.nrrd", "output": "b.nrrd", "kind": "mesh"}], "no kind 'mesh'"),
        ([{"input": "a.nrrd", "output": "b.csv"}], "b.csv"),
        ([{"input": "a.csv", "output": "b.nrrd"}], "b.nrrd"),
        ([{"input": "a.nrrd", "output": "b.nrrd", "side": "fixed"}], "from the moving to the fixed side"),
        ([{"input": "a.nrrd", "output": "b.nrrd", "kind": "labels", "interpolation": "linear"}], "contradict"),
        ([{"input": "a.csv", "output": "b.csv", "background": 0.0}], "for images"),
        ([{"input": "a.nrrd", "output": "a.nrrd"}], "would overwrite an input"),
        ([{"input": "a.nrrd", "output": "c.nrrd"}, {"input": "b.nrrd", "output": "c.nrrd"}], "two outputs"),
    ],
)
def test_requests_that_cannot_be_meant_are_refused(files, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.nrrd", "b.nrrd"):
        (tmp_path / name).touch()
    with pytest.raises(EngineError, match=words):
        run_apply(ApplyRequest("t.nrrd", files))


def test_the_command(folder, tmp_path):
    printed = succeed(
        "warp", "--transform", folder / "t.nrrd",
        "--file", folder / "organs.seg.nrrd", tmp_path / "o.seg.nrrd",
        "--moving-points", folder / "moving.csv", tmp_path / "p.fcsv",
        "--fixed-points", folder / "fixed.csv", tmp_path / "m.csv",
        "--structures", tmp_path / "s.csv",
    )  # fmt: skip
    assert "12 points, inverse exact to" in printed
    assert "Left kidney" in printed
    np.testing.assert_allclose(read_points(tmp_path / "p.fcsv").positions, read_points(folder / "fixed.csv").positions, atol=2e-3)
    np.testing.assert_allclose(read_points(tmp_path / "m.csv").positions, read_points(folder / "moving.csv").positions, atol=1e-4)
    mixed = call("warp", "--transform", folder / "t.nrrd", "--file", folder / "moving.csv", tmp_path / "q.csv", "--labels")
    assert (mixed.code, "is for one file" in mixed.messages[0]) == (2, True)
    nothing = call("warp", "--transform", folder / "t.nrrd", "--structures", tmp_path / "s2.csv")
    assert (nothing.code, "is for several files" in nothing.messages[0]) == (2, True)
