"""Reading images: what can be registered is read as it is, and everything else is refused in one clear line."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scenes import FIXED, MIRRORED, MOVING, Waves, image_on, inside, itk_transform, random_labels, smooth_image, voxel_points

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import (
    IMAGE_SUFFIXES,
    add_image,
    background_value,
    check_intensities,
    read_image,
    read_labels,
    read_mask,
    read_volume,
    resample,
    warp_intensities,
)


def array(image):
    return sitk.GetArrayFromImage(image)


def saved(folder, image, name="image.nii.gz"):
    sitk.WriteImage(image, str(folder / name))
    return folder / name


# ------------------------------------------------------------------------------------------------------------ as it is


@pytest.mark.parametrize("grid", [FIXED, MIRRORED])
@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_images_come_back_where_they_were(tmp_path, grid, suffix):
    image = smooth_image(grid, 1)
    with FileGroup() as files:
        add_image(files, tmp_path / f"a{suffix}", image)
    assert [p.name for p in tmp_path.iterdir()] == [f"a{suffix}"]
    for again in (read_image(tmp_path / f"a{suffix}"), sitk.ReadImage(str(tmp_path / f"a{suffix}"))):
        np.testing.assert_array_equal(array(again), array(image))
        assert ImageGrid.of(again).same_as(grid, 1e-4)


@pytest.mark.parametrize("pixel", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkUInt16, sitk.sitkInt32, sitk.sitkFloat64])
def test_every_scalar_type_becomes_float32(tmp_path, pixel):
    image = sitk.Cast(sitk.Abs(smooth_image(FIXED, 2)) / 3, pixel)
    again = read_image(saved(tmp_path, image))
    assert again.GetPixelID() == sitk.sitkFloat32
    np.testing.assert_array_equal(array(again), array(image).astype(np.float32))


def test_a_time_axis_with_one_time_is_dropped(tmp_path):
    image = smooth_image(FIXED, 3)
    again = read_image(saved(tmp_path, sitk.JoinSeries([image]), "a.nrrd"))
    np.testing.assert_array_equal(array(again), array(image))
    assert ImageGrid.of(again).same_as(FIXED, 1e-4)


@pytest.mark.parametrize("name", ["a.mhd", "a.img", "a.hdr", "a.nhdr", "a.png", "a", "a.csv"])
def test_only_whole_files_are_written(tmp_path, name):
    # Of a header and its data only one would get the name that was asked for.
    with pytest.raises(InputError, match="the ending of an image file"), FileGroup() as files:
        add_image(files, tmp_path / name, smooth_image(FIXED, 0))
    assert not list(tmp_path.iterdir())


# --------------------------------------------------------------------------------------------------------------- DICOM


def save_series(folder, volume, uid):
    """An oblique CT series, a file for each slice."""
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    axes = np.array(volume.GetDirection()).reshape(3, 3)
    for number in range(volume.GetDepth()):
        picture = volume[:, :, number]
        position = volume.TransformIndexToPhysicalPoint((0, 0, number))
        tags = {
            "0008|0060": "CT",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
            "0008|0018": f"{uid}.{number + 1}",
            "0020|000d": "1.2.826.0.1.3680043.2.1125.1",
            "0020|000e": uid,
            "0020|0032": "\\".join(f"{v:.8f}" for v in position),
            "0020|0037": "\\".join(f"{v:.10f}" for v in (*axes[:, 0], *axes[:, 1])),
            "0020|0013": str(number),
        }
        for key, value in tags.items():
            picture.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{uid[-1]}-{volume.GetDepth() - number:03d}.dcm"))
        writer.Execute(picture)


def test_a_dicom_folder(tmp_path):
    scan = sitk.Cast(smooth_image(FIXED, 4), sitk.sitkInt16)
    save_series(tmp_path, scan, "1.2.826.0.1.3680043.2.1125.7")
    again = read_image(tmp_path)
    np.testing.assert_array_equal(array(again), array(scan))
    assert ImageGrid.of(again).same_as(FIXED, 1e-3)
    save_series(tmp_path, sitk.Cast(smooth_image(MOVING, 4), sitk.sitkInt16), "1.2.826.0.1.3680043.2.1125.8")
    with pytest.raises(InputError, match="2 DICOM series"):
        read_image(tmp_path)


def test_a_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(InputError, match="without DICOM"):
        read_image(tmp_path, "fixed image")


# ------------------------------------------------------------------------------------------------------- what is wrong


def with_value(value):
    values = np.array(array(smooth_image(FIXED, 0)))
    values[3, 4, 5] = value
    return image_on(FIXED, values)


def of_shape(*shape):
    return sitk.GetImageFromArray(np.random.default_rng(0).normal(size=shape).astype(np.float32), isVector=False)


def of_components(count, dtype):
    return sitk.GetImageFromArray(np.ones((6, 7, 8, count), dtype), isVector=True)


@pytest.mark.parametrize(
    ("name", "image", "message"),
    [
        ("flat.nrrd", of_shape(7, 9), "2D picture"),
        ("flat.png", sitk.Cast(of_shape(7, 9) * 10 + 100, sitk.sitkUInt8), "2D picture|only 1 voxel"),
        ("times.nrrd", of_shape(5, 6, 7, 8), r"4D \(5 times"),
        ("times.nii.gz", of_shape(5, 6, 7, 8), r"4D \(5 times"),
        ("vector.nrrd", of_components(2, np.float32), "2 components per voxel .a vector image"),
        ("rgb.mha", of_components(3, np.uint8), "3 components per voxel .an RGB image"),
        ("field.nii.gz", of_components(3, np.float32), "3 components per voxel"),
        ("complex.mha", sitk.Cast(of_shape(6, 7, 8), sitk.sitkComplexFloat32), "complex"),
        ("constant.nii.gz", sitk.Image([6, 7, 8], sitk.sitkInt16) + 42, r"constant \(every voxel is 42\)"),
        ("nan.nrrd", with_value(np.nan), "1 voxel that is NaN or infinite"),
        ("inf.nrrd", with_value(np.inf), "1 voxel that is NaN or infinite"),
        ("ninf.mha", sitk.Cast(with_value(-np.inf), sitk.sitkFloat64), "1 voxel that is NaN or infinite"),
        ("thin.nii.gz", of_shape(1, 30, 40), "only 1 voxel thick along z"),
        ("thin.nrrd", of_shape(30, 40, 1), "only 1 voxel thick along x"),
        ("few.nrrd", of_shape(30, 3, 40), "only 3 voxels thick along y"),
    ],
)
def test_images_that_cannot_be_registered(tmp_path, name, image, message):
    path = saved(tmp_path, image, name)
    with pytest.raises(InputError, match=message) as caught:
        read_image(path, "moving image")
    line = caught.value.line()
    assert "\n" not in line
    assert str(path) in line
    assert "moving image" in line
    assert caught.value.advice


@pytest.mark.parametrize("name", ["image.nii.gz", "image.nii"])
def test_what_is_not_finite_in_nifti_is_found_in_the_file(tmp_path, name):
    """ITK reads NaN as 0, which cannot be distinguished from air."""
    path = saved(tmp_path, with_value(np.nan), name)
    assert np.isfinite(array(read_volume(path))).all()
    with pytest.raises(InputError, match="1 voxel that is NaN or infinite"):
        read_image(path)


def test_numbers_that_only_a_double_can_hold(tmp_path):
    values = np.zeros(FIXED.shape)
    values[3, 4, 5] = -1e39
    path = saved(tmp_path, image_on(FIXED, values), "huge.nrrd")
    with pytest.raises(InputError, match=r"values up to 1e\+39"):
        read_image(path)


def test_a_mask_with_holes_of_nan_is_refused(tmp_path):
    values = np.full(FIXED.shape, np.nan, np.float32)
    values[2:5] = 1.0
    with pytest.raises(InputError, match="the mask .* holds values that are NaN"):
        read_mask(saved(tmp_path, image_on(FIXED, values), "mask.nrrd"), FIXED)


def test_missing_and_unreadable_files(tmp_path):
    (tmp_path / "text.nii").write_text("this is no image")
    (tmp_path / "text.nrrd").write_text("this is no image")
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    whole = saved(tmp_path, smooth_image(FIXED, 0), "whole.nrrd").read_bytes()
    (tmp_path / "cut.nrrd").write_bytes(whole[: len(whole) // 2])
    for name, message in (
        ("missing.nii", "does not exist"),
        ("text.nii", "cannot be read"),
        ("text.nrrd", "cannot be read"),
        ("empty.nii.gz", "cannot be read"),
        ("cut.nrrd", "ends before its last voxel"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            read_image(tmp_path / name, "fixed image")
        line = caught.value.line()
        assert "\n" not in line
        assert str(tmp_path / name) in line
        assert "fixed image" in line


def test_an_image_in_memory_is_checked_alike():
    with pytest.raises(InputError, match="^the fixed image is constant"):
        check_intensities(sitk.Image([6, 7, 8], sitk.sitkUInt8), "fixed image")
    assert check_intensities(sitk.Cast(smooth_image(FIXED, 0), sitk.sitkInt16), "fixed image").GetPixelID() == sitk.sitkFloat32


# ------------------------------------------------------------------------------------------------------ masks and labels


def box_mask(grid, start=(2, 3, 2), size=(4, 4, 4), value=1):
    values = np.zeros(grid.shape, np.int16)
    values[tuple(slice(a, a + n) for a, n in zip(start[::-1], size[::-1], strict=True))] = value
    return image_on(grid, values)


def test_a_mask_is_0_and_1(tmp_path):
    mask, note = read_mask(saved(tmp_path, box_mask(FIXED, value=-7)), FIXED)
    assert note == ""
    assert mask.GetPixelID() == sitk.sitkUInt8
    np.testing.assert_array_equal(array(mask), array(box_mask(FIXED)))


def test_a_mask_on_another_grid_is_resampled_with_a_note(tmp_path):
    drawn = box_mask(MOVING, (3, 4, 2), (7, 8, 9))
    mask, note = read_mask(saved(tmp_path, drawn), FIXED, "lung mask")
    assert ImageGrid.of(mask).same_as(FIXED)
    assert "lung mask" in note
    assert MOVING.describe() in note
    assert "resampled" in note
    expected = array(sitk.Resample(drawn, smooth_image(FIXED, 0), sitk.Transform(), sitk.sitkNearestNeighbor))
    assert 0 < expected.sum() < expected.size
    np.testing.assert_array_equal(array(mask), expected)


def test_an_empty_mask_is_refused(tmp_path):
    with pytest.raises(InputError, match="lung mask .* is empty") as caught:
        read_mask(saved(tmp_path, sitk.Cast(box_mask(FIXED) * 0, sitk.sitkUInt8)), FIXED, "lung mask")
    assert "on the image's grid" not in caught.value.message
    elsewhere = FIXED.cropped((0, 0, 0), FIXED.size).to_image(array(box_mask(FIXED)))
    elsewhere.SetOrigin((1000.0, 0.0, 0.0))
    with pytest.raises(InputError, match="is empty on the image's grid"):
        read_mask(saved(tmp_path, elsewhere), FIXED)


@pytest.mark.parametrize("pixel", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkFloat32, sitk.sitkFloat64])
def test_labels_are_whole_numbers_in_whatever_type(tmp_path, pixel):
    labels = random_labels(FIXED, 1)
    again = read_labels(saved(tmp_path, sitk.Cast(labels, pixel)))
    assert "integer" in again.GetPixelIDTypeAsString()
    np.testing.assert_array_equal(array(again), array(labels))


@pytest.mark.parametrize("value", [2.5, np.nan, np.inf, -np.inf])
def test_labels_that_are_no_whole_numbers(tmp_path, value):
    labels = sitk.Cast(random_labels(FIXED, 1), sitk.sitkFloat32)
    labels[2, 3, 4] = value
    path = saved(tmp_path, labels, "labels.nrrd")
    with pytest.raises(InputError, match="not whole numbers") as caught:
        read_labels(path, "fixed labels")
    assert str(path) in caught.value.message
    assert "fixed labels" in caught.value.message


def test_labels_are_no_colour_picture(tmp_path):
    with pytest.raises(InputError, match="3 components"):
        read_labels(saved(tmp_path, of_components(3, np.uint8), "rgb.mha"))
    # A constant or thin label map is no error: there is nothing in it to align.
    assert array(read_volume(saved(tmp_path, sitk.Image([6, 1, 8], sitk.sitkUInt8)))).sum() == 0


# ------------------------------------------------------------------------------------------------------------- drawing


@pytest.mark.parametrize(("name", "interpolator"), [("linear", sitk.sitkLinear), ("nearest", sitk.sitkNearestNeighbor)])
def test_resample_agrees_with_simpleitk(name, interpolator):
    moving, transform = smooth_image(MOVING, 5), itk_transform(Waves.draw(5, amplitude=5.0).on(FIXED).vectors, FIXED)
    for mapping in (None, transform):
        drawn = resample(moving, FIXED, mapping, name, -77.0)
        expected = array(sitk.Resample(moving, smooth_image(FIXED, 0), mapping or sitk.Transform(), interpolator, -77.0))
        assert 0.1 < (expected == -77.0).mean() < 0.9
        np.testing.assert_array_equal(array(drawn), expected)
        assert ImageGrid.of(drawn).same_as(FIXED, 1e-9)


@pytest.mark.parametrize("name", ["linear", "cubic"])
@pytest.mark.parametrize("pixel", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkUInt16, sitk.sitkFloat32])
def test_warped_integers_are_rounded_and_held_to_their_range(name, pixel):
    interpolator = {"linear": sitk.sitkLinear, "cubic": sitk.sitkBSpline}[name]
    # A full range with noise: a cubic overshoots it, and a cut-off differs from a rounding at half of the voxels.
    noise = np.random.default_rng(6).choice([0, 3, 90, 251, 255], size=MOVING.shape)
    moving = sitk.Cast(image_on(MOVING, noise.astype(np.float32)), pixel)
    transform = itk_transform(Waves.draw(5, amplitude=5.0).on(FIXED).vectors, FIXED)
    exact = array(sitk.Resample(sitk.Cast(moving, sitk.sitkFloat32), smooth_image(FIXED, 0), transform, interpolator, 0.0))
    drawn = warp_intensities(moving, FIXED, transform, name)
    assert drawn.GetPixelID() == pixel
    assert ImageGrid.of(drawn).same_as(FIXED, 1e-9)
    if pixel == sitk.sitkFloat32:
        np.testing.assert_allclose(array(drawn), exact, atol=1e-3)
        return
    if name == "cubic":
        assert exact.min() < -1
        assert exact.max() > 256
    low, high = (0, 255) if pixel == sitk.sitkUInt8 else (0, 65535) if pixel == sitk.sitkUInt16 else (-32768, 32767)
    assert np.abs(array(drawn) - np.clip(exact, low, high)).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
def test_warped_integers_of_32_bits_are_exact(dtype):
    values = np.random.default_rng(7).choice([0, 7, 2**24 + 1, 2**30 + 3, np.iinfo(dtype).max], size=FIXED.shape).astype(dtype)
    drawn = warp_intensities(image_on(FIXED, values), FIXED, None, "linear")
    np.testing.assert_array_equal(array(drawn), values)


def test_what_a_warped_image_does_not_cover_is_its_background():
    values = np.full(MOVING.shape, 40, np.int16)
    values[0, 0, 0], values[5, 6, 7] = -3024, -1000
    drawn = array(warp_intensities(image_on(MOVING, values), FIXED, None, "nearest"))
    covered = inside(MOVING, voxel_points(FIXED).reshape(-1, 3)).reshape(FIXED.shape)
    assert 0.1 < covered.mean() < 0.9
    assert (drawn[~covered] == -1024).all()
    assert (drawn[covered] == 40).mean() > 0.95


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-3024, -1000, 40], -1024.0),  # CT with corners outside the field of view
        ([-2000, -990, 3000], -1024.0),
        ([-1000, 40, 900], -1000.0),  # CT: air
        ([-500, 0, 100], -500.0),  # a window of CT, or features
        ([0, 300, 900], 0.0),  # MR
        ([12, 300, 900], 12.0),
    ],
)
def test_the_value_of_what_surrounds_the_patient(values, expected):
    image = sitk.GetImageFromArray(np.resize(np.array(values, np.int16), (4, 5, 6)))
    assert background_value(image) == expected


def probabilities(noise=1e-5):
    """A ball whose probability falls from 1 to ``noise`` over some voxels."""
    distance = np.linalg.norm(FIXED.points() - FIXED.centre, axis=-1)
    values = np.clip(1.0 / (1.0 + np.exp((distance - 12.0) / 1.5)), noise, 1.0)
    return values, distance < 12.0


@pytest.mark.parametrize("pixel", [np.float32, np.float64])
@pytest.mark.parametrize("noise", [0.0, 1e-5, -0.05])
def test_a_mask_of_probabilities_has_a_threshold(tmp_path, pixel, noise):
    values, ball = probabilities()
    path = saved(tmp_path, image_on(FIXED, (values + noise * ~ball).astype(pixel)))
    mask, note = read_mask(path, FIXED, "fixed mask")
    np.testing.assert_array_equal(array(mask) > 0, ball)
    assert 0.005 < ball.mean() < 0.9
    assert note == "the fixed mask holds probabilities: voxels of at least 0.5 are inside"


def test_a_mask_of_whole_numbers_has_none(tmp_path):
    for values in (np.arange(FIXED.voxels) % 4, np.arange(FIXED.voxels) % 2 * 255, np.arange(FIXED.voxels) % 3 - 1):
        mask, note = read_mask(saved(tmp_path, image_on(FIXED, values.reshape(FIXED.shape).astype(np.float32))), FIXED)
        np.testing.assert_array_equal(array(mask).ravel() != 0, values != 0)
        assert note == ""


def test_an_image_as_a_mask_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds fractions between"):
        read_mask(saved(tmp_path, smooth_image(FIXED, 1) * 300), FIXED)
