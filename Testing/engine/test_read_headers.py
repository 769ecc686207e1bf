"""Faulty or unusual headers: the image is read where it is, or refused in one line; a missing spacing and an ignored unit are noted."""

from __future__ import annotations

import re
import struct

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import call, check_refusal
from dicom_series import save_slices
from scenes import make_grid, smooth_image

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_labels, read_volume

GRID = make_grid((9, 8, 7), (1.3, 2.1, 3.2), (21, -14, 33), centre=(31, -52, 17))
IMAGE = sitk.Cast(smooth_image(GRID, 0), sitk.sitkInt16)
NAN, INFINITE = float("nan"), float("inf")


def nifti(path, *changes):
    """Write a NIfTI file with changed numbers: struct code, offset, value."""
    sitk.WriteImage(IMAGE, str(path))
    content = bytearray(path.read_bytes())
    for code, offset, value in changes:
        struct.pack_into(f"<{code}", content, offset, value)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("slope", [NAN, INFINITE, -INFINITE, 0.0])
@pytest.mark.parametrize("more", [(), (("f", 116, NAN),), (("f", 124, NAN), ("f", 128, -INFINITE), ("f", 136, INFINITE))])
def test_a_slope_that_is_no_number_stands_for_none(tmp_path, slope, more):
    notes: list[str] = []
    image = read_volume(nifti(tmp_path / "a.nii", ("f", 112, slope), *more), notes=notes)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(IMAGE))
    assert ImageGrid.of(image).same_as(GRID)
    assert notes == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ((("f", 112, 2.0), ("f", 116, NAN)), "has the intercept nan for its values"),
        ((("f", 112, 1.0), ("f", 116, INFINITE)), "has the intercept inf for its values"),
        ((("f", 80, NAN),), "has a voxel spacing of nan along x in its header"),
        ((("f", 84, 0.0),), "has a voxel spacing of 0 along y in its header"),
        ((("f", 88, INFINITE),), "has a voxel spacing of inf along z in its header"),
        ((("f", 108, NAN),), "does not state where the voxels begin"),
        ((("f", 108, 0.0),), "does not state where the voxels begin"),
        ((("h", 252, 0), ("f", 280, NAN)), "has numbers in its sform that are not finite"),
        ((("h", 254, 0), ("f", 268, INFINITE)), "has numbers in its qform that are not finite"),
    ],
)
def test_numbers_of_a_nifti_header_that_would_be_replaced_are_refused(tmp_path, changes, words):
    with pytest.raises(InputError, match=re.escape(words)):
        read_volume(nifti(tmp_path / "a.nii", *changes))
    check_refusal(call("keypoints", "--image", tmp_path / "a.nii", "--output", tmp_path / "k.csv"), words)


@pytest.mark.parametrize(("offset", "name"), [(256, "qform"), (268, "qform"), (292, "sform")])
def test_one_placement_that_is_not_finite_is_noted(tmp_path, offset, name):
    notes: list[str] = []
    image = read_volume(nifti(tmp_path / "a.nii", ("f", offset, INFINITE)), notes=notes)
    assert ImageGrid.of(image).same_as(GRID)
    (note,) = notes
    assert f"has numbers in its {name} that are not finite: it is not used" in note


def text_header(path, end, change):
    """Write an image with a changed header of text, which ends with some bytes."""
    sitk.WriteImage(IMAGE, str(path))
    head, mark, data = path.read_bytes().partition(end)
    path.write_bytes(change(head.decode()).encode() + mark + data)
    return path


DIRECTIONS, SPACINGS = re.compile("space directions: .*"), re.compile("space: .*\n|\nspace origin: .*")


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "x"])
@pytest.mark.parametrize("field", ["space directions", "space origin", "ElementSpacing", "Offset", "TransformMatrix"])
def test_headers_of_text_with_numbers_that_are_not_finite_are_refused(tmp_path, field, number):
    if field.startswith("space"):
        path = text_header(tmp_path / "a.nrrd", b"\n\n", lambda head: re.sub(rf"({field}: \()[^,]+", rf"\g<1>{number}", head))
    else:
        path = text_header(tmp_path / "a.mha", b"ElementDataFile", lambda head: re.sub(rf"({field} = )\S+", rf"\g<1>{number}", head))
    line = check_refusal(call("keypoints", "--image", path, "--output", tmp_path / "k.csv"))
    assert field == "TransformMatrix" or f"has {field}" in line


@pytest.mark.parametrize("number", ["0", "-1.5"])
def test_a_spacing_that_is_not_positive_is_refused(tmp_path, number):
    def spacings(head):
        return DIRECTIONS.sub(f"spacings: {number} 2.1 3.2", SPACINGS.sub("", head))

    with pytest.raises(InputError, match=f"has spacings: {number}"):
        read_volume(text_header(tmp_path / "a.nrrd", b"\n\n", spacings))
    with pytest.raises(InputError, match=f"has ElementSpacing = {number}"):
        read_volume(
            text_header(tmp_path / "a.mha", b"ElementDataFile", lambda head: re.sub(r"(ElementSpacing = )\S+", rf"\g<1>{number}", head))
        )


def test_a_missing_spacing_is_noted(tmp_path):
    without = {
        "none.nrrd": lambda head: DIRECTIONS.sub("space directions: none none none", head),
        "nan.nrrd": lambda head: DIRECTIONS.sub("spacings: nan nan nan", SPACINGS.sub("", head)),
        "no.mha": lambda head: re.sub("ElementSpacing = .*\n", "", head),
    }
    for name, change in without.items():
        notes: list[str] = []
        image = read_volume(text_header(tmp_path / name, b"ElementDataFile" if name.endswith("mha") else b"\n\n", change), notes=notes)
        assert image.GetSpacing() == (1.0, 1.0, 1.0)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(IMAGE))
        assert [note.endswith("does not state its voxel spacing, which was taken as 1 mm") for note in notes] == [True]
    for name in ("whole.nrrd", "whole.mha", "whole.nii"):
        sitk.WriteImage(IMAGE, str(tmp_path / name))
        notes = []
        read_volume(tmp_path / name, notes=notes)
        assert notes == []


@pytest.mark.parametrize("unit", ["cm", "m", "um", "\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m", "micrometre"])
def test_a_unit_of_lengths_that_is_ignored_is_noted(tmp_path, unit):
    def without_space(head):
        return DIRECTIONS.sub("spacings: 1.3 2.1 3.2", SPACINGS.sub("", head))

    units = f'units: "{unit}" "{unit}" "{unit}"'
    headers = {
        "space.nrrd": (b"\n\n", lambda head: f"{head}\nspace {units}"),
        "axes.nrrd": (b"\n\n", lambda head: f"{without_space(head)}\n{units}"),
        "a.mha": (b"ElementDataFile", lambda head: f"{head}DistanceUnits = {unit}\n"),
    }
    for name, (end, change) in headers.items():
        notes: list[str] = []
        image = read_volume(text_header(tmp_path / name, end, change), notes=notes)
        assert image.GetSpacing() == pytest.approx(GRID.spacing)
        (note,) = notes
        assert f"states its lengths in {unit}, but they were read as mm".replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}") in note


@pytest.mark.parametrize("unit", ["mm", "Millimeter", "s", ""])
def test_a_unit_that_is_no_other_length_is_not_noted(tmp_path, unit):
    notes: list[str] = []
    read_volume(text_header(tmp_path / "a.nrrd", b"\n\n", lambda head: f'{head}\nspace units: "{unit}" "{unit}" "{unit}"'), notes=notes)
    assert notes == []


def test_voxels_of_a_pair_begin_at_the_beginning(tmp_path):
    sitk.WriteImage(IMAGE, str(tmp_path / "a.hdr"))
    image = read_volume(tmp_path / "a.hdr")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(IMAGE))


def test_labels_beyond_32_bits_in_floats_are_refused(tmp_path):
    sitk.WriteImage(sitk.Cast(IMAGE > 0, sitk.sitkFloat64) * 1e10, str(tmp_path / "a.nrrd"))
    with pytest.raises(InputError, match="holds values up to 1e"):
        read_labels(tmp_path / "a.nrrd")


# ------------------------------------------------------------------------------------------------------------------------- DICOM


def changed(path, group, element, text):
    """Replace the text of an element of a file without value representations."""
    content = path.read_bytes()
    at = content.index(struct.pack("<HH", group, element), 132)
    length, value = struct.unpack_from("<I", content, at + 4)[0], text.encode() + b" " * (len(text) % 2)
    path.write_bytes(content[: at + 4] + struct.pack("<I", len(value)) + value + content[at + 8 + length :])


@pytest.mark.parametrize("number", ["nan", "inf", "abc"])
@pytest.mark.parametrize(
    ("element", "words"),
    [
        ((0x28, 0x1053), "has the slope '{}' for the values of s7-003.dcm"),
        ((0x28, 0x1052), "has the intercept '{}' for the values of s7-003.dcm"),
        ((0x20, 0x32), "has 1 of 5 files without a position"),
        ((0x20, 0x37), "has 1 of 5 files without a position"),
        ((0x28, 0x30), "has slices of 2 sizes or pixel spacings"),
    ],
)
def test_numbers_of_dicom_files_that_are_not_finite_are_refused(tmp_path, element, words, number):
    arrays = np.random.default_rng(0).integers(0, 100, (5, 6, 7))
    places = np.outer(np.arange(5), (0.0, 0.0, 2.5))
    files = save_slices(tmp_path, arrays, places, t0028_1053="2.0", t0028_1052="10.0")
    assert read_volume(tmp_path).GetSpacing() == pytest.approx((0.9, 1.2, 2.5))
    changed(files[2], *element, "\\".join([number] * {0x32: 3, 0x37: 6, 0x30: 2}.get(element[1], 1)))
    with pytest.raises(InputError, match=re.escape(words.format(number))):
        read_volume(tmp_path)


def test_a_slope_of_0_of_a_dicom_file_is_refused(tmp_path):
    (file,) = save_slices(tmp_path, np.arange(42).reshape(1, 6, 7), [(0.0, 0.0, 0.0)], t0028_1053="2.0", t0028_1052="10.0")
    changed(file, 0x28, 0x1053, "0")
    with pytest.raises(InputError, match="has the slope '0'"):
        read_volume(file)
