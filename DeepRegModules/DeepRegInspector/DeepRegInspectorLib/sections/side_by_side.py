"""Fixed and moving views side by side, linked through the transform and with the same zoom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from DeepRegInspectorLib import views
from DeepRegInspectorLib.mapping import FixedToMoving, leftOut
from DeepRegInspectorLib.sections.base import Section
from DeepRegInspectorLib.slice_states import Settling, placeOf, scaleOf, setPlace, setScale, sizeOf


class SideBySideSection(Section):
    """The button Side by side, and the link of the views."""

    name = "sideBySide"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._linked: list[tuple[Any, int]] = []
        self._pairs: list[tuple[Any, Any]] = []  # a fixed view and the moving one beside it
        self._shown: dict[str, tuple[np.ndarray, float, Any]] = {}  # last centre, scale and size of each view
        self._following = False
        self._settling: Settling | None = None
        self._kept: dict[str, tuple[np.ndarray, float]] = {}  # place and zoom of each fixed view
        self._target: tuple[np.ndarray, np.ndarray] | None = None  # of a jump before the views have settled
        self._mapping = FixedToMoving(None)
        self.ui.sideBySideButton.connect("toggled(bool)", self._onSideBySide)

    @property
    def busy(self) -> bool:
        return self._settling is not None

    def onParameters(self, changed: set[str]) -> None:
        if changed & {"transform", "fixedVolume", "movingVolume"} and views.isSideBySide() and self.context.volumes():
            self.show()

    def refresh(self) -> None:
        self._mapping = FixedToMoving(self.node.transform)

    def enable(self) -> None:
        self.allow(self.ui.sideBySideButton, self.context.volumes(), _("Choose the fixed and the moving volume first."))
        with self.context.quiet():
            self.ui.sideBySideButton.checked = views.isSideBySide()

    def resume(self) -> None:
        if not views.isSideBySide() or self._settling is not None or self.node is None:
            return
        if self.context.volumes():
            self.show()  # the layout of a saved scene, or the volumes, may be another one
        else:
            self._link()

    def show(self) -> None:
        """Show both volumes side by side, at corresponding places."""
        node = self.node
        self._mapping = FixedToMoving(node.transform)
        self._change(lambda: views.setSideBySide(True, node.fixedVolume, node.movingVolume, views.hasChart()))

    def rest(self) -> None:
        self._stopSettling()
        self._unlink()

    def onViewsPutBack(self) -> None:
        if self.node is not None:
            views.assign(self.node.fixedPoints, self.node.movingPoints, self.node.vectors)

    def forget(self) -> None:
        self._stopSettling()

    def cleanup(self) -> None:
        self._stopSettling()
        self._unlink()

    def _onSideBySide(self, on: bool) -> None:
        node = self.node
        if self.context.updating or node is None:
            return
        self._mapping = FixedToMoving(node.transform)
        self._change(lambda: views.setSideBySide(bool(on), node.fixedVolume, node.movingVolume, views.hasChart()))
        if on and node.overlay == "none" and node.map == "none":
            views.setLayers(node.fixedVolume, None, 0.0)
        views.assign(node.fixedPoints, node.movingPoints, node.vectors)
        self.context.refreshSoon()

    def showChart(self, chart: Any) -> None:
        """Show a chart in the layout side by side, which gets a view for it."""
        selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
        selection.SetReferenceActivePlotChartID(chart.GetID())
        self._change(lambda: views.setSideBySide(True, self.node.fixedVolume, self.node.movingVolume, True))
        slicer.app.applicationLogic().PropagatePlotChartSelection()

    # ----------------------------------------------------------------- arrange

    def _change(self, change: Callable[[], set[str]]) -> None:
        """Change the layout; the fixed views keep place and zoom, unless they show another plane, and the moving ones get theirs."""
        self._stopSettling()
        self._unlink()
        self._kept = {node.GetName(): (placeOf(node), scaleOf(node)) for node in views.fixedNodes()}
        for name in change():
            self._kept.pop(name, None)
        self._settling = Settling(self._arrange, self._stateOfAll, self._onSettled)

    def _arrange(self) -> None:
        """Set place and zoom of all views."""
        logics = [fixed for fixed, _moving in views.pairs()]
        if not logics:  # the former layout is shown again
            for node in views.fixedNodes():
                self._restore(node)
        for fixed, moving in views.pairs():
            if not self._restore(fixed.GetSliceNode()):
                fixed.FitSliceToAll()
            setPlace(moving.GetSliceNode(), self._movingPlace(placeOf(fixed.GetSliceNode())))
            setScale(moving.GetSliceNode(), scaleOf(fixed.GetSliceNode()))
        if self._target is not None:
            views.jump(*self._target)

    def _restore(self, sliceNode: Any) -> bool:
        """Set the place and zoom that a view had; returns whether they are known."""
        kept = self._kept.get(sliceNode.GetName())
        if kept is not None:
            setPlace(sliceNode, kept[0])
            setScale(sliceNode, kept[1])
        return kept is not None

    def _stateOfAll(self) -> list[tuple[Any, ...]]:
        nodes = [*views.fixedNodes(), *views.movingNodes()]
        return [(node.GetName(), sizeOf(node), *np.round(placeOf(node), 4), round(scaleOf(node), 6)) for node in nodes]

    def _onSettled(self) -> None:
        self._settling, self._target = None, None
        if self.node is not None and views.isSideBySide():
            self._link()

    def _stopSettling(self) -> None:
        if self._settling is not None:
            self._settling.stop()
        self._settling, self._target = None, None

    def jump(self, fixed: np.ndarray, moving: np.ndarray) -> None:
        """Move the views to a pair.

        Args:
            fixed: (3,), RAS mm.
            moving: (3,), RAS mm, below the transform.
        """
        target = (fixed, self.seenMoving(moving))
        if self._settling is not None:
            self._target = target
            views.jump(*target)
            return
        self._unlink()
        views.jump(*target)
        self._link()

    def showPartner(self, moving: np.ndarray) -> None:
        """Show a moving point, RAS mm below the transform: only moving views that do not show it move, and only as far as needed."""
        self._unlink()
        views.showInMoving(self.seenMoving(moving))
        self._link()

    def seenMoving(self, point: np.ndarray) -> np.ndarray:
        """Return where a moving point is displayed: the moving volume may be below the transform."""
        return _through(leftOut(self.node.movingVolume, self.node.transform), point)

    # -------------------------------------------------------------------- link

    def _link(self) -> None:
        self._unlink()
        for fixed, moving in ((fixed.GetSliceNode(), moving.GetSliceNode()) for fixed, moving in views.pairs()):
            self._pairs.append((fixed, moving))
            for node in (fixed, moving):
                self._linked.append((node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onSlice)))
                self._shown[node.GetID()] = _state(node)

    def _unlink(self) -> None:
        for node, tag in self._linked:
            node.RemoveObserver(tag)
        self._linked, self._pairs = [], []

    def _onSlice(self, caller: Any, _event: Any) -> None:
        """Follow a view that the user has moved or zoomed: move or zoom the linked view as well."""
        if self._following or self.node is None:
            return
        place, scale, size = _state(caller)
        formerPlace, formerScale, formerSize = self._shown[caller.GetID()]
        self._shown[caller.GetID()] = place, scale, size
        moved = not np.allclose(place, formerPlace, atol=1e-4)
        # A resized view was not zoomed by the user.
        zoomed = size == formerSize and abs(scale - formerScale) > 1e-6 * formerScale
        if not moved and not zoomed:
            return
        self._following = True
        try:
            for fixed, moving in self._pairs:
                if caller is fixed or caller is moving:
                    other, placeOf = (moving, self._movingPlace) if caller is fixed else (fixed, self._fixedPlace)
                    self._follow(other, placeOf(place) if moved else None, scale if zoomed else None)
        finally:
            self._following = False

    def _follow(self, other: Any, place: Any, scale: float | None) -> None:
        """Move a view to a place and zoom it; None leaves it as it is."""
        if place is not None:
            other.JumpSliceByCentering(*place)
        if scale is not None:
            setScale(other, scale)
        self._shown[other.GetID()] = _state(other)

    def _movingPlace(self, place: np.ndarray) -> np.ndarray:
        """Return the position in the moving views that corresponds to one in the fixed views."""
        return self.seenMoving(self._mapping(place[None])[0])

    def _fixedPlace(self, place: np.ndarray) -> np.ndarray:
        """Return the position in the fixed views that corresponds to one in the moving views."""
        shown, transform = leftOut(self.node.movingVolume, self.node.transform), self.node.transform
        return place if shown is transform else _through(transform, FixedToMoving(shown)(place[None])[0])


def _through(transform: Any, point: np.ndarray) -> np.ndarray:
    """Return a point below a transform in the world, both RAS mm."""
    if transform is None:
        return point
    general = vtk.vtkGeneralTransform()
    transform.GetTransformToWorld(general)
    return np.array(general.TransformPoint(point.tolist()))


def _state(sliceNode: Any) -> tuple[np.ndarray, float, tuple[int, ...]]:
    """Return the centre (RAS mm), size of a pixel (mm), and size in pixels of a slice view."""
    return placeOf(sliceNode), scaleOf(sliceNode), sizeOf(sliceNode)
