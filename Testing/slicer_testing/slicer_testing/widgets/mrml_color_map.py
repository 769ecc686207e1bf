"""The colours of displacements, as a bar with their values."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QLinearGradient, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QColorDialog, QWidget

_MARGIN = 10


class ColorMapWidget(QWidget):
    """Shows a colour transfer function; points can be dragged along the bar, and a double click changes the colour of one."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("ColorMapWidget")
        self.setMinimumHeight(56)
        self._map = vtk.vtkColorTransferFunction()
        self._dragged = -1

    def map(self) -> Any:
        """Return a copy of the colours that are shown."""
        copy = vtk.vtkColorTransferFunction()
        copy.DeepCopy(self._map)
        return copy

    def set_map(self, color_map: Any) -> None:
        """Show a copy of a colour transfer function."""
        if color_map is not None and self._dragged < 0:
            self._map.DeepCopy(color_map)
            self.update()

    def _points(self) -> list[tuple[float, QColor]]:
        points = []
        for index in range(self._map.GetSize()):
            value = [0.0] * 6
            self._map.GetNodeValue(index, value)
            points.append((value[0], QColor.fromRgbF(*(min(max(part, 0.0), 1.0) for part in value[1:4]))))
        return points

    def _bar(self) -> QRectF:
        return QRectF(_MARGIN, 4, self.width() - 2 * _MARGIN, self.height() - 28)

    def _upper(self) -> float:
        return max([position for position, _ in self._points()], default=1.0) or 1.0

    def _x(self, position: float) -> float:
        return self._bar().left() + self._bar().width() * position / self._upper()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bar, the points and their values in mm."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bar = self._bar()
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for position, color in self._points():
            gradient.setColorAt(min(max(position / self._upper(), 0.0), 1.0), color)
        painter.fillRect(bar, gradient)
        painter.setPen(self.palette().color(self.foregroundRole()))
        for position, color in self._points():
            point = QPointF(self._x(position), bar.bottom())
            painter.setBrush(color)
            painter.drawEllipse(point, 4, 4)
            painter.drawText(QRectF(point.x() - 30, bar.bottom() + 5, 60, 16), Qt.AlignmentFlag.AlignCenter, f"{position:g}")

    def _at(self, event: QMouseEvent) -> int:
        return next((index for index, (position, _) in enumerate(self._points()) if abs(self._x(position) - event.position().x()) < 6), -1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Start to drag a point."""
        self._dragged = self._at(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the dragged point between its neighbours; the last point sets the range."""
        points = self._points()
        if self._dragged <= 0:
            return
        position = (event.position().x() - self._bar().left()) / self._bar().width() * self._upper()
        low = points[self._dragged - 1][0]
        high = points[self._dragged + 1][0] if self._dragged + 1 < len(points) else float("inf")
        self._set_node(self._dragged, min(max(position, low), high), points[self._dragged][1])

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Stop dragging."""
        self._dragged = -1

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ask the user for the colour of a point."""
        index = self._at(event)
        if index >= 0:
            position, color = self._points()[index]
            chosen = QColorDialog.getColor(color, self)
            if chosen.isValid():
                self._set_node(index, position, chosen)

    def _set_node(self, index: int, position: float, color: QColor) -> None:
        value = [0.0] * 6
        self._map.GetNodeValue(index, value)
        value[:4] = [position, color.redF(), color.greenF(), color.blueF()]
        self._map.SetNodeValue(index, value)
        self.update()
        self.changed.emit()
