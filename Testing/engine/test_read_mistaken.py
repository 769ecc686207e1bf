"""Mistaken inputs: exchanged lists of landmarks, other units, images given as labels or masks; and notes on implausible results."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import succeed
from scenes import FIXED, affine_field, image_on, itk_transform, make_grid, random_labels, random_matrix, random_points, smooth_image

from deepreg_engine.geometry.beyond import SplitField
from deepreg_engine.geometry.frames import flip_points
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_labels, read_mask
from deepreg_engine.geometry.points import PointSet, write_points
from deepreg_engine.geometry.transform_files import write_field
from deepreg_engine.jobs.overlap import OverlapRequest, run_overlap
from deepreg_engine.methods.common.lengths import unit_note
from deepreg_engine.metrics.landmarks import landmark_errors, misread_note
from deepreg_engine.metrics.report import evaluation_report

AFFINE = sitk.AffineTransform((np.eye(3) + random_matrix(0)).ravel().tolist(), [9.0, -25.0, 13.0])
IMAGE = make_grid((30, 26, 20), (5.0, 6.0, 7.0), (21, -14, 33), centre=(31.0, -52.0, 17.0))
OTHER = make_grid((24, 34, 28), (7.0, 5.0, 6.0), (-17, 24, -9), centre=(44.0, -80.0, 31.0))
POINTS = random_points(IMAGE, 0)
PARTNERS = np.array([AFFINE.TransformPoint(point) for point in POINTS.tolist()]) + np.random.default_rng(0).normal(0, 0.5, POINTS.shape)


@pytest.mark.parametrize(
    ("fixed", "moving", "words"),
    [
        (POINTS, PARTNERS, None),
        (flip_points(POINTS), flip_points(PARTNERS), "x and y of all landmarks mirrored"),
        (flip_points(POINTS), PARTNERS, "the fixed points seem to be in RAS"),
        (POINTS, flip_points(PARTNERS), "the moving points seem to be in RAS"),
        (PARTNERS, POINTS, "the lists seem to be exchanged"),
        (POINTS / 10, PARTNERS / 10, "in centimetres"),
        (POINTS / 1000, PARTNERS / 1000, "in metres"),
        (POINTS[:, ::-1], PARTNERS[:, ::-1], "in the order z, y, x"),
        (IMAGE.physical_to_index(POINTS), OTHER.physical_to_index(PARTNERS), "with all landmarks as voxel indices their mean"),
        (IMAGE.physical_to_index(POINTS)[:, ::-1], OTHER.physical_to_index(PARTNERS)[:, ::-1], "as voxel indices in the order z, y, x"),
        (POINTS, np.random.default_rng(1).permutation(PARTNERS), None),
    ],
)
def test_landmarks_that_would_fit_if_they_were_read_in_another_way_are_noted(fixed, moving, words):
    note = misread_note(lambda one, two: landmark_errors(AFFINE, one, two), fixed, moving, (IMAGE, OTHER))
    assert note == "" if words is None else words in note


def test_folded_results_and_labels_without_overlap_are_noted():
    notes: list[str] = []
    labels = random_labels(FIXED, 0)
    evaluation_report(None, (FIXED, None), labels=(labels, labels), notes=notes)
    assert notes == []
    mirroring = affine_field(np.diag([-2.0, 0.0, 0.0]), FIXED, FIXED.centre)
    far = sitk.Image(labels)
    far.SetOrigin([5000.0, 0.0, 0.0])
    evaluation_report(itk_transform(mirroring.vectors, FIXED), labels=(labels, far), field=SplitField.of(mirroring), notes=notes)
    assert len(notes) == 2
    assert notes[0].startswith("100.0 % of the voxels are folded")
    assert notes[1].startswith("no structure overlaps its partner")


# The field of an affine transform on an oblique grid through the frame's origin, and label maps that it registers.
HOME = make_grid((24, 22, 20), (6.0, 7.0, 8.0), (21, -14, 33), centre=(4.0, -6.0, 5.0))
MOVED = sitk.AffineTransform(np.eye(3).ravel().tolist(), [9.0, -14.0, 11.0])
FOUND = random_points(HOME, 3, 40) * 0.5
TRUE = FOUND + MOVED.GetTranslation() + np.random.default_rng(3).normal(0, 0.5, FOUND.shape)


def evaluated(folder, *arguments):
    field = affine_field(np.zeros((3, 3)), HOME, shift=MOVED.GetTranslation())
    write_field(folder / "t.nrrd", field)
    return succeed("evaluate", "--transform", folder / "t.nrrd", *arguments, "--report", folder / "r.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda points: points, None),
        (flip_points, "note: with x and y of all landmarks mirrored their mean error would be 0"),
        (lambda points: points[:, ::-1], "note: with x and z of all landmarks exchanged their mean error would be 0"),
        (lambda points: points / 10, "note: with all landmarks times 10 their mean error would be 0"),
        (HOME.physical_to_index, "note: with all landmarks as voxel indices their mean error would be 0"),
        (lambda points: HOME.physical_to_index(points).round(), "fixed landmarks are whole numbers that fit the size of the displacement"),
    ],
)
def test_evaluate_notes_landmarks_that_are_misread(tmp_path, change, words):
    for name, points in (("f", FOUND), ("m", TRUE)):
        write_points(tmp_path / f"{name}.csv", PointSet(change(points)))
    out = evaluated(tmp_path, "--fixed-landmarks", tmp_path / "f.csv", "--moving-landmarks", tmp_path / "m.csv")
    notes = json.loads((tmp_path / "r.json").read_text())["notes"]
    assert notes == [line.removeprefix("note: ") for line in out.splitlines() if line.startswith("note: ")]
    assert (words in out) if words else notes == []


def test_label_maps_that_are_exchanged_are_noted(tmp_path):
    cubes = np.zeros(HOME.shape, np.uint8)
    cubes[4:9, 5:10, 6:11], cubes[11:16, 12:18, 13:19] = 1, 2
    fixed = image_on(HOME, cubes)
    moving = sitk.Resample(fixed, MOVED.GetInverse(), sitk.sitkNearestNeighbor)
    moving = sitk.Resample(
        moving,
        make_grid((40, 38, 36), (4.0, 4.5, 5.0), (-17, 24, -9)).to_image(np.zeros((36, 38, 40), np.uint8)),
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
    )
    for name, labels in (("f", fixed), ("m", moving)):
        sitk.WriteImage(labels, str(tmp_path / f"{name}.nrrd"))
    right, wrong = (("--fixed-labels", tmp_path / f"{a}.nrrd", "--moving-labels", tmp_path / f"{b}.nrrd") for a, b in ("fm", "mf"))
    assert "note" not in evaluated(tmp_path, *right)
    out = evaluated(tmp_path, *wrong)
    assert "note: with fixed and moving labels exchanged their mean Dice would be 0." in out
    files = {"fixed_labels": str(tmp_path / "m.nrrd"), "moving_labels": str(tmp_path / "f.nrrd")}
    (note,) = run_overlap(OverlapRequest(**files, transforms=[str(tmp_path / "t.nrrd")]))["notes"]
    assert f"note: {note}" in out
    swapped = run_overlap(OverlapRequest(files["moving_labels"], files["fixed_labels"], [str(tmp_path / "t.nrrd")]))
    assert swapped["notes"] == []


def test_report_notes_units_labels_and_landmarks_as_a_registration_does(tmp_path):
    grid = make_grid((16, 15, 14), (4.0, 5.0, 6.0), (21, -14, 33))
    image = smooth_image(grid, 0)
    small = sitk.Image(image)
    small.SetSpacing([0.1 * each for each in image.GetSpacing()])
    blocks = image_on(grid, np.kron(np.random.default_rng(0).integers(0, 5, (7, 8, 8)), np.ones((2, 2, 2)))[:, :15].astype(np.uint8))
    for name, content in (("fixed", image), ("small", small), ("blocks", blocks)):
        sitk.WriteImage(content, str(tmp_path / f"{name}.nrrd"))
    write_field(tmp_path / "t.nrrd", affine_field(np.zeros((3, 3)), grid))
    base = ("report", "--fixed", tmp_path / "fixed.nrrd", "--transform", tmp_path / "t.nrrd", "--output", tmp_path / "p.html")
    assert "check the voxel spacing of both" in succeed(*base, "--moving", tmp_path / "small.nrrd")
    assert "the moving image seems to be a label map" in succeed(*base, "--moving", tmp_path / "blocks.nrrd")
    index = np.random.default_rng(0).integers(0, 14, (6, 3)).astype(float)
    write_points(tmp_path / "i.csv", PointSet(index))
    points = ("--fixed-landmarks", tmp_path / "i.csv", "--moving-landmarks", tmp_path / "i.csv")
    assert "whole numbers that fit the size of the fixed image" in succeed(*base, "--moving", tmp_path / "fixed.nrrd", *points)


def test_a_voxel_spacing_in_another_unit_is_noted():
    body = make_grid((60, 50, 40), (5.0, 6.0, 7.0), (21, -14, 33))
    assert unit_note(body, make_grid((60, 60, 60), (4.0, 4.0, 4.0), (0, 0, 0))) == ""
    assert unit_note(body, make_grid((64, 64, 8), (1.0, 1.0, 5.0), (0, 0, 0))) == ""  # a slab
    small = ImageGrid(body.size, tuple(0.1 * np.array(body.spacing)), body.origin, body.direction)
    for one, two in ((body, small), (small, body)):
        assert "check the voxel spacing of both" in unit_note(one, two)


def test_images_that_are_given_as_labels_or_masks_are_noted(tmp_path):
    grid = make_grid((24, 22, 20), (1.3, 2.1, 3.2), (21, -14, 33))
    image = sitk.Cast(smooth_image(grid, 0), sitk.sitkInt16)
    parts = np.kron(np.random.default_rng(0).integers(0, 150, (10, 11, 12)), np.ones((2, 2, 2))).astype(np.int16)
    parcellation, ones = image_on(grid, parts), image_on(grid, np.ones((20, 22, 24), np.uint8))
    for name, content in (("image", image), ("float", sitk.Cast(image, sitk.sitkFloat32)), ("labels", parcellation), ("ones", ones)):
        sitk.WriteImage(content, str(tmp_path / f"{name}.nrrd"))
    for name in ("image", "float"):
        notes: list[str] = []
        read_labels(tmp_path / f"{name}.nrrd", "fixed labels", notes)
        assert len(notes) == 1
        assert "values seem to be those of an image" in notes[0]
        assert "values seem to be those of an image" in read_mask(tmp_path / f"{name}.nrrd", grid)[1]
    notes = []
    read_labels(tmp_path / "labels.nrrd", "fixed labels", notes)
    assert notes == []
    assert read_mask(tmp_path / "labels.nrrd", grid)[1] == ""
    assert read_mask(tmp_path / "ones.nrrd", grid)[1] == "the mask has no voxel of the value 0: everything is inside"


def test_keypoints_are_not_those_of_an_outlier_alone():
    from deepreg_engine.methods.points.keypoints import image_keypoints
    from deepreg_engine.methods.points.parameters import PointsParameters

    grid = make_grid((40, 36, 30), (2.0, 2.0, 2.0), (5, -4, 8))
    array = sitk.GetArrayFromImage(smooth_image(grid, 0)) + 300.0
    array[:4], array[-4:], array[:, :4], array[:, -4:] = 0.0, 0.0, 0.0, 0.0
    settings = PointsParameters(keypoint_spacing=2.0)
    clean = image_keypoints(image_on(grid, array), None, settings)[0]
    array[14:17, 16:21, 18:23] = 300_000.0
    hot = image_keypoints(image_on(grid, array), None, settings)[0]
    assert len(hot) > 0.7 * len(clean) > 20
    assert ImageGrid.of(image_on(grid, array)).contains(hot).all()
