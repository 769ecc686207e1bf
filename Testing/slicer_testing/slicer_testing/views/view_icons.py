"""The icons of the bars above the views, which are drawn."""

from __future__ import annotations

import functools

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap

SIZE = 32


@functools.cache
def bar_icon(name: str, dark: bool) -> QIcon:
    """Return an icon by name: options, link, visible, fit, center, box or maximize.

    Args:
        name: of the icon.
        dark: whether the lines are dark, for light bars.
    """
    pixmap = QPixmap(SIZE, SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor("#202020" if dark else "white"), 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    _DRAWINGS[name](painter)
    painter.end()
    return QIcon(pixmap)


def _lines(painter: QPainter, *lines: tuple[float, float, float, float]) -> None:
    for x1, y1, x2, y2 in lines:
        painter.drawLine(QPointF(x1, y1), QPointF(x2, y2))


def _options(painter: QPainter) -> None:
    _lines(painter, (5, 9, 27, 9), (5, 16, 27, 16), (5, 23, 27, 23))
    painter.setBrush(painter.pen().color())
    for x, y in ((11, 9), (21, 16), (9, 23)):
        painter.drawEllipse(QPointF(x, y), 2.5, 2.5)


def _link(painter: QPainter) -> None:
    painter.drawRoundedRect(QRectF(3, 11, 14, 10), 5, 5)
    painter.drawRoundedRect(QRectF(15, 11, 14, 10), 5, 5)


def _visible(painter: QPainter) -> None:
    painter.drawEllipse(QRectF(3, 9, 26, 14))
    painter.setBrush(painter.pen().color())
    painter.drawEllipse(QPointF(16, 16), 3.5, 3.5)


def _fit(painter: QPainter) -> None:
    painter.drawRect(QRectF(11, 11, 10, 10))
    for x, y in ((4, 4), (28, 4), (4, 28), (28, 28)):
        _lines(painter, (x, y, x + (6 if x < 16 else -6), y), (x, y, x, y + (6 if y < 16 else -6)))


def _center(painter: QPainter) -> None:
    painter.drawEllipse(QPointF(16, 16), 8, 8)
    _lines(painter, (16, 2, 16, 12), (16, 20, 16, 30), (2, 16, 12, 16), (20, 16, 30, 16))


def _box(painter: QPainter) -> None:
    painter.drawRect(QRectF(4, 11, 17, 17))
    _lines(painter, (4, 11, 11, 4), (21, 11, 28, 4), (21, 28, 28, 21), (11, 4, 28, 4), (28, 4, 28, 21))


def _maximize(painter: QPainter) -> None:
    _lines(painter, (7, 25, 25, 7), (25, 7, 16, 7), (25, 7, 25, 16), (7, 25, 16, 25), (7, 25, 7, 16))


_DRAWINGS = {"options": _options, "link": _link, "visible": _visible, "fit": _fit, "center": _center, "box": _box, "maximize": _maximize}
