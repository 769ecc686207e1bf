"""ctkSearchBox: a line edit for searching, with a button that clears it."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QIcon, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from slicer_testing.registry import slicer_widget

_ICON_SIZE = 32


@slicer_widget
class ctkSearchBox(QLineEdit):
    """A line edit with a cross that clears it and, optionally, a lens that selects its text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clear_icon, self._search_icon = _drawn_icon(_cross), _drawn_icon(_lens)
        self._show_search = False
        self.setPlaceholderText("Search...")
        self.setMouseTracking(True)

    def clearIcon(self) -> QIcon:
        return self._clear_icon

    def setClearIcon(self, icon: QIcon) -> None:
        self._clear_icon = icon
        self.update()

    def searchIcon(self) -> QIcon:
        return self._search_icon

    def setSearchIcon(self, icon: QIcon) -> None:
        self._search_icon = icon
        self.update()

    def showSearchIcon(self) -> bool:
        return self._show_search

    def setShowSearchIcon(self, show: bool) -> None:
        self._show_search = bool(show)
        self._set_margins()
        self.update()

    def _search_rect(self) -> QRect:
        rect = self.contentsRect().adjusted(2, 2, -2, -2)
        rect.setWidth(rect.height())
        return rect

    def _clear_rect(self) -> QRect:
        rect = self._search_rect()
        rect.moveLeft(self.width() - rect.width() - rect.left())
        return rect

    def _set_margins(self) -> None:
        left = self._search_rect().right() if self._show_search else 0
        self.setTextMargins(left, 0, self.width() - self._clear_rect().left(), 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._set_margins()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        point = event.position().toPoint()
        if self._clear_rect().contains(point):
            self.clear()
            self.textEdited.emit(self.text())
        elif self._show_search and self._search_rect().contains(point):
            self.selectAll()
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = event.position().toPoint()
        over = self._clear_rect().contains(point) or (self._show_search and self._search_rect().contains(point))
        shape = Qt.CursorShape
        self.setCursor(shape.PointingHandCursor if over else shape.ArrowCursor if self.isReadOnly() else shape.IBeamCursor)
        super().mouseMoveEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        mode = QIcon.Mode.Normal if self.isEnabled() else QIcon.Mode.Disabled
        if self.text():
            self._clear_icon.paint(painter, self._clear_rect(), mode=mode)
        if self._show_search:
            self._search_icon.paint(painter, self._search_rect(), mode=mode)
        painter.end()


def _drawn_icon(draw: object) -> QIcon:
    pixmap = QPixmap(_ICON_SIZE, _ICON_SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(Qt.GlobalColor.gray, 4))
    draw(painter)
    painter.end()
    return QIcon(pixmap)


def _cross(painter: QPainter) -> None:
    painter.drawLine(QPoint(9, 9), QPoint(23, 23))
    painter.drawLine(QPoint(23, 9), QPoint(9, 23))


def _lens(painter: QPainter) -> None:
    painter.drawEllipse(QRectF(5, 5, 15, 15))
    painter.drawLine(QPoint(18, 18), QPoint(27, 27))
