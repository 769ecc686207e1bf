"""Viewports: the widgets that a layout manager puts its views into."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget

MAIN_VIEWPORT = ""
"""Name of the viewport in the application's window; others have windows of their own."""


@slicer_widget
class ctkLayoutManager(QObject):
    """Viewports, and what is common to all layouts.

    Args:
        parent: owner.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewports: dict[str, QWidget] = {}
        self._spacing = 1

    def viewport(self, name: str = MAIN_VIEWPORT) -> QWidget | None:
        """The widget that views lie in."""
        return self._viewports.get(name)

    def viewportNames(self) -> list[str]:
        """Names of all viewports; the main one's is empty."""
        return list(self._viewports)

    def spacing(self) -> int:
        """Pixels between views."""
        return self._spacing


@slicer_widget
class ctkLayoutFactory(ctkLayoutManager):
    """A layout manager that asks factories for views.

    Args:
        parent: owner.
    """
