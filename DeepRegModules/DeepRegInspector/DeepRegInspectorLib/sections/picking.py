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
from DeepRegInspectorLib import views
from DeepRegInspectorLib.landmarks import PROPOSED, newPoint, pairing, positions
from DeepRegInspectorLib.mapping import belowTransform
from DeepRegInspectorLib.matching import Matcher
from DeepRegInspectorLib.sections.base import Section


class PickingSection(Section):
    """Switches picking on and off, and proposes partners; precedes the section that measures the pairs."""

    name = "picking"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._proposals: dict[str, np.ndarray] = {}
        self._matcher: tuple[Any, Matcher] | None = None
        self._isNew = False  # whether the last pair is a new proposal
        self._interaction: tuple[Any, int] | None = None
        self.ui.pickButton.connect("toggled(bool)", self._onPick)

    def forget(self) -> None:
        self.forgetProposals()
        self._matcher = None

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        if changed & {"transform", "otherTransform", "fixedVolume", "movingVolume"}:
            self._matcher = None

    def onModified(self, name: str) -> None:
        self._matcher = None

    def refresh(self) -> None:
        if self.ui.pickButton.checked:
            self._proposeMissing(undo=False)
        self._acceptMoved()

    def takeNew(self) -> bool:
        """Return whether the last pair is a new proposal, and reset this."""
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
        selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
        interaction = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
        if on:
            fixed, moving = self.context.sections["landmarks"].lists()
            self._proposeMissing(undo=True)
            showPoints(fixed, moving)  # the lists may have been hidden, as those of the sample data are
            views.assign(fixed, moving, self.node.vectors)
            selection.SetReferenceActivePlaceNodeClassName(fixed.GetClassName())
            selection.SetActivePlaceNodeID(fixed.GetID())
            interaction.SetPlaceModePersistence(1)
            interaction.SetCurrentInteractionMode(interaction.Place)
            self._interaction = (interaction, interaction.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onInteraction))
        else:
            self._dropInteraction()
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)

    def _dropInteraction(self) -> None:
        if self._interaction is not None:
            self._interaction[0].RemoveObserver(self._interaction[1])
            self._interaction = None

    def _onInteraction(self, interaction: Any, _event: Any) -> None:
        if interaction.GetCurrentInteractionMode() != interaction.Place and self.ui.pickButton.checked:
            self.ui.pickButton.checked = False

    # ----------------------------------------------------------------- propose

    def proposeMissing(self) -> None:
        """Propose partners for fixed points without one."""
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
        if not found.missing:
            return
        if undo:
            slicer.mrmlScene.SaveStateForUndo()
        matcher = self.matcher()
        toLocal = self._movingToLocal()
        state = moving.StartModify()
        try:
            points = positions(fixed, [number for number, _partner in found.missing], parentTransform(fixed))
            for (number, partner), point in zip(found.missing, points, strict=True):
                proposal = matcher.propose(point, node.window)
                place = toLocal(proposal.position)
                label, where = fixed.GetNthControlPointLabel(number), -1 if found.by_label else number
                index = partner if partner >= 0 else newPoint(moving, label, where)
                moving.SetNthControlPointPosition(index, *place)
                moving.SetNthControlPointDescription(index, f"{PROPOSED}, confidence {proposal.confidence:.2f}")
                self._proposals[moving.GetNthControlPointID(index)] = np.array(place)
        finally:
            moving.EndModify(state)
        self._isNew = True

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

    def _acceptMoved(self) -> None:
        """Accept proposals that were dragged."""
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
                    moving.SetNthControlPointDescription(number, "")
