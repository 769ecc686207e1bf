"""Moving images whose file holds a wrong orientation: turned ones are turned back, mirrored ones are reported."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from registering import aligned, scene
from scenes import rotation

from deepreg_engine.geometry.cloud_orientation import orientation_note
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.point_clouds import checked_clouds
from deepreg_engine.methods.base import Inputs
from deepreg_engine.methods.common.affine import align, orientation_notes
from deepreg_engine.methods.common.orientation import Orientation, turned, unturned
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.registry import find_method


def stored_wrongly(image, matrix):
    """The image turned or mirrored about its centre, by ``matrix`` (3, 3) along its own axes."""
    grid = ImageGrid.of(image)
    return turned(image, Orientation(grid.axes @ np.asarray(matrix, dtype=float) @ grid.axes.T, np.zeros(3), 0.0), grid.centre)


def error_of(pair, moving, transform):
    """Mean distance, mm, from the truth over the body, of a transform to a moved copy of the pair's moving image."""
    own, other = ImageGrid.of(pair.moving), ImageGrid.of(moving)
    vectors = DisplacementField.from_transform(transform, pair.grid).vectors
    points = np.moveaxis(vectors, 0, -1) + pair.grid.points()
    back = own.index_to_physical(other.physical_to_index(points.reshape(-1, 3))).reshape(points.shape)
    return pair.error(np.moveaxis(back - pair.grid.points(), -1, 0))


@pytest.mark.parametrize(
    ("anatomy", "modalities", "matrix", "said"),
    [
        ("abdomen", None, np.diag([-1, -1, 1]), "turned by 180° about its head-feet axis"),
        ("abdomen", None, np.diag([1, -1, -1]), "turned by 180° about its left-right axis"),
        ("abdomen", "mr-ct", np.diag([-1, 1, -1]), "turned by 180° about its front-back axis"),
        ("thorax", None, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], "turned by 90° about its head-feet axis"),
        ("brain", None, np.diag([1, -1, -1]), "turned by 180° about its left-right axis"),
    ],
)
@pytest.mark.parametrize("kind", ["affine", "rigid"])
def test_a_turned_image_is_turned_back_and_it_is_said(anatomy, modalities, matrix, said, kind):
    pair = scene(anatomy, modalities)
    usual = pair.affine_error() if kind == "affine" else error_of(pair, pair.moving, align(pair.fixed, pair.moving, kind).transform)
    moving = stored_wrongly(pair.moving, matrix)
    found = align(pair.fixed, moving, kind)
    assert found.kind == kind
    assert len(found.notes) == 1
    assert said in found.notes[0]
    assert "check the orientation" in found.notes[0]
    assert error_of(pair, moving, found.transform) < 1.15 * usual + 0.5


@pytest.mark.parametrize(
    ("anatomy", "axis", "said"), [("abdomen", 0, "left-right"), ("thorax", 0, "left-right"), ("abdomen", 2, "head-feet")]
)
def test_a_mirrored_image_is_not_mirrored_back_but_it_is_said(anatomy, axis, said):
    pair = scene(anatomy)
    matrix = np.eye(3)
    matrix[axis, axis] = -1
    found = align(pair.fixed, stored_wrongly(pair.moving, matrix), "affine")
    assert any("agrees much better" in note and "mirrored" in note for note in found.notes)
    assert said in " ".join(found.notes) or "turned" in " ".join(found.notes)
    linear = np.array(sitk.AffineTransform(found.transform).GetMatrix()).reshape(3, 3)
    assert np.linalg.det(linear) > 0


@pytest.mark.parametrize(
    ("anatomy", "modalities", "matrix", "said", "kind"),
    [
        ("abdomen", None, np.diag([1, -1, -1]), "turned by 180° about its left-right axis", "geometry"),
        ("abdomen", None, np.diag([-1, 1, 1]), "mirrored left-right", "mass"),
        ("thorax", None, np.diag([1, 1, -1]), "mirrored head-feet", "none"),
        ("abdomen", None, None, None, "none"),
        ("abdomen", "mr-ct", None, None, "geometry"),
        ("thorax", None, None, None, "mass"),
        ("brain", None, None, None, "geometry"),
    ],
)
def test_alignments_that_only_translate_note_another_orientation(anatomy, modalities, matrix, said, kind):
    pair = scene(anatomy, modalities)
    moving = pair.moving if matrix is None else stored_wrongly(pair.moving, matrix)
    found = align(pair.fixed, moving, kind)
    notes = orientation_notes(pair.fixed, moving, found.transform)
    if said is None:
        assert notes == ()
    else:
        assert any(f"agrees much better when it is {said}" in note for note in notes)


def test_a_registration_has_the_note():
    pair = scene("abdomen")
    inputs = Inputs(fixed=pair.fixed, moving=stored_wrongly(pair.moving, np.diag([1, -1, -1])))
    assert "turned by 180°" in find_method("dense").align(inputs, DenseParameters(initial="geometry")).notes[0]


SHELL = np.random.default_rng(0).normal(size=(400, 3)) * (30.0, 20.0, 45.0)
SHELL = SHELL[SHELL[:, 0] + 0.6 * SHELL[:, 1] > -0.4 * SHELL[:, 2]]  # neither axis is one of symmetry


@pytest.mark.parametrize(
    ("signs", "words"),
    [
        ((1, 1, 1), ""),
        ((-1, 1, 1), "mirrored left-right"),
        ((1, -1, -1), "turned by 180° about the left-right axis"),
        ((-1, -1, -1), "mirrored along all axes"),
    ],
)
def test_clouds_in_another_orientation_are_noted(signs, words):
    rng = np.random.default_rng(1)
    other = SHELL[rng.permutation(len(SHELL))[:200]] * signs @ rotation(6, -5, 8).T + (40.0, -200.0, 70.0)
    other += 2.0 * np.sin(other / 15.0)[:, ::-1] + rng.normal(0, 0.5, other.shape)
    note = orientation_note(SHELL, other)
    assert (words in note) if words else note == ""
    notes = checked_clouds(SHELL, other, "rigid")[3]
    assert notes == ([note] if words else [])


@pytest.mark.parametrize(("anatomy", "modalities"), [("abdomen", None), ("abdomen", "mr-ct"), ("thorax", None), ("brain", None)])
def test_images_in_their_right_orientation_have_no_note(anatomy, modalities):
    assert aligned(scene(anatomy, modalities)).notes == ()


def test_a_transform_to_a_turned_image_is_one_to_the_stored_image():
    image = scene("brain").moving
    grid = ImageGrid.of(image)
    affine, rigid = sitk.AffineTransform(3), sitk.Euler3DTransform((3.0, -5.0, 7.0), 0.1, -0.2, 0.3, (4.0, 5.0, -6.0))
    affine.SetMatrix([1.1, 0.1, 0.0, 0.0, 0.9, 0.1, 0.05, 0.0, 1.05])
    affine.SetCenter((10.0, 20.0, -5.0))
    affine.SetTranslation((3.0, -4.0, 5.0))
    index = grid.physical_to_index(np.array([[1.0, 2.0, 3.0], [-40.0, 30.0, 20.0]]))
    for order, signs in itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)):
        matrix = np.zeros((3, 3))
        matrix[range(3), order] = signs
        orientation = Orientation(grid.axes @ matrix @ grid.axes.T, np.zeros(3), 0.0)
        there = ImageGrid.of(turned(image, orientation, grid.centre)).index_to_physical(index)
        for transform in (affine, rigid):
            if orientation.mirrors:
                continue
            stored = unturned(transform, orientation, grid.centre)
            for point, target in zip(transform_back(transform, there), grid.index_to_physical(index), strict=True):
                assert np.allclose(stored.TransformPoint(point), target, atol=1e-6)


def transform_back(transform, points):
    inverse = transform.GetInverse()
    return [inverse.TransformPoint(point) for point in points.tolist()]
