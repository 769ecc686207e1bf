"""Files with every possible defect, and command lines that use them."""

from __future__ import annotations

import csv
import shlex
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from command_line import call, check_refusal

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.transform_files import write_field
from deepreg_engine.phantoms import PhantomPair, write_pair

# Every command line begins with one of these and goes on with what is wrong; the last value of an option counts.
DENSE = (
    "register dense --fixed fixed.nii.gz --moving moving.nii.gz --preset quick --initial geometry --quiet "
    "--transform out.nrrd --report out.json"
)
WARP = "warp --transform truth.nrrd --image moving.nii.gz --output out.nrrd"
POINTS = "warp --transform truth.nrrd --points fixed_landmarks.csv --output out.csv"
EVALUATE = "evaluate --transform truth.nrrd --report out.json"
GUIDES = "--fixed-landmarks fixed_landmarks.csv --moving-landmarks moving_landmarks.csv"


def write_images(folder: Path, fixed: sitk.Image) -> None:
    values = sitk.GetArrayFromImage(fixed)

    def write(name: str, array: np.ndarray, vector: bool = False) -> None:
        image = sitk.GetImageFromArray(array, isVector=vector)
        if image.GetSize() == fixed.GetSize():
            image.CopyInformation(fixed)
        sitk.WriteImage(image, str(folder / name))

    write("flat.nii.gz", values[5])
    sitk.WriteImage(sitk.JoinSeries([fixed, fixed]), str(folder / "times.nii.gz"))
    write("vectors.nrrd", np.stack([values] * 3, -1).astype(np.float32), vector=True)
    write("two_channels.nrrd", np.stack([values] * 2, -1).astype(np.float32), vector=True)
    write("rgb.nrrd", np.clip(np.stack([values] * 3, -1), 0, 255).astype(np.uint8), vector=True)
    write("complex.nii.gz", values.astype(np.complex64))
    write("constant.nii.gz", np.full_like(values, 7))
    write("thin_z.nii.gz", values[:1])
    write("thin_y.nrrd", values[:, :1])
    for name, value in (("nan", np.nan), ("inf", np.inf), ("minus_inf", -np.inf)):
        array = values.astype(np.float32)
        array[3, 4, 5] = value
        for ending in (".nrrd", ".nii.gz", ".nii"):
            write(name + ending, array)
    array = values.astype(np.float64)
    array[3, 4, 5] = 1e300
    write("huge.nrrd", array)
    far = sitk.Image(fixed)
    far.SetOrigin((5000.0, 5000.0, 5000.0))
    sitk.WriteImage(far, str(folder / "far.nii.gz"))


def write_damaged(folder: Path, fixed: sitk.Image, truth: DisplacementField) -> None:
    (folder / "text.nii").write_text("this is no image")
    (folder / "text.txt").write_text("nor is this")
    (folder / "empty.nii.gz").write_bytes(b"")
    for name in ("whole.nii", "whole.nii.gz", "whole.nrrd", "whole.mha"):
        sitk.WriteImage(fixed, str(folder / name))
    for name in ("field.nii.gz", "field.h5", "field.tfm", "field.mha", "field.nrrd"):
        write_field(folder / name, truth)
    for path in [*folder.glob("whole.*"), *folder.glob("field.*")]:
        content = path.read_bytes()
        (folder / f"half_{path.name}").write_bytes(content[: len(content) // 2])
        path.unlink()
    vectors = truth.vectors.copy()
    vectors[1, 2, 3, 4] = np.nan
    image = truth.grid.to_image(np.ascontiguousarray(np.moveaxis(vectors, 0, -1)), vector=True)
    sitk.WriteImage(image, str(folder / "nan_field.nrrd"))
    sitk.WriteImage(image, str(folder / "nan_field.nii.gz"))


def write_transforms(folder: Path) -> None:
    begin = "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
    (folder / "cut.tfm").write_text(begin + "Parameters: 1 0\n")
    (folder / "nan.tfm").write_text(begin + "Parameters: nan 0 0 0 1 0 0 0 1 0 0 0\nFixedParameters: 0 0 0\n")
    (folder / "text.h5").write_text("this is no transform")
    (folder / "text.tfm").write_text("nor is this")
    for name, transform in {
        "shift.tfm": sitk.TranslationTransform(3, (3.0, 0.0, 0.0)),
        "away.tfm": sitk.TranslationTransform(3, (5000.0, 0.0, 0.0)),
        "plane.tfm": sitk.TranslationTransform(2, (3.0, 0.0)),
        "flat.tfm": sitk.AffineTransform([1, 0, 0, 0, 1, 0, 0, 0, 0], [0.0] * 3),
    }.items():
        sitk.WriteTransform(transform, str(folder / name))


def write_masks_and_labels(folder: Path, mask: sitk.Image, labels: sitk.Image) -> None:
    sitk.WriteImage(mask * 0, str(folder / "empty_mask.nii.gz"))
    other = sitk.Image(mask)
    other.SetOrigin((5000.0, 0.0, 0.0))
    sitk.WriteImage(other, str(folder / "far_mask.nii.gz"))
    array = sitk.GetArrayFromImage(mask).astype(np.float32)
    array[array == 0] = np.nan
    holes = sitk.GetImageFromArray(array)
    holes.CopyInformation(mask)
    sitk.WriteImage(holes, str(folder / "nan_mask.nrrd"))
    sitk.WriteImage(sitk.Cast(labels, sitk.sitkFloat32) + 0.5, str(folder / "halves.nii.gz"))
    sitk.WriteImage(labels + 100, str(folder / "renumbered.nii.gz"))
    sitk.WriteImage(labels * 0, str(folder / "no_labels.nii.gz"))


def write_points(folder: Path) -> None:
    rows = list(csv.reader((folder / "fixed_landmarks.csv").open()))
    (folder / "few.csv").write_text("\n".join(",".join(row) for row in rows[:10]) + "\n")
    moved = [rows[0], *([str(float(row[0]) + 5000), *row[1:]] for row in rows[1:])]
    (folder / "elsewhere.csv").write_text("\n".join(",".join(row) for row in moved) + "\n")
    (folder / "no_header.csv").write_text("1,2,3\n")
    (folder / "none.csv").write_text("x,y,z\n")
    (folder / "words.csv").write_text("x,y,z\n1,2,three\n")
    (folder / "nan.csv").write_text("x,y,z\n1,2,nan\n")
    (folder / "binary.csv").write_bytes(bytes(range(256)))
    (folder / "broken.mrk.json").write_text("{")
    (folder / "points.txt").write_text("x,y,z\n1,2,3\n")
    (folder / "list.json").write_text("[1]")


def write_all(folder: Path, pair: PhantomPair) -> None:
    """All of them, beside a good pair and the results of an earlier run."""
    write_pair(pair, folder)
    write_images(folder, pair.fixed)
    write_damaged(folder, pair.fixed, pair.truth)
    write_transforms(folder)
    write_masks_and_labels(folder, pair.fixed_mask, pair.moving_labels)
    write_points(folder)
    for name in ("broken.safetensors", "broken.pth"):
        (folder / name).write_text("this is no model")
    for name in ("folder", "folder.nrrd", "folder.json", "phantoms"):
        (folder / name).mkdir()
    (folder / "folder" / "notes.txt").write_text("no DICOM")
    shutil.copy(folder / "fixed.nii.gz", folder / "phantoms" / "fixed.nii.gz")
    (folder / "link.nii.gz").symlink_to(folder / "fixed.nii.gz")
    for name in ("out.nrrd", "out.csv", "out.json"):
        (folder / name).write_text("of an earlier run")


def refused(line: str, *words: str) -> str:
    """A command line that must be refused with one line that has all these words; returns it."""
    return check_refusal(call(*shlex.split(line)), *words)
