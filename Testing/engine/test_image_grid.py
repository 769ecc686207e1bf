"""Image grids: conversion between indices and patient coordinates compared with SimpleITK, and positions of derived grids."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import FIXED, MIRRORED, MOVING, blank, grids, image_on, inside, make_grid, random_points, voxel_points

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.frames import flip_points
from deepreg_engine.geometry.image_grid import ImageGrid

quick = settings(max_examples=25, deadline=None, derandomize=True)


@quick
@given(grids(), st.integers(0, 10**6))
def test_index_and_physical_agree_with_simpleitk(grid, seed):
    image = blank(grid)
    index = np.random.default_rng(seed).uniform(-4, 14, size=(20, 3))
    points = np.array([image.TransformContinuousIndexToPhysicalPoint(i) for i in index.tolist()])
    np.testing.assert_allclose(grid.index_to_physical(index), points, atol=1e-9)
    np.testing.assert_allclose(grid.physical_to_index(points), index, atol=1e-9)


@quick
@given(grids())
def test_points_corners_and_centre_agree_with_simpleitk(grid):
    expected = voxel_points(grid)
    np.testing.assert_allclose(grid.points(), expected, atol=1e-9)
    ends = expected[:: grid.shape[0] - 1, :: grid.shape[1] - 1, :: grid.shape[2] - 1].reshape(8, 3)
    np.testing.assert_allclose(grid.corners(), ends, atol=1e-9)
    np.testing.assert_allclose(grid.centre, expected.reshape(-1, 3).mean(axis=0), atol=1e-9)


@quick
@given(grids(), st.integers(0, 10**6))
def test_contains_agrees_with_simpleitk(grid, seed):
    points = random_points(grid, seed, count=80, beyond=0.4)
    expected = inside(grid, points)
    assert 0 < expected.sum() < len(points)
    np.testing.assert_array_equal(grid.contains(points), expected)


def test_the_border_is_half_open_as_in_itk():
    # Axes swapped and flipped, spacings powers of two: on this grid the border is a number that floats hold exactly.
    direction = (0.0, -1.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0)
    grid = ImageGrid((4, 6, 8), (2.0, 0.5, 4.0), (8.0, -16.0, 32.0), direction)
    transform = sitk.DisplacementFieldTransform(image_on(grid, np.ones((8, 6, 4, 3)), vector=True))
    middle = (np.array(grid.size) - 1) / 2
    for axis in range(3):
        end, little = grid.size[axis] - 0.5, 2**-20
        for place, expected in ((-0.5, True), (-0.5 - little, False), (end, False), (end - little, True)):
            index = middle.copy()
            index[axis] = place
            point = grid.index_to_physical(index[None])
            moved = np.abs(np.array(transform.TransformPoint(point[0].tolist())) - point[0]).max() > 0.5
            assert moved == expected  # ITK
            assert grid.contains(point)[0] == expected


@quick
@given(grids(), st.lists(st.integers(3, 60), min_size=3, max_size=3))
def test_resampled_keeps_axes_and_centre_and_reaches_as_far(grid, tenths):
    spacing = tuple(t / 10 for t in tenths)
    new = grid.resampled(spacing)
    assert new.direction == grid.direction
    assert new.spacing == spacing
    np.testing.assert_allclose(new.centre, grid.centre, atol=1e-9)
    old_reach, reach = (np.array(g.spacing) * (np.array(g.size) - 1) for g in (grid, new))
    assert (reach >= old_reach - 1e-5 * np.array(spacing)).all()
    # The least number of voxels, but at least two along an axis.
    assert ((reach - spacing < old_reach) | (np.array(new.size) == 2)).all()


def test_resampled_takes_one_spacing_for_all_axes():
    assert FIXED.resampled(2.5).spacing == (2.5, 2.5, 2.5)
    assert FIXED.resampled(FIXED.spacing).same_as(FIXED, 1e-9)


@quick
@given(grids(), st.tuples(*[st.integers(0, 4)] * 3))
def test_padded_agrees_with_simpleitk(grid, pad):
    expected = ImageGrid.of(sitk.ConstantPad(blank(grid), pad, pad))
    assert grid.padded(pad).same_as(expected, 1e-9)
    assert grid.padded(pad).padded(tuple(-p for p in pad)).same_as(grid, 1e-9)


@quick
@given(grids(), st.tuples(*[st.floats(0, 0.45)] * 3), st.tuples(*[st.floats(0.55, 1)] * 3))
def test_cropped_agrees_with_simpleitk(grid, low, high):
    size = np.array(grid.size)
    start, stop = np.floor(low * size).astype(int), np.ceil(high * size).astype(int)
    expected = sitk.RegionOfInterest(blank(grid), (stop - start).tolist(), start.tolist())
    assert grid.cropped(start, stop).same_as(ImageGrid.of(expected), 1e-9)


def test_around_covers_the_box_centred():
    lower, upper = np.array([-3.2, 10.0, 7.7]), np.array([9.1, 31.0, 7.7])
    grid = ImageGrid.around(lower, upper, 2.0)
    corners = grid.corners()
    assert (corners.min(axis=0) <= lower + 1e-9).all()
    assert (corners.max(axis=0) >= upper - 1e-9).all()
    np.testing.assert_allclose(grid.centre, (lower + upper) / 2)
    assert grid.spacing == (2.0, 2.0, 2.0)
    assert min(grid.size) == 2


@pytest.mark.parametrize("grid", [FIXED, MOVING, MIRRORED])
def test_image_round_trip(grid):
    array = np.random.default_rng(0).normal(size=(*grid.shape, 3)).astype(np.float32)
    for values, vector in ((array[..., 0].copy(), False), (array, True)):
        image = grid.to_image(values, vector)
        expected = image_on(grid, values, vector)
        assert image.GetNumberOfComponentsPerPixel() == (3 if vector else 1)
        assert image.GetOrigin() == expected.GetOrigin()
        assert image.GetDirection() == expected.GetDirection()
        assert image.GetSpacing() == expected.GetSpacing()
        assert image.GetSize() == grid.size
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), values)
        assert ImageGrid.of(image) == grid


def test_to_image_refuses_another_shape():
    with pytest.raises(ValueError, match="does not fit"):
        FIXED.to_image(np.zeros(FIXED.size))  # x, y, z where z, y, x is wanted


def test_measures():
    assert FIXED.shape == (9, 11, 14)
    assert FIXED.voxels == 9 * 11 * 14
    np.testing.assert_allclose(FIXED.extent, [14 * 1.3, 11 * 2.1, 9 * 3.2])
    assert FIXED.describe() == "14 x 11 x 9 voxels of 1.3 x 2.1 x 3.2 mm"
    assert ImageGrid(**FIXED.to_dict()) == FIXED


def test_same_as_counts_in_voxels():
    moved = ImageGrid(FIXED.size, FIXED.spacing, tuple(np.array(FIXED.origin) + FIXED.axes[:, 0] * 1.3 * 0.01), FIXED.direction)
    assert moved.same_as(FIXED, 0.011)
    assert not moved.same_as(FIXED, 0.009)
    assert not FIXED.same_as(MOVING)
    assert not FIXED.same_as(FIXED.padded(1))
    turned = make_grid(FIXED.size, FIXED.spacing, (21, -14, 34), FIXED.centre)
    assert not turned.same_as(FIXED)
    assert FIXED.same_as(FIXED)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": (4, 0, 5)}, "empty"),
        ({"size": (4, 5)}, "three sizes"),
        ({"size": (4, 5, 6), "spacing": (1, 0, 1)}, "not positive"),
        ({"size": (4, 5, 6), "spacing": (1, -2, 1)}, "not positive"),
        ({"size": (4, 5, 6), "spacing": (1, np.nan, 1)}, "not positive"),
        ({"size": (4, 5, 6), "origin": (np.nan, 0, 0)}, "not finite"),
        ({"size": (4, 5, 6), "direction": (1, 0, 0, 0, 1, 0, 0, 0.1, 1)}, "not orthonormal"),
        ({"size": (4, 5, 6), "direction": (2, 0, 0, 0, 1, 0, 0, 0, 1)}, "not orthonormal"),
        ({"size": (4, 5, 6), "direction": (np.nan,) * 9}, "not orthonormal"),
        ({"size": (4, 5, 6), "direction": (1, 0, 0, 1)}, "3x3"),
    ],
)
def test_bad_grids_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        ImageGrid(**arguments)


def test_a_2d_image_has_no_grid():
    with pytest.raises(InputError, match="three sizes"):
        ImageGrid.of(sitk.Image(5, 6, sitk.sitkUInt8))


def test_the_change_of_frame_is_its_own_inverse():
    points = np.random.default_rng(0).normal(size=(5, 3)) * 100
    np.testing.assert_allclose(flip_points(flip_points(points)), points)
    np.testing.assert_allclose(flip_points([[1.0, 2.0, 3.0]]), [[-1.0, -2.0, 3.0]])
