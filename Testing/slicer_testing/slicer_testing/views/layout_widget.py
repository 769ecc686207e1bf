"""A widget with views of its own, for modules that show a layout in a panel or a window."""

from __future__ import annotations

import slicer
from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.views.layout import qMRMLLayoutManager


@slicer_widget
class qMRMLLayoutWidget(QWidget):
    """Holds the views of a layout manager.

    Args:
        parent: parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._manager = qMRMLLayoutManager(self, self)

    def layoutManager(self) -> qMRMLLayoutManager:
        """Return the layout manager."""
        return self._manager

    def setLayoutManager(self, manager: qMRMLLayoutManager) -> None:
        """Set the layout manager whose views are shown."""
        self._manager = manager
        manager.setViewport(self)

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Show the views of a scene."""
        self._manager.setMRMLScene(scene)

    def setLayout(self, layout: int) -> None:
        """Set the layout by its number."""
        self._manager.setLayout(layout)
