"""The Descent method's parameter node."""

from __future__ import annotations

from typing import Annotated, Any

import slicer
from slicer.parameterNodeWrapper import Default, WithinRange

from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.descent.presets import DEFAULT_DESCENT_PRESET
from deepreg_slicer.parameter_node import inputsOf, outputsOf, registrationNode
from deepreg_slicer.parameter_pack import packFor
from deepreg_slicer.registration import Inputs, Output
from DeepRegDescentLib.iterations import available
from DeepRegDescentLib.registration import FEATURES, DescentOutputs

_SEQUENCES = {"iterationsOutput": slicer.vtkMRMLSequenceNode, "resultIterations": slicer.vtkMRMLSequenceNode} if available() else {}

DescentPack = packFor(DescentParameters, "DescentPack")
DescentParameterNode = registrationNode(
    "DescentParameterNode",
    DescentPack,
    DEFAULT_DESCENT_PRESET,
    {
        "featuresWanted": bool,
        "iterationsWanted": bool,
        "keptIterations": Annotated[int, WithinRange(2, 200), Default(20)],
        **{f"{name}Output": slicer.vtkMRMLVectorVolumeNode for name in FEATURES},
        # What the last run gave.
        **{f"{name}Result": slicer.vtkMRMLVectorVolumeNode for name in FEATURES},
        "energyTable": slicer.vtkMRMLTableNode,
        "energyChart": slicer.vtkMRMLPlotChartNode,
        **_SEQUENCES,
    },
)


def descentInputs(node: Any) -> Inputs:
    """What a parameter node says to register."""
    inputs = inputsOf(node)
    inputs.guideFixed = inputs.guideMoving = None
    return inputs


def descentOutputs(node: Any) -> DescentOutputs:
    """Where a parameter node says that results go."""
    plain = vars(outputsOf(node))
    plain.update(uncertainty=Output(False))
    return DescentOutputs(
        **plain,
        **{name: Output(bool(node.featuresWanted), getattr(node, f"{name}Output")) for name in FEATURES},
        iterations=Output(bool(node.iterationsWanted) and available(), getattr(node, "iterationsOutput", None)),
        energy=Output(True, node.energyTable),
    )
