"""File types are recognised by the content of files, and a saved node is read back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk


@pytest.fixture(autouse=True)
def app(slicer_app):
    """A fresh application."""
    return slicer_app


def add(kind, name="N"):
    return slicer.mrmlScene.AddNewNodeByClass(f"vtkMRML{kind}Node", name)


def volume(kind="ScalarVolume"):
    node = add(kind)
    slicer.util.updateVolumeFromArray(node, np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    return node


def segmentation():
    node = add("Segmentation")
    seed = vtk.vtkSphereSource()
    seed.SetRadius(2)
    seed.Update()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume())
    node.AddSegmentFromClosedSurfaceRepresentation(seed.GetOutput(), "Seed", [1, 0, 0])
    node.CreateBinaryLabelmapRepresentation()
    node.SetSourceRepresentationToBinaryLabelmap()
    return node


def line():
    node = add("MarkupsLine")
    node.AddControlPoint(1, 2, 3)
    node.AddControlPoint(4, 5, 6)
    return node


def text():
    node = add("Text")
    node.SetText("words")
    node.SetForceCreateStorageNode(True)
    return node


def colors():
    node = slicer.vtkMRMLColorTableNode()
    node.SetTypeToUser()
    node.SetNumberOfColors(2)
    node.SetColor(0, "one", 0.1, 0.2, 0.3, 1)
    node.SetColor(1, "two", 0.4, 0.5, 0.6, 1)
    return slicer.mrmlScene.AddNode(node)


def sequence():
    node = add("Sequence")
    for value in range(3):
        node.SetDataNodeAtValue(volume(), str(value))
    return node


def model():
    node = add("Model")
    source = vtk.vtkCubeSource()
    source.Update()
    node.SetAndObservePolyData(source.GetOutput())
    return node


def transform():
    node = add("LinearTransform")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 7)
    node.SetMatrixTransformToParent(matrix)
    return node


def table():
    node = add("Table")
    column = vtk.vtkDoubleArray()
    column.SetName("dose")
    column.InsertNextValue(2)
    node.AddColumn(column)
    return node


@pytest.mark.parametrize(
    ("make", "name", "kind"),
    [
        (volume, "a.nrrd", "VolumeFile"),
        (volume, "a.nii.gz", "VolumeFile"),
        (volume, "a.mha", "VolumeFile"),
        (segmentation, "a.seg.nrrd", "SegmentationFile"),
        (segmentation, "a.nrrd", "SegmentationFile"),
        (line, "a.mrk.json", "MarkupsFile"),
        (line, "a.json", "MarkupsFile"),
        (line, "a.fcsv", "MarkupsFile"),
        (text, "a.txt", "TextFile"),
        (text, "a.json", "TextFile"),
        (colors, "a.txt", "ColorTableFile"),
        (colors, "a.ctbl", "ColorTableFile"),
        (sequence, "a.seq.nrrd", "SequenceFile"),
        (sequence, "a.nrrd", "SequenceFile"),
        (model, "a.vtk", "ModelFile"),
        (model, "a.stl", "ModelFile"),
        (transform, "a.h5", "TransformFile"),
        (transform, "a.tfm", "TransformFile"),
        (table, "a.tsv", "TableFile"),
    ],
)
def test_a_saved_node_is_recognised_and_comes_back(make, name, kind, tmp_path):
    node = make()
    path = str(tmp_path / name)
    assert slicer.util.saveNode(node, path)
    assert slicer.app.coreIOManager().fileType(path) == kind
    loaded = slicer.util.loadNodeFromFile(path)
    # A file with only points does not contain their type.
    assert loaded is not node
    assert loaded.GetClassName() == ("vtkMRMLMarkupsFiducialNode" if name == "a.fcsv" else node.GetClassName())


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (volume, "a.mha"),
        (volume, "a.nii.gz"),
        (segmentation, "a.seg.nrrd"),
        (line, "a.mrk.json"),
        (text, "a.txt"),
        (model, "a.stl"),
        (transform, "a.tfm"),
        (table, "a.csv"),
    ],
)
def test_an_exported_node_keeps_its_own_file(make, name, tmp_path):
    node = make()
    storages = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLStorageNode")
    assert slicer.util.exportNode(node, str(tmp_path / name), {})
    assert (tmp_path / name).is_file()
    assert node.GetStorageNode() is None
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLStorageNode") == storages


def test_export_in_world_coordinates(tmp_path):
    node, moved = line(), transform()
    node.SetAndObserveTransformNodeID(moved.GetID())
    positions = {}
    for world in (False, True):
        path = str(tmp_path / f"{world}.mrk.json")
        assert slicer.util.exportNode(node, path, {}, world=world)
        positions[world] = slicer.util.loadMarkups(path).GetNthControlPointPosition(0)
    assert positions == {False: (1, 2, 3), True: (8, 2, 3)}


def test_a_loaded_sequence_is_played(tmp_path):
    path = str(tmp_path / "beats.seq.nrrd")
    assert slicer.util.saveNode(sequence(), path)
    slicer.mrmlScene.Clear()
    loaded = slicer.util.loadSequence(path)
    browser = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode")
    assert loaded.GetNumberOfDataNodes() == 3
    assert browser.GetMasterSequenceNode() is loaded
    shown = browser.GetProxyNode(loaded)
    assert shown.GetClassName() == "vtkMRMLScalarVolumeNode"
    assert slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID() == shown.GetID()


def test_nifti_files_with_frames_and_with_displacements(tmp_path):
    import SimpleITK as sitk

    frames, field = tmp_path / "frames.nii.gz", tmp_path / "field.nii"
    sitk.WriteImage(sitk.JoinSeries([sitk.Image(4, 4, 4, sitk.sitkFloat32)] * 3), frames)
    displacements = sitk.Image([4, 4, 4], sitk.sitkVectorFloat32, 3)
    sitk.WriteImage(displacements, field)
    # SimpleITK writes a vector image; a displacement field has an intent code of its own.
    marked = bytearray(field.read_bytes())
    marked[68:70] = (1006).to_bytes(2, "little")
    field.write_bytes(marked)
    manager = slicer.app.coreIOManager()
    assert manager.fileType(frames) == "SequenceFile"
    assert manager.fileType(field) == "TransformFile"


def test_a_legacy_vtk_file_is_an_image_or_a_mesh(tmp_path):
    path = tmp_path / "image.vtk"
    writer = vtk.vtkStructuredPointsWriter()
    writer.SetInputData(volume().GetImageData())
    writer.SetFileName(str(path))
    writer.Write()
    assert slicer.app.coreIOManager().fileType(path) == "VolumeFile"


def test_a_terminology_is_read_by_its_logic(tmp_path):
    path = tmp_path / "organs.json"
    path.write_text(
        json.dumps(
            {
                "SegmentationCategoryTypeContextName": "Organs of a test",
                "@schema": "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/segment-context-schema.json#",
                "SegmentationCodes": {"Category": []},
            }
        )
    )
    assert slicer.app.coreIOManager().fileType(path) == "TerminologyFile"
    assert slicer.util.loadNodeFromFile(path) is None
    names = vtk.vtkStringArray()
    slicer.modules.terminologies.logic().GetLoadedTerminologyNames(names)
    assert "Organs of a test" in [names.GetValue(index) for index in range(names.GetNumberOfValues())]


def test_a_scene_description_has_no_data_and_a_folder_has(tmp_path):
    node = volume()
    assert slicer.util.saveScene(str(tmp_path / "scene.mrml"))
    assert [path.name for path in tmp_path.iterdir()] == ["scene.mrml"]
    assert slicer.util.saveScene(str(tmp_path / "all"))
    assert (tmp_path / "all" / "Data" / f"{node.GetName()}.nrrd").is_file()


def test_a_folder_that_holds_something_is_left_alone(tmp_path, app):
    (tmp_path / "mine.txt").write_text("text")
    assert not slicer.util.saveScene(str(tmp_path))
    assert "not empty" in app.dialogs.shown[0].text
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(RuntimeError, match="does not exist"):
        slicer.util.loadVolume(str(tmp_path / "none.nrrd"))
    # As in an application without the extension that has the reader.
    with pytest.raises(RuntimeError, match="FiberBundleFile reader not registered"):
        slicer.util.loadFiberBundle(str(tmp_path / "none.vtk"))
    assert slicer.app.coreIOManager().fileType("a.unknown") == "NoFile"


@pytest.mark.parametrize("extension", [".nrrd", ".nii.gz", ".mha"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_volume_that_was_never_saved_is_exported(extension, kind, tmp_path, capfd):
    node = volume()
    path = tmp_path / f"image{extension}"
    slicer.util.exportNode(node, kind(path), {})
    assert node.GetStorageNode() is None
    assert "already been registered" not in capfd.readouterr().err
    again = slicer.util.loadVolume(str(path))
    assert np.array_equal(slicer.util.arrayFromVolume(again), slicer.util.arrayFromVolume(node))
