"""Files of the trainer against SimpleITK's: scans under parents, labels that mean the same in all of them, the log of a training."""

from __future__ import annotations

import gzip
import json
import os

import numpy as np
import pytest
import SimpleITK as sitk
from panels import world_image
from trainer_bench import IJK, ORGANS, add_scan, organs
from world import TURN, add_linear, add_volume, add_warp, exhaust, itk_image, matrix4, smooth, through

ABOVE = matrix4(TURN, (20.0, -30.0, 40.0))


@pytest.fixture(autouse=True)
def library(app):
    """The trainer's library on the path."""
    app.load_module("DeepRegTrainer")


def scan(key: str, volume, labels, role: str = "learn"):
    from DeepRegTrainerLib.scans import SceneScan

    return SceneScan(key, volume.GetName(), role, volume, labels)


def written(scans, folder):
    from DeepRegTrainerLib.export import writeScans

    return exhaust(writeScans(scans, str(folder)))


def read(folder, what: str, name: str) -> sitk.Image:
    return sitk.ReadImage(str(folder / what / f"{name}.nii.gz"))


@pytest.mark.parametrize(
    "turn", [TURN, TURN * [1, 1, -1], np.diag([1.0, -1.0, -1.0]), np.eye(3)], ids=["oblique", "mirrored", "half turn", "plain"]
)
@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.float32, np.float64])
def test_nifti_files_are_read_by_simpleitk_where_the_voxels_are(tmp_path, turn, kind):
    from DeepRegTrainerLib import nifti

    from deepreg_slicer.nrrd import Geometry

    matrix = matrix4(turn * np.array([1.5, 0.7, 2.3]), (-40.0, 30.0, -35.5))
    values = np.arange(7 * 5 * 4).astype(kind)
    exhaust(nifti.write(tmp_path / "x.nii.gz", values, Geometry.fromIjkToRas((7, 5, 4), matrix)))
    truth = itk_image(values.reshape(4, 5, 7), matrix)
    raw = bytearray(gzip.decompress((tmp_path / "x.nii.gz").read_bytes()))
    raw[254:256] = b"\0\0"  # without its matrix, a reader goes by the quaternion
    (tmp_path / "y.nii").write_bytes(bytes(raw))
    for name in ("x.nii.gz", "y.nii"):
        image = sitk.ReadImage(str(tmp_path / name))
        assert np.array_equal(sitk.GetArrayFromImage(image), values.reshape(4, 5, 7))
        assert sitk.GetArrayFromImage(image).dtype == kind
        for got, wanted in (
            (image.GetOrigin(), truth.GetOrigin()),
            (image.GetSpacing(), truth.GetSpacing()),
            (image.GetDirection(), truth.GetDirection()),
        ):
            assert np.abs(np.array(got) - wanted).max() < 1e-5
    assert sorted(os.listdir(tmp_path)) == ["x.nii.gz", "y.nii"]


def test_a_file_that_was_not_finished_is_not_there(tmp_path):
    from DeepRegTrainerLib import nifti

    from deepreg_slicer.nrrd import Geometry

    work = nifti.write(tmp_path / "x.nii.gz", np.zeros(10**6, dtype=np.int16), Geometry.fromIjkToRas((100, 100, 100), IJK))
    next(work)
    work.close()
    assert os.listdir(tmp_path) == []
    with pytest.raises(ValueError, match="do not fit"):
        next(nifti.write(tmp_path / "x.nii.gz", np.zeros(8, dtype=bool), Geometry.fromIjkToRas((2, 2, 2), IJK)))


def test_scans_lie_in_the_world_and_segments_of_one_name_have_one_value(tmp_path):
    """Rigid parents, different ones for a volume and its segmentation; segments in another order, in letters of another size."""
    first = add_scan("anna", 0)
    second = add_scan("bert smith/2", 1, order=ORGANS[::-1])
    second[1].GetSegmentation().GetNthSegment(0).SetName(" Spleen")
    for node, matrix in ((first[0], ABOVE), (first[1], ABOVE), (second[0], matrix4(TURN.T, (5.0, -20.0, 3.0)))):
        node.SetAndObserveTransformNodeID(add_linear(f"above {node.GetName()}", matrix).GetID())
    done = written([scan("1", *first), scan("2", *second)], tmp_path)
    assert done.files == {"1": "anna", "2": "bert_smith_2"}
    assert done.problems == {}
    assert done.notes == []
    assert json.loads((tmp_path / "label_names.json").read_text())["label_names"] == {"1": "liver", "2": "spleen"}
    for (volume, segmentation), name, seed in ((first, "anna", 0), (second, "bert_smith_2", 1)):
        image, truth = read(tmp_path, "images", name), world_image(volume)
        assert np.array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(truth))
        corners = [(0, 0, 0), (21, 17, 13), (21, 0, 13)]
        apart = [np.subtract(image.TransformIndexToPhysicalPoint(c), truth.TransformIndexToPhysicalPoint(c)) for c in corners]
        assert np.abs(apart).max() < 1e-4
        # Labels are on the segmentation's own grid: drawn on that of its volume as it was, without parents, they are the organs.
        above = ABOVE if segmentation.GetParentTransformNode() is not None else np.eye(4)
        grid = itk_image(organs(seed), above @ IJK)
        drawn = sitk.Resample(read(tmp_path, "labels", name), grid, sitk.Transform(), sitk.sitkNearestNeighbor)
        assert np.array_equal(sitk.GetArrayFromImage(drawn), organs(seed))


def test_a_scan_under_a_warp_is_resampled(tmp_path):
    import slicer

    volume = add_volume("warped", np.zeros((14, 18, 22), dtype=np.float32), IJK)
    index = np.stack(np.unravel_index(np.arange(22 * 18 * 14), (22, 18, 14), order="F"), axis=1)
    slicer.util.updateVolumeFromArray(volume, smooth(index @ IJK[:3, :3].T + IJK[:3, 3]).reshape(14, 18, 22).astype(np.float32))
    segmentation = add_scan("other")[1]
    warp = add_warp("warp")
    for node in (volume, segmentation):
        node.SetAndObserveTransformNodeID(warp.GetID())
    done = written([scan("1", volume, segmentation)], tmp_path)
    image, labels = read(tmp_path, "images", done.files["1"]), read(tmp_path, "labels", done.files["1"])
    inside = [(9, 8, 7), (12, 10, 6), (8, 9, 9)]
    for place in inside:
        lps = np.array(image.TransformIndexToPhysicalPoint(place))
        local = through(warp, [lps * (-1, -1, 1)], inverse=True)
        assert image[place] == pytest.approx(smooth(local)[0], abs=12.0)
    assert sorted(np.unique(sitk.GetArrayFromImage(labels))) == [0, 1, 2]


def test_label_maps_keep_their_values_and_overlap_is_said(tmp_path):
    import slicer

    maps = []
    for number in range(2):
        labels = (7 * (organs(number) == 1) + 40 * (organs(number) == 2)).astype(np.int16)
        maps.append((add_scan(f"v{number}", number)[0], add_volume(f"m{number}", labels, IJK, "vtkMRMLLabelMapVolumeNode")))
    done = written([scan(str(n), *pair) for n, pair in enumerate(maps)], tmp_path / "maps")
    assert set(done.labels) == {7, 40}
    assert sorted(np.unique(sitk.GetArrayFromImage(read(tmp_path / "maps", "labels", "v1")))) == [0, 7, 40]
    # Where two segments overlap, the later one stands, and the user is notified.
    volume, segmentation = add_scan("over")
    segment = segmentation.GetSegmentation().AddEmptySegment("", "lesion")
    mask = np.zeros((14, 18, 22), dtype=np.uint8)
    mask[3:6, 4:7, 5:8] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, segment, volume)
    done = written([scan("1", volume, segmentation), scan("2", *add_scan("over"))], tmp_path / "over")
    assert done.files == {"1": "over", "2": "over-2"}
    assert ["overlap" in note for note in done.notes] == [True]
    values = sitk.GetArrayFromImage(read(tmp_path / "over", "labels", "over"))
    assert (values == 3).sum() == 27
    assert (values == 1).sum() == (organs() == 1).sum() - 27


def test_a_scan_that_cannot_be_written_is_named_and_the_others_are(tmp_path):
    good, other = add_scan("good"), add_scan("fine", 1)
    empty = add_scan("empty")
    empty[0].SetAndObserveImageData(None)
    done = written([scan("1", *good), scan("2", *empty), scan("3", *other)], tmp_path)
    assert sorted(done.files) == ["1", "3"]
    assert "is empty" in done.problems["2"]
    assert sorted(os.listdir(tmp_path / "labels")) == ["fine.nii.gz", "good.nii.gz"]


def test_the_log_is_read_while_it_is_written(tmp_path):
    from DeepRegTrainerLib.trainings import Log

    path = tmp_path / "log.jsonl"
    log = Log(path)
    assert log.read() == []
    path.write_text('{"step": 1, "loss": 3.0}\n{"step": 2, "lo')
    assert [line["step"] for line in log.read()] == [1]
    with open(path, "a") as stream:
        stream.write('ss": 2.0}\nnonsense\n{"no": "step"}\n{"step": 3, "loss": 1.0}\n')
    assert [line["step"] for line in log.read()] == [1, 2, 3]
    # A training that was ended hard does some steps again.
    with open(path, "a") as stream:
        stream.write('{"step": 2, "loss": 9.0}\n')
    assert [(line["step"], line["loss"]) for line in log.read()] == [(1, 3.0), (2, 9.0)]
    path.write_text('{"step": 1, "loss": 5.0}\n')  # begun again
    assert [line["loss"] for line in log.read()] == [5.0]


def test_trainings_are_found_wherever_their_folder_went(tmp_path):
    from DeepRegTrainerLib.trainings import EVALUATE, TRAIN, begin, findTrainings, newFolder, remove

    root = tmp_path / "root"
    new = newFolder(root)
    os.rename(new, root / "net")
    begun = begin(root / "net", TRAIN, "net", {"method": "dense", "data": [str(root / "net" / "scans"), "/elsewhere"]})
    begin(root / "net", EVALUATE, "net", {"method": "dense", "data": []})
    (root / ".new-999999999-x").mkdir()
    begun.folder.mkdir()
    (begun.folder / "training.json").write_text('{"state": "paused", "result": {"step": 7, "steps": 9}}')
    (root / "broken").mkdir()
    (root / "broken" / "request.json").write_text("{")
    (root / "line" / "x").mkdir(parents=True)
    (root / "line" / "training.json").write_text('{"request": {"method": "points", "name": "p", "data": []}, "state": "finished"}')
    os.rename(root, tmp_path / "moved")
    found = {(training.name, training.operation): training for training in findTrainings(tmp_path / "moved")}
    assert set(found) == {("net", TRAIN), ("net", EVALUATE), ("p", TRAIN)}
    net = found["net", TRAIN]
    assert net.arguments["data"] == [str(tmp_path / "moved" / "net" / "scans"), "/elsewhere"]
    assert net.arguments["folder"] == str(net.folder)
    assert (net.state, net.step, net.steps, net.unfinished, found["p", TRAIN].unfinished) == ("paused", 7, 9, True, False)
    newFolder(tmp_path / "moved")
    assert not (tmp_path / "moved" / ".new-999999999-x").exists()
    remove(found["net", EVALUATE])
    assert [training.operation for training in findTrainings(tmp_path / "moved") if training.name == "net"] == [TRAIN]
    remove(net)
    assert not (tmp_path / "moved" / "net").exists()


def test_volumes_are_split_evenly(app):
    from DeepRegTrainerLib.scans import split

    names = [f"s{n}" for n in range(10)]
    assert split(names, 2) == {"s2", "s7"}
    assert split(names, 0) == set()
    assert len(split(names, 99)) == 9
    assert split(["a"], 1) == set()


def test_a_scan_that_is_shown_through_a_result_is_learned_from_without_it(tmp_path):
    from deepreg_slicer.result_view import moveThrough

    first, second = add_scan("anna", 0), add_scan("bert", 1)
    result = add_warp("result", 4.0)
    result.SetAttribute("DeepReg.Output", "transform")
    plain = written([scan("1", *first), scan("2", *second)], tmp_path / "plain")
    assert plain.notes == []
    moveThrough(first[0], result, True)
    for node in second:
        node.SetAndObserveTransformNodeID(result.GetID())
    done = written([scan("1", *first), scan("2", *second)], tmp_path / "shown")
    assert ["reads it without this result" in note for note in done.notes] == [True, False, False]
    for what in ("images", "labels"):
        same = [(tmp_path / folder / what / "anna.nii.gz").read_bytes() for folder in ("plain", "shown")]
        assert same[0] == same[1]
        other = [(tmp_path / folder / what / "bert.nii.gz").read_bytes() for folder in ("plain", "shown")]
        assert other[0] != other[1]
