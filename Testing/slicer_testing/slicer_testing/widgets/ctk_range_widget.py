"""ctkRangeWidget: a slider with two handles and two spin boxes."""

from __future__ import annotations

import sys

from PySide6.QtCore import QObject, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_double_range_slider import ctkDoubleRangeSlider
from slicer_testing.widgets.ctk_double_spin_box import ctkDoubleSpinBox
from slicer_testing.widgets.ctk_values import enumeration

# Values that differ by less than this fraction of a step count as equal.
_SAME = 1e-9


@slicer_widget
class ctkRangeWidget(QWidget):
    """Two numbers within a range, set by handles or typed.

    With ``tracking`` off, the values do not change while a handle is held; the ``...IsChanging`` signals report the changes.
    """

    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)
    minimumValueIsChanging = Signal(float)
    maximumValueIsChanging = Signal(float)
    valuesChanged = Signal(float, float)
    rangeChanged = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tracking = True
        self._changing = False
        self._values_before_change = (0.0, 0.0)
        self._setting_slider_range = False
        self._block_slider = False
        self._auto_width = True
        self._alignment = Qt.AlignmentFlag.AlignVCenter
        self._slider = ctkDoubleRangeSlider(Qt.Orientation.Horizontal, self)
        self._slider.setObjectName("Slider")
        self._low = ctkDoubleSpinBox(self)
        self._low.setObjectName("MinimumSpinBox")
        self._high = ctkDoubleSpinBox(self)
        self._high.setObjectName("MaximumSpinBox")
        self._grid = QGridLayout(self)
        self._grid.setObjectName("GridLayout")
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._arrange()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for box, value in ((self._low, self._slider.minimumValue()), (self._high, self._slider.maximumValue())):
            box._set_range(self._slider.minimum(), self._slider.maximum())
            box.setValue(value)
        self._connect()

    def _connect(self) -> None:
        self._slider.valuesChanged.connect(self._on_slider_values)
        self._slider.minimumValueChanged.connect(self._on_slider_minimum)
        self._slider.maximumValueChanged.connect(self._on_slider_maximum)
        self._slider.sliderPressed.connect(self._start_changing)
        self._slider.sliderReleased.connect(self._stop_changing)
        self._slider.rangeChanged.connect(self._on_slider_range)
        self._low.valueChanged.connect(self._on_low_box)
        self._high.valueChanged.connect(self._on_high_box)
        self._low.decimalsChanged.connect(self.setDecimals)
        self._high.decimalsChanged.connect(self.setDecimals)

    # Values

    def minimumValue(self) -> float:
        return self._values_before_change[0] if self._changing else self._slider.minimumValue()

    def setMinimumValue(self, value: float) -> None:
        """Set the lower value, not above the upper one."""
        changing, self._changing = self._changing, False
        self._low.setValue(value)
        self._changing = changing

    def maximumValue(self) -> float:
        return self._values_before_change[1] if self._changing else self._slider.maximumValue()

    def setMaximumValue(self, value: float) -> None:
        """Set the upper value, not below the lower one."""
        changing, self._changing = self._changing, False
        self._high.setValue(value)
        self._changing = changing

    def setValues(self, low: float, high: float) -> None:
        """Set both values, in any order, within the range."""
        low, high = min(low, high), max(low, high)
        boxes = [(self._low, low), (self._high, high)]
        if low > self.maximumValue():
            boxes.reverse()  # each spin box is bounded by the other's value
        changing, self._changing = self._changing, False
        blocked, self._block_slider = self._block_slider, True
        for box, value in boxes:
            box.setValue(value)
        self._block_slider = blocked
        self._set_slider_values()
        self._changing = changing

    def reset(self) -> None:
        """Set the values to the limits."""
        self.setValues(self.minimum(), self.maximum())

    def _set_slider_values(self) -> None:
        if not self._block_slider:
            self._slider.setValues(self._low.value(), self._high.value())

    def _on_low_box(self, value: float) -> None:
        self._set_slider_values()
        self._high._set_range(value, self._slider.maximum())

    def _on_high_box(self, value: float) -> None:
        self._set_slider_values()
        self._low._set_range(self._slider.minimum(), value)

    def _on_slider_values(self, low: float, high: float) -> None:
        blocked, self._block_slider = self._block_slider, True
        boxes = [(self._low, low), (self._high, high)]
        if low > self._high.value():
            boxes.reverse()
        for box, value in boxes:
            box.setValue(value)
        self._block_slider = blocked
        if not self._changing:
            self.valuesChanged.emit(low, high)

    def _on_slider_minimum(self, value: float) -> None:
        self.minimumValueIsChanging.emit(value)
        if not self._changing:
            self.minimumValueChanged.emit(value)

    def _on_slider_maximum(self, value: float) -> None:
        self.maximumValueIsChanging.emit(value)
        if not self._changing:
            self.maximumValueChanged.emit(value)

    def _start_changing(self) -> None:
        if not self._tracking:
            self._values_before_change = (self.minimumValue(), self.maximumValue())
            self._changing = True

    def _stop_changing(self) -> None:
        if self._tracking:
            return
        self._changing = False
        new = (self.minimumValue(), self.maximumValue())
        changed = [abs(after - before) > self.singleStep() * _SAME for before, after in zip(self._values_before_change, new, strict=True)]
        if any(changed):
            self.valuesChanged.emit(*new)
        if changed[0]:
            self.minimumValueChanged.emit(new[0])
        if changed[1]:
            self.maximumValueChanged.emit(new[1])

    def tracking(self) -> bool:
        return self._tracking

    def setTracking(self, tracking: bool) -> None:
        self._tracking = bool(tracking)

    def symmetricMoves(self) -> bool:
        return self._slider.symmetricMoves()

    def setSymmetricMoves(self, symmetric: bool) -> None:
        self._slider.setSymmetricMoves(symmetric)

    # Range and steps

    def minimum(self) -> float:
        return self._slider.minimum()

    def setMinimum(self, minimum: float) -> None:
        """Set the minimum; the maximum follows if it is below."""
        self._set_limits(minimum, max(minimum, self.maximum()))

    def maximum(self) -> float:
        return self._slider.maximum()

    def setMaximum(self, maximum: float) -> None:
        """Set the maximum; the minimum follows if it is above."""
        self._set_limits(min(maximum, self.minimum()), maximum)

    def setRange(self, minimum: float, maximum: float) -> None:
        """Set the limits, in any order; values outside are moved to the limits."""
        old = (self.minimum(), self.maximum())
        self._set_limits(min(minimum, maximum), max(minimum, maximum))
        new = (self.minimum(), self.maximum())
        if new != old:
            self.rangeChanged.emit(*new)

    def _set_limits(self, minimum: float, maximum: float) -> None:
        with QSignalBlocker(self._low), QSignalBlocker(self._high):
            self._low._set_range(minimum, maximum)
            self._high._set_range(minimum, maximum)
        self._setting_slider_range = True
        self._slider.setRange(minimum, maximum)
        self._setting_slider_range = False
        self._update_width()

    def _on_slider_range(self, minimum: float, maximum: float) -> None:
        if not self._setting_slider_range:
            self.setRange(minimum, maximum)

    def singleStep(self) -> float:
        return self._slider.singleStep()

    def setSingleStep(self, step: float) -> None:
        """Set the step; an invalid step for the range is refused."""
        if self._slider._is_valid_step(step):
            self._low.setSingleStep(step)
            self._high.setSingleStep(step)
            self._slider.setSingleStep(self._low.singleStep())

    def decimals(self) -> int:
        return self._low.decimals()

    def setDecimals(self, decimals: int) -> None:
        self._low.setDecimals(decimals)
        self._high.setDecimals(decimals)

    def customSpinBoxesLimitsMin(self) -> float:
        """Return the lower limit of typed values; Python cannot set a limit other than the minimum."""
        return sys.float_info.max

    def customSpinBoxesLimitsMax(self) -> float:
        """Return the upper limit of typed values; Python cannot set a limit other than the maximum."""
        return sys.float_info.min

    # Appearance

    def prefix(self) -> str:
        return self._low.prefix()

    def setPrefix(self, prefix: str) -> None:
        self._low.setPrefix(prefix)
        self._high.setPrefix(prefix)

    def suffix(self) -> str:
        return self._low.suffix()

    def setSuffix(self, suffix: str) -> None:
        self._low.setSuffix(suffix)
        self._high.setSuffix(suffix)

    def tickInterval(self) -> float:
        return self._slider.tickInterval()

    def setTickInterval(self, interval: float) -> None:
        self._slider.setTickInterval(interval)

    def spinBoxAlignment(self) -> Qt.AlignmentFlag:
        return self._alignment

    def setSpinBoxAlignment(self, alignment: Qt.AlignmentFlag) -> None:
        """Set the side of the slider that the spin boxes are on."""
        self._alignment = enumeration(Qt.AlignmentFlag, alignment)
        self._arrange()

    def spinBoxTextAlignment(self) -> Qt.AlignmentFlag:
        return self._low.alignment()

    def setSpinBoxTextAlignment(self, alignment: Qt.AlignmentFlag) -> None:
        self._low.setAlignment(alignment)
        self._high.setAlignment(alignment)

    def autoSpinBoxWidth(self) -> bool:
        return self._auto_width

    def setAutoSpinBoxWidth(self, auto: bool) -> None:
        """Give the spin boxes of all range widgets under one parent the same width."""
        self._auto_width = bool(auto)
        self._update_width()

    def _arrange(self) -> None:
        for widget in (self._low, self._slider, self._high):
            self._grid.removeWidget(widget)
        flag = Qt.AlignmentFlag
        if self._alignment & (flag.AlignTop | flag.AlignBottom):
            boxes, slider = (0, 1) if self._alignment & flag.AlignTop else (1, 0)
            self._grid.addWidget(self._low, boxes, 0)
            self._grid.addWidget(self._high, boxes, 2)
            self._grid.addWidget(self._slider, slider, 0, 1, 3)
            return
        order = [self._low, self._slider, self._high]
        if self._alignment & flag.AlignRight:
            order = [self._slider, self._low, self._high]
        elif self._alignment & flag.AlignLeft:
            order = [self._low, self._high, self._slider]
        for column, widget in enumerate(order):
            self._grid.addWidget(widget, 0, column)

    def _update_width(self) -> None:
        parent: QObject | None = self.parent()
        siblings = [one for one in parent.findChildren(ctkRangeWidget) if one is not self] if parent is not None else []
        widest = max(box.sizeHint().width() for one in (self, *siblings) for box in (one._low, one._high))
        for one in (self, *siblings):
            if one is self or one._auto_width:
                for box in (one._low, one._high):
                    box.setMinimumWidth(widest if self._auto_width or one is not self else 0)
