"""Sizes that follow the font of the application, and colours that can be read on its palette, light or dark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import qt

#: Tones of a message.
BAD, CAUTION, GOOD, PLAIN = "bad", "caution", "good", ""
# Colour on a light and on a dark background: each has a contrast above 4.5.
_TONES = {BAD: ("#c03020", "#ff9080"), CAUTION: ("#8a5000", "#f0b040"), GOOD: ("#207030", "#7fd890")}
# Lightness, 0 to 255, below which a background counts as dark.
_MIDDLE = 128
# Pixels between a text and the borders of its cell, at the sides and in all above and below.
_BESIDE, _ABOVE = 8, 6
# Width of the tick box of a cell, in heights of the font.
_TICK = 1.6


def isDark(widget: Any) -> bool:
    """Return whether a widget has a dark background."""
    return widget.palette.color(qt.QPalette.Window).lightness() < _MIDDLE


def toneColor(widget: Any, tone: str) -> str:
    """Return the colour of a tone on the background of a widget, as "#rrggbb"."""
    return _TONES[tone][isDark(widget)]


def setTone(label: Any, tone: str) -> None:
    """Give the text of a label a tone; :data:`PLAIN` gives it the colour of the palette."""
    label.setStyleSheet(f"color: {toneColor(label, tone)};" if tone else "")


def textWidth(widget: Any, text: str) -> int:
    """Return the width of the longest line of a text in the font of a widget, pixels."""
    metrics = widget.fontMetrics()
    return max(metrics.horizontalAdvance(line) for line in text.split("\n"))


def pixelRatio(widget: Any) -> float:
    """Return the pixels of the screen for each pixel of a widget: 2 on a screen of high resolution."""
    read = getattr(widget, "devicePixelRatioF", None)
    return float(read()) if callable(read) else 1.0


def setRowHeight(table: Any, boxes: bool = False) -> None:
    """Give the rows of a table the height of its font; with ``boxes`` there is room for the frames of combo boxes."""
    table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + (2 if boxes else 1) * _ABOVE)


def keepHeading(table: Any, column: int) -> None:
    """Keep all columns at least as wide as the heading of one column, which is stretched and could otherwise lose all its width."""
    header = table.horizontalHeader()
    header.setMinimumSectionSize(header.sectionSizeHint(column))


def setColumnWidths(table: Any, samples: Mapping[int, str], ticks: tuple[int, ...] = ()) -> None:
    """Give columns of a table the width of their headings, and of a sample of their texts.

    Args:
        table: the widget; it has its headings.
        samples: column to a text that has to be seen whole; "" for the heading alone.
        ticks: columns with a tick box in each cell.
    """
    header = table.horizontalHeader()
    for column, sample in samples.items():
        item = table.horizontalHeaderItem(column)
        width = max(textWidth(header, item.text()) if item is not None else 0, textWidth(table, sample))
        if column in ticks:
            width += round(_TICK * table.fontMetrics().height())
        table.setColumnWidth(column, width + 2 * _BESIDE)
