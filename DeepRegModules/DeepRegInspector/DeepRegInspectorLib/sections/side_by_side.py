"""Fixed and moving views side by side, the moving ones following the fixed ones through the transform."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from slicer.i18n import tr as _

from DeepRegInspectorLib import views
from DeepRegInspectorLib.mapping import FixedToMoving, isBelow
from DeepRegInspectorLib.sections.base import Section


class SideBySideSection(Section):
    """The button Side by side, and what links the views."""

    name = "sideBySide"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._linked: list[tuple[Any, int]] = []
        self._places: dict[str, np.ndarray] = {}
        self._mapping = FixedToMoving(None)
        self.ui.sideBySideButton.connect("toggled(bool)", self._onSideBySide)

    def refresh(self) -> None:
        self._mapping = FixedToMoving(self.node.transform)

    def enable(self) -> None:
        self.allow(self.ui.sideBySideButton, self.context.volumes(), _("Choose the fixed and the moving volume first."))
        with self.context.quiet():
            self.ui.sideBySideButton.checked = views.isSideBySide()

    def resume(self) -> None:
        if views.isSideBySide():
            self._link()

    def rest(self) -> None:
        self._unlink()

    def _onSideBySide(self, on: bool) -> None:
        node = self.node
        if self.context.updating or node is None:
            return
        views.setSideBySide(on, node.fixedVolume, node.movingVolume)
        if on and node.overlay == "none" and node.map == "none":
            views.setLayers(node.fixedVolume, None, 0.0)
        views.assign(node.fixedPoints, node.movingPoints, node.vectors)
        self._link() if on else self._unlink()
        self.context.refreshSoon()

    def jump(self, fixed: np.ndarray, moving: np.ndarray) -> None:
        """Bring the views to a pair.

        Args:
            fixed: (3,), RAS mm.
            moving: (3,), RAS mm, below the transform.
        """
        self._unlink()
        views.jump(fixed, self.seenMoving(moving))
        self._link()

    def seenMoving(self, point: np.ndarray) -> np.ndarray:
        """Where a moving point is seen: the moving volume may be under the transform."""
        if not isBelow(self.node.movingVolume, self.node.transform):
            return point
        general = vtk.vtkGeneralTransform()
        self.node.transform.GetTransformToWorld(general)
        return np.array(general.TransformPoint(point.tolist()))

    def _link(self) -> None:
        self._unlink()
        theirs = views.movingNodes()
        if not theirs:
            return
        for node in views.fixedNodes()[:len(theirs)]:
            self._linked.append((node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onSlice)))
            self._places[node.GetID()] = _place(node)

    def _unlink(self) -> None:
        for node, tag in self._linked:
            node.RemoveObserver(tag)
        self._linked = []

    def _onSlice(self, caller: Any, _event: Any) -> None:
        place = _place(caller)
        if np.allclose(place, self._places.get(caller.GetID(), place + 1.0), atol=1e-4):
            return
        self._places[caller.GetID()] = place
        moving = self.seenMoving(self._mapping(place[None])[0])
        ours = [node.GetID() for node, _tag in self._linked]
        for identifier, node in zip(ours, views.movingNodes()):
            if identifier == caller.GetID():
                node.JumpSliceByCentering(*moving)


def _place(sliceNode: Any) -> np.ndarray:
    """Middle of a slice view, RAS mm."""
    matrix = sliceNode.GetSliceToRAS()
    return np.array([matrix.GetElement(axis, 3) for axis in range(3)])
