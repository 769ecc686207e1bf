"""Answers about a result as drawings in the views and pictures in the panel, each with a text that describes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.appearance import pixelRatio
from DeepRegInspectorLib import explain_picture, explain_shown, views
from DeepRegInspectorLib.explain_tasks import Images
from DeepRegInspectorLib.mapping import FLIP, FixedToMoving

#: Maps over the fixed volume, and the parameter that holds each volume.
VOLUMES = {
    "heat": "heat",
    "entropy": "explainedMap",
    "offset": "explainedMap",
    "fixedFeatures": "fixedFeatures",
    "movingFeatures": "movingFeatures",
}
_MODELS = ("confidences", "partners")


class _Picture(qt.QObject):
    """A picture in a label, drawn again when the width of the label changes; it does not make the panel wider.

    Args:
        label: its place.
    """

    def __init__(self, label: Any) -> None:
        qt.QObject.__init__(self, label)
        self._label, self._draw, self._width = label, None, 0
        policy = label.sizePolicy
        policy.setHorizontalPolicy(qt.QSizePolicy.Ignored)
        label.setSizePolicy(policy)
        label.installEventFilter(self)

    def show(self, draw: Callable[[Any], Any] | None) -> None:
        """Show a picture in the label. ``draw`` receives the label and returns a pixmap; None removes the picture."""
        self._draw = draw
        self._label.setMinimumHeight(0)
        if draw is None:
            self._label.clear()
            return
        self._width = self._label.width
        pixmap = draw(self._label)
        self._label.setPixmap(pixmap)
        self._label.setMinimumHeight(round(pixmap.height() / pixelRatio(self._label)))

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if event.type() == qt.QEvent.Resize and self._draw is not None and self._label.width != self._width:
            self.show(self._draw)
        return False


class ExplainDisplay:
    """Draws answers of the worker.

    Args:
        context: of the panel.
        ui: the widgets of the section.

    Attributes:
        answer: the last answer about the point; None before.
    """

    def __init__(self, context: Any, ui: Any) -> None:
        self.answer: dict[str, Any] | None = None
        self._context, self._ui = context, ui
        self._shownAs: tuple[Any, ...] = ()
        self._picture = _Picture(ui.explainPictureLabel)
        ui.explainOpacitySlider.connect("valueChanged(double)", lambda _value: self._onOpacity())

    @property
    def _node(self) -> Any:
        return self._context.node

    def forget(self) -> None:
        """Drop the answer about the point."""
        self.answer, self._shownAs = None, ()
        self._picture.show(None)

    def update(self) -> None:
        """Draw the probabilities again if their display options have changed."""
        if self.answer is not None and self._shownAs != (self._node.explain3D,):
            self.showHeat()

    def hide(self) -> None:
        """Hide everything, because it belongs to other inputs."""
        node = self._node
        explain_shown.hide(node, _MODELS)
        explain_shown.showBars(node, "none")
        self.hide3D()
        self.clearLayer()
        node.explainShown = "none"

    def clearLayer(self) -> None:
        """Show only the fixed volume, unless another section shows something over it."""
        if self._node.explainShown in VOLUMES:
            views.setLayers(self._node.fixedVolume, None, 0.0)

    def takeLayer(self) -> None:
        """Remove what other sections show over the fixed volume."""
        self._context.sections["images"].flicker.stop()
        self._node.overlay = self._node.map = "none"

    def hide3D(self) -> None:
        if self._node is not None and self._node.heat is not None:
            explain_shown.heatIn3D(self._node.heat, False, 1.0)

    def hideConfidences(self) -> None:
        explain_shown.hide(self._node, ("confidences",))

    def showMoved(self, moved: Any) -> None:
        """Show the moving volume, warped as at an iteration."""
        self.takeLayer()
        self._node.explainShown = "none"
        explain_shown.showBars(self._node, "none")
        views.setLayers(self._node.fixedVolume, moved, 0.5)

    def remove(self) -> list[str]:
        """Remove all nodes that were made here; returns their names."""
        self.clearLayer()
        self._node.explainShown = "none"
        gone = explain_shown.remove(self._node)
        self.forget()
        return gone

    # ----------------------------------------------------------------- answers

    def showProbabilities(self, images: Images, answer: dict[str, Any]) -> None:
        """Show the probabilities of displacements at the point: in the views, and as three pictures in the panel."""
        node, first = self._node, self.answer is None
        self.answer = {**answer, "image": images["output"]}
        if first and node.explainShown == "none" and node.overlay == "none" and node.map == "none":
            node.explainShown = "heat"
        self.showHeat()

    def showHeat(self) -> None:
        """Draw the probabilities of the last answer."""
        node, answer = self._node, self.answer
        if answer is None or "image" not in answer:
            return
        self._shownAs = (node.explain3D,)
        image, geometry = answer["image"]
        node.heat = explain_shown.heat(node.heat, image, geometry, answer["peak"])
        if node.explainShown == "heat":
            self.showLayer()
        explain_shown.heatIn3D(node.heat, bool(node.explain3D), answer["peak"])
        probability = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
        directions = np.diag(FLIP) @ np.asarray(geometry.direction)
        self._picture.show(lambda label: explain_picture.draw(probability, directions, geometry.spacing[0], label))

    def showMap(self, images: Images, answer: dict[str, Any]) -> str:
        """Show the entropy or the expected displacement over the fixed volume."""
        node = self._node
        if node.explainedMap is None:
            slicer.mrmlScene.SaveStateForUndo()
        if node.explainShown == "entropy":
            node.explainedMap = explain_shown.entropyMap(node.explainedMap, *images["bits"], answer["most_bits"])
            text = _("Uncertainty (entropy): mean {mean_bits:.1f} of at most {most_bits:.1f} bits over the fixed volume.").format(**answer)
        else:
            node.explainedMap = explain_shown.offsetMap(node.explainedMap, *images["offset"], answer["stage"]["step_mm"])
            text = _("Expected displacement from the result: mean {mean_offset_mm:.1f} mm; the colours end at one step.").format(**answer)
        self.showLayer()
        return text

    def showFeatures(self, images: Images, answer: dict[str, Any]) -> str:
        """Show the features of one volume as colours over the fixed volume."""
        node = self._node
        if node.fixedFeatures is None or node.movingFeatures is None:
            slicer.mrmlScene.SaveStateForUndo()
        fixed, moving = node.fixedVolume.GetName(), node.movingVolume.GetName()
        node.fixedFeatures = explain_shown.features(node.fixedFeatures, _("Features of {name}").format(name=fixed), *images["fixed"])
        title = _("Features of {name} warped").format(name=moving)
        node.movingFeatures = explain_shown.features(node.movingFeatures, title, *images["moving"])
        self.showLayer()
        text = _("Features ({features}) at {spacing_mm:.3g} mm. Equal colours are similar features; black is outside the moving volume.")
        return text.format(**answer)

    def showConfidences(self, rows: np.ndarray, answer: dict[str, Any]) -> str:
        """Show all fixed points, coloured by their confidence."""
        node = self._node
        if node.confidences is None:
            slicer.mrmlScene.SaveStateForUndo()
        node.confidences = explain_shown.confidences(node.confidences, rows[:, :3], rows[:, 3:6], rows[:, 9])
        views.assign(node.confidences, None, None)
        text = _("Points: {points}; {share:.0f} % have a confidence above 0.5, the mean is {mean_confidence:.2f}.")
        return text.format(share=100.0 * answer["confident_share"], **answer)

    def showPartners(self, rows: np.ndarray, answer: dict[str, Any], transform: Any) -> None:
        """Show lines from a fixed point to its possible partners.

        Args:
            rows: position (RAS mm), distance (mm) and probability of each partner (K, 5).
            answer: of the worker.
            transform: the result; it takes the partners into the fixed volume, linearly around the point.
        """
        node = self._node
        self.answer = answer
        fixed, moved = (np.array(answer[name]) * FLIP for name in ("fixed", "moved"))
        slope = FixedToMoving(transform).linear(fixed)
        back = np.linalg.inv(slope) if abs(np.linalg.det(slope)) > 0.05 else np.eye(3)
        places = fixed + (rows[:, :3] - moved) @ back.T
        node.partners = explain_shown.partners(node.partners, fixed, places, rows[:, 4])

    def showLayer(self) -> None:
        """Draw the chosen volume over the fixed one."""
        node = self._node
        if node.explainShown in VOLUMES:
            volume = getattr(node, VOLUMES[node.explainShown])
            views.setLayers(node.fixedVolume, volume, self._ui.explainOpacitySlider.value / 100.0)
        explain_shown.showBars(node, node.explainShown)

    def _onOpacity(self) -> None:
        if self._node is not None and not self._context.updating and self._node.explainShown in VOLUMES:
            views.setOpacity(self._ui.explainOpacitySlider.value / 100.0)
