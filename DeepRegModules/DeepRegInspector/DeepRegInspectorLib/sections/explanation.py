"""Confidence and alternatives: probabilities, entropy, features and partners behind a result, computed by the worker on request."""

from __future__ import annotations

from typing import Any

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from deepreg_slicer.choice_box import ChoiceBox
from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.torch_state import knownMissing
from deepreg_slicer.wrapped_text import fitHeight
from DeepRegInspectorLib import explain_shown
from DeepRegInspectorLib.explain_display import VOLUMES, ExplainDisplay
from DeepRegInspectorLib.explain_iterations import Iterations
from DeepRegInspectorLib.explain_point import ExplainedPoint
from DeepRegInspectorLib.explain_session import ExplainSession
from DeepRegInspectorLib.explain_subject import METHODS, Subject, subjectOf
from DeepRegInspectorLib.explain_tasks import Images, Question, readImages, readTable
from DeepRegInspectorLib.explain_text import methodText, notesTexts, partnersText, probabilitiesText, stageTitle
from DeepRegInspectorLib.mapping import FLIP
from DeepRegInspectorLib.sections.base import Section

_SHOWN = (
    ("none", _("nothing"), _("Only the fixed volume.")),
    ("heat", _("probability around the point"), _("The probability of each displacement, shown at the position that it leads to.")),
    (
        "entropy",
        _("uncertainty"),
        _("Uncertainty of the displacement at each voxel, in bits: 0 is certain; at the maximum all displacements are equally probable."),
    ),
    ("offset", _("expected displacement"), _("Distance of the mean of the probabilities from the result, mm.")),
    ("fixedFeatures", _("features of fixed"), _("The features that are compared, as colours: equal colours are similar features.")),
    ("movingFeatures", _("features of moving, warped"), _("The features of the moving volume in the same colours, warped by the result.")),
    ("confidences", _("confidence of the points"), _("All fixed points, coloured by the confidence of their mapped positions.")),
)
#: What can be shown of the results of each method.
OFFERED = {
    "dense": ("none", "heat", "entropy", "offset", "fixedFeatures", "movingFeatures"),
    "descent": ("none", "fixedFeatures", "movingFeatures"),
    "points": ("none", "confidences"),
}
_BUSY = (_("Preparing the pair..."), _("Computing..."))
_INPUTS = {"transform", "fixedVolume", "movingVolume"}
# Partners of a smaller probability are not shown.
_LEAST = 0.01


class ExplanationSection(Section):
    """The part *Confidence and alternatives*.

    Attributes:
        display: draws the answers.
        point: the explained position. session: requests to the worker.
    """

    name = "explanation"
    inputs = ("explainedPoint",)

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._subject = Subject(None, None, None, METHODS[0])
        self._offered: tuple[str, ...] = ()
        self._stages: list[dict[str, Any]] = []
        self._pointText = self._mapText = ""
        ui = self.loadUi("DeepRegExplanation.ui")
        self.session = ExplainSession(context.client)
        self.session.changed.connect(self._onBusy)
        self.session.failed.connect(self._onFailed)
        self.display = ExplainDisplay(context, ui)
        self.shown = ChoiceBox(ui.explainShownComboBox, _SHOWN)
        self.shown.changed.connect(self.show)
        self.iterations = Iterations(ui.explainIterationLabel, ui.explainIterationSlider, self._onIteration)
        self.point = ExplainedPoint(context, ui.explainPickButton, self._askPoint)
        ui.explainCrosshairButton.connect("clicked(bool)", lambda _checked: self._atCrosshair())
        ui.explainLandmarkButton.connect("clicked(bool)", lambda _checked: self._atLandmark())
        ui.explainStageComboBox.connect("activated(int)", self._onStage)
        ui.explainRemoveButton.connect("clicked(bool)", lambda _checked: self.remove())
        context.sections["landmarks"].table.selected.connect(lambda _number: self.enable())
        ui.explainCollapsibleButton.connect("contentsCollapsed(bool)", lambda _collapsed: self._askPoint())

    @property
    def busy(self) -> bool:
        return self.session.busy

    @property
    def answer(self) -> dict[str, Any] | None:
        """The last answer about the point; None before."""
        return self.display.answer

    # ------------------------------------------------------------------- hooks

    def forget(self) -> None:
        self.session.about(None)
        self.point.follow(None)
        self._subject = Subject(None, None, None, METHODS[0])
        self._forgetAnswers()

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        if changed & _INPUTS:
            self._drop(any(former.get(name) is not None for name in changed))
        if "explainedPoint" in changed:
            self.point.follow(self.node.explainedPoint)

    def onModified(self, name: str) -> None:
        if name in _INPUTS:
            self._drop(True)
            self._askPoint()

    def showParameters(self) -> None:
        self._offer()
        self.shown.show(self.node.explainShown)

    def onParameters(self, changed: set[str]) -> None:
        node = self.node
        if node.explainShown in VOLUMES and (node.overlay != "none" or node.map != "none"):
            self.context.set("explainShown", "none")  # another section now shows something over the fixed volume
            explain_shown.showBars(node, "none")
        if changed & {*_INPUTS, "explainedPoint"}:
            self._askPoint()
        self.display.update()

    def enable(self) -> None:
        ui, node = self.ui, self.node
        problem = self._problem()
        self.allow(ui.explainShownComboBox, not problem, problem)
        ui.explainMethodLabel.text = problem or methodText(self._subject)
        if not problem and self._subject.method == "descent":
            problem = _("A descent follows the features; it has no probabilities of displacements.")
        landmarks = self.context.sections["landmarks"]
        selected = 0 <= landmarks.table.current < len(landmarks.pairs)
        self.allow(ui.explainPickButton, not problem, problem, keep=ui.explainPickButton.checked)
        self.allow(ui.explainCrosshairButton, not problem, problem)
        self.allow(ui.explainLandmarkButton, not problem and selected, problem or _("Select a pair in the table of landmarks first."))
        self.allow(ui.explainStageComboBox, bool(self._stages), _("Choose a point or a map first; it determines the steps."))
        self.allow(ui.explain3DCheckBox, node.heat is not None, _("Choose a point first."))
        ui.explainOpacitySlider.setEnabled(node.explainShown in VOLUMES)
        made = any(getattr(node, name) is not None for name in explain_shown.MADE)
        self.allow(ui.explainRemoveButton, made, _("Nothing was made yet."))
        fitHeight(ui.explainMethodLabel)
        fitHeight(ui.explainLabel)

    def resume(self) -> None:
        self._showPoint(True)

    def rest(self) -> None:
        self.point.stopPicking()
        self._showPoint(False)

    def hide(self) -> None:
        self.node.explainShown = "none"

    def _showPoint(self, on: bool) -> None:
        point = self.node.explainedPoint if self.node is not None else None
        if point is not None and point.GetDisplayNode() is not None:
            point.GetDisplayNode().SetVisibility(on)

    def cleanup(self) -> None:
        self.session.about(None)
        self.point.cleanup()

    def _problem(self) -> str:
        """Return the reason why the result cannot be explained; "" if it can be explained."""
        problem = self._subject.problem()
        if problem:
            return problem
        names = knownMissing()
        return _("Not installed: {names}; open the module DeepReg Setup.").format(names=", ".join(names)) if names else ""

    def _forgetAnswers(self) -> None:
        self._stages = []
        self.display.forget()
        self._showText()

    def _drop(self, shown: bool) -> None:
        """Drop the answers about other inputs."""
        node = self.node
        self._subject = subjectOf(node.transform, node.fixedVolume, node.movingVolume)
        self.session.about(self._subject)
        self._forgetAnswers()
        self._offer()
        self.iterations.setSequence(self._sequence())
        if shown:
            self.display.hide()

    def _offer(self) -> None:
        """Offer only the choices that this result has."""
        offered = OFFERED[self._subject.method]
        if offered == self._offered:
            return
        self._offered = offered
        box = self.ui.explainShownComboBox
        box.clear()
        for value, title, about in _SHOWN:
            if value in offered:
                box.addItem(title, value)
                box.setItemData(box.count - 1, about, qt.Qt.ToolTipRole)
        ui, isDense = self.ui, self._subject.method == "dense"
        for widget in (ui.explainPictureLabel, ui.explainStageLabel, ui.explainStageComboBox, ui.explain3DCheckBox):
            widget.setVisible(isDense)

    # ------------------------------------------------------------------- point

    def setPoint(self, place: np.ndarray) -> None:
        """Explain a position in the fixed volume, RAS mm."""
        self.point.set(place)

    def _atCrosshair(self) -> None:
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        self.setPoint(np.array(crosshair.GetCrosshairRAS()))

    def _atLandmark(self) -> None:
        landmarks = self.context.sections["landmarks"]
        fixed, moving = (points[landmarks.table.current] for points in (landmarks.pairs.fixed, landmarks.pairs.moving))
        self.context.sections["sideBySide"].jump(fixed, moving)
        self.setPoint(fixed)

    # --------------------------------------------------------------------- ask

    def _askPoint(self) -> None:
        """Ask about the point, if there is one and the section is open."""
        place = self.point.place()
        method = self._subject.method
        if self.node is None or place is None or self.ui.explainCollapsibleButton.collapsed or method == "descent" or self._problem():
            return
        point = (place * FLIP).tolist()
        if method == "points":
            self.session.ask(Question("partners", {"point": point}, {"output": "partners.csv"}, readTable, self._onPartners))
        else:
            arguments = {"point": point, "stage": self.node.explainStage}
            self.session.ask(Question("probabilities", arguments, {"output": "probabilities.nrrd"}, readImages, self._onProbabilities))

    def show(self, value: str) -> None:
        """Show one of :data:`_SHOWN` in the views; requests missing results from the worker."""
        node = self.node
        if node is None or self.context.updating:
            return
        if value in VOLUMES:
            self.display.takeLayer()
        elif value == "none":
            self.display.clearLayer()
            self.display.hideConfidences()
            self.display.hide3D()
        node.explainShown = value
        self._showText(self._pointText)
        explain_shown.showBars(node, "none")
        if value == "heat":
            self.display.showHeat() if self.answer is not None else self._askPoint()
        elif value in ("entropy", "offset"):
            files = {"bits": "bits.nrrd", "offset": "offset.nrrd"}
            self.session.ask(Question("entropy", {"stage": node.explainStage}, files, readImages, self._onMap))
        elif value in ("fixedFeatures", "movingFeatures"):
            files = {"fixed": "fixed_features.nrrd", "moving": "moving_features.nrrd"}
            self.session.ask(Question("features", {}, files, readImages, self._onFeatures))
        elif value == "confidences":
            self.session.ask(Question("confidences", {}, {"output": "confidences.csv"}, readTable, self._onConfidences))
        self.enable()

    def _onStage(self, index: int) -> None:
        if self.node is None:
            return
        self.node.explainStage = str(self.ui.explainStageComboBox.itemData(index) or "")
        self._askPoint()
        if self.node.explainShown in ("entropy", "offset"):
            self.show(self.node.explainShown)

    def _onBusy(self) -> None:
        label = self.ui.explainLabel
        if self.session.opening:
            self._say(_BUSY[0])
        elif self.session.busy and not label.text:
            self._say(_BUSY[1])
        elif not self.session.busy and label.text in _BUSY:
            self._say("")
        if self.session.opened is not None:
            self._showStages(self.session.opened.get("stages", []), self.session.opened.get("stage", ""))
        if self.node is not None:
            self.enable()

    def _showStages(self, stages: list[dict[str, Any]], default: str) -> None:
        """Offer the sets of displacements that can be asked about."""
        if not stages or stages == self._stages:
            return
        self._stages = stages
        box, names = self.ui.explainStageComboBox, [stage["name"] for stage in stages]
        box.clear()
        for stage in stages:
            box.addItem(stageTitle(stage), stage["name"])
        wanted = self.node.explainStage if self.node is not None else ""
        box.setCurrentIndex(names.index(wanted if wanted in names else default))
        if self.node is not None and wanted not in names:
            self.node.explainStage = ""

    # ----------------------------------------------------------------- answers

    def _onProbabilities(self, found: tuple[Images, dict[str, Any]]) -> None:
        self.display.showProbabilities(*found)
        self._showText(probabilitiesText(found[1]), self._mapText)
        self.enable()

    def _onPartners(self, found: tuple[np.ndarray, dict[str, Any]]) -> None:
        rows, answer = found
        rows = rows[(rows[:, 4] >= _LEAST) | (np.arange(len(rows)) == 0)]
        self.display.showPartners(rows, answer, self._subject.transform)
        self._showText(partnersText(answer, rows), self._mapText)
        self.enable()

    def _onMap(self, found: tuple[Images, dict[str, Any]]) -> None:
        if self.node.explainShown in ("entropy", "offset"):
            self._showText(self._pointText, self.display.showMap(*found))
            self.enable()

    def _onFeatures(self, found: tuple[Images, dict[str, Any]]) -> None:
        self._showText(self._pointText, self.display.showFeatures(*found))
        self.enable()

    def _onConfidences(self, found: tuple[np.ndarray, dict[str, Any]]) -> None:
        if self.node.explainShown == "confidences":
            self._showText(self._pointText, self.display.showConfidences(*found))
            self.enable()

    def _onFailed(self, text: str) -> None:
        self._showText(text)
        node = self.node
        if node is not None and not (node.explainShown == "heat" and node.heat is not None):
            node.explainShown = "none"

    def _showText(self, point: str = "", shown: str = "") -> None:
        """Describe the point and what is shown in the views."""
        self._pointText, self._mapText = point, shown
        opened = self.session.opened or {}
        self._say("<br>".join(text for text in (point, shown, *notesTexts(opened.get("notes", ()))) if text))

    def _say(self, text: str) -> None:
        self.ui.explainLabel.text = text
        fitHeight(self.ui.explainLabel)

    # -------------------------------------------------------------- iterations

    def _sequence(self) -> Any:
        """Return the iterations that the run has kept, None if there are none."""
        transform = self._subject.transform
        if transform is None or self._subject.method != "descent":
            return None
        created = transform.GetAttribute(PREFIX + "Created")
        for sequence in slicer.util.getNodesByClass("vtkMRMLSequenceNode"):
            if sequence.GetAttribute(PREFIX + "Output") == "iterations" and sequence.GetAttribute(PREFIX + "Created") == created:
                return sequence
        return None

    def _onIteration(self, text: str, moved: Any) -> None:
        if moved is not None:
            self.display.showMoved(moved)
        self._showText(self._pointText, text)

    # ------------------------------------------------------------------ remove

    def remove(self) -> None:
        """Remove all nodes that were made here from the scene."""
        if self.node is None:
            return
        slicer.mrmlScene.SaveStateForUndo()
        self.session.stop()
        self.point.follow(None)
        gone = self.display.remove()
        self._showText(_("Removed: {names}.").format(names=", ".join(gone)) if gone else "")
        self.enable()
