"""A collapsible section with a scene."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_collapsible_button import ctkCollapsibleButton


@slicer_widget
class qMRMLCollapsibleButton(ctkCollapsibleButton):
    """Passes its scene to its children through ``mrmlSceneChanged``."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, *arguments: str | QWidget) -> None:
        super().__init__(*arguments)
        self._scene = None

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene; nothing happens for the same one."""
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)
