"""Defects of the input: exit code 2, one line with the problem and the advice, and no file is changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from wrong_files import DENSE, EVALUATE, GUIDES, POINTS, WARP, refused

from deepreg_engine.jobs import registration
from deepreg_engine.jobs.label_names import read_label_names

pytestmark = pytest.mark.usefixtures("among_wrong_files")

# --------------------------------------------------------------------------------------------------------------- images

IMAGES = [
    ("missing.nii.gz", "does not exist", "check the path"),
    ("missing/fixed.nii.gz", "does not exist", "check the path"),
    ("text.nii", "cannot be read as an image", "NIfTI"),
    ("text.txt", "cannot be read as an image", "NIfTI"),
    ("empty.nii.gz", "cannot be read as an image", "NIfTI"),
    ("folder", "without DICOM images", "give an image file"),
    ("half_whole.nii", "ends before its last voxel", "get it again"),
    ("half_whole.nii.gz", "ends before its last voxel", "get it again"),
    ("half_whole.nrrd", "ends before its last voxel", "get it again"),
    ("half_whole.mha", "ends before its last voxel", "get it again"),
    ("flat.nii.gz", "is a 2D picture", "give a 3D volume"),
    ("times.nii.gz", "is 4D (2 times or channels)", "extract one 3D volume"),
    ("vectors.nrrd", "3 components per voxel", "give a scalar volume"),
    ("two_channels.nrrd", "2 components per voxel", "give a scalar volume"),
    ("rgb.nrrd", "RGB image", "give a scalar volume"),
    ("complex.nii.gz", "complex values", "take the magnitude"),
]
INTENSITIES = [
    ("constant.nii.gz", "is constant (every voxel is 7)", "nothing to align"),
    ("nan.nrrd", "1 voxel that is NaN or infinite", "replace them"),
    ("nan.nii.gz", "1 voxel that is NaN or infinite", "replace them"),
    ("nan.nii", "1 voxel that is NaN or infinite", "replace them"),
    ("inf.nrrd", "NaN or infinite", "replace them"),
    ("inf.nii.gz", "NaN or infinite", "replace them"),
    ("minus_inf.nii.gz", "NaN or infinite", "replace them"),
    ("huge.nrrd", "values up to 1e+300", "correct them"),
    ("thin_z.nii.gz", "only 1 voxel thick along z", "at least 4"),
    ("thin_y.nrrd", "only 1 voxel thick along y", "at least 4"),
]


@pytest.mark.parametrize(("name", "what", "advice"), [*IMAGES, *INTENSITIES])
def test_images_that_cannot_be_registered(name, what, advice):
    refused(f"{DENSE} --fixed {name}", f"the fixed image {name}", what, advice)
    refused(f"{DENSE} --moving {name}", f"the moving image {name}", what, advice)


@pytest.mark.parametrize(("name", "what", "advice"), IMAGES)
def test_images_that_cannot_be_warped_or_used_as_masks_and_labels(name, what, advice):
    refused(f"{WARP} --image {name}", f"the image {name}", what, advice)
    refused(f"{WARP} --reference {name}", f"the reference image {name}", what, advice)
    refused(f"{WARP} --labels --image {name}", f"the label map {name}", what, advice)
    refused(f"{DENSE} --fixed-mask {name}", f"the fixed mask {name}", what, advice)
    refused(f"{DENSE} --moving-labels {name} --fixed-labels fixed_labels.nii.gz", f"the moving labels {name}", what, advice)
    refused(f"{EVALUATE} --mask {name}", f"the mask {name}", what, advice)
    refused(f"{EVALUATE} --fixed-labels {name} --moving-labels moving_labels.nii.gz", f"the fixed labels {name}", what, advice)


@pytest.mark.parametrize(("name", "what", "advice"), [IMAGES[0], IMAGES[2], IMAGES[10], INTENSITIES[0], INTENSITIES[2]])
def test_images_that_the_demo_cannot_register(name, what, advice):
    refused(f"demo {name} moving.nii.gz --output result", f"the fixed image {name}", what, advice)
    refused(f"demo fixed.nii.gz {name} --output result", f"the moving image {name}", what, advice)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no file here that even root cannot read")
@pytest.mark.parametrize("line", [f"{DENSE} --fixed", f"{DENSE} --initial", f"{WARP} --image", "evaluate --transform"])
def test_files_that_exist_and_cannot_be_read(line, tmp_path):
    (tmp_path / "unreadable.nrrd").symlink_to("/proc/self/mem")
    refused(f"{line} {tmp_path}/unreadable.nrrd", "unreadable.nrrd cannot be read", "give a")


def test_points_and_names_that_exist_and_cannot_be_read(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    refused(f"{DENSE} {GUIDES}", "the fixed guide landmarks fixed_landmarks.csv cannot be read")
    refused(f"{DENSE} --label-names phantom.json", "phantom.json")


# ----------------------------------------------------------------------------------------------- where things lie in space


def test_images_that_do_not_meet():
    refused(
        f"{DENSE} --initial none --moving far.nii.gz", "no point in common where they lie in space", "alignment geometry", "(--initial)"
    )
    refused(
        f"{DENSE} --initial away.tfm",
        "after the initial alignment the images have no point in common",
        "use the initial alignment",
        "(--initial)",
    )
    refused(f"{WARP} --image far.nii.gz", "maps no point of the result into the image far.nii.gz", "belong together")
    refused(f"{WARP} --image far.nii.gz --labels", "maps no point of the result into the image far.nii.gz", "belong together")
    refused(f"{EVALUATE} --reference far.nii.gz", "the field truth.nrrd and the reference image do not overlap", "belong together")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{DENSE} --fixed-mask empty_mask.nii.gz", ("the fixed mask empty_mask.nii.gz is empty", "give a mask")),
        (f"{DENSE} --fixed-mask far_mask.nii.gz", ("the fixed mask far_mask.nii.gz is empty on the image's grid", "give a mask")),
        (f"{DENSE} --moving-mask far_mask.nii.gz", ("the moving mask far_mask.nii.gz is empty on the image's grid", "give a mask")),
        (f"{DENSE} --fixed-mask nan_mask.nrrd", ("the fixed mask nan_mask.nrrd", "NaN", "write 0")),
        (f"{EVALUATE} --mask empty_mask.nii.gz", ("the mask empty_mask.nii.gz is empty", "give a mask")),
        (f"{EVALUATE} --mask far_mask.nii.gz", ("the mask far_mask.nii.gz is empty", "give a mask")),
    ],
)
def test_masks(line, words):
    refused(line, *words)


LANDMARKS = [
    ("few.csv", "there are 9 fixed landmarks but 49 moving landmarks", "each needs its partner"),
    ("missing.csv", "the fixed landmarks missing.csv do not exist", "check the path"),
    ("no_header.csv", "the first line is not a header with x, y and z", "x,y,z"),
    ("none.csv", "hold no points", "give at least one"),
    ("words.csv", "line 2 has no three numbers: z is 'three'", "x, y and z in mm"),
    ("nan.csv", "point 1 is not finite", "remove or correct it"),
    ("binary.csv", "binary.csv cannot be read as UTF-8 text", "text file"),
    ("broken.mrk.json", "is not a Slicer markups file", "save the points from Slicer"),
    ("points.txt", "do not have the ending of a points file", ".csv"),
    ("folder", "folder", "use one of .csv"),
]


@pytest.mark.parametrize(("name", "what", "advice"), LANDMARKS)
def test_landmarks(name, what, advice):
    pairs = f"fixed-landmarks {name}", "moving-landmarks moving_landmarks.csv"
    for kind, prefix in (("guide", ""), ("check", "test-")):
        refused(f"{DENSE} --{prefix}{pairs[0]} --{prefix}{pairs[1]}", what.replace(" landmarks", f" {kind} landmarks"), advice)
    refused(f"{EVALUATE} --{pairs[0]} --{pairs[1]}", what, advice)
    if name != "few.csv":
        refused(f"{POINTS} --points {name}", what.replace("fixed landmarks", "points"), advice)


@pytest.mark.parametrize("kind", ["", "test-"])
@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_landmarks_that_are_not_where_the_image_is(kind, side):
    pairs = {name: "elsewhere.csv" if name == side else f"{name}_landmarks.csv" for name in ("fixed", "moving")}
    line = f"{DENSE} --{kind}fixed-landmarks {pairs['fixed']} --{kind}moving-landmarks {pairs['moving']}"
    refused(line, f"none of the 49 {side} {'check' if kind else 'guide'} landmarks lies in the {side} image", "LPS mm")


def test_points_that_are_not_where_the_field_is():
    refused(
        f"{EVALUATE} --fixed-landmarks elsewhere.csv --moving-landmarks moving_landmarks.csv",
        "fixed landmarks lies in the displacement field",
        "are in LPS mm (CSV) or have a frame",
    )
    refused(f"{POINTS} --points elsewhere.csv", "no point of elsewhere.csv lies in the displacement field", "coordinate system")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            f"{DENSE} --fixed-landmarks few.csv",
            ("the fixed guide landmarks cannot be used without the moving guide landmarks", "(--moving-landmarks)"),
        ),
        (f"{DENSE} --test-moving-landmarks few.csv", ("cannot be used without the fixed check landmarks", "(--test-fixed-landmarks)")),
        (f"{DENSE} --fixed-labels fixed_labels.nii.gz", ("cannot be used without the moving segmentation", "(--moving-labels)")),
        (f"{DENSE} --moving-labels fixed_labels.nii.gz", ("cannot be used without the fixed segmentation", "(--fixed-labels)")),
        (
            f"{DENSE} --warped-labels labels.nrrd",
            ("the warped segmentation cannot be used without the moving segmentation", "(--moving-labels)"),
        ),
        (f"{EVALUATE} --moving-landmarks few.csv", ("cannot be used without the fixed landmarks", "(--fixed-landmarks)")),
        (
            f"{EVALUATE} --fixed-labels fixed_labels.nii.gz",
            ("the fixed labels cannot be used without the moving labels", "(--moving-labels)"),
        ),
    ],
)
def test_one_of_two(line, words):
    refused(line, *words)


@pytest.mark.parametrize("begin", [DENSE, EVALUATE])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("halves.nii.gz", ("the moving labels halves.nii.gz", "not whole numbers", "give a label map")),
        ("renumbered.nii.gz", ("have none in common", "give the same structure the same number")),
        ("no_labels.nii.gz", ("the moving labels (none) have none in common",)),
    ],
)
def test_labels(begin, name, words, monkeypatch):
    monkeypatch.setattr(registration, "_compute", None)  # refused before the run
    refused(f"{begin} --fixed-labels fixed_labels.nii.gz --moving-labels {name}", *words)


@pytest.mark.parametrize(("name", "what"), [("list.json", "does not hold names"), ("missing.json", "do not exist"), ("folder", "folder")])
def test_label_names(name, what):
    refused(f"{DENSE} --label-names {name}", name, what)
    refused(f"{EVALUATE} --label-names {name}", name, what)


def test_label_names_with_a_byte_order_mark(tmp_path):
    (tmp_path / "names.json").write_text('{"1": "Leber", "2": "Milz"}', encoding="utf-8-sig")
    assert read_label_names(tmp_path / "names.json") == {1: "Leber", 2: "Milz"}


# ----------------------------------------------------------------------------------------------------------- transforms

TRANSFORMS = [
    ("missing.nrrd", "does not exist", "check the path"),
    ("missing.tfm", "does not exist", "check the path"),
    ("text.h5", "cannot be read as an ITK transform", "save it as"),
    ("text.tfm", "cannot be read as an ITK transform", "save it as"),
    ("text.txt", "cannot be read as an ITK transform", "save it as"),
    ("text.nii", "cannot be read", "displacement field"),
    ("cut.tfm", "ends before its last number", "get it again"),
    ("half_field.tfm", "ends before its last number", "get it again"),
    ("half_field.nii.gz", "ends before its last voxel", "get it again"),
    ("half_field.nrrd", "ends before its last voxel", "get it again"),
    ("half_field.mha", "ends before its last voxel", "get it again"),
    ("half_field.h5", "cannot be read as an ITK transform", "save it as"),
    ("nan_field.nrrd", "not finite", "compute it again"),
    ("nan_field.nii.gz", "not finite", "compute it again"),
    ("nan.tfm", "cannot be read", "save it as"),
    ("plane.tfm", "is 2D", "give a 3D transform"),
    ("fixed.nii.gz", "is an image, not a displacement field", "three components"),
    ("rgb.nrrd", "is a colour image, not a displacement field", "floats"),
    ("folder", "cannot be read", "displacement field"),
]


@pytest.mark.parametrize(("name", "what", "advice"), TRANSFORMS)
def test_transforms(name, what, advice):
    refused(f"{DENSE} --initial {name}", f"the initial transform {name}", what, advice)
    refused(f"{WARP} --transform {name}", f"the transform {name}", what, advice)
    refused(f"{POINTS} --transform {name}", f"the transform {name}", what, advice)
    refused(f"{EVALUATE} --transform {name}", f"the transform {name}", what, advice)


def test_transforms_that_are_not_enough():
    for begin in (WARP, EVALUATE, f"{EVALUATE} --mask fixed_mask.nii.gz"):
        refused(f"{begin} --transform shift.tfm", "the transform shift.tfm has no grid of its own", "--reference")
    refused(f"{DENSE} --initial flat.tfm", "the initial transform flat.tfm maps all points onto a plane", "compute it again")
