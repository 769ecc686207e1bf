"""A combo box with check boxes that stays open while they are clicked."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QModelIndex, QObject
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QWidget


class CheckListBox(QComboBox):
    """Shows a given text, usually the names of the checked entries.

    Args:
        toggle: function that gets the index of a clicked entry and returns whether the entry has a check box.
        parent: parent object.
    """

    def __init__(self, toggle: Callable[[QModelIndex], bool], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._toggle = toggle
        self._text = ""
        self.view().viewport().installEventFilter(self)

    def show_text(self, text: str) -> None:
        """Set the text of the closed box."""
        self._text = text
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Check and uncheck entries by clicks."""
        if event.type() == QEvent.Type.MouseButtonRelease and self._toggle(self.view().indexAt(event.position().toPoint())):
            return True
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the text."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self._text
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
