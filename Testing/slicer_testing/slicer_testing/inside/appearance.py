"""Fonts and colours of an application as users choose them, and what of a panel is then cut off; written for PythonQt, in both backends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import qt

_DARK = {
    "Window": (45, 45, 45),
    "WindowText": (235, 235, 235),
    "Base": (30, 30, 30),
    "AlternateBase": (40, 40, 40),
    "Text": (235, 235, 235),
    "Button": (60, 60, 60),
    "ButtonText": (235, 235, 235),
    "ToolTipBase": (60, 60, 60),
    "ToolTipText": (235, 235, 235),
    "Link": (110, 170, 250),
    "Highlight": (50, 110, 190),
    "HighlightedText": (255, 255, 255),
}


@contextlib.contextmanager
def appearance(points: float, dark: bool) -> Iterator[None]:
    """Give the application a font of a size in points, and a dark or its own palette, until the end of a ``with`` block."""
    font, palette = qt.QFont(qt.QApplication.font()), qt.QPalette(qt.QApplication.palette())
    chosen, colours = qt.QFont(font), qt.QPalette(palette)
    chosen.setPointSizeF(float(points))
    for role, colour in _DARK.items() if dark else ():
        colours.setColor(getattr(qt.QPalette, role), qt.QColor(*colour))
    try:
        qt.QApplication.setFont(chosen)
        qt.QApplication.setPalette(colours)
        yield
    finally:
        qt.QApplication.setFont(font)
        qt.QApplication.setPalette(palette)


def clipped(panel: Any) -> list[str]:
    """Return what of a shown panel is cut off: texts of labels and buttons that are wider than their widget, and of table headers.

    Texts that are broken into lines are too high instead of too wide. A label or button that shows on purpose only a part of its text
    has the property ``elided``.
    """
    found = []
    for label in panel.findChildren(qt.QLabel):
        if label.visible and label.text and not label.property("elided"):
            wanted = (label.minimumSizeHint if label.wordWrap else label.sizeHint).width()
            if label.width < wanted:
                found.append(f"{label.objectName or 'label'} {label.text[:40]!r}: {label.width} of {wanted} pixels")
            elif label.wordWrap and label.height < label.heightForWidth(label.width):
                high = label.heightForWidth(label.width)
                found.append(f"{label.objectName or 'label'} {label.text[:40]!r}: {label.height} of {high} pixels high")
    for button in panel.findChildren(qt.QAbstractButton):
        # The button of a folder shortens its path by itself.
        shortens = button.property("elided") or button.parentWidget().inherits("ctkDirectoryButton")
        if button.visible and button.text and not shortens and button.width < button.sizeHint.width() - 2:
            found.append(f"{button.objectName or 'button'} {button.text!r}: {button.width} of {button.sizeHint.width()} pixels")
    for header in panel.findChildren(qt.QHeaderView):
        found += _clipped_sections(header)
    return found


def _clipped_sections(header: Any) -> list[str]:
    if not header.visible or header.orientation() != qt.Qt.Horizontal:
        return []
    model, found = header.model(), []
    for section in range(header.count()):
        text = model.headerData(section, qt.Qt.Horizontal)
        wanted = header.sectionSizeHint(section)
        if text and not header.isSectionHidden(section) and header.sectionSize(section) < wanted:
            found.append(f"header {text!r}: {header.sectionSize(section)} of {wanted} pixels")
    return found
