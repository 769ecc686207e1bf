"""ctkDoubleSlider: a slider over numbers with decimals."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QHBoxLayout, QSlider, QStyle, QStyleOptionSlider, QToolTip, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_slider_appearance import SliderAppearance
from slicer_testing.widgets.ctk_values import bounded, is_valid_step, steps

# Values that differ by less than this fraction of a step count as equal.
_SAME = 1e-9


class _Slider(QSlider):
    """The inner slider; it shows the owner's tool tip at its handle."""

    def __init__(self, owner: ctkDoubleSlider) -> None:
        super().__init__(owner)
        self._owner = owner

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._owner._handle_tool_tip:
            option = QStyleOptionSlider()
            self.initStyleOption(option)
            hit = self.style().hitTestComplexControl(QStyle.ComplexControl.CC_Slider, option, event.pos(), self)
            if hit == QStyle.SubControl.SC_SliderHandle:
                QToolTip.showText(event.globalPos(), self._owner._handle_tool_tip.replace("%1", f"{self._owner.value():g}"))
                event.accept()
                return True
        return super().event(event)


@slicer_widget
class ctkDoubleSlider(SliderAppearance, QWidget):
    """A slider of real numbers: multiples of ``singleStep`` plus the remainder of the last value that was set."""

    valueChanged = Signal(float)
    sliderMoved = Signal(float)
    sliderPressed = Signal()
    sliderReleased = Signal()
    rangeChanged = Signal(float, float)

    def __init__(self, *arguments: object) -> None:
        """Make a slider, vertical by default.

        Args:
            arguments: the orientation, which is optional, and the parent.
        """
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        self._handle_tool_tip = ""
        self._setting_range = False
        self._offset = 0.0
        slider = self._slider = _Slider(self)
        self._minimum, self._maximum = float(slider.minimum()), float(slider.maximum())
        self._single_step, self._page_step = float(slider.singleStep()), float(slider.pageStep())
        self._value = float(slider.value())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(slider)
        slider.valueChanged.connect(self._on_value)
        slider.sliderMoved.connect(self._on_moved)
        slider.sliderPressed.connect(self.sliderPressed)
        slider.sliderReleased.connect(self.sliderReleased)
        self.setSizePolicy(slider.sizePolicy())
        self.setAttribute(Qt.WidgetAttribute.WA_WState_OwnSizePolicy, False)
        self.setFocusProxy(slider)
        orientation = next((one for one in arguments if one is not None and not isinstance(one, QObject)), None)
        if orientation is not None:
            self.setOrientation(orientation)

    # Values

    def value(self) -> float:
        return self._value

    def setValue(self, value: float) -> None:
        """Set the value, within the range."""
        value = bounded(self._minimum, float(value), self._maximum)
        self._keep_rest(value)
        position = self._steps(value)
        if position != self._slider.value():
            self._slider.setValue(position)
            return
        old, self._value = self._value, value
        if abs(value - old) > self._single_step * _SAME:
            self.valueChanged.emit(value)

    def sliderPosition(self) -> float:
        return self._from_steps(self._slider.sliderPosition())

    def setSliderPosition(self, position: float) -> None:
        self._slider.setSliderPosition(self._steps(position))

    def _steps(self, value: float) -> int:
        return steps(value, self._single_step)

    def _from_steps(self, position: int) -> float:
        return bounded(self._minimum, self._single_step * (self._offset + position), self._maximum)

    def _keep_rest(self, value: float) -> None:
        self._offset = value / self._single_step - self._steps(value)

    def _on_value(self, position: int) -> None:
        value = self._from_steps(position)
        if value != self._value:
            self._value = value
            self.valueChanged.emit(value)

    def _on_moved(self, position: int) -> None:
        self.sliderMoved.emit(self._from_steps(position))

    # Range and steps

    def minimum(self) -> float:
        return self._minimum

    def setMinimum(self, minimum: float) -> None:
        """Set the minimum; the maximum follows if it is below."""
        self._set_range(minimum, max(minimum, self._maximum))

    def maximum(self) -> float:
        return self._maximum

    def setMaximum(self, maximum: float) -> None:
        """Set the maximum; the minimum follows if it is above."""
        self._set_range(min(self._minimum, maximum), maximum)

    def _set_range(self, minimum: float, maximum: float) -> None:
        old = (self._minimum, self._maximum)
        self._minimum, self._maximum = float(min(minimum, maximum)), float(max(minimum, maximum))
        if self._minimum >= self._value:
            self._keep_rest(self._minimum)
        if self._maximum <= self._value:
            self._keep_rest(self._maximum)
        self._slider.setRange(self._steps(self._minimum), self._steps(self._maximum))
        if (self._minimum, self._maximum) != old:
            self.rangeChanged.emit(self._minimum, self._maximum)
        self.setValue(self._value)  # the inner slider may not have noticed the change

    def singleStep(self) -> float:
        return self._single_step

    def setSingleStep(self, step: float) -> None:
        """Set the step; an invalid step for the range is refused."""
        if not self._is_valid_step(step):
            return
        self._single_step = float(step)
        self._keep_rest(self._value)
        with QSignalBlocker(self._slider):
            self._slider.setRange(self._steps(self._minimum), self._steps(self._maximum))
            self._slider.setValue(self._steps(self._value))
            self._slider.setPageStep(self._steps(self._page_step))

    def _is_valid_step(self, step: float) -> bool:
        return is_valid_step(step, self._minimum, self._maximum)

    def pageStep(self) -> float:
        return self._page_step

    def setPageStep(self, step: float) -> None:
        self._page_step = float(step)
        self._slider.setPageStep(self._steps(step))

    def tracking(self) -> bool:
        return self._slider.hasTracking()

    def setTracking(self, tracking: bool) -> None:
        self._slider.setTracking(bool(tracking))

    # Appearance

    def invertedAppearance(self) -> bool:
        return self._slider.invertedAppearance()

    def setInvertedAppearance(self, inverted: bool) -> None:
        self._slider.setInvertedAppearance(bool(inverted))

    def invertedControls(self) -> bool:
        return self._slider.invertedControls()

    def setInvertedControls(self, inverted: bool) -> None:
        self._slider.setInvertedControls(bool(inverted))

    def handleToolTip(self) -> str:
        return self._handle_tool_tip

    def setHandleToolTip(self, text: str) -> None:
        """Set the tool tip of the handle; %1 stands for the value."""
        self._handle_tool_tip = text
