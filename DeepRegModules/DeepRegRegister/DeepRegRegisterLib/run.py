"""One run of the module Register: results are always new nodes, named after preset and time, and marked as one result."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from deepreg_engine.methods.slots import LINEAR, Slot
from deepreg_engine.methods.slots import slot as slotNamed
from deepreg_slicer import results
from deepreg_slicer.box_mask import checkBox, isBox, writeBox
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.errors import NodeError
from deepreg_slicer.moving_side import resultAbove
from deepreg_slicer.registration import Registration
from deepreg_slicer.request import Inputs, Output, Outputs, Request, Result
from deepreg_slicer.slot_nodes import inputSlots, nameOf
from DeepRegRegisterLib.plan import Plan, presetTitle

# From RAS to LPS and back, of matrices.
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
# Outputs of every run.
_OUTPUTS = ("transform", "volume")


@dataclass
class RegisterResult(Result):
    """The result of a registration.

    Args:
        brought: moving node to the new node that came along.
        structures: table of the structures; None without segmentations.
        reason: of the choice of the method.
        notes: remarks on what came along.
    """

    brought: dict[Any, Any] = field(default_factory=dict)
    structures: Any = None
    reason: str = ""
    notes: list[str] = field(default_factory=list)


class RegisterInputs(Inputs):
    """The nodes to be registered; the fixed mask may be a region of interest."""

    def checkNode(self, slot: Slot, node: Any) -> None:
        if isBox(node):
            checkBox(node)
        else:
            super().checkNode(slot, node)

    def check(self) -> None:
        volumes = (self.fixed, self.moving)
        if not _hasPoints(self) and None in volumes:
            missing = slotNamed(("fixed", "moving")[volumes.index(None)])
            raise NodeError(_('choose "{title}"').format(title=engineText(missing.title)), option=missing.name)
        super().check()


class RegisterRequest(Request):
    """A registration to be made. Inputs of the moving side that lie below an earlier result are read without it."""

    def _results(self) -> list[Any]:
        above = (resultAbove(node) for _slot, node in self.inputs.given())
        return [*super()._results(), *(result for result in above if result is not None)]


class NamedRun:
    """What all runs of the module have in common, in front of a class of registrations."""

    resultClass = RegisterResult

    def __init__(self, request: Request, plan: Plan, client: Any = None) -> None:
        super().__init__(request, client)
        self._plan = plan
        self._title, self._linear = "", False

    def write(self, slot: Slot, node: Any) -> Generator[float, None, str]:
        if not isBox(node):
            return (yield from super().write(slot, node))
        path = self.file(f"{slot.name}.nrrd")
        yield from writeBox(node, self._region, path)
        return path

    def newNode(self, name: str) -> tuple[str, str]:
        className, base = super().newNode(name)
        if name == "transform" and self._linear:
            className = "vtkMRMLLinearTransformNode"
        return className, f"{base} ({self._title})"

    def accept(self, value: tuple[dict[str, Any], dict[str, Any]]) -> RegisterResult:
        found, report = value
        self._title = results.newTitle(engineText(presetTitle(report)))
        self._linear = report["method"] == LINEAR
        if self._linear and self.request.method != LINEAR:  # decided by the engine, which was asked for a field
            found["transform"] = _FLIP @ np.array(report["alignment"]["matrix"]) @ _FLIP
        result = super().accept(value)
        transform = result.nodes["transform"]
        transform.SetAttribute(results.TITLE, self._title)
        results.mark(transform, result.nodes.values())
        result.reason = (report.get("suggestion") or {}).get("reason", self._plan.reason)
        return result


class RegisterRun(NamedRun, Registration):
    """A run with volumes.

    Args:
        request: what to do.
        plan: from which it was made.
        client: of the worker.
    """


def makeRun(request: Request, plan: Plan, client: Any = None) -> Registration:
    """Return a run that has not been started. Points are registered by the run of the module for points."""
    if not _hasPoints(request.inputs):
        return RegisterRun(request, plan, client)
    from DeepRegPointsLib.registration import PointsRegistration

    class RegisterPointsRun(NamedRun, PointsRegistration):
        """A run with points."""

    return RegisterPointsRun(request, plan, client)


def _hasPoints(inputs: Inputs) -> bool:
    return any(getattr(inputs, name, None) is not None for name in ("fixedPoints", "movingPoints"))


def makeRequest(plan: Plan, nodes: dict[str, Any], device: str = "auto") -> RegisterRequest:
    """Return the request of a run.

    Args:
        plan: what to do.
        nodes: inputs by their names in scripts (:mod:`deepreg_slicer.slot_nodes`).
        device: where to compute.
    """
    known = {nameOf(slot) for slot in inputSlots(plan.method)}
    known |= {f"{name}Segment" for name in known}
    given = {name: node for name, node in nodes.items() if name in known}
    inputs = RegisterInputs(plan.method, **given)
    if _hasPoints(inputs):
        return _pointsRequest(plan, given, device)
    outputs = Outputs(plan.method)
    for name in outputs.slots:
        setattr(outputs, name, Output(name in _OUTPUTS))
    return RegisterRequest(plan.method, inputs, outputs, plan.parameters, plan.preset, device, options=dict(plan.options))


def _pointsRequest(plan: Plan, nodes: dict[str, Any], device: str) -> Request:
    """Return the request of a run with points, with the outputs that show them."""
    from DeepRegPointsLib.registration import PointsInputs, PointsOutputs, PointsRequest

    class Inputs(RegisterInputs, PointsInputs):
        """Points, with a region that may be a box."""

    class PointsOfResults(RegisterRequest, PointsRequest):
        """Points that lie below an earlier result are read without it."""

    inputs = Inputs(plan.method, **nodes)
    outputs = PointsOutputs(plan.method)
    outputs.volume = Output(inputs.hasVolumes)
    return PointsOfResults(plan.method, inputs, outputs, plan.parameters, plan.preset, device, options=dict(plan.options))
