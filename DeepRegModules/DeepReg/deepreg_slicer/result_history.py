"""Deletion and renaming of results, and their undoing. Slicer's own undo is off by default, and works on the whole scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_slicer import result_view, results
from deepreg_slicer.parents import shownThrough


class ResultHistory:
    """Changes results, and undoes the changes, the last one first."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, Callable[[], None]]] = []

    @property
    def next(self) -> str:
        """What would be undone next; "" for nothing."""
        return self._steps[-1][0] if self._steps else ""

    def clear(self) -> None:
        """Forget all steps, when another scene is opened."""
        self._steps = []

    def undo(self) -> None:
        """Undo the last step."""
        if self._steps:
            self._steps.pop()[1]()

    def ran(self, transform: Any) -> None:
        """Record a new result, which can be undone."""
        self._steps.append((_("run {title}").format(title=results.titleOf(transform)), lambda: _remove([transform])))

    def brought(self, transform: Any, nodes: list[Any]) -> None:
        """Record the nodes that were brought along with a result; this step can be undone by itself."""
        title = results.titleOf(transform)
        self._steps.append((_("data brought along with {title}").format(title=title), lambda: _removeNodes(nodes)))

    def rename(self, transform: Any, title: str) -> str:
        """Rename a result; returns its name.

        Raises:
            ValueError: if the name is empty.
        """
        former = results.titleOf(transform)
        name = results.rename(transform, title)
        if name != former:
            self._steps.append((_("renaming of {title}").format(title=former), lambda: _renameBack(transform, former)))
        return name

    def delete(self, transforms: list[Any]) -> None:
        """Remove results, and all that came along with them."""
        titles = ", ".join(results.titleOf(transform) for transform in transforms)
        restore = _remove(transforms)
        self._steps.append((_("deletion of {titles}").format(titles=titles), restore))


def _removeNodes(nodes: list[Any]) -> None:
    for node in nodes:
        if node.GetScene() is slicer.mrmlScene:
            slicer.mrmlScene.RemoveNode(node)


def _renameBack(transform: Any, title: str) -> None:
    if transform.GetScene() is slicer.mrmlScene:
        results.rename(transform, title)


def _remove(transforms: list[Any]) -> Callable[[], None]:
    """Remove the nodes of results from the scene; returns a function that puts them back."""
    shown = [node for node in slicer.util.getNodesByClass("vtkMRMLTransformableNode") if shownThrough(node) in transforms]
    through = [(node, shownThrough(node)) for node in shown]
    for node, transform in through:
        result_view.moveThrough(node, transform, False)
    removed: list[tuple[Any, list[Any]]] = []
    for transform in transforms:
        if transform.GetScene() is not slicer.mrmlScene:
            continue
        result_view.showGrid(transform, None, False)
        result_view.hideBar(result_view.displayOf(transform))
        for node in results.nodesOf(transform):
            removed.append((node, _displays(node)))
            slicer.mrmlScene.RemoveNode(node)

    def restore() -> None:
        for node, displays in removed:
            for each in (*displays, node):  # the node finds its display nodes when it is added
                if each.GetScene() is None:
                    slicer.mrmlScene.AddNode(each)
        for node, transform in through:
            if node.GetScene() is slicer.mrmlScene:
                result_view.moveThrough(node, transform, True)

    return restore


def _displays(node: Any) -> list[Any]:
    """Return the display nodes of a node, which leave the scene with it."""
    if not node.IsA("vtkMRMLDisplayableNode"):
        return []
    return [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]
