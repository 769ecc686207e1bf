"""What an image shows: phantoms of all anatomies and modalities, real data, and the same images stored in other ways."""

from __future__ import annotations

import json
import tarfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from deepreg_engine.content.description import Content
from deepreg_engine.content.detection import image_content
from deepreg_engine.geometry.images import read_volume
from deepreg_engine.phantoms import ANATOMIES, make_patient

PARTS = {"abdomen": "abdomen", "thorax": "chest", "brain": "head"}


@cache
def phantom(anatomy: str, modality: str, seed: int = 1) -> sitk.Image:
    return make_patient(anatomy, seed, modality, 0.5).image


def changed(image: sitk.Image, array: np.ndarray) -> sitk.Image:
    result = sitk.GetImageFromArray(array)
    result.CopyInformation(image)
    return result


def moved(image: sitk.Image, angle: float, spacing: float, kind: int = sitk.sitkFloat32) -> sitk.Image:
    """The image on an oblique grid of other voxels, in another type."""
    turn = sitk.Euler3DTransform(
        image.TransformContinuousIndexToPhysicalPoint([n / 2 for n in image.GetSize()]), angle, -0.5 * angle, angle
    )
    size = [round(n * step / spacing) for n, step in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    lowest = float(sitk.GetArrayViewFromImage(image).min())
    origin = image.GetOrigin()
    return sitk.Resample(image, size, turn, sitk.sitkLinear, origin, [spacing] * 3, image.GetDirection(), lowest, kind)


@pytest.mark.parametrize("modality", ["ct", "mr"])
@pytest.mark.parametrize("anatomy", ANATOMIES)
@pytest.mark.parametrize("seed", [1, 2])
def test_phantoms_are_recognised(anatomy, modality, seed):
    found = image_content(phantom(anatomy, modality, seed))
    assert (found.modality, found.body_part) == (modality, PARTS[anatomy])
    assert found.modality_certain
    assert found.reasons
    assert found.spacing_mm == phantom(anatomy, modality, seed).GetSpacing()
    if anatomy == "brain":
        assert found.certain
        assert found.contrast == ("t1" if modality == "mr" else "")
        assert all(120 < length < 260 for length in found.size_mm)


@pytest.mark.parametrize(("anatomy", "modality"), [("abdomen", "ct"), ("thorax", "mr"), ("brain", "ct"), ("brain", "mr")])
def test_the_order_of_the_voxels_does_not_matter(anatomy, modality):
    image = phantom(anatomy, modality)
    for order in ("RAS", "SPL", "AIR"):
        found = image_content(sitk.DICOMOrient(image, order))
        assert (found.modality, found.body_part) == (modality, PARTS[anatomy]), order
        assert np.allclose(found.size_mm, image_content(image).size_mm, atol=8.0)


@pytest.mark.parametrize("anatomy", ANATOMIES)
@pytest.mark.parametrize("modality", ["ct", "mr"])
def test_other_grids_types_and_crops(anatomy, modality):
    image = phantom(anatomy, modality)
    size = image.GetSize()
    crop = sitk.RegionOfInterest(image, [n - 4 for n in size], [2, 2, 2])
    for other in (moved(image, 0.15, 5.0), sitk.Cast(image, sitk.sitkFloat64), crop):
        found = image_content(other)
        assert (found.modality, found.body_part) == (modality, PARTS[anatomy])


@pytest.mark.parametrize("padding", [-2048, -3024, -32768])
@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_padding_of_a_scanner_is_no_tissue(anatomy, padding):
    image = phantom(anatomy, "ct")
    array = sitk.GetArrayFromImage(image)
    y, x = (np.linspace(-1.0, 1.0, n) for n in array.shape[1:])
    array[:, x[None] ** 2 + y[:, None] ** 2 > 1.3] = padding
    found = image_content(changed(image, array))
    assert (found.modality, found.body_part, found.certain) == ("ct", PARTS[anatomy], True)


@pytest.mark.parametrize("anatomy", ANATOMIES)
@pytest.mark.parametrize("modality", ["ct", "mr"])
def test_lost_units_are_never_certain(anatomy, modality):
    image = phantom(anatomy, modality)
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    low, high = (-1024.0, 3071.0) if modality == "ct" else (0.0, float(array.max()))
    scaled = np.clip((array - low) / (high - low), 0.0, 1.0)
    window = np.clip((array - (-160.0 if modality == "ct" else 0.0)) / (400.0 if modality == "ct" else 0.6 * high), 0.0, 1.0)
    for stored in (scaled, np.rint(255 * scaled).astype(np.uint8), np.rint(255 * window).astype(np.uint8), 1000.0 * window):
        found = image_content(changed(image, stored))
        assert found.modality in (modality, "unknown") or not found.modality_certain
        assert not found.modality_certain


@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_ct_without_its_calibration_is_not_mr(anatomy):
    """Unsigned values as scanners store them, with another gain, and as fractions."""
    array = sitk.GetArrayFromImage(phantom(anatomy, "ct")).astype(np.float32)
    for stored in ((array + 1024.0).astype(np.uint16), 1.7 * array + 1024.0, (array + 1024.0) / 4095.0):
        found = image_content(changed(phantom(anatomy, "ct"), stored))
        assert (found.modality, found.body_part, found.certain) == ("ct", PARTS[anatomy], False)


@pytest.mark.parametrize("offset", [-1024, -1000, -500, -100, 200])
@pytest.mark.parametrize("anatomy", ANATOMIES)
def test_mr_with_an_offset_is_not_ct(anatomy, offset):
    array = sitk.GetArrayFromImage(phantom(anatomy, "mr")).astype(np.float32)
    for gain in (1.0, 1.8):  # tissue near 1000 before the offset: near 0 HU after it
        found = image_content(changed(phantom(anatomy, "mr"), np.rint(gain * array + offset).astype(np.int16)))
        assert found.modality == "mr"


def test_labels_and_masks():
    scan = make_patient("abdomen", 1, "ct", 0.5)
    found = image_content(scan.labels)
    assert (found.modality, found.certain) == ("labels", True)
    assert image_content(scan.mask).modality == "mask"
    assert image_content(sitk.Cast(scan.labels, sitk.sitkFloat32)).modality == "labels"


def test_a_constant_image_is_nothing():
    found = image_content(sitk.GetImageFromArray(np.full((8, 9, 10), 3.0, np.float32)))
    assert (found.modality, found.body_part, found.certain) == ("unknown", "unknown", False)


def test_maps_and_noise_are_no_scans():
    """A dose, a probability, a map of a deformation and noise have no modality, and no body part that is certain."""
    z, y, x = np.meshgrid(*(np.linspace(-150.0, 150.0, 60),) * 3, indexing="ij")
    rng = np.random.default_rng(0)
    distance = np.sqrt(x**2 + y**2 + z**2)
    maps = [
        60.0 * np.exp(-((distance / 60.0) ** 2)),
        1.0 / (1.0 + np.exp((distance - 90.0) / 8.0)),
        20.0 + 9.0 * np.sin(x / 60.0) * np.cos(y / 45.0),
        rng.normal(500.0, 100.0, x.shape),
        np.abs(rng.normal(0.0, 100.0, x.shape)),
    ]
    for array in maps:
        image = sitk.GetImageFromArray(array.astype(np.float32))
        image.SetSpacing((5.0, 5.0, 5.0))
        found = image_content(image)
        assert (found.modality, found.certain, found.body_part_certain) == ("unknown", False, False)


def test_what_dicom_states_counts_more_than_what_is_seen():
    image = phantom("brain", "mr")
    hints = {"0008|0060": "MR", "0018|0015": "HEAD", "0018|0081": "90", "0018|0080": "9000", "0018|0082": "2500"}
    found = image_content(image, hints)
    assert (found.modality, found.contrast, found.body_part, found.certain) == ("mr", "flair", "head", True)
    assert any("echo time 90 ms" in reason for reason in found.reasons)
    found = image_content(phantom("brain", "ct"), {"DICOM.Modality": "MR"})
    assert found.modality == "mr"
    assert any("look like CT" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("hints", "part"),
    [
        ({"ProtocolName": "CT Thorax/Abdomen"}, "trunk"),
        ({"SeriesDescription": "t2_tse_prostata"}, "pelvis"),
        ({"BodyPartExamined": "WHOLEBODY"}, "whole body"),
        ({"StudyDescription": "Leberstanze"}, "head"),  # no word for a body part: seen is the head
        ({"name": "liver.nii.gz"}, "head"),  # a name does not decide
    ],
)
def test_words_of_protocols(hints, part):
    assert image_content(phantom("brain", "ct"), hints).body_part == part


def test_json_keeps_everything():
    found = image_content(phantom("brain", "mr"))
    assert Content.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert found.to_json()["title"] == "MR (T1), head"


REAL = {
    "abdomen/example_ct.nii.gz": ("ct", "abdomen", ""),
    "abdomen/example_ct_sm.nii.gz": ("ct", "abdomen", ""),
    "abdomen/chaos_ct3_3mm.nii.gz": ("ct", "abdomen", ""),
    "abdomen/example_mr_sm.nii.gz": ("mr", "abdomen", ""),
    "abdomen/example_seg.nii.gz": ("labels", "unknown", ""),
    "abdomen/example_seg_mr.nii.gz": ("labels", "unknown", ""),
    "abdomen/example_seg_fast_force_split.nii.gz": ("labels", "unknown", ""),
    "abdomen/chaos_ct3_liver_3mm.nii.gz": ("mask", "unknown", ""),
    "brain/T1.nii.gz": ("mr", "head", "t1"),
    "brain/T2.nii.gz": ("mr", "head", "t2"),
    "brain/FLAIR.nii.gz": ("mr", "head", "flair"),
    "brain/ch2.nii.gz": ("mr", "head", "t1"),
    "brain/MRBrainTumor1.nii.gz": ("mr", "head", ""),
    "brain/MRBrainTumor2.nii.gz": ("mr", "head", ""),
    "thorax/ct-64.nrrd": ("ct", "chest", ""),
    "thorax/TestInput.nrrd": ("ct", "chest", ""),
    "thorax/3DCT_lung.mha": ("ct", "chest", ""),
    "thorax/3DCT_lung_baseline_small.mha": ("ct", "chest", ""),
    "thorax/lm-64.nrrd": ("labels", "unknown", ""),
    "thorax/3DCT_lung_baseline_mask.mha": ("mask", "unknown", ""),
    "thorax/3DCT_lung_followup_mask.mha": ("mask", "unknown", ""),
}


@pytest.mark.parametrize("name", REAL)
def test_real_scans(shared_data, name):
    found = image_content(read_volume(shared_data / name))
    assert (found.modality, found.body_part, found.contrast) == REAL[name]
    if found.modality == "ct":
        assert found.certain


def test_crops_of_the_hippocampus_and_their_labels(shared_data):
    for folder, modality in (("images", "mr"), ("labels", "labels")):
        files = sorted((shared_data / "hippocampus" / folder).glob("*.nii.gz"))
        assert len(files) == 130
        for path in files:
            found = image_content(read_volume(path))
            assert found.modality == modality, path
            assert modality == "labels" or found.body_part == "organ", path


def test_prostate_in_mr_and_ultrasound(shared_data, tmp_path):
    with tarfile.open(shared_data / "prostate" / "paired_prostate_mr_trus.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    for folder, modality in (("fixed_images", "us"), ("moving_images", "mr")):
        files = sorted(Path(tmp_path).glob(f"**/{folder}/*.nii.gz"))
        assert len(files) == 27
        for path in files:
            found = image_content(read_volume(path))
            assert (found.modality, found.body_part) == (modality, "organ"), path
