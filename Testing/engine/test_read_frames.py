"""Points in RAS instead of LPS, and voxel indices instead of millimetres: each gives a note or an error."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import succeed
from phantom_pairs import pair_of
from scenes import make_grid

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.frames import flip_points
from deepreg_engine.geometry.point_clouds import checked_clouds
from deepreg_engine.geometry.point_readings import check_place
from deepreg_engine.geometry.points import PointSet, read_points, write_points
from deepreg_engine.methods.common.misread import images_note

QUICK = ("--preset", "quick", "--device", "cpu", "--set", "search_stages=1")


@pytest.fixture(scope="module")
def mirrored(phantom_folder, tmp_path_factory):
    """The landmarks of a phantom in RAS, in CSV files, which are LPS; those that are then outside the images are left out."""
    folder = tmp_path_factory.mktemp("mirrored")
    for side in ("fixed", "moving"):
        points = read_points(phantom_folder / f"{side}_landmarks.csv")
        write_points(folder / f"{side}.csv", PointSet(flip_points(points.positions), points.labels))
    return folder


def test_check_landmarks_and_guides_in_ras_are_noted(phantom_folder, mirrored, tmp_path):
    images = ("--fixed", phantom_folder / "fixed.nii.gz", "--moving", phantom_folder / "moving.nii.gz")
    files = ("--transform", tmp_path / "t.nrrd", "--report", tmp_path / "r.json")
    landmarks = ("--test-fixed-landmarks", mirrored / "fixed.csv", "--test-moving-landmarks", mirrored / "moving.csv")
    out = succeed("register", "dense", *images, *QUICK, *files, *landmarks)
    notes = json.loads((tmp_path / "r.json").read_text())["notes"]
    assert any("with x and y of all landmarks mirrored their mean error would be" in note for note in notes)
    assert "note: with x and y of all landmarks mirrored" in out
    evaluated = ("--fixed-landmarks", mirrored / "fixed.csv", "--moving-landmarks", mirrored / "moving.csv")
    assert "seem to be in RAS" in succeed("evaluate", "--transform", phantom_folder / "truth.nrrd", *evaluated)
    right = ("--fixed-landmarks", phantom_folder / "fixed_landmarks.csv", "--moving-landmarks", phantom_folder / "moving_landmarks.csv")
    assert "RAS" not in succeed("evaluate", "--transform", phantom_folder / "truth.nrrd", *right)


@pytest.mark.parametrize(("anatomy", "modalities"), [("thorax", None), ("abdomen", "mr-mr"), ("abdomen", None)])
def test_images_show_pairs_that_are_mirrored(anatomy, modalities):
    from deepreg_engine.phantoms import make_pair

    pair = make_pair(anatomy, detail=0.35, modality_pair=modalities)
    points, images = [side.positions for side in (pair.fixed_landmarks, pair.moving_landmarks)], (pair.fixed, pair.moving)
    assert images_note("guide landmarks", points, images) == ""
    note = images_note("guide landmarks", [flip_points(side) for side in points], images)
    if modalities or anatomy == "thorax":  # of one modality
        assert "agree much better at the guide landmarks with x and y of all landmarks mirrored" in note


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda fixed, moving: (flip_points(fixed), moving), "with x and y of the fixed landmarks mirrored"),
        (lambda fixed, moving: (fixed, flip_points(moving)), "with x and y of the moving landmarks mirrored"),
        (lambda fixed, moving: (moving, fixed), "with fixed and moving landmarks exchanged"),
        (lambda fixed, moving: (fixed / 10, moving / 10), "with all landmarks times 10"),
        (lambda fixed, moving: (fixed[:, ::-1], moving[:, ::-1]), "in the order z, y, x"),
    ],
)
def test_images_show_lists_that_are_misread(read, words):
    pair = pair_of("abdomen", detail=0.35)
    points = read(pair.fixed_landmarks.positions, pair.moving_landmarks.positions)
    assert words in images_note("guide landmarks", points, (pair.fixed, pair.moving))


GRID = make_grid((30, 34, 28), (2.0, 1.5, 2.5), (5, -4, 8), centre=(-30.0, -40.0, 20.0))


AWAY = make_grid((30, 34, 14), (1.0, 1.2, 1.1), (7, 9, -12), centre=(-300.0, 118.0, 14.0))


def test_points_that_only_mirrored_lie_inside():
    inside = GRID.index_to_physical(np.random.default_rng(0).uniform(8, 20, (12, 3)))
    assert check_place("points", (inside, inside), (GRID, GRID)) == []
    with pytest.raises(InputError, match="none of the 12 fixed points") as caught:
        check_place("points", (flip_points(inside), inside), (GRID, GRID))
    assert "with x and y mirrored all lie inside" in caught.value.advice
    around = make_grid((60, 50, 40), (2.0, 1.5, 2.5), (5, -4, 8), centre=(-20.0, -15.0, 20.0))
    points = around.index_to_physical(np.random.default_rng(0).uniform(2, 38, (40, 3)))
    (note,) = check_place("points", (flip_points(points), points), (around, around))
    assert "lie outside the fixed image: with x and y mirrored all lie inside, as points in RAS would" in note


def test_voxel_indices_are_noted_or_refused():
    index = np.random.default_rng(1).integers(0, 28, (9, 3)).astype(float)
    there = make_grid((30, 34, 28), (1.0, 1.2, 1.1), (0, 0, 0), centre=(15.0, 18.0, 14.0))
    notes = check_place("{side} check landmarks", (index, index + 0.5), (there, there))
    assert [note for note in notes if "indices" in note] == [
        "the fixed check landmarks are whole numbers that fit the size of the fixed image: they were read as mm, not as voxel indices"
    ]
    away = make_grid((30, 34, 28), (1.0, 1.2, 1.1), (0, 0, 0), centre=(-300.0, 18.0, 14.0))
    with pytest.raises(InputError) as caught:
        check_place("points", (index, index), (away, away))
    assert "not voxel indices" in caught.value.advice


@pytest.mark.parametrize(
    ("misread", "words"),
    [
        (lambda points: points[:, ::-1], "z of all landmarks exchanged all lie inside: the coordinates seem to be in the order z, y, x"),
        (lambda points: points / 10, "with all landmarks times 10 all lie inside: the points seem to be in centimetres"),
        (lambda points: points / 1000, "times 1000 all lie inside: the points seem to be in metres"),
        (lambda points: AWAY.physical_to_index(points), "with all landmarks as voxel indices all lie inside"),
        (lambda points: AWAY.physical_to_index(points)[:, ::-1], "as voxel indices in the order z, y, x all lie inside"),
        (lambda points: points + 500.0, "check that they belong to it"),
    ],
)
def test_points_outside_are_refused_with_what_they_may_be(misread, words):
    points = misread(AWAY.index_to_physical(np.random.default_rng(0).uniform((16, 16, 3), (29, 33, 12), (12, 3))))
    with pytest.raises(InputError, match="none of the 12 fixed landmarks lies in the fixed image") as caught:
        check_place("landmarks", (points, points), (AWAY, None))
    assert words in caught.value.advice


def test_clouds_in_two_frames_are_noted(tmp_path):
    rng = np.random.default_rng(2)
    cloud = rng.normal(size=(300, 3)) * (30, 20, 40) + (40.0, -60.0, 10.0)
    other = cloud[rng.permutation(300)[:250]] + rng.normal(0, 1.0, (250, 3)) + (3.0, -2.0, 4.0)
    assert checked_clouds(cloud, other, "rigid")[3] == []
    (note,) = checked_clouds(cloud, flip_points(other), "rigid")[3]
    assert "one seems to be in RAS, the other in LPS" in note
    assert checked_clouds(cloud, other + 500.0, "rigid")[3] == []
    write_points(tmp_path / "f.csv", PointSet(cloud))
    write_points(tmp_path / "m.csv", PointSet(flip_points(other)))
    files = ("--fixed-points", tmp_path / "f.csv", "--moving-points", tmp_path / "m.csv", "--report", tmp_path / "r.json")
    out = succeed("register", "points", *files, "--set", "features=none", "--device", "cpu", "--moved-points", tmp_path / "w.csv")
    assert f"note: {note}" in out
    assert note in json.loads((tmp_path / "r.json").read_text())["notes"]
