"""The Dense method's parameter node."""

from deepreg_slicer.parameter_node import registrationNode

METHOD = "dense"
DenseParameterNode = registrationNode(METHOD)
