"""Errors of landmarks against closed forms and SimpleITK, inside and outside the grid of the transform."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import FIXED, Waves, affine_field, image_on, inside, itk_map, itk_transform, random_matrix, random_points

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.points import PointSet
from deepreg_engine.metrics.landmarks import LandmarkErrors, check_reached, landmark_errors, landmark_report, summarize
from deepreg_engine.metrics.mapping import map_points, outside_field

MISS = np.array([0.0, 3.0, 4.0])


def test_landmark_summary_in_closed_form():
    # Distances 1, 2, ..., 101 in changing directions.
    turn = np.random.default_rng(0).normal(size=(101, 3))
    turn /= np.linalg.norm(turn, axis=1, keepdims=True)
    vectors = np.random.default_rng(1).permutation(np.arange(1, 102))[:, None] * turn
    summary = summarize(vectors)
    assert summary["count"] == 101
    assert summary["mean"] == pytest.approx(51)
    assert summary["median"] == pytest.approx(51)
    assert summary["percentile95"] == pytest.approx(96)
    assert summary["max"] == pytest.approx(101)
    assert summary["sd"] == pytest.approx(np.sqrt((101**2 - 1) / 12 * 101 / 100))  # the sample's, of consecutive numbers
    for axis in range(3):
        assert summary["mean_absolute_per_axis"]["xyz"[axis]] == pytest.approx(np.abs(vectors[:, axis]).mean())
    errors = landmark_errors(None, vectors, np.zeros_like(vectors))
    assert sorted(errors.distances.round(9)) == list(range(1, 102))
    assert errors.summary() == {"before": summary, "after": summary}


def test_one_landmark_has_no_spread():
    summary = landmark_errors(None, [[1.0, 2.0, 3.0]], [[1.0, 5.0, -1.0]]).summary()["after"]
    assert (summary["count"], summary["mean"], summary["sd"], summary["max"]) == (1, 5.0, 0.0, 5.0)
    assert summary["mean_absolute_per_axis"] == {"x": 0.0, "y": 3.0, "z": 4.0}


def test_errors_are_the_mapped_point_minus_the_moving_point():
    gradient, shift = random_matrix(0), np.array([3.0, -5.0, 2.0])
    fixed = random_points(FIXED, 0)
    exact = fixed + (fixed - FIXED.centre) @ gradient.T + shift
    miss = np.random.default_rng(0).normal(size=fixed.shape)
    affine = sitk.AffineTransform(3)
    affine.SetMatrix((np.eye(3) + gradient).ravel().tolist())
    affine.SetCenter(FIXED.centre.tolist())
    affine.SetTranslation(shift.tolist())
    field = affine_field(gradient, FIXED, FIXED.centre, shift)
    for transform in (affine, field, field.to_transform(), sitk.CompositeTransform([affine])):
        errors = landmark_errors(transform, fixed, exact - miss)
        np.testing.assert_allclose(errors.after, miss, atol=1e-4)
        np.testing.assert_array_equal(errors.before, fixed - (exact - miss))


def test_landmarks_outside_the_field_have_no_error_and_do_not_count():
    """An oblique anisotropic grid; what lies inside is measured as SimpleITK does, what lies outside is only counted."""
    field = Waves.draw(0, amplitude=6.0).on(FIXED)
    fixed = random_points(FIXED, 1, count=40, beyond=0.3)
    within = inside(FIXED, fixed)
    exact = itk_map(itk_transform(field.vectors, FIXED), fixed)
    moving = exact + MISS
    points = PointSet(fixed, tuple(f"p{n}" for n in range(40)))
    assert 5 < within.sum() < 35
    for transform in (field, field.to_transform(), sitk.CompositeTransform([field.to_transform()])):
        report = landmark_report(transform, points, PointSet(moving))
        assert report["outside_field"] == (~within).sum()
        assert report["after"]["count"] == report["before"]["count"] == within.sum()
        assert report["after"]["mean"] == pytest.approx(5.0, abs=1e-4)
        assert report["after"]["sd"] == pytest.approx(0.0, abs=1e-4)
        before = np.linalg.norm(moving - fixed, axis=1)
        assert report["before"]["mean"] == pytest.approx(before[within].mean())
        for n, row in enumerate(report["each"]):
            assert row["label"] == f"p{n}"
            assert row["before_mm"] == pytest.approx(before[n], abs=1e-4)
            assert row["fixed"] == pytest.approx(fixed[n].tolist(), abs=1e-4)
            assert row["moving"] == pytest.approx(moving[n].tolist(), abs=1e-4)
            if within[n]:
                assert row["after_mm"] == pytest.approx(5.0, abs=2e-4)
                assert row["error_mm"] == pytest.approx((-MISS).tolist(), abs=2e-4)
                assert row["mapped"] == pytest.approx(exact[n].tolist(), abs=2e-4)
            else:
                assert (row["after_mm"], row["error_mm"], row["mapped"]) == (None, None, None)
    assert json.loads(json.dumps(report)) == report  # plain numbers
    for everywhere in (None, sitk.AffineTransform(3)):
        assert landmark_report(everywhere, points, PointSet(moving))["outside_field"] == 0


def test_landmarks_that_are_not_used_do_not_count_and_may_be_outliers():
    fixed = np.zeros((8, 3))
    moving = np.array([[length, 0.0, 0.0] for length in (1.0, 1.1, 0.9, 1.05, 0.95, 30.0, 40.0, 50.0)])
    used = np.array([True] * 6 + [False, True])
    outside = np.array([False] * 7 + [True])
    errors = LandmarkErrors(fixed, moving, fixed, outside, used)
    assert errors.counted.tolist() == [True] * 6 + [False, False]
    assert errors.summary()["after"]["max"] == errors.summary()["before"]["max"] == 30.0
    assert errors.outliers.tolist() == [False] * 5 + [True, True, False]
    nothing = LandmarkErrors(fixed, moving, fixed, outside, np.zeros(8, dtype=bool)).summary()["after"]
    assert (nothing["count"], nothing["mean"], nothing["mean_absolute_per_axis"]) == (0, None, None)


def test_the_parts_of_a_composite_are_followed():
    """The field is applied to points that a shift has moved; without the shift other points would be outside."""
    field = Waves.draw(0, amplitude=6.0).on(FIXED).to_transform()
    shift = sitk.TranslationTransform(3, (0.3 * FIXED.axes @ FIXED.extent).tolist())
    points = random_points(FIXED, 2, count=60)
    composite = sitk.CompositeTransform([field, shift])  # ITK applies the last one first
    moved = points + shift.GetOffset()
    outside = ~inside(FIXED, moved)
    assert 5 < outside.sum() < 55
    np.testing.assert_array_equal(outside_field(composite, points), outside)
    np.testing.assert_array_equal(outside_field(sitk.CompositeTransform([shift, composite]), points), outside)
    np.testing.assert_allclose(map_points(composite, points), itk_map(field, moved), atol=1e-9)


def test_a_b_spline_is_known_within_its_domain():
    spline = sitk.BSplineTransformInitializer(image_on(FIXED, np.zeros(FIXED.size[::-1], dtype=np.uint8)), [4, 5, 3])
    spline.SetParameters(np.full(spline.GetNumberOfParameters(), 3.0).tolist())  # 3 mm along each axis inside, nothing outside
    points = random_points(FIXED, 3, count=80, beyond=0.4)
    moved = np.linalg.norm(itk_map(spline, points) - points, axis=1) > 1.0
    assert 5 < moved.sum() < 75
    np.testing.assert_array_equal(outside_field(spline, points), ~moved)


def test_landmarks_that_cannot_be_measured():
    with pytest.raises(InputError, match="3 fixed, 2 moving"):
        landmark_errors(None, np.zeros((3, 3)), np.zeros((2, 3)))
    with pytest.raises(InputError, match="no landmarks"):
        landmark_errors(None, np.zeros((0, 3)), np.zeros((0, 3)))
    field = Waves.draw(0, amplitude=6.0).on(FIXED)
    with pytest.raises(InputError, match="no fixed landmark lies in the displacement field"):
        check_reached(field, PointSet(np.full((3, 3), 1e4)))
