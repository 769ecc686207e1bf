"""Probabilities of displacements as three pictures in the panel: sums along each axis, with scales in millimetres.

The pictures lie along the axes of the fixed volume in radiological orientation: the patient's right on the left, anterior and superior
above, anterior on the left of the sagittal one.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import qt
from slicer.i18n import tr as _

from deepreg_slicer.appearance import pixelRatio
from DeepRegInspectorLib.explain_shown import HEAT

# Letters of the lower and the upper end of R, A and S.
_LETTERS = ("LR", "PA", "IS")
_TITLES = (_("axial"), _("coronal"), _("sagittal"))
_CROSS = "#ffffff"
# Pixels: longest side of a picture, margins around and between the pictures, and height of letters.
_SIDE, _LEFT, _BETWEEN, _RIGHT, _TOP, _BELOW, _FONT = 96, 20, 32, 12, 18, 32, 11


@dataclass(frozen=True)
class Plane:
    """One picture.

    Args:
        title: the nearest anatomical plane.
        values: sums of probabilities (rows, columns), the first row at the top.
        left, right, above, below: letters of the ends of its axes.
    """

    title: str
    values: np.ndarray
    left: str
    right: str
    above: str
    below: str


def anatomical(probability: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return probabilities (z, y, x) of a grid with their axes in the order S, A, R, each ascending, by the nearest axes of the grid.

    Args:
        directions: columns are the unit vectors of the grid's axes x, y, z in RAS.
    """
    directions = np.asarray(directions, dtype=np.float64)
    order = max(itertools.permutations(range(3)), key=lambda axes: sum(abs(directions[world, axis]) for world, axis in enumerate(axes)))
    # order[world] is the axis of the grid for R, A, S; arrays have their axes in reverse order.
    turned = probability.transpose([2 - order[2], 2 - order[1], 2 - order[0]])
    for world in range(3):
        if directions[world, order[world]] < 0:
            turned = np.flip(turned, axis=2 - world)
    return turned


def planes(probability: np.ndarray, directions: np.ndarray) -> list[Plane]:
    """Return the three pictures of probabilities (z, y, x); arguments as in :func:`anatomical`."""
    array = anatomical(probability, directions)  # S, A, R
    found = []
    for gone, (up, across), title in zip((0, 1, 2), ((1, 0), (2, 0), (2, 1)), _TITLES, strict=True):
        values = array.sum(axis=gone)[::-1, ::-1]  # right and anterior on the left, anterior and superior above
        below, above = _LETTERS[up]
        right, left = _LETTERS[across]
        found.append(Plane(title, values, left, right, above, below))
    return found


def draw(probability: np.ndarray, directions: np.ndarray, step: float, label: Any) -> Any:
    """Draw the three pictures beside each other, as a pixmap in the colours and the resolution of a label, at most as wide as the label.

    Args:
        probability: of displacements (z, y, x); the central one is no displacement.
        directions: columns are the unit vectors of its axes x, y, z in RAS.
        step: distance of neighbouring displacements, mm.
        label: that will show it.
    """
    shown = planes(probability, directions)
    count = len(shown[0].values)
    cell = max(1, min(max(3, _SIDE // count), (label.width - _LEFT - 2 * _BETWEEN - _RIGHT) // (3 * count)))
    side = cell * count
    ratio = pixelRatio(label)
    pixmap = qt.QPixmap(round(ratio * (_LEFT + 3 * side + 2 * _BETWEEN + _RIGHT)), round(ratio * (_TOP + side + _BELOW)))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(label.palette.color(qt.QPalette.Window))
    inks = tuple(label.palette.color(group, qt.QPalette.WindowText) for group in (qt.QPalette.Active, qt.QPalette.Disabled))
    painter = qt.QPainter()
    painter.begin(pixmap)
    try:
        font = qt.QFont()
        font.setPixelSize(_FONT)
        painter.setFont(font)
        for number, plane in enumerate(shown):
            _drawPlane(painter, font, plane, _LEFT + number * (side + _BETWEEN), _TOP, cell, step, inks)
    finally:
        painter.end()
    return pixmap


def _drawPlane(painter: Any, font: Any, plane: Plane, left: int, top: int, cell: int, step: float, inks: tuple[Any, Any]) -> None:
    count = len(plane.values)
    side, middle = cell * count, count // 2
    highest = max(float(plane.values.max()), 1e-12)
    colors = _colors()
    painter.fillRect(left, top, side, side, colors[0])
    levels = np.rint(255.0 * plane.values / highest).astype(int)
    for row, column in np.argwhere(levels > 0).tolist():
        painter.fillRect(left + column * cell, top + row * cell, cell, cell, colors[levels[row, column]])
    painter.setPen(qt.QColor(_CROSS))
    centre = middle * cell + cell // 2
    for a, b in ((0, centre - cell), (centre + cell, side - 1)):  # marks the result; the cell itself stays visible
        painter.drawLine(left + a, top + centre, left + b, top + centre)
        painter.drawLine(left + centre, top + a, left + centre, top + b)
    painter.setPen(inks[0])
    _text(painter, font, left + side // 2, top - 5, plane.title)
    _text(painter, font, left - 8, top + _FONT - 1, plane.above)
    _text(painter, font, left - 8, top + side - 2, plane.below)
    _text(painter, font, left + 4, top + side + _FONT + 2, plane.left)
    _text(painter, font, left + side - 4, top + side + _FONT + 2, plane.right)
    painter.setPen(inks[1])
    for place in (0, middle, count - 1):
        tick = left + place * cell + cell // 2
        painter.drawLine(tick, top + side, tick, top + side + 3)
    reach = step * middle
    _text(painter, font, left + side // 2, top + side + 2 * _FONT + 6, _("\u00b1 {reach:.2f} mm").format(reach=reach).replace(".00", ""))


def _text(painter: Any, font: Any, middle: int, base: int, text: str) -> None:
    width = qt.QFontMetrics(font).horizontalAdvance(text)
    painter.drawText(int(middle - width // 2), int(base), text)


@functools.cache
def _colors() -> list[Any]:
    """Return the colours of probabilities over black."""
    place = np.linspace(0.0, len(HEAT) - 1.0, 256)
    channels = np.stack([np.interp(place, range(len(HEAT)), HEAT[:, channel]) for channel in range(4)], axis=1)
    return [qt.QColor(*color) for color in np.rint(255 * channels[:, 3:] * channels[:, :3]).astype(int).tolist()]
