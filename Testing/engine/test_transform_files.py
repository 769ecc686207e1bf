"""Transform files: SimpleITK reads written files as the same mapping, and other files are refused in one clear line."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import FIXED, MIRRORED, MOVING, Waves, image_on, itk_map, itk_transform, random_points, smooth_image

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.transform_files import (
    IMAGE_FIELD_SUFFIXES,
    WRITABLE_SUFFIXES,
    add_field,
    check_field_suffix,
    field_grid,
    read_field,
    read_transform,
    write_field,
)

# NIfTI holds its geometry in single precision.
TOLERANCE = 1e-3


def transform_in(path):
    """Return the transform that SimpleITK reads from a file."""
    if path.name.endswith(IMAGE_FIELD_SUFFIXES):
        return sitk.DisplacementFieldTransform(sitk.ReadImage(str(path), sitk.sitkVectorFloat64))
    return sitk.ReadTransform(str(path))


@pytest.mark.parametrize("grid", [FIXED, MIRRORED])
@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
def test_a_written_field_maps_alike_everywhere(tmp_path, suffix, grid):
    field = Waves.draw(1, amplitude=8.0).on(grid)
    path = tmp_path / f"field{suffix}"
    write_field(path, field)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    points = random_points(grid, 1, beyond=0.3)
    expected = itk_map(itk_transform(field.vectors, grid), points)
    moved = np.linalg.norm(expected - points, axis=1)
    assert moved.max() > 3
    assert (moved == 0).any()
    np.testing.assert_allclose(itk_map(transform_in(path), points), expected, atol=TOLERANCE)
    np.testing.assert_allclose(itk_map(read_transform(path), points), expected, atol=TOLERANCE)
    again = read_field(path)
    assert again.grid.same_as(grid, 1e-4)
    np.testing.assert_allclose(again.vectors, field.vectors, atol=1e-5)
    np.testing.assert_allclose(again.map_points(points), expected, atol=TOLERANCE)


def test_every_writable_suffix_is_meant_here():
    assert set(WRITABLE_SUFFIXES) == {".nrrd", ".nii.gz", ".nii", ".mha", ".h5", ".tfm"}


def test_nrrd_says_that_it_is_a_displacement_field(tmp_path):
    write_field(tmp_path / "u.nrrd", Waves.draw(0).on(FIXED))
    header = (tmp_path / "u.nrrd").read_bytes().split(b"\n\n")[0].decode()
    assert "intent_code:=1006" in header.splitlines()
    assert "space: left-posterior-superior" in header.splitlines()
    assert sitk.ReadImage(str(tmp_path / "u.nrrd")).GetMetaData("intent_code") == "1006"


def test_a_nifti_field_of_five_dimensions(tmp_path):
    field = Waves.draw(2).on(FIXED)
    image = sitk.GetImageFromArray(field.vectors[:, None], isVector=False)
    assert image.GetSize() == (*FIXED.size, 1, 3)
    direction = np.eye(5)
    direction[:3, :3] = FIXED.axes
    image.SetSpacing((*FIXED.spacing, 1.0, 1.0))
    image.SetOrigin((*FIXED.origin, 0.0, 0.0))
    image.SetDirection(direction.ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / "u.nii.gz"))
    again = read_field(tmp_path / "u.nii.gz")
    assert again.grid.same_as(FIXED, 1e-4)
    np.testing.assert_array_equal(again.vectors, field.vectors)


def test_a_field_of_doubles_is_read(tmp_path):
    field = Waves.draw(2).on(MIRRORED)
    sitk.WriteImage(sitk.Cast(field.to_image(), sitk.sitkVectorFloat64), str(tmp_path / "u.mha"))
    np.testing.assert_array_equal(read_field(tmp_path / "u.mha").vectors, field.vectors)


def affine():
    transform = sitk.AffineTransform(3)
    transform.SetMatrix([1.1, 0.2, -0.1, 0.05, 0.9, 0.3, -0.2, 0.1, 1.2])
    transform.SetTranslation([4.0, -7.0, 2.0])
    transform.SetCenter(FIXED.centre.tolist())
    return transform


@pytest.mark.parametrize("suffix", [".tfm", ".h5", ".mat", ".txt", ".xfm"])
def test_an_affine_transform_is_read_but_is_no_field(tmp_path, suffix):
    path = tmp_path / f"affine{suffix}"
    sitk.WriteTransform(affine(), str(path))
    points = random_points(MOVING, 0)
    np.testing.assert_allclose(itk_map(read_transform(path), points), itk_map(affine(), points), atol=1e-4)
    with pytest.raises(InputError, match="no grid of its own") as caught:
        read_field(path)
    one_clear_line(caught, path)


def test_a_composite_is_read(tmp_path):
    field = itk_transform(Waves.draw(3).on(FIXED).vectors, FIXED)
    composite = sitk.CompositeTransform([affine(), field])
    sitk.WriteTransform(composite, str(tmp_path / "both.h5"))
    points = random_points(FIXED, 0, beyond=0.2)
    np.testing.assert_allclose(itk_map(read_transform(tmp_path / "both.h5"), points), itk_map(composite, points), atol=1e-6)
    with pytest.raises(InputError, match="no grid of its own"):
        read_field(tmp_path / "both.h5")
    single = sitk.CompositeTransform([field])
    sitk.WriteTransform(single, str(tmp_path / "one.h5"))
    np.testing.assert_allclose(read_field(tmp_path / "one.h5").map_points(points), itk_map(field, points), atol=1e-4)


def test_the_grid_of_a_transform():
    field = itk_transform(Waves.draw(0).on(MIRRORED).vectors, MIRRORED)
    assert field_grid(field) == MIRRORED
    assert field_grid(sitk.CompositeTransform([field])) == MIRRORED
    assert field_grid(affine()) is None
    assert field_grid(sitk.CompositeTransform([field, affine()])) is None


# -------------------------------------------------------------------------------------------------------- what is wrong


def one_clear_line(caught, path):
    line = caught.value.line()
    assert "\n" not in line
    assert len(line) < 300 + len(str(path))
    assert str(path) in line
    assert caught.value.advice


def text(path):
    path.write_text("this is no transform\n")


def scalar_image(path):
    sitk.WriteImage(smooth_image(FIXED, 0), str(path))


def two_components(path):
    sitk.WriteImage(image_on(FIXED, np.zeros((*FIXED.shape, 2), np.float32), vector=True), str(path))


def picture(path):
    sitk.WriteImage(sitk.Image(5, 6, sitk.sitkVectorFloat32, 3), str(path))


def transform_2d(path):
    sitk.WriteTransform(sitk.AffineTransform(2), str(path))


def with_nan(image_suffix):
    def write(path):
        vectors = Waves.draw(0).on(FIXED).vectors.astype(np.float64)
        vectors[1, 4, 5, 6] = np.nan
        if image_suffix:
            sitk.WriteImage(image_on(FIXED, np.moveaxis(vectors, 0, -1).copy(), vector=True), str(path))
        else:
            sitk.WriteTransform(itk_transform(vectors, FIXED), str(path))

    return write


def composite_with_nan(path):
    vectors = Waves.draw(0).on(FIXED).vectors.astype(np.float64)
    vectors[2, 1, 2, 3] = np.inf
    sitk.WriteTransform(sitk.CompositeTransform([affine(), itk_transform(vectors, FIXED)]), str(path))


def nothing(path):
    assert not path.exists()


def folder(path):
    path.mkdir()


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("missing.nrrd", nothing, "does not exist"),
        ("missing.h5", nothing, "does not exist"),
        ("text.nrrd", text, "cannot be read"),
        ("text.nii.gz", text, "cannot be read"),
        ("text.h5", text, "cannot be read"),
        ("text.tfm", text, "cannot be read"),
        ("text.xyz", text, "cannot be read"),
        ("folder.h5", folder, "cannot be read"),
        ("folder", folder, "cannot be read"),
        ("scan.nii.gz", scalar_image, "not a displacement field"),
        ("scan.nrrd", scalar_image, "not a displacement field"),
        ("two.nrrd", two_components, "not a displacement field"),
        ("picture.mha", picture, "not a displacement field"),
        ("flat.tfm", transform_2d, "2D"),
        ("nan.nrrd", with_nan(True), "not finite"),
        ("nan.mha", with_nan(True), "not finite"),
        ("nan.h5", with_nan(False), "not finite"),
        ("both.h5", composite_with_nan, "not finite"),
    ],
)
def test_wrong_files_are_refused_in_one_line(tmp_path, name, write, message):
    path = tmp_path / name
    write(path)
    for read in (read_transform, read_field):
        with pytest.raises(InputError, match=message) as caught:
            read(path, "initial transform")
        one_clear_line(caught, path)
        assert "initial transform" in caught.value.message


def test_an_affine_transform_that_is_not_finite(tmp_path):
    (tmp_path / "nan.tfm").write_text(
        "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
        "Parameters: 1 0 0 0 1 0 0 0 1 inf 0 0\nFixedParameters: 0 0 0\n"
    )
    with pytest.raises(InputError):
        read_transform(tmp_path / "nan.tfm")


@pytest.mark.parametrize("name", ["u.txt", "u.mat", "u.png", "u", "u.mhd", "u.nii.bz2"])
def test_other_endings_are_not_written(tmp_path, name):
    with pytest.raises(InputError, match="the ending of a transform file"):
        check_field_suffix(name)
    with pytest.raises(InputError, match="the ending"), FileGroup() as files:
        add_field(files, tmp_path / name, Waves.draw(0).on(FIXED))
    assert not list(tmp_path.iterdir())


def test_endings_count_whatever_their_case(tmp_path):
    write_field(tmp_path / "U.NII.GZ", Waves.draw(0).on(FIXED))
    assert read_field(tmp_path / "U.NII.GZ").grid.same_as(FIXED, 1e-4)
