"""Masks, landmarks that guide the registration, and initial transforms of the Dense method."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import SimpleITK as sitk
from dense_runs import QUICK, featureless_pair, fingerprint, length, plain, run, run_scene
from registering import aligned, scene, shifted, still_pair
from scenes import Waves, image_on, itk_map, itk_transform, make_grid, rotation, voxel_points
from scipy import ndimage

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.composition import followed_by
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.affine import Alignment
from deepreg_engine.methods.common.guides import LandmarkPairs

# Volumes of this size are computed faster by one thread.
pytestmark = pytest.mark.usefixtures("one_thread")


# ----------------------------------------------------------------------------------------------------------------- masks


def test_what_lies_outside_the_fixed_mask_does_not_matter():
    """A part of the fixed image has another content: without the mask it affects the field, with the mask hardly.

    It begins 40 mm from the mask: features extend a few voxels beyond a mask's border, so that an organ's border is used.
    """
    pair = scene("abdomen")
    side = voxel_points(pair.grid)[..., 0] - voxel_points(pair.grid)[pair.body][:, 0].mean()
    array = sitk.GetArrayFromImage(pair.fixed)
    other = np.roll(array, (6, 4), axis=(0, 1))[:, :, ::-1]
    corrupted = image_on(pair.grid, np.where(side > 40, other, array))
    mask = image_on(pair.grid, (side <= 0).astype(np.uint8))
    near = pair.body & (side <= 0) & (side > -30)
    for changes, share in (({}, 0.4), ({"refinement_iterations": 0}, 0.02)):
        clean = (run_scene(pair, QUICK.replaced(changes)) if changes else plain("abdomen")).field.vectors
        pulled, clean_masked, masked = (
            run(fixed, pair.moving, aligned(pair), QUICK.replaced(changes), **more).field.vectors
            for fixed, more in ((corrupted, {}), (pair.fixed, {"fixed_mask": mask}), (corrupted, {"fixed_mask": mask}))
        )
        difference = length(pulled - clean)[near].mean()
        assert difference > 1.0
        assert length(masked - clean_masked)[near].mean() < share * difference
        # The inside is registered as before.
        assert pair.distances(clean_masked)[near].mean() < 1.4 * pair.distances(clean)[near].mean()


def test_what_lies_outside_the_moving_mask_is_not_matched():
    """A bright block in the moving image, as of a metal implant, must not be matched."""
    pair = scene("abdomen")
    array = sitk.GetArrayFromImage(pair.moving)
    spot = np.zeros(array.shape, bool)
    spot[10:22, 14:34, 14:26] = True
    array[spot] = np.random.default_rng(0).choice([-1000.0, 2500.0], array[spot].shape)
    corrupted = image_on(ImageGrid.of(pair.moving), array)
    mask = image_on(ImageGrid.of(pair.moving), (~spot).astype(np.uint8))
    partner = ImageGrid.of(pair.moving).physical_to_index(
        voxel_points(pair.grid).reshape(-1, 3) + np.moveaxis(pair.truth, 0, -1).reshape(-1, 3)
    )
    hidden = ndimage.map_coordinates(ndimage.binary_dilation(spot, iterations=2).astype(float), partner[:, ::-1].T, order=0)
    near = pair.body & (hidden.reshape(pair.body.shape) > 0)
    assert near.sum() > 500
    errors = [
        pair.distances(run(pair.fixed, corrupted, aligned(pair), **more).field.vectors)[near].mean() for more in ({}, {"moving_mask": mask})
    ]
    assert errors[1] < 0.8 * errors[0]


def test_masks_of_everything_change_nothing():
    pair = scene("brain")
    masks = []
    for image in (pair.fixed, pair.moving):
        mask = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
        mask.CopyInformation(image)
        masks.append(mask)
    masked = run_scene(pair, fixed_mask=masks[0], moving_mask=masks[1]).field.vectors
    assert length(plain("brain").field.vectors - masked)[pair.body].mean() < 0.1 * pair.voxel


# ---------------------------------------------------------------------------------------------------------------- guides


def turned(points, degrees=14.0):
    middle = np.array([20, -30, 10])
    return (points - middle) @ rotation(0, 0, degrees).T + middle


@functools.cache
def guides():
    rng = np.random.default_rng(0)
    fixed = np.array([20, -30, 10]) + rng.normal(size=(12, 3)) * 28.0
    return LandmarkPairs(fixed, turned(fixed))


def guide_errors(result, pairs):
    return np.linalg.norm(result.field.map_points(pairs.fixed) - pairs.moving, axis=1)


@pytest.mark.parametrize("changes", [{}, {"search_stages": 0}, {"refinement_iterations": 0}])
def test_guides_pull_the_field_without_visible_structure(changes):
    fixed, moving = featureless_pair()
    pairs, parameters = guides(), QUICK.replaced(changes)
    if not changes:
        assert guide_errors(run(fixed, moving), pairs).mean() > 5.0
    without = np.linalg.norm(pairs.fixed - pairs.moving, axis=1)
    drawn = guide_errors(run(fixed, moving, parameters=parameters, guides=pairs), pairs)
    assert without.mean() > 5.0
    assert drawn.mean() < 0.5 * without.mean()


def test_guides_of_no_weight_change_nothing():
    fixed, moving = featureless_pair()
    parameters = QUICK.replaced({"guide_weight": 0.0})
    assert fingerprint(run(fixed, moving, parameters=parameters, guides=guides())) == fingerprint(run(fixed, moving, parameters=parameters))


def test_guides_are_used_after_the_alignment():
    """Landmarks are given in the images' own coordinates, independent of the alignment, which is a matrix or a field."""
    fixed, moving = featureless_pair()
    offset = np.array([150.0, -80.0, 60.0])
    pairs = LandmarkPairs(guides().fixed, guides().moving + offset)
    far = sitk.TranslationTransform(3, offset.tolist())
    near = guide_errors(run(fixed, moving, guides=guides()), guides())
    field = DisplacementField.from_transform(far, ImageGrid.of(fixed)).to_transform()
    for transform in (far, field):
        errors = guide_errors(run(fixed, shifted(moving, offset), Alignment(transform, "file"), guides=pairs), pairs)
        assert errors == pytest.approx(near, abs=0.05)


def test_guides_need_their_partners():
    with pytest.raises(InputError, match="numbers of landmarks differ: 3 fixed, 2 moving"):
        LandmarkPairs(np.zeros((3, 3)), np.zeros((2, 3)))


# ----------------------------------------------------------------------------------------------------- initial transforms


def test_without_search_and_refinement_the_result_is_the_alignment():
    pair = scene("abdomen")
    nothing = QUICK.replaced({"search_stages": 0, "refinement_iterations": 0})
    result = run_scene(pair, nothing)
    points = voxel_points(pair.grid).reshape(-1, 3)[::997]
    expected = itk_map(aligned(pair).transform, points)
    assert np.abs(result.field.map_points(points) - expected).max() < 1e-3
    assert result.split.deformation.statistics().maximum < 1e-4
    assert result.uncertainty is None
    assert result.stages == []
    given = itk_transform(pair.truth, pair.grid)
    result = run(pair.fixed, pair.moving, Alignment(given, "file"), nothing)
    assert np.abs(result.field.vectors - pair.truth).max() < 1e-3


def test_an_affine_may_be_given_as_matrix_or_as_field():
    """The same initial transform in two forms leads to the same result."""
    pair = scene("abdomen")
    matrix = aligned(pair)
    field = Alignment(DisplacementField.from_transform(matrix.transform, pair.grid).to_transform(), "file")
    first, second = plain("abdomen"), run(pair.fixed, pair.moving, field)
    inner = ndimage.binary_erosion(np.ones(pair.body.shape, bool), iterations=4) & pair.body
    assert length(first.field.vectors - second.field.vectors)[inner].mean() < 0.1 * pair.voxel
    assert abs(pair.error(first.field.vectors) - pair.error(second.field.vectors)) < 0.15 * pair.voxel


def test_the_truth_as_initial_transform_is_kept():
    pair = scene("thorax")
    result = run(pair.fixed, pair.moving, Alignment(itk_transform(pair.truth, pair.grid), "file"))
    assert pair.error(result.field.vectors) < 0.2 * pair.error()
    assert pair.error(result.field.vectors) < 0.4 * pair.affine_error()


def test_an_initial_field_is_extrapolated_beyond_its_grid():
    """A displacement field ends at its grid, but the search also samples points outside, which must be moved too."""
    fixed, moving, body = still_pair()
    offset = np.array([220.0, -90.0, 140.0])
    grid = ImageGrid.of(fixed)
    far = shifted(moving, offset)
    field = DisplacementField.from_transform(sitk.TranslationTransform(3, offset.tolist()), grid).to_transform()
    by_field = run(fixed, far, Alignment(field, "file")).field
    by_matrix = run(fixed, far, Alignment(sitk.TranslationTransform(3, offset.tolist()), "file")).field
    assert length(by_field.vectors - offset[:, None, None, None]).max() < 60.0
    assert length(by_field.vectors - by_matrix.vectors).max() < 0.01
    assert by_field.jacobian_determinant().min() > 0


def transforms_to_follow():
    """Transforms by name; fields have a grid of their own, larger than that of the test."""
    affine = sitk.AffineTransform(3)
    affine.SetMatrix((rotation(9, -12, 20) @ np.array([[1.1, 0.1, 0.0], [0.0, 0.9, 0.05], [0.1, 0.0, 1.05]])).ravel().tolist())
    affine.SetCenter((10, -40, 5))
    affine.SetTranslation((30, -20, 70))
    grid = make_grid((30, 28, 26), (4.0, 3.7, 5.1), (-17, 24, -9), (31, -52, 17))
    wavy = itk_transform(Waves.draw(5, amplitude=4.0, wavelength=80.0).on(grid).vectors, grid)
    return {
        "affine": affine,
        "rigid": sitk.Euler3DTransform((5, 6, 7), 0.2, -0.1, 0.3, (9, 8, -7)),
        "scale": sitk.ScaleTransform(3, (1.1, 0.9, 1.2)),
        "field": wavy,
        "affine after field": sitk.CompositeTransform([affine, wavy]),
        "field after shift": sitk.CompositeTransform([wavy, sitk.TranslationTransform(3, (2.0, -3.0, 1.0))]),
    }


@pytest.mark.parametrize("name", transforms_to_follow())
def test_followed_by_is_the_composition(name):
    transform = transforms_to_follow()[name]
    grid = make_grid((24, 19, 15), (3.1, 4.2, 5.3), (21, -14, 33), (31, -52, 17))
    field = Waves.draw(3, amplitude=3.0, wavelength=90.0).on(grid)
    own = itk_transform(field.vectors, grid)
    points = voxel_points(grid).reshape(-1, 3)
    found = points + np.moveaxis(followed_by(field, transform).vectors, 0, -1).reshape(-1, 3)
    error = np.abs(found - itk_map(sitk.CompositeTransform([transform, own]), points)).max(axis=1)
    if transform.IsLinear():
        assert error.max() < 1e-3
        return
    middle = itk_map(own, points)
    index = grid.physical_to_index(middle)
    held = np.clip(index, 0, np.array(grid.size) - 1)
    inside = (index == held).all(axis=1)
    assert 0.6 < inside.mean() < 1.0
    assert error[inside].max() < 1e-3
    # Outside the grid the displacement is that of the nearest point inside.
    nearest = grid.index_to_physical(held)
    assert np.abs(found - (itk_map(transform, nearest) + middle - nearest))[~inside].max() < 1e-3


def test_then_the_identity_is_the_field_itself():
    field = Waves.draw(1).on(make_grid((9, 8, 7), (2.0, 3.0, 4.0), (10, 20, 30)))
    assert np.array_equal(followed_by(field, sitk.Transform(3, sitk.sitkIdentity)).vectors, field.vectors)
