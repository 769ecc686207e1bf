"""The point that is explained: a list with one point, which can be picked, set and dragged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.landmarks import newPoints
from DeepRegInspectorLib import views

_EVENTS = (
    slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
    slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent,
    slicer.vtkMRMLMarkupsNode.PointRemovedEvent,
    slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
)
_COLOR = (0.3, 0.76, 0.97)


class ExplainedPoint:
    """Observes the point list of the parameter node.

    Args:
        context: of the panel; its parameter node has ``explainedPoint``.
        pickButton: is checked while a point is being picked.
        moved: is called when the point has moved.
    """

    def __init__(self, context: Any, pickButton: Any, moved: Callable[[], None]) -> None:
        self._context, self._button, self._moved = context, pickButton, moved
        self._followed: tuple[Any, list[int]] | None = None
        self._interaction: tuple[Any, int] | None = None
        self._setting = False
        pickButton.connect("toggled(bool)", self._onPick)

    def follow(self, points: Any) -> None:
        """Observe another list, or none."""
        if self._followed is not None:
            for tag in self._followed[1]:
                self._followed[0].RemoveObserver(tag)
        self._followed = (points, [points.AddObserver(event, self._onModified) for event in _EVENTS]) if points is not None else None

    def place(self) -> np.ndarray | None:
        """Return its position, RAS mm in the world; None without a point."""
        points = self._context.node.explainedPoint if self._context.node is not None else None
        placed = _placed(points)
        if not placed:
            return None
        world = [0.0, 0.0, 0.0]
        points.GetNthControlPointPositionWorld(placed[-1], world)
        return np.array(world)

    def set(self, place: np.ndarray) -> None:
        """Move it, RAS mm in the world."""
        points = self._list()
        state, self._setting = points.StartModify(), True
        try:
            points.RemoveAllControlPoints()
            points.AddControlPointWorld(vtk.vtkVector3d(*np.asarray(place, dtype=float).tolist()), "")
        finally:
            points.EndModify(state)
            self._setting = False
        self._moved()

    def stopPicking(self) -> None:
        """End picking."""
        if self._button.checked:
            self._button.checked = False

    def cleanup(self) -> None:
        """Stop all observations."""
        self.follow(None)
        self._dropInteraction()

    def _list(self) -> Any:
        """Return the list; created if there is none."""
        node = self._context.node
        if node.explainedPoint is None:
            slicer.mrmlScene.SaveStateForUndo()
            points = newPoints(_("Explained point"))
            display = points.GetDisplayNode()
            for setColor in (display.SetSelectedColor, display.SetColor, display.SetActiveColor):
                setColor(*_COLOR)
            display.SetGlyphTypeFromString("CrossDot2D")
            display.SetGlyphScale(2.5)
            display.SetPointLabelsVisibility(False)
            node.explainedPoint = points
            views.assign(points, None, None)
        return node.explainedPoint

    def _onModified(self, points: Any, _event: Any) -> None:
        if self._setting or self._context.node is None or slicer.mrmlScene.IsClosing():
            return
        placed = _placed(points)
        if len(placed) > 1:  # a picked point replaces the former one
            for number in reversed(placed[:-1]):
                points.RemoveNthControlPoint(number)
            return
        self._moved()

    def _onPick(self, on: bool) -> None:
        if self._context.node is None:
            return
        interaction = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
        if not on:
            self._dropInteraction()
            if interaction.GetCurrentInteractionMode() == interaction.Place:
                interaction.SetCurrentInteractionMode(interaction.ViewTransform)
            return
        self._context.sections["picking"].rest()  # only one section picks at a time
        points = self._list()
        selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
        selection.SetReferenceActivePlaceNodeClassName(points.GetClassName())
        selection.SetActivePlaceNodeID(points.GetID())
        interaction.SetPlaceModePersistence(0)
        interaction.SetCurrentInteractionMode(interaction.Place)
        self._interaction = (interaction, interaction.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onInteraction))

    def _onInteraction(self, interaction: Any, _event: Any) -> None:
        if interaction.GetCurrentInteractionMode() != interaction.Place:
            self.stopPicking()

    def _dropInteraction(self) -> None:
        if self._interaction is not None:
            self._interaction[0].RemoveObserver(self._interaction[1])
            self._interaction = None


def _placed(points: Any) -> list[int]:
    """Return the numbers of the placed points."""
    if points is None:
        return []
    return [n for n in range(points.GetNumberOfControlPoints()) if points.GetNthControlPointPositionStatus(n) == points.PositionDefined]
