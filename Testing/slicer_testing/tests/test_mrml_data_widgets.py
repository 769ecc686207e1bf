"""Widgets for segments, markups, volumes, transforms and numbers with units show the scene and change it."""

from __future__ import annotations

import types

import pytest
import slicer
import vtk
from mrml_scene import make_scene
from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QAction, QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QPushButton, QWidget

from slicer_testing import registry
from slicer_testing.widgets.mrml_segments_table import NAME, OPACITY, VISIBILITY


@pytest.fixture(scope="module", autouse=True)
def application():
    """Qt's application."""
    return QApplication.instance() or QApplication([])


@pytest.fixture
def scene(monkeypatch):
    """A scene with application logic."""
    made, modules = make_scene()
    monkeypatch.setattr(slicer, "mrmlScene", made, raising=False)
    monkeypatch.setattr(slicer, "modules", modules, raising=False)
    return made


@pytest.fixture
def make(scene):
    """Make widgets that are deleted at the end."""
    made = []

    def make_widget(name):
        widget = registry.widget(name)()
        made.append(widget)
        if not registry.is_missing(type(widget), "setMRMLScene") and hasattr(widget, "setMRMLScene"):
            widget.setMRMLScene(scene)
        return widget

    yield make_widget
    for widget in made:
        widget.deleteLater()
    QApplication.sendPostedEvents(None, 52)  # DeferredDelete


def record(signal):
    calls = []
    signal.connect(lambda *values: calls.append(values[0] if len(values) == 1 else values))
    return calls


# -- segments


@pytest.fixture
def segmentation(scene):
    """Two segments, a and b."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().AddEmptySegment("a", "Liver", [1, 0, 0])
    node.GetSegmentation().AddEmptySegment("b", "Lung", [0, 0, 1])
    return node


def test_segment_selector_takes_the_first_segment_and_follows(segmentation, make):
    selector = make("qMRMLSegmentSelectorWidget")
    assert selector.currentNode() is segmentation
    assert selector.currentSegmentID() == "a"
    changed = record(selector.currentSegmentChanged)
    selector.setCurrentSegmentID("b")
    segmentation.GetSegmentation().AddEmptySegment("c", "Bone", [1, 1, 1])
    segmentation.GetSegmentation().GetSegment("b").SetName("Left lung")
    box = selector.findChild(QComboBox, "comboBox_Segment")
    assert [box.itemText(row) for row in range(box.count())] == ["Liver", "Left lung", "Bone"]
    assert box.currentText() == "Left lung"
    assert changed == ["b"]
    segmentation.GetSegmentation().RemoveSegment("b")
    assert selector.currentSegmentID() == "a"
    assert changed == ["b", "a"]
    segmentation.GetSegmentation().RemoveAllSegments()
    assert selector.currentSegmentID() == ""
    assert changed[-1] == ""


def test_segment_selector_with_none(segmentation, make):
    selector = make("qMRMLSegmentSelectorWidget")
    selector.setNoneEnabled(True)
    selector.setCurrentSegmentID("")
    assert selector.currentSegmentID() == ""
    selector.setCurrentNode(None)
    assert selector.currentNode() is None
    assert selector.segmentIDs() == []


def test_several_segments(segmentation, make):
    selector = make("qMRMLSegmentSelectorWidget")
    selector.setMultiSelection(True)
    changed = record(selector.segmentSelectionChanged)
    assert selector.selectedSegmentIDs() == []
    selector.setSelectedSegmentIDs(["b", "a"])
    assert selector.selectedSegmentIDs() == ["a", "b"]
    assert changed == [["a", "b"]]
    segmentation.GetSegmentation().RemoveSegment("a")
    assert selector.selectedSegmentIDs() == ["b"]
    assert changed[-1] == ["b"]


def test_a_removed_segmentation_is_let_go(scene, segmentation, make):
    selector, table = make("qMRMLSegmentSelectorWidget"), make("qMRMLSegmentsTableView")
    table.setSegmentationNode(segmentation)
    scene.RemoveNode(segmentation)
    assert selector.currentNode() is None
    assert selector.currentSegmentID() == ""
    assert table.segmentationNode() is None
    assert table.segmentCount() == 0


def test_segments_table_shows_and_edits(segmentation, make):
    table = make("qMRMLSegmentsTableView")
    table.setSegmentationNode(segmentation)
    model, display = table.tableWidget().model(), segmentation.GetDisplayNode()
    assert [model.index(row, NAME).data() for row in range(2)] == ["Liver", "Lung"]
    about = record(table.segmentAboutToBeModified)
    model.setData(model.index(0, NAME), "Kidney")
    assert segmentation.GetSegmentation().GetSegment("a").GetName() == "Kidney"
    assert about == ["a"]
    model.setData(model.index(1, OPACITY), "0.25")
    assert display.GetSegmentOpacity3D("b") == 0.25
    model.setData(model.index(1, OPACITY), "much")
    assert model.index(1, OPACITY).data() == "0.25"
    table.tableWidget().clicked.emit(model.index(1, VISIBILITY))
    assert not display.GetSegmentVisibility("b")
    assert display.GetSegmentVisibility("a")
    table.setHideSegments(["a"])
    assert table.displayedSegmentIDs() == ["b"]
    assert table.segmentCount() == 1
    table.setHideSegments([])
    table.setTextFilter("lun")
    assert table.segmentIDForRow(0) == "b"
    assert table.segmentCount() == 1


def test_segments_table_selection_stays(segmentation, make):
    table = make("qMRMLSegmentsTableView")
    table.setSegmentationNode(segmentation)
    changed = []
    table.selectionChanged.connect(lambda *_: changed.append(table.selectedSegmentIDs()))
    table.setSelectedSegmentIDs(["b"])
    segmentation.GetSegmentation().AddEmptySegment("c", "Bone", [1, 1, 1])
    assert table.selectedSegmentIDs() == ["b"]
    assert changed == [["b"]]
    table.moveSelectedSegmentsUp()
    assert table.displayedSegmentIDs() == ["b", "a", "c"]
    assert table.selectedSegmentIDs() == ["b"]
    table.showOnlySelectedSegments()
    assert [segmentation.GetDisplayNode().GetSegmentVisibility(each) for each in "abc"] == [False, True, False]


# -- markups


@pytest.fixture
def points(scene):
    """Two control points."""
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "F")
    node.CreateDefaultDisplayNodes()
    node.AddControlPoint(1, 2, 3, "first")
    node.AddControlPoint(4, 5, 6, "second")
    return node


def cells(widget):
    table = widget.tableWidget()
    return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount())]


def test_markups_table_follows_and_edits(points, make):
    widget = make("qSlicerSimpleMarkupsWidget")
    assert widget.tableWidget().rowCount() == 0
    widget.setCurrentNode(points)
    assert cells(widget) == [["first", "1.000", "2.000", "3.000"], ["second", "4.000", "5.000", "6.000"]]
    points.AddControlPoint(7, 8, 9, "third")
    points.RemoveNthControlPoint(0)
    assert [row[0] for row in cells(widget)] == ["second", "third"]
    points.SetNthControlPointPosition(0, -1, 0, 0)
    assert cells(widget)[0][1] == "-1.000"
    widget.tableWidget().item(1, 0).setText("renamed")
    widget.tableWidget().item(1, 3).setText("2.5")
    assert points.GetNthControlPointLabel(1) == "renamed"
    assert list(points.GetNthControlPointPosition(1)) == [7, 8, 2.5]


def test_place_mode_is_a_state_of_the_scene(scene, points, make):
    widget = make("qSlicerMarkupsPlaceWidget")
    interaction, selection = widget.interactionNode(), widget.selectionNode()
    assert not widget.placeButton().isEnabled()
    widget.setCurrentNode(points)
    told = record(widget.activeMarkupsPlaceModeChanged)
    widget.placeButton().click()
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    assert selection.GetActivePlaceNodeID() == points.GetID()
    assert widget.placeModeEnabled()
    assert widget.currentNodeActive()
    assert told == [True]
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    assert not widget.placeModeEnabled()
    assert not widget.placeButton().isChecked()
    assert told == [True, False]
    widget.setPlaceMultipleMarkups(widget.ForcePlaceMultipleMarkups)
    widget.setPlaceModeEnabled(True)
    assert interaction.GetPlaceModePersistence()
    widget.setCurrentNodeActive(False)
    assert not widget.currentNodeActive()
    assert told[-1] is False
    scene.RemoveNode(points)
    assert widget.currentNode() is None
    assert not widget.placeButton().isEnabled()


def test_another_active_node_ends_this_ones_place_mode(scene, points, make):
    widget, other = make("qSlicerMarkupsPlaceWidget"), make("qSlicerMarkupsPlaceWidget")
    second = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    widget.setCurrentNode(points)
    other.setCurrentNode(second)
    widget.setPlaceModeEnabled(True)
    other.setPlaceModeEnabled(True)
    assert other.placeModeEnabled()
    assert not widget.placeModeEnabled()
    assert not widget.placeButton().isChecked()


def test_delete_and_clear_points(points, make):
    widget = make("qSlicerMarkupsPlaceWidget")
    widget.setCurrentNode(points)
    widget.deleteButton().click()
    assert points.GetNumberOfControlPoints() == 1
    points.SetFixedNumberOfControlPoints(True)
    widget.deleteButton().click()
    assert points.GetNumberOfControlPoints() == 1
    assert points.GetNumberOfDefinedControlPoints() == 0
    points.SetFixedNumberOfControlPoints(False)
    widget.findChild(QAction, "ActionDeleteAll").trigger()
    assert points.GetNumberOfControlPoints() == 0
    assert not widget.deleteButton().isEnabled()


def test_choosing_markups_starts_placing_but_setting_them_does_not(points, make):
    widget = make("qSlicerSimpleMarkupsWidget")
    changed = record(widget.markupsNodeChanged)
    widget.setCurrentNode(points)
    assert not widget.markupsPlaceWidget().placeModeEnabled()
    assert len(changed) == 1
    widget.markupsSelectorComboBox().setCurrentNode(None)
    widget.markupsSelectorComboBox().setCurrentNode(points)
    assert widget.markupsPlaceWidget().placeModeEnabled()
    widget.setEnterPlaceModeOnNodeChange(False)
    widget.placeActive(False)
    widget.setDefaultNodeColor(QColor(255, 0, 255))
    made = widget.markupsSelectorComboBox().addNode()
    assert widget.currentNode() is made
    assert made.GetDisplayNode().GetSelectedColor() == (1.0, 0.0, 1.0)
    assert not widget.markupsPlaceWidget().placeModeEnabled()


def test_selected_row_is_told(points, make):
    widget = make("qSlicerSimpleMarkupsWidget")
    widget.setCurrentNode(points)
    told = record(widget.currentMarkupsControlPointSelectionChanged)
    widget.highlightNthControlPoint(1)
    assert told[-1] == 1
    assert widget.tableWidget().currentRow() == 1


# -- checkable nodes


def test_checked_nodes(scene, make):
    selector = make("qMRMLCheckableNodeComboBox")
    selector.setNodeTypes(["vtkMRMLModelNode"])
    first, second = (scene.AddNewNodeByClass("vtkMRMLModelNode", name) for name in "AB")
    changed = record(selector.checkedNodesChanged)
    selector.check(second)
    assert selector.checkedNodes() == [second]
    assert selector.uncheckedNodes() == [first]
    assert len(changed) == 1
    selector.check(first)
    assert selector.allChecked()
    assert not selector.noneChecked()
    scene.RemoveNode(second)
    assert selector.checkedNodes() == [first]


def test_check_by_click(scene, make):
    selector = make("qMRMLCheckableNodeComboBox")
    selector.setNodeTypes(["vtkMRMLModelNode"])
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", "A")
    view = selector.findChild(QComboBox).view()
    view.resize(200, 100)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(view.model().index(0, 0)).center() + QPoint(1, 0))
    assert selector.checkedNodes() == [node]


# -- volumes


@pytest.fixture
def volume(scene):
    """4 x 4 x 4 voxels from 0 to 63."""
    image = vtk.vtkImageData()
    image.SetDimensions(4, 4, 4)
    image.AllocateScalars(vtk.VTK_SHORT, 1)
    for index in range(64):
        image.GetPointData().GetScalars().SetTuple1(index, index)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "V")
    node.SetAndObserveImageData(image)
    node.CreateDefaultDisplayNodes()
    return node


def test_threshold_both_ways(volume, make):
    widget = make("qMRMLVolumeThresholdWidget")
    assert not widget.isEnabled()
    widget.setMRMLVolumeNode(volume)
    display = volume.GetDisplayNode()
    assert widget.autoThreshold() == widget.Off
    widget.setThreshold(10, 20)
    assert (display.GetLowerThreshold(), display.GetUpperThreshold(), display.GetApplyThreshold()) == (10, 20, 1)
    assert widget.autoThreshold() == widget.Manual
    display.SetUpperThreshold(30)
    assert widget.upperThreshold() == 30
    widget.setAutoThreshold(widget.Off)
    assert not display.GetApplyThreshold()


def test_window_level_both_ways(volume, make):
    widget = make("qMRMLWindowLevelWidget")
    widget.setMRMLVolumeNode(volume)
    display = volume.GetDisplayNode()
    assert widget.autoWindowLevel() == widget.Auto
    told = record(widget.windowLevelValuesChanged)
    widget.setWindowLevel(40, 30)
    assert (display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel()) == (40, 30, 0)
    assert widget.autoWindowLevel() == widget.Manual
    assert told == [(40, 30)]
    display.SetWindowLevel(20, 10)
    assert (widget.window(), widget.level(), widget.minimumValue()) == (20, 10, 0)


def test_volume_information(volume, make):
    widget = make("qMRMLVolumeInfoWidget")
    widget.setVolumeNode(volume)
    widget.findChild(QPushButton, "CenterVolumePushButton").click()
    assert volume.GetOrigin() == (-1.5, -1.5, -1.5)
    origin = widget.findChild(registry.widget("ctkCoordinatesWidget"), "ImageOriginWidget")
    assert origin.coordinates() == "-1.5,-1.5,-1.5"
    origin.setCoordinates([1.0, 2.0, 3.0])
    assert volume.GetOrigin() == (1, 2, 3)


# -- transforms


def test_transform_display_both_ways(scene, volume, make):
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    widget = make("qMRMLTransformDisplayNodeWidget")
    widget.setMRMLTransformNode(node)
    assert not widget.isEnabled()
    node.CreateDefaultDisplayNodes()
    widget.setMRMLTransformNode(node)
    display = node.GetDisplayNode()
    assert widget.isEnabled()
    widget.findChild(QPushButton, "GridToggle").click()
    assert display.GetVisualizationMode() == display.VIS_MODE_GRID
    assert widget.findChild(QWidget, "GridOptions").isVisibleTo(widget.findChild(QWidget, "GridOptions").parentWidget())
    display.SetVisualizationMode(display.VIS_MODE_CONTOUR)
    assert widget.findChild(QPushButton, "ContourToggle").isChecked()
    widget.findChild(QCheckBox, "Visible2dCheckBox").setChecked(True)
    assert display.GetVisibility2D()
    display.SetVisibility(0)
    assert not widget.findChild(QCheckBox, "VisibleCheckBox").isChecked()
    widget.findChild(registry.widget("qMRMLNodeComboBox"), "RegionNodeComboBox").setCurrentNode(volume)
    assert display.GetRegionNode() is volume
    widget.findChild(registry.widget("qMRMLSliderWidget"), "GridSpacingMm").setValue(7)
    assert display.GetGridSpacingMm() == 7
    widget.setContourLevelsMm("1 2.5")
    assert display.GetContourLevelsMmAsString() == "1 2.5"
    scene.RemoveNode(volume)
    assert display.GetRegionNode() is None


def test_colors_of_a_transform_are_copied(scene, make):
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    node.CreateDefaultDisplayNodes()
    widget = make("qMRMLTransformDisplayNodeWidget")
    widget.setMRMLTransformNode(node)
    widget._colors._set_node(1, 2.5, QColor(0, 0, 255))
    value = [0.0] * 6
    node.GetDisplayNode().GetColorMap().GetNodeValue(1, value)
    assert value[:4] == [2.5, 0.0, 0.0, 1.0]


def test_translation_and_rotation(scene, make):
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    moves, turns, matrix = make("qMRMLTransformSliders"), make("qMRMLTransformSliders"), make("qMRMLMatrixWidget")
    turns.setTypeOfTransform(turns.ROTATION)
    for widget in (moves, turns, matrix):
        assert not widget.isEnabled()
        widget.setMRMLTransformNode(node)
        assert widget.isEnabled()
    moves._sliders[1].setValue(12)
    assert matrix.value(1, 3) == 12
    turns._sliders[2].setValue(90)
    assert [round(matrix.value(row, 0), 9) for row in range(2)] == [0, 1]
    matrix.setValue(0, 3, 5.0)
    assert node.GetMatrixTransformToParent().GetElement(0, 3) == 5
    assert moves._sliders[0].value() == 5


# -- numbers with units


def test_numbers_take_the_unit_of_their_quantity(scene, make):
    slider, box, span, place = (make(name) for name in ("qMRMLSliderWidget", "qMRMLSpinBox", "qMRMLRangeWidget", "qMRMLCoordinatesWidget"))
    for widget in (slider, box, span, place):
        widget.setQuantity("length")
    assert (slider.suffix(), box.suffix(), span.suffix()) == ("mm", "mm", "mm")
    assert box.minimum() == -10000
    assert box.decimals() == 4
    unit = scene.GetNodeByID("vtkMRMLUnitNodeApplicationLength")
    unit.SetSuffix("um")
    unit.SetPrecision(1)
    assert (slider.suffix(), slider.decimals(), span.suffix(), place._boxes[0].suffix()) == ("um", 1, "um", "um")


def test_properties_that_follow_the_unit_can_be_chosen(make):
    slider = make("qMRMLSliderWidget")
    slider.setUnitAwareProperties("qMRMLSliderWidget::Prefix|qMRMLSliderWidget::Precision")
    assert slider.unitAwareProperties() == slider.Prefix | slider.Precision
    slider.setQuantity("length")
    assert slider.suffix() == ""
    assert slider.decimals() == 4


def test_a_scaled_unit_says_that_it_is_missing(make):
    slider = make("qMRMLSliderWidget")
    with pytest.raises(NotImplementedError, match="qMRMLSliderWidget"):
        slider.setQuantity("area")


def test_what_a_widget_leaves_out_says_so(make):
    with pytest.raises(NotImplementedError, match="qMRMLSegmentsTableView.jumpSlices"):
        make("qMRMLSegmentsTableView").jumpSlices()


# -- no observers stay


_NOTHING = types.SimpleNamespace(_tags={})


@pytest.mark.parametrize(
    "name",
    [
        "qMRMLSegmentSelectorWidget",
        "qMRMLSegmentsTableView",
        "qSlicerSimpleMarkupsWidget",
        "qSlicerMarkupsPlaceWidget",
        "qMRMLSliderWidget",
        "qMRMLTransformDisplayNodeWidget",
    ],
)
def test_deleted_widgets_leave_no_observers(scene, name):
    widget = registry.widget(name)()
    widget.setMRMLScene(scene)
    owners = [widget, *widget.findChildren(QObject)]
    held = [tag for owner in owners for tag in getattr(owner, "_observations", _NOTHING)._tags.values()]
    assert held
    assert all(subject.GetCommand(tag) is not None for subject, tag in held)
    widget.deleteLater()
    QApplication.sendPostedEvents(None, 52)  # DeferredDelete
    assert [subject.GetClassName() for subject, tag in held if subject.GetCommand(tag) is not None] == []
