"""ctkCheckablePushButton: a button with a check box of its own."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionButton

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_push_button import ctkPushButton
from slicer_testing.widgets.ctk_values import enumeration

_STATE = Qt.CheckState


@slicer_widget
class ctkCheckablePushButton(ctkPushButton):
    """A button with a check box. If ``checkBoxControlsButton`` is on, the button can be toggled while the box is checked."""

    checkBoxToggled = Signal(bool)
    checkStateChanged = Signal(Qt.CheckState)

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self._check_state = _STATE.Unchecked
        self._controls_button = True
        self._controls_toggle = False
        self._user_checkable = True
        metric = QStyle.PixelMetric
        width, height, self._icon_spacing = (
            self.style().pixelMetric(one, None, self)
            for one in (metric.PM_IndicatorWidth, metric.PM_IndicatorHeight, metric.PM_CheckBoxLabelSpacing)
        )
        self.setIconSize(QSize(width, height))

    def checkState(self) -> Qt.CheckState:
        return self._check_state

    def setCheckState(self, state: Qt.CheckState) -> None:
        """Check or uncheck the box, and update the button."""
        state = enumeration(Qt.CheckState, state)
        if state == self._check_state:
            return
        self._check_state = state
        checked = state == _STATE.Checked
        if self._controls_button:
            was_checked = self.isChecked()
            self.setCheckable(checked)
            if was_checked != self.isChecked():  # Qt emits no signal for it
                self.toggled.emit(self.isChecked())
            if self._controls_toggle and self.isChecked() != checked:
                self.setChecked(checked)
        self.checkStateChanged.emit(state)
        self.checkBoxToggled.emit(checked)
        self.update()

    def checkBoxControlsButton(self) -> bool:
        return self._controls_button

    def setCheckBoxControlsButton(self, controls: bool) -> None:
        """Let the box control whether the button can be toggled."""
        self._controls_button = bool(controls)
        if controls:
            self.setCheckState(_STATE.Checked if self.isCheckable() else _STATE.Unchecked)
        self.update()

    def checkBoxControlsButtonToggleState(self) -> bool:
        return self._controls_toggle

    def setCheckBoxControlsButtonToggleState(self, controls: bool) -> None:
        """Let the box also toggle the button."""
        self._controls_toggle = bool(controls)
        if controls and self._check_state != _STATE.Unchecked and not self.isChecked():
            self.setChecked(True)
        self.update()

    def isCheckBoxUserCheckable(self) -> bool:
        return self._user_checkable

    def setCheckBoxUserCheckable(self, checkable: bool) -> None:
        self._user_checkable = bool(checkable)
        self.update()

    def indicatorAlignment(self) -> Qt.AlignmentFlag:
        return self.iconAlignment()

    def setIndicatorAlignment(self, alignment: Qt.AlignmentFlag) -> None:
        self.setIconAlignment(alignment)

    def setCheckable(self, checkable: bool) -> None:
        super().setCheckable(bool(checkable))
        if self._controls_button:  # the box and the button then have the same state
            self.setCheckState(_STATE.Checked if checkable else _STATE.Unchecked)

    def hitButton(self, point: QPoint) -> bool:
        return not self._icon_rect().contains(point) and super().hitButton(point)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if self._user_checkable and self.isEnabled() and self._icon_rect().contains(event.position().toPoint()):
            self.setCheckState(_STATE.Unchecked if self._check_state == _STATE.Checked else _STATE.Checked)
            event.accept()

    def checkStateSet(self) -> None:
        super().checkStateSet()
        self._follow_toggle()

    def nextCheckState(self) -> None:
        super().nextCheckState()
        self._follow_toggle()

    def _follow_toggle(self) -> None:
        if self._controls_toggle and not self.isChecked():
            self.setCheckState(_STATE.Unchecked)

    def _draw_icon(self, painter: QPainter, rect: QRect) -> QRect:
        option = QStyleOptionButton()
        option.initFrom(self)
        flag = QStyle.StateFlag
        option.state |= {_STATE.Checked: flag.State_On, _STATE.PartiallyChecked: flag.State_NoChange}.get(self._check_state, flag.State_Off)
        if not self._user_checkable:
            option.state &= ~flag.State_Enabled
        option.rect = rect
        self.style().drawPrimitive(QStyle.PrimitiveElement.PE_IndicatorCheckBox, option, painter, self)
        return rect
