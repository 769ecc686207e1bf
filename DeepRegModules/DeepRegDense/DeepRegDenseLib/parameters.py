"""The Dense method's parameter node."""

from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.presets import DEFAULT_DENSE_PRESET
from deepreg_slicer.parameter_node import registrationNode
from deepreg_slicer.parameter_pack import packFor

METHOD = "dense"
DensePack = packFor(DenseParameters, "DensePack")
DenseParameterNode = registrationNode("DenseParameterNode", METHOD, DensePack, DEFAULT_DENSE_PRESET)
