"""Notes on how scans were read: trainings, overlap and explanations give them, as registrations do."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from labelled_patients import write_patients
from scenes import image_on
from test_read_placement import GRID, rewritten
from test_training_jobs import request
from textured_pairs import PARAMETERS, SHIFT, pair, translation

from deepreg_engine.jobs import explanation
from deepreg_engine.jobs.operations import OPERATIONS
from deepreg_engine.jobs.overlap import OverlapRequest, run_overlap
from deepreg_engine.jobs.training import run_training
from deepreg_engine.jobs.training_estimate import estimate_training

NOTE = "has two placements that differ by up to 5.0 mm"


class Log:
    """Stands for a job: keeps the log."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def progress(self, _share: float, _stage: str) -> None:
        pass

    def log(self, text: str) -> None:
        self.texts.append(text)


def moved(path):
    """Give a NIfTI file an sform 5 mm beside its qform."""
    image = sitk.ReadImage(str(path))
    axes = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    sform = np.diag([-1.0, -1.0, 1.0]) @ np.column_stack([axes, np.array(image.GetOrigin()) + (3.0, 0.0, 4.0)])
    return rewritten(path, sform, 2, 1)


def test_a_training_and_its_estimate(tmp_path):
    (tmp_path / "patients").mkdir()
    patients = write_patients(tmp_path / "patients")
    for kind in ("images", "labels"):
        moved(patients / kind / "scan2.nii.gz")
    estimated = estimate_training(request(patients, tmp_path / "never"))
    logged: list[str] = []
    done = run_training(request(patients, tmp_path / "new", validation=["scan4"]), log=logged.append)
    for notes in (estimated["notes"], done["notes"], logged):
        assert [note.startswith("scan scan2: the ") and NOTE in note for note in notes] == [True, True], notes


def test_the_overlap_of_labels(tmp_path):
    labels = sitk.Cast(image_on(GRID, (np.arange(np.prod(GRID.shape)).reshape(GRID.shape) % 3).astype(np.uint8)), sitk.sitkUInt8)
    files = [str(tmp_path / f"{name}.nii") for name in ("fixed", "moving")]
    for file in files:
        sitk.WriteImage(labels, file)
    assert run_overlap(OverlapRequest(*files))["notes"] == []
    moved(tmp_path / "moving.nii")
    log = Log()
    found = OPERATIONS["overlap"]({"fixed_labels": files[0], "moving_labels": files[1]}, log)
    (note,) = found["notes"]
    assert NOTE in note
    assert log.texts == [note]


def test_an_explanation(tmp_path):
    images = pair()
    files = {name: str(tmp_path / f"{name}.nii") for name in ("fixed", "moving")}
    for name, path in files.items():
        sitk.WriteImage(getattr(images, name), path)
    sitk.WriteImage(sitk.Shrink(images.fixed > -1e9, [2, 2, 2]), str(tmp_path / "mask.nrrd"))
    moved(tmp_path / "moving.nii")
    sitk.WriteTransform(translation(SHIFT), str(tmp_path / "t.tfm"))
    names = ("working_spacing", "control_spacing", "capture_range")
    arguments = {"method": "dense", **files, "fixed_mask": str(tmp_path / "mask.nrrd"), "transform": str(tmp_path / "t.tfm")}
    log = Log()
    try:
        found = OPERATIONS["explain-open"]({**arguments, "parameters": {name: getattr(PARAMETERS, name) for name in names}}, log)
    finally:
        explanation.drop()
    assert len(found["notes"]) == 2, found["notes"]
    assert NOTE in found["notes"][0]
    assert "fixed mask was on another grid" in found["notes"][1]
    assert log.texts == found["notes"]
