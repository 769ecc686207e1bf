"""Transform files of other programs: fields of the other direction, and classes that SimpleITK does not know."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import FIXED, MIRRORED, Waves, itk_map, random_points

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.transform_files import read_field, read_transform, write_field

KEY = "displacement field type"
OBLIQUE = ImageGrid((24, 20, 16), (1.5, 2.0, 3.5), (-15.0, 12.0, -20.0), FIXED.direction)
MATRIX = np.array([[1.05, 0.08, -0.03], [0.02, 0.95, 0.1], [-0.05, 0.06, 1.1]])
SHIFT = np.array([4.0, -7.0, 2.0])


def affine_field(grid):
    """x -> centre + MATRIX (x - centre) + SHIFT, as a field; linear interpolation reproduces it."""
    points = grid.points()
    moved = (points - grid.centre) @ MATRIX.T + grid.centre + SHIFT
    return DisplacementField(np.moveaxis(moved - points, -1, 0), grid)


def inverse_of_affine(grid, points):
    return (points - grid.centre - SHIFT) @ np.linalg.inv(MATRIX).T + grid.centre


def saved(path, field, direction):
    """As 3D Slicer saves a grid transform."""
    image = field.to_image()
    if direction:
        image.SetMetaData(KEY, direction)
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("grid", [OBLIQUE, MIRRORED])
def test_a_modeling_field_is_inverted(tmp_path, grid):
    path = saved(tmp_path / "u.nrrd", affine_field(grid), "modeling")
    assert f"{KEY}:=modeling" in path.read_bytes().split(b"\n\n")[0].decode()
    points = random_points(grid, 1, beyond=-0.2)
    points = (points - grid.centre) @ MATRIX.T + grid.centre + SHIFT  # reached from within the grid
    notes: list[str] = []
    transform = read_transform(path, "initial transform", notes)
    np.testing.assert_allclose(itk_map(transform, points), inverse_of_affine(grid, points), atol=5e-3)
    (note,) = notes
    assert "takes moving points to fixed points" in note
    assert "was inverted" in note
    field = read_field(path)
    np.testing.assert_allclose(field.map_points(points), inverse_of_affine(grid, points), atol=5e-3)
    assert not np.allclose(affine_field(grid).map_points(points), inverse_of_affine(grid, points), atol=3)  # the other direction


def test_a_modeling_field_that_shifts_far_is_inverted_where_it_reaches(tmp_path):
    vectors = np.zeros((3, *OBLIQUE.shape), np.float32)
    vectors[0] = 60.0  # beyond its own grid
    path = saved(tmp_path / "u.nrrd", DisplacementField(vectors, OBLIQUE), "modeling")
    points = random_points(OBLIQUE, 1) + [60.0, 0.0, 0.0]
    np.testing.assert_allclose(itk_map(read_transform(path), points), points - [60.0, 0.0, 0.0], atol=1e-3)


@pytest.mark.parametrize("direction", ["", "resampling"])
def test_a_resampling_field_is_as_it_is(tmp_path, direction):
    field = Waves.draw(1).on(OBLIQUE)
    notes: list[str] = []
    np.testing.assert_array_equal(read_field(saved(tmp_path / "u.nrrd", field, direction), "field", notes).vectors, field.vectors)
    assert notes == []


def test_an_unknown_direction_is_refused(tmp_path):
    with pytest.raises(InputError, match="unknown displacement field type sideways") as caught:
        read_transform(saved(tmp_path / "u.nrrd", Waves.draw(1).on(OBLIQUE), "sideways"))
    assert "modeling" in caught.value.advice


def test_a_modeling_field_that_folds_is_refused(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(3, *OBLIQUE.shape)) * 40
    with pytest.raises(InputError, match="cannot be inverted"):
        read_field(saved(tmp_path / "u.nrrd", DisplacementField(vectors, OBLIQUE), "modeling"))


def test_our_nrrd_states_its_direction(tmp_path):
    write_field(tmp_path / "u.nrrd", Waves.draw(0).on(OBLIQUE))
    assert f"{KEY}:=resampling" in (tmp_path / "u.nrrd").read_bytes().split(b"\n\n")[0].decode().splitlines()


def transform_file(path, *parts, composite=False):
    text = "#Insight Transform File V1.0\n"
    parts = (*(["CompositeTransform_double_3_3"] if composite else []), *parts)
    for number, name in enumerate(parts):
        text += f"#Transform {number}\nTransform: {name}\n"
        if not name.startswith("Composite"):
            numbers = " ".join(map(repr, [*MATRIX.ravel().tolist(), *SHIFT.tolist()]))
            text += f"Parameters: {numbers}\nFixedParameters: 1 2 3\n"
    path.write_text(text)
    return path


BASE, AFFINE = "MatrixOffsetTransformBase_double_3_3", "AffineTransform_double_3_3"
POINTS = np.random.default_rng(0).normal(size=(20, 3)) * 100


def mapped(points):
    centre = np.array([1.0, 2.0, 3.0])
    return (points - centre) @ MATRIX.T + centre + SHIFT


@pytest.mark.parametrize("name", [BASE, AFFINE])
@pytest.mark.parametrize("ending", [".tfm", ".txt"])
def test_the_base_class_is_the_affine_that_it_is(tmp_path, name, ending):
    transform = read_transform(transform_file(tmp_path / f"a{ending}", name))
    assert transform.GetName() == "AffineTransform"
    assert transform.IsLinear()
    np.testing.assert_allclose(itk_map(transform, POINTS), mapped(POINTS), atol=1e-9)


@pytest.mark.parametrize("parts", [(BASE,), (BASE, AFFINE), (AFFINE, BASE), (BASE, BASE)])
def test_the_base_class_in_a_composite(tmp_path, parts):
    transform = read_transform(transform_file(tmp_path / "a.tfm", *parts, composite=True))
    expected = POINTS
    for _ in parts:
        expected = mapped(expected)
    np.testing.assert_allclose(itk_map(transform, POINTS), expected, atol=1e-9)


@pytest.mark.parametrize("kind", ["DisplacementField", "BSpline", "ThinPlateSplineKernel"])
@pytest.mark.parametrize("name", ["a.tfm", "a.h5"])
def test_inverted_transforms_of_slicer_are_refused_with_what_helps(tmp_path, kind, name):
    if name == "a.tfm":
        transform_file(tmp_path / name, f"Inverse{kind}Transform_double_3_3")
    else:  # the class is a string of variable length in the file
        sitk.WriteTransform(sitk.AffineTransform(3), str(tmp_path / name))
        content = (tmp_path / name).read_bytes()
        old = b"AffineTransform_double_3_3"
        assert old in content
        (tmp_path / name).write_bytes(content.replace(old, b"AfflneTransform_double_3_3") + f"Inverse{kind}Transform_double_3_3".encode())
    with pytest.raises(InputError, match=f"3D Slicer's own, Inverse{kind}Transform") as caught:
        read_transform(tmp_path / name)
    assert "Transforms" in caught.value.advice
    assert ".nrrd" in caught.value.advice or kind != "DisplacementField"
