"""Metrics compared with closed forms, and with slow, simple implementations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import FIXED, MIRRORED, MOVING, Waves, affine_field, field_of, image_on, make_grid, random_labels, random_points, voxel_points
from scipy import ndimage
from scipy.spatial.distance import cdist

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.beyond import SplitField
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.points import PointSet
from deepreg_engine.metrics.landmarks import landmark_report
from deepreg_engine.metrics.overlap import label_overlap, overlap_report
from deepreg_engine.metrics.regularity import regularity
from deepreg_engine.metrics.report import evaluation_report, to_json

quick = settings(max_examples=20, deadline=None, derandomize=True)


# -------------------------------------------------------------------------------------------------------------- overlap


def slow_overlap(first, second, spacing):
    """Dice, HD95 and mean surface distance of two masks (z, y, x) with all distances of all pairs; spacing x, y, z."""
    surfaces = []
    for mask in (first, second):
        padded = np.pad(mask, 1)
        shell = padded & ~ndimage.binary_erosion(padded)  # by a cross: face neighbours
        surfaces.append(np.argwhere(shell) * np.array(spacing)[::-1])
    pairs = cdist(*surfaces)
    there, back = pairs.min(axis=1), pairs.min(axis=0)
    dice = 2 * (first & second).sum() / (first.sum() + second.sum())
    return dice, max(np.percentile(there, 95), np.percentile(back, 95)), np.concatenate([there, back]).mean()


@quick
@given(st.integers(0, 10**6), st.sampled_from([FIXED, MOVING, MIRRORED]), st.floats(0.0, 1.6))
def test_overlap_agrees_with_the_slow_way(seed, grid, smoothness):
    rng = np.random.default_rng(seed)
    maps = []
    for _ in range(2):
        noise = ndimage.gaussian_filter(rng.normal(size=grid.shape), smoothness)
        maps.append(np.digitize(noise, np.quantile(noise, [0.5, 0.75, 0.98])).astype(np.int16))
    found = label_overlap(*(image_on(grid, labels) for labels in maps))
    assert [overlap.label for overlap in found] == [1, 2, 3]
    for overlap in found:
        masks = [labels == overlap.label for labels in maps]
        expected = slow_overlap(*masks, grid.spacing)
        np.testing.assert_allclose((overlap.dice, overlap.hd95, overlap.mean_surface_distance), expected, atol=1e-4)
        volume = np.prod(grid.spacing) / 1000
        np.testing.assert_allclose((overlap.reference_ml, overlap.other_ml), [m.sum() * volume for m in masks])


def box_labels(grid, start, size, label=1, dtype=np.uint8):
    values = np.zeros(grid.shape, dtype)
    values[tuple(slice(a, a + n) for a, n in zip(start[::-1], size[::-1], strict=True))] = label
    return image_on(grid, values)


@pytest.mark.parametrize("axis", range(3))
def test_shifted_boxes_in_closed_form(axis):
    # A box of 2 x 2 x 2 voxels is all surface. Shifted by k voxels, two layers each: distances k and k - 1 voxels for
    # one half each of the points if k >= 2.
    start, shift = np.array([2, 3, 3]), 3
    moved = start.copy()
    moved[axis] += shift
    (found,) = label_overlap(box_labels(FIXED, start, (2, 2, 2)), box_labels(FIXED, moved, (2, 2, 2)))
    spacing = FIXED.spacing[axis]
    assert found.dice == 0.0
    assert found.mean_surface_distance == pytest.approx((shift - 0.5) * spacing, rel=1e-5)
    assert found.hd95 == pytest.approx(shift * spacing, rel=1e-5)


@pytest.mark.parametrize("axis", range(3))
def test_dice_of_shifted_boxes_in_closed_form(axis):
    moved = np.array([2, 2, 2])
    moved[axis] += 1
    (found,) = label_overlap(box_labels(FIXED, (2, 2, 2), (5, 4, 3)), box_labels(FIXED, moved, (5, 4, 3)))
    length = (5, 4, 3)[axis]
    assert found.dice == pytest.approx((length - 1) / length)
    assert found.hd95 <= FIXED.spacing[axis] * (1 + 1e-5)
    assert found.mean_surface_distance > 0


def test_identical_labels_have_no_distance():
    labels = random_labels(MIRRORED, 0)
    for overlap in label_overlap(labels, labels):
        assert (overlap.dice, overlap.hd95, overlap.mean_surface_distance) == (1.0, 0.0, 0.0)


def test_concentric_spheres_within_half_a_voxel():
    grid = make_grid((52, 40, 33), (0.8, 1.0, 1.3), (21, -14, 33))
    distance = np.linalg.norm(voxel_points(grid) - grid.centre, axis=-1)
    inner, outer = 9.0, 15.0
    (found,) = label_overlap(*(image_on(grid, (distance <= radius).astype(np.uint8)) for radius in (inner, outer)))
    half = max(grid.spacing) / 2
    assert found.mean_surface_distance == pytest.approx(outer - inner, abs=half)
    assert found.hd95 == pytest.approx(outer - inner, abs=2 * half)
    assert found.dice == pytest.approx(2 * inner**3 / (inner**3 + outer**3), rel=0.02)
    assert found.reference_ml == pytest.approx(4 / 3 * np.pi * inner**3 / 1000, rel=0.02)


def test_a_label_at_the_images_face_has_a_surface_there():
    # Both fill the image from face to face but for the depth; without a surface at the faces only their inner ends count.
    size = np.array(FIXED.size)
    first = box_labels(FIXED, (0, 0, 0), (*size[:2], 3))
    second = box_labels(FIXED, (0, 0, 0), (*size[:2], 6))
    (found,) = label_overlap(first, second)
    expected = slow_overlap(sitk.GetArrayFromImage(first) == 1, sitk.GetArrayFromImage(second) == 1, FIXED.spacing)
    np.testing.assert_allclose((found.dice, found.hd95, found.mean_surface_distance), expected, atol=1e-4)
    # If the faces were no surface, all points would lie 3 slices apart.
    assert found.mean_surface_distance < 0.7 * 3 * FIXED.spacing[2]
    # The whole image filled is a surface too.
    (found,) = label_overlap(box_labels(FIXED, (0, 0, 0), size), box_labels(FIXED, (0, 0, 0), size))
    assert (found.dice, found.hd95) == (1.0, 0.0)


def test_labels_that_one_image_lacks():
    first, second = box_labels(FIXED, (1, 1, 1), (3, 3, 3), 5), box_labels(FIXED, (1, 1, 1), (3, 3, 3), 9)
    found = {overlap.label: overlap for overlap in label_overlap(first, second)}
    assert sorted(found) == [5, 9]
    for overlap in found.values():
        assert (overlap.dice, overlap.hd95, overlap.mean_surface_distance) == (0.0, None, None)
    volume = 27 * np.prod(FIXED.spacing) / 1000
    assert (found[5].reference_ml, found[5].other_ml) == (pytest.approx(volume), 0.0)
    assert (found[9].reference_ml, found[9].other_ml) == (0.0, pytest.approx(volume))
    assert [overlap.label for overlap in label_overlap(first, second, [9, 77, 0])] == [9]
    assert label_overlap(first, second, []) == []


@pytest.mark.parametrize(("label", "dtype"), [(200, np.uint8), (-7, np.int16), (40_000, np.uint16), (3_000_000, np.int32), (7, np.int64)])
def test_any_number_is_a_label(label, dtype):
    first, second = (box_labels(FIXED, (x, 2, 2), (4, 3, 3), label, dtype) for x in (2, 4))
    (found,) = label_overlap(first, second)
    assert (found.label, found.dice) == (label, 0.5)
    assert found.hd95 == pytest.approx(2 * FIXED.spacing[0], rel=1e-5)


def test_label_maps_that_cannot_be_compared():
    with pytest.raises(InputError, match="different grids"):
        label_overlap(random_labels(FIXED, 0), random_labels(MOVING, 0))
    with pytest.raises(InputError, match="not whole numbers"):
        label_overlap(sitk.Cast(random_labels(FIXED, 0), sitk.sitkFloat32), random_labels(FIXED, 0))


@dataclass(frozen=True)
class Ball:
    centre: np.ndarray
    radius: float

    def has(self, points):
        return np.linalg.norm(points - self.centre, axis=-1) <= self.radius


def balls_on(grid, *labelled):
    values = np.zeros(grid.shape, np.uint8)
    for label, ball in labelled:
        values[ball.has(voxel_points(grid))] = label
    return image_on(grid, values)


WIDE = make_grid((37, 31, 26), (1.3, 1.7, 2.1), (21, -14, 33), centre=(5.0, -8.0, 3.0))
OTHER = make_grid((33, 36, 24), (1.6, 1.4, 2.3), (-17, 24, -9), centre=(9.0, -10.0, 6.0))
SHIFT = np.array([4.0, -3.0, 5.0])


@pytest.mark.parametrize("kind", ["affine", "field", "field transform"])
def test_the_overlap_report_before_and_after(kind):
    one, two = Ball(np.array([0.0, -10.0, 0.0]), 9.0), Ball(np.array([14.0, 0.0, 8.0]), 6.0)
    fixed = balls_on(WIDE, (1, one), (2, two), (4, Ball(WIDE.centre - 16, 4.0)))
    moved = [Ball(ball.centre + SHIFT, ball.radius) for ball in (one, two)]
    moving = balls_on(OTHER, (1, moved[0]), (2, moved[1]), (7, Ball(OTHER.centre + [-13, 13, 5], 5.0)))
    field = affine_field(np.zeros((3, 3)), WIDE, shift=SHIFT)
    transform = {"affine": sitk.TranslationTransform(3, SHIFT.tolist()), "field": field, "field transform": field.to_transform()}[kind]
    report = overlap_report(transform, fixed, moving, {1: "liver", 3: "nothing"})
    assert [row["label"] for row in report["labels"]] == [1, 2]
    assert report["labels"][0]["name"] == "liver"
    assert "name" not in report["labels"][1]
    assert (report["only_in_fixed"], report["only_in_moving"]) == ([4], [7])
    for row in report["labels"]:
        # Before: measured again on images that SimpleITK resampled; after: as good as voxels of 2 mm allow.
        drawn = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, sitk.Transform(), sitk.sitkNearestNeighbor)) == row["label"]
        expected = slow_overlap(sitk.GetArrayFromImage(fixed) == row["label"], drawn, WIDE.spacing)
        before, after = row["before"], row["after"]
        np.testing.assert_allclose((before["dice"], before["hd95"], before["mean_surface_distance"]), expected, atol=1e-4)
        assert before["dice"] < 0.6
        assert after["dice"] > 0.85
        assert after["hd95"] < 2.4 < before["hd95"]
        assert after["mean_surface_distance"] < 0.8 < before["mean_surface_distance"]
        assert "label" not in before
    for stage in ("before", "after"):
        for key in ("dice", "hd95", "mean_surface_distance"):
            assert report[f"mean_{stage}"][key] == pytest.approx(np.mean([row[stage][key] for row in report["labels"]]))
        assert report[f"mean_{stage}"]["distance_labels"] == 2


def test_a_label_that_leaves_the_fixed_grid():
    fixed = balls_on(WIDE, (1, Ball(WIDE.centre, 9.0)), (2, Ball(WIDE.centre + 15, 5.0)))
    moving = balls_on(OTHER, (1, Ball(WIDE.centre, 9.0)), (2, Ball(WIDE.centre + 15, 5.0)))
    away = sitk.TranslationTransform(3, [500.0, 0.0, 0.0])
    report = overlap_report(away, fixed, moving)
    for row in report["labels"]:
        assert row["before"]["dice"] > 0.8
        assert (row["after"]["dice"], row["after"]["hd95"], row["after"]["other_ml"]) == (0.0, None, 0.0)
    assert report["mean_after"] == {"dice": 0.0, "hd95": None, "mean_surface_distance": None, "distance_labels": 0}


def test_label_maps_without_a_common_label():
    fixed, moving = random_labels(FIXED, 0, 12), box_labels(MOVING, (2, 2, 2), (4, 4, 4), 77)
    with pytest.raises(InputError) as caught:
        overlap_report(None, fixed, moving)
    assert "(1, 2, 3, 4, 5, 6, 7, 8, ...)" in caught.value.message
    assert "(77)" in caught.value.message
    with pytest.raises(InputError, match=r"\(none\)"):
        overlap_report(None, box_labels(FIXED, (0, 0, 0), (1, 1, 1), 0), moving)


# ----------------------------------------------------------------------------------------------------------- regularity


@pytest.mark.parametrize("grid", [FIXED, MIRRORED])
def test_regularity_of_a_scaling(grid):
    found = regularity(affine_field(np.eye(3) * 0.2, grid))
    assert found["folding_percent"] == 0.0
    assert found["voxels"] == grid.voxels
    for key in ("min_jacobian", "mean_jacobian", "max_jacobian"):
        assert found[key] == pytest.approx(1.2**3, abs=1e-3)
    assert found["sd_log_jacobian"] == pytest.approx(0.0, abs=1e-3)


def test_regularity_of_a_mirror():
    normal = np.array([0.6, -0.48, 0.64])
    found = regularity(affine_field(-2.0 * np.outer(normal, normal), FIXED))
    assert found["folding_percent"] == 100.0
    assert found["sd_log_jacobian"] is None
    assert found["max_jacobian"] == pytest.approx(-1.0, abs=1e-3)


def two_halves(low, high):
    """A field on an oblique grid whose Jacobian is 1 + low on one side of the middle slice and 1 + high on the other."""
    grid = make_grid((7, 6, 12), (1.3, 2.1, 1.7), (21, -14, 33))
    axis = grid.axes[:, 2]

    def displacement(points):
        depth = (points - grid.centre) @ axis
        return np.where(depth < 0, low * depth, high * depth)[:, None] * axis

    return field_of(displacement, grid), grid


def test_regularity_of_a_field_that_folds_in_one_half():
    field, grid = two_halves(-1.4, 0.5)
    found = regularity(field)
    # The middle lies between slices 5 and 6, whose central differences take a quarter from beyond it.
    per_slice = 1 + np.array([-1.4] * 5 + [0.25 * 0.5 - 0.75 * 1.4, 0.75 * 0.5 - 0.25 * 1.4] + [0.5] * 5)
    assert found["folding_percent"] == pytest.approx(100 * 5 / 12)
    assert found["min_jacobian"] == pytest.approx(-0.4, abs=1e-4)
    assert found["max_jacobian"] == pytest.approx(1.5, abs=1e-4)
    assert found["mean_jacobian"] == pytest.approx(per_slice.mean(), abs=1e-4)
    assert found["sd_log_jacobian"] == pytest.approx(np.log(per_slice[per_slice > 0]).std(), abs=1e-4)
    # A mask of the sound half.
    values = np.zeros(grid.shape, np.uint8)
    values[7:] = 3
    masked = regularity(field, image_on(grid, values))
    assert (masked["folding_percent"], masked["voxels"]) == (0.0, 5 * 42)
    assert masked["min_jacobian"] == pytest.approx(1.5, abs=1e-4)
    assert masked["sd_log_jacobian"] == pytest.approx(0, abs=1e-4)


def test_masks_that_do_not_fit():
    field = Waves.draw(0).on(FIXED)
    with pytest.raises(InputError, match="not on the grid"):
        regularity(field, random_labels(MOVING, 0))
    with pytest.raises(InputError, match="empty"):
        regularity(field, image_on(FIXED, np.zeros(FIXED.shape, np.uint8)))


# --------------------------------------------------------------------------------------------------------------- report


def test_the_report_has_the_sections_that_can_be_made():
    field = Waves.draw(0, amplitude=4.0).on(FIXED)
    transform = field.to_transform()
    points = PointSet(random_points(FIXED, 0))
    labels = (random_labels(FIXED, 0), random_labels(MOVING, 0))
    mask = image_on(FIXED, np.ones(FIXED.shape, np.uint8))
    assert evaluation_report(transform) == {}
    assert sorted(evaluation_report(transform, (FIXED, None))) == ["deformation", "displacement", "linear_part", "regularity"]
    assert sorted(evaluation_report(transform, landmarks=(points, points))) == ["landmarks"]
    assert sorted(evaluation_report(transform, labels=labels)) == ["overlap"]
    report = evaluation_report(transform, (FIXED, None), (points, points), labels, {1: "liver"}, mask)
    assert list(report) == ["displacement", "regularity", "linear_part", "deformation", "landmarks", "overlap"]
    lengths = np.linalg.norm(field.vectors, axis=0)
    expected = {"mean": lengths.mean(), "median": np.median(lengths), "percentile95": np.percentile(lengths, 95), "max": lengths.max()}
    assert report["displacement"] == pytest.approx(expected, rel=1e-5)
    assert report["regularity"] == pytest.approx(regularity(field), rel=1e-5)
    assert report["landmarks"] == landmark_report(transform, points, points)
    assert report["overlap"] == overlap_report(transform, *labels, {1: "liver"})
    # A field at hand is not sampled again, and needs no grid.
    other = affine_field(np.eye(3) * 0.1, MOVING)
    assert evaluation_report(transform, field=SplitField.of(other))["regularity"]["voxels"] == MOVING.voxels
    # On a grid of its own choice.
    sampled = evaluation_report(transform, (MIRRORED, None))["regularity"]
    assert sampled == pytest.approx(regularity(DisplacementField.from_transform(transform, MIRRORED)), rel=1e-4)


def test_the_mask_reaches_the_regularity():
    field = Waves.draw(0, amplitude=4.0).on(FIXED)
    mask = box_labels(FIXED, (2, 3, 4), (5, 4, 3))
    report = evaluation_report(field.to_transform(), (FIXED, None), mask=mask)
    assert report["regularity"]["voxels"] == 60


def test_json_round_trip():
    @dataclass
    class Part:
        name: str
        values: np.ndarray

    report = {
        "float32": np.float32(0.1),
        "third": 1 / 3,
        "small": 1.25e-9,
        "large": 123456789.123,
        "whole": np.int64(-12345678901234),
        "flags": [True, np.bool_(False), None],
        "nan": float("nan"),
        "bad": [np.float32("inf"), -np.inf, np.nan, 2.0],
        "array": np.array([[1.5, np.nan], [np.inf, 4.0]]),
        3: ("a", Path("folder")),
        np.uint8(4): Part("Ångström \n", np.arange(3)),
    }
    text = to_json(report)
    assert text.endswith("}\n")
    assert "Ångström" in text
    assert '\n  "third"' in text
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text) == {
        "float32": 0.1,
        "third": 0.3333333,
        "small": 1.25e-9,
        "large": 123456800.0,
        "whole": -12345678901234,
        "flags": [True, False, None],
        "nan": None,
        "bad": [None, None, None, 2.0],
        "array": [[1.5, None], [None, 4.0]],
        "3": ["a", "folder"],
        "4": {"name": "Ångström \n", "values": [0, 1, 2]},
    }
    with pytest.raises(TypeError, match="ImageGrid|object"):
        to_json({"what": object()})


def test_a_real_report_survives_json():
    field = Waves.draw(1, amplitude=4.0).on(FIXED)
    points = PointSet(random_points(FIXED, 0, beyond=0.2))
    labels = (random_labels(FIXED, 0), random_labels(MOVING, 0))
    report = evaluation_report(field.to_transform(), (FIXED, None), (points, points), labels)
    again = json.loads(to_json(report))
    assert again["displacement"] == pytest.approx(report["displacement"], rel=1e-6)
    assert again["landmarks"]["after"]["mean"] == pytest.approx(report["landmarks"]["after"]["mean"], rel=1e-6)
    assert len(again["landmarks"]["each"]) == len(points)
    assert again["overlap"]["labels"][0]["before"] == pytest.approx(report["overlap"]["labels"][0]["before"], rel=1e-6)
    assert ImageGrid(**json.loads(to_json(FIXED.to_dict()))).same_as(FIXED, 1e-4)
