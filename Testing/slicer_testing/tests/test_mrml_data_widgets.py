"""Widgets for checked nodes, volumes, transforms and numbers with units show the scene and change it."""

from __future__ import annotations

import types

import pytest
import vtk
from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QPushButton, QWidget
from widget_tools import record

from slicer_testing import registry

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
    reported = record(widget.windowLevelValuesChanged)
    widget.setWindowLevel(40, 30)
    assert (display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel()) == (40, 30, 0)
    assert widget.autoWindowLevel() == widget.Manual
    assert reported == [(40, 30)]
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


def test_a_scaled_unit_is_not_implemented(make):
    slider = make("qMRMLSliderWidget")
    with pytest.raises(NotImplementedError, match="qMRMLSliderWidget"):
        slider.setQuantity("area")


def test_a_missing_member_is_not_implemented(make):
    with pytest.raises(NotImplementedError, match="qMRMLSegmentsTableView.jumpSlices"):
        make("qMRMLSegmentsTableView").jumpSlices()


# -- no observers remain


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
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert [subject.GetClassName() for subject, tag in held if subject.GetCommand(tag) is not None] == []
