"""Files that are mistaken for others: exchanged lists of landmarks, other units, images given as labels or masks; and what results show."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import FIXED, affine_field, image_on, itk_transform, make_grid, random_labels, random_matrix, random_points, smooth_image

from deepreg_engine.geometry.frames import flip_points
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_labels, read_mask
from deepreg_engine.geometry.points import PointSet
from deepreg_engine.methods.common.lengths import unit_note
from deepreg_engine.metrics.landmarks import misread_note
from deepreg_engine.metrics.report import evaluation_report

AFFINE = sitk.AffineTransform((np.eye(3) + random_matrix(0)).ravel().tolist(), [9.0, -25.0, 13.0])
POINTS = random_points(make_grid((30, 26, 20), (5.0, 6.0, 7.0), (21, -14, 33), centre=(31.0, -52.0, 17.0)), 0)
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
        (POINTS, np.random.default_rng(1).permutation(PARTNERS), None),
    ],
)
def test_landmarks_that_would_fit_if_they_were_read_in_another_way_are_noted(fixed, moving, words):
    note = misread_note(AFFINE, PointSet(fixed), PointSet(moving))
    assert note == "" if words is None else words in note


def test_folded_results_and_labels_without_overlap_are_noted():
    notes: list[str] = []
    labels = random_labels(FIXED, 0)
    evaluation_report(None, FIXED, labels=(labels, labels), notes=notes)
    assert notes == []
    mirroring = affine_field(np.diag([-2.0, 0.0, 0.0]), FIXED, FIXED.centre)
    far = sitk.Image(labels)
    far.SetOrigin([5000.0, 0.0, 0.0])
    evaluation_report(itk_transform(mirroring.vectors, FIXED), labels=(labels, far), field=mirroring, notes=notes)
    assert len(notes) == 2
    assert notes[0].startswith("100.0 % of the voxels are folded")
    assert notes[1].startswith("no structure overlaps its partner")


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
