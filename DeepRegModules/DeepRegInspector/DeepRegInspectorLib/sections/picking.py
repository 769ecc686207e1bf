"""Picking of landmarks in the fixed views, and proposals of their partners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.landmarks import definedNumbers, showPoints
from deepreg_slicer.parents import parentTransform
from deepreg_slicer.volumes import mapPoints
from deepreg_slicer.wording import counted
from DeepRegInspectorLib import views
from DeepRegInspectorLib.landmarks import CORRECTED, PROPOSED, newPoint, pairing, positions, volumeGrid
from DeepRegInspectorLib.mapping import FLIP, FixedToMoving, belowTransform
from DeepRegInspectorLib.matching import Matcher
from DeepRegInspectorLib.placing import Placing, choose
from DeepRegInspectorLib.sections.base import Section


class PickingSection(Section):
    """Switches picking on and off, and proposes partners; precedes the section that measures the pairs."""

    name = "picking"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._proposals: dict[str, np.ndarray] = {}
        self._matcher: tuple[Any, Matcher] | None = None
        self._isNew = False  # whether there are new proposals
        self._before: set[str] = set()  # fixed points from before picking was switched on
        self._known: set[str] = set()  # fixed points that need no check: those from before, and those that were checked
        self._without: dict[str, tuple[float, ...]] = {}  # fixed points without a proposal, and where they were
        self._interaction: tuple[Any, int] | None = None
        self._placing = Placing()
        self.ui.pickButton.connect("toggled(bool)", self._onPick)

    def forget(self) -> None:
        self.forgetProposals()
        self._matcher = None
        self._without.clear()

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        if changed & {"transform", "otherTransform", "fixedVolume", "movingVolume"}:
            self._matcher = None
            self._without.clear()

    def onModified(self, name: str) -> None:
        self._matcher = None
        self._without.clear()

    def refresh(self) -> None:
        if self._placing.take(self.node.fixedPoints, self.node.movingPoints):
            self.context.showStatus("")
        if self.ui.pickButton.checked:
            self._refuseOutside()
            self._proposeMissing(undo=False)
            self._wait()
        self._noteMoved()

    def takeNew(self) -> bool:
        """Return whether there are new proposals, and reset this."""
        isNew, self._isNew = self._isNew, False
        return isNew

    def enable(self) -> None:
        button = self.ui.pickButton
        self.allow(button, self.context.volumes(), _("Choose the fixed and the moving volume first."), keep=button.checked)

    def rest(self) -> None:
        if self.ui.pickButton.checked:
            self.ui.pickButton.checked = False

    def cleanup(self) -> None:
        self._dropInteraction()

    # -------------------------------------------------------------------- pick

    def _onPick(self, on: bool) -> None:
        if self.node is None:
            return
        interaction = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
        if on:
            fixed, moving = self.context.sections["landmarks"].lists()
            self._before, self._known = _identifiers(fixed), _identifiers(fixed)
            showPoints(fixed, moving)  # the lists may have been hidden, as those of the sample data are
            views.assign(fixed, moving, self.node.vectors)
            choose(fixed)
            self._proposeMissing(undo=True)
            interaction.SetPlaceModePersistence(1)
            interaction.SetCurrentInteractionMode(interaction.Place)
            self._interaction = (interaction, interaction.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onInteraction))
        else:
            self._placing.stop(self.node.fixedPoints)
            self._dropInteraction()
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)

    def _dropInteraction(self) -> None:
        if self._interaction is not None:
            self._interaction[0].RemoveObserver(self._interaction[1])
            self._interaction = None

    def _onInteraction(self, interaction: Any, _event: Any) -> None:
        if interaction.GetCurrentInteractionMode() != interaction.Place and self.ui.pickButton.checked:
            self.ui.pickButton.checked = False

    def _refuseOutside(self) -> None:
        """Remove points that were picked outside the fixed volume, or whose partner would be outside the moving volume, and say so."""
        node = self.node
        fixed = node.fixedPoints
        if fixed is None or not self.context.volumes():
            return
        new = [number for number in definedNumbers(fixed) if fixed.GetNthControlPointID(number) not in self._known]
        if not new:
            return
        points = positions(fixed, new, parentTransform(fixed))
        for reason, inside in (
            (_("The point is outside the fixed volume: it was not added."), _within(volumeGrid(node.fixedVolume), points)),
            (
                _("Its place in the moving volume would be outside of it: the point was not added."),
                _within(volumeGrid(node.movingVolume, node.transform), FixedToMoving(node.transform)(points)),
            ),
        ):
            if not inside.all():
                for number in reversed([number for number, within in zip(new, inside, strict=True) if not within]):
                    fixed.RemoveNthControlPoint(number)
                self.context.showStatus(reason)
                break
        else:
            self.context.showStatus("")
        self._known |= _identifiers(fixed)

    # ----------------------------------------------------------------- propose

    def proposeMissing(self) -> None:
        """Propose partners for fixed points without one."""
        self._without.clear()
        with slicer.util.tryWithErrorDisplay(_("No partner can be proposed."), waitCursor=True):
            self.context.sections["landmarks"].lists()
            self._proposeMissing(undo=True)
            self.context.refresh()

    def _proposeMissing(self, undo: bool) -> None:
        node = self.node
        fixed, moving = node.fixedPoints, node.movingPoints
        if fixed is None or moving is None or fixed is moving or not self.context.volumes():
            return
        found = pairing(fixed, moving)
        points = positions(fixed, [number for number, _partner in found.missing], parentTransform(fixed))
        missing = [
            (number, partner, point)
            for (number, partner), point in zip(found.missing, points, strict=True)
            if self._without.get(fixed.GetNthControlPointID(number)) != tuple(point)
        ]
        if not missing:
            return
        if undo:
            slicer.mrmlScene.SaveStateForUndo()
        matcher = self.matcher()
        toLocal = self._movingToLocal()
        state = moving.StartModify()
        try:
            for number, partner, point in missing:
                proposal = matcher.propose(point, node.window)
                if proposal.position is None:
                    self._without[fixed.GetNthControlPointID(number)] = tuple(point)
                    continue
                place = toLocal(proposal.position)
                label, where = fixed.GetNthControlPointLabel(number), -1 if found.by_label else number
                index = partner if partner >= 0 else newPoint(moving, label, where)
                moving.SetNthControlPointPosition(index, *place)
                moving.SetNthControlPointDescription(index, f"{PROPOSED}, confidence {proposal.confidence:.2f}")
                self._proposals[moving.GetNthControlPointID(index)] = np.array(place)
                self._isNew = True
        finally:
            moving.EndModify(state)
        without = [number for number, _partner, _point in missing if fixed.GetNthControlPointID(number) in self._without]
        if without:
            self._explain(without)

    def _explain(self, without: list[int]) -> None:
        """Say that the moving volume does not show the partners of some fixed points, and how to place them by hand."""
        text = counted(
            len(without),
            _("No partner is proposed for {count} point: the moving volume does not show its place clearly."),
            _("No partner is proposed for {count} points: the moving volume does not show their places clearly."),
        )
        if views.isSideBySide():
            text += " " + _("Click the place in a moving view, or press Undo.")
        else:
            text += " " + _("Press Side by side while picking to place it by hand.")
        self.context.showStatus(text)

    def _wait(self) -> None:
        """Wait for a click in a moving view, if a point was picked whose partner cannot be proposed."""
        fixed, moving = self.node.fixedPoints, self.node.movingPoints
        if self._placing.waiting or not views.isSideBySide() or not self._without or fixed is None or moving is None:
            return
        found = pairing(fixed, moving)
        for number, _partner in reversed(found.missing):
            if fixed.GetNthControlPointID(number) in set(self._without) - self._before:
                self._placing.start(fixed, moving, number, found.by_label)
                return

    def _movingToLocal(self) -> Callable[[np.ndarray], list[float]]:
        """Return a function from world positions of moving points without the transform to the coordinates of the list."""
        above = belowTransform(self.node.movingPoints, self.node.transform)
        back = above.GetInverse() if above is not None else None
        return lambda point: mapPoints(back, np.asarray(point)[None])[0].tolist()

    def matcher(self) -> Matcher:
        """Return the matcher of the chosen volumes."""
        node = self.node
        key = tuple((item, item.GetMTime()) for item in (node.fixedVolume, node.movingVolume))
        if self._matcher is None or self._matcher[0] != key:
            self._matcher = (key, Matcher(node.fixedVolume, node.movingVolume, node.transform))
        return self._matcher[1]

    # ------------------------------------------------------------------ accept

    def accept(self, index: int) -> None:
        """Accept a proposed moving point.

        Args:
            index: of the point in its list.
        """
        moving = self.node.movingPoints
        self._proposals.pop(moving.GetNthControlPointID(index), None)
        moving.SetNthControlPointDescription(index, "")

    def forgetProposals(self) -> None:
        """Store the present positions of proposed points as the positions of the proposals."""
        self._proposals.clear()

    def _noteMoved(self) -> None:
        """Note that proposals were dragged: they have no confidence any more, and count when they are accepted."""
        moving = self.node.movingPoints
        for number in definedNumbers(moving):
            if moving.GetNthControlPointDescription(number).startswith(PROPOSED):  # also those of a loaded scene
                self._proposals.setdefault(moving.GetNthControlPointID(number), np.array(moving.GetNthControlPointPosition(number)))
        for identifier, place in list(self._proposals.items()):
            number = moving.GetNthControlPointIndexByID(identifier) if moving is not None else -1
            if number < 0:
                del self._proposals[identifier]
            elif np.linalg.norm(np.array(moving.GetNthControlPointPosition(number)) - place) > 1e-6:
                del self._proposals[identifier]
                if moving.GetNthControlPointDescription(number).startswith(PROPOSED):
                    moving.SetNthControlPointDescription(number, CORRECTED)


def _identifiers(points: Any) -> set[str]:
    return {points.GetNthControlPointID(number) for number in definedNumbers(points)}


def _within(grid: Any, points: np.ndarray) -> np.ndarray:
    """Return which points (N, 3), RAS mm, lie in a grid, LPS mm; all do if the grid is not known."""
    return np.ones(len(points), dtype=bool) if grid is None else grid.contains(points * FLIP)
