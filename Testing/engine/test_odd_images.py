"""Unusual images: hot spots, padding, frames, thin slabs, and a patient who fills little of the field of view."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from dense_runs import QUICK, plain, run
from registering import FIXED_TURNS, MOVING_TURNS, noisy, scene
from scenes import Waves, image_on, make_grid, voxel_points

from deepreg_engine.geometry.body import body_bounds
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import without_outliers
from deepreg_engine.geometry.intensity_range import IntensityRange
from deepreg_engine.methods.common.affine import align
from deepreg_engine.methods.common.image_pair import ImagePair
from deepreg_engine.methods.common.working_pair import working_pair

FINE = QUICK.replaced({"working_spacing": 2.0, "control_spacing": 8.0, "capture_range": 16.0, "refinement_spacing": 6.0})


def changed(image, change):
    """A copy whose array (z, y, x) was changed in place."""
    array = sitk.GetArrayFromImage(image)
    change(array)
    return image_on(ImageGrid.of(image), array)


def hot(array):
    array -= array.min()
    array[12:15, 10:14, 20:24] = 500 * array.max()


# ------------------------------------------------------------------------------------------------------------ intensities


def test_a_hot_spot_changes_neither_alignment_nor_registration():
    pair = scene("abdomen")
    moving = changed(pair.moving, hot)
    found = align(pair.fixed, moving, "affine")
    assert found.notes == ()
    assert pair.error(DisplacementField.from_transform(found.transform, pair.grid).vectors) < 1.1 * pair.affine_error()
    result = run(pair.fixed, moving, found)
    assert pair.error(result.field.vectors) < 1.15 * pair.error(plain("abdomen").field.vectors)


@pytest.mark.parametrize("anatomy", ["abdomen", "thorax", "brain"])
def test_ordinary_images_are_compared_as_they_are(anatomy):
    pair = scene(anatomy)
    for image in (pair.fixed, pair.moving):
        assert without_outliers(image) is image


def corners(array):
    """Mask (z, y, x) of the air outside a round field of view."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in array.shape[1:]), indexing="ij")
    return np.broadcast_to(x**2 + y**2 > 1.05, array.shape) & (array < np.quantile(array, 0.2))


@pytest.mark.parametrize(("offset", "padding"), [(0, -2000), (0, -32768), (1024, -1000), (1024, -32768), (2000, -1024)])
def test_padding_is_background_whatever_the_zero_of_the_values(offset, padding):
    image = scene("abdomen").moving

    def pad(array):
        outside = corners(array)
        assert outside.mean() > 0.05
        array += offset
        array[outside] = padding

    found = IntensityRange.of(changed(image, pad))
    plain_range = IntensityRange.of(image)
    assert abs(found.background - offset - plain_range.background) < 60.0
    kept = sitk.GetArrayFromImage(without_outliers(changed(image, pad)))
    assert kept.min() == found.background
    assert kept.max() == sitk.GetArrayViewFromImage(image).max() + offset


def test_a_bright_frame_is_no_brighter_than_the_body():
    image = scene("brain").moving
    highest = sitk.GetArrayViewFromImage(image).max()

    def frame(array):
        array[:, 0], array[:, -1] = 30000.0, 30000.0

    assert sitk.GetArrayFromImage(without_outliers(changed(image, frame))).max() <= highest


def test_an_image_of_two_values_keeps_them():
    array = np.full((12, 14, 16), -70.0, np.float32)
    array[3:6, 4:9, 5:11] = 180.0
    for noise in (0.0, 3.0):
        image = noisy(sitk.GetImageFromArray(array), noise)
        kept = sitk.GetArrayFromImage(without_outliers(image))
        assert kept[array > 0].mean() - kept[array < 0].mean() > 240.0


# ------------------------------------------------------------------------------------------------------------ thin images


def texture(points):
    waves = Waves.draw(3, amplitude=40.0, wavelength=14.0, count=60)
    return waves.at(points.reshape(-1, 3))[:, 0].reshape(points.shape[:-1]).astype(np.float32)


@pytest.mark.parametrize(
    ("size", "spacing", "most"),
    [((130, 120, 8), (0.5, 0.5, 0.5), 0.4), ((6, 120, 130), (0.5, 0.6, 0.5), 0.4), ((110, 100, 4), (0.7, 0.7, 1.5), 0.4)],
)
def test_thin_slabs_are_registered(size, spacing, most):
    """Thinner than the voxels of the search, and tilted against each other; no displacement across them is invented."""
    shift = np.array([3.0, -2.0, 1.0])
    grids = make_grid(size, spacing, FIXED_TURNS), make_grid(size, spacing, (9.0, -7.0, 14.0), (1.0, 1.0, 0.0))
    fixed = image_on(grids[0], texture(voxel_points(grids[0])))
    moving = image_on(grids[1], texture(voxel_points(grids[1]) - shift))
    found = align(fixed, moving, "affine")
    centre = grids[0].centre
    assert np.linalg.norm(np.array(found.transform.TransformPoint(tuple(centre))) - centre - shift) < 1.0
    vectors = run(fixed, moving, found, FINE).field.vectors
    seen = grids[1].contains((voxel_points(grids[0]) + shift).reshape(-1, 3)).reshape(grids[0].shape)
    error = np.linalg.norm(vectors - shift.reshape(3, 1, 1, 1), axis=0)[seen].mean()
    assert error < most * np.linalg.norm(shift)


@pytest.mark.parametrize("size", [(8, 8, 8), (90, 6, 5), (4, 4, 90), (4, 4, 4)])
def test_tiny_images_are_registered(size):
    grid = make_grid(size, (1.0, 1.1, 0.9), FIXED_TURNS)
    image = image_on(grid, texture(voxel_points(grid)))
    result = run(image, noisy(image, 1.0), align(image, image, "affine"))
    assert np.linalg.norm(result.field.vectors, axis=0).mean() < 3.0


# ---------------------------------------------------------------------------------------------------- large field of view


def ball(grid, centre, radius, table=False, noise=8.0):
    """A textured ball of tissue in air, LPS mm, with a table under it."""
    points = voxel_points(grid)
    inside = np.linalg.norm(points - centre, axis=-1) < radius
    array = np.where(inside, 40.0 + texture(points - centre), -1000.0)
    if table:
        index = grid.physical_to_index(np.array([centre]))[0]
        row = int(index[1] + 1.2 * radius / grid.spacing[1])
        array[:, row : row + 2, :] = -200.0
    return noisy(image_on(grid, array.astype(np.float32)), noise)


@pytest.mark.parametrize("table", [False, True])
def test_the_body_is_found_in_noise_and_without_its_table(table):
    grid = make_grid((90, 80, 70), (4.0, 4.5, 5.0), FIXED_TURNS, (31, -52, 17))
    centre = grid.index_to_physical(np.array([[50.0, 36.0, 30.0]]))[0]
    bounds = body_bounds(ball(grid, centre, 60.0, table), 20.0)
    assert bounds is not None
    radius = (60.0 + 20.0) / np.array(grid.spacing)
    low, high = np.array([50.0, 36.0, 30.0]) - radius, np.array([50.0, 36.0, 30.0]) + radius
    assert (bounds[0] <= low + 1).all()
    assert (bounds[1] >= high).all()
    assert (bounds[0] > low - 9).all()
    assert (bounds[1] < high + 9).all()


@pytest.mark.parametrize("anatomy", ["abdomen", "thorax", "brain"])
def test_images_that_the_patient_fills_are_computed_as_they_are(anatomy):
    pair = scene(anatomy)
    images = ImagePair(pair.fixed, pair.moving)
    assert working_pair(images, 10.0) is images
    crop = pair.fixed[8:30, 6:26, 9:30]  # no air at its faces
    assert body_bounds(crop, 0.0) is None


def test_a_small_body_in_a_large_field_of_view_is_registered_as_if_it_were_cropped():
    shift = np.array([14.0, -9.0, 11.0])
    large = make_grid((96, 90, 84), (5.0, 5.5, 6.0), FIXED_TURNS, (31, -52, 17))
    other = make_grid((80, 84, 90), (5.5, 6.0, 5.0), MOVING_TURNS, (20, -40, 30))
    centre = np.array([40.0, -30.0, 10.0])
    fixed, moving = ball(large, centre, 70.0), ball(other, centre + shift, 70.0)
    bounds = body_bounds(fixed, 40.0)
    low, high = bounds
    crop = sitk.RegionOfInterest(fixed, (high - low).tolist(), low.tolist())
    found = align(fixed, moving, "rigid")
    assert np.linalg.norm(np.array(found.transform.TransformPoint(tuple(centre))) - centre - shift) < 1.0
    results = [run(image, moving, found, QUICK) for image in (fixed, crop)]
    assert results[0].stages[-1]["voxels"] <= 1.3 * results[1].stages[-1]["voxels"] < 0.3 * large.voxels * 165.0 / 125.0
    whole = results[0].field
    assert whole.grid == large
    body = np.linalg.norm(voxel_points(large) - centre, axis=-1) < 70.0
    errors = np.linalg.norm(whole.vectors - shift.reshape(3, 1, 1, 1), axis=0)
    assert errors[body].mean() < 1.5
    # The field continues without a step beyond the box, and has no folds.
    steps = [max(float(np.abs(np.diff(one.field.vectors, axis=axis)).max()) for axis in (1, 2, 3)) for one in results]
    assert steps[0] < 1.1 * steps[1]
    assert whole.jacobian_determinant().min() > 0
    assert results[0].uncertainty.GetSize() == fixed.GetSize()
