"""What slice views show, and how they are put back to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk

from deepreg_slicer.slice_views import sliceWidgets

_LAYERS = ("BackgroundVolumeID", "ForegroundVolumeID", "LabelVolumeID")
_BLENDING = ("ForegroundOpacity", "LabelOpacity", "Compositing")


class ViewState:
    """The volumes, place and zoom of all slice views at one moment."""

    def __init__(self) -> None:
        self._kept = {name: _stateOf(widget.sliceLogic()) for name, widget in sliceWidgets().items()}

    def layers(self, name: str) -> tuple[Any, ...]:
        """Return the identifiers of background, foreground and label volume of a view; None for views that did not exist."""
        kept = self._kept.get(name)
        return tuple(kept[layer] for layer in _LAYERS) if kept is not None else (None,) * len(_LAYERS)

    def restore(self, among: Callable[[Any], bool] = lambda composite: True) -> None:
        """Put the views back: those whose composite node fulfils a condition, and which existed then."""
        for name, widget in sliceWidgets().items():
            if name in self._kept and among(widget.sliceLogic().GetSliceCompositeNode()):
                _restore(widget.sliceLogic(), self._kept[name])


def _stateOf(logic: Any) -> dict[str, Any]:
    composite, view = logic.GetSliceCompositeNode(), logic.GetSliceNode()
    state = {name: getattr(composite, f"Get{name}")() for name in (*_LAYERS, *_BLENDING)}
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(view.GetSliceToRAS())
    state.update(matrix=matrix, field=view.GetFieldOfView(), size=view.GetDimensions()[:2], outline=view.GetUseLabelOutline())
    return state


def _restore(logic: Any, state: dict[str, Any]) -> None:
    composite, view = logic.GetSliceCompositeNode(), logic.GetSliceNode()
    modified = composite.StartModify()
    for name in _LAYERS:
        there = state[name] and slicer.mrmlScene.GetNodeByID(state[name]) is not None
        getattr(composite, f"Set{name}")(state[name] if there else None)
    for name in _BLENDING:
        getattr(composite, f"Set{name}")(state[name])
    composite.EndModify(modified)
    modified = view.StartModify()
    view.GetSliceToRAS().DeepCopy(state["matrix"])
    view.UpdateMatrices()
    if tuple(view.GetDimensions()[:2]) == tuple(state["size"]):  # a resized view has another field of view
        view.SetFieldOfView(*state["field"])
    view.SetUseLabelOutline(state["outline"])
    view.EndModify(modified)
