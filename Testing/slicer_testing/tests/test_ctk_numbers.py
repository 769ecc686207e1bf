"""CTK's widgets for numbers: values, signals and limits."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from widget_tools import record_all

from slicer_testing.registry import widget


def drag(slider, start, way):
    QTest.mousePress(slider, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    QTest.mouseMove(slider, start + way)
    QApplication.processEvents()


class TestSpinBox:
    def test_defaults(self):
        box = widget("ctkDoubleSpinBox")()
        assert (box.value(), box.minimum(), box.maximum(), box.decimals(), box.singleStep()) == (0.0, 0.0, 99.99, 2, 1.0)

    def test_keeps_the_exact_value(self):
        box = widget("ctkDoubleSpinBox")()
        log = record_all(box, "valueChanged")
        box.setValue(1.23456)
        box.setValue(1.23456)
        assert (box.value(), box.cleanText(), log) == (1.23456, "1.23", [("valueChanged", 1.23456)])

    def test_limits_push_each_other_and_the_value(self):
        box = widget("ctkDoubleSpinBox")()
        box.setValue(50)
        box.setMaximum(20)
        assert (box.value(), box.maximum()) == (20.0, 20.0)
        box.setMinimum(30)
        assert (box.minimum(), box.maximum(), box.value()) == (30.0, 30.0, 30.0)

    def test_decimals_by_value_and_by_shortcut(self):
        box = widget("ctkDoubleSpinBox")()
        kind = type(box)
        box.setDecimalsOption(kind.DecimalsByValue | kind.DecimalsByShortcuts)
        box.setValue(0.125)
        decimals = box.decimals()
        assert box.cleanText() == f"{0.125:.{decimals}f}"
        assert decimals >= 3
        QTest.keyClick(box._spin_box, Qt.Key.Key_Plus, Qt.KeyboardModifier.ControlModifier)
        assert box.decimals() == decimals + 1

    def test_typing_more_decimals(self):
        box = widget("ctkDoubleSpinBox")()
        box.setDecimalsOption(box.DecimalsByKey | box.InsertDecimals)
        box._spin_box.lineEdit().selectAll()
        QTest.keyClicks(box._spin_box.lineEdit(), "1.2345")
        QApplication.processEvents()
        assert box.value() == pytest.approx(1.2345)

    def test_prefix_suffix_read_only(self):
        box = widget("ctkDoubleSpinBox")()
        box.setPrefix("z = ")
        box.setSuffix(" mm")
        box.setValue(2.5)
        assert box._spin_box.text() == "z = 2.50 mm"
        assert box.cleanText() == "2.50"
        box.setReadOnly(True)
        assert box.isReadOnly()


class TestSlider:
    def test_defaults(self):
        slider = widget("ctkSliderWidget")()
        assert (slider.minimum(), slider.maximum(), slider.value(), slider.singleStep(), slider.decimals()) == (0, 99.99, 0, 1, 2)
        assert slider.tracking()
        assert slider.isSpinBoxVisible()

    def test_value_is_exact_and_emitted_once(self):
        slider = widget("ctkSliderWidget")()
        log = record_all(slider, "valueChanged", "valueIsChanging")
        slider.setValue(3.14159)
        slider.setValue(3.14159)
        assert (slider.value(), log) == (3.14159, [("valueChanged", 3.14159)])

    def test_limits(self):
        slider = widget("ctkSliderWidget")()
        slider.setValue(500)
        assert slider.value() == 99.99
        log = record_all(slider, "valueChanged")
        slider.setMaximum(10)
        slider.setMinimum(20)
        assert (slider.minimum(), slider.maximum(), slider.value()) == (20.0, 20.0, 20.0)
        assert log == [("valueChanged", 10.0), ("valueChanged", 20.0)]

    def test_invalid_step_is_refused(self):
        slider = widget("ctkSliderWidget")()
        slider.setSingleStep(1000)
        assert slider.singleStep() == 1.0
        slider.setSingleStep(0.25)
        assert slider.singleStep() == 0.25

    def test_without_tracking_the_value_waits_for_the_release(self):
        slider = widget("ctkSliderWidget")()
        slider.setTracking(False)
        log = record_all(slider, "valueChanged", "valueIsChanging")
        inner = slider._slider._slider
        inner.setSliderDown(True)
        inner.setSliderPosition(7)
        assert (slider.value(), log) == (0.0, [("valueIsChanging", 7.0)])
        inner.setSliderDown(False)
        assert (slider.value(), log[-1]) == (7.0, ("valueChanged", 7.0))

    def test_siblings_share_decimals_unless_excluded(self):
        parent = QWidget()
        one, two, three = (widget("ctkSliderWidget")(parent) for _ in range(3))
        three.setSynchronizeSiblings(three.NoSynchronize)
        one.setDecimals(4)
        assert (two.decimals(), three.decimals()) == (4, 2)

    def test_popup_slider(self):
        slider = widget("ctkSliderWidget")()
        slider.setPopupSlider(True)
        assert slider.popupSlider()
        assert slider._slider.window() is slider._popup
        slider.setPopupSlider(False)
        assert not slider.popupSlider()
        assert slider._slider.parent() is slider

    def test_double_slider_keeps_the_rest(self):
        slider = widget("ctkDoubleSlider")(Qt.Orientation.Horizontal)
        slider.setValue(10.3)
        slider._slider.setValue(slider._slider.value() + 1)
        assert slider.value() == pytest.approx(11.3)


class TestRange:
    def test_defaults(self):
        range_widget = widget("ctkRangeWidget")()
        assert (range_widget.minimum(), range_widget.maximum()) == (0.0, 99.0)
        assert (range_widget.minimumValue(), range_widget.maximumValue()) == (0.0, 99.0)

    def test_order_of_signals(self):
        range_widget = widget("ctkRangeWidget")()
        log = record_all(range_widget, "valuesChanged", "minimumValueChanged", "maximumValueChanged", "rangeChanged")
        range_widget.setRange(-100, 300)
        range_widget.setValues(200, 100)
        names = [entry[0] for entry in log]
        assert names == ["rangeChanged", "valuesChanged", "minimumValueChanged", "maximumValueChanged"]
        assert log[1] == ("valuesChanged", 100.0, 200.0)

    def test_a_value_stops_at_the_other(self):
        range_widget = widget("ctkRangeWidget")()
        range_widget.setValues(20, 40)
        range_widget.setMinimumValue(60)
        assert (range_widget.minimumValue(), range_widget.maximumValue()) == (40.0, 40.0)

    def test_disjoint_values_one_after_the_other(self):
        range_widget = widget("ctkRangeWidget")()
        for low, high in ((1.5, 2.5), (80.25, 90.75), (3.0, 4.0)):
            range_widget.setValues(low, high)
            shown = (range_widget._low.value(), range_widget._high.value())
            assert (range_widget.minimumValue(), range_widget.maximumValue()) == pytest.approx((low, high))
            assert shown == pytest.approx((low, high))

    def test_limits_move_values(self):
        range_widget = widget("ctkRangeWidget")()
        range_widget.setValues(20, 40)
        range_widget.setMaximum(30)
        assert (range_widget.minimumValue(), range_widget.maximumValue(), range_widget._high.value()) == (20.0, 30.0, 30.0)
        range_widget.reset()
        assert (range_widget.minimumValue(), range_widget.maximumValue()) == (0.0, 30.0)

    def test_handles_are_dragged(self):
        slider = widget("ctkRangeSlider")(Qt.Orientation.Horizontal)
        slider.resize(300, 24)
        slider.setValues(20, 70)
        slider.show()
        QApplication.processEvents()
        at = slider._rect(slider._option(2), slider.style().SubControl.SC_SliderHandle).center()
        drag(slider, at, QPoint(40, 0))
        QTest.mouseRelease(slider, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at + QPoint(40, 0))
        assert slider.minimumValue() == 20
        assert 80 <= slider.maximumValue() <= 90

    def test_both_handles_from_between(self):
        slider = widget("ctkRangeSlider")(Qt.Orientation.Horizontal)
        slider.resize(300, 24)
        slider.setValues(20, 40)
        slider.show()
        QApplication.processEvents()
        middle = QPoint(slider._pixel_of(30) + 5, 12)
        drag(slider, middle, QPoint(90, 0))
        low, high = slider.minimumValue(), slider.maximumValue()
        assert high - low == 20
        assert low > 40


class TestCoordinatesAndMatrix:
    def test_coordinates(self):
        coordinates = widget("ctkCoordinatesWidget")()
        log = record_all(coordinates, "coordinatesChanged")
        coordinates.setCoordinates(1, 2.5, -3)
        assert coordinates.coordinates() == "1,2.5,-3"
        assert log == [("coordinatesChanged", [1.0, 2.5, -3.0])]
        coordinates.setCoordinates("4, 5, 6")
        assert coordinates.getCoordinate(2) == 6.0
        coordinates.setCoordinates("7,8")
        assert coordinates.coordinates() == "4,5,6"
        coordinates.setDimension(2)
        assert coordinates.coordinates() == "4,5"

    def test_an_edit_is_reported(self):
        coordinates = widget("ctkCoordinatesWidget")()
        log = record_all(coordinates, "coordinatesChanged")
        coordinates._boxes[1].setValue(5)
        assert log == [("coordinatesChanged", [0.0, 5.0, 0.0])]

    def test_normalized(self):
        coordinates = widget("ctkCoordinatesWidget")()
        coordinates.setCoordinates(3, 0, 4)
        coordinates.setNormalized(True)
        assert coordinates.coordinates() == "0.6,0,0.8"
        coordinates._boxes[0].setValue(0.5)
        assert sum(coordinates.getCoordinate(index) ** 2 for index in range(3)) == pytest.approx(1.0)

    def test_matrix(self):
        matrix = widget("ctkMatrixWidget")()
        assert matrix.values() == [float(row == column) for row in range(4) for column in range(4)]
        log = record_all(matrix, "matrixChanged")
        matrix.setValue(0, 3, 500)
        assert matrix.value(0, 3) == 100.0
        assert len(log) == 1
        matrix.setValues([2.0] * 16)
        assert len(log) == 2
        matrix.setValues([2.0] * 16)
        assert len(log) == 2
        matrix.identity()
        assert matrix.value(1, 1) == 1.0
        with pytest.raises(ValueError, match="16"):
            matrix.setValues([1.0])
