"""Undo and redo of changes to the landmarks.

The undo of the application is off unless a script enables it, so the panel records the steps itself: it compares the lists at each
refresh, so that changes in the module Markups are recorded as well.
"""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_slicer.landmarks import definedNumbers
from DeepRegInspectorLib.landmarks import newPoint
from DeepRegInspectorLib.sections.base import Section

_MOST = 100
_NAMES = ("fixedPoints", "movingPoints")
# Name, position below the parent transform (None for a point that is not placed), description and tick of each point of a list.
_State = tuple[tuple[str, tuple[float, float, float] | None, str, bool], ...]


class HistorySection(Section):
    """The buttons Undo and Redo; follows the section that measures the pairs."""

    name = "history"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._now: tuple[_State, _State] = ((), ())
        self._before: list[tuple[_State, _State]] = []
        self._after: list[tuple[_State, _State]] = []
        self._observed: list[tuple[Any, int]] = []
        self._dragging = False
        self.ui.undoButton.connect("clicked(bool)", lambda _checked: self.undo())
        self.ui.redoButton.connect("clicked(bool)", lambda _checked: self.redo())

    def forget(self) -> None:
        self._before, self._after, self._dragging = [], [], False
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed = []

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        if not changed & set(_NAMES):
            return
        self.forget()
        start, end = slicer.vtkMRMLMarkupsNode.PointStartInteractionEvent, slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent
        for node in (getattr(self.node, name) for name in _NAMES):
            if node is not None:
                self._observed += [(node, node.AddObserver(start, self._onDrag)), (node, node.AddObserver(end, self._onDragged))]
        self._now = self._states()

    def refresh(self) -> None:
        if self._dragging:
            return
        now = self._states()
        if now != self._now:
            self._before = [*self._before[1 - _MOST :], self._now]
            self._after = []
            self._now = now

    def enable(self) -> None:
        self.allow(self.ui.undoButton, bool(self._before), _("These landmarks were not changed yet."))
        self.allow(self.ui.redoButton, bool(self._after), _("Nothing was undone."))

    def undo(self) -> None:
        """Undo the last step."""
        if self._before:
            self._after.append(self._now)
            self._apply(self._before.pop())

    def redo(self) -> None:
        """Redo the step that was undone last."""
        if self._after:
            self._before.append(self._now)
            self._apply(self._after.pop())

    # ------------------------------------------------------------------- lists

    def _onDrag(self, *_arguments: Any) -> None:
        self._dragging = True

    def _onDragged(self, *_arguments: Any) -> None:
        self._dragging = False
        self.context.refreshSoon()

    def _states(self) -> tuple[_State, _State]:
        return tuple(_stateOf(getattr(self.node, name)) for name in _NAMES)  # type: ignore[return-value]

    def _apply(self, states: tuple[_State, _State]) -> None:
        lists = [getattr(self.node, name) for name in _NAMES]
        if any(node is not None and len(state) > _placed(node) for node, state in zip(lists, states, strict=True)):
            self.context.sections["picking"].rest()  # points that are picked next follow the restored ones
        slicer.mrmlScene.SaveStateForUndo()
        for node, state in zip(lists, states, strict=True):
            if node is not None:
                _restore(node, state)
        self._now = self._states()
        self.context.sections["picking"].forgetProposals()
        self.context.refresh()


def _placed(node: Any) -> int:
    """Return the number of points up to the last one that is placed; one that is about to be placed follows them."""
    return max(definedNumbers(node), default=-1) + 1


def _stateOf(node: Any) -> _State:
    placed = set(definedNumbers(node))
    return tuple(
        (
            node.GetNthControlPointLabel(n),
            tuple(node.GetNthControlPointPosition(n)) if n in placed else None,
            node.GetNthControlPointDescription(n),
            bool(node.GetNthControlPointSelected(n)),
        )
        for n in range(_placed(node))
    )


def _restore(node: Any, state: _State) -> None:
    """Restore names, positions, notes and ticks of the points."""
    modified = node.StartModify()
    try:
        for index in reversed(range(len(state), _placed(node))):
            node.RemoveNthControlPoint(index)
        for index, (label, position, description, selected) in enumerate(state):
            if index >= node.GetNumberOfControlPoints():
                newPoint(node, label)
            if position is None:
                node.UnsetNthControlPointPosition(index)
            elif index not in definedNumbers(node) or tuple(node.GetNthControlPointPosition(index)) != position:
                node.SetNthControlPointPosition(index, *position)
            if node.GetNthControlPointLabel(index) != label:
                node.SetNthControlPointLabel(index, label)
            if node.GetNthControlPointDescription(index) != description:
                node.SetNthControlPointDescription(index, description)
            if bool(node.GetNthControlPointSelected(index)) != selected:
                node.SetNthControlPointSelected(index, selected)
    finally:
        node.EndModify(modified)
