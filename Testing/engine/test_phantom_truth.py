"""The displacements of phantoms are exact: scans, labels and landmarks correspond through them, measured with SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from phantom_pairs import OUTSIDE, array, covered, dice, number, pair_of, truth_transform, warped
from scipy import ndimage

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.phantoms import ANATOMIES


@pytest.mark.parametrize(("anatomy", "least"), [("abdomen", 0.97), ("thorax", 0.98), ("brain", 0.90)])
def test_moving_warped_by_the_truth_is_the_fixed_scan(anatomy, least):
    """The brain's two MR scans also differ by their bias fields, so they agree a little less."""
    pair = pair_of(anatomy, detail=1.0)
    default = OUTSIDE[pair.modality_pair.split("-")[1]]
    inside = covered(pair)
    fixed = array(pair.fixed).astype(np.float64)[inside]
    aligned = np.corrcoef(fixed, warped(pair, pair.moving, truth_transform(pair), default=default)[inside])[0, 1]
    before = np.corrcoef(fixed, warped(pair, pair.moving, sitk.Transform(3, sitk.sitkIdentity), default=default)[inside])[0, 1]
    assert aligned > least
    assert aligned > before + 0.1


def test_the_truth_is_better_than_its_neighbours():
    """A constant error of the truth as small as half a voxel, along any axis, would show."""
    pair = pair_of("abdomen", detail=1.0)
    inside = covered(pair)
    fixed = array(pair.fixed).astype(np.float64)[inside]
    exact = np.corrcoef(fixed, warped(pair, pair.moving, truth_transform(pair), default=-1000)[inside])[0, 1]
    for axis in range(3):
        for step in (-1.5, 1.5):
            vectors = pair.truth.vectors.copy()
            vectors[axis] += step
            shifted = DisplacementField(vectors, pair.truth.grid).to_transform()
            assert np.corrcoef(fixed, warped(pair, pair.moving, shifted, default=-1000)[inside])[0, 1] < exact - 0.005


@pytest.mark.parametrize(
    ("anatomy", "organs"),
    [
        ("abdomen", ("liver", "spleen", "left kidney", "right kidney", "stomach", "aorta", "vertebrae", "left psoas")),
        ("thorax", ("left lung", "right lung", "heart", "liver", "aorta")),
        ("brain", ("cerebellum", "brainstem", "left white matter", "right cerebral cortex", "left lateral ventricle", "left thalamus")),
    ],
)
def test_moving_labels_warped_by_the_truth_are_the_fixed_labels(anatomy, organs):
    pair = pair_of(anatomy, detail=1.0)
    inside = covered(pair)
    fixed = array(pair.fixed_labels)
    moved = warped(pair, pair.moving_labels, truth_transform(pair), sitk.sitkNearestNeighbor)
    unmoved = warped(pair, pair.moving_labels, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkNearestNeighbor)
    # A label is cut at voxel centres twice: sheets and tubes a few voxels thick lose more of it than solid organs.
    thin = {"vertebrae": 0.86, "aorta": 0.86, "left white matter": 0.87, "right cerebral cortex": 0.79, "left lateral ventricle": 0.87}
    for organ in organs:
        there = (fixed == number(pair, organ)) & inside
        overlap = dice(there, (moved == number(pair, organ)) & inside)
        assert overlap > thin.get(organ, 0.9), organ
        assert overlap > dice(there, (unmoved == number(pair, organ)) & inside) + 0.03, organ


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_truth_is_the_closed_form_at_the_voxel_centres_that_itk_sees(anatomy):
    pair = pair_of(anatomy)
    image = pair.truth.to_image()
    rng = np.random.default_rng(3)
    for _ in range(50):
        index = [int(rng.integers(n)) for n in image.GetSize()]
        point = np.array([pair.fixed.TransformIndexToPhysicalPoint(index)])
        np.testing.assert_allclose(image.GetPixel(*index), pair.deformation.displacement(point)[0], atol=1e-5)
    assert pair.truth.grid.same_as(ImageGrid.of(pair.fixed), 1e-9)


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_landmarks_correspond(anatomy):
    """Exactly in closed form, and to a micrometre through ITK on a field sampled every 0.4 mm around each."""
    pair = pair_of(anatomy)
    fixed, moving = pair.fixed_landmarks.positions, pair.moving_landmarks.positions
    np.testing.assert_allclose(fixed + pair.deformation.displacement(fixed), moving, atol=1e-6)
    axes = ImageGrid.of(pair.fixed).direction
    for x, y in zip(fixed, moving, strict=True):
        corner = x - np.array(axes).reshape(3, 3) @ (np.array((0.4, 0.4, 0.4)) * (1.3, 1.5, 1.7))
        grid = ImageGrid((4, 5, 5), (0.4, 0.4, 0.4), tuple(corner), axes)
        field = pair.deformation.displacement(grid.points().reshape(-1, 3)).reshape(*grid.shape, 3)
        transform = sitk.DisplacementFieldTransform(grid.to_image(field, vector=True))
        # Linear interpolation errs by up to h^2/8 times the second derivative along each axis: below 0.0005 mm here.
        np.testing.assert_allclose(transform.TransformPoint(tuple(x)), y, atol=1e-3)


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_landmarks_correspond_through_the_stored_field(anatomy):
    """On the fixed grid itself, to what its linear interpolation allows."""
    pair = pair_of(anatomy, detail=1.0)
    transform = truth_transform(pair)
    vectors = pair.truth.vectors.astype(np.float64)
    second = [np.abs(np.diff(vectors, 2, axis=axis)).max() for axis in (1, 2, 3)]
    tolerance = sum(second) / 8 + 1e-3
    mapped = np.array([transform.TransformPoint(tuple(x)) for x in pair.fixed_landmarks.positions])
    error = np.abs(mapped - pair.moving_landmarks.positions).max()
    assert error < tolerance < 0.5


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_landmarks_are_many_spread_named_and_inside_both_scans(anatomy):
    pair = pair_of(anatomy)
    fixed, moving = pair.fixed_landmarks, pair.moving_landmarks
    assert 20 <= len(fixed) <= 60
    assert fixed.labels == moving.labels
    assert len(set(fixed.labels)) == len(fixed)
    assert not any(label.isdigit() for label in fixed.labels)
    assert ImageGrid.of(pair.fixed).contains(fixed.positions).all()
    assert ImageGrid.of(pair.moving).contains(moving.positions).all()
    # Spread: along every axis they span more than a third of the field of view.
    assert np.all(np.ptp(moving.positions, axis=0) > ImageGrid.of(pair.moving).extent / 3)


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_landmarks_show_the_same_structure_in_both_scans(anatomy):
    """Vessel forks and poles lie on surfaces, so the labels in the voxels around are compared."""
    pair = pair_of(anatomy, detail=1.0)
    alike = []
    for x, y in zip(pair.fixed_landmarks.positions, pair.moving_landmarks.positions, strict=True):
        sets = []
        for labels, point in ((pair.fixed_labels, x), (pair.moving_labels, y)):
            index = np.array(labels.TransformPhysicalPointToIndex(tuple(point)))[::-1]
            near = tuple(slice(max(i - 1, 0), i + 2) for i in index)
            sets.append(np.bincount(array(labels)[near].ravel(), minlength=64) / 27)
        alike.append(np.minimum(*sets).sum())
    assert np.mean(alike) > 0.75


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_jacobian_is_itks_and_never_below_the_bound(anatomy):
    pair = pair_of(anatomy)
    # ITK's filter leaves out the direction, so it gets the field on an axis-aligned grid over the same body.
    lower, upper = ImageGrid.of(pair.fixed).corners().min(axis=0), ImageGrid.of(pair.fixed).corners().max(axis=0)
    grid = ImageGrid.around(lower, upper, 6.0 if anatomy != "brain" else 3.5)
    points = grid.points().reshape(-1, 3)
    field = grid.to_image(pair.deformation.displacement(points).reshape(*grid.shape, 3), vector=True)
    itk = array(sitk.DisplacementFieldJacobianDeterminant(field))
    mask = sitk.Resample(pair.fixed_mask, field, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    inside = ndimage.binary_erosion(array(mask) > 0, iterations=2)
    assert itk[inside].min() > 0.3
    closed = np.linalg.det(pair.deformation.jacobian(points)).reshape(grid.shape)
    # Central differences over one voxel against the derivative.
    np.testing.assert_allclose(itk[inside], closed[inside], atol=0.12)
    assert np.abs(itk[inside] - closed[inside]).mean() < 0.01
    assert pair.truth_statistics()["min_jacobian"] > 0.3


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("anatomy", "mean"), [("abdomen", (12, 18)), ("thorax", (10, 15)), ("brain", (5, 7))])
def test_displacements_are_as_large_as_they_should_be(anatomy, mean, seed):
    pair = pair_of(anatomy, detail=0.3, seed=seed)
    region = array(pair.fixed_mask) > 0
    if anatomy == "thorax":
        region = np.isin(array(pair.fixed_labels), [number(pair, "left lung"), number(pair, "right lung")])
    lengths = pair.truth.lengths()[region]
    assert mean[0] < lengths.mean() < mean[1]
    if anatomy == "thorax":
        assert 24 < lengths.max() < 36
    assert pair.truth_statistics()["min_jacobian"] > 0.3


def test_breathing_moves_the_diaphragm_and_hardly_the_ribs():
    pair = pair_of("thorax")
    labels = array(pair.fixed_labels)
    down = -pair.truth.vectors[2]
    liver = labels == number(pair, "liver")
    dome = liver & ~np.roll(liver, -1, axis=0)  # its uppermost voxels, in the fixed scan's slices
    spine = labels == number(pair, "vertebrae")
    assert 15 < np.percentile(down[dome], 90) < 32
    assert abs(np.median(down[labels == number(pair, "ribs and sternum")])) < 8
    assert abs(np.median(down[spine])) < 8


def test_exhaled_lungs_are_smaller_and_hold_the_same_tissue():
    pair = pair_of("thorax", detail=1.0)
    volumes, tissue = [], []
    for image, labels in ((pair.fixed, pair.fixed_labels), (pair.moving, pair.moving_labels)):
        lung = np.isin(array(labels), [number(pair, "left lung"), number(pair, "right lung")])
        voxel = np.prod(image.GetSpacing())
        volumes.append(lung.sum() * voxel)
        tissue.append((array(image)[lung] + 1000.0).sum() * voxel)
    assert volumes[0] < 0.93 * volumes[1]
    assert tissue[0] == pytest.approx(tissue[1], rel=0.1)
