"""Window and level of a volume's display."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_double_range_slider import ctkDoubleRangeSlider
from slicer_testing.widgets.ctk_double_spin_box import ctkDoubleSpinBox
from slicer_testing.widgets.mrml_volume_widget import qMRMLVolumeWidget


@slicer_widget
class qMRMLWindowLevelWidget(qMRMLVolumeWidget):
    """Automatic or manual window, as width and centre or as minimum and maximum; a change of a value makes it manual."""

    Auto, Manual, ManualMinMax = range(3)

    autoWindowLevelValueChanged = Signal(int)
    windowLevelValuesChanged = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mode = QComboBox(self)
        self._mode.setObjectName("AutoManualComboBox")
        self._mode.addItems(["Auto W/L", "Manual W/L", "Manual Min/Max"])
        self._slider = ctkDoubleRangeSlider(Qt.Orientation.Horizontal, self)
        self._slider.setObjectName("WindowLevelRangeSlider")
        self._boxes = {}
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Window/Level:", self), 0, 0)
        layout.addWidget(self._mode, 0, 1)
        for column, (name, prefix, setter) in enumerate(
            (
                ("Window", "W: ", self.setWindow),
                ("Level", "L: ", self.setLevel),
                ("Min", "Min: ", self.setMinimumValue),
                ("Max", "Max: ", self.setMaximumValue),
            )
        ):
            box = ctkDoubleSpinBox(self)
            box.setObjectName(f"{name}SpinBox")
            box.setPrefix(prefix)
            box.valueChanged.connect(lambda value, setter=setter: None if self._updating else setter(value))
            self._boxes[name] = box
            layout.addWidget(box, 0, 2 + column)
        layout.addWidget(self._slider, 1, 0, 1, 6)
        self._slider.valuesChanged.connect(lambda low, high: None if self._updating else self.setMinMaxRangeValue(low, high))
        self._mode.currentIndexChanged.connect(lambda mode: None if self._updating else self.setAutoWindowLevel(mode))
        self._show_boxes()

    def _show_boxes(self) -> None:
        ends = self._mode.currentIndex() == self.ManualMinMax
        for name, box in self._boxes.items():
            box.setVisible((name in ("Min", "Max")) == ends)
        self._slider.setSymmetricMoves(not ends)

    def _set_decimals_and_step(self, decimals: int, step: float) -> None:
        for box in self._boxes.values():
            box.setDecimals(decimals)
            box.setSingleStep(step)
        self._slider.setSingleStep(step)

    def _set_range(self, low: float, high: float) -> None:
        self._slider.setRange(low, high)
        for name, box in self._boxes.items():
            box.setMinimum(0.0 if name == "Window" else low)
            box.setMaximum(high - low if name == "Window" else high)

    def _update_from_display(self) -> None:
        display = self._display
        low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
        # Both limits are given, so the move is not symmetric.
        self._slider.setSymmetricMoves(False)
        self._slider.setValues(low, high)
        for name, value in (("Window", display.GetWindow()), ("Level", display.GetLevel()), ("Min", low), ("Max", high)):
            self._boxes[name].setValue(value)
        if display.GetAutoWindowLevel():
            self._mode.setCurrentIndex(self.Auto)
        elif self._mode.currentIndex() == self.Auto:
            self._mode.setCurrentIndex(self.Manual)
        self._show_boxes()

    def autoWindowLevel(self) -> int:
        """Return Auto, Manual or ManualMinMax."""
        return self._mode.currentIndex()

    def setAutoWindowLevel(self, mode: int) -> None:
        """Set Auto, Manual or ManualMinMax."""
        if self._display is None:
            return
        before = bool(self._display.GetAutoWindowLevel())
        updating, self._updating = self._updating, True
        self._mode.setCurrentIndex(int(mode))
        self._updating = updating
        self._display.SetAutoWindowLevel(int(mode) == self.Auto)
        self._show_boxes()
        if before != (int(mode) == self.Auto):
            self.autoWindowLevelValueChanged.emit(self.Auto if int(mode) == self.Auto else self.Manual)

    def window(self) -> float:
        """Return the width of the window."""
        return self._slider.maximumValue() - self._slider.minimumValue()

    def setWindow(self, window: float) -> None:
        """Set the width of the window."""
        if self._display is not None:
            self.setWindowLevel(window, self._display.GetLevel())

    def level(self) -> float:
        """Return the centre of the window."""
        return 0.5 * (self._slider.maximumValue() + self._slider.minimumValue())

    def setLevel(self, level: float) -> None:
        """Set the centre of the window."""
        if self._display is not None:
            self.setWindowLevel(self._display.GetWindow(), level)

    def setWindowLevel(self, window: float, level: float) -> None:
        """Set width and centre of the window; this makes it manual."""
        display = self._display
        if display is None or (display.GetWindow(), display.GetLevel()) == (window, level):
            return
        was_modifying = display.StartModify()
        if self.autoWindowLevel() == self.Auto:
            self.setAutoWindowLevel(self.Manual)
        display.SetWindowLevel(window, level)
        self.windowLevelValuesChanged.emit(window, level)
        display.EndModify(was_modifying)

    def minimumValue(self) -> float:
        """Return the minimum of the window."""
        return self._slider.minimumValue()

    def setMinimumValue(self, value: float) -> None:
        """Set the minimum of the window."""
        self.setMinMaxRangeValue(value, self.maximumValue())

    def maximumValue(self) -> float:
        """Return the maximum of the window."""
        return self._slider.maximumValue()

    def setMaximumValue(self, value: float) -> None:
        """Set the maximum of the window."""
        self.setMinMaxRangeValue(self.minimumValue(), value)

    def setMinMaxRangeValue(self, minimum: float, maximum: float) -> None:
        """Set the range of the window."""
        self.setWindowLevel(maximum - minimum, 0.5 * (minimum + maximum))

    def minimumBound(self) -> float:
        """Return the minimum of the slider."""
        return self._slider.minimum()

    def setMinimumBound(self, bound: float) -> None:
        """Set the minimum of the slider."""
        self._set_range(bound, self.maximumBound())

    def maximumBound(self) -> float:
        """Return the maximum of the slider."""
        return self._slider.maximum()

    def setMaximumBound(self, bound: float) -> None:
        """Set the maximum of the slider."""
        self._set_range(self.minimumBound(), bound)

    def setMinMaxBounds(self, minimum: float, maximum: float) -> None:
        """Set the range of the slider."""
        self._set_range(minimum, maximum)
