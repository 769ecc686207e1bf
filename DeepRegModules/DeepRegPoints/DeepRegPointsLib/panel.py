"""The Points method's panel."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_engine.methods.dense.presets import DENSE_PRESETS
from deepreg_engine.methods.points.parameters import NO_FEATURES, PointsParameters
from deepreg_engine.methods.points.presets import DEFAULT_POINTS_PRESET, POINTS_PRESETS
from deepreg_slicer.feature_chooser import FeatureChooser
from deepreg_slicer.method_panel import MethodPanel
from deepreg_slicer.registration import Registration, Request, Result
from DeepRegPointsLib import clouds, view
from DeepRegPointsLib.parameters import SOURCES, pointsInputs, pointsOutputs
from DeepRegPointsLib.registration import MODELS, SIZES, PointsRegistration, PointsRequest
from DeepRegPointsLib.segments import SegmentsChooser
from DeepRegPointsLib.wrapped_text import WrappedText

_EVENTS = (
    vtk.vtkCommand.ModifiedEvent,
    slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent,
    slicer.vtkMRMLMarkupsNode.PointRemovedEvent,
    slicer.vtkMRMLMarkupsNode.PointPositionUndefinedEvent,
    slicer.vtkMRMLModelNode.PolyDataModifiedEvent,
)
_OBSERVED = ("fixedPoints", "movingPoints", "testFixed", "testMoving")


class PointsPanel(MethodPanel):
    """Says what is special to the Points method."""

    operation = "points"
    title = "Point registration"
    parametersClass = PointsParameters
    presets = POINTS_PRESETS
    defaultPreset = DEFAULT_POINTS_PRESET
    optionalOutputs = ("volume", *MODELS, "inverse", "labels", "jacobian")
    applyHelp = _("Register the moving points to the fixed points, or the volumes by their keypoints.")

    segmentChooser = SegmentsChooser

    # ------------------------------------------------------------------- build

    def _build(self) -> None:
        ui = self.ui
        self._watched: list[tuple[Any, int]] = []
        self._isFirst = True
        ui.refinePresetComboBox.addItems([preset.name for preset in DENSE_PRESETS])
        ui.sourceComboBox.addItems(list(SOURCES))
        super()._build()
        for widget in (ui.memoryTitleLabel, ui.memoryLabel):
            widget.setVisible(False)  # points are few
        self.fixedPointsSegment = SegmentsChooser(ui.fixedPointsSelector, ui.fixedPointsSegmentComboBox)
        self.movingPointsSegment = SegmentsChooser(ui.movingPointsSelector, ui.movingPointsSegmentComboBox)
        self._texts = WrappedText(ui.kindLabel, ui.presetHelpLabel, ui.resultLabel)
        self._shows = {name: getattr(ui, f"{name}ShowCheckBox") for name in MODELS}

    def _featureChooser(self) -> FeatureChooser:
        return FeatureChooser(self.operation, ((NO_FEATURES, _("none (positions only)")),))

    def _connect(self) -> None:
        super()._connect()
        self.fixedPointsSegment.changed.connect(self._onPointsSegment)
        self.movingPointsSegment.changed.connect(self._onPointsSegment)
        for name, box in self._shows.items():
            box.connect("toggled(bool)", lambda on, name=name: self._onShow(name, on))
        self.ui.pointSizeSlider.connect("valueChanged(double)", self._onPointSize)
        self.ui.leastConfidenceSlider.connect("valueChanged(double)", self._onLeastConfidence)

    # ------------------------------------------------------------------ inputs

    def hasInputs(self, node: Any) -> bool:
        return super().hasInputs(node) or node.fixedPoints is not None or node.movingPoints is not None

    def chooseInputs(self, node: Any) -> None:
        super().chooseInputs(node)
        if super().hasInputs(node) or slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
            return
        lists = [points for points in slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode") if not points.GetHideFromEditors()]
        if len(lists) == 2:
            node.fixedPoints, node.movingPoints = lists

    def setParameterNode(self, node: Any) -> None:
        if node is None:
            self._watch([])
        super().setParameterNode(node)

    def _onNodeModified(self, *arguments: Any) -> None:
        node = self.node
        if node is None or self._updating:
            return
        self._watch([getattr(node, name) for name in _OBSERVED])
        self._updating = True
        try:
            self.fixedPointsSegment.segmentId = node.fixedPointsSegment
            self.movingPointsSegment.segmentId = node.movingPointsSegment
        finally:
            self._updating = False
        self._showKind()
        super()._onNodeModified(*arguments)
        self._texts.refit()

    def _watch(self, nodes: list[Any]) -> None:
        """Follow what happens to the points: Apply has to know."""
        wanted = list(dict.fromkeys(node for node in nodes if node is not None))
        if wanted == list(dict.fromkeys(node for node, _ in self._watched)):
            return
        for node, tag in self._watched:
            node.RemoveObserver(tag)
        self._watched = [(node, node.AddObserver(event, lambda *_: self.checkCanApply())) for node in wanted for event in _EVENTS]

    def _showKind(self) -> None:
        """Say what Apply will do, and disable what does nothing."""
        ui, inputs = self.ui, pointsInputs(self.node)
        volumes = inputs.hasVolumes
        if inputs.hasPoints and volumes:
            text = _("The points are matched; the moving volume is warped onto the fixed one.")
        elif inputs.hasPoints:
            text = _("The points are matched; the transform covers them and 20 mm around.")
        elif inputs.fixedPoints is not None or inputs.movingPoints is not None:
            text = _("Choose the other set of points too, or none: points come in two sets.")
        elif volumes and (inputs.fixedMask is None or inputs.movingMask is None):
            text = _("Keypoints are found in both volumes. Give masks below (the lungs): without them the table is matched too.")
        elif volumes:
            text = _("Keypoints are found within the masks of both volumes.")
        else:
            text = _("Choose two sets of points, or two volumes in which keypoints are found.")
        ui.kindLabel.text = text
        ui.refineCheckBox.setEnabled(volumes)
        ui.refinePresetComboBox.setEnabled(volumes and self.node.refine)
        ui.volumeWantedCheckBox.setEnabled(volumes)
        ui.volumeOutputSelector.setEnabled(volumes and self.node.volumeWanted)
        for side in ("fixed", "moving"):
            getattr(ui, f"{side}MaskSelector").setEnabled(volumes)
            getattr(ui, f"{side}MaskSegmentComboBox").setEnabled(volumes)
        ui.sourceComboBox.setEnabled(
            any(node is not None and node.IsA("vtkMRMLSegmentationNode") for node in (inputs.fixedPoints, inputs.movingPoints))
        )

    def _onPointsSegment(self) -> None:
        if self.node is not None and not self._updating:
            self.node.fixedPointsSegment = self.fixedPointsSegment.segmentId
            self.node.movingPointsSegment = self.movingPointsSegment.segmentId

    def request(self) -> Request:
        node = self.node
        return PointsRequest(
            self.operation,
            self.title,
            pointsInputs(node),
            pointsOutputs(node),
            self.values(),
            node.preset,
            node.device,
            most=node.most,
            refine=bool(node.refine),
            refinePreset=node.refinePreset,
        )

    def makeRun(self, request: Request) -> Registration:
        return PointsRegistration(request, self.client)

    def _showMemory(self) -> None:
        pass

    # ------------------------------------------------------------------ result

    def keepResult(self, node: Any, result: Result) -> None:
        super().keepResult(node, result)
        self._isFirst = all(getattr(node, f"{name}Result") is None for name in MODELS)
        for name in MODELS:
            former, present = getattr(node, f"{name}Result"), result.nodes.get(name)
            if former is not None and former is not present and view.isShown(former):
                view.show(former, False)  # two results at a time cannot be told apart
            setattr(node, f"{name}Result", present)

    def _showVolume(self, result: Result) -> None:
        made = [result.nodes[name] for name in MODELS if name in result.nodes and result.nodes[name].GetScene() is slicer.mrmlScene]
        if self.node is not None:
            if self.node.pointSize != 100.0:
                self._onPointSize(self.node.pointSize)
            self._onLeastConfidence(self.node.leastConfidence)
        if result.fixed is None and self._isFirst:  # later the user has chosen what to look at
            view.goTo(made)
        super()._showVolume(result)

    def _showTransform(self, result: Result) -> None:
        if result.fixed is None:
            super()._showTransform(result)
            return
        # Points and lines can be seen on the volumes; the grid would hide them, and is there for who asks for it.
        self.showing = False
        self._showResult()

    def _showResult(self) -> None:
        super()._showResult()
        self._updating = True
        try:
            for name, box in self._shows.items():
                made = self._made(name)
                box.setEnabled(made is not None)
                box.checked = view.isShown(made)
            self.ui.pointSizeSlider.setEnabled(any(self._made(name) is not None for name in SIZES))
            self.ui.leastConfidenceSlider.setEnabled(self._made("correspondences") is not None)
        finally:
            self._updating = False

    def _made(self, name: str) -> Any:
        return getattr(self.node, f"{name}Result") if self.node is not None else None

    def _onShow(self, name: str, on: bool) -> None:
        if not self._updating and self._made(name) is not None:
            view.show(self._made(name), bool(on))

    def _onPointSize(self, percent: float) -> None:
        for name, size in SIZES.items():
            if self._made(name) is not None:
                clouds.resize(self._made(name), size * percent / 100.0)

    def _onLeastConfidence(self, percent: float) -> None:
        if self._made("correspondences") is not None:
            view.hideBelow(self._made("correspondences"), percent / 100.0)

    def _say(self, text: str, bad: bool) -> None:
        super()._say(text, bad)
        if hasattr(self, "_texts"):
            self._texts.refit()

    # --------------------------------------------------------------------- end

    def cleanup(self) -> None:
        super().cleanup()
        self.fixedPointsSegment.cleanup()
        self.movingPointsSegment.cleanup()
