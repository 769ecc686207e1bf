"""The rows of a method's panel in which its inputs and outputs are chosen, made from their declarations."""

from __future__ import annotations

from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from deepreg_engine.methods.registry import find_method
from deepreg_engine.methods.slots import Slot
from deepreg_slicer.engine_texts import engineText, sentence
from deepreg_slicer.node_rows import NodeRow, addGroup, addRow
from deepreg_slicer.parameter_node import ALWAYS
from deepreg_slicer.sections import rowOf
from deepreg_slicer.slot_nodes import classesOf, hasSegments, inputSlots, nameOf, outputSlots, wantedField

# Kinds of the inputs that are always visible.
_MAIN = ("image", "cloud")


def addRows(panel: Any, method: str) -> None:
    """Add the rows of all inputs and outputs to the forms of a panel."""
    forms = {name: panel.findChild(qt.QFormLayout, f"{name}Layout") for name in ("inputs", "moreInputs", "outputs")}
    for slot in inputSlots(method):
        form = forms["inputs" if slot.kind in _MAIN else "moreInputs"]
        addRow(form, rowOf(form, "presetLabel"), inputRow(slot, method))
    if find_method(method).aligns:
        addRow(forms["moreInputs"], forms["moreInputs"].rowCount(), initialRow())
    else:
        panel.findChild(ctk.ctkCollapsibleButton, "moreInputsCollapsibleButton").text = _("Masks and landmarks")
    addOutputs(forms["outputs"], method)


def addOutputs(form: Any, method: str) -> None:
    """Add the rows of the outputs; those that share a tick box share a row."""
    groups: dict[str, list[Slot]] = {}
    for slot in outputSlots(method):
        groups.setdefault(wantedField(slot), []).append(slot)
    for wanted, members in groups.items():
        if len(members) == 1:
            addRow(form, form.rowCount(), outputRow(members[0], method))
            continue
        head = NodeRow("", "", _("Feature maps"), " ".join(sentence(slot.help) for slot in members), (), "", wanted=wanted)
        rows = [outputRow(slot, method, _("new: {title}").format(title=engineText(slot.title))) for slot in members]
        addGroup(form, form.rowCount(), head, rows)


def inputRow(slot: Slot, method: str) -> NodeRow:
    """Return the row that chooses an input."""
    none = {"mask": _("whole volume"), "cloud": _("keypoints of the volume")}.get(slot.kind, _("none"))
    if method in slot.required:
        none = _("Select a volume")
    segments = ""
    if hasSegments(slot):
        segments = _("Segment that is the mask.") if slot.kind == "mask" else _("Segment whose surface gives the points.")
    return NodeRow(nameOf(slot), slot.node, engineText(slot.title), sentence(slot.help), classesOf(slot, method), none, segments)


def outputRow(slot: Slot, method: str, none: str = "") -> NodeRow:
    """Return the row that chooses an output, with a tick box if it is optional."""
    wanted = "" if slot.node == ALWAYS else wantedField(slot)
    field = f"{slot.node}Output"
    return NodeRow(field, field, engineText(slot.title), sentence(slot.help), classesOf(slot, method), none or _("new"), wanted=wanted)


def initialRow() -> NodeRow:
    """Return the row that chooses a transform to start from; for the engine it is a value of the parameter ``initial``."""
    text = _(
        "A transform that takes the moving volume near the fixed one. The run starts from there instead of from an automatic alignment;"
        " the result includes it."
    )
    return NodeRow("initialTransform", "initialTransform", _("Initial transform"), text, ("vtkMRMLTransformNode",), _("automatic"))
