"""slicer.parameterNodeWrapper: parameters connected to widgets, and widgets made for parameters."""

from __future__ import annotations

import enum
import pathlib
from typing import Annotated

import ctk
import pytest
import qt
import slicer
from slicer.parameterNodeWrapper import (
    Choice,
    Decimals,
    Default,
    FloatRange,
    Label,
    Minimum,
    RangeBounds,
    SingleStep,
    WithinRange,
    createGui,
    createGuiConnector,
    findChildWidgetForParameter,
    parameterNodeWrapper,
    parameterPack,
)

pytestmark = pytest.mark.usefixtures("slicer_app")


class Metric(enum.Enum):
    """An enum with texts of its own."""

    MEAN_SQUARES = 1
    MUTUAL_INFORMATION = 2

    def label(self) -> str:
        return self.name.replace("_", " ").lower()


@parameterPack
class Stage:
    """A pack whose parameters all have widgets."""

    iterations: Annotated[int, Minimum(1), Default(1), Label("Number of iterations")]
    metric: Metric


@parameterNodeWrapper
class Parameters:
    """Parameters that a panel may show."""

    count: Annotated[int, WithinRange(0, 10), SingleStep(2)] = 3
    weight: Annotated[float, Default(0.5), Decimals(3)]
    enabled: bool = True
    title: str
    metric: Metric = Metric.MUTUAL_INFORMATION
    fixed: slicer.vtkMRMLScalarVolumeNode
    first: Stage


def new_node():
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")


def test_both_ways_and_disconnected():
    parameters = Parameters(new_node())
    count, weight, enabled, title = qt.QSpinBox(), qt.QDoubleSpinBox(), qt.QCheckBox(), qt.QLineEdit()
    tag = parameters.connectParametersToGui({"count": count, "weight": weight, "enabled": enabled, "title": title})
    assert (count.value, count.minimum, count.maximum, count.singleStep) == (3, 0, 10, 2)
    assert (weight.value, weight.decimals, enabled.checked) == (0.5, 3, True)
    count.value = 5
    weight.value = 0.125
    enabled.checked = False
    title.text = "typed"
    assert (parameters.count, parameters.weight, parameters.enabled, parameters.title) == (5, 0.125, False, "typed")
    parameters.count = 6
    parameters.title = "set"
    assert (count.value, title.text) == (6, "set")
    parameters.disconnectGui(tag)
    parameters.count = 7
    title.text = "ignored"
    assert (count.value, parameters.title) == (6, "set")


def test_rounding_in_a_widget_does_not_change_the_value():
    parameters = Parameters(new_node())
    weight = qt.QDoubleSpinBox()
    parameters.connectParametersToGui({"weight": weight})
    parameters.weight = 0.123456
    assert weight.value == 0.123
    assert parameters.weight == 0.123456


def test_two_widgets_of_one_parameter():
    parameters = Parameters(new_node())
    spin, slider = qt.QSpinBox(), qt.QSlider()
    parameters.connectParametersToGui({"count": spin})
    parameters.connectParametersToGui({"count": slider})
    spin.value = 9
    assert (slider.value, parameters.count) == (9, 9)


def test_by_property_and_by_dotted_name():
    panel = qt.QWidget()
    layout = qt.QFormLayout(panel)
    widgets = {"metric": qt.QComboBox(), "first.iterations": qt.QSpinBox(), "title": qt.QLabel()}
    for name, widget in widgets.items():
        widget.setProperty("SlicerParameterName", name)
        layout.addRow(name, widget)
    parameters = Parameters(new_node())
    tag = parameters.connectGui(panel)
    combo = widgets["metric"]
    assert [combo.itemText(index) for index in range(combo.count)] == ["mean squares", "mutual information"]
    assert combo.currentIndex == 1
    combo.currentIndex = 0
    widgets["first.iterations"].value = 77
    parameters.title = "shown"
    assert parameters.metric is Metric.MEAN_SQUARES
    assert parameters.first.iterations == 77
    assert widgets["title"].text == "shown"
    assert findChildWidgetForParameter(panel, "first.iterations") is widgets["first.iterations"]
    assert findChildWidgetForParameter(panel, "count") is None
    parameters.disconnectGui(tag)
    combo.currentIndex = 1
    assert parameters.metric is Metric.MEAN_SQUARES


def test_unfit_widgets_are_refused():
    with pytest.raises(RuntimeError):
        createGuiConnector(qt.QLineEdit(), int)
    with pytest.raises(RuntimeError, match="limits"):
        createGuiConnector(qt.QSlider(), int)
    with pytest.raises(RuntimeError, match="Choice"):
        createGuiConnector(qt.QComboBox(), str)


def test_unknown_parameter_is_refused_before_anything_is_connected():
    parameters = Parameters(new_node())
    count = qt.QSpinBox()
    with pytest.raises(ValueError, match="nothing"):
        parameters.connectParametersToGui({"count": count, "nothing": qt.QSpinBox()})
    count.value = 8
    assert parameters.count == 3


def test_node_selector():
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "volume")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "model")
    parameters = Parameters(new_node())
    selector = slicer.qMRMLNodeComboBox()
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    parameters.connectParametersToGui({"fixed": selector})
    assert list(selector.nodeTypes) == ["vtkMRMLScalarVolumeNode"]
    assert selector.currentNode() is None
    selector.setCurrentNode(volume)
    assert parameters.fixed is volume
    parameters.fixed = None
    assert selector.currentNode() is None


def test_sliders_ranges_and_paths():
    @parameterNodeWrapper
    class Panel:
        weight: Annotated[float, WithinRange(-1, 1), Decimals(2), SingleStep(0.1)]
        window: Annotated[FloatRange, RangeBounds(-10, 10)]
        path: pathlib.Path
        style: Annotated[str, Choice(["rigid", "affine"]), Default("affine")]

    parameters = Panel(new_node())
    slider, window, path, style = ctk.ctkSliderWidget(), ctk.ctkRangeWidget(), ctk.ctkPathLineEdit(), ctk.ctkComboBox()
    parameters.connectParametersToGui({"weight": slider, "window": window, "path": path, "style": style})
    assert (slider.minimum, slider.maximum, slider.decimals, slider.singleStep) == (-1, 1, 2, 0.1)
    assert (window.minimum, window.maximum, style.currentText) == (-10, 10, "affine")
    slider.value = 0.25
    window.setValues(-5, 5)
    path.currentPath = "a/file.nrrd"
    style.currentIndex = 0
    assert parameters.weight == 0.25
    assert parameters.window == FloatRange(-5, 5)
    assert parameters.path == pathlib.Path("a/file.nrrd")
    assert parameters.style == "rigid"
    parameters.weight = -0.5
    parameters.window.minimum = 0
    parameters.style = "affine"
    assert (slider.value, window.minimumValue, window.maximumValue, style.currentIndex) == (-0.5, 0, 5, 1)


def test_pack_through_the_children_of_its_widget():
    @parameterNodeWrapper
    class Panel:
        first: Stage
        last: Stage

    panel = createGui(Panel)
    parameters = Panel(new_node())
    parameters.connectGui(panel)
    findChildWidgetForParameter(panel, "last.iterations").value = 9
    parameters.first.metric = Metric.MUTUAL_INFORMATION
    assert (parameters.first.iterations, parameters.last.iterations) == (1, 9)
    assert findChildWidgetForParameter(panel, "first.metric").currentText == "mutual information"
    assert findChildWidgetForParameter(panel, "last.metric").currentText == "mean squares"


def test_created_widgets():
    assert isinstance(createGui(Annotated[str, Choice(["a"])]), qt.QComboBox)
    assert isinstance(createGui(Metric), qt.QComboBox)
    assert isinstance(createGui(int), qt.QSpinBox)
    assert isinstance(createGui(float), qt.QDoubleSpinBox)
    assert isinstance(createGui(str), qt.QLineEdit)
    with pytest.raises(RuntimeError):
        createGui(complex)
