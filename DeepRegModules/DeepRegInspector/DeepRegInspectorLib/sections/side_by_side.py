"""Fixed and moving views side by side, linked through the transform and with the same zoom."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from slicer.i18n import tr as _

from DeepRegInspectorLib import views
from DeepRegInspectorLib.mapping import FixedToMoving, leftOut
from DeepRegInspectorLib.sections.base import Section


class SideBySideSection(Section):
    """The button Side by side, and the link of the views."""

    name = "sideBySide"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._linked: list[tuple[Any, int]] = []
        self._pairs: list[tuple[Any, Any]] = []  # a fixed view and the moving one beside it
        self._shown: dict[str, tuple[np.ndarray, float, Any]] = {}  # last centre, scale and size of each view
        self._following = False
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
        """Move the views to a pair.

        Args:
            fixed: (3,), RAS mm.
            moving: (3,), RAS mm, below the transform.
        """
        self._unlink()
        views.jump(fixed, self.seenMoving(moving))
        self._link()

    def seenMoving(self, point: np.ndarray) -> np.ndarray:
        """Return where a moving point is displayed: the moving volume may be below the transform."""
        return _through(leftOut(self.node.movingVolume, self.node.transform), point)

    # -------------------------------------------------------------------- link

    def _link(self) -> None:
        self._unlink()
        theirs = views.movingNodes()
        for fixed, moving in zip(views.fixedNodes(), theirs, strict=False):
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
            _setScale(other, scale)
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


def _place(sliceNode: Any) -> np.ndarray:
    """Return the centre of a slice view, RAS mm."""
    matrix = sliceNode.GetSliceToRAS()
    return np.array([matrix.GetElement(axis, 3) for axis in range(3)])


def _state(sliceNode: Any) -> tuple[np.ndarray, float, tuple[int, ...]]:
    """Return the centre (RAS mm), size of a pixel (mm), and size in pixels of a slice view."""
    size = tuple(sliceNode.GetDimensions()[:2])
    return _place(sliceNode), sliceNode.GetFieldOfView()[0] / max(1, size[0]), size


def _setScale(sliceNode: Any, scale: float) -> None:
    width, height = (scale * number for number in sliceNode.GetDimensions()[:2])
    sliceNode.SetFieldOfView(width, height, sliceNode.GetFieldOfView()[2])
