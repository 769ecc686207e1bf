"""Displacement fields: warping, mapping, composition and the Jacobian determinant on oblique grids, compared with SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import (
    FIXED,
    MIRRORED,
    MOVING,
    Waves,
    affine_field,
    field_of,
    grids,
    image_on,
    inside,
    itk_map,
    itk_transform,
    make_grid,
    random_labels,
    random_matrix,
    random_points,
    smooth_image,
    voxel_points,
)

from deepreg_engine.errors import InputError
from deepreg_engine.geometry import displacement_field
from deepreg_engine.geometry.displacement_field import DisplacementField

quick = settings(max_examples=20, deadline=None, derandomize=True)
FINE = make_grid((30, 26, 22), (0.9, 1.3, 1.6), (21, -14, 33), centre=(31.0, -52.0, 17.0))
FINE_MIRRORED = make_grid((24, 28, 26), (1.5, 0.8, 1.2), (12, 38, -27), centre=(30.0, -51.0, 18.0), mirrored=True)


def array(image):
    return sitk.GetArrayFromImage(image)


@pytest.fixture(params=[1, 2])
def slabs(request, monkeypatch):
    """Work that is cut into slabs of one or two slices, so that their seams are tested on small grids."""
    monkeypatch.setattr(displacement_field, "_SLAB_VOXELS", request.param * FIXED.size[0] * FIXED.size[1])


# ------------------------------------------------------------------------------------------------------------- warping


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("fixed", "moving"), [(FIXED, MOVING), (MOVING, MIRRORED), (MIRRORED, FIXED)])
def test_warp_agrees_with_simpleitk(fixed, moving, seed):
    field = Waves.draw(seed, amplitude=4.0).on(fixed)
    transform = itk_transform(field.vectors, fixed)
    image, labels = smooth_image(moving, seed), random_labels(moving, seed)
    for scene, name, interpolator, default in (
        (image, "linear", sitk.sitkLinear, -500.0),
        (image, "cubic", sitk.sitkBSpline, -500.0),
        (labels, "nearest", sitk.sitkNearestNeighbor, 9.0),
    ):
        size = (fixed.size, transform, interpolator, fixed.origin, fixed.spacing, fixed.direction, default)
        expected = array(sitk.Resample(scene, *size))
        assert 0.2 < (expected != default).mean() < 1.0  # partly overlapping
        warped = field.warp_image(scene, name, default)
        assert warped.GetPixelID() == scene.GetPixelID()
        np.testing.assert_array_equal(array(warped), expected)
        assert warped.GetOrigin() == fixed.origin
        assert warped.GetDirection() == fixed.direction


@quick
@given(grids(), st.integers(0, 10**6))
def test_warping_a_ramp_is_the_ramp_of_the_mapped_points(grid, seed):
    # Linear interpolation is exact on a linear image, so no interpolator is needed to know what comes out.
    rng = np.random.default_rng(seed)
    slope = rng.normal(size=3)
    field = Waves.draw(seed, amplitude=3.0).on(grid)
    moving = make_grid((13, 11, 12), (4.1, 5.3, 4.7), rng.uniform(5, 80, 3), grid.centre + rng.uniform(-3, 3, 3))
    warped = array(field.warp_image(image_on(moving, voxel_points(moving) @ slope), default=np.nan))
    mapped = voxel_points(grid) + np.moveaxis(field.vectors, 0, -1)
    covered = inside(moving, mapped.reshape(-1, 3)).reshape(grid.shape)
    np.testing.assert_array_equal(np.isfinite(warped), covered)
    # The outermost half voxel has the value of the last voxel centre.
    deep = inside(moving.padded(-1), mapped.reshape(-1, 3)).reshape(grid.shape)
    assert deep.any()
    np.testing.assert_allclose(warped[deep], (mapped @ slope)[deep], atol=1e-3)


# ------------------------------------------------------------------------------------------------------------- mapping


@quick
@given(grids(), st.integers(0, 10**6))
def test_points_map_as_in_itk_inside_and_outside(grid, seed):
    vectors = np.random.default_rng(seed).normal(size=(3, *grid.shape)).astype(np.float32) * 5
    points = random_points(grid, seed, count=80, beyond=0.4)
    field = DisplacementField(vectors, grid)
    expected = itk_map(itk_transform(vectors, grid), points)
    within = inside(grid, points)
    assert 0 < within.sum() < len(points)
    np.testing.assert_allclose(field.map_points(points), expected, atol=1e-6)
    np.testing.assert_array_equal(expected[~within], points[~within])
    np.testing.assert_allclose(field.at(points), expected - points, atol=1e-6)


def test_extended_displacements_go_on_with_the_face():
    field = Waves.draw(5, amplitude=3.0).on(FIXED)
    points = random_points(FIXED, 5, count=80, beyond=0.4)
    held = np.clip(FIXED.physical_to_index(points), 0, np.array(FIXED.size) - 1)
    expected = field.at(FIXED.index_to_physical(held))
    assert (~inside(FIXED, points)).sum() > 20
    np.testing.assert_allclose(field.at(points, extend=True), expected, atol=1e-6)


def test_points_come_in_any_list_and_none_is_none():
    field = affine_field(random_matrix(0), FIXED, shift=(1, 2, 3))
    point = FIXED.centre
    np.testing.assert_allclose(field.map_points(point), [point + [1, 2, 3]], atol=1e-5)
    np.testing.assert_allclose(field.map_points(point.tolist()), [point + [1, 2, 3]], atol=1e-5)
    assert field.map_points(np.empty((0, 3))).shape == (0, 3)


@pytest.mark.parametrize(("first_grid", "second_grid"), [(FIXED, MOVING), (MIRRORED, FIXED)])
def test_composition_agrees_with_itk(first_grid, second_grid):
    first, second = Waves.draw(1, amplitude=5.0).on(first_grid), Waves.draw(2, amplitude=4.0, wavelength=30.0).on(second_grid)
    # ITK applies the last transform of a composite first.
    composite = sitk.CompositeTransform([itk_transform(second.vectors, second_grid), itk_transform(first.vectors, first_grid)])
    points = voxel_points(first_grid).reshape(-1, 3)
    expected = itk_map(composite, points)
    assert 0.2 < inside(second_grid, points + first.at(points)).mean() < 1.0
    composed = first.then(second)
    assert composed.grid == first_grid
    np.testing.assert_allclose(composed.map_points(points), expected, atol=1e-4)
    other = second.then(first)
    assert np.abs(other.map_points(points) - expected).max() > 1.0  # the order matters here


def test_composition_does_not_show_its_slabs(slabs):
    first, second = Waves.draw(1, amplitude=5.0).on(FIXED), Waves.draw(2, amplitude=4.0).on(MOVING)
    points = voxel_points(FIXED).reshape(-1, 3)
    step = points + first.at(points)
    expected = step + second.at(step) - points
    np.testing.assert_allclose(np.moveaxis(first.then(second).vectors, 0, -1).reshape(-1, 3), expected, atol=1e-4)


# -------------------------------------------------------------------------------------------------------------- making


@quick
@given(grids(), st.integers(0, 10**6))
def test_an_affine_transform_becomes_its_closed_form(grid, seed):
    rng = np.random.default_rng(seed)
    gradient, centre, shift = random_matrix(seed), rng.normal(size=3) * 20, rng.normal(size=3) * 10
    transform = sitk.AffineTransform(3)
    transform.SetMatrix((np.eye(3) + gradient).ravel().tolist())
    transform.SetCenter(centre.tolist())
    transform.SetTranslation(shift.tolist())
    expected = (voxel_points(grid) - centre) @ gradient.T + shift
    field = DisplacementField.from_transform(transform, grid)
    assert field.grid.same_as(grid, 1e-9)
    np.testing.assert_allclose(np.moveaxis(field.vectors, 0, -1), expected, atol=1e-3)


@pytest.mark.parametrize("grid", [FIXED, MIRRORED])
def test_image_and_transform_round_trips(grid):
    field = Waves.draw(3).on(grid)
    image = field.to_image()
    assert image.GetPixelID() == sitk.sitkVectorFloat32
    np.testing.assert_array_equal(array(image), np.moveaxis(field.vectors, 0, -1))
    again = DisplacementField.from_image(image)
    del image
    np.testing.assert_array_equal(again.vectors, field.vectors)
    assert again.grid == grid
    points = random_points(grid, 3, beyond=0.2)
    np.testing.assert_allclose(itk_map(field.to_transform(), points), itk_map(itk_transform(field.vectors, grid), points), atol=1e-9)
    np.testing.assert_array_equal(DisplacementField.from_transform(field.to_transform(), grid).vectors, field.vectors)


def test_zeros_is_the_identity():
    field = DisplacementField.zeros(FIXED)
    points = random_points(FIXED, 0)
    np.testing.assert_array_equal(field.map_points(points), points)
    assert field.grid == FIXED
    assert field.vectors.dtype == np.float32


def test_resampling_is_linear_inside_and_nearest_beyond():
    field = Waves.draw(4, amplitude=3.0).on(FIXED)
    resampled = field.resampled(MOVING)
    points = voxel_points(MOVING).reshape(-1, 3)
    values = np.moveaxis(resampled.vectors, 0, -1).reshape(-1, 3)
    within = inside(FIXED, points)
    assert 0.2 < within.mean() < 0.9
    assert resampled.grid.same_as(MOVING, 1e-9)
    np.testing.assert_allclose(values[within], field.at(points[within]), atol=1e-4)
    nearest = np.clip(np.floor(FIXED.physical_to_index(points) + 0.5), 0, np.array(FIXED.size) - 1).astype(int)
    expected = np.moveaxis(field.vectors, 0, -1)[nearest[:, 2], nearest[:, 1], nearest[:, 0]]
    np.testing.assert_allclose(values[~within], expected[~within], atol=1e-4)
    assert field.resampled(FIXED) is field


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value):
    vectors = np.zeros((3, *FIXED.shape))
    vectors[1, 4, 5, 6] = value
    with pytest.raises(InputError, match="not finite"):
        DisplacementField(vectors, FIXED)
    with pytest.raises(InputError, match="not finite"):
        DisplacementField.from_image(image_on(FIXED, np.moveaxis(vectors, 0, -1).copy(), vector=True))


def test_what_is_no_field_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        DisplacementField(np.zeros((3, *FIXED.size)), FIXED)
    with pytest.raises(InputError, match="three components"):
        DisplacementField.from_image(smooth_image(FIXED, 0))
    with pytest.raises(InputError, match="three components"):
        DisplacementField.from_image(image_on(FIXED, np.zeros((*FIXED.shape, 2)), vector=True))


# ----------------------------------------------------------------------------------------------------------- measuring


@quick
@given(grids(), st.integers(0, 10**6))
def test_the_jacobian_of_an_affine_field_is_exact(grid, seed):
    gradient = random_matrix(seed, 0.4)
    determinant = affine_field(gradient, grid).jacobian_determinant()
    assert determinant.shape == grid.shape
    np.testing.assert_allclose(determinant, np.linalg.det(np.eye(3) + gradient), atol=2e-4)


@pytest.mark.parametrize("grid", [FINE, FINE_MIRRORED])
@pytest.mark.parametrize("seed", range(3))
def test_the_jacobian_of_a_smooth_field(grid, seed):
    waves = Waves.draw(seed, amplitude=3.5, wavelength=50.0)
    exact = waves.jacobian(voxel_points(grid).reshape(-1, 3)).reshape(grid.shape)
    error = np.abs(waves.on(grid).jacobian_determinant() - exact)
    assert np.ptp(exact) > 0.4  # the determinant varies
    assert error[1:-1, 1:-1, 1:-1].max() < 0.02
    assert error.max() < 0.15  # one-sided differences at the faces


def itk_jacobian(field):
    return array(sitk.DisplacementFieldJacobianDeterminant(sitk.Cast(field.to_image(), sitk.sitkVectorFloat64), True))


@pytest.mark.parametrize("grid", [FIXED, MIRRORED])
def test_itks_own_jacobian_leaves_out_the_direction_and_ours_does_not(grid):
    gradient = np.array([[0.1, 0.4, -0.2], [-0.3, -0.1, 0.3], [0.2, -0.4, 0.05]])
    exact = np.linalg.det(np.eye(3) + gradient)
    core = (slice(1, -1),) * 3  # ITK takes other differences at the faces
    straight = type(grid)(grid.size, grid.spacing, grid.origin)  # without a direction both are right
    for scene, itk_right in ((straight, True), (grid, False)):
        field = affine_field(gradient, scene)
        np.testing.assert_allclose(field.jacobian_determinant()[core], exact, atol=1e-4)
        assert (np.abs(itk_jacobian(field)[core] - exact).max() < 1e-3) == itk_right
    assert np.abs(itk_jacobian(affine_field(gradient, grid))[core] - exact).min() > 0.05


def test_the_jacobian_does_not_show_its_slabs(slabs, monkeypatch):
    field = Waves.draw(2, amplitude=6.0, wavelength=25.0).on(FIXED)
    cut = field.jacobian_determinant()
    monkeypatch.setattr(displacement_field, "_SLAB_VOXELS", FIXED.voxels)
    np.testing.assert_array_equal(cut, field.jacobian_determinant())


@pytest.mark.parametrize("grid", [FINE, FINE_MIRRORED])
def test_folds_are_found_where_they_are(grid):
    # Along one direction x + u(x) is d + 1.5 L sin(d / L): folded exactly where cos(d / L) <= -2/3.
    normal, length = np.array([0.6, -0.48, 0.64]), 4.0
    distance = lambda points: (points - grid.centre) @ normal  # noqa: E731
    field = field_of(lambda points: 1.5 * length * np.sin(distance(points) / length)[:, None] * normal, grid)
    exact = 1 + 1.5 * np.cos(distance(voxel_points(grid).reshape(-1, 3)) / length).reshape(grid.shape)
    found = field.jacobian_determinant() <= 0
    core = np.zeros(grid.shape, dtype=bool)
    core[1:-1, 1:-1, 1:-1] = True
    assert 0.1 < (exact <= 0)[core].mean() < 0.5
    clear = core & (np.abs(exact) > 0.1)  # differences of neighbours are inaccurate near 0
    np.testing.assert_array_equal(found[clear], (exact <= 0)[clear])


def test_a_mirroring_field_is_all_fold():
    normal = np.array([0.6, -0.48, 0.64])
    determinant = affine_field(-2.0 * np.outer(normal, normal), MIRRORED).jacobian_determinant()
    np.testing.assert_allclose(determinant, -1.0, atol=1e-4)


def test_a_grid_of_one_slice_has_a_jacobian():
    grid = make_grid((9, 8, 1), (1.3, 2.1, 3.2), (21, -14, 33))
    axis = grid.axes[:, 0]
    determinant = affine_field(0.3 * np.outer(axis, axis), grid).jacobian_determinant()
    np.testing.assert_allclose(determinant, 1.3, atol=1e-4)


def test_statistics_of_the_lengths():
    field = DisplacementField(np.random.default_rng(0).normal(size=(3, *FIXED.shape)), FIXED)
    lengths = np.linalg.norm(field.vectors.astype(np.float64), axis=0)
    np.testing.assert_allclose(field.lengths(), lengths, rtol=1e-5)
    found = field.statistics()
    expected = [lengths.mean(), np.median(lengths), np.percentile(lengths, 95), lengths.max()]
    np.testing.assert_allclose([found.mean, found.median, found.percentile95, found.maximum], expected, rtol=1e-5)
    # Along oblique axes the length of a constant displacement is its length in the patient.
    constant = affine_field(np.zeros((3, 3)), MIRRORED, shift=(2.0, -3.0, 6.0)).statistics()
    np.testing.assert_allclose([constant.mean, constant.median, constant.maximum], 7.0, rtol=1e-6)
