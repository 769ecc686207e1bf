"""What volume nodes show, and what is wrong with a pair, as panels see it: without a copy of the volume, and at once."""

from __future__ import annotations

import time

import numpy as np
import pytest
import slicer
from panels import opened
from world import add_linear, add_volume, matrix4

IJK_TO_RAS = matrix4(np.diag([-3.0, -4.0, 5.0]), (90.0, 100.0, -80.0))


@pytest.fixture
def content(app):
    from deepreg_slicer import content

    return content


def chest(shape=(40, 50, 60)) -> np.ndarray:
    """A trunk with two lungs in HU, (z, y, x)."""
    z, y, x = np.meshgrid(*(np.linspace(-1.0, 1.0, n) for n in shape), indexing="ij")
    values = np.full(shape, -1000.0)
    values[(x / 0.9) ** 2 + (y / 0.8) ** 2 < 1.0] = 40.0
    for side in (-0.4, 0.4):
        values[((x - side) / 0.3) ** 2 + (y / 0.5) ** 2 + (z / 1.2) ** 2 < 1.0] = -850.0
    values[(x / 0.1) ** 2 + ((y - 0.65) / 0.1) ** 2 < 1.0] = 700.0
    noise = np.random.default_rng(0).normal(0.0, 12.0, shape)
    return np.rint(values + noise).astype(np.int16)


def test_a_node_is_described_as_its_file_is(content, tmp_path):
    from deepreg_engine.content.detection import image_content
    from deepreg_engine.geometry.images import read_volume
    from deepreg_slicer import nrrd
    from deepreg_slicer.volumes import snapshot, worldGeometry

    node = add_volume("scan", chest(), IJK_TO_RAS)
    own = content.contentOf(node)
    shot = snapshot(node)
    for _share in nrrd.write(tmp_path / "scan.nrrd", shot.values(), worldGeometry(shot)[0]):
        pass
    of_file = image_content(read_volume(tmp_path / "scan.nrrd"))
    assert (own.modality, own.body_part, own.certain) == ("ct", "chest", True)
    assert own == of_file


def test_attributes_of_node_series_and_unit_count(content):
    node = add_volume("a", np.random.default_rng(0).integers(0, 900, (9, 9, 9)).astype(np.int16), IJK_TO_RAS)
    assert not content.contentOf(node).certain
    node.SetAttribute("DICOM.Modality", "MR")
    node.SetAttribute("DICOM.BodyPartExamined", "PROSTATE")
    found = content.contentOf(node)
    assert (found.modality, found.body_part, found.certain) == ("mr", "pelvis", True)


class Database:
    """Stands in for the application's DICOM database with one file."""

    isOpen = True

    def fileForInstance(self, instance: str) -> str:
        return "one.dcm" if instance == "1.2.3" else ""

    def fileValue(self, file: str, tag: str) -> str:
        return {"0008,0060": "MR", "0018,0015": "HEAD", "0018,0081": "95", "0018,0080": "4000"}.get(tag, "")


def test_the_dicom_database_and_the_unit_of_a_ct_count(content, monkeypatch):
    monkeypatch.setattr(slicer, "dicomDatabase", Database(), raising=False)
    voxels = np.random.default_rng(0).integers(0, 900, (9, 9, 9)).astype(np.int16)
    node = add_volume("a", voxels, IJK_TO_RAS)
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    found = content.contentOf(node)
    assert (found.modality, found.contrast, found.body_part, found.certain) == ("mr", "t2", "head", True)
    other = add_volume("b", voxels, IJK_TO_RAS)
    other.SetAttribute("DICOM.instanceUIDs", "9.9")
    assert not content.contentOf(other).modality_certain
    unit = slicer.vtkCodedEntry()
    unit.SetValueSchemeMeaning("[hnsf'U]", "UCUM", "Hounsfield unit")
    other.SetVoxelValueUnits(unit)
    assert content.contentOf(other).modality == "ct"


def test_a_label_map_node_is_labels_whatever_it_holds(content):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    slicer.util.updateVolumeFromArray(node, np.arange(1000, dtype=np.int16).reshape(10, 10, 10))
    assert content.contentOf(node).modality == "labels"


def test_a_pair_is_compared_where_its_nodes_are_shown(content):
    fixed, moving = (add_volume(name, chest(), IJK_TO_RAS) for name in "ab")
    assert [concern.kind for concern in content.concernsOf(fixed, moving)] == ["same"]
    slicer.util.updateVolumeFromArray(moving, np.flip(chest(), 2).copy())
    assert content.concernsOf(fixed, moving) == []
    away = add_linear("away", matrix4(np.eye(3), (900.0, 0.0, 0.0)))
    moving.SetAndObserveTransformNodeID(away.GetID())
    (concern,) = content.concernsOf(fixed, moving)
    assert (concern.kind, concern.severity) == ("apart", "warn")
    assert "900 mm" in concern.line


def test_a_correction_of_the_user_counts(content):
    fixed, moving = add_volume("a", chest(), IJK_TO_RAS), add_volume("b", np.flip(chest(), 2).copy(), IJK_TO_RAS)
    contents = [content.contentOf(node) for node in (fixed, moving)]
    contents[1] = contents[1].replaced(body_part="head", body_part_certain=True)
    assert [concern.kind for concern in content.concernsOf(fixed, moving, contents)] == ["part"]


def test_the_panel_warns_before_a_run(app):
    fixed, moving = (add_volume(name, chest(), IJK_TO_RAS) for name in "ab")
    widget = opened(app)
    section, label = widget.panel.concernSection, widget.ui.concernLabel
    app.wait_for(lambda: not section.searching, 10, "the concerns")
    assert label.visible
    assert label.text == "Fixed and moving image are the same: choose two different scans."
    assert not any(concern.severity == "stop" for concern in section.concerns)
    moving_mask = (chest() > 500).astype(np.int16)
    slicer.util.updateVolumeFromArray(moving, moving_mask)
    app.wait_for(lambda: not section.searching and "mask" in label.text, 10, "the concern about the mask")
    widget.panel.node.parameters.features = "ct-tissue"
    slicer.util.updateVolumeFromArray(moving, np.rint(chest() / 4.0 + 300.0).astype(np.int16))
    app.wait_for(lambda: not section.searching and "HU" in label.text, 10, "the concern about Hounsfield units")
    slicer.util.updateVolumeFromArray(moving, np.flip(chest(), 2).copy())
    app.wait_for(lambda: not section.searching and not label.text, 10, "no concern")
    assert not label.visible
    slicer.mrmlScene.RemoveNode(fixed)  # the selector then shows the volume that is left
    app.wait_for(lambda: not section.searching, 10, "the concerns")
    assert [concern.kind for concern in section.concerns] == ["same"]


def test_a_large_volume_does_not_block_the_window(content):
    """Each step of the search is short, and the voxels are not copied."""
    node = add_volume("large", np.tile(chest(), (5, 7, 6)), IJK_TO_RAS)
    content.contentOf(add_volume("small", chest(), IJK_TO_RAS))  # the imports
    steps, longest = content.contentSteps(node), 0.0
    for _repeated in range(100):
        begun = time.process_time()
        try:
            next(steps)
        except StopIteration:
            break
        finally:
            longest = max(longest, time.process_time() - begun)
    assert longest < 0.2  # 0.03 s where nothing else computes; a copy of the volume or all its voxels take longer
