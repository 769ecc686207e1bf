"""``./run demo``: the main job through the panel, in a window, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import SimpleITK as sitk
from bench import ROOT

from slicer_testing.pictures import pixels

pytestmark = pytest.mark.host_only("the demonstration is a window of the host")


def demo(*arguments: object, folder: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "Testing" / "demo.py"), *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env={**os.environ, "DISPLAY": ""}, timeout=180)


def test_two_images_of_ones_own(phantom_folder, tmp_path):
    done = demo(phantom_folder / "fixed.nii.gz", phantom_folder / "moving.nii.gz", "--preset", "quick", "--output", "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mutual information" in done.stdout
    assert "folded voxels" in done.stdout
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {
        "transform.nrrd",
        "warped.nii.gz",
        "report.json",
        "overview.png",
        "scene.mrb",
        "window.png",
    }
    report = json.loads((out / "report.json").read_text())
    assert report["preset"] == "quick"
    assert report["displacement"]["mean"] > 1.0
    # Transform and volume, as the scene has saved them, belong together.
    moving = sitk.ReadImage(str(phantom_folder / "moving.nii.gz"), sitk.sitkFloat32)
    warped = sitk.ReadImage(str(out / "warped.nii.gz"), sitk.sitkFloat32)
    field = sitk.DisplacementFieldTransform(sitk.ReadImage(str(out / "transform.nrrd"), sitk.sitkVectorFloat64))
    again = sitk.Resample(moving, warped, field, sitk.sitkLinear, -1024.0)
    difference = sitk.GetArrayFromImage(sitk.Abs(again - warped))
    assert difference.mean() < 1.0
    assert any(name.endswith(".mrml") for name in zipfile.ZipFile(out / "scene.mrb").namelist())
    window = pixels(out / "window.png")
    assert window.shape[1] == 1500
    assert window[200:, 900:].std() > 20


def test_what_is_wrong_is_one_line_and_leaves_nothing(phantom_folder, tmp_path):
    fixed = phantom_folder / "fixed.nii.gz"
    (tmp_path / "text.nii").write_text("hello")
    for arguments, words in (
        ((fixed,), "give two"),
        ((fixed, "none.nii.gz"), "does not exist"),
        ((fixed, "text.nii"), "cannot be read"),
        ((fixed, fixed, "--preset", "quik"), "did you mean quick"),
        (("--seed", "x"), "--seed"),
        (("--outptu", "x"), "--outptu"),
    ):
        done = demo(*arguments, folder=tmp_path)
        said = [line for line in done.stderr.splitlines() if " % " not in line]
        assert done.returncode == 2, (arguments, done.stderr)
        assert len(said) == 1, (arguments, done.stderr)
        assert words in said[0], (arguments, done.stderr)
        assert {path.name for path in tmp_path.iterdir()} == {"text.nii"}


def test_a_folder_with_a_dicom_series(phantom_folder, tmp_path):
    image = sitk.Cast(sitk.ReadImage(str(phantom_folder / "fixed.nii.gz")), sitk.sitkInt16)
    series, writer = tmp_path / "series", sitk.ImageFileWriter()
    series.mkdir()
    writer.KeepOriginalImageUIDOn()
    direction = image.GetDirection()
    for number in range(image.GetDepth()):
        cut = image[:, :, number]
        place = image.TransformIndexToPhysicalPoint((0, 0, number))
        for tag, value in (
            ("0008|0060", "CT"),
            ("0020|000d", "1.2.3.1"),
            ("0020|000e", "1.2.3.2"),
            ("0008|0018", f"1.2.3.3.{number + 1}"),
            ("0020|0013", str(number)),
            ("0020|0032", "\\".join(str(x) for x in place)),
            ("0020|0037", "\\".join(str(x) for x in (*direction[0::3], *direction[1::3]))),
        ):
            cut.SetMetaData(tag, value)
        writer.SetFileName(str(series / f"{number:03d}.dcm"))
        writer.Execute(cut)
    done = demo(series, phantom_folder / "moving.nii.gz", "--preset", "quick", "--output", "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sitk.ReadImage(str(tmp_path / "out" / "warped.nii.gz")).GetSize() == image.GetSize()
