"""The Descent method's parameter node."""

from __future__ import annotations

from typing import Annotated, Any

import slicer
from slicer.parameterNodeWrapper import Default, WithinRange

from deepreg_engine.methods.descent.parameters import DescentParameters
from deepreg_engine.methods.descent.presets import DEFAULT_DESCENT_PRESET
from deepreg_slicer.parameter_node import outputsOf, registrationNode
from deepreg_slicer.parameter_pack import packFor
from deepreg_slicer.request import Output
from DeepRegDescentLib.iterations import available
from DeepRegDescentLib.registration import FEATURES, METHOD, DescentOutputs

DescentPack = packFor(DescentParameters, "DescentPack")
DescentParameterNode = registrationNode(
    "DescentParameterNode",
    METHOD,
    DescentPack,
    DEFAULT_DESCENT_PRESET,
    {
        "keptIterations": Annotated[int, WithinRange(2, 200), Default(20)],
        # What the last run has made.
        **{f"{name}Result": slicer.vtkMRMLVectorVolumeNode for name in FEATURES},
        "energyTable": slicer.vtkMRMLTableNode,
        "energyChart": slicer.vtkMRMLPlotChartNode,
        "resultIterations": slicer.vtkMRMLSequenceNode if available() else None,
    },
)


def descentOutputs(node: Any) -> DescentOutputs:
    """The outputs that are wanted in a parameter node."""
    outputs = outputsOf(node, METHOD, DescentOutputs, energy=Output(True, node.energyTable))
    outputs.iterations.wanted = outputs.iterations.wanted and available()
    return outputs
