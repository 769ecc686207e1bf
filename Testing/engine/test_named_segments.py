"""Segments with names: trainings and cross-validations pair them by name, and warped label maps keep names, colours and terminology."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import call, succeed
from scenes import FIXED, MOVING, Waves, smooth_image
from test_read_segments import balls, segmentation

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.label_pairs import with_common_values
from deepreg_engine.geometry.point_clouds import read_cloud
from deepreg_engine.geometry.segments import segment_names
from deepreg_engine.geometry.transform_files import read_transform, write_field
from deepreg_engine.jobs import label_comparison, registration
from deepreg_engine.jobs.reading import read_inputs
from deepreg_engine.jobs.request import make_request
from deepreg_engine.training.base import TrainingRequest
from deepreg_engine.training.labelled_scans import find_labelled, read_scan
from deepreg_engine.training.registry import TRAININGS, find_trainer

ORDERS = ({"Liver": 1, "kidney": 2, "spleen": 3}, {"spleen": 1, "kidney": 2, "liver": 5}, {"kidney": 1, "spleen": 2})
GRIDS = (FIXED, MOVING, FIXED)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Three scans whose segments have the same names in different orders; the same ones as a pair."""
    folder = tmp_path_factory.mktemp("scans")
    for kind in ("images", "labels", "fixed_images", "fixed_labels", "moving_images", "moving_labels"):
        (folder / ("pair" if "_" in kind else "single") / kind).mkdir(parents=True)
    for number, (grid, order) in enumerate(zip(GRIDS, ORDERS, strict=True)):
        sitk.WriteImage(smooth_image(grid, number), str(folder / "single" / "images" / f"scan{number}.nrrd"))
        segmentation(folder / "single" / "labels" / f"scan{number}.seg.nrrd", grid, order)
    for number, side in enumerate(("fixed", "moving")):
        sitk.WriteImage(smooth_image(GRIDS[number], number), str(folder / "pair" / f"{side}_images" / "a.nrrd"))
        segmentation(folder / "pair" / f"{side}_labels" / "a.seg.nrrd", GRIDS[number], ORDERS[number])
    return folder


def read(method, folder, **options):
    request = TrainingRequest(method, [str(folder)], "unused", modality="ct")
    trainer = find_trainer(method)
    return trainer.read(dict(trainer.find(request)), request, TRAININGS[method]().replaced(options), lambda *_: None)


def test_the_dense_training_pairs_segments_by_name(scans):
    found = read("dense", scans / "single", spacing=2.5)
    assert found.labels == [1, 2, 3]
    assert found.reading == ["the structures were paired by their names: 'spleen' is 1 in scan1 and 3 in the others"]
    centres = []
    for name in ("scan0", "scan1", "scan2"):
        (scan,) = found.items[name]
        index = [np.argwhere(scan.labels.numpy() == value)[:, ::-1].mean(0) for value in (2, 3)]
        centres.append(scan.grid.index_to_physical(np.array(index)))
    np.testing.assert_allclose(centres[1:], [centres[0]] * 2, atol=1.5)  # kidney and spleen


def test_the_descent_training_pairs_segments_by_name(scans):
    found = read("descent", scans / "pair", phantoms=0)
    ((fixed, moving),) = found.items["a"]
    sizes = [[int((scene.labels == value).sum()) for value in (1, 2, 3)] for scene in (fixed, moving)]
    assert [scene.labels.max() for scene in (fixed, moving)] == [3, 3]
    np.testing.assert_allclose(*sizes, rtol=0.35)
    assert found.reading == ["the structures were paired by their names: 'spleen' is 3 in the fixed and 1 in the moving labels"]


def test_a_cross_validation_compares_segments_by_name(scans, monkeypatch):
    pair = find_labelled(scans / "pair", "ct", "ct").pairs[0]
    still = Waves.draw(0, amplitude=0.0).on(FIXED)

    class Registered:
        field = still

        class alignment:  # noqa: N801 - as the result's attribute
            transform = sitk.Transform(3, sitk.sitkIdentity)

    monkeypatch.setattr(label_comparison, "_register", lambda *_: Registered)
    request = TrainingRequest("dense", [], "unused")
    rows = label_comparison._measure(request, "a", pair, "model", lambda *_: None)
    assert [row["label"] for row in rows] == ["liver", "kidney", "spleen"]
    assert all(row["before"] > 0.7 for row in rows)


def test_label_maps_of_which_one_has_no_names_are_paired_by_value():
    plain, notes = balls(FIXED, {"Liver": 1, "kidney": 2}), []
    named = []
    for order in ORDERS[:2]:
        image = balls(FIXED, order)
        for number, (name, value) in enumerate(order.items()):
            image.SetMetaData(f"Segment{number}_Name", name)
            image.SetMetaData(f"Segment{number}_LabelValue", str(value))
        named.append(image)
    maps = with_common_values({"a": named[0], "b": named[1], "c": plain}, notes)
    assert maps["b"] is named[1]
    assert notes == [
        "the structures were paired by their values, because the labels of c have no names: 'spleen' is 1 in b and 3 in the others"
    ]


def test_two_segments_of_one_name_are_refused(scans, tmp_path):
    scan = find_labelled(scans / "single").scans[0]
    segmentation(tmp_path / "x.seg.nrrd", FIXED, {"Liver": 1, "kidney": 2}, {"kidney": "liver "})
    with pytest.raises(InputError, match="several segments with the name 'Liver'"):
        read_scan(type(scan)("x", scan.image, tmp_path / "x.seg.nrrd", "ct"))


# ------------------------------------------------------------------------------------------------------------------- warped


TERMINOLOGY = "Segmentation.StatusInProgress:x|TerminologyEntry:Segmentation category~SCT^10200004^Liver|"


@pytest.fixture
def coloured(tmp_path):
    """A segmentation with all that 3D Slicer writes, cropped to a part of its reference image; and a transform onto another grid."""
    image = balls(MOVING, {"Liver": 4, "kidney": 2})
    header = {"Segmentation_MasterRepresentation": "Binary labelmap", "Segmentation_ReferenceImageExtentOffset": "7 5 3"}
    for number, (name, value, colour) in enumerate((("Liver", 4, "0.9 0.1 0.2"), ("kidney", 2, "0.1 0.8 0.3"))):
        parts = {
            "ID": f"id{number}",
            "Name": name,
            "LabelValue": value,
            "Color": colour,
            "Layer": 0,
            "Extent": "2 5 1 4 3 6",
            "Tags": TERMINOLOGY,
        }
        header |= {f"Segment{number}_{key}": str(text) for key, text in parts.items()}
    for key, text in header.items():
        image.SetMetaData(key, text)
    sitk.WriteImage(image, str(tmp_path / "m.seg.nrrd"), True)
    write_field(tmp_path / "t.nrrd", Waves.draw(0).on(FIXED))
    return tmp_path


def test_warped_segments_keep_names_colours_and_terminology(coloured):
    target = coloured / "w.seg.nrrd"
    succeed("warp", "--transform", coloured / "t.nrrd", "--image", coloured / "m.seg.nrrd", "--labels", "--output", target)
    warped = sitk.ReadImage(str(target))
    assert segment_names(warped) == {2: "kidney", 4: "Liver"}
    assert warped.GetMetaData("Segment0_Color") == "0.9 0.1 0.2"
    assert warped.GetMetaData("Segment0_ID") == "id0"
    assert warped.GetMetaData("Segment1_Tags") == TERMINOLOGY
    assert warped.GetMetaData("Segmentation_MasterRepresentation") == "Binary labelmap"
    # Boxes are those of the new grid, in which 3D Slicer finds all segments.
    assert warped.GetMetaData("Segmentation_ReferenceImageExtentOffset") == "0 0 0"
    assert {warped.GetMetaData(f"Segment{number}_Extent") for number in (0, 1)} == {"0 13 0 10 0 8"}
    truth = sitk.Resample(
        sitk.ReadImage(str(coloured / "m.seg.nrrd")),
        FIXED.to_image(np.zeros(FIXED.shape)),
        read_transform(coloured / "t.nrrd"),
        sitk.sitkNearestNeighbor,
    )
    np.testing.assert_array_equal(sitk.GetArrayFromImage(warped), sitk.GetArrayFromImage(truth))


def test_a_file_that_cannot_hold_names_is_noted(coloured):
    outcome = call(
        "warp", "--transform", coloured / "t.nrrd", "--image", coloured / "m.seg.nrrd", "--labels", "--output", coloured / "w.nii.gz"
    )
    assert outcome.code == 0
    assert outcome.messages == [
        "note: w.nii.gz cannot hold the names of the segments (2 kidney, 4 Liver): a file that ends in .seg.nrrd keeps them"
    ]


def test_a_registration_notes_files_that_cannot_hold_names(coloured):
    image, segments = str(coloured / "i.nrrd"), str(coloured / "m.seg.nrrd")
    sitk.WriteImage(smooth_image(MOVING, 0), image)
    given = {"fixed": image, "moving": image, "moving_labels": segments, "warped_labels": str(coloured / "w.mha")}
    request = make_request("dense", **given, warp_labels=[[segments, str(coloured / "v.nii.gz")], [segments, str(coloured / "u.seg.nrrd")]])
    notes = registration._lost_names(request, read_inputs(request))
    assert [note.split(" cannot hold the names")[0] for note in notes] == ["w.mha", "v.nii.gz"]


def test_a_cloud_of_a_segmentation(coloured):
    assert len(read_cloud(str(coloured / "m.seg.nrrd"), "fixed points", "surface", lambda *_: 3.0)) > 10
