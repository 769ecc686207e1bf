"""Why it thinks so: probabilities, entropy, features and partners behind a result, asked of the worker when they are wanted."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.choice_box import ChoiceBox
from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.torch_state import missingPackages
from deepreg_slicer.volumes import readImage
from DeepRegInspectorLib import explain_picture, explain_shown, views
from DeepRegInspectorLib.explain_iterations import Iterations
from DeepRegInspectorLib.explain_point import ExplainedPoint
from DeepRegInspectorLib.explain_session import METHODS, ExplainSession, Question, Subject, subjectOf
from DeepRegInspectorLib.explain_text import methodText, partnersText, probabilitiesText, stageTitle
from DeepRegInspectorLib.mapping import FLIP, FixedToMoving
from DeepRegInspectorLib.sections.base import Section

_SHOWN = (
    ("none", _("nothing"), _("Only the fixed volume.")),
    ("heat", _("probability around the point"), _("How likely each displacement from the result is, drawn where it would lead to.")),
    ("entropy", _("entropy"), _("How unsure the displacement is everywhere, in bits: 0 is certain, the most means that nothing is known.")),
    ("offset", _("expected displacement"), _("How far from the result the mean of the probabilities lies, mm.")),
    ("fixedFeatures", _("features of fixed"), _("What is compared, as colours: alike where the features are alike, in both volumes.")),
    ("movingFeatures", _("features of moving, warped"), _("The same of the moving volume, as the result warps it.")),
    ("confidences", _("confidence of the points"), _("All fixed points, coloured by how sure they are of where the result takes them.")),
)
#: What can be shown of the results of each method.
OFFERED = {
    "dense": ("none", "heat", "entropy", "offset", "fixedFeatures", "movingFeatures"),
    "descent": ("none", "fixedFeatures", "movingFeatures"),
    "points": ("none", "confidences"),
}
_VOLUMES = {
    "heat": "heat",
    "entropy": "explainedMap",
    "offset": "explainedMap",
    "fixedFeatures": "fixedFeatures",
    "movingFeatures": "movingFeatures",
}
_MODELS = ("confidences", "partners")
# Partners that are less likely are not shown.
_LEAST = 0.01


class ExplanationSection(Section):
    """The part *Why it thinks so*.

    Attributes:
        answer: what was last said of the point; None before.
        point: the place that is asked about.
        session: asks the worker.
    """

    name = "explanation"
    inputs = ("explainedPoint",)

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.answer: dict[str, Any] | None = None
        self._subject = Subject(None, None, None, METHODS[0])
        self._offered: tuple[str, ...] = ()
        self._stages: list[dict[str, Any]] = []
        self._shownAs: tuple[Any, ...] = ()
        self._pointText = self._mapText = ""
        self._complete = False
        ui = self.loadUi("DeepRegExplanation.ui")
        self.session = ExplainSession(context.client)
        self.session.changed.connect(self._onBusy)
        self.session.failed.connect(self._onFailed)
        self.shown = ChoiceBox(ui.explainShownComboBox, _SHOWN)
        self.shown.changed.connect(self.show)
        self.iterations = Iterations(ui.explainIterationLabel, ui.explainIterationSlider, self._onIteration)
        self.point = ExplainedPoint(context, ui.explainPickButton, self._askPoint)
        ui.explainCrosshairButton.connect("clicked(bool)", lambda _checked: self._atCrosshair())
        ui.explainLandmarkButton.connect("clicked(bool)", lambda _checked: self._atLandmark())
        ui.explainStageComboBox.connect("activated(int)", self._onStage)
        ui.explainOpacitySlider.connect("valueChanged(double)", lambda _value: self._onOpacity())
        ui.explainRemoveButton.connect("clicked(bool)", lambda _checked: self.remove())
        context.sections["landmarks"].table.selected.connect(lambda _number: self.enable())
        ui.explainCollapsibleButton.connect("contentsCollapsed(bool)", lambda _collapsed: self._askPoint())

    @property
    def busy(self) -> bool:
        return self.session.busy

    # ------------------------------------------------------------------- hooks

    def forget(self) -> None:
        self.session.about(None)
        self.point.follow(None)
        self.answer, self._stages, self._shownAs = None, [], ()
        self._subject = Subject(None, None, None, METHODS[0])
        self._showAnswer("")

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        if changed & {"transform", "fixedVolume", "movingVolume"}:
            self._drop(any(former.get(name) is not None for name in changed))
        if "explainedPoint" in changed:
            self.point.follow(self.node.explainedPoint)

    def onModified(self, name: str) -> None:
        if name in ("transform", "fixedVolume", "movingVolume"):
            self._drop(True)
            self._askPoint()

    def showParameters(self) -> None:
        self._offer()
        self.shown.show(self.node.explainShown)

    def onParameters(self, changed: set[str]) -> None:
        node = self.node
        if node.explainShown in _VOLUMES and (node.overlay != "none" or node.map != "none"):
            self.context.set("explainShown", "none")  # the layer shows something else now
            explain_shown.showBars(node, "none")
        if changed & {"transform", "fixedVolume", "movingVolume", "explainedPoint"}:
            self._askPoint()
        state = (node.explain3D, node.colorBars)
        if state != self._shownAs and self.answer is not None:
            self._shownAs = state
            self._showHeat()

    def enable(self) -> None:
        ui, node = self.ui, self.node
        problem = self._subject.problem() or self._missing()
        asks = not problem and self._subject.method != "descent"
        if not problem and self._subject.method == "descent":
            problem = _("A descent follows the features; it has no probabilities of displacements.")
        landmark = self.context.sections["landmarks"].table.current
        self.allow(ui.explainPickButton, asks, problem, keep=ui.explainPickButton.checked)
        self.allow(ui.explainCrosshairButton, asks, problem)
        self.allow(
            ui.explainLandmarkButton,
            asks and 0 <= landmark < len(self.context.sections["landmarks"].pairs),
            problem or _("Select a pair in the table of landmarks first."),
        )
        problem = self._subject.problem() or self._missing()
        self.allow(ui.explainShownComboBox, not problem, problem)
        self.allow(ui.explainStageComboBox, bool(self._stages), _("Ask for something first: then the steps are known."))
        self.allow(ui.explain3DCheckBox, node.heat is not None, _("Choose a point first."))
        ui.explainOpacitySlider.setEnabled(node.explainShown in _VOLUMES)
        made = any(getattr(node, name) is not None for name in explain_shown.MADE)
        self.allow(ui.explainRemoveButton, made, _("Nothing was made yet."))
        ui.explainMethodLabel.text = self._subject.problem() or self._missing() or methodText(self._subject)
        _fit(ui.explainMethodLabel)
        _fit(ui.explainLabel)

    def rest(self) -> None:
        self.point.stopPicking()

    def cleanup(self) -> None:
        self.session.about(None)
        self.point.cleanup()

    def _missing(self) -> str:
        if self._complete:
            return ""
        names = missingPackages()
        self._complete = not names  # looking for them takes milliseconds
        return _("Not installed: {names}; open the module DeepReg Setup.").format(names=", ".join(names)) if names else ""

    def _drop(self, shown: bool) -> None:
        """What was said of other inputs is not true any more."""
        node = self.node
        self._subject = subjectOf(node.transform, node.fixedVolume, node.movingVolume)
        self.session.about(self._subject)
        self.answer, self._stages = None, []
        self._showAnswer("")
        self._offer()
        self.iterations.setSequence(self._sequence())
        if shown:
            explain_shown.hide(node, _MODELS)
            explain_shown.showBars(node, "none")
            self._hide3D()
            if node.explainShown in _VOLUMES:
                views.setLayers(node.fixedVolume, None, 0.0)
            node.explainShown = "none"

    def _offer(self) -> None:
        """Only what this result has."""
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
        self.ui.explainPictureLabel.setVisible(self._subject.method == "dense")
        for widget in (self.ui.explainStageLabel, self.ui.explainStageComboBox, self.ui.explain3DCheckBox):
            widget.setVisible(self._subject.method == "dense")

    # ------------------------------------------------------------------- point

    def setPoint(self, place: np.ndarray) -> None:
        """Ask about a place in the fixed volume, RAS mm."""
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
        """Ask for what is known of the point, if there is one and somebody looks."""
        place = self.point.place()
        method = self._subject.method
        if self.node is None or place is None or self.ui.explainCollapsibleButton.collapsed or method == "descent":
            return
        if self._subject.problem() or self._missing():
            return
        point = (place * FLIP).tolist()
        if method == "points":
            self.session.ask(Question("partners", {"point": point}, {"output": "partners.csv"}, _readPartners, self._onPartners))
        else:
            arguments = {"point": point, "stage": self.node.explainStage}
            self.session.ask(Question("probabilities", arguments, {"output": "probabilities.nrrd"}, _readImages, self._onProbabilities))

    def show(self, value: str) -> None:
        """Show one of :data:`_SHOWN` in the views; what is not there yet is asked for."""
        node = self.node
        if node is None or self.context.updating:
            return
        if value in _VOLUMES:
            self._clearLayer()
        former, node.explainShown = node.explainShown, value
        self._showAnswer(self._pointText)
        explain_shown.showBars(node, "none")
        if value == "none":
            if former in _VOLUMES:
                views.setLayers(node.fixedVolume, None, 0.0)
            explain_shown.hide(node, ("confidences",))
            self._hide3D()
        elif value == "heat":
            self._showHeat() if self.answer is not None else self._askPoint()
        elif value in ("entropy", "offset"):
            files = {"bits": "bits.nrrd", "offset": "offset.nrrd"}
            self.session.ask(Question("entropy", {"stage": node.explainStage}, files, _readImages, self._onMaps))
        elif value in ("fixedFeatures", "movingFeatures"):
            files = {"fixed": "fixed_features.nrrd", "moving": "moving_features.nrrd"}
            self.session.ask(Question("features", {}, files, _readImages, self._onFeatures))
        else:
            self.session.ask(Question("confidences", {}, {"output": "confidences.csv"}, _readConfidences, self._onConfidences))
        self.enable()

    def _clearLayer(self) -> None:
        """Let the other sections show nothing in the layer that is needed."""
        self.context.sections["images"].flicker.stop()
        self.node.overlay = self.node.map = "none"

    def _onStage(self, index: int) -> None:
        if self.node is None:
            return
        self.node.explainStage = str(self.ui.explainStageComboBox.itemData(index) or "")
        self._askPoint()
        if self.node.explainShown in ("entropy", "offset"):
            self.show(self.node.explainShown)

    def _onBusy(self) -> None:
        ui = self.ui
        if self.session.opening:
            self._say(_("Handing the pair over..."))
        elif self.session.busy and not ui.explainLabel.text:
            self._say(_("Computing..."))
        elif not self.session.busy and ui.explainLabel.text in (_("Handing the pair over..."), _("Computing...")):
            self._say("")
        opened = self.session.opened
        stages = opened.get("stages", []) if opened is not None else []
        if stages and stages != self._stages:
            self._stages = stages
            ui.explainStageComboBox.clear()
            for stage in stages:
                ui.explainStageComboBox.addItem(stageTitle(stage), stage["name"])
            wanted = self.node.explainStage if self.node is not None else ""
            names = [stage["name"] for stage in stages]
            ui.explainStageComboBox.setCurrentIndex(names.index(wanted if wanted in names else opened["stage"]))
            if self.node is not None and wanted not in names:
                self.node.explainStage = ""
        if self.node is not None:
            self.enable()

    def _onFailed(self, text: str) -> None:
        self._showAnswer(text)
        node = self.node
        if node is not None and node.explainShown != "none" and not (node.explainShown == "heat" and node.heat is not None):
            node.explainShown = "none"

    # ----------------------------------------------------------------- answers

    def _onProbabilities(self, found: tuple[dict[str, tuple[Any, Any]], dict[str, Any]]) -> None:
        images, told = found
        first = self.answer is None
        self.answer = {**told, "image": images["output"]}
        node = self.node
        if first and node.explainShown == "none" and node.overlay == "none" and node.map == "none":
            node.explainShown = "heat"
        self._showHeat()
        self._showAnswer(probabilitiesText(told), self._mapText)

    def _showHeat(self) -> None:
        """The heat in place, and the three pictures."""
        node, answer = self.node, self.answer
        if answer is None or "image" not in answer:
            return
        self._shownAs = (node.explain3D, node.colorBars)
        image, geometry = answer["image"]
        node.heat = explain_shown.heat(node.heat, image, geometry, answer["peak"])
        if node.explainShown == "heat":
            self._showLayer()
        explain_shown.heatIn3D(node.heat, bool(node.explain3D), answer["peak"])
        probability = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
        directions = np.diag(FLIP) @ np.asarray(geometry.direction)
        pixmap = explain_picture.draw(probability, directions, geometry.spacing[0])
        self.ui.explainPictureLabel.setPixmap(pixmap)
        self.ui.explainPictureLabel.setMinimumHeight(pixmap.height())
        self.enable()

    def _hide3D(self) -> None:
        if self.node is not None and self.node.heat is not None:
            explain_shown.heatIn3D(self.node.heat, False, 1.0)

    def _onMaps(self, found: tuple[dict[str, tuple[Any, Any]], dict[str, Any]]) -> None:
        images, told = found
        node = self.node
        if node.explainShown not in ("entropy", "offset"):
            return
        if node.explainedMap is None:
            slicer.mrmlScene.SaveStateForUndo()
        if node.explainShown == "entropy":
            node.explainedMap = explain_shown.entropyMap(node.explainedMap, *images["bits"], told["most_bits"])
            text = _("Entropy: mean {mean_bits:.1f} of {most_bits:.1f} bits over the fixed volume.").format(**told)
        else:
            node.explainedMap = explain_shown.offsetMap(node.explainedMap, *images["offset"], told["stage"]["step_mm"])
            text = _("Expected displacement from the result: mean {mean_offset_mm:.1f} mm; colours end at one step.").format(**told)
        self._showLayer()
        self._showAnswer(self._pointText, text)

    def _onFeatures(self, found: tuple[dict[str, tuple[Any, Any]], dict[str, Any]]) -> None:
        images, told = found
        node = self.node
        if node.fixedFeatures is None or node.movingFeatures is None:
            slicer.mrmlScene.SaveStateForUndo()
        fixed, moving = node.fixedVolume.GetName(), node.movingVolume.GetName()
        node.fixedFeatures = explain_shown.features(node.fixedFeatures, _("Features of {name}").format(name=fixed), *images["fixed"])
        title = _("Features of {name} warped").format(name=moving)
        node.movingFeatures = explain_shown.features(node.movingFeatures, title, *images["moving"])
        self._showLayer()
        self._showAnswer(
            self._pointText,
            _(
                "Features ({features}) at {spacing_mm:.3g} mm: the same colour where they are alike, black where the moving volume is unknown."
            ).format(**told),
        )

    def _showLayer(self) -> None:
        node = self.node
        if node.explainShown in _VOLUMES:
            volume = getattr(node, _VOLUMES[node.explainShown])
            views.setLayers(node.fixedVolume, volume, self.ui.explainOpacitySlider.value / 100.0)
        explain_shown.showBars(node, node.explainShown)
        self.enable()

    def _onConfidences(self, found: tuple[np.ndarray, dict[str, Any]]) -> None:
        rows, told = found
        node = self.node
        if node.explainShown != "confidences":
            return
        if node.confidences is None:
            slicer.mrmlScene.SaveStateForUndo()
        node.confidences = explain_shown.confidences(node.confidences, rows[:, :3], rows[:, 3:6], rows[:, 9], node.colorBars)
        views.assign(node.confidences, None, None)
        self._showAnswer(
            self._pointText,
            _(
                "{points} points; {share:.0f} % are sure of where the result takes them (above 0.5), the mean is {mean_confidence:.2f}."
            ).format(share=100.0 * told["confident_share"], **told),
        )
        self.enable()

    def _onPartners(self, found: tuple[np.ndarray, dict[str, Any]]) -> None:
        rows, told = found
        rows = rows[(rows[:, 4] >= _LEAST) | (np.arange(len(rows)) == 0)]
        node = self.node
        self.answer = told
        fixed, moved = (np.array(told[name]) * FLIP for name in ("fixed", "moved"))
        slope = FixedToMoving(self._subject.transform).linear(fixed)
        back = np.linalg.inv(slope) if abs(np.linalg.det(slope)) > 0.05 else np.eye(3)
        # Where partners lie from the result, as it is seen in the fixed volume.
        places = fixed + (rows[:, :3] - moved) @ back.T
        node.partners = explain_shown.partners(node.partners, fixed, places, rows[:, 4], node.colorBars)
        self._showAnswer(partnersText(told, rows), self._mapText)
        self.enable()

    def _onOpacity(self) -> None:
        if self.node is not None and not self.context.updating and self.node.explainShown in _VOLUMES:
            views.setOpacity(self.ui.explainOpacitySlider.value / 100.0)

    def _showAnswer(self, point: str, shown: str = "") -> None:
        """Say what is known of the point, and of what is shown."""
        self._pointText, self._mapText = point, shown
        self._say("<br>".join(text for text in (point, shown) if text))
        if self.answer is None or "image" not in self.answer:
            self.ui.explainPictureLabel.clear()
            self.ui.explainPictureLabel.setMinimumHeight(0)

    def _say(self, text: str) -> None:
        self.ui.explainLabel.text = text
        _fit(self.ui.explainLabel)

    # -------------------------------------------------------------- iterations

    def _sequence(self) -> Any:
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
            self._clearLayer()
            self.node.explainShown = "none"
            explain_shown.showBars(self.node, "none")
            views.setLayers(self.node.fixedVolume, moved, 0.5)
        self._showAnswer(self._pointText, text)

    # ------------------------------------------------------------------ remove

    def remove(self) -> None:
        """Take all that was made here out of the scene."""
        node = self.node
        if node is None:
            return
        slicer.mrmlScene.SaveStateForUndo()
        self.session.stop()
        if node.explainShown in _VOLUMES:
            views.setLayers(node.fixedVolume, None, 0.0)
        node.explainShown = "none"
        self.point.follow(None)
        gone = explain_shown.remove(node)
        self.answer = None
        self._showAnswer(_("Removed: {names}.").format(names=", ".join(gone)) if gone else "")
        self.enable()


def _fit(label: Any) -> None:
    """Make a label with word wrap as high as its text needs at its width: a form does not do that by itself."""
    label.setMinimumHeight(0)
    if label.text:
        label.setMinimumHeight(max(0, label.heightForWidth(label.width)))


def _readImages(paths: dict[str, str], told: dict[str, Any]) -> Generator[Any, None, tuple[dict[str, tuple[Any, Any]], dict[str, Any]]]:
    images = {}
    for name, path in paths.items():
        images[name] = yield from readImage(path)
    return images, told


def _readConfidences(paths: dict[str, str], told: dict[str, Any]) -> Generator[Any, None, tuple[np.ndarray, dict[str, Any]]]:
    yield 0.0
    rows = np.loadtxt(paths["output"], delimiter=",", skiprows=1, ndmin=2)
    rows[:, :9] *= np.tile(FLIP, 3)
    return rows, told


def _readPartners(paths: dict[str, str], told: dict[str, Any]) -> Generator[Any, None, tuple[np.ndarray, dict[str, Any]]]:
    yield 0.0
    rows = np.loadtxt(paths["output"], delimiter=",", skiprows=1, ndmin=2)
    rows[:, :3] *= FLIP
    return rows, told
