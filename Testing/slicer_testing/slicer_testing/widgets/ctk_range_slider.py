"""ctkRangeSlider: a slider with two handles."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QHelpEvent, QLinearGradient, QMouseEvent, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QAbstractSlider, QSlider, QStyle, QStyleOptionSlider, QStylePainter, QToolTip, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import enumeration

_GROOVE = QStyle.SubControl.SC_SliderGroove
_HANDLE = QStyle.SubControl.SC_SliderHandle
_NO_HANDLE, _MINIMUM, _MAXIMUM = 0, 1, 2


@slicer_widget
class ctkRangeSlider(QSlider):
    """Two integers within a range. Dragging between the handles moves both.

    Positions are those of the handles; values follow at once with ``tracking``, otherwise when the mouse button is released.
    """

    minimumValueChanged = Signal(int)
    maximumValueChanged = Signal(int)
    valuesChanged = Signal(int, int)
    minimumPositionChanged = Signal(int)
    maximumPositionChanged = Signal(int)
    positionsChanged = Signal(int, int)

    def __init__(self, *arguments: object) -> None:
        """Make a slider, vertical by default.

        Args:
            arguments: the orientation, which is optional, and the parent.
        """
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        self._values = self._positions = (self.minimum(), self.maximum())
        self._symmetric = False
        self._handle_tool_tip = ""
        self._selected = _NO_HANDLE
        self._click_offset = 0
        self._half_width = 0.0
        self.rangeChanged.connect(self._on_range)
        orientation = next((one for one in arguments if one is not None and not isinstance(one, QObject)), None)
        if orientation is not None:
            self.setOrientation(enumeration(Qt.Orientation, orientation))

    # Values

    def minimumValue(self) -> int:
        return self._values[0]

    def setMinimumValue(self, value: int) -> None:
        """Set the lower value; the upper one follows if it is below."""
        self.setValues(value, max(self._values[1], value))

    def maximumValue(self) -> int:
        return self._values[1]

    def setMaximumValue(self, value: int) -> None:
        """Set the upper value; the lower one follows if it is above."""
        self.setValues(min(self._values[0], value), value)

    def setValues(self, low: int, high: int) -> None:
        """Set both values, within the range and in order."""
        new = self._within(low, high)
        old_values, self._values = self._values, new
        old_positions, self._positions = self._positions, new
        if self.isSliderDown():
            self._emit(old_positions, new, self.positionsChanged, self.minimumPositionChanged, self.maximumPositionChanged)
        self._emit(old_values, new, self.valuesChanged, self.minimumValueChanged, self.maximumValueChanged)
        if new not in (old_values, old_positions) or old_values != old_positions:
            self.update()

    def minimumPosition(self) -> int:
        return self._positions[0]

    def setMinimumPosition(self, position: int) -> None:
        self._set_positions(position, max(position, self._positions[1]))

    def maximumPosition(self) -> int:
        return self._positions[1]

    def setMaximumPosition(self, position: int) -> None:
        self._set_positions(min(self._positions[0], position), position)

    def _set_positions(self, low: int, high: int) -> None:
        new = self._within(low, high)
        old = self._positions
        if new == old:
            return
        self._positions = new
        if not self.hasTracking():
            self.update()
        if self.isSliderDown():
            self._emit(old, new, self.positionsChanged, self.minimumPositionChanged, self.maximumPositionChanged)
        if self.hasTracking():
            self.triggerAction(QAbstractSlider.SliderAction.SliderMove)
            self.setValues(*new)

    def _within(self, low: int, high: int) -> tuple[int, int]:
        low, high = sorted((int(low), int(high)))
        return tuple(max(self.minimum(), min(self.maximum(), one)) for one in (low, high))

    @staticmethod
    def _emit(old: tuple[int, int], new: tuple[int, int], both: Signal, first: Signal, second: Signal) -> None:
        if new != old:
            both.emit(*new)
        if new[0] != old[0]:
            first.emit(new[0])
        if new[1] != old[1]:
            second.emit(new[1])

    def _on_range(self, _minimum: int, _maximum: int) -> None:
        self.setValues(*self._values)

    def symmetricMoves(self) -> bool:
        return self._symmetric

    def setSymmetricMoves(self, symmetric: bool) -> None:
        """Move the other handle in the opposite direction when a handle is moved."""
        self._symmetric = bool(symmetric)

    def handleToolTip(self) -> str:
        return self._handle_tool_tip

    def setHandleToolTip(self, text: str) -> None:
        """Set the tool tip of the handles; %1 stands for the value."""
        self._handle_tool_tip = text

    # Geometry

    def _option(self, handle: int = _NO_HANDLE) -> QStyleOptionSlider:
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        if handle != _NO_HANDLE:
            index = handle - _MINIMUM
            option.sliderPosition, option.sliderValue = self._positions[index], self._values[index]
        return option

    def _rect(self, option: QStyleOptionSlider, part: QStyle.SubControl) -> QRect:
        return self.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, self)

    def _along(self, point: QPoint) -> int:
        return point.x() if self.orientation() == Qt.Orientation.Horizontal else point.y()

    def _handle_at(self, point: QPoint) -> int:
        rects = [self._rect(self._option(handle), _HANDLE) for handle in (_MINIMUM, _MAXIMUM)]
        hits = [rect.contains(point) for rect in rects]
        if all(hits):  # the nearer one
            along = self._along(point)
            if self.orientation() == Qt.Orientation.Horizontal:
                distances = (along - rects[0].left(), rects[1].right() - along)
            else:
                distances = (rects[0].bottom() - along, along - rects[1].top())
            return _MINIMUM if distances[0] < distances[1] else _MAXIMUM
        return _MINIMUM if hits[0] else _MAXIMUM if hits[1] else _NO_HANDLE

    def _travel(self) -> tuple[int, int]:
        """Return start and length of the range of a handle in pixels."""
        option = self._option()
        groove, handle = self._rect(option, _GROOVE), self._rect(option, _HANDLE)
        if self.orientation() == Qt.Orientation.Horizontal:
            return groove.x(), groove.width() - handle.width()
        return groove.y(), groove.height() - handle.height()

    def _value_at(self, pixel: int) -> int:
        start, length = self._travel()
        return QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), pixel - start, length, self._option().upsideDown)

    def _pixel_of(self, value: int) -> int:
        start, length = self._travel()
        return start + QStyle.sliderPositionFromValue(self.minimum(), self.maximum(), value, length, self._option().upsideDown)

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.minimum() == self.maximum() or event.buttons() != event.button():
            event.ignore()
            return
        point = event.position().toPoint()
        along = self._along(point)
        handle = self._handle_at(point)
        if handle != _NO_HANDLE:
            self._selected = handle
            rect = self._rect(self._option(handle), _HANDLE)
            self._click_offset = along - self._along(rect.topLeft())
        else:
            rects = [self._rect(self._option(one), _HANDLE) for one in (_MINIMUM, _MAXIMUM)]
            between = rects[0].united(rects[1])
            if not (self._along(between.topLeft()) < along < self._along(between.bottomRight())):
                event.ignore()
                return
            low, high = self._positions
            self._selected = _MINIMUM | _MAXIMUM
            self._half_width = (high - low) / 2.0
            self._click_offset = along - self._pixel_of(int((low + high) / 2.0))
        self.setSliderDown(True)
        self.update()
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._selected == _NO_HANDLE:
            event.ignore()
            return
        position = self._value_at(self._along(event.position().toPoint()) - self._click_offset)
        low, high = self._positions
        if self._selected == _MINIMUM:
            new = min(position, high)
            self._set_positions(new, high + (low - new if self._symmetric else 0))
        elif self._selected == _MAXIMUM:
            new = max(low, position)
            self._set_positions(low - (new - high if self._symmetric else 0), new)
        else:
            self._set_positions(position - int(self._half_width), position + int(self._half_width + 0.5))
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if self._selected != _NO_HANDLE:
            self._selected = _NO_HANDLE
            self.setSliderDown(False)
            self.setValues(*self._positions)
            self.update()
        event.accept()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._handle_tool_tip:
            handle = self._handle_at(event.pos())
            if handle != _NO_HANDLE:
                QToolTip.showText(event.globalPos(), self._handle_tool_tip.replace("%1", str(self._values[handle - _MINIMUM])))
                event.accept()
                return True
        return super().event(event)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = self._option()
        option.subControls = _GROOVE
        if self.tickPosition() != QSlider.TickPosition.NoTicks:
            option.subControls |= QStyle.SubControl.SC_SliderTickmarks
        # Styles fill the groove up to the handle; here only the part between the handles is filled.
        option.sliderPosition = option.sliderValue = self.minimum()
        painter.drawComplexControl(QStyle.ComplexControl.CC_Slider, option)
        self._draw_span(painter)
        order = (_MAXIMUM, _MINIMUM) if self._selected == _MINIMUM else (_MINIMUM, _MAXIMUM)
        for handle in order:
            option = self._option(handle)
            option.subControls = _HANDLE
            if self._selected & handle:
                option.activeSubControls = _HANDLE
                option.state |= QStyle.StateFlag.State_Sunken
            painter.drawComplexControl(QStyle.ComplexControl.CC_Slider, option)
        painter.end()

    def _draw_span(self, painter: QStylePainter) -> None:
        low, high = (self._rect(self._option(handle), _HANDLE).center() for handle in (_MINIMUM, _MAXIMUM))
        groove = self._rect(self._option(), _GROOVE)
        middle = groove.center()
        if self.orientation() == Qt.Orientation.Horizontal:
            span = QRect(QPoint(min(low.x(), high.x()), middle.y() - 2), QPoint(max(low.x(), high.x()), middle.y() + 1))
            gradient = QLinearGradient(middle.x(), span.top(), middle.x(), span.bottom() + 1)
        else:
            span = QRect(QPoint(middle.x() - 2, min(low.y(), high.y())), QPoint(middle.x() + 1, max(low.y(), high.y())))
            gradient = QLinearGradient(span.left(), middle.y(), span.right() + 1, middle.y())
        group = QPalette.ColorGroup.Normal if self.isEnabled() else QPalette.ColorGroup.Disabled
        highlight = self.palette().color(group, QPalette.ColorRole.Highlight)
        gradient.setColorAt(0, highlight.darker(120))
        gradient.setColorAt(1, highlight.lighter(160))
        painter.setPen(QPen(highlight.darker(150), 0))
        painter.setBrush(gradient)
        painter.drawRect(span.intersected(groove))
