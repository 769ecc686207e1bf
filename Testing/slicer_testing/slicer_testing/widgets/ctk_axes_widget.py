"""ctkAxesWidget: a choice of an anatomical direction."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import integer

# Direction of each axis in the drawing, from None to Posterior, in units of the radius.
_ENDS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (0.5, -0.5), (-0.5, 0.5))
_HIT = 0.25


@slicer_widget
class ctkAxesWidget(QWidget):
    """Six axes from one point; a click on an axis selects it."""

    # ``None`` is the application's name of 0, which cannot be written as a name in Python.
    Right, Left, Superior, Inferior, Anterior, Posterior = range(1, 7)

    currentAxisChanged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axis = 0
        self._auto_reset = False
        self._labels = ["R", "L", "S", "I", "A", "P"]

    def currentAxis(self) -> int:
        return self._axis

    def setCurrentAxis(self, axis: int) -> None:
        axis = integer(axis)
        if axis == self._axis:
            return
        self._axis = axis
        self.update()
        self.currentAxisChanged.emit(axis)
        if self._auto_reset:
            self.setCurrentAxisToNone()

    def setCurrentAxisToNone(self) -> None:
        """Select no axis."""
        auto, self._auto_reset = self._auto_reset, False
        self.setCurrentAxis(0)
        self._auto_reset = auto

    def autoReset(self) -> bool:
        return self._auto_reset

    def setAutoReset(self, auto: bool) -> None:
        """Return to no axis after each selection."""
        self._auto_reset = bool(auto)

    def axesLabels(self) -> list[str]:
        return list(self._labels)

    def setAxesLabels(self, labels: list[str]) -> None:
        self._labels = list(labels)
        self.update()

    def _point(self, axis: int, part: float = 1.0) -> QPointF:
        radius = min(self.width(), self.height()) / 2.0 - 12.0
        return QPointF(self.width() / 2.0 + _ENDS[axis][0] * radius * part, self.height() / 2.0 + _ENDS[axis][1] * radius * part)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        reach = min(self.width(), self.height()) * _HIT

        def distance(axis: int) -> float:
            way = at - self._point(axis)
            return math.hypot(way.x(), way.y())

        nearest = min(range(7), key=distance)
        self.setCurrentAxis(nearest if distance(nearest) < reach else 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for axis in range(1, 7):
            chosen = axis == self._axis
            color = self.palette().highlight().color() if chosen else self.palette().text().color()
            painter.setPen(QPen(color, 3 if chosen else 1))
            painter.drawLine(self._point(0), self._point(axis, 0.85))
            end = self._point(axis)
            painter.drawText(QRectF(end.x() - 12, end.y() - 12, 24, 24), Qt.AlignmentFlag.AlignCenter, self._labels[axis - 1])
        painter.end()
