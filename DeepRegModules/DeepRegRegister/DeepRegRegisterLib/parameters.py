"""The parameter node of the module Register: what is registered, how, and what comes along; saved with the scene."""

from __future__ import annotations

from typing import Annotated, Union

import slicer
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper

_REGIONS = Union[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLLabelMapVolumeNode, None]  # noqa: UP007 - as the wrapper knows it
_CLOUDS = Union[  # noqa: UP007
    slicer.vtkMRMLMarkupsFiducialNode, slicer.vtkMRMLMarkupsCurveNode, slicer.vtkMRMLModelNode, slicer.vtkMRMLSegmentationNode, None
]
#: The task; "" chooses it by what the volumes show.
TASKS = ("", "rigid", "similarity", "affine", "deformable", "points")
#: Where the fixed volume is compared.
WHOLE, BOX, SEGMENT = "whole", "box", "segment"
REGIONS = (WHOLE, BOX, SEGMENT)
#: Highest value of the slider from fast to best.
BEST = 4


@parameterNodeWrapper
class RegisterParameterNode:
    """Inputs and choices; "" of a modality or a body part is what is seen."""

    fixedVolume: slicer.vtkMRMLScalarVolumeNode
    movingVolume: slicer.vtkMRMLScalarVolumeNode
    fixedModality: str
    fixedBodyPart: str
    movingModality: str
    movingBodyPart: str
    task: Annotated[str, Choice(list(TASKS)), Default("")]
    quality: Annotated[int, WithinRange(0, BEST), Default(BEST // 2)]
    region: Annotated[str, Choice(list(REGIONS)), Default(WHOLE)]
    box: slicer.vtkMRMLMarkupsROINode
    mask: _REGIONS
    maskSegment: str
    fixedPoints: _CLOUDS
    fixedPointsSegment: str
    movingPoints: _CLOUDS
    movingPointsSegment: str
    # The result that is shown.
    result: slicer.vtkMRMLTransformNode
