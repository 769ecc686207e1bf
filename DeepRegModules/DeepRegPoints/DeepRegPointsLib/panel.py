"""The Points method's panel."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_engine.methods.dense.presets import DENSE_PRESETS
from deepreg_engine.methods.points.parameters import NO_FEATURES, SOURCES
from deepreg_slicer.feature_chooser import FeatureChooser
from deepreg_slicer.method_panel import MethodPanel
from deepreg_slicer.registration import Registration
from deepreg_slicer.request import Request
from deepreg_slicer.wrapped_text import WrappedText
from DeepRegPointsLib.parameters import pointsInputs, pointsOutputs
from DeepRegPointsLib.registration import METHOD, PointsRegistration, PointsRequest
from DeepRegPointsLib.result_section import PointsResultSection
from DeepRegPointsLib.segments import SegmentsChooser


class PointsPanel(MethodPanel):
    """Parts of the panel that only the Points method has."""

    method = METHOD
    applyHelp = _("Register the moving points to the fixed points, or the volumes by their keypoints.")

    segmentChooser = SegmentsChooser
    resultSectionClass = PointsResultSection

    # ------------------------------------------------------------------- build

    def build(self) -> None:
        ui = self.ui
        ui.refinePresetComboBox.addItems([preset.name for preset in DENSE_PRESETS])
        ui.sourceComboBox.addItems(list(SOURCES))
        super().build()
        for widget in (ui.memoryTitleLabel, ui.memoryLabel):
            widget.setVisible(False)  # points need little memory
        self.fixedPointsSegment = SegmentsChooser(ui.fixedPointsSelector, ui.fixedPointsSegmentComboBox)
        self.movingPointsSegment = SegmentsChooser(ui.movingPointsSelector, ui.movingPointsSegmentComboBox)
        self._texts = WrappedText(ui.kindLabel, ui.presetHelpLabel, ui.resultLabel)

    def outputWidgets(self) -> dict[str, list[Any]]:
        return {**super().outputWidgets(), "movedCloudWanted": [self.ui.movedCloudOutputSelector]}

    def featureChooser(self) -> FeatureChooser:
        return FeatureChooser(self.method, ((NO_FEATURES, _("none (positions only)")),))

    def connect(self) -> None:
        super().connect()
        self.fixedPointsSegment.changed.connect(self._onPointsSegment)
        self.movingPointsSegment.changed.connect(self._onPointsSegment)

    def __init__(self, ui: Any, logic: Any, moduleName: str) -> None:
        super().__init__(ui, logic, moduleName)
        self.runSection.messageShown.connect(self._texts.refit)

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

    def update(self) -> None:
        node = self.node
        if node is None or self.updating:
            return
        self.updating = True
        try:
            self.fixedPointsSegment.segmentId = node.fixedPointsSegment
            self.movingPointsSegment.segmentId = node.movingPointsSegment
        finally:
            self.updating = False
        self._showKind()
        super().update()
        self._texts.refit()

    def _showKind(self) -> None:
        """Describe the effect of Apply, and disable inputs without effect."""
        ui, inputs = self.ui, pointsInputs(self.node)
        volumes = inputs.hasVolumes
        ui.kindLabel.text = _effect(inputs)
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
        if self.node is not None and not self.updating:
            self.node.fixedPointsSegment = self.fixedPointsSegment.segmentId
            self.node.movingPointsSegment = self.movingPointsSegment.segmentId

    def request(self) -> Request:
        node = self.node
        return PointsRequest(
            self.method,
            pointsInputs(node),
            pointsOutputs(node),
            self.presetSection.values(),
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

    # --------------------------------------------------------------------- end

    def cleanup(self) -> None:
        super().cleanup()
        self.fixedPointsSegment.cleanup()
        self.movingPointsSegment.cleanup()


def _effect(inputs: Any) -> str:
    """Return what Apply does with the inputs, or which ones it needs."""
    if inputs.hasPoints and inputs.hasVolumes:
        return _("The points are matched; the moving volume is warped onto the fixed one.")
    if inputs.hasPoints:
        return _("The points are matched; the transform covers them and a margin around them.")
    if inputs.fixedPoints is not None or inputs.movingPoints is not None:
        return _("Choose the other set of points too, or none: points come in two sets.")
    if not inputs.hasVolumes:
        return _("Choose two sets of points, or two volumes in which keypoints are found.")
    if inputs.fixedMask is None or inputs.movingMask is None:
        return _("Keypoints are found in both volumes. Give masks below (the lungs): without them the table is matched too.")
    return _("Keypoints are found within the masks of both volumes.")
