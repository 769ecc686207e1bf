"""The parts of a linear transform, and transforms split into alignment and deformation, against closed forms and SimpleITK."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import FIXED, MOVING, Waves, image_on, inside, itk_map, random_points, rotation, voxel_points

from deepreg_engine.geometry.beyond import LinearPart, SplitField, affine_transform, fitted_part, linear_part, usable
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.linear_parts import linear_parts

CENTRE = FIXED.centre
# Two scanners whose origins are 1.3 m apart.
FAR = np.array([-310.0, 950.0, -820.0])


def homogeneous(linear: np.ndarray, shift: np.ndarray, centre: np.ndarray = CENTRE) -> np.ndarray:
    """The matrix of x -> centre + shift + linear (x - centre)."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, centre + shift - linear @ centre
    return matrix


def turned(axis: np.ndarray, degrees: float) -> np.ndarray:
    versor = sitk.VersorTransform(axis.tolist(), np.deg2rad(degrees))
    return np.array(versor.GetMatrix()).reshape(3, 3)


def total_field(matrix: np.ndarray, waves: Waves) -> DisplacementField:
    """A deformation followed by a linear transform, through SimpleITK alone, on the fixed grid."""
    points = voxel_points(FIXED).reshape(-1, 3)
    moved = itk_map(affine_transform(matrix), points + waves.at(points))
    return DisplacementField(np.moveaxis((moved - points).reshape(*FIXED.size[::-1], 3), -1, 0), FIXED)


# ---------------------------------------------------------------------------------------------------------------- the parts


@pytest.mark.parametrize("degrees", [0.0, 0.3, 4.1, 90.0, 179.5, 180.0])
def test_shift_and_rotation_are_those_that_the_transform_was_made_of(degrees):
    axis = np.array([2.0, -1.0, 3.0]) / np.sqrt(14.0)
    shift = np.array([10.1, -3.0, 5.2])
    parts = linear_parts(homogeneous(turned(axis, degrees), shift), CENTRE)
    np.testing.assert_allclose(parts.shift, shift, atol=1e-9)
    assert parts.shift_length == pytest.approx(np.sqrt(10.1**2 + 9 + 5.2**2))
    assert parts.rotation == pytest.approx(degrees, abs=1e-6)
    if 0.0 < degrees < 180.0:
        np.testing.assert_allclose(parts.axis, axis, atol=1e-6)
    elif degrees:
        np.testing.assert_allclose(np.abs(parts.axis @ axis), 1.0, atol=1e-6)
    np.testing.assert_allclose(parts.scales, 1.0, atol=1e-9)
    np.testing.assert_allclose(parts.shear, 0.0, atol=1e-9)
    assert not parts.mirrored


def test_the_shift_is_that_of_the_centre_and_not_of_the_origin():
    turn = homogeneous(rotation(0, 0, 90), np.zeros(3))
    np.testing.assert_allclose(linear_parts(turn, CENTRE).shift, 0.0, atol=1e-9)
    assert np.linalg.norm(turn[:3, 3]) > 50.0
    assert np.linalg.norm(linear_parts(turn, np.zeros(3)).shift) == pytest.approx(np.linalg.norm(turn[:3, 3]))


def test_scales_and_shear_are_those_of_the_stretch():
    turn, stretch = turned(np.array([0.6, 0.0, 0.8]), 21.0), np.array([[1.10, 0.02, -0.03], [0.02, 0.95, 0.05], [-0.03, 0.05, 1.20]])
    parts = linear_parts(homogeneous(turn @ stretch, FAR), CENTRE)
    assert parts.rotation == pytest.approx(21.0)
    np.testing.assert_allclose(parts.scales, [1.10, 0.95, 1.20], atol=1e-9)
    np.testing.assert_allclose(parts.shear, [0.02, -0.03, 0.05], atol=1e-9)
    assert parts.volume_ratio == pytest.approx(np.linalg.det(stretch))


def test_a_mirrored_transform_is_reported():
    turn = turned(np.array([0.0, 0.6, 0.8]), 12.0)
    parts = linear_parts(homogeneous(turn @ np.diag([-1.0, 1.0, 1.0]), np.zeros(3)), CENTRE)
    assert parts.mirrored
    assert parts.rotation == pytest.approx(12.0)
    assert parts.volume_ratio == pytest.approx(1.0)
    assert parts.to_dict()["mirrored"] is True


# ------------------------------------------------------------------------------------------------------------------ the split


def test_the_deformation_followed_by_the_alignment_is_the_transform():
    """In SimpleITK, between the voxels too, and of a pair whose scanners have different origins."""
    matrix = homogeneous(turned(np.array([0.6, 0.0, 0.8]), 9.0) @ np.diag([1.1, 0.9, 1.05]), FAR)
    waves = Waves.draw(3, amplitude=2.5)
    split = SplitField.of(total_field(matrix, waves), matrix)
    assert split.linear.source == "alignment"
    points = random_points(FIXED, 1, 400)
    points = points[inside(FIXED, points)]
    both = sitk.CompositeTransform([split.linear.to_transform(), split.deformation.to_transform()])  # the last one acts first
    np.testing.assert_allclose(itk_map(both, points), itk_map(split.field.to_transform(), points), atol=1e-3)
    values = np.random.default_rng(0).normal(size=MOVING.size[::-1]).astype(np.float32)
    moving = sitk.GetImageFromArray(values)
    moving.SetSpacing(MOVING.spacing)
    moving.SetDirection(MOVING.direction)
    moving.SetOrigin((np.array(MOVING.origin) + matrix[:3, 3] + matrix[:3, :3] @ CENTRE - CENTRE).tolist())
    fixed = image_on(FIXED, np.zeros(FIXED.size[::-1], np.float32))
    once, twice = (sitk.GetArrayFromImage(sitk.Resample(moving, fixed, t, sitk.sitkLinear)) for t in (split.field.to_transform(), both))
    assert np.abs(once).max() > 0.5
    np.testing.assert_allclose(once, twice, atol=2e-3)


def test_the_deformation_is_the_one_that_was_made_whatever_the_shift():
    waves = Waves.draw(5, amplitude=3.0)
    expected = waves.at(voxel_points(FIXED).reshape(-1, 3))
    lengths = np.linalg.norm(expected, axis=1)
    for shift in (np.zeros(3), FAR):
        matrix = homogeneous(turned(np.array([0.0, 0.6, 0.8]), 15.0), shift)
        beyond = SplitField.of(total_field(matrix, waves), matrix).deformation
        np.testing.assert_allclose(np.moveaxis(beyond.vectors, 0, -1).reshape(-1, 3), expected, atol=1e-3)
        statistics = beyond.statistics()
        assert [statistics.mean, statistics.maximum] == pytest.approx([lengths.mean(), lengths.max()], abs=1e-3)


def test_the_linear_part_of_a_field_of_unknown_origin_is_fitted():
    waves = Waves.draw(7, amplitude=2.0)
    turn = turned(np.array([0.6, 0.0, 0.8]), 30.0)
    rigid = linear_part(total_field(homogeneous(turn, FAR), waves))
    assert rigid.source == "fitted rigid"
    parts = rigid.parts(CENTRE)
    np.testing.assert_allclose(parts.shift, FAR, atol=3.0)  # the waves have a mean
    assert parts.rotation == pytest.approx(30.0, abs=5.0)
    np.testing.assert_allclose(parts.scales, 1.0, atol=1e-9)
    scaled = turn @ np.diag([1.5, 1.4, 1.6])
    affine = linear_part(total_field(homogeneous(scaled, FAR), Waves.draw(7, amplitude=0.2)))
    assert affine.source == "fitted affine"
    np.testing.assert_allclose(affine.matrix[:3, :3], scaled, atol=0.05)


def test_the_fit_has_the_least_squares():
    """No rigid motion near the fitted one leaves less, and the affine one solves the normal equations."""
    points = random_points(FIXED, 2, 200)
    moved = points + Waves.draw(9, amplitude=3.0).at(points) + FAR
    best = fitted_part(points, moved)
    assert best.source == "fitted rigid"

    def left(matrix: np.ndarray) -> float:
        return float(np.sum((moved - itk_map(affine_transform(matrix), points)) ** 2))

    for axis in np.eye(3):
        for change in (homogeneous(turned(axis, 0.2), np.zeros(3), best.matrix[:3, :3] @ points.mean(0) + best.matrix[:3, 3]), None):
            other = best.matrix.copy() if change is None else change @ best.matrix
            other[:3, 3] += 0.05 * axis if change is None else 0.0
            assert left(best.matrix) < left(other)


def test_a_linear_transform_is_its_own_linear_part():
    matrix = homogeneous(rotation(5, 6, 7) @ np.diag([1.3, 1.0, 0.9]), FAR)
    transform = affine_transform(matrix)
    split = SplitField.of(DisplacementField.from_transform(transform, FIXED), transform=transform)
    assert split.linear.source == "transform"
    assert split.deformation.statistics().maximum < 1e-3
    assert split.linear.determinant == pytest.approx(1.3 * 0.9)


def test_matrices_that_cannot_be_used_are_refused():
    flat = np.diag([1.0, 1.0, 0.0, 1.0])
    for matrix in (None, [], "no", [[1.0, 2.0]], flat, np.full((4, 4), np.nan)):
        assert usable(matrix) is None
    assert LinearPart(usable(np.eye(4).tolist()), "alignment").determinant == 1.0
