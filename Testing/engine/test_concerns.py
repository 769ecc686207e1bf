"""What is wrong with a pair before a run: from images, the worker and the command line."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import call, succeed
from dicom_series import save_slices

from deepreg_engine.content.concerns import overlap, pair_concerns
from deepreg_engine.content.detection import image_content
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import check_intensities, read_volume
from deepreg_engine.jobs import automatic
from deepreg_engine.jobs.job import Job
from deepreg_engine.jobs.operations import OPERATIONS
from deepreg_engine.jobs.request import make_request
from deepreg_engine.models.store import needs_of
from deepreg_engine.phantoms import make_pair, make_patient


@cache
def scan(anatomy: str, modality: str = "ct", seed: int = 1):
    return make_patient(anatomy, seed, modality, 0.4)


def kinds(fixed, moving, **settings) -> list[str]:
    return [concern.kind for concern in pair_concerns(fixed, moving, **settings)]


def moved(image: sitk.Image, shift: tuple[float, float, float], factor: float = 1.0) -> sitk.Image:
    """The image at another place, with its lengths in another unit."""
    result = sitk.Image(image)
    result.SetOrigin([factor * place + step for place, step in zip(image.GetOrigin(), shift, strict=True)])
    result.SetSpacing([factor * step for step in image.GetSpacing()])
    return result


@pytest.mark.parametrize(("anatomy", "modalities"), [("thorax", "ct-ct"), ("abdomen", "mr-ct"), ("brain", "mr-mr")])
def test_a_good_pair_has_no_concerns(anatomy, modalities):
    pair = make_pair(anatomy, 3, modalities, 0.35)
    assert kinds(pair.fixed, pair.moving, hounsfield=modalities == "ct-ct", same_contrast=modalities == "mr-mr") == []


def test_two_people_and_two_parts_of_a_trunk_belong_together():
    assert kinds(scan("abdomen").image, scan("abdomen", seed=2).image) == []
    assert "part" not in kinds(scan("abdomen").image, scan("thorax").image)


def test_head_and_abdomen_do_not_belong_together():
    found = pair_concerns(scan("brain", "mr").image, scan("abdomen").image)
    (part,) = [concern for concern in found if concern.kind == "part"]
    assert part.message == "the fixed image shows the head, the moving image the abdomen"
    assert part.severity == "warn"


def test_the_same_volume_twice():
    image = scan("thorax").image
    assert kinds(image, sitk.Image(image)) == ["same"]
    away = pair_concerns(image, moved(image, (12.0, 0.0, 0.0)))
    assert [concern.kind for concern in away] == ["same"]
    assert "different places" in away[0].message
    changed = sitk.Image(image) + 1
    assert kinds(image, changed) == []


def test_label_maps_and_masks():
    found = pair_concerns(scan("abdomen").image, scan("abdomen", seed=2).labels)
    assert [(concern.kind, concern.role) for concern in found] == [("labels", "moving")]
    assert "label map" in found[0].message
    assert "a mask" in pair_concerns(scan("abdomen").mask, scan("abdomen").image)[0].message


def test_fields_of_view_apart_and_in_other_units():
    fixed, moving = scan("abdomen").image, scan("abdomen", seed=2).image
    (apart,) = pair_concerns(fixed, moved(moving, (0.0, 0.0, 900.0)))
    assert apart.kind == "apart"
    assert 880 < float(apart.message.split("centres are ")[1].split(" mm")[0]) < 920
    (units,) = pair_concerns(fixed, moved(moving, (0.0, 0.0, 0.0), 0.1), (image_content(fixed), image_content(moving)))
    assert units.kind == "units"
    assert units.message.startswith("the fixed image is 10 times as large")


def test_the_overlap_of_oblique_grids_is_that_of_their_boxes():
    """Against the share of random points of one box in the other, found by SimpleITK."""
    turn = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.3, -0.2, 0.5)
    fixed, moving = sitk.Image([20, 30, 16], sitk.sitkUInt8), sitk.Image([14, 9, 40], sitk.sitkUInt8)
    fixed.SetSpacing((3.0, 2.0, 5.0))
    moving.SetSpacing((4.0, 5.5, 1.7))
    moving.SetDirection(turn.GetMatrix())
    moving.SetOrigin((11.0, -6.0, 21.0))
    points = np.random.default_rng(0).uniform(-0.5, [13.5, 8.5, 39.5], (4000, 3))
    places = [moving.TransformContinuousIndexToPhysicalPoint(point) for point in points.tolist()]
    index = np.array([fixed.TransformPhysicalPointToContinuousIndex(place) for place in places])
    inside = ((index > -0.5) & (index < np.array(fixed.GetSize()) - 0.5)).all(axis=1)
    assert 0.1 < np.mean(inside) < 0.9
    assert overlap(ImageGrid.of(fixed), ImageGrid.of(moving)) == pytest.approx(np.mean(inside), abs=0.06)


def test_images_that_cannot_be_registered_stop():
    flat = sitk.GetImageFromArray(np.full((12, 12, 12), 5, np.int16))
    thin = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 500, (2, 40, 40)).astype(np.int16))
    (constant, *_rest) = pair_concerns(flat, scan("brain").image)
    assert (constant.kind, constant.severity, constant.role) == ("empty", "stop", "fixed")
    assert [concern.kind for concern in pair_concerns(thin, scan("brain").image) if concern.severity == "stop"] == ["thin"]
    for image in (flat, thin):  # what stops here is refused by the run
        with pytest.raises(Exception, match="constant|thick"):
            check_intensities(image, "fixed image")


def test_features_that_need_hounsfield_units_or_one_contrast():
    ct, mr = scan("abdomen").image, scan("abdomen", "mr", 2).image
    assert needs_of("ct-tissue") == (True, False)
    assert needs_of("mind+normalised") == (False, True)
    assert needs_of("mind") == needs_of("no such features") == (False, False)
    (one,) = pair_concerns(ct, mr, hounsfield=True)
    assert (one.kind, one.role) == ("hounsfield", "moving")
    (one,) = pair_concerns(ct, mr, same_contrast=True)
    assert one.message == "the preset compares intensities, but the fixed image is CT and the moving image MR"
    assert kinds(ct, mr) == []


def test_the_operation_and_the_command(tmp_path):
    fixed, moving = tmp_path / "head.nii.gz", tmp_path / "belly.nrrd"
    sitk.WriteImage(scan("brain", "mr").image, str(fixed))
    sitk.WriteImage(scan("abdomen").image, str(moving))
    result = OPERATIONS["content"]({"fixed": str(fixed), "moving": str(moving)}, Job("1", lambda event: None))
    assert (result["fixed"]["modality"], result["moving"]["body_part"]) == ("mr", "abdomen")
    assert "part" in [concern["kind"] for concern in result["concerns"]]
    assert json.loads(succeed("content", str(fixed), str(moving), "--json")) == result
    lines = succeed("content", str(fixed), str(moving)).splitlines()
    assert lines[0] == f"{fixed}: MR (T1), head"
    assert "warn: the fixed image shows the head, the moving image the abdomen: choose two scans of one body part" in lines
    missing = call("content", str(tmp_path / "none.nii"))
    assert missing.code == 2
    assert missing.err.count("\n") == 1
    assert "none.nii does not exist" in missing.err


def test_dicom_elements_reach_the_command(tmp_path):
    array = np.random.default_rng(0).integers(0, 900, (5, 20, 20))
    places = [(0.0, 0.0, 3.0 * number) for number in range(5)]
    save_slices(tmp_path / "series", array, places, t0008_0060="MR", t0018_0015="PROSTATE", t0018_0081="102", t0018_0080="4000")
    request = make_request("auto", fixed=str(tmp_path / "series"), moving=str(tmp_path / "series"))
    own = automatic._content(request, "fixed", read_volume(tmp_path / "series"))  # what chooses a method knows it too
    found = json.loads(succeed("content", str(tmp_path / "series"), "--json"))["fixed"]
    assert own.to_json() == found
    assert (found["modality"], found["contrast"], found["body_part"], found["certain"]) == ("mr", "t2", "pelvis", True)
