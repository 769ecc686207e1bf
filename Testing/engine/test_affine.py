"""Alignment before the deformation: known transforms between oblique, anisotropic scans of unequal sizes are found again."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import SimpleITK as sitk
from registering import FIXED_TURNS, MOVING_TURNS, aligned, float_image, grid_over, noisy, scene
from scenes import image_on, itk_map, make_grid, rotation, voxel_points

from deepreg_engine.errors import InputError, ParameterError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common import stretch
from deepreg_engine.methods.common.affine import align, overlap
from deepreg_engine.methods.common.parameters import INITIALS
from deepreg_engine.phantoms import make_patient

STRETCH = np.array([[1.12, 0.05, -0.04], [0.03, 0.9, 0.06], [-0.05, 0.02, 1.07]])


@functools.cache
def patient(anatomy, modality, scan=0):
    """A scan of a patient; another examination of the same patient has other noise and contrast."""
    return make_patient(anatomy, modality=modality, detail=0.35, scan=scan)


def linear_about(centre, matrix, shift=(14.0, -9.0, 11.0)):
    transform = sitk.AffineTransform(3)
    transform.SetCenter(np.asarray(centre, dtype=float).tolist())
    transform.SetMatrix(np.asarray(matrix, dtype=float).ravel().tolist())
    transform.SetTranslation(shift)
    return transform


def known_pair(anatomy, matrix, modalities=("ct", "ct"), shift=(14.0, -9.0, 11.0)):
    """Fixed and moving image, the fixed voxels inside the skin as points, and where they belong.

    The fixed image is one examination drawn through a known transform onto an oblique grid with voxels of 4 : 5 : 6; the moving
    one another examination, cropped unequally on a grid of its own.
    """
    seen, other = patient(anatomy, modalities[0], 1), patient(anatomy, modalities[1])
    grid = ImageGrid.of(other.image)
    transform = linear_about(grid.centre, matrix, shift)
    spacing = np.array((0.8, 1.0, 1.2)) * np.prod(grid.spacing) ** (1 / 3)
    centre = np.array(transform.GetInverse().TransformPoint(tuple(grid.centre)))
    oblique = grid_over(centre, 0.9 * grid.extent, tuple(spacing), FIXED_TURNS)
    fixed = drawn(float_image(seen.image), oblique, transform)
    inside = sitk.GetArrayFromImage(sitk.Resample(seen.mask, fixed, transform, sitk.sitkNearestNeighbor)) > 0
    points = voxel_points(oblique)[inside][::17]
    return noisy(fixed, 3.0), float_image(other.image[1:, 2:-1, :-1]), points, itk_map(transform, points)


def drawn(image, grid, transform):
    lowest = float(sitk.GetArrayViewFromImage(image).min())
    return sitk.Resample(image, image_on(grid, np.zeros(grid.size[::-1], np.uint8)), transform, sitk.sitkLinear, lowest, sitk.sitkFloat32)


def mean_distance(transform, points, targets):
    return float(np.linalg.norm(itk_map(transform, points) - targets, axis=1).mean())


# ------------------------------------------------------------------------------------------------------ known transforms


@pytest.mark.parametrize(
    ("anatomy", "modalities", "kind", "voxels"),
    [
        ("thorax", ("ct", "ct"), "rigid", 0.25),
        ("abdomen", ("ct", "ct"), "affine", 0.5),
        ("brain", ("mr", "mr"), "affine", 0.5),
        ("abdomen", ("mr", "ct"), "rigid", 0.25),
        ("brain", ("mr", "ct"), "affine", 0.8),
    ],
)
def test_a_known_transform_is_found(anatomy, modalities, kind, voxels):
    matrix = rotation(7, -6, 9) @ (STRETCH if kind == "affine" else np.eye(3))
    fixed, moving, points, targets = known_pair(anatomy, matrix, modalities)
    smallest = min(fixed.GetSpacing())
    assert np.linalg.norm(points - targets, axis=1).mean() > 3.5 * smallest
    result = align(fixed, moving, kind)
    assert result.kind == kind
    assert result.notes == ()
    assert mean_distance(result.transform, points, targets) < voxels * smallest
    if kind == "rigid":
        linear = np.array(sitk.Euler3DTransform(result.transform).GetMatrix()).reshape(3, 3)
        assert np.allclose(linear.T @ linear, np.eye(3), atol=1e-9)


def test_a_third_of_the_body_somewhere_else_is_found():
    """The moving scan shows the upper third only, and its origin is 300 mm off: no voxel is where its partner is."""
    fixed, moving, points, targets = known_pair("abdomen", rotation(5, -4, 6))
    slices = moving.GetSize()[2]
    upper = moving[:, :, slices - slices // 3 :]
    offset = np.array([40.0, -25.0, 300.0])
    upper.SetOrigin((np.array(upper.GetOrigin()) + offset).tolist())
    assert overlap(ImageGrid.of(fixed), ImageGrid.of(upper), np.zeros(3)) == 0.0
    shown = ImageGrid.of(upper).contains(targets + offset)
    assert 0.15 < shown.mean() < 0.5
    result = align(fixed, upper, "affine")
    assert result.kind == "affine"
    assert result.notes == ()
    assert mean_distance(result.transform, points[shown], (targets + offset)[shown]) < 0.5 * min(fixed.GetSpacing())


# ------------------------------------------------------------------------------------------------------------ closed forms


def test_geometry_takes_the_middle_of_one_scan_to_that_of_the_other():
    pair = scene("abdomen")
    centres = [image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()]) for image in (pair.fixed, pair.moving)]
    assert np.linalg.norm(np.subtract(*centres)) > 1.0
    result = align(pair.fixed, pair.moving, "geometry")
    assert result.kind == "geometry"
    assert np.allclose(result.transform.TransformPoint(centres[0]), centres[1], atol=1e-9)
    points = voxel_points(pair.grid).reshape(-1, 3)[::5000]
    moved = itk_map(result.transform, points) - points
    assert np.allclose(moved, moved[0], atol=1e-9)


def bar(grid, low, high, brighter=0.0):
    """A bright block between fractions of the grid's sizes, on ground that is not 0, with its centre (LPS mm)."""
    array = np.full(grid.size[::-1], -70.0, np.float32)
    start, stop = (np.round(np.array(ends) * grid.size).astype(int) for ends in (low, high))
    array[start[2] : stop[2], start[1] : stop[1], start[0] : stop[0]] = 180.0 + brighter
    return array, grid.index_to_physical(((start + stop - 1) / 2)[None])[0]


def test_mass_takes_a_bright_block_to_its_partner_and_masks_choose_the_block():
    grids = [
        make_grid((44, 30, 22), (2.0, 3.1, 4.3), FIXED_TURNS, (31, -52, 17)),
        make_grid((36, 41, 20), (2.9, 2.0, 4.0), MOVING_TURNS, (90, 5, -40)),
    ]
    first, second = bar(grids[0], (0.1, 0.2, 0.2), (0.4, 0.6, 0.5)), bar(grids[0], (0.6, 0.3, 0.5), (0.9, 0.9, 0.9))
    other = bar(grids[1], (0.4, 0.1, 0.3), (0.8, 0.5, 0.8), brighter=400.0)
    fixed, moving = image_on(grids[0], first[0]), image_on(grids[1], other[0])
    voxel = max(grids[0].spacing)
    found = align(fixed, moving, "mass").transform.TransformPoint(tuple(first[1]))
    assert np.linalg.norm(found - other[1]) < 0.5 * voxel
    # The image has both blocks; the mask selects one.
    both = image_on(grids[0], np.maximum(first[0], second[0]))
    mask = image_on(grids[0], (second[0] > 0).astype(np.uint8))
    masked = align(both, moving, "mass", mask).transform
    assert np.linalg.norm(masked.TransformPoint(tuple(second[1])) - other[1]) < 0.5 * voxel
    unmasked = align(both, moving, "mass").transform
    assert np.linalg.norm(unmasked.TransformPoint(tuple(second[1])) - other[1]) > 4 * voxel


def test_none_is_the_identity_where_the_images_overlap_and_refused_where_they_do_not():
    pair = scene("abdomen")
    result = align(pair.fixed, pair.moving, "none")
    assert result.kind == "none"
    assert result.transform.TransformPoint((3.0, -5.0, 7.0)) == (3.0, -5.0, 7.0)
    away = sitk.Image(pair.moving)
    away.SetOrigin((np.array(pair.moving.GetOrigin()) + [0.0, 0.0, 900.0]).tolist())
    with pytest.raises(InputError, match="no point in common.*"):
        align(pair.fixed, away, "none")


def test_an_unknown_kind_is_refused():
    pair = scene("abdomen")
    with pytest.raises(ParameterError, match="elastic"):
        align(pair.fixed, pair.moving, "elastic")
    assert "elastic" not in INITIALS


def test_overlap_is_the_share_of_the_smaller_field_of_view():
    grid = make_grid((40, 30, 20), (2.0, 3.0, 4.0), (21, -14, 33), (31, -52, 17))
    assert overlap(grid, grid, np.zeros(3)) == pytest.approx(1.0)
    for axis, share in ((0, 0.5), (1, 0.3), (2, -0.75)):
        shift = share * grid.extent[axis] * grid.axes[:, axis]
        assert overlap(grid, grid, shift) == pytest.approx(1 - abs(share), abs=0.1)
    assert overlap(grid, grid, 1.01 * grid.extent[1] * grid.axes[:, 1]) == 0.0
    # A small organ lies completely in a large scan at any position, whichever image is fixed.
    rng = np.random.default_rng(0)
    for _ in range(20):
        inside = grid.centre + grid.axes @ (rng.uniform(-0.4, 0.4, 3) * grid.extent)
        organ = make_grid((10, 9, 8), (0.3, 0.2, 0.25), rng.uniform(-40, 40, 3), inside)
        assert overlap(grid, organ, np.zeros(3)) == pytest.approx(1.0)
        assert overlap(organ, grid, np.zeros(3)) == pytest.approx(1.0)
        assert overlap(organ, grid, inside - grid.centre) == pytest.approx(overlap(grid, organ, grid.centre - inside))


# --------------------------------------------------------------------------------------------------------------- masks


def test_masks_say_which_of_two_motions_counts():
    """The left half of the patient moved one way and the right half another: each mask finds its own."""
    shifts = np.array([12.0, 8.0, 10.0]), np.array([-12.0, -8.0, 4.0])
    pairs = [known_pair("abdomen", np.eye(3), shift=tuple(shift)) for shift in shifts]
    moving, grid = pairs[0][1], ImageGrid.of(pairs[0][0])
    # Both fixed images on one grid; where x > 0 the first, else the second.
    side = voxel_points(grid)[..., 0] > pairs[0][2][:, 0].mean()
    second = drawn(float_image(patient("abdomen", "ct", 1).image), grid, sitk.TranslationTransform(3, shifts[1].tolist()))
    halves = np.where(side, sitk.GetArrayFromImage(pairs[0][0]), sitk.GetArrayFromImage(second))
    fixed = image_on(grid, halves.astype(np.float32))
    middle = grid.centre
    for shift, part in zip(shifts, (side, ~side), strict=True):
        mask = image_on(grid, part.astype(np.uint8))
        found = np.array(align(fixed, moving, "rigid", mask).transform.TransformPoint(tuple(middle))) - middle
        assert np.linalg.norm(found - shift) < 0.35 * min(grid.spacing)
    unmasked = np.array(align(fixed, moving, "rigid").transform.TransformPoint(tuple(middle))) - middle
    assert min(np.linalg.norm(unmasked - shift) for shift in shifts) > 0.7 * min(grid.spacing)
    # Seen from the moving image, the mask of one half leaves the other half without a partner.
    found = align(moving, fixed, "rigid", None, image_on(grid, side.astype(np.uint8))).transform
    back = np.array(found.TransformPoint(tuple(middle + shifts[0]))) - middle
    assert np.linalg.norm(back) < 0.35 * min(grid.spacing)


def test_a_mask_too_small_to_align_by_is_not_used_and_it_is_said():
    """Forty voxels have an optimum of mutual information anywhere."""
    fixed, moving, points, targets = known_pair("abdomen", rotation(4, -3, 5))
    grid = ImageGrid.of(fixed)
    ball = np.linalg.norm(voxel_points(grid) - points.mean(0) - [60, 0, 30], axis=-1) < 20
    assert 20 < ball.sum() < 100
    result = align(fixed, moving, "rigid", image_on(grid, ball.astype(np.uint8)))
    assert mean_distance(result.transform, points, targets) < 0.25 * min(grid.spacing)
    assert len(result.notes) == 1
    assert "fixed mask is too small" in result.notes[0]


def test_centres_of_mass_take_a_mask_of_one_voxel_at_its_word():
    pair = scene("thorax")
    places = []
    masks = []
    for image, index in ((pair.fixed, (9, 7, 5)), (pair.moving, (30, 20, 11))):
        mask = sitk.Image(image.GetSize(), sitk.sitkUInt8)
        mask.CopyInformation(image)
        mask[index] = 1
        masks.append(mask)
        places.append(image.TransformIndexToPhysicalPoint(index))
    found = align(pair.fixed, pair.moving, "mass", *masks).transform.TransformPoint(places[0])
    assert np.linalg.norm(np.subtract(found, places[1])) < 12.0  # the scan for it has voxels of about 12 mm


# -------------------------------------------------------------------------------------------------------- repeatability


def test_the_same_images_give_the_same_transform_with_any_number_of_threads():
    pair = scene("thorax")
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    found = [aligned(pair).transform]
    try:
        for threads in (1, 5):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            found.append(align(pair.fixed, pair.moving, "affine").transform)
            assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == threads  # left as it was
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert len({(one.GetName(), one.GetParameters(), one.GetFixedParameters()) for one in found}) == 1
    assert pair.affine_error() < 0.6 * pair.error()


# ------------------------------------------------------------------------------------------------------- odd input


def test_padding_of_a_scanner_does_not_disturb():
    """Corners outside the scanner's round field of view have the value -3024; they must not determine the bins of mutual information."""
    fixed, moving, points, targets = known_pair("abdomen", rotation(7, -6, 9) @ STRETCH)
    padded = []
    for image in (fixed, moving):
        array = sitk.GetArrayFromImage(image)
        y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in array.shape[1:]), indexing="ij")
        outside = (x**2 + y**2 > 1.0) & (array < -900)
        assert outside.mean() > 0.1
        padded.append(image_on(ImageGrid.of(image), np.where(outside, -3024.0, array).astype(np.float32)))
    assert mean_distance(align(*padded, "affine").transform, points, targets) < 0.5 * min(fixed.GetSpacing())
    by_mass = [align(*pair, "mass").transform.GetParameters() for pair in (padded, (fixed, moving))]
    assert np.allclose(*by_mass, atol=1.0)


@pytest.mark.parametrize(
    ("matrix", "plausible"),
    [
        (rotation(30, -50, 70), True),
        (rotation(20, 10, -30) @ np.diag([1.7, 0.6, 1.0]) @ rotation(5, 60, 7), True),
        (rotation(20, 10, -30) @ np.diag([1.9, 1.0, 1.0]) @ rotation(5, 60, 7), False),
        (rotation(20, 10, -30) @ np.diag([1.0, 0.5, 1.0]) @ rotation(5, 60, 7), False),
        (np.diag([-1.0, 1.0, 1.0]), False),
    ],
)
def test_only_stretches_that_people_have_are_plausible(matrix, plausible):
    assert stretch.is_plausible(linear_about((10, 20, 30), matrix)) is plausible


def test_a_wrong_slice_thickness_is_not_followed_and_is_reported():
    """Slices of 0.4 times their thickness: the stretch fits perfectly, but no person is that short."""
    fixed, moving, *_ = known_pair("abdomen", np.eye(3))
    moving.SetSpacing((*moving.GetSpacing()[:2], 0.4 * moving.GetSpacing()[2]))
    result = align(fixed, moving, "affine")
    linear = np.array(sitk.AffineTransform(result.transform).GetMatrix()).reshape(3, 3)
    stretch = np.linalg.svd(linear, compute_uv=False)
    assert np.linalg.det(linear) > 0
    assert stretch.min() >= 0.55
    assert stretch.max() <= 1.8
    assert len(result.notes) == 1
    assert "0.40" in result.notes[0]
    assert "spacing" in result.notes[0]


def test_without_any_plausible_optimum_the_image_is_only_shifted_and_it_is_said(monkeypatch):
    monkeypatch.setattr(stretch, "_PLAUSIBLE", (1.0, 1.0 + 1e-9))  # no affine of two people is that rigid
    fixed, moving, *_ = known_pair("abdomen", STRETCH)
    result = align(fixed, moving, "affine")
    assert result.kind == "translation"
    assert len(result.notes) == 1
    assert result.notes[0] == "the images could not be aligned; they may show different body parts: do not use this result"
    assert result.transform.GetName() == "TranslationTransform"
