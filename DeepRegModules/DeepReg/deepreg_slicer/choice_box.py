"""A combo box that shows titles for the values of a parameter."""

from __future__ import annotations

from typing import Any

import qt

from deepreg_slicer.signals import Signal


class ChoiceBox:
    """Offers the choices of a parameter under titles.

    Args:
        widget: the combo box.
        choices: value, title and tool tip.

    Signals: ``changed(value)``, when the user has chosen.
    """

    def __init__(self, widget: Any, choices: tuple[tuple[str, str, str], ...]) -> None:
        self.changed = Signal()
        self.widget = widget
        widget.clear()
        for number, (value, title, about) in enumerate(choices):
            widget.addItem(title, value)
            widget.setItemData(number, about, qt.Qt.ToolTipRole)
        widget.connect("activated(int)", lambda index: self.changed.emit(widget.itemData(index)))

    def show(self, value: str) -> None:
        """Show a value."""
        index = self.widget.findData(value)
        if self.widget.currentIndex != index:
            self.widget.setCurrentIndex(index)
