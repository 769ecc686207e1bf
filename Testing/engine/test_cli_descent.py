"""``register descent`` and ``features`` from files to files, and what is wrong with their input in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import call, check_refusal, listing, succeed
from registering import aligned, scene
from scenes import itk_map, voxel_points

from deepreg_engine.arrays import array_of
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.transform_files import read_transform

QUICK = (
    "--preset",
    "mr-ct",
    "--features",
    "mind",
    "--set",
    "working_spacing=5",
    "--set",
    "levels=2",
    "--set",
    "iterations=20",
    "--set",
    "window_spread=4",
    "--set",
    "elastic=0.7",
)


def alike(one: ImageGrid, other: ImageGrid) -> bool:
    """Whether two grids are the same, but for what a file format rounds."""
    parts = ((one.spacing, other.spacing), (one.origin, other.origin), (one.direction, other.direction))
    return one.size == other.size and all(np.allclose(a, b, atol=1e-5) for a, b in parts)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An oblique pair of MR contrasts, and what belongs to it."""
    folder, pair = tmp_path_factory.mktemp("pair"), scene("brain", "mr-mr")
    sitk.WriteImage(pair.fixed, str(folder / "fixed.nii.gz"))
    sitk.WriteImage(pair.moving, str(folder / "moving.nrrd"))
    sitk.WriteTransform(aligned(pair).transform, str(folder / "affine.tfm"))
    return folder


def test_all_results_and_what_they_are(files, tmp_path):
    pair = scene("brain", "mr-mr")
    text = succeed(
        "register",
        "descent",
        "--fixed",
        files / "fixed.nii.gz",
        "--moving",
        files / "moving.nrrd",
        "--initial",
        files / "affine.tfm",
        *QUICK,
        "--transform",
        tmp_path / "t.nrrd",
        "--warped",
        tmp_path / "w.nii.gz",
        "--inverse",
        tmp_path / "i.nrrd",
        "--jacobian",
        tmp_path / "j.nrrd",
        "--overview",
        tmp_path / "o.png",
        "--report",
        tmp_path / "r.json",
        "--fixed-colours",
        tmp_path / "fc.nrrd",
        "--moving-colours",
        tmp_path / "mc.nrrd",
        "--warped-colours",
        tmp_path / "wc.nrrd",
        "--iterations",
        tmp_path / "steps",
        "--kept-iterations",
        5,
    )
    assert "features: mind" in text
    assert "written:" in text
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["method"] == "descent"
    assert report["alignment"]["kind"] == "file"
    assert report["regularity"]["folding_percent"] == 0
    energies = [entry["energy"] for entry in report["energies"]]
    assert len(energies) > 4
    assert energies[-1] < energies[0]
    # The field, read by SimpleITK, is near the truth.
    transform = read_transform(tmp_path / "t.nrrd")
    points = voxel_points(pair.grid)[pair.body][::61]
    truth = points + np.moveaxis(pair.truth, 0, -1)[pair.body][::61]
    affine = itk_map(aligned(pair).transform, points)
    after, before = (np.linalg.norm(there - truth, axis=1).mean() for there in (itk_map(transform, points), affine))
    assert after < 0.6 * before
    # Colours: red, green and blue on the grids they belong to; the same where the images agree.
    fixed, moving, warped = (sitk.ReadImage(str(tmp_path / name)) for name in ("fc.nrrd", "mc.nrrd", "wc.nrrd"))
    assert alike(ImageGrid.of(fixed), pair.grid)
    assert alike(ImageGrid.of(warped), pair.grid)
    assert alike(ImageGrid.of(moving), ImageGrid.of(pair.moving))
    assert fixed.GetNumberOfComponentsPerPixel() == 3
    assert fixed.GetPixelID() == sitk.sitkVectorUInt8
    here, there = (sitk.GetArrayFromImage(image)[pair.body].astype(float).ravel() for image in (fixed, warped))
    unmoved = (
        sitk.GetArrayFromImage(sitk.Resample(moving, fixed, aligned(pair).transform, sitk.sitkLinear))[pair.body].astype(float).ravel()
    )
    assert np.corrcoef(here, there)[0, 1] > np.corrcoef(here, unmoved)[0, 1] + 0.01 > 0.1
    # Iterations lead from the alignment to the result.
    kept = report["iterations"]
    assert [entry["iteration"] for entry in kept] == sorted({entry["iteration"] for entry in kept})
    assert len(kept) == 5
    first, last = (itk_map(read_transform(kept[number]["file"]), points) for number in (0, -1))
    assert np.abs(first - affine).max() < 0.1
    assert np.linalg.norm(last - itk_map(transform, points), axis=1).mean() < 0.4


def test_features_as_a_volume_and_as_colours(files, tmp_path):
    text = succeed(
        "features",
        "--image",
        files / "fixed.nii.gz",
        "--features",
        "mind",
        "--output",
        tmp_path / "f.nrrd",
        "--colours",
        tmp_path / "c.nii.gz",
        "--second",
        files / "moving.nrrd",
        "--second-colours",
        tmp_path / "d.mha",
        "--spacing",
        4,
    )
    assert "12 features" in text
    image = sitk.ReadImage(str(tmp_path / "f.nrrd"))
    assert alike(ImageGrid.of(image), ImageGrid.of(sitk.ReadImage(str(files / "fixed.nii.gz"))))
    assert image.GetNumberOfComponentsPerPixel() == 12
    values = sitk.GetArrayFromImage(image)
    assert 0.0 <= values.min() < 0.2
    assert 0.8 < values.max() <= 1.0
    second = sitk.ReadImage(str(tmp_path / "d.mha"))
    assert second.GetNumberOfComponentsPerPixel() == 3
    assert sitk.GetArrayFromImage(second).std() > 20


def test_dense_takes_a_descent_model(files, tmp_path):
    import torch

    from deepreg_engine.features.contrast_net import ContrastNet
    from deepreg_engine.models.card import ModelCard, write_model

    torch.manual_seed(0)
    weights = ContrastNet(("mr", "other"), 4, 8).state_dict()
    model = tmp_path / "own.safetensors"
    write_model(model, ModelCard("own", "descent", "contrast-net"), {name: array_of(value) for name, value in weights.items()})
    succeed(
        "register",
        "dense",
        "--fixed",
        files / "fixed.nii.gz",
        "--moving",
        files / "moving.nrrd",
        "--preset",
        "quick",
        "--features",
        model,
        "--transform",
        tmp_path / "t.nrrd",
        "--report",
        tmp_path / "r.json",
    )
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["features"] == "own"
    assert report["method"] == "dense"
    assert report["regularity"]["folding_percent"] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "mrct"], ["no preset 'mrct'", "did you mean mr-ct?"]),
        (["--set", "elastik=2"], ["did you mean elastic?"]),
        (["--set", "window=99"], ["out of range"]),
        (["--features", "any-contrats"], ["no features", "did you mean any-contrast?"]),
        (["--fixed-modality", "ctt"], ["fixed_modality = ctt is not a choice", "did you mean ct?"]),
        (["--fixed-landmarks", "a.csv"], ["unknown '--fixed-landmarks'"]),
        (["--kept-iterations", "0"], ["kept_iterations = 0 is out of range"]),
        (["--iterations", "FILE"], ["is a file"]),
        (["--iterations", "nowhere/steps"], ["nowhere does not exist"]),
        (["--warped-colours", "c.jpg"], ["c.jpg"]),
    ],
)
def test_bad_input_is_refused_in_one_line(files, tmp_path, arguments, words):
    occupied = tmp_path / "occupied"
    occupied.write_text("")
    arguments = [str(occupied) if word == "FILE" else word for word in arguments]
    before = listing(tmp_path)
    outcome = call(
        "register",
        "descent",
        "--fixed",
        files / "fixed.nii.gz",
        "--moving",
        files / "moving.nrrd",
        "--transform",
        tmp_path / "t.nrrd",
        *arguments,
    )
    check_refusal(outcome, *words)
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["nothing is to be written"]),
        (["--second", "IMAGE", "--output", "f.nrrd"], ["go together"]),
        (["--output", "f.nrrd", "--spacing", "0"], ["voxel size"]),
        (["--output", "f.nrrd", "--features", "lung-points"], ["lung-points", "no features of images"]),
    ],
)
def test_features_refuses_in_one_line(files, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    arguments = [str(files / "moving.nrrd") if word == "IMAGE" else word for word in arguments]
    check_refusal(call("features", "--image", files / "fixed.nii.gz", *arguments), *words)
    assert not list(tmp_path.iterdir())
