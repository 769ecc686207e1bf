"""The default nodes of the application's scene, which are restored when the scene is closed."""

from __future__ import annotations

import gc

import pytest
import slicer


@pytest.fixture(params=["without views", "with views"])
def app(request, slicer_app):
    """The application before and after its views are made."""
    if request.param == "with views":
        slicer_app.app.layoutManager()
    return slicer_app


def node_ids():
    """IDs of all nodes except colours, of which there are hundreds."""
    nodes = slicer.mrmlScene.GetNodes()
    return sorted(node.GetID() for node in nodes if not node.IsA("vtkMRMLColorNode"))


@pytest.mark.parametrize("close", [lambda: slicer.mrmlScene.Clear(), lambda: slicer.mrmlScene.Clear(1)], ids=["close", "clear all"])
def test_a_closed_scene_is_that_of_the_start(app, close, capfd):
    at_start, colors = node_ids(), slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLColorNode")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "F")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "M")
    capfd.readouterr()
    close()
    app.process_events()
    assert node_ids() == at_start
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLColorNode") == colors
    # Logics and displayable managers print an error to stderr when one of their nodes is missing.
    assert "ERR|" not in (output := capfd.readouterr().err)
    assert "WARN|" not in output


def test_a_fresh_application_has_no_views(slicer_app):
    at_start = node_ids()
    viewport = slicer.app.layoutManager().viewport()
    viewport.show()
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "M")
    slicer_app.fresh()
    assert node_ids() == at_start
    assert slicer.app.layoutManager().viewport() is not viewport
    assert slicer.app.layoutManager().sliceWidget("Red") is not None


def test_modes_and_units_are_those_of_the_start(app):
    logic = slicer.app.applicationLogic()
    selection, interaction = logic.GetSelectionNode(), logic.GetInteractionNode()
    interaction.SetPlaceModePersistence(1)
    selection.GetUnitNode("length").SetSuffix("inch")
    selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsFiducialNode")
    interaction.SetCurrentInteractionMode(interaction.Place)
    app.fresh()
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLInteractionNode") is logic.GetInteractionNode()
    assert logic.GetInteractionNode().GetCurrentInteractionMode() == interaction.ViewTransform
    assert not logic.GetInteractionNode().GetPlaceModePersistence()
    assert not logic.GetSelectionNode().GetActivePlaceNodeClassName()
    assert logic.GetSelectionNode().GetUnitNode("length").GetSuffix() == "mm"


def test_views_are_turned_as_at_the_start(slicer_app):
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    assert red.GetOrientation() == "Axial"
    red.SetOrientation("Sagittal")
    slicer_app.fresh()
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    assert red.GetOrientation() == "Axial"
    assert red.HasSliceOrientationPreset("Coronal")


def test_a_scene_is_undone(slicer_app):
    scene = slicer.mrmlScene
    scene.SetUndoOn()
    node = slicer.vtkMRMLModelNode()
    node.SetUndoEnabled(True)
    node.SetName("M")
    scene.SaveStateForUndo()
    scene.AddNode(node)
    scene.Undo()
    assert scene.GetFirstNodeByName("M") is None
    scene.Redo()
    assert scene.GetFirstNodeByName("M") is not None


def test_a_fresh_application_offers_no_data_sets_of_modules(slicer_app):
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(category="Mine", sampleName="one", uris=[], fileNames=[])
    slicer_app.fresh()
    assert SampleData.SampleDataLogic.sampleDataSourcesByCategory("Mine") == []


def test_what_remains_is_not_searched_for_garbage_in_each_test(slicer_app):
    """The time of a collection grows with the objects that it visits: libraries that tests import have some hundred thousand."""
    library = [[number] for number in range(1000)]
    slicer_app.fresh()
    assert not any(found is library for found in gc.get_objects())
