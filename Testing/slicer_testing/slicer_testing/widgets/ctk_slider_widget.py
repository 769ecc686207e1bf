"""ctkSliderWidget: a slider with a spin box."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QSlider, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_double_slider import ctkDoubleSlider
from slicer_testing.widgets.ctk_double_spin_box import ctkDoubleSpinBox
from slicer_testing.widgets.ctk_popup_widget import ctkPopupWidget
from slicer_testing.widgets.ctk_values import integer

# Values that differ by less than this fraction of a step count as equal.
_SAME = 1e-9


@slicer_widget
class ctkSliderWidget(QWidget):
    """A slider and a spin box that show one value.

    With ``tracking`` off, ``value`` does not change while the handle is held, and ``valueIsChanging`` reports the changes.
    Sliders under one parent share the width of their spin boxes and the number of decimals, unless ``synchronizeSiblings`` excludes it.
    """

    NoSynchronize, SynchronizeWidth, SynchronizeDecimals = 0, 1, 2

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tracking = True
        self._changing = False
        self._value_before_change = 0.0
        self._block_slider = False
        self._synchronize = self.SynchronizeWidth | self.SynchronizeDecimals
        self._popup: ctkPopupWidget | None = None
        self._slider = ctkDoubleSlider(Qt.Orientation.Horizontal, self)
        self._slider.setObjectName("Slider")
        self._spin_box = ctkDoubleSpinBox(self)
        self._spin_box.setObjectName("SpinBox")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._spin_box)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._slider.setMaximum(self._spin_box.maximum())
        self._slider.setMinimum(self._spin_box.minimum())
        self._spin_box.valueChanged.connect(self._on_spin_box_value)
        self._spin_box.decimalsChanged.connect(self.setDecimals)
        self._slider.sliderPressed.connect(self._start_changing)
        self._slider.sliderReleased.connect(self._stop_changing)
        self._slider.valueChanged.connect(self._on_slider_value)

    # Value

    def value(self) -> float:
        """Return the value; while the handle is held without tracking, the previous one."""
        return self._value_before_change if self._changing else self._slider.value()

    def setValue(self, value: float) -> None:
        """Set the value, within the range."""
        changing, self._changing = self._changing, False
        self._spin_box.setValue(value)
        self._changing = changing

    def reset(self) -> None:
        """Set the value to 0."""
        self.setValue(0.0)

    def _start_changing(self) -> None:
        if not self._tracking:
            self._value_before_change = self.value()
            self._changing = True

    def _stop_changing(self) -> None:
        if self._tracking:
            return
        self._changing = False
        if abs(self.value() - self._value_before_change) > self.singleStep() * _SAME:
            self.valueChanged.emit(self.value())

    def _on_spin_box_value(self, value: float) -> None:
        if not self._block_slider:
            self._slider.setValue(value)

    def _on_slider_value(self, value: float) -> None:
        blocked, self._block_slider = self._block_slider, True
        self._spin_box.setValue(value)
        self._block_slider = blocked
        if not self._tracking:
            self.valueIsChanging.emit(value)
        if not self._changing:
            self.valueChanged.emit(value)

    def tracking(self) -> bool:
        return self._tracking

    def setTracking(self, tracking: bool) -> None:
        self._tracking = bool(tracking)

    # Range and steps

    def minimum(self) -> float:
        return self._slider.minimum()

    def setMinimum(self, minimum: float) -> None:
        """Set the minimum; the maximum follows if it is below, and the value if it is outside."""
        blocked, self._block_slider = self._block_slider, True
        self._spin_box.setMinimum(minimum)
        self._block_slider = blocked
        self._slider.setMinimum(self._spin_box.minimum())
        self._update_width()

    def maximum(self) -> float:
        return self._slider.maximum()

    def setMaximum(self, maximum: float) -> None:
        """Set the maximum; the minimum follows if it is above, and the value if it is outside."""
        blocked, self._block_slider = self._block_slider, True
        self._spin_box.setMaximum(maximum)
        self._block_slider = blocked
        self._slider.setMaximum(self._spin_box.maximum())
        self._update_width()

    def singleStep(self) -> float:
        return self._slider.singleStep()

    def setSingleStep(self, step: float) -> None:
        """Set the step; an invalid step for the range is refused."""
        if self._slider._is_valid_step(step):
            self._spin_box.setSingleStep(step)
            self._slider.setSingleStep(self._spin_box.singleStep())

    def pageStep(self) -> float:
        return self._slider.pageStep()

    def setPageStep(self, step: float) -> None:
        self._slider.setPageStep(step)

    def decimals(self) -> int:
        return self._spin_box.decimals()

    def setDecimals(self, decimals: int) -> None:
        """Set the number of decimals that are shown, also of the siblings."""
        self._spin_box.setDecimals(decimals)
        self._slider._set_range(self._spin_box.minimum(), self._spin_box.maximum())
        self._on_slider_value(self._slider.value())  # more decimals show the exact value more precisely
        if self._synchronize & self.SynchronizeDecimals:
            for sibling in self._siblings():
                if sibling._synchronize & self.SynchronizeDecimals:
                    sibling._spin_box.setDecimals(self._spin_box.decimals())
        self.decimalsChanged.emit(self._spin_box.decimals())

    # Appearance

    def prefix(self) -> str:
        return self._spin_box.prefix()

    def setPrefix(self, prefix: str) -> None:
        self._spin_box.setPrefix(prefix)
        self._update_width()

    def suffix(self) -> str:
        return self._spin_box.suffix()

    def setSuffix(self, suffix: str) -> None:
        self._spin_box.setSuffix(suffix)
        self._update_width()

    def tickInterval(self) -> float:
        return self._slider.tickInterval()

    def setTickInterval(self, interval: float) -> None:
        self._slider.setTickInterval(interval)

    def tickPosition(self) -> QSlider.TickPosition:
        return self._slider.tickPosition()

    def setTickPosition(self, position: QSlider.TickPosition) -> None:
        self._slider.setTickPosition(position)

    def spinBoxAlignment(self) -> Qt.AlignmentFlag:
        return self._spin_box.alignment()

    def setSpinBoxAlignment(self, alignment: Qt.AlignmentFlag) -> None:
        self._spin_box.setAlignment(alignment)

    def isSpinBoxVisible(self) -> bool:
        return self._spin_box.isVisibleTo(self)

    def setSpinBoxVisible(self, visible: bool) -> None:
        self._spin_box.setVisible(bool(visible))

    def invertedAppearance(self) -> bool:
        return self._slider.invertedAppearance()

    def setInvertedAppearance(self, inverted: bool) -> None:
        self._slider.setInvertedAppearance(inverted)

    def invertedControls(self) -> bool:
        return self._slider.invertedControls() and self._spin_box.invertedControls()

    def setInvertedControls(self, inverted: bool) -> None:
        self._slider.setInvertedControls(inverted)
        self._spin_box.setInvertedControls(inverted)

    def popupSlider(self) -> bool:
        return self._popup is not None

    def setPopupSlider(self, popup: bool) -> None:
        """Show the slider only while the mouse is over the spin box."""
        if bool(popup) == self.popupSlider():
            return
        if popup:
            self._popup = ctkPopupWidget(self)
            self._popup.setObjectName("DoubleSliderPopup")
            layout = QHBoxLayout(self._popup)
            layout.setContentsMargins(0, 0, 0, 0)
            layout.addWidget(self._slider)
            self._popup.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            self._popup.setOrientation(Qt.Orientation.Horizontal)
            self._popup.setHorizontalDirection(Qt.LayoutDirection.RightToLeft)
        else:
            self.layout().insertWidget(0, self._slider)
            self._popup.deleteLater()
            self._popup = None

    def synchronizeSiblings(self) -> int:
        return self._synchronize

    def setSynchronizeSiblings(self, what: int) -> None:
        self._synchronize = integer(what)
        self._update_width()
        if self._synchronize & self.SynchronizeDecimals:
            for sibling in self._siblings():
                if sibling._synchronize & self.SynchronizeDecimals:
                    sibling._spin_box.setDecimals(self._spin_box.decimals())

    def _siblings(self) -> list[ctkSliderWidget]:
        parent: QObject | None = self.parent()
        return [one for one in parent.findChildren(ctkSliderWidget) if one is not self] if parent is not None else []

    def _update_width(self) -> None:
        siblings = self._siblings()
        widest = max(one._spin_box.sizeHint().width() for one in (self, *siblings))
        self._spin_box.setMinimumWidth(widest if self._synchronize & self.SynchronizeWidth else 0)
        for sibling in siblings:
            if sibling._synchronize & self.SynchronizeWidth:
                sibling._spin_box.setMinimumWidth(self._spin_box.minimumWidth())
