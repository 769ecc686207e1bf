"""Two volumes, or two results over the fixed volume, side by side in linked slice views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
import vtk

from deepreg_slicer.content import contentOf
from deepreg_slicer.linked_display import LinkedDisplays, leaderOf
from deepreg_slicer.request import inScene
from deepreg_slicer.slice_states import Settling, placeOf, scaleOf, setPlace, setScale, sizeOf
from deepreg_slicer.slice_views import sliceWidgets
from deepreg_slicer.view_state import ViewState

# Number of the layout, and group of its views on the right, so that links of the views on the left do not include them.
_LAYOUT, _GROUP = 8192, 18
_LEFT, _RIGHT = ("Red", "Green"), ("DeepRegRightAxial", "DeepRegRightCoronal")
_ORIENTATIONS = ("Axial", "Coronal")
# Window and level of CT, HU: for the chest, and for all other parts of the body.
_CHEST, _SOFT = (1500.0, -500.0), (400.0, 40.0)

#: What a column shows: background, foreground or None, and the opacity of the foreground.
Column = tuple[Any, Any, float]


class SideBySide:
    """The two columns. :meth:`leave` puts the former layout, views, windows and levels back."""

    def __init__(self) -> None:
        self._former: tuple[int, ViewState] | None = None
        self._columns: tuple[Column, Column] | None = None
        self._offset = np.zeros(3)
        self._settling: Settling | None = None
        # What is called when the views have been put back.
        self._then: Callable[[], None] | None = None
        self._links: list[tuple[Any, int]] = []
        self._shown: dict[str, tuple[np.ndarray, float, Any]] = {}
        self._following = False
        self._displays: list[tuple[Any, tuple[bool, float, float]]] = []
        self._linkedDisplays: LinkedDisplays | None = None

    @property
    def shown(self) -> bool:
        """Whether the views are side by side."""
        return self._former is not None

    @property
    def busy(self) -> bool:
        """Whether the views are still being arranged."""
        return self._settling is not None

    def showPair(self, fixed: Any, moving: Any) -> None:
        """Show two volumes, each in its middle, with windows and levels that suit them; of CT and CT they are the same."""
        kinds = [contentOf(volume) for volume in (fixed, moving)]
        self._show((fixed, None, 0.0), (moving, None, 0.0), middleOf(moving) - middleOf(fixed))
        if not self.shown:
            return
        for volume, content in zip((fixed, moving), kinds, strict=True):
            display = volume.GetDisplayNode()
            if content.modality == "ct" and display is not None and display.GetAutoWindowLevel():
                self._displays.append((display, (True, display.GetWindow(), display.GetLevel())))
                display.SetAutoWindowLevel(False)
                display.SetWindowLevel(*(_CHEST if content.body_part == "chest" else _SOFT))
        displays = [volume.GetDisplayNode() for volume in (fixed, moving)]
        if all(content.modality == "ct" for content in kinds) and None not in displays:
            self._linkedDisplays = LinkedDisplays(leaderOf(*displays), displays)

    def showResults(self, fixed: Any, first: Any, second: Any, opacity: float = 0.5) -> None:
        """Show two registered volumes over the fixed one."""
        self._show((fixed, first, opacity), (fixed, second, opacity), np.zeros(3))

    def leave(self, then: Callable[[], None] | None = None) -> None:
        """Put everything back as it was before; then call a function, which may show something else, unless this is shown again before."""
        self._stop()
        self._then = then
        if self._linkedDisplays is not None:
            self._linkedDisplays.end()
            self._linkedDisplays = None
        for display, (auto, window, level) in self._displays:
            if inScene(display):
                display.SetWindowLevel(window, level)
                display.SetAutoWindowLevel(auto)
        self._displays = []
        former, self._former, self._columns = self._former, None, None
        node = _layoutNode()
        if former is None or node is None:
            self._onLeft()
            return
        if node.GetViewArrangement() == _LAYOUT:
            node.SetViewArrangement(former[0])
        former[1].restore()
        self._settling = Settling(former[1].restore, _stateOfAll, self._onLeft)

    def cleanup(self) -> None:
        """Put everything back at once, and stop."""
        self.leave()
        self._stop()

    # ------------------------------------------------------------------- arrange

    def _show(self, left: Column, right: Column, offset: np.ndarray) -> None:
        node = _layoutNode()
        if node is None or not all(inScene(column[0]) for column in (left, right)):
            return
        if self.shown:
            self.leave()
        self._stop()
        registerLayout()
        self._former = node.GetViewArrangement(), ViewState()
        self._columns, self._offset = (left, right), offset
        node.SetViewArrangement(_LAYOUT)
        for names, (background, foreground, opacity) in zip((_LEFT, _RIGHT), self._columns, strict=True):
            for (view, composite), orientation in zip(_views(names), _ORIENTATIONS, strict=False):
                if names is _RIGHT:
                    view.SetViewGroup(_GROUP)
                if view.GetOrientation() != orientation:
                    view.SetOrientation(orientation)
                composite.SetBackgroundVolumeID(background.GetID())
                composite.SetForegroundVolumeID(foreground.GetID() if inScene(foreground) else None)
                composite.SetForegroundOpacity(opacity)
                composite.SetLabelVolumeID(None)
        self._settling = Settling(self._arrange, _stateOfAll, self._onSettled)

    def _arrange(self) -> None:
        """Set place and zoom of all views: the left ones are fitted, the right ones have the same zoom."""
        if self._columns is None or not inScene(self._columns[0][0]):
            return
        middle = middleOf(self._columns[0][0])
        widgets = sliceWidgets()
        for left, right in zip(_LEFT, _RIGHT, strict=True):
            if left in widgets and right in widgets:
                widgets[left].sliceLogic().FitSliceToAll()
                views = [widgets[name].mrmlSliceNode() for name in (left, right)]
                setPlace(views[0], middle)
                setPlace(views[1], middle + self._offset)
                setScale(views[1], scaleOf(views[0]))

    def _onSettled(self) -> None:
        self._settling = None
        for pair in zip(_views(_LEFT), _views(_RIGHT), strict=False):
            for view, _composite in pair:
                self._links.append((view, view.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onView)))
                self._shown[view.GetID()] = placeOf(view), scaleOf(view), sizeOf(view)

    def _onLeft(self) -> None:
        self._settling = None
        then, self._then = self._then, None
        if then is not None:
            then()

    def _onView(self, caller: Any, _event: Any) -> None:
        """Let the view beside one that the user has moved or zoomed follow it."""
        if self._following:
            return
        place, scale, size = placeOf(caller), scaleOf(caller), sizeOf(caller)
        formerPlace, formerScale, formerSize = self._shown[caller.GetID()]
        self._shown[caller.GetID()] = place, scale, size
        moved, zoomed = not np.allclose(place, formerPlace, atol=1e-4), size == formerSize and abs(scale / formerScale - 1.0) > 1e-6
        self._following = True
        try:
            for (left, _first), (right, _second) in zip(_views(_LEFT), _views(_RIGHT), strict=False):
                if caller is left or caller is right:
                    other, shift = (right, self._offset) if caller is left else (left, -self._offset)
                    if moved:
                        setPlace(other, place + shift)
                    if zoomed:
                        setScale(other, scale)
                    self._shown[other.GetID()] = placeOf(other), scaleOf(other), sizeOf(other)
        finally:
            self._following = False

    def _stop(self) -> None:
        """Stop arranging and linking views."""
        self._then = None
        if self._settling is not None:
            self._settling.stop()
            self._settling = None
        for view, tag in self._links:
            view.RemoveObserver(tag)
        self._links, self._shown = [], {}


def registerLayout() -> None:
    """Make the layout known to the application, which cannot show a saved scene in a layout that it does not know."""
    node = _layoutNode()
    if node is not None:
        describe = node.SetLayoutDescription if node.IsLayoutDescription(_LAYOUT) else node.AddLayoutDescription
        describe(_LAYOUT, _description())


def middleOf(volume: Any) -> np.ndarray:
    """Return the middle of a volume, RAS mm."""
    bounds = np.zeros(6)
    volume.GetRASBounds(bounds)
    return (bounds[::2] + bounds[1::2]) / 2.0


def _description() -> str:
    def view(tag: str, orientation: str, name: str, color: str, group: str) -> str:
        return (
            f'<item><view class="vtkMRMLSliceNode" singletontag="{tag}">'
            f'<property name="orientation" action="default">{orientation}</property>'
            f'<property name="viewlabel" action="default">{name}</property><property name="viewcolor" action="default">{color}</property>'
            f"{group}</view></item>"
        )

    group = f'<property name="viewgroup" action="default">{_GROUP}</property>'
    left = view(_LEFT[0], "Axial", "R", "#F34A33", "") + view(_LEFT[1], "Coronal", "G", "#6EB04B", "")
    right = view(_RIGHT[0], "Axial", "RA", "#B45F06", group) + view(_RIGHT[1], "Coronal", "RC", "#B45F06", group)
    columns = "".join(f'<item><layout type="vertical" split="true">{column}</layout></item>' for column in (left, right))
    return f'<layout type="horizontal" split="true">{columns}</layout>'


def _layoutNode() -> Any:
    """Return the node of the layout; None without a main window."""
    manager = slicer.app.layoutManager()
    return manager.layoutLogic().GetLayoutNode() if manager is not None else None


def _views(names: tuple[str, ...]) -> list[tuple[Any, Any]]:
    """Return slice node and composite node of views that there are."""
    widgets = sliceWidgets()
    logics = [widgets[name].sliceLogic() for name in names if name in widgets]
    return [(logic.GetSliceNode(), logic.GetSliceCompositeNode()) for logic in logics]


def _stateOfAll() -> list[tuple[Any, ...]]:
    nodes = [view for names in (_LEFT, _RIGHT) for view, _composite in _views(names)]
    return [(node.GetName(), sizeOf(node), *np.round(placeOf(node), 4), round(scaleOf(node), 6)) for node in nodes]
