"""The request of a registration: input nodes, requested results and parameters; and its result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_engine.methods.slots import Slot
from deepreg_engine.methods.slots import slot as slotNamed
from deepreg_slicer import labels as labelmaps
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.errors import NodeError
from deepreg_slicer.landmarks import checkPairs
from deepreg_slicer.parents import isMoved, isResult, ownParent, parents, shownThrough
from deepreg_slicer.provenance import chosenOf, notesOf, summaryOf
from deepreg_slicer.slot_nodes import hasSegments, inputSlots, isMoving, nameOf, outputSlots, titleOf
from deepreg_slicer.volumes import snapshot

# Kinds of inputs that come in pairs.
_PAIRED = ("image", "points", "cloud")


class Inputs:
    """The nodes to be registered. Each input of the method is an attribute, None without a node.

    An attribute ``<name>Segment`` holds the ID of the segment that is used, "" for all.

    Args:
        method: name of the method.
        nodes: by name: ``fixed``, ``moving``, ``fixedMask``, ``fixedMaskSegment``, ``testFixed``, ... (:mod:`slot_nodes`), and
            ``initialTransform``, which takes moving to fixed as Slicer applies it: the run starts from there.

    Raises:
        NodeError: if the method has no such input.
    """

    def __init__(self, method: str, **nodes: Any) -> None:
        self.method = method
        self.initialTransform = nodes.pop("initialTransform", None)
        for slot in inputSlots(method):
            setattr(self, nameOf(slot), nodes.pop(nameOf(slot), None))
            if hasSegments(slot):
                setattr(self, f"{slot.node}Segment", nodes.pop(f"{slot.node}Segment", ""))
        if nodes:
            known = ", ".join(nameOf(slot) for slot in inputSlots(method))
            raise NodeError(_("there is no input {name}").format(name=next(iter(nodes))), _("there are {names}").format(names=known))

    def of(self, slot: Slot) -> Any:
        """Return the node of an input, None without one."""
        return getattr(self, nameOf(slot), None)

    def segment(self, slot: Slot) -> str:
        """Return the segment of an input's node that is used, "" for all."""
        return getattr(self, f"{slot.node}Segment", "")

    def given(self) -> list[tuple[Slot, Any]]:
        """Return the inputs that have a node, with it; without a volume its mask is left out."""
        slots = [slot for slot in inputSlots(self.method) if slot.kind != "mask" or self.of(slotNamed(slot.grid)) is not None]
        return [(slot, self.of(slot)) for slot in slots if self.of(slot) is not None]

    @property
    def ends(self) -> tuple[Any, Any]:
        """The nodes after which results are named: fixed and moving."""
        return self.fixed, self.moving

    def check(self) -> None:
        """Check whether the nodes can be registered.

        Raises:
            NodeError: if not.
        """
        for slot in inputSlots(self.method):
            if self.method in slot.required and self.of(slot) is None:
                raise NodeError(_('choose "{title}"').format(title=engineText(slot.title)), option=slot.name)
        for slot, node in self.given():
            if slot.partner and slot.kind in _PAIRED:
                self._checkPair(slot, slotNamed(slot.partner))
            self.checkNode(slot, node)

    def _checkPair(self, slot: Slot, partner: Slot) -> None:
        title, other = engineText(slot.title), engineText(partner.title)
        if self.of(partner) is None:
            raise NodeError(_('choose "{title}" too').format(title=other), _("they come in pairs"), partner.name)
        if self.of(slot) is self.of(partner) and self.segment(slot) == self.segment(partner):
            raise NodeError(_('"{first}" and "{second}" are the same').format(first=title, second=other), _("choose another"), partner.name)

    def checkNode(self, slot: Slot, node: Any) -> None:
        """Check the node of an input.

        Raises:
            NodeError: if it cannot be used.
        """
        if slot.kind == "image":
            snapshot(node)
        elif slot.kind == "points":
            partner = slotNamed(slot.partner)
            checkPairs((engineText(slot.title), node), (engineText(partner.title), self.of(partner)), slot.name)


@dataclass
class Output:
    """One result that can be requested.

    Args:
        wanted: whether it is.
        node: an existing node to fill; None makes a new one.
    """

    wanted: bool = False
    node: Any = None


class Outputs:
    """The results that are wanted. Each output of the method is an attribute.

    Args:
        method: name of the method.
        outputs: by name (:mod:`slot_nodes`); the others have the initial choice of a panel.
    """

    #: Results that no file of the engine holds, and their titles.
    more: dict[str, str] = {}

    def __init__(self, method: str, **outputs: Output) -> None:
        self.slots = {nameOf(slot): slot for slot in outputSlots(method)}
        for name, slot in self.slots.items():
            setattr(self, name, outputs.pop(name, None) or Output(slot.by_default))
        for name in self.more:
            setattr(self, name, outputs.pop(name, None) or Output(True))

    def wanted(self) -> Iterator[tuple[str, Output]]:
        """Yield name and output of each result that is wanted."""
        for name in (*self.slots, *self.more):
            if getattr(self, name).wanted:
                yield name, getattr(self, name)

    def titleOf(self, name: str) -> str:
        """Return the title of an output, translated into the user's language."""
        return engineText(self.slots[name].title) if name in self.slots else self.more[name]

    def overwritten(self) -> Iterator[tuple[str, Any]]:
        """Yield the name of the output, and node, of all nodes of the scene that the run fills."""
        for name, output in self.wanted():
            if output.node is not None:
                yield name, output.node

    def _checkPartner(self, name: str, inputs: Inputs) -> None:
        """Raise NodeError if an output needs an input that is not chosen."""
        slot = self.slots.get(name)
        needed = slotNamed(slot.partner) if slot is not None and slot.partner else None
        if needed is not None and inputs.of(needed) is None:
            message = _('choose "{input}" for the output "{output}", or do not ask for this output')
            raise NodeError(message.format(input=engineText(needed.title), output=self.titleOf(name)), option=needed.name)

    def check(self, inputs: Inputs) -> None:
        """Check whether the results can be made and stored.

        Raises:
            NodeError: if not.
        """
        for name, _output in self.wanted():
            self._checkPartner(name, inputs)
        sources = {id(node) for node in (*(node for _slot, node in inputs.given()), inputs.initialTransform)}
        taken: dict[int, str] = {}
        for name, node in self.overwritten():
            title = self.titleOf(name)
            if id(node) in sources:
                message = _('the output "{title}" {name} is an input').format(title=title, name=node.GetName())
                raise NodeError(message, _("choose another, or create a new one"), name)
            if id(node) in taken:
                message = _('"{first}" and "{second}" have the same output {name}')
                first = self.titleOf(taken[id(node)])
                raise NodeError(message.format(first=first, second=title, name=node.GetName()), _("choose another"), name)
            taken[id(node)] = name
        node = self.labels.node if self.labels.wanted else None
        if node is not None and labelmaps.isSegmentation(node) != labelmaps.isSegmentation(inputs.movingLabels):
            raise NodeError(
                _("the warped segmentation is of the same kind as the moving one"),
                _("choose another output, or create a new one"),
                "labels",
            )


@dataclass
class Request:
    """A registration to be made.

    Args:
        method: name of the method.
        inputs, outputs: nodes.
        parameters: of the method, name to value.
        preset: its name.
        device: where to compute.
        threads: of the CPU; 0 leaves it to the engine.
        options: of the method, as the engine declares them.
    """

    method: str
    inputs: Inputs
    outputs: Outputs
    parameters: dict[str, Any]
    preset: str = ""
    device: str = "auto"
    threads: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Check whether it can be made.

        Raises:
            NodeError: if not.
        """
        self.inputs.check()
        self.outputs.check(self.inputs)
        self._checkParents()

    def leftOut(self, slot: Slot, node: Any) -> Any:
        """Return the result below which an input of the moving side is, and without which it is read; None without one.

        This is an output node of the run that already holds a result, or a result through which a panel shows an input.
        """
        if not isMoving(slot):
            return None
        return next((result for result in self._results() if isMoved(node, result) and result.GetParentTransformNode() is None), None)

    def _results(self) -> list[Any]:
        filled = [node for _name, node in self.outputs.overwritten() if isResult(node)]
        return [*filled, *(result for _slot, node in self.inputs.given() if (result := shownThrough(node)) is not None)]

    def _places(self) -> Iterator[tuple[str, Any, Any, list[Any]]]:
        """Yield name and node of each input, the result that is left out, and the transforms through which it is read."""
        for slot, node in self.inputs.given():
            left = self.leftOut(slot, node)
            parent = ownParent(node, left)
            yield slot.name, node, left, [parent, *parents(parent)] if parent is not None else []

    def _checkInitial(self) -> None:
        """Raise NodeError if an input of the moving side is below the initial transform, which would be applied twice."""
        initial = self.inputs.initialTransform
        for name, node, _left, above in self._places():
            if isMoving(slotNamed(name)) and any(each is initial for each in above):
                message = _('"{title}" {name} is below the initial transform {transform}, which would be applied twice')
                message = message.format(title=titleOf(name), name=node.GetName(), transform=initial.GetName())
                raise NodeError(message, _("take it out of this transform, or choose no initial transform"), name)

    def _checkParents(self) -> None:
        """Raise NodeError if an input would be read through an output, through a result that is left out for another input, or through the
        initial transform, which would be applied twice."""
        initial = self.inputs.initialTransform
        self._checkInitial()
        filled = [node for _name, node in self.outputs.overwritten() if node.IsA("vtkMRMLTransformNode")]
        results = self._results()
        places = [(name, titleOf(name), node, above) for name, node, _left, above in self._places()]
        if initial is not None:
            places.append(("initial", _("Initial transform"), initial, list(parents(initial))))
        for name, title, node, above in places:
            transform = next((each for each in (*filled, *results) if any(each is other for other in above)), None)
            if transform is None:
                continue
            message = _('"{title}" {name} is below the transform {transform}, which is an output')
            if not any(each is transform for each in filled):
                message = _('"{title}" {name} is below the result {transform}, through which the moving volume is shown')
            message = message.format(title=title, name=node.GetName(), transform=transform.GetName())
            raise NodeError(message, _("take it out of this transform, or choose another"), name)

    def notes(self) -> list[str]:
        """Return remarks on inputs that are below results."""
        found = []
        for name, node, left, above in self._places():
            text = _('"{title}" {name} is shown through the result {transform}: it was read without it')
            if left is None:
                left = next((each for each in above if isResult(each)), None)
                text = _('"{title}" {name} is below the result {transform}: it was read through it')
            if left is not None:
                found.append(text.format(title=titleOf(name), name=node.GetName(), transform=left.GetName()))
        return found

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the worker, without files."""
        return {
            "method": self.method,
            "parameters": self.parameters,
            "preset": self.preset,
            "device": self.device,
            "threads": self.threads,
            "compress": False,
            **self.options,
        }


@dataclass
class Result:
    """The result of a registration.

    Args:
        nodes: output name to node.
        report: of the engine.
        seconds: time from Apply until the nodes are made.
        fixed, moving: the volumes, if they are still in the scene.
    """

    nodes: dict[str, Any]
    report: dict[str, Any]
    seconds: float
    fixed: Any
    moving: Any

    @property
    def summary(self) -> str:
        """One short line."""
        return summaryOf(self.report, self.seconds)

    @property
    def lines(self) -> str:
        """The summary, a line on the automatic choice, and one for each note on the inputs and the result."""
        return "\n".join((self.summary, *chosenOf(self.report), *notesOf(self.report)))


def inScene(node: Any) -> bool:
    """Return whether a node is in the scene."""
    return node is not None and node.GetScene() is slicer.mrmlScene
