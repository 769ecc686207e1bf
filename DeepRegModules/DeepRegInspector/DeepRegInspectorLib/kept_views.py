"""Views as they were before the module was entered, which are put back when it is left; and as it shows them, when it is entered again."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

from deepreg_slicer.slice_views import sliceWidgets
from DeepRegInspectorLib import views
from DeepRegInspectorLib.slice_states import Settling, placeOf, scaleOf, setPlace, setScale, sizeOf

# Classes of display nodes by which the module draws, and of their legends.
_DRAWN = ("vtkMRMLTransformDisplayNode", "vtkMRMLModelDisplayNode", "vtkMRMLVolumeRenderingDisplayNode", "vtkMRMLColorLegendDisplayNode")


class _State:
    """What the views show now: the layout, volumes, place and zoom of each slice view, and what is drawn over them."""

    def __init__(self) -> None:
        node = views.layoutNode()
        self.layout = node.GetViewArrangement() if node is not None else None
        self.layers = {name: _layers(widget) for name, widget in sliceWidgets().items()}
        self.planes = {name: _plane(widget.mrmlSliceNode()) for name, widget in sliceWidgets().items()}
        self.drawn = {display.GetID(): _visibility(display) for display in _displays()}

    def sameAs(self, other: _State) -> bool:
        """Return whether another state has the same layout, volumes and drawings; place and zoom may differ."""
        names = set(self.layers) & set(other.layers)
        return (
            self.layout == other.layout
            and all(self.layers[name] == other.layers[name] for name in names)
            and {key for key, value in self.drawn.items() if value[0]} == {key for key, value in other.drawn.items() if value[0]}
        )

    def show(self) -> None:
        """Let the views show this again; what has been drawn since is hidden."""
        for name, widget in sliceWidgets().items():
            if name in self.layers:
                _setLayers(widget, self.layers[name])
        for display in _displays():
            _setVisibility(display, self.drawn.get(display.GetID(), (0, 0, 0)))
        node = views.layoutNode()
        if node is not None and self.layout is not None:
            node.SetViewArrangement(self.layout)
        self.place()

    def place(self) -> None:
        """Give the slice views their planes, places and zooms."""
        for name, widget in sliceWidgets().items():
            if name in self.planes:
                matrix, place, scale = self.planes[name]
                view = widget.mrmlSliceNode()
                if any(abs(view.GetSliceToRAS().GetElement(r, c) - matrix.GetElement(r, c)) > 1e-6 for r in range(3) for c in range(3)):
                    view.GetSliceToRAS().DeepCopy(matrix)
                    view.UpdateMatrices()
                setPlace(view, place)
                setScale(view, scale)


class KeptViews:
    """Keeps the views while the module is open.

    Attributes:
        entered: whether the module is open.
    """

    def __init__(self) -> None:
        self.entered = False
        self._before: _State | None = None
        self._left: tuple[_State, _State] | None = None  # as the module showed them, and as they were when it had been left
        self._settling: Settling | None = None

    def enter(self) -> bool:
        """Keep the views; return whether they show again what they showed when the module was left."""
        if self.entered:
            return False
        self.entered = True
        self._stop()
        self._before = _State()
        left, self._left = self._left, None
        if left is None or not left[1].sameAs(self._before):
            return False
        left[0].show()
        return True

    def leave(self) -> None:
        """Put the views back as they were when the module was entered."""
        if not self.entered:
            return
        self.entered = False
        shown, before, self._before = _State(), self._before, None
        if before is None:
            return
        before.show()
        self._left = (shown, _State())
        if shown.layout != before.layout:  # the views get their sizes later, and change place and zoom with them
            self._settling = Settling(before.place, _sizes, self._stop)

    def forget(self) -> None:
        """Forget what was shown, because another parameter set is shown now."""
        self._left = None

    def cleanup(self) -> None:
        """Stop waiting for the views."""
        self._stop()

    def _stop(self) -> None:
        if self._settling is not None:
            self._settling.stop()
            self._settling = None


def _displays() -> list[Any]:
    return [node for kind in _DRAWN if hasattr(slicer, kind) for node in slicer.util.getNodesByClass(kind)]


def _visibility(display: Any) -> tuple[int, int, int]:
    return display.GetVisibility(), display.GetVisibility2D(), display.GetVisibility3D()


def _setVisibility(display: Any, visibility: tuple[int, int, int]) -> None:
    if _visibility(display) == visibility:
        return
    state = display.StartModify()
    display.SetVisibility2D(visibility[1])
    display.SetVisibility3D(visibility[2])
    display.SetVisibility(visibility[0])
    display.EndModify(state)


def _layers(widget: Any) -> tuple[Any, ...]:
    composite = widget.sliceLogic().GetSliceCompositeNode()
    return (
        composite.GetBackgroundVolumeID(),
        composite.GetForegroundVolumeID(),
        composite.GetForegroundOpacity(),
        composite.GetLabelVolumeID(),
        composite.GetLabelOpacity(),
    )


def _setLayers(widget: Any, layers: tuple[Any, ...]) -> None:
    composite = widget.sliceLogic().GetSliceCompositeNode()
    background, foreground, opacity, label, labelOpacity = layers
    there = [
        identifier if identifier and slicer.mrmlScene.GetNodeByID(identifier) else None for identifier in (background, foreground, label)
    ]
    composite.SetBackgroundVolumeID(there[0])
    composite.SetForegroundVolumeID(there[1])
    composite.SetForegroundOpacity(opacity)
    composite.SetLabelVolumeID(there[2])
    composite.SetLabelOpacity(labelOpacity)


def _plane(sliceNode: Any) -> tuple[vtk.vtkMatrix4x4, Any, float]:
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(sliceNode.GetSliceToRAS())
    return matrix, placeOf(sliceNode), scaleOf(sliceNode)


def _sizes() -> list[tuple[Any, ...]]:
    nodes = [widget.mrmlSliceNode() for widget in sliceWidgets().values()]
    return [(node.GetName(), sizeOf(node), *placeOf(node).round(4), round(scaleOf(node), 6)) for node in nodes]
