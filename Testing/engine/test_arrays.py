"""Arrays to tensors and back, and whole computations, with a torch that says "Numpy is not available"."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from command_line import succeed
from keypoint_files import SPACING, TINY, write
from labelled_patients import write_patients
from numpy_bridge import without_numpy_bridge
from textured_pairs import SHIFT, clouds, inner_points, pair, translation

from deepreg_engine.arrays import array_of, new_tensor, tensor_of
from deepreg_engine.features.obelisk import Obelisk
from deepreg_engine.geometry.transform_files import read_field
from deepreg_engine.jobs import explanation
from deepreg_engine.jobs.job import Job
from deepreg_engine.jobs.operations import OPERATIONS
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.models.card import read_weights
from deepreg_engine.models.store import load_extractor, load_matcher
from deepreg_engine.training.descent import scenes, trainer

TYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
LAYOUTS = {
    "contiguous": lambda a: a,
    "other order": lambda a: a.transpose(2, 0, 1),
    "every other": lambda a: a[:, ::2, 1:3],
    "backwards": lambda a: a[::-1],
    "empty": lambda a: a[..., :0],
    "one number": lambda a: a[0, 1, 2].reshape(()),
    "read-only": lambda a: np.broadcast_to(a[:1], (5, 3, 4)),
    "one voxel": lambda a: a[:1, :1, :1],
}


@pytest.fixture(autouse=True)
def bridge():
    """No bridge in any test of this file."""
    with without_numpy_bridge():
        yield


def test_the_bridge_is_off():
    numbers = np.arange(3)
    for forbidden in (
        lambda: torch.from_numpy(numbers),
        lambda: torch.zeros(3).numpy(),
        lambda: np.asarray(torch.zeros(3)),
        lambda: np.sqrt(torch.zeros(3)),
        lambda: torch.tensor(numbers),
        lambda: torch.tensor([numbers[0]]),
        lambda: torch.as_tensor(numbers),
        lambda: torch.zeros(5)[numbers],
        lambda: torch.zeros(numbers[2], 3),
        lambda: torch.zeros(3) * np.float32(2.0),
    ):
        with pytest.raises(RuntimeError, match="Numpy is not available"):
            forbidden()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", TYPES)
def test_values_types_and_shapes_are_kept_both_ways(kind, layout):
    array = LAYOUTS[layout](np.arange(24).reshape(2, 3, 4).astype(kind))
    tensor = tensor_of(array)
    assert tensor.dtype == getattr(torch, kind)
    assert tensor.tolist() == array.tolist()
    back = array_of(tensor)
    assert (back.dtype, back.shape, back.tolist()) == (array.dtype, array.shape, array.tolist())
    assert back.flags.writeable
    copy = new_tensor(array)
    assert (copy.dtype, copy.tolist(), copy.is_contiguous()) == (tensor.dtype, array.tolist(), True)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("layout", ["contiguous", "other order", "every other", "one voxel"])
def test_memory_is_shared_both_ways(kind, layout):
    array = LAYOUTS[layout](np.zeros((2, 3, 4), kind))
    tensor = tensor_of(array)
    tensor.fill_(1)
    assert array.all()
    back = array_of(tensor)
    back[...] = 0
    assert not array.any()
    assert not tensor.any()
    expected = [step for step, size in zip(array.strides, array.shape, strict=True) if size > 1]
    assert [step for step, size in zip(back.strides, back.shape, strict=True) if size > 1] == expected
    new_tensor(array).fill_(1)
    assert not array.any()


def test_an_array_keeps_the_memory_of_its_tensor():
    array = array_of(torch.full((100_000,), 7.0))
    torch.zeros(100_000).fill_(3.0)
    assert (array == 7.0).all()
    tensor = tensor_of(np.full(100_000, 7.0))
    assert (np.full(100_000, 3.0) == 3.0).all()
    assert bool((tensor == 7.0).all())


def test_read_only_arrays_are_not_written_through():
    array = np.zeros(4)
    array.flags.writeable = False
    tensor_of(array).fill_(1.0)
    assert not array.any()


def test_weights_that_are_learned_and_numbers_of_numpy():
    weight = torch.nn.Parameter(torch.ones(2))
    assert array_of(weight).tolist() == [1.0, 1.0]
    assert new_tensor([np.float32(0.5), np.int64(2)]).tolist() == [0.5, 2.0]
    assert new_tensor([1, 2], dtype=torch.float32).dtype == torch.float32


@pytest.mark.parametrize("array", [np.zeros(2, "uint16"), np.zeros(2, ">f4"), np.zeros(2, complex), np.zeros(2, "O")])
def test_types_without_a_tensor_are_refused(array):
    with pytest.raises(TypeError, match="no tensor"):
        tensor_of(array)
    with pytest.raises(TypeError, match="bfloat16"):
        array_of(torch.zeros(2, dtype=torch.bfloat16))


# ------------------------------------------------------------------------------------------------------- whole computations


NARROW = {"initial": "none", "working_spacing": 4.0, "control_spacing": 12.0, "capture_range": 16.0}


def computed(operation: str, **arguments) -> dict:
    """Return the result of an operation of the worker."""
    return OPERATIONS[operation](arguments, Job("1", lambda event: None))


@pytest.fixture
def images(tmp_path):
    """An oblique, anisotropic pair that is moved by a known translation, with a transform of it."""
    paths = {name: str(tmp_path / f"{name}.nrrd") for name in ("fixed", "moving")}
    for name, path in paths.items():
        sitk.WriteImage(getattr(pair(), name), path)
    return paths


QUICK = {
    "dense": {**NARROW, "features": "mind+self-similarity"},
    "descent": {"initial": "rigid", "working_spacing": 4.0, "levels": 2, "iterations": 20},
    "points": {"initial": "affine", "keypoint_count": 200, "keypoint_spacing": 3.0},
}
# The images are textures, for which the automatic preset of points is one without a refinement.
PRESETS = {"dense": {}, "descent": {}, "points": {"preset": "lung"}}
MORE = {
    "dense": ("warped", "jacobian", "inverse", "uncertainty"),
    "descent": ("warped", "fixed_colours", "warped_colours"),
    "points": ("fixed_keypoints",),
}


@pytest.mark.parametrize("method", QUICK)
def test_registrations(images, tmp_path, method):
    outputs = {name: str(tmp_path / f"{name}.{'csv' if 'keypoints' in name else 'nrrd'}") for name in ("transform", *MORE[method])}
    computed("register", method=method, **images, **outputs, parameters=QUICK[method], device="cpu", **PRESETS[method])
    vectors = read_field(outputs["transform"]).vectors[:, 8:-8, 12:-12, 12:-12].reshape(3, -1).mean(1)
    assert np.linalg.norm(vectors - SHIFT) < 2.0


def test_explanation_and_report(images, tmp_path):
    sitk.WriteTransform(translation(SHIFT), str(tmp_path / "transform.tfm"))
    files = {**images, "transform": str(tmp_path / "transform.tfm")}
    names = ("working_spacing", "control_spacing", "capture_range")
    opened = computed("explain-open", method="dense", **files, parameters={name: NARROW[name] for name in names})
    points, outputs = inner_points(1)[0].tolist(), {name: str(tmp_path / f"{name}.nrrd") for name in ("bits", "offset")}
    for what, given in (
        ("probabilities", {"point": points, "output": str(tmp_path / "p.nrrd")}),
        ("entropy", outputs),
        ("features", {name: str(tmp_path / f"{name}_colours.nrrd") for name in ("fixed", "moving")}),
    ):
        assert computed("explain", what=what, state=opened["state"], **given)
    explanation.drop()
    computed("report", **files, output=str(tmp_path / "report.html"))
    assert "<svg" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_explanation_of_points(tmp_path):
    fixed, moving, _ = clouds()
    paths = {name: str(tmp_path / f"{name}.csv") for name in ("fixed_points", "moving_points")}
    for name, points in zip(paths, (fixed, moving), strict=True):
        np.savetxt(paths[name], points, delimiter=",", header="x,y,z", comments="")
    sitk.WriteTransform(translation(SHIFT), str(tmp_path / "transform.tfm"))
    opened = computed("explain-open", method="points", **paths, transform=str(tmp_path / "transform.tfm"))
    computed("explain", what="confidences", state=opened["state"], output=str(tmp_path / "confidences.csv"))
    assert len((tmp_path / "confidences.csv").read_text().splitlines()) == len(fixed) + 1
    explanation.drop()


TRAININGS = {
    "dense labels": ("dense", {"steps": 2, "size": 16, "width": 4, "spacing": 5.0, "initial": "geometry"}),
    "dense search": (
        "dense",
        {"network": "context", "steps": 2, "controls": 4, "radius": 1, "width": 4, "channels": 3, "spacing": 5.0, "initial": "geometry"},
    ),
    "descent": ("descent", {"steps": 2, "size": 24, "width": 4, "channels": 4, "phantoms": 1, "states": 1}),
    "points": ("points", {**TINY, "steps": 2, "solver_share": 1.0}),
}


@pytest.mark.parametrize("case", TRAININGS)
def test_trainings_and_their_models(tmp_path, case, monkeypatch):
    method, parameters = TRAININGS[case]
    monkeypatch.setattr(scenes, "PHANTOMS", (("abdomen", 6.0),))
    monkeypatch.setattr(trainer, "_VALIDATION", 2)
    (tmp_path / "data").mkdir()
    data = write(tmp_path / "data", 1, 2, scans=(2,)) if method == "points" else write_patients(tmp_path / "data")
    more = {"spacing": SPACING} if method == "points" else {"modality": "ct"}
    if method == "descent":
        more["spacing"] = 5.0
    given = {"method": method, "data": [str(data)], "parameters": parameters, "device": "cpu", "workers": 0, **more}
    trained = computed("train", folder=str(tmp_path / "training"), **given)
    assert trained["state"] == "finished"
    weights = read_weights(trained["model"])
    assert all(np.isfinite(array).all() for array in weights.values())
    if method == "points":
        assert load_matcher(trained["model"])[0] is not None
    else:
        assert load_extractor(DenseParameters(features=trained["model"])) is not None


def test_commands(images, phantom_folder, tmp_path):
    labels = ("--fixed-labels", phantom_folder / "fixed_labels.nii.gz", "--moving-labels", phantom_folder / "moving_labels.nii.gz")
    landmarks = ("--fixed-landmarks", phantom_folder / "fixed_landmarks.csv", "--moving-landmarks", phantom_folder / "moving_landmarks.csv")
    succeed("evaluate", "--transform", phantom_folder / "truth.nrrd", *labels, *landmarks, "--report", tmp_path / "e.json")
    assert json.loads((tmp_path / "e.json").read_text())["landmarks"]["after"]["mean"] < 1.0
    succeed("keypoints", "--image", images["fixed"], "--output", tmp_path / "k.csv")
    assert len((tmp_path / "k.csv").read_text().splitlines()) > 20
    names = ("--output", tmp_path / "f.nrrd", "--colours", tmp_path / "c.nrrd")
    succeed("features", "--image", images["fixed"], "--features", "mind", *names, "--device", "cpu")
    assert sitk.ReadImage(str(tmp_path / "f.nrrd")).GetNumberOfComponentsPerPixel() > 3


def test_self_test_and_published_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPREG_MODELS", str(tmp_path / "models"))
    torch.save(Obelisk(3).state_dict(), tmp_path / "published.pth")
    assert computed("import-model", file=str(tmp_path / "published.pth"))["card"]["architecture"] == "obelisk"
    assert computed("self-test", device="cpu")["passed"]
