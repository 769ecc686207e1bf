"""What results leave in the views and in the application: grids, charts, hidden lists, undo, categories and logics."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from inspector_bench import displacement, grid_node, inner, markups, scene_fixture, settle, widget_fixture  # noqa: F401 - fixtures
from panels import applied, drawn, opened


def isShown(node) -> bool:
    display = drawn(node) if node.IsA("vtkMRMLTransformNode") else node.GetDisplayNode()
    return display is not None and bool(display.GetVisibility())


def test_a_new_result_hides_grids_lines_and_bars_of_the_others_and_its_grid_has_all_colours(warm_app, hands, dense_widget):
    import slicer

    from deepreg_slicer.beyond import shownNode
    from deepreg_slicer.length_colors import barOf, longestOf
    from deepreg_slicer.result_view import showGrid
    from deepreg_slicer.volumes import newNode

    size = (4, 4, 4)
    earlier = grid_node("earlier", np.full((64, 3), 5.0), size, np.diag([10.0, 10.0, 10.0, 1.0]))
    earlier.SetAttribute("DeepReg.Output", "transform")
    showGrid(earlier, None, True)
    barOf(drawn(earlier), create=True).SetVisibility(True)
    lines = newNode("vtkMRMLModelNode", "lines")
    lines.SetAttribute("DeepReg.Output", "correspondences")
    lines.CreateDefaultDisplayNodes()
    own = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "bone")
    own.CreateDefaultDisplayNodes()
    assert isShown(earlier)
    assert "folding" in applied(warm_app, hands, dense_widget)
    result = dense_widget.panel.node.resultTransform
    assert (isShown(earlier), isShown(lines), isShown(own), isShown(result)) == (False, False, True, True)
    assert not barOf(drawn(earlier)).GetVisibility()
    ramp = drawn(result).GetColorMap()
    assert ramp.GetRange()[1] == pytest.approx(longestOf(shownNode(result)), rel=1e-3)


def test_undo_hides_the_grid_before_it_changes_anything(warm_app, hands, dense_widget):
    """A slice view that draws a transform while undo copies it ends the application."""
    import slicer

    slicer.mrmlScene.SetUndoOn()
    assert "folding" in applied(warm_app, hands, dense_widget)
    result = dense_widget.panel.node.resultTransform
    assert isShown(result)
    points = markups("points", np.zeros((1, 3)))
    points.SetUndoEnabled(True)
    slicer.mrmlScene.SaveStateForUndo()
    points.SetNthControlPointPosition(0, 1.0, 2.0, 3.0)
    slicer.mrmlScene.Undo()
    warm_app.process_events()
    assert points.GetNthControlPointPosition(0)[0] == 0.0
    assert not isShown(dense_widget.panel.node.resultTransform)
    assert not dense_widget.ui.gridCheckBox.checked


def test_picking_shows_hidden_lists_and_new_lists_have_their_display_from_the_start(app, hands, widget):
    import slicer
    import vtk

    fixed = inner(3)
    lists = markups("f", fixed), markups("m", fixed + displacement(fixed))
    for points in lists:
        points.CreateDefaultDisplayNodes()
        points.GetDisplayNode().SetVisibility(False)
    widget.panel.node.fixedPoints, widget.panel.node.movingPoints = lists
    settle(app, widget)
    hands.click(widget.ui.pickButton)
    assert [isShown(points) for points in lists] == [True, True]
    hands.click(widget.ui.pickButton)
    widget.panel.node.fixedPoints = widget.panel.node.movingPoints = None
    settle(app, widget)
    displays = []

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def added(_scene, _event, node) -> None:
        if node.IsA("vtkMRMLMarkupsNode"):
            displays.append(node.GetDisplayNode())

    tag = slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, added)
    hands.click(widget.ui.pickButton)
    slicer.mrmlScene.RemoveObserver(tag)
    assert len(displays) == 2
    assert None not in displays


def test_a_chart_shows_no_column_that_its_table_has_lost(slicer_app):
    """VTK logs an error for each such line each time that the chart is drawn."""
    import slicer

    slicer_app.load_module("DeepRegDescent")
    from DeepRegDescentLib import energy

    from deepreg_slicer.volumes import newNode

    def entries(spacing: float) -> list[dict[str, float]]:
        return [{"iteration": number, "spacing_mm": spacing, "energy": 0.5} for number in range(3)]

    table, chart = newNode("vtkMRMLTableNode", "energy"), newNode("vtkMRMLPlotChartNode", "chart")
    missing = []

    def look(*_arguments) -> None:
        series = [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]
        missing.extend(one.GetYColumnName() for one in series if one is not None and table.GetColumnIndex(one.GetYColumnName()) < 0)

    table.AddObserver("ModifiedEvent", look)
    chart.AddObserver("ModifiedEvent", look)
    for spacing in (6.0, 3.0):
        energy.fillTable(table, entries(spacing))
        energy.fillChart(chart, table, "chart", newNode)
        assert chart.GetNthPlotSeriesNode(0).GetYColumnName() == energy.columnName(spacing)
    assert missing == []
    assert len(slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode")) == 1


def test_tables_of_colours_are_full_when_they_are_added(slicer_app):
    import slicer
    import vtk

    slicer_app.load_module("DeepRegPoints")
    slicer_app.load_module("DeepRegInspector")
    from DeepRegInspectorLib.colors import jacobianColors
    from DeepRegPointsLib.clouds import confidenceColors

    counts = []

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def added(_scene, _event, node) -> None:
        counts.append(node.GetNumberOfColors())

    tag = slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, added)
    made = jacobianColors(), confidenceColors()
    slicer.mrmlScene.RemoveObserver(tag)
    assert counts == [node.GetNumberOfColors() for node in made]
    assert (jacobianColors(), confidenceColors()) == made


def test_the_setup_module_has_a_logic_and_all_modules_a_category_of_the_application(slicer_app, warm_worker):
    import slicer
    from slicer.i18n import translate

    opened(slicer_app, "DeepReg")
    slicer_app.wait_for(lambda: not warm_worker.busy, 20, "the worker")
    assert hasattr(slicer.util.getModuleLogic("DeepReg"), "selfTest")
    assert slicer.modules.deepreg.categories[0].split(".")[0] == translate("qSlicerAbstractCoreModule", "Registration")


def test_the_category_has_the_application_s_translation(monkeypatch):
    from deepreg_slicer import module

    class Module:
        moduleName, parent = "DeepRegDense", type("Parent", (), {})()

    monkeypatch.setattr(module, "translate", lambda _context, text: {"Registration": "Registrierung"}.get(text, text))
    module.describe(Module, "Dense")
    assert Module.parent.categories == ["Registrierung.DeepReg"]


def test_reload_reads_the_module_s_own_library_again(warm_app, pair):
    import slicer

    opened(warm_app)
    before = sys.modules["DeepRegDenseLib.panel"], sys.modules["deepreg_slicer.method_panel"]
    slicer.modules.deepregdense.widgetRepresentation().self().onReload()
    slicer.modules.deepregdense.widgetRepresentation().self().enter()
    assert sys.modules["DeepRegDenseLib.panel"] is not before[0]
    assert sys.modules["deepreg_slicer.method_panel"] is before[1]


def test_sample_data_without_pytorch_is_a_message(slicer_app, warm_worker, monkeypatch):
    from deepreg_slicer.errors import JobError

    slicer_app.load_module("DeepReg")
    import SampleData
    from DeepRegLib import samples

    def fails(*_arguments):
        raise RuntimeError(JobError("package", "torch is not installed", "install it in the module DeepReg Setup").text)

    monkeypatch.setattr(samples, "makePhantom", fails)
    samples.register()
    source = SampleData.SampleDataLogic().sourceForSampleName("Abdomen CT phantom")
    with slicer_app.messages_shown():
        assert source.customDownloader(source) == []  # what a click calls
    assert "DeepReg Setup" in slicer_app.dialogs.shown[-1].text
