"""The inputs and outputs that the engine declares (:mod:`deepreg_engine.methods.slots`), as nodes of the scene and fields of panels."""

from __future__ import annotations

from deepreg_engine.methods import slots
from deepreg_engine.methods.slots import Slot
from deepreg_slicer.engine_texts import engineText

SEGMENTATIONS = ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode")
# A node of the general class holds a transform of any kind.
_ANY_TRANSFORM = "vtkMRMLTransformNode"
#: MRML classes that have points.
CLOUDS = ("vtkMRMLMarkupsFiducialNode", "vtkMRMLMarkupsCurveNode", "vtkMRMLModelNode", "vtkMRMLSegmentationNode")
_INPUT_CLASSES = {
    "image": ("vtkMRMLScalarVolumeNode",),
    "mask": SEGMENTATIONS,
    "labels": SEGMENTATIONS,
    "points": ("vtkMRMLMarkupsFiducialNode",),
    "cloud": CLOUDS,
}
# The volumes have shorter names in scripts than in parameter nodes.
_SCRIPT_NAMES = {"fixedVolume": "fixed", "movingVolume": "moving"}


def inputSlots(method: str) -> list[Slot]:
    """Return the inputs of a method that are nodes."""
    return [slot for slot in slots.inputs(method) if slot.node]


def outputSlots(method: str) -> list[Slot]:
    """Return the outputs of a method that are nodes."""
    return [slot for slot in slots.outputs(method) if slot.node]


def nameOf(slot: Slot) -> str:
    """Return the name of an input or output in scripts, and of its widgets."""
    return _SCRIPT_NAMES.get(slot.node, slot.node)


def wantedField(slot: Slot) -> str:
    """Return the field of a parameter node for whether an output is wanted; the volumes with features share one."""
    return "featuresWanted" if slot.kind == "colours" else f"{slot.node}Wanted"


def hasSegments(slot: Slot) -> bool:
    """Return whether one segment of the node can be chosen."""
    return slot.kind in ("mask", "cloud")


def isMoving(slot: Slot) -> bool:
    """Return whether an input belongs to the moving side."""
    return "moving" in slot.name.split("_")


def classesOf(slot: Slot, method: str) -> tuple[str, ...]:
    """Return the MRML classes of the nodes that can be chosen for an input or output of a method."""
    if not slot.is_output:
        return _INPUT_CLASSES[slot.kind]
    own = slot.class_for(method)
    return {"transform": (own, _ANY_TRANSFORM), "labels": SEGMENTATIONS}.get(slot.kind, (own,))


def titleOf(name: str) -> str:
    """Return the title of an input or output in the user's language, by its name in the engine; the name itself if there is none."""
    found = next((slot for slot in slots.SLOTS if slot.name == name), None)
    return engineText(found.title) if found is not None else name
