"""Plays sequences: advances the browsers of a scene with time, as long as one of them plays."""

from __future__ import annotations

from typing import Any

import vtk
from PySide6.QtCore import QObject, QTimer

# Milliseconds between two updates; the logic decides from a browser's rate whether its next item is due.
_INTERVAL = 20


class SequencePlayer(QObject):
    """Follows the browsers of a scene.

    Args:
        scene: of the application.
        logic: of the Sequences module.
    """

    def __init__(self, scene: Any, logic: Any) -> None:
        super().__init__()
        self._scene, self._logic = scene, logic
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL)
        self._timer.timeout.connect(self._step)

        def added(_scene: Any, _event: str, node: Any) -> None:
            if node is not None and node.IsA("vtkMRMLSequenceBrowserNode"):
                node.AddObserver("ModifiedEvent", lambda browser, _: self._update(browser))
                self._update(node)

        added.CallDataType = vtk.VTK_OBJECT
        scene.AddObserver(scene.NodeAddedEvent, added)

    def _update(self, browser: Any) -> None:
        if browser.GetPlaybackActive() and not self._timer.isActive():
            self._timer.start()

    def _step(self) -> None:
        self._logic.UpdateAllProxyNodes()
        browsers = self._scene.GetNodesByClass("vtkMRMLSequenceBrowserNode")
        browsers.UnRegister(None)  # the caller owns a reference
        if not any(browser.GetPlaybackActive() for browser in browsers):
            self._timer.stop()
