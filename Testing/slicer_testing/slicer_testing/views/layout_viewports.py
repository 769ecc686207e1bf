"""Viewports: the widgets that a layout manager puts its views into."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget

MAIN_VIEWPORT = ""
"""Name of the viewport in the application's main window; the others have windows of their own."""


@slicer_widget
class ctkLayoutManager(QObject):
    """The viewports, and the spacing of all layouts.

    Args:
        parent: parent object.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewports: dict[str, QWidget] = {}
        self._spacing = 1

    def viewport(self, name: str = MAIN_VIEWPORT) -> QWidget | None:
        """Return the widget of a viewport."""
        return self._viewports.get(name)

    def viewportNames(self) -> list[str]:
        """Return the names of all viewports; the main one's is empty."""
        return list(self._viewports)

    def spacing(self) -> int:
        """Return the pixels between views."""
        return self._spacing


@slicer_widget
class ctkLayoutFactory(ctkLayoutManager):
    """A layout manager that gets its views from factories.

    Args:
        parent: parent object.
    """
