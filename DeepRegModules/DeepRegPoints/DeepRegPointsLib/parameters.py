"""The Points method's parameter node."""

from __future__ import annotations

from typing import Annotated, Any

import slicer
from slicer.parameterNodeWrapper import Choice, Default, WithinRange

from deepreg_engine.methods.dense.presets import DENSE_PRESETS
from deepreg_engine.methods.points.parameters import SOURCES
from deepreg_slicer.parameter_node import inputsOf, outputsOf, registrationNode
from deepreg_slicer.request import Output
from DeepRegPointsLib.registration import METHOD, MODELS, PointsInputs, PointsOutputs

PointsParameterNode = registrationNode(
    METHOD,
    {
        "source": Annotated[str, Choice(list(SOURCES)), Default("surface")],
        "most": Annotated[int, WithinRange(10, 30000), Default(3000)],
        "refine": bool,
        "refinePreset": Annotated[str, Choice([preset.name for preset in DENSE_PRESETS]), Default("thorax-ct")],
        "movedCloudWanted": Annotated[bool, Default(True)],
        "movedCloudOutput": slicer.vtkMRMLModelNode,
        # Results of the last run, and their display options.
        **{f"{name}Result": slicer.vtkMRMLModelNode for name in MODELS},
        "pointSize": Annotated[float, WithinRange(20.0, 400.0), Default(100.0)],
        "leastConfidence": Annotated[float, WithinRange(0.0, 100.0), Default(0.0)],
    },
)


def pointsInputs(node: Any) -> PointsInputs:
    """Return the inputs that are chosen in a parameter node."""
    return inputsOf(node, METHOD, PointsInputs, source=node.source)


def pointsOutputs(node: Any) -> PointsOutputs:
    """Return the outputs that are wanted in a parameter node; without volumes, outputs that need them are not requested."""
    outputs = outputsOf(node, METHOD, PointsOutputs, movedCloud=Output(bool(node.movedCloudWanted), node.movedCloudOutput))
    outputs.volume.wanted = outputs.volume.wanted and node.fixedVolume is not None and node.movingVolume is not None
    return outputs
