"""``register points``, ``keypoints`` and ``train points`` from files to files, and what is wrong with their input in one line."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import call, check_refusal, succeed
from scenes import image_on, make_grid

from deepreg_engine.geometry.point_clouds import checked_clouds, label_points, thinned_to
from deepreg_engine.geometry.points import PointSet, read_points, write_points

# Oblique, anisotropic, of unequal sizes.
FIXED = make_grid((40, 34, 26), (2.1, 2.6, 3.3), (12, -9, 17), centre=(20.0, -30.0, 900.0))
MOVING = make_grid((36, 40, 30), (2.4, 2.0, 3.0), (-8, 14, 5), centre=(26.0, -24.0, 893.0))


def motion(points: np.ndarray) -> np.ndarray:
    """Where fixed points go: an affine map and a smooth wave, mm."""
    centred = points - [20.0, -30.0, 900.0]
    affine = centred @ np.array([[1.05, 0.04, 0.0], [-0.03, 0.95, 0.02], [0.0, 0.05, 1.08]]).T + [26.0, -24.0, 893.0]
    return affine + 4.0 * np.sin(centred[:, [1, 2, 0]] / 25.0)


@pytest.fixture(scope="module")
def clouds(tmp_path_factory):
    """Files of two clouds, the second shuffled and with points that have no partner, and landmarks."""
    folder = tmp_path_factory.mktemp("clouds")
    random = np.random.default_rng(3)
    low, high = np.array([-20.0, -65.0, 870.0]), np.array([60.0, 5.0, 930.0])
    fixed = random.uniform(low, high, (400, 3))
    extra = random.uniform(low, high, (40, 3))
    moving = np.concatenate([motion(fixed[:360]), motion(extra)])[random.permutation(400)]
    landmarks = random.uniform(low + 10, high - 10, (30, 3))
    write_points(folder / "fixed.csv", PointSet(fixed))
    write_points(folder / "moving.fcsv", PointSet(moving))
    write_points(folder / "landmarks.csv", PointSet(landmarks, [f"L{n}" for n in range(30)]))
    write_points(folder / "partners.csv", PointSet(motion(landmarks)))
    return folder


def test_clouds_without_images(clouds, tmp_path):
    text = succeed(
        "register",
        "points",
        "--fixed-points",
        clouds / "fixed.csv",
        "--moving-points",
        clouds / "moving.fcsv",
        "--preset",
        "shape",
        "--transform",
        tmp_path / "t.nrrd",
        "--inverse",
        tmp_path / "i.nrrd",
        "--jacobian",
        tmp_path / "j.nii.gz",
        "--correspondences",
        tmp_path / "c.csv",
        "--moved-points",
        tmp_path / "moved.csv",
        "--report",
        tmp_path / "r.json",
        "--warp-points",
        clouds / "landmarks.csv",
        "--warped-points",
        tmp_path / "w.mrk.json",
        "--test-fixed-landmarks",
        clouds / "landmarks.csv",
        "--test-moving-landmarks",
        clouds / "partners.csv",
    )
    assert "400 fixed and 400 moving points" in text
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["landmarks"]["before"]["mean"] > 5.0
    assert report["landmarks"]["after"]["mean"] < 1.0
    assert report["regularity"]["folding_percent"] == 0.0
    assert report["inverse"]["worst_round_trip_mm"] < 0.5
    # The field, read by SimpleITK, takes points where the points' own map takes them.
    transform = sitk.DisplacementFieldTransform(sitk.ReadImage(str(tmp_path / "t.nrrd"), sitk.sitkVectorFloat64))
    landmarks, warped = read_points(clouds / "landmarks.csv"), read_points(tmp_path / "w.mrk.json")
    itk = np.array([transform.TransformPoint(point) for point in landmarks.positions.tolist()])
    assert np.abs(itk - warped.positions).max() < 0.05
    assert warped.labels == landmarks.labels
    # Its grid is the box around both clouds and 20 mm more, times the length scale.
    fixed, moving = read_points(clouds / "fixed.csv").positions, read_points(clouds / "moving.fcsv").positions
    image = sitk.ReadImage(str(tmp_path / "t.nrrd"))
    low = np.minimum(fixed.min(0), moving.min(0)) - 20 * report["parameters"]["length_scale"]
    assert np.abs(np.array(image.GetOrigin()) - low).max() <= 2.0
    with open(tmp_path / "c.csv", encoding="utf-8") as stream:
        rows = [[float(value) for value in row.values()] for row in csv.DictReader(stream)]
    rows = np.array(rows)
    np.testing.assert_allclose(rows[:, :3], fixed, atol=1e-5)
    np.testing.assert_allclose(rows[:, 3:6], read_points(tmp_path / "moved.csv").positions, atol=1e-5)
    near = np.linalg.norm(rows[:360, 6:9] - motion(fixed[:360]), axis=1) < 1e-3
    assert near.mean() > 0.9
    confidence = rows[:, 9]
    assert confidence[:360][near].mean() > 2 * confidence[360:].mean()
    assert confidence.min() >= 0
    assert confidence.max() <= 1


def test_points_alone_need_no_transform(clouds, tmp_path):
    succeed(
        "register",
        "points",
        "--fixed-points",
        clouds / "fixed.csv",
        "--moving-points",
        clouds / "moving.fcsv",
        "--preset",
        "shape",
        "--warp-points",
        clouds / "landmarks.csv",
        "--warped-points",
        tmp_path / "w.csv",
        "--set",
        "interpolation=thin-plate",
    )
    error = np.linalg.norm(read_points(tmp_path / "w.csv").positions - read_points(clouds / "partners.csv").positions, axis=1)
    assert error.mean() < 1.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.csv"]


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("thorax")
    succeed("phantom", "thorax", "--output", folder, "--detail", "0.5")
    for side in ("fixed", "moving"):
        labels = sitk.ReadImage(str(folder / f"{side}_labels.nii.gz"))
        sitk.WriteImage((labels == 1) | (labels == 2), str(folder / f"{side}_lungs.nii.gz"))
    return folder


def test_images_by_their_keypoints_and_dense_after_them(phantom, tmp_path):
    errors = {}
    for name, more in (("points", ()), ("refined", ("--refine", "--refine-preset", "quick"))):
        succeed(
            "register",
            "points",
            "--fixed",
            phantom / "fixed.nii.gz",
            "--moving",
            phantom / "moving.nii.gz",
            "--fixed-mask",
            phantom / "fixed_lungs.nii.gz",
            "--moving-mask",
            phantom / "moving_lungs.nii.gz",
            "--set",
            "keypoint_spacing=2",
            "--transform",
            tmp_path / "t.nrrd",
            "--warped",
            tmp_path / "w.nii.gz",
            "--fixed-keypoints",
            tmp_path / "k.csv",
            "--report",
            tmp_path / "r.json",
            "--test-fixed-landmarks",
            phantom / "fixed_landmarks.csv",
            "--test-moving-landmarks",
            phantom / "moving_landmarks.csv",
            *more,
        )
        report = json.loads((tmp_path / "r.json").read_text())
        errors[name] = report["landmarks"]["after"]["mean"]
        assert ("refinement" in report) == bool(more)
    assert errors["points"] < report["landmarks"]["before"]["mean"] / 3
    assert errors["refined"] < errors["points"]
    # Keypoints lie in the mask, in the patient's frame.
    mask = sitk.ReadImage(str(phantom / "fixed_lungs.nii.gz"))
    inside = [mask[mask.TransformPhysicalPointToIndex(point)] for point in read_points(tmp_path / "k.csv").positions.tolist()]
    assert np.mean(inside) > 0.9


def test_keypoints_command(phantom, tmp_path):
    text = succeed("keypoints", "--image", phantom / "fixed.nii.gz", "--set", "keypoint_count=50", "--output", tmp_path / "k.mrk.json")
    assert text.startswith("keypoints: 50;")
    assert len(read_points(tmp_path / "k.mrk.json")) == 50


# ---------------------------------------------------------------------------------------------------------------- structures


def ball(grid, radius: float) -> sitk.Image:
    distance = np.linalg.norm(grid.points().reshape(-1, 3) - grid.centre, axis=1).reshape(grid.shape)
    return image_on(grid, (distance < radius).astype(np.uint8))


def test_surface_of_a_label_map():
    points = label_points(ball(FIXED, 24.0), "surface", 3.0)
    radius = np.linalg.norm(points - FIXED.centre, axis=1)
    assert len(points) > 300
    assert abs(radius.mean() - 24.0) < 0.5
    assert radius.std() < 0.7


def test_skeleton_of_a_tube():
    axis = np.array([0.6, 0.48, 0.64])
    offset = MOVING.points().reshape(-1, 3) - MOVING.centre
    along = offset @ axis
    away = np.linalg.norm(offset - along[:, None] * axis, axis=1)
    tube = image_on(MOVING, ((away < 7.0) & (np.abs(along) < 28.0)).reshape(MOVING.shape).astype(np.uint8))
    points = label_points(tube, "skeleton", 2.0) - MOVING.centre
    middle = points[np.abs(points @ axis) < 20.0]
    assert len(middle) > 10
    assert np.linalg.norm(middle - (middle @ axis)[:, None] * axis, axis=1).mean() < 1.6
    assert np.ptp(middle @ axis) > 35.0


def test_thinning_keeps_the_shape():
    points = np.random.default_rng(0).uniform(0.0, 100.0, (5000, 3))
    few = thinned_to(points, 400)
    assert 200 < len(few) <= 400
    assert np.isin(few, points).all()
    assert np.ptp(few, axis=0).min() > 80.0


# ------------------------------------------------------------------------------------------------------------------ bad input


def cloud(kind: str) -> np.ndarray:
    good = np.random.default_rng(5).uniform(0.0, 80.0, (60, 3))
    return {
        "three": good[:3],
        "copies": np.repeat(good[:3], 20, axis=0),
        "metres": good / 1000.0,
        "line": np.outer(np.arange(50.0), [1.0, 2.0, 0.5]),
        "far": good + 5000.0,
        "tiny": good * 0.04,
        "many": np.random.default_rng(5).uniform(0.0, 300.0, (40_000, 3)),
        "nan": np.where(np.arange(180).reshape(60, 3) == 7, np.nan, good),
        "good": good,
    }[kind]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("three", ("3 different moving points", "at least 4")),
        ("copies", ("3 different moving points", "at least 4")),
        ("metres", ("span 0.0", "metres")),
        ("line", ("lie on one line", "span the structure")),
        ("tiny", ("times as much", "millimetres")),
        ("many", ("more than 30000", "--thin")),
        ("nan", ("not finite", "remove or correct")),
    ],
)
def test_clouds_that_are_refused(kind, words, tmp_path):
    write_points(tmp_path / "fixed.csv", PointSet(cloud("good")))
    write_points(tmp_path / "moving.csv", PointSet(cloud(kind)))
    outcome = call(
        "register",
        "points",
        "--fixed-points",
        tmp_path / "fixed.csv",
        "--moving-points",
        tmp_path / "moving.csv",
        "--transform",
        tmp_path / "t.nrrd",
    )
    check_refusal(outcome, *words)
    assert not (tmp_path / "t.nrrd").exists()


def test_clouds_apart_without_alignment_are_refused(tmp_path):
    write_points(tmp_path / "fixed.csv", PointSet(cloud("good")))
    write_points(tmp_path / "moving.csv", PointSet(cloud("far")))
    arguments = (
        "register",
        "points",
        "--fixed-points",
        tmp_path / "fixed.csv",
        "--moving-points",
        tmp_path / "moving.csv",
        "--preset",
        "shape",
        "--moved-points",
        tmp_path / "m.csv",
    )
    check_refusal(call(*arguments, "--initial", "none"), "do not overlap", "rigid or affine")
    succeed(*arguments)  # and found with an alignment
    assert np.abs(read_points(tmp_path / "m.csv").positions - cloud("far")).max() < 1.0


def test_flat_clouds_are_aligned_rigidly():
    flat = cloud("good") * [1.0, 1.0, 0.0]
    fixed, _, initial, notes = checked_clouds(flat, flat + 3.0, "affine")
    assert initial == "rigid"
    assert "one plane" in notes[0]
    assert len(fixed) == 60


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("nothing to register", "--fixed-points")),
        (("--fixed-points", "p.csv"), ("the fixed points cannot be used without the moving points", "--moving-points")),
        (("--fixed-points", "p.csv", "--moving-points", "p.csv"), ("no result is requested", "--transform")),
        (
            ("--fixed-points", "p.csv", "--moving-points", "p.csv", "--warped", "w.nii.gz"),
            ("the warped volume cannot be used without the moving volume", "(--moving)"),
        ),
        (
            ("--fixed-points", "p.csv", "--moving-points", "p.csv", "--transform", "t.nrrd", "--features", "lung-point"),
            ("did you mean lung-points",),
        ),
        (("--fixed-points", "p.csv", "--moving-points", "p.csv", "--transform", "t.nrrd", "--set", "bnd=1"), ("did you mean bond",)),
        (("--fixed-points", "p.csv", "--moving-points", "p.csv", "--transform", "p.csv"), ("needs another ending",)),
        (
            ("--fixed-points", "p.csv", "--moving-points", "p.csv", "--transform", "t.nrrd", "--solver", "cpd"),
            ("solver = cpd is not a choice", "belief+drift | belief | drift"),
        ),
    ],
)
def test_what_is_asked_for_wrongly(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_points("p.csv", PointSet(cloud("good")))
    check_refusal(call("register", "points", *arguments), *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.csv"]


def test_points_outside_the_images_are_refused(phantom, clouds, tmp_path):
    write_points(tmp_path / "p.csv", PointSet(cloud("far")))
    outcome = call(
        "register",
        "points",
        "--fixed-points",
        tmp_path / "p.csv",
        "--moving-points",
        tmp_path / "p.csv",
        "--fixed",
        phantom / "fixed.nii.gz",
        "--moving",
        phantom / "moving.nii.gz",
        "--transform",
        tmp_path / "t.nrrd",
    )
    check_refusal(outcome, "none of the 60 fixed points lies in the fixed image", "LPS mm")


# ------------------------------------------------------------------------------------------------------------------- training


def test_training_makes_a_model_that_registers(clouds, tmp_path):
    rows = np.random.default_rng(8).uniform(0.0, 90.0, (120, 3))
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a", "b"):
        np.savetxt(data / f"{name}.csv", np.column_stack([rows, rows * 1.05 + 2.0]), delimiter=",")
    model = tmp_path / "mine.safetensors"
    text = succeed(
        "train",
        "points",
        data,
        "--spacing",
        "1,1,1.5",
        "--leave-out",
        "b",
        "--set",
        "steps=3",
        "--set",
        "batch=1",
        "--log",
        tmp_path / "log.jsonl",
        "--output",
        model,
    )
    assert text.startswith("trained on 1 pairs")
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["step"] == 3
    succeed(
        "register",
        "points",
        "--fixed-points",
        clouds / "fixed.csv",
        "--moving-points",
        clouds / "moving.fcsv",
        "--features",
        model,
        "--moved-points",
        tmp_path / "m.csv",
    )
    check_refusal(
        call("train", "points", data, "--leave-out", "c", "--output", tmp_path / "x.safetensors"), "no pair 'c'", "there are a, b"
    )
