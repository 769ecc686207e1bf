"""The contour table against closed forms and SimpleITK, on oblique anisotropic grids of unequal sizes."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import image_on, itk_transform, make_grid, rotation, voxel_points

from deepreg_engine.geometry.beyond import SplitField, affine_transform
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.metrics.structures import structure_table
from deepreg_engine.reporting.contour_table import HEAD, structures_csv

FIXED = make_grid((46, 38, 30), (1.6, 2.1, 2.7), (21, -14, 33), centre=(31.0, -52.0, 17.0))
MOVING = make_grid((52, 44, 40), (1.5, 1.9, 2.2), (-17, 24, -9), centre=(31.0, -52.0, 17.0))
FAR = np.array([-310.0, 950.0, -820.0])
PLACE, RADIUS = np.array([34.0, -50.0, 15.0]), 14.0


def ball(grid, centre, radius, label: int = 1, onto: sitk.Image | None = None) -> sitk.Image:
    array = np.zeros(grid.size[::-1], np.uint8) if onto is None else sitk.GetArrayFromImage(onto)
    array[np.linalg.norm(voxel_points(grid) - centre, axis=-1) < radius] = label
    return image_on(grid, array)


def enlarging(factor: float, centre=PLACE, shift=(0.0, 0.0, 0.0), far=(0.0, 0.0, 0.0), turn: np.ndarray | None = None):
    """What grows structures by a factor about a centre and moves them by a shift, and the matrix of the alignment before it.

    A moving point y goes to centre + factor (y - centre) + shift before the alignment; the field is the other way.
    """
    alignment = np.eye(4)
    alignment[:3, :3] = np.eye(3) if turn is None else turn
    alignment[:3, 3] = far
    points = voxel_points(FIXED).reshape(-1, 3)
    inner = (points - np.array(shift) - centre) / factor + centre
    vectors = inner @ alignment[:3, :3].T + alignment[:3, 3] - points
    field = DisplacementField(np.moveaxis(vectors.reshape(*FIXED.size[::-1], 3), -1, 0), FIXED)
    return SplitField.of(field, alignment), alignment


def moved_grid(grid, alignment):
    """The moving image's grid as its scanner has it."""
    return type(grid)(
        grid.size,
        grid.spacing,
        tuple(alignment[:3, :3] @ np.array(grid.origin) + alignment[:3, 3]),
        tuple((alignment[:3, :3] @ grid.axes).ravel()),
    )


@pytest.mark.parametrize("far", [False, True])
def test_a_ball_that_grows_by_a_fifth(far):
    split, alignment = enlarging(1.2, shift=(3.0, -2.0, 1.0), far=FAR if far else (0.0,) * 3, turn=rotation(0, 0, 20) if far else None)
    grid = moved_grid(MOVING, alignment)
    centre = alignment[:3, :3] @ PLACE + alignment[:3, 3]
    moving = ball(grid, centre, RADIUS)
    (row,) = structure_table(split, moving, names={1: "liver"})
    exact = 4.0 / 3.0 * np.pi * RADIUS**3 / 1000.0
    assert (row["label"], row["name"], row["side"], row["words"]) == (1, "liver", "moving", "grows")
    assert row["before_ml"] == pytest.approx(exact, rel=0.02)
    assert row["after_ml"] == pytest.approx(1.728 * exact, rel=0.02)
    assert row["change_percent"] == pytest.approx(72.8, abs=4.0)
    np.testing.assert_allclose(row["shift_lps_mm"], [3.0, -2.0, 1.0], atol=0.3)
    assert row["shift_mm"] == pytest.approx(np.sqrt(14.0), abs=0.3)
    for measure in ("mean", "percentile5", "percentile95"):
        assert row["jacobian"][measure] == pytest.approx(1.0 / 1.728, abs=2e-3)
    assert row["jacobian"]["mean"] * row["after_ml"] == pytest.approx(row["before_ml"], rel=0.03)
    assert (row["outside_percent"], row["note"], row["dice"]) == (0.0, "", None)


def test_volume_and_centre_are_those_of_simpleitk():
    split, _ = enlarging(0.8, shift=(2.0, 1.0, -3.0))
    moving = ball(MOVING, PLACE, RADIUS)
    (row,) = structure_table(split, moving)
    drawn = sitk.Resample(
        moving, image_on(FIXED, np.zeros(FIXED.size[::-1], np.uint8)), split.field.to_transform(), sitk.sitkNearestNeighbor
    )
    for image, stage in ((moving, "before"), (drawn, "after")):
        shapes = sitk.LabelShapeStatisticsImageFilter()
        shapes.Execute(image)
        assert row[f"{stage}_ml"] == pytest.approx(shapes.GetPhysicalSize(1) / 1000.0, rel=1e-6)
    centres = []
    for image in (moving, drawn):
        shapes.Execute(image)
        centres.append(np.array(shapes.GetCentroid(1)))
    np.testing.assert_allclose(row["shift_lps_mm"], centres[1] - centres[0], atol=1e-6)
    assert row["words"] == "shrinks"


def test_an_affine_alignment_changes_volumes_but_does_not_shift_beyond_itself():
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(5, -8, 12) @ np.diag([1.1, 1.0, 0.9]) / 1.2
    matrix[:3, 3] = PLACE - matrix[:3, :3] @ PLACE + 7.0
    split = SplitField.of(DisplacementField.from_transform(affine_transform(matrix), FIXED), matrix)
    moving = ball(MOVING, matrix[:3, :3] @ PLACE + matrix[:3, 3], 10.0)
    (row,) = structure_table(split, moving)
    ratio = 1.0 / np.linalg.det(matrix[:3, :3])
    assert row["change_percent"] == pytest.approx(100.0 * (ratio - 1.0), abs=6.0)
    assert row["jacobian"]["mean"] == pytest.approx(1.0 / ratio, abs=2e-3)
    assert row["shift_mm"] < 0.3


def test_a_structure_of_the_fixed_image_has_its_anatomy_as_before():
    split, alignment = enlarging(1.2, shift=(3.0, -2.0, 1.0), far=FAR)
    grown = ball(
        make_grid((44, 40, 34), (1.7, 1.8, 2.4), (9, 17, -21), centre=(31.0, -52.0, 17.0)), PLACE + (3.0, -2.0, 1.0), 1.2 * RADIUS, 4
    )
    (row,) = structure_table(split, None, grown)
    exact = 4.0 / 3.0 * np.pi * RADIUS**3 / 1000.0
    assert (row["label"], row["side"], row["words"]) == (4, "fixed", "grows")
    assert row["before_ml"] == pytest.approx(exact, rel=0.03)
    assert row["after_ml"] == pytest.approx(1.728 * exact, rel=0.02)
    np.testing.assert_allclose(row["shift_lps_mm"], [3.0, -2.0, 1.0], atol=0.3)


def test_partners_have_dice_and_distance_of_simpleitk():
    split, _ = enlarging(1.2)
    moving = ball(MOVING, PLACE + (9.0, 0.0, 4.0), 8.0, 2, ball(MOVING, PLACE - (8.0, 0.0, 0.0), 9.0, 1))
    fixed = ball(FIXED, PLACE + (6.0, -14.0, 9.0), 6.0, 3, ball(FIXED, PLACE - (9.0, 1.0, 0.0), 11.0, 1))
    rows = {row["label"]: row for row in structure_table(split, moving, fixed, {1: "liver", 3: "kidney"})}
    assert [(label, row["side"], row["name"]) for label, row in rows.items()] == [
        (1, "moving", "liver"),
        (2, "moving", ""),
        (3, "fixed", "kidney"),
    ]
    drawn = sitk.Resample(moving, fixed, split.field.to_transform(), sitk.sitkNearestNeighbor)
    measures = sitk.LabelOverlapMeasuresImageFilter()
    measures.Execute(fixed == 1, drawn == 1)
    assert rows[1]["dice"] == pytest.approx(measures.GetDiceCoefficient(1), abs=1e-6)
    assert 0.0 < rows[1]["hd95"] < 5.0
    assert rows[2]["dice"] is rows[3]["dice"] is None


def test_structures_outside_the_field_are_noted():
    split, _ = enlarging(1.0)
    outside = FIXED.centre + FIXED.axes @ (np.array(FIXED.extent) * (1.2, 0.0, 0.0))
    face = FIXED.centre + FIXED.axes @ (np.array(FIXED.extent) * (0.5, 0.0, 0.0))
    wide = make_grid((110, 60, 50), (1.5, 1.9, 2.2), (21, -14, 33), centre=tuple(FIXED.centre))
    moving = ball(wide, face, 10.0, 2, ball(wide, outside, 8.0, 1))
    gone, half = structure_table(split, moving)
    assert (gone["after_ml"], gone["outside_percent"], gone["words"], gone["jacobian"]) == (None, 100.0, "", None)
    assert "outside" in gone["note"]
    assert half["outside_percent"] == pytest.approx(50.0, abs=6.0)
    assert half["change_percent"] is None  # half of a structure has no volume to be compared
    assert "part of it lies outside" in half["note"]
    # The same of fixed structures, on a grid beyond the field's.
    gone, half = structure_table(split, None, moving)
    assert (gone["before_ml"], gone["outside_percent"]) == (None, 100.0)
    assert half["outside_percent"] == pytest.approx(50.0, abs=6.0)


def test_the_table_is_a_csv_file_that_spreadsheets_can_open():
    split, _ = enlarging(1.2)
    rows = structure_table(split, ball(MOVING, PLACE, 9.0, 3), names={3: "=liver, left"})
    (found,) = csv.DictReader(io.StringIO(structures_csv(rows)))
    assert tuple(found) == HEAD
    assert found["name"] == "'=liver, left"
    assert float(found["after_ml"]) == pytest.approx(rows[0]["after_ml"], rel=1e-6)
    assert float(found["shift_left_mm"]) == pytest.approx(rows[0]["shift_lps_mm"][0], rel=1e-5)
    assert float(found["jacobian_percentile95"]) == pytest.approx(rows[0]["jacobian"]["percentile95"], rel=1e-6)
    assert found["dice"] == ""


def test_a_folded_or_mirrored_field_has_no_negative_volumes():
    mirror = itk_transform(np.moveaxis((voxel_points(FIXED) - PLACE) * (-2.0, 0.0, 0.0), -1, 0).astype(np.float32), FIXED)
    split = SplitField.of(DisplacementField.from_transform(mirror, FIXED), None, mirror)
    (row,) = structure_table(split, ball(MOVING, PLACE, 10.0))
    assert row["jacobian"]["mean"] == pytest.approx(1.0, abs=1e-3)
    assert row["words"] == "keeps its volume"
