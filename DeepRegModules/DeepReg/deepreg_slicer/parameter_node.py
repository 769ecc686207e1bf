"""The parameter node of a registration panel: everything the user has chosen, saved with the scene."""

from __future__ import annotations

from typing import Annotated, Any, Union

import slicer
from slicer.parameterNodeWrapper import Choice, Default, parameterNodeWrapper

from deepreg_slicer.registration import Inputs, Output, Outputs

DEVICES = ("auto", "cpu", "cuda", "mps")
_OUTPUTS = ("transform", "volume", "inverse", "labels", "jacobian", "uncertainty")
# A union rather than a common base class: selectors offer just these.
_LABELS = ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode")
_TRANSFORM_OUTPUT = ("vtkMRMLGridTransformNode", "vtkMRMLTransformNode")
_NODES = {
    "fixedVolume": "vtkMRMLScalarVolumeNode",
    "movingVolume": "vtkMRMLScalarVolumeNode",
    "fixedMask": _LABELS,
    "movingMask": _LABELS,
    "guideFixed": "vtkMRMLMarkupsFiducialNode",
    "guideMoving": "vtkMRMLMarkupsFiducialNode",
    "testFixed": "vtkMRMLMarkupsFiducialNode",
    "testMoving": "vtkMRMLMarkupsFiducialNode",
    "fixedLabels": _LABELS,
    "movingLabels": _LABELS,
    "initialTransform": "vtkMRMLTransformNode",
    "transformOutput": _TRANSFORM_OUTPUT,
    "volumeOutput": "vtkMRMLScalarVolumeNode",
    "inverseOutput": _TRANSFORM_OUTPUT,
    "labelsOutput": _LABELS,
    "jacobianOutput": "vtkMRMLScalarVolumeNode",
    "uncertaintyOutput": "vtkMRMLScalarVolumeNode",
    # What the last run gave.
    "resultTransform": "vtkMRMLTransformNode",
    "resultVolume": "vtkMRMLScalarVolumeNode",
}


def registrationNode(name: str, pack: type, preset: str, more: dict[str, Any] | None = None) -> type:
    """A parameter node class for a method.

    Args:
        name: of the class.
        pack: the method's parameter pack, under ``parameters``.
        preset: the one chosen at first.
        more: further fields, name to annotation.
    """
    annotations: dict[str, Any] = {field: _nodeType(classNames) for field, classNames in _NODES.items()}
    annotations.update(
        preset=Annotated[str, Default(preset)],
        parameters=pack,
        device=Annotated[str, Choice(list(DEVICES)), Default("auto")],
        fixedMaskSegment=str,
        movingMaskSegment=str,
        volumeWanted=Annotated[bool, Default(True)],
        inverseWanted=bool,
        labelsWanted=bool,
        jacobianWanted=bool,
        uncertaintyWanted=bool,
        resultSummary=str,
        **(more or {}),
    )
    return parameterNodeWrapper(
        type(name, (), {"__annotations__": annotations, "__module__": __name__, "__doc__": registrationNode.__doc__})
    )


def _nodeType(classNames: str | tuple[str, ...]) -> Any:
    if isinstance(classNames, str):
        return getattr(slicer, classNames)
    return Union[(*(getattr(slicer, className) for className in classNames), None)]


def inputsOf(node: Any) -> Inputs:
    """What a parameter node says to register."""
    names = (
        "fixedMask",
        "fixedMaskSegment",
        "movingMask",
        "movingMaskSegment",
        "guideFixed",
        "guideMoving",
        "testFixed",
        "testMoving",
        "fixedLabels",
        "movingLabels",
        "initialTransform",
    )
    return Inputs(node.fixedVolume, node.movingVolume, **{name: getattr(node, name) for name in names})


def outputsOf(node: Any) -> Outputs:
    """Where a parameter node says that results go."""
    found = {}
    for name in _OUTPUTS:
        wanted = name == "transform" or getattr(node, f"{name}Wanted")
        found[name] = Output(bool(wanted), getattr(node, f"{name}Output"))
    return Outputs(**found)
