"""The parameter node of a registration panel: everything the user has chosen, saved with the scene.

Its fields for nodes are made from the inputs and outputs of the method: an input has the field that its slot names, an output
``<name>Output`` and ``<name>Wanted``. Scenes hold these names.
"""

from __future__ import annotations

from typing import Annotated, Any, Union

import slicer
from slicer.parameterNodeWrapper import Choice, Default, parameterNodeWrapper

from deepreg_engine.methods.common.parameters import DEVICES
from deepreg_engine.methods.registry import find_method
from deepreg_slicer.parameter_pack import packFor
from deepreg_slicer.presets import AUTOMATIC
from deepreg_slicer.request import Inputs, Output, Outputs
from deepreg_slicer.slot_nodes import classesOf, hasSegments, inputSlots, nameOf, outputSlots, wantedField

#: The output that is always made.
ALWAYS = "transform"


def registrationNode(method: str, more: dict[str, Any] | None = None) -> type:
    """Return a parameter node class for a method; its parameters are a pack in the field ``parameters``.

    Args:
        method: name of the method.
        more: further fields, name to annotation.
    """
    engine = find_method(method)
    name = method.capitalize()
    annotations: dict[str, Any] = {}
    for slot in inputSlots(method):
        annotations[slot.node] = _nodeType(classesOf(slot, method))
        if hasSegments(slot):
            annotations[f"{slot.node}Segment"] = str
    for slot in outputSlots(method):
        annotations[f"{slot.node}Output"] = _nodeType(classesOf(slot, method))
        if slot.node != ALWAYS:
            annotations[wantedField(slot)] = Annotated[bool, Default(slot.by_default)]
    annotations.update(
        initialTransform=slicer.vtkMRMLTransformNode,
        preset=Annotated[str, Default(AUTOMATIC.name)],
        parameters=packFor(engine.parameters, f"{name}Pack"),
        device=Annotated[str, Choice(list(DEVICES)), Default("auto")],
        # Results of the last run.
        resultTransform=slicer.vtkMRMLTransformNode,
        resultVolume=slicer.vtkMRMLScalarVolumeNode,
        resultSummary=str,
        **(more or {}),
    )
    annotations = {field: kind for field, kind in annotations.items() if kind is not None}
    return parameterNodeWrapper(
        type(f"{name}ParameterNode", (), {"__annotations__": annotations, "__module__": __name__, "__doc__": registrationNode.__doc__})
    )


def _nodeType(classNames: tuple[str, ...]) -> Any:
    """Return the type of a field; None if the application has no such nodes. It is a union, so that selectors offer exactly these
    classes."""
    if not all(hasattr(slicer, className) for className in classNames):
        return None
    if len(classNames) == 1:
        return getattr(slicer, classNames[0])
    return Union[(*(getattr(slicer, className) for className in classNames), None)]


def inputsOf(node: Any, method: str, inputs: type[Inputs] = Inputs, **more: Any) -> Inputs:
    """Return the inputs that are chosen in a parameter node.

    Args:
        node: the parameter node.
        method: name of the method.
        inputs: class of its inputs.
        more: further arguments of that class.
    """
    nodes = {nameOf(slot): getattr(node, slot.node) for slot in inputSlots(method)}
    segments = {f"{slot.node}Segment": getattr(node, f"{slot.node}Segment") for slot in inputSlots(method) if hasSegments(slot)}
    return inputs(method, initialTransform=node.initialTransform, **nodes, **segments, **more)


def outputsOf(node: Any, method: str, outputs: type[Outputs] = Outputs, **more: Output) -> Outputs:
    """Return the outputs that are wanted in a parameter node.

    Args:
        node: the parameter node.
        method: name of the method.
        outputs: class of its outputs.
        more: those that are not declared by the engine.
    """
    found = {}
    for slot in outputSlots(method):
        field = f"{slot.node}Output"
        wanted = slot.node == ALWAYS or getattr(node, wantedField(slot))
        found[nameOf(slot)] = Output(bool(wanted) and hasattr(type(node), field), getattr(node, field, None))
    return outputs(method, **found, **more)
