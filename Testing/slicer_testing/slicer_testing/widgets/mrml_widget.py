"""Base classes of the widgets with a scene."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.mrml_observation import Observations


class SceneWidget(QWidget):
    """A widget with a scene; children that need the scene connect to ``mrmlSceneChanged``."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None
        self._observations = Observations(self)

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene and pass it to the children; the same scene again has no effect."""
        if scene is self._scene:
            return
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)


@slicer_widget
class qMRMLWidget(SceneWidget):
    """The base class of the MRML widgets."""

    def mrmlScene(self) -> Any:
        """Return the scene, None at first."""
        return self._scene


@slicer_widget
class qSlicerWidget(SceneWidget):
    """The base class of the widgets and panels of modules."""
