"""The Descent method's parameter node."""

from __future__ import annotations

from typing import Annotated, Any

import slicer
from slicer.parameterNodeWrapper import Default, WithinRange

from deepreg_slicer.parameter_node import outputsOf, registrationNode
from deepreg_slicer.request import Output
from DeepRegDescentLib.iterations import available
from DeepRegDescentLib.registration import FEATURES, METHOD, DescentOutputs

DescentParameterNode = registrationNode(
    METHOD,
    {
        "keptIterations": Annotated[int, WithinRange(2, 200), Default(20)],
        # Results of the last run.
        **{f"{name}Result": slicer.vtkMRMLVectorVolumeNode for name in FEATURES},
        "energyTable": slicer.vtkMRMLTableNode,
        "energyChart": slicer.vtkMRMLPlotChartNode,
        "resultIterations": slicer.vtkMRMLSequenceNode if available() else None,
    },
)


def descentOutputs(node: Any) -> DescentOutputs:
    """Return the outputs that are wanted in a parameter node."""
    outputs = outputsOf(node, METHOD, DescentOutputs, energy=Output(True, node.energyTable))
    outputs.iterations.wanted = outputs.iterations.wanted and available()
    return outputs
