"""ctkDoubleRangeSlider: a slider with two handles over numbers with decimals."""

from __future__ import annotations

from PySide6.QtCore import QObject, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_range_slider import ctkRangeSlider
from slicer_testing.widgets.ctk_slider_appearance import SliderAppearance
from slicer_testing.widgets.ctk_values import bounded, is_valid_step, steps

# Values that differ by less than this fraction of a step count as equal.
_SAME = 1e-9


@slicer_widget
class ctkDoubleRangeSlider(SliderAppearance, QWidget):
    """Two numbers within a range: multiples of ``singleStep`` plus the remainder that each had when it was set."""

    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)
    valuesChanged = Signal(float, float)
    minimumPositionChanged = Signal(float)
    maximumPositionChanged = Signal(float)
    positionsChanged = Signal(float, float)
    sliderPressed = Signal()
    sliderReleased = Signal()
    rangeChanged = Signal(float, float)

    def __init__(self, *arguments: object) -> None:
        """Make a slider, vertical by default.

        Args:
            arguments: the orientation, which is optional, and the parent.
        """
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        slider = self._slider = ctkRangeSlider(self)
        self._minimum, self._maximum = float(slider.minimum()), float(slider.maximum())
        self._values = (float(slider.minimumValue()), float(slider.maximumValue()))
        self._single_step = float(slider.singleStep())
        self._offsets = [0.0, 0.0]
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(slider)
        self.setSizePolicy(slider.sizePolicy())
        self.setAttribute(Qt.WidgetAttribute.WA_WState_OwnSizePolicy, False)
        slider.valuesChanged.connect(self._on_values)
        slider.minimumPositionChanged.connect(self._on_minimum_position)
        slider.maximumPositionChanged.connect(self._on_maximum_position)
        slider.positionsChanged.connect(self._on_positions)
        slider.sliderPressed.connect(self.sliderPressed)
        slider.sliderReleased.connect(self.sliderReleased)
        orientation = next((one for one in arguments if one is not None and not isinstance(one, QObject)), None)
        if orientation is not None:
            self.setOrientation(orientation)

    # Values

    def minimumValue(self) -> float:
        return self._values[0]

    def setMinimumValue(self, value: float) -> None:
        """Set the lower value; the upper one follows if it is below."""
        value = self._bounded(value)
        self._keep_rest(0, value)
        if value >= self._values[1]:
            self._keep_rest(1, value)
        position = self._steps(value)
        if position != self._slider.minimumValue():
            self._slider.setMinimumValue(position)
        else:
            self._take((value, self._values[1]))

    def maximumValue(self) -> float:
        return self._values[1]

    def setMaximumValue(self, value: float) -> None:
        """Set the upper value; the lower one follows if it is above."""
        value = self._bounded(value)
        self._keep_rest(1, value)
        if value <= self._values[0]:
            self._keep_rest(0, value)
        position = self._steps(value)
        if position != self._slider.maximumValue():
            self._slider.setMaximumValue(position)
        else:
            self._take((self._values[0], value))

    def setValues(self, low: float, high: float) -> None:
        """Set both values, within the range and in order."""
        new = (self._bounded(min(low, high)), self._bounded(max(low, high)))
        for index, value in enumerate(new):
            self._keep_rest(index, value)
        positions = (self._steps(new[0]), self._steps(new[1]))
        if positions != (self._slider.minimumValue(), self._slider.maximumValue()):
            self._slider.setValues(*positions)
        else:
            self._take(new)

    def _take(self, new: tuple[float, float]) -> None:
        """Set the values and emit the signals of those that have changed."""
        old, self._values = self._values, new
        changed = [abs(after - before) > self._single_step * _SAME for before, after in zip(old, new, strict=True)]
        self._emit_values(changed)

    def _emit_values(self, changed: list[bool]) -> None:
        if any(changed):
            self.valuesChanged.emit(*self._values)
        if changed[0]:
            self.minimumValueChanged.emit(self._values[0])
        if changed[1]:
            self.maximumValueChanged.emit(self._values[1])

    def minimumPosition(self) -> float:
        return self._from_steps(0, self._slider.minimumPosition())

    def setMinimumPosition(self, position: float) -> None:
        self._slider.setMinimumPosition(self._steps(position))

    def maximumPosition(self) -> float:
        return self._from_steps(1, self._slider.maximumPosition())

    def setMaximumPosition(self, position: float) -> None:
        self._slider.setMaximumPosition(self._steps(position))

    def _bounded(self, value: float) -> float:
        return bounded(self._minimum, float(value), self._maximum)

    def _steps(self, value: float) -> int:
        return steps(value, self._single_step)

    def _from_steps(self, index: int, position: int) -> float:
        return self._bounded(self._single_step * (self._offsets[index] + position))

    def _keep_rest(self, index: int, value: float) -> None:
        self._offsets[index] = value / self._single_step - self._steps(value)

    def _on_values(self, low: int, high: int) -> None:
        new = (self._from_steps(0, low), self._from_steps(1, high))
        changed = [after != before for before, after in zip(self._values, new, strict=True)]
        self._values = new
        self._emit_values(changed)

    def _on_minimum_position(self, position: int) -> None:
        self.minimumPositionChanged.emit(self._from_steps(0, position))

    def _on_maximum_position(self, position: int) -> None:
        self.maximumPositionChanged.emit(self._from_steps(1, position))

    def _on_positions(self, low: int, high: int) -> None:
        self.positionsChanged.emit(self._from_steps(0, low), self._from_steps(1, high))

    # Range and steps

    def minimum(self) -> float:
        return self._minimum

    def setMinimum(self, minimum: float) -> None:
        """Set the minimum; the maximum follows if it is below."""
        self.setRange(minimum, max(minimum, self._maximum))

    def maximum(self) -> float:
        return self._maximum

    def setMaximum(self, maximum: float) -> None:
        """Set the maximum; the minimum follows if it is above."""
        self.setRange(min(self._minimum, maximum), maximum)

    def setRange(self, minimum: float, maximum: float) -> None:
        """Set the limits, in any order; values outside are moved to the limits."""
        old = (self._minimum, self._maximum)
        self._minimum, self._maximum = float(min(minimum, maximum)), float(max(minimum, maximum))
        for index, value in enumerate(self._values):
            if self._bounded(value) != value:
                self._keep_rest(index, self._bounded(value))
        self._slider.setRange(self._steps(self._minimum), self._steps(self._maximum))
        # A change of a limit by less than a step does not change the inner slider.
        self._on_values(self._slider.minimumValue(), self._slider.maximumValue())
        if (self._minimum, self._maximum) != old:
            self.rangeChanged.emit(self._minimum, self._maximum)

    def singleStep(self) -> float:
        return self._single_step

    def setSingleStep(self, step: float) -> None:
        """Set the step; an invalid step for the range is refused."""
        if not self._is_valid_step(step):
            return
        values = self._values
        self._single_step = float(step)
        with QSignalBlocker(self), QSignalBlocker(self._slider):
            for index, value in enumerate(values):
                self._keep_rest(index, value)
            self._slider.setRange(self._steps(self._minimum), self._steps(self._maximum))
            self._slider.setValues(self._steps(values[0]), self._steps(values[1]))
        self._values = values
        self._slider.update()

    def _is_valid_step(self, step: float) -> bool:
        return is_valid_step(step, self._minimum, self._maximum)

    def tracking(self) -> bool:
        return self._slider.hasTracking()

    def setTracking(self, tracking: bool) -> None:
        self._slider.setTracking(bool(tracking))

    def symmetricMoves(self) -> bool:
        return self._slider.symmetricMoves()

    def setSymmetricMoves(self, symmetric: bool) -> None:
        self._slider.setSymmetricMoves(symmetric)
