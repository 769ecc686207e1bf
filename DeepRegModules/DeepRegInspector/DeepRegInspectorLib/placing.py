"""Placing of a partner by hand, with one click in a moving view."""

from __future__ import annotations

from typing import Any

import slicer

from deepreg_slicer.landmarks import definedNumbers
from DeepRegInspectorLib.landmarks import newPoint


class Placing:
    """Lets the next click in a moving view place the partner of a fixed point, while landmarks are picked."""

    def __init__(self) -> None:
        self._waiting = ""  # ID of the fixed point
        self._label, self._place = "", -1
        self._known: set[str] = set()

    @property
    def waiting(self) -> bool:
        """Whether a partner is to be placed."""
        return bool(self._waiting)

    def start(self, fixed: Any, moving: Any, number: int, byLabel: bool) -> None:
        """Wait for a click in a moving view.

        Args:
            fixed, moving: the lists.
            number: of the fixed point.
            byLabel: whether points are paired by their labels instead of their places in the lists.
        """
        self._waiting = fixed.GetNthControlPointID(number)
        self._label, self._place = fixed.GetNthControlPointLabel(number), -1 if byLabel else number
        self._known = _identifiers(moving)
        choose(moving)

    def stop(self, fixed: Any) -> None:
        """Let the next click place a fixed point again."""
        if self._waiting:
            self._waiting = ""
            if fixed is not None:
                choose(fixed)

    def take(self, fixed: Any, moving: Any) -> bool:
        """Return whether the partner has been placed; it is given its place in the list. A fixed point that is gone ends the waiting."""
        if not self._waiting:
            return False
        if fixed is None or moving is None or fixed.GetNthControlPointIndexByID(self._waiting) < 0:
            self.stop(fixed)
            return False
        new = [number for number in definedNumbers(moving) if moving.GetNthControlPointID(number) not in self._known]
        if not new:
            return False
        state = moving.StartModify()
        try:
            position = moving.GetNthControlPointPosition(new[-1])
            if new[-1] != self._place:
                moving.RemoveNthControlPoint(new[-1])
                there = 0 <= self._place < moving.GetNumberOfControlPoints()
                index = self._place if there else newPoint(moving, self._label, self._place)
                moving.SetNthControlPointPosition(index, *position)
                new[-1] = index
            moving.SetNthControlPointLabel(new[-1], self._label)
            moving.SetNthControlPointDescription(new[-1], "")
        finally:
            moving.EndModify(state)
        self.stop(fixed)
        return True


def choose(points: Any) -> None:
    """Let clicks in views place points of a list."""
    selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    selection.SetReferenceActivePlaceNodeClassName(points.GetClassName())
    selection.SetActivePlaceNodeID(points.GetID())


def _identifiers(points: Any) -> set[str]:
    return {points.GetNthControlPointID(number) for number in definedNumbers(points)}
