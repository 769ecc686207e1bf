"""The Points method's parameter node."""

from __future__ import annotations

from typing import Annotated, Any, Union

import slicer
from slicer.parameterNodeWrapper import Choice, Default, WithinRange

from deepreg_engine.methods.dense.presets import DENSE_PRESETS
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.points.presets import DEFAULT_POINTS_PRESET
from deepreg_slicer.parameter_node import inputsOf, outputsOf, registrationNode
from deepreg_slicer.parameter_pack import packFor
from deepreg_slicer.registration import Output
from DeepRegPointsLib.registration import MODELS, PointsInputs, PointsOutputs
from DeepRegPointsLib.sources import CLASSES

SOURCES = ("surface", "skeleton")
_POINTS = Union[(*(getattr(slicer, name) for name in CLASSES), None)]

PointsPack = packFor(PointsParameters, "PointsPack")
PointsParameterNode = registrationNode(
    "PointsParameterNode",
    PointsPack,
    DEFAULT_POINTS_PRESET,
    {
        "fixedPoints": _POINTS,
        "movingPoints": _POINTS,
        "fixedPointsSegment": str,
        "movingPointsSegment": str,
        "source": Annotated[str, Choice(list(SOURCES)), Default("surface")],
        "most": Annotated[int, WithinRange(10, 30000), Default(3000)],
        "refine": bool,
        "refinePreset": Annotated[str, Choice([preset.name for preset in DENSE_PRESETS]), Default("thorax-ct")],
        **{f"{name}Wanted": Annotated[bool, Default(True)] for name in MODELS},
        **{f"{name}Output": slicer.vtkMRMLModelNode for name in MODELS},
        # What the last run gave, and how it is seen.
        **{f"{name}Result": slicer.vtkMRMLModelNode for name in MODELS},
        "pointSize": Annotated[float, WithinRange(20.0, 400.0), Default(100.0)],
        "leastConfidence": Annotated[float, WithinRange(0.0, 100.0), Default(0.0)],
    },
)


def pointsInputs(node: Any) -> PointsInputs:
    """What a parameter node says to register."""
    plain = vars(inputsOf(node))
    plain.update(guideFixed=None, guideMoving=None, initialTransform=None)
    own = ("fixedPoints", "fixedPointsSegment", "movingPoints", "movingPointsSegment", "source")
    return PointsInputs(**plain, **{name: getattr(node, name) for name in own})


def pointsOutputs(node: Any) -> PointsOutputs:
    """Where a parameter node says that results go; what needs volumes is not wanted without them."""
    plain = vars(outputsOf(node))
    plain.update(uncertainty=Output(False))
    if node.fixedVolume is None or node.movingVolume is None:
        plain.update(volume=Output(False))
    return PointsOutputs(**plain, **{name: Output(bool(getattr(node, f"{name}Wanted")), getattr(node, f"{name}Output")) for name in MODELS})
