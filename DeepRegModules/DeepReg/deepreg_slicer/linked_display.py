"""Displays of volumes with the same window and level."""

from __future__ import annotations

from typing import Any

import slicer
import vtk


class LinkedDisplays:
    """Keeps window and level of display nodes equal; at the end they get those that they had.

    Args:
        leader: node whose window and level the others get.
        others: nodes.
        kept: nodes that do not get their own window and level back at the end, such as temporary ones.
    """

    def __init__(self, leader: Any, others: list[Any], kept: tuple[Any, ...] = ()) -> None:
        self._nodes = [leader, *(node for node in others if node is not None and node is not leader)]
        self._former = {node.GetID(): _stateOf(node) for node in self._nodes if not any(node is other for other in kept)}
        self._setting = False
        self._tags = [(node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onModified)) for node in self._nodes]
        self._onModified(leader)

    def _onModified(self, caller: Any, _event: Any = None) -> None:
        if self._setting:
            return
        self._setting = True
        try:
            window, level = caller.GetWindow(), caller.GetLevel()
            for node in self._nodes:
                if node is not caller and (node.GetWindow(), node.GetLevel()) != (window, level):
                    node.SetAutoWindowLevel(False)
                    node.SetWindowLevel(window, level)
        finally:
            self._setting = False

    def end(self) -> None:
        """Unlink the displays."""
        for node, tag in self._tags:
            node.RemoveObserver(tag)
        self._tags = []
        for node in self._nodes:
            if node.GetID() in self._former and node.GetScene() is slicer.mrmlScene:
                auto, window, level = self._former[node.GetID()]
                node.SetWindowLevel(window, level)
                node.SetAutoWindowLevel(auto)
        self._nodes = []


def _stateOf(display: Any) -> tuple[bool, float, float]:
    return bool(display.GetAutoWindowLevel()), display.GetWindow(), display.GetLevel()


def leaderOf(fixed: Any, registered: Any) -> Any:
    """Return the display whose window and level suit both volumes: one that the user has set, the fixed one's by default."""
    return registered if fixed.GetAutoWindowLevel() and not registered.GetAutoWindowLevel() else fixed
