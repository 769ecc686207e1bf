"""The icons of the buttons in these widgets, which are drawn."""

from __future__ import annotations

import functools
from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

_SIZE = 32
_INK = QColor(70, 70, 70)


@functools.cache
def icon(name: str) -> QIcon:
    """Return an icon by name: visible, invisible, lock, unlock, place, delete, clear, more, grid, glyph or contour."""
    pixmap = QPixmap(_SIZE, _SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(_INK, 2.5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    _DRAWINGS[name](painter)
    painter.end()
    return QIcon(pixmap)


def _eye(painter: QPainter, lid: bool = False) -> None:
    outline = QPainterPath(QPointF(3, 16))
    outline.quadTo(16, 2, 29, 16)
    outline.quadTo(16, 30, 3, 16)
    painter.drawPath(outline)
    painter.setBrush(_INK)
    painter.drawEllipse(QPointF(16, 16), 4, 4)
    if lid:
        painter.setPen(QPen(QColor(190, 40, 40), 3))
        painter.drawLine(5, 27, 27, 5)


def _lock(painter: QPainter, open_: bool = False) -> None:
    painter.drawArc(QRectF(15 if open_ else 9, 4, 14, 20), 0, 180 * 16)
    painter.setBrush(QColor(230, 180, 60))
    painter.drawRoundedRect(QRectF(5, 14, 20, 14), 2, 2)


def _place(painter: QPainter) -> None:
    painter.setBrush(QColor(200, 50, 60))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawEllipse(QPointF(11, 11), 7, 7)
    painter.setPen(QPen(QColor(40, 130, 60), 3.5))
    painter.drawLine(23, 16, 23, 30)
    painter.drawLine(16, 23, 30, 23)


def _delete(painter: QPainter) -> None:
    painter.drawLine(6, 8, 26, 8)
    painter.drawLine(13, 5, 19, 5)
    painter.drawPolyline([QPointF(8, 8), QPointF(10, 28), QPointF(22, 28), QPointF(24, 8)])
    for x in (13, 16, 19):
        painter.drawLine(x, 12, x, 24)


def _clear(painter: QPainter) -> None:
    painter.drawEllipse(QPointF(16, 16), 9, 9)
    painter.setPen(QPen(QColor(190, 40, 40), 3))
    painter.drawLine(8, 24, 24, 8)


def _more(painter: QPainter) -> None:
    painter.setBrush(_INK)
    for x in (6, 16, 26):
        painter.drawEllipse(QPointF(x, 16), 1.5, 1.5)


def _grid(painter: QPainter) -> None:
    for shift in (6, 16, 26):
        path = QPainterPath(QPointF(3, shift))
        path.cubicTo(12, shift - 5, 20, shift + 5, 29, shift)
        painter.drawPath(path)
        path = QPainterPath(QPointF(shift, 3))
        path.cubicTo(shift - 5, 12, shift + 5, 20, shift, 29)
        painter.drawPath(path)


def _glyph(painter: QPainter) -> None:
    for x, y in ((4, 14), (14, 22), (15, 10)):
        painter.drawLine(x, y, x + 12, y - 6)
        painter.drawPolyline([QPointF(x + 7, y - 7), QPointF(x + 12, y - 6), QPointF(x + 9, y - 1)])


def _contour(painter: QPainter) -> None:
    for radius in (4, 9, 14):
        painter.drawEllipse(QPointF(16, 16), radius, radius * 0.8)


_DRAWINGS: dict[str, Callable[[QPainter], None]] = {
    "visible": _eye,
    "invisible": lambda painter: _eye(painter, lid=True),
    "lock": _lock,
    "unlock": lambda painter: _lock(painter, open_=True),
    "place": _place,
    "delete": _delete,
    "clear": _clear,
    "more": _more,
    "grid": _grid,
    "glyph": _glyph,
    "contour": _contour,
}
