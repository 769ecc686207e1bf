"""Layouts and their views; tables, plots and screenshots; loading and closing of scenes."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
import slicer
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from view_scene import Host, add_sphere, add_volume
from view_tools import pixels, place_mode, ramps, red, show, wait_until
from vtkmodules.vtkCommonCore import vtkDoubleArray

from slicer_testing.pythonqt.attributes import exempt
from slicer_testing.views.layout import Layouts, qSlicerLayoutManager
from slicer_testing.views.screenshots import save_screenshot, screenshot
from slicer_testing.views.slice_widget import qMRMLSliceWidget

exempt(__name__)


# Layouts


def visible(manager: qSlicerLayoutManager) -> set[str]:
    widgets = [manager.sliceWidget(name) for name in manager.sliceViewNames()]
    widgets += [manager.threeDWidget(index) for index in range(manager.threeDViewCount())]
    widgets += [manager.tableWidget(index) for index in range(manager.tableViewCount())]
    widgets += [manager.plotWidget(index) for index in range(manager.plotViewCount())]
    return {widget.mrmlAbstractViewNode().GetLayoutName() for widget in widgets if widget.isVisible()}


SLICES = {"Red", "Yellow", "Green"}


@pytest.mark.parametrize(
    ("layout", "views"),
    [
        ("FourUpView", SLICES | {"1"}),
        ("ConventionalView", SLICES | {"1"}),
        ("OneUpRedSliceView", {"Red"}),
        ("OneUpYellowSliceView", {"Yellow"}),
        ("OneUpGreenSliceView", {"Green"}),
        ("OneUp3DView", {"1"}),
        ("SideBySideView", {"Red", "Yellow"}),
        ("FourUpTableView", SLICES | {"1", "TableView1"}),
        ("FourUpPlotView", SLICES | {"PlotView1"}),
        ("OneUpPlotView", {"PlotView1"}),
        ("Dual3DView", SLICES | {"1", "2"}),
    ],
)
def test_visible_views_of_a_layout(manager: qSlicerLayoutManager, layout: str, views: set[str]) -> None:
    changes = []
    manager.setLayout(Layouts.SlicerLayoutOneUpRedSliceView if layout != "OneUpRedSliceView" else Layouts.SlicerLayoutOneUp3DView)
    manager.layoutChanged.connect(changes.append)
    number = getattr(Layouts, f"SlicerLayout{layout}")
    manager.setLayout(number)
    manager.layoutChanged.disconnect(changes.append)
    QApplication.processEvents()
    assert manager.layout() == number
    assert number in changes
    seen = visible(manager)
    # Four views, a plot and a table share the window by the description; only these may be visible.
    assert views - {"1"} <= seen if layout == "FourUpTableView" else seen == views


def test_layout_follows_the_node_of_the_scene(manager: qSlicerLayoutManager, host: Host) -> None:
    host.scene.GetFirstNodeByClass("vtkMRMLLayoutNode").SetViewArrangement(Layouts.SlicerLayoutOneUp3DView)
    assert visible(manager) == {"1"}


def test_button_maximises_a_view_and_brings_all_back(manager: qSlicerLayoutManager) -> None:
    red(manager).controllerWidget().maximizeView()
    assert visible(manager) == {"Red"}
    red(manager).controllerWidget().maximizeView()
    assert visible(manager) == SLICES | {"1"}


def test_double_click_maximises_a_view(manager: qSlicerLayoutManager, host: Host) -> None:
    show(manager, add_volume(host.scene, "Ramps", ramps()))
    view = red(manager).sliceView()
    QTest.mouseMove(view, view.rect().center())
    # Qt reports a double click as press, release, double click, release.
    QTest.mouseClick(view, Qt.LeftButton, Qt.NoModifier, view.rect().center())
    QTest.mouseDClick(view, Qt.LeftButton, Qt.NoModifier, view.rect().center())
    QApplication.processEvents()
    assert visible(manager) == {"Red"}


def test_custom_layout_is_built(manager: qSlicerLayoutManager, host: Host) -> None:
    node = host.scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    description = (
        '<layout type="horizontal" split="true"><item splitSize="300"><view class="vtkMRMLSliceNode" singletontag="Mine">'
        '<property name="orientation" action="default">Coronal</property></view></item>'
        '<item splitSize="100"><view class="vtkMRMLViewNode" singletontag="1"/></item></layout>'
    )
    node.AddLayoutDescription(901, description)
    manager.setLayout(901)
    QApplication.processEvents()
    assert visible(manager) == {"Mine", "1"}
    assert manager.sliceWidget("Mine").sliceOrientation() == "Coronal"
    assert manager.sliceWidget("Mine").width() > manager.threeDWidget(0).width()


# Tables and plots


def test_table_view_shows_and_edits_a_table(manager: qSlicerLayoutManager, host: Host) -> None:
    manager.setLayout(Layouts.SlicerLayoutFourUpTableView)
    table = host.scene.AddNewNodeByClass("vtkMRMLTableNode", "Errors")
    column = table.AddColumn()
    column.SetName("TRE")
    for text in ("1.5", "2.5"):
        table.SetCellText(table.AddEmptyRow(), 0, text)
    widget = manager.tableWidget(0)
    widget.mrmlTableViewNode().SetTableNodeID(table.GetID())
    model = widget.tableView().model()
    assert [model.index(row, 0).data() for row in range(model.rowCount())] == ["1.5", "2.5"]
    assert model.setData(model.index(1, 0), "7")
    assert table.GetCellText(1, 0) == "7"
    host.scene.RemoveNode(table)
    assert model.rowCount() == 0


def test_plot_view_draws_the_series_in_its_colour(manager: qSlicerLayoutManager, host: Host) -> None:
    manager.setLayout(Layouts.SlicerLayoutOneUpPlotView)
    table = host.scene.AddNewNodeByClass("vtkMRMLTableNode", "Loss")
    for name, values in (("Step", range(10)), ("Loss", [1 / (1 + step) for step in range(10)])):
        column = vtkDoubleArray()
        column.SetName(name)
        for value in values:
            column.InsertNextValue(value)
        table.AddColumn(column)
    series = host.scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "Training")
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("Step")
    series.SetYColumnName("Loss")
    series.SetPlotType(series.PlotTypeScatter)
    series.SetColor(0, 0, 1)
    series.SetLineWidth(4)
    chart = host.scene.AddNewNodeByClass("vtkMRMLPlotChartNode", "Chart")
    chart.SetTitle("Training loss")
    chart.AddAndObservePlotSeriesNodeID(series.GetID())
    widget = manager.plotWidget(0)
    widget.mrmlPlotViewNode().SetPlotChartNodeID(chart.GetID())
    QApplication.processEvents()
    view = widget.plotView()
    assert view.chart().GetNumberOfPlots() == 1
    assert view.title() == "Training loss"
    picture = pixels(view)
    assert ((picture[..., 2] > 180) & (picture[..., 0] < 80)).sum() > 100
    series.SetColor(1, 0, 0)
    picture = pixels(view)
    assert ((picture[..., 0] > 180) & (picture[..., 2] < 80)).sum() > 100
    host.scene.RemoveNode(chart)
    assert view.chart().GetNumberOfPlots() == 0


# The scene, and rendering


def test_views_wait_while_the_scene_changes_as_a_whole(manager: qSlicerLayoutManager, host: Host) -> None:
    view = red(manager).sliceView()
    host.scene.StartState(host.scene.BatchProcessState)
    assert not view.renderEnabled()
    host.scene.EndState(host.scene.BatchProcessState)
    assert view.renderEnabled()


def test_paused_views_render_once_resumed(manager: qSlicerLayoutManager, host: Host) -> None:
    volume = add_volume(host.scene, "Ramps", ramps())
    show(manager, volume)
    view = red(manager).sliceView()
    wait_until(lambda: not view._stale)
    count = []
    tag = view.renderWindow().AddObserver("EndEvent", lambda *_: count.append(1))
    host.logic.PauseRender()
    red(manager).sliceLogic().SetSliceOffset(9)
    QTest.qWait(60)
    assert not count
    host.logic.ResumeRender()
    assert wait_until(lambda: bool(count))
    view.renderWindow().RemoveObserver(tag)


def test_cleared_scene_keeps_the_views_and_frees_the_volumes(manager: qSlicerLayoutManager, host: Host) -> None:
    volume, other = (add_volume(host.scene, name, ramps()) for name in "AB")
    show(manager, volume, other)
    place_mode(host)
    add_sphere(host.scene)
    screenshot(manager.viewport())
    widgets = red(manager), manager.threeDWidget(0)
    gone = []
    for node in (volume, other):
        node.AddObserver("DeleteEvent", lambda *_: gone.append(1))
    images = [weakref.ref(node) for node in (volume, other)]
    del volume, other, node
    host.scene.Clear(0)
    assert (red(manager), manager.threeDWidget(0)) == widgets
    screenshot(manager.viewport())
    gc.collect()
    assert len(gone) == 2
    assert not any(image() for image in images)
    picture = pixels(red(manager).sliceView())
    assert picture.max() == 0


def test_scene_without_singletons_gets_its_views_back(manager: qSlicerLayoutManager, host: Host) -> None:
    host.scene.Clear(1)
    QApplication.processEvents()
    assert visible(manager) == SLICES | {"1"}
    volume = add_volume(host.scene, "Ramps", ramps())
    show(manager, volume)
    assert pixels(red(manager).sliceView()).max() > 100


def test_screenshots_of_view_panel_and_window(manager: qSlicerLayoutManager, host: Host, tmp_path: Path) -> None:
    volume = add_volume(host.scene, "Ramps", ramps())
    show(manager, volume)
    view = red(manager).sliceView()
    assert screenshot(view).size() == view.size()
    path = save_screenshot(manager.viewport(), tmp_path / "new" / "window.png")
    whole = QImage(str(path))
    assert whole.size() == manager.viewport().size()
    # The picture of the window contains that of the view.
    place = view.mapTo(manager.viewport(), view.rect().center())
    assert whole.pixelColor(place) == screenshot(view).pixelColor(view.rect().center())
    with pytest.raises(OSError, match="could not write"):
        save_screenshot(view, tmp_path / "picture.unknown")


def test_view_of_its_own_is_freed(host: Host, manager: qSlicerLayoutManager) -> None:
    # A view that belongs to a node of a module is not in the layout.
    node = slicer.vtkMRMLSliceNode()
    node.SetLayoutName("Own")
    node.SetAndObserveParentLayoutNodeID(host.scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode").GetID())
    host.scene.AddNode(node)
    assert "Own" not in manager.sliceViewNames()
    widget = qMRMLSliceWidget()
    widget.setMRMLScene(host.scene)
    widget.setMRMLSliceNode(node)
    widget.resize(200, 200)
    screenshot(widget)
    reference = weakref.ref(widget)
    widget.setMRMLSliceNode(None)
    widget.setMRMLScene(None)
    widget.deleteLater()
    del widget
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()
    assert reference() is None
