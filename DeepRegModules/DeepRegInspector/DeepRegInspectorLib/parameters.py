"""The Inspector's parameter node: inputs and settings, saved with the scene."""

from __future__ import annotations

from typing import Annotated, Union

import slicer
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper

_LABELS = Union[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007 - as the wrapper knows it
DISPLAYS = ("none", "grid", "glyphs", "contours")
OVERLAYS = ("none", "fade", "checkerboard", "flicker", "difference")
MAPS = ("none", "jacobian", "displacement", "expectedError")
EXPLAINED = ("none", "heat", "entropy", "offset", "fixedFeatures", "movingFeatures", "confidences")


@parameterNodeWrapper
class InspectorParameterNode:
    """Inputs and settings of the Inspector."""

    transform: slicer.vtkMRMLTransformNode
    otherTransform: slicer.vtkMRMLTransformNode
    inverseTransform: slicer.vtkMRMLTransformNode
    fixedVolume: slicer.vtkMRMLScalarVolumeNode
    movingVolume: slicer.vtkMRMLScalarVolumeNode
    fixedPoints: slicer.vtkMRMLMarkupsFiducialNode
    movingPoints: slicer.vtkMRMLMarkupsFiducialNode
    fixedLabels: _LABELS
    movingLabels: _LABELS
    window: Annotated[float, WithinRange(0.0, 30.0), Default(10.0)]
    vectorScale: Annotated[float, WithinRange(1.0, 20.0), Default(1.0)]
    display: Annotated[str, Choice(list(DISPLAYS)), Default("none")]
    display3D: bool
    overlay: Annotated[str, Choice(list(OVERLAYS)), Default("none")]
    map: Annotated[str, Choice(list(MAPS)), Default("none")]
    probe: bool
    explainShown: Annotated[str, Choice(list(EXPLAINED)), Default("none")]
    explainStage: str
    explainOpacity: Annotated[float, WithinRange(0.0, 100.0), Default(80.0)]
    explain3D: bool
    reportTitle: str
    reportCrosshair: bool
    reportFigures: Annotated[bool, Default(True)]
    reportLimits: str
    # Nodes that the panel has made, to be reused.
    vectors: slicer.vtkMRMLModelNode
    chart: slicer.vtkMRMLPlotChartNode
    table: slicer.vtkMRMLTableNode
    warped: slicer.vtkMRMLScalarVolumeNode
    combined: slicer.vtkMRMLScalarVolumeNode
    mapVolume: slicer.vtkMRMLScalarVolumeNode
    folds: slicer.vtkMRMLLabelMapVolumeNode
    explainedPoint: slicer.vtkMRMLMarkupsFiducialNode
    heat: slicer.vtkMRMLScalarVolumeNode
    explainedMap: slicer.vtkMRMLScalarVolumeNode
    fixedFeatures: slicer.vtkMRMLVectorVolumeNode
    movingFeatures: slicer.vtkMRMLVectorVolumeNode
    confidences: slicer.vtkMRMLModelNode
    partners: slicer.vtkMRMLModelNode
