"""One registration from the scene through the worker and back into the scene.

Volumes, masks, labels, landmarks and the initial transform are written; results are read beside the scene; then nodes are made or
filled, all at once, in one step of undo. See :mod:`worker_task`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import slicer

from deepreg_slicer import labels as labelmaps
from deepreg_slicer.errors import NodeError
from deepreg_slicer.landmarks import checkPairs, writePoints
from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.provenance import describe, record
from deepreg_slicer.transforms import readField, setFromParent, writeFromParent
from deepreg_slicer.volumes import newNode, readImage, setVolume, showLike, snapshot, worldGeometry, writeVolume
from deepreg_slicer.worker_client import WorkerClient
from deepreg_slicer.worker_task import WorkerTask


@dataclass
class Inputs:
    """What is registered, as nodes; None where there is none.

    Args:
        fixed, moving: scalar volumes.
        fixedMask, movingMask: segmentations or label maps that say where to look; a segment's ID, or "" for all.
        guideFixed, guideMoving: point lists that guide the registration, in pairs.
        testFixed, testMoving: point lists that only judge it.
        fixedLabels, movingLabels: segmentations or label maps that judge it, or are warped.
        initialTransform: takes moving to fixed as Slicer applies it; the run starts from there.
    """

    fixed: Any = None
    moving: Any = None
    fixedMask: Any = None
    fixedMaskSegment: str = ""
    movingMask: Any = None
    movingMaskSegment: str = ""
    guideFixed: Any = None
    guideMoving: Any = None
    testFixed: Any = None
    testMoving: Any = None
    fixedLabels: Any = None
    movingLabels: Any = None
    initialTransform: Any = None

    @property
    def ends(self) -> tuple[Any, Any]:
        """The nodes after which results are named: fixed and moving."""
        return self.fixed, self.moving

    def problem(self) -> str:
        """Why this cannot be registered, "" if it can."""
        if self.fixed is None:
            return "choose a fixed volume"
        if self.moving is None:
            return "choose a moving volume"
        if self.fixed is self.moving:
            return "fixed and moving volume are the same: choose two"
        for node in (self.fixed, self.moving):
            try:
                snapshot(node)
            except NodeError as error:
                return str(error)
        for first, second, what in (
            (self.guideFixed, self.guideMoving, "guiding landmarks"),
            (self.testFixed, self.testMoving, "test landmarks"),
        ):
            problem = checkPairs(first, second, what)
            if problem:
                return problem
        return ""


@dataclass
class Output:
    """One result that can be asked for.

    Args:
        wanted: whether it is.
        node: an existing node to fill; None makes a new one.
    """

    wanted: bool = False
    node: Any = None


@dataclass
class Outputs:
    """Where the results go."""

    transform: Output = field(default_factory=lambda: Output(True))
    volume: Output = field(default_factory=lambda: Output(True))
    inverse: Output = field(default_factory=Output)
    labels: Output = field(default_factory=Output)
    jacobian: Output = field(default_factory=Output)
    uncertainty: Output = field(default_factory=Output)

    def problem(self, inputs: Inputs) -> str:
        """Why this cannot be filled, "" if it can."""
        if self.labels.wanted and inputs.movingLabels is None:
            return "choose a moving segmentation to warp, or do not ask for the warped segmentation"
        taken: dict[int, str] = {}
        sources = [node for node in vars(inputs).values() if node is not None and not isinstance(node, str)]
        for name, output in vars(self).items():
            if not output.wanted or output.node is None:
                continue
            if any(output.node is node for node in sources):
                return f"the {_said(name)} output {output.node.GetName()} is an input: choose another, or create a new one"
            if id(output.node) in taken:
                return f"{_said(taken[id(output.node)])} and {_said(name)} have the same output {output.node.GetName()}: choose another"
            taken[id(output.node)] = name
        if self.labels.wanted and self.labels.node is not None:
            if labelmaps.isSegmentation(self.labels.node) != labelmaps.isSegmentation(inputs.movingLabels):
                return "the warped segmentation is of the same kind as the moving one: choose another output, or create a new one"
        return ""


def _said(name: str) -> str:
    """An output's name as it stands within a sentence."""
    return re.sub(r"([A-Z])", lambda match: f" {match.group().lower()}", name)


@dataclass
class Request:
    """A registration to be made.

    Args:
        operation: of the worker.
        title: of the method, for names and messages.
        inputs, outputs: see there.
        parameters: of the method, name to value.
        preset: its name.
        device: where to compute.
        threads: of the CPU; 0 leaves it to the engine.
    """

    operation: str
    title: str
    inputs: Inputs
    outputs: Outputs
    parameters: dict[str, Any]
    preset: str = ""
    device: str = "auto"
    threads: int = 0

    def problem(self) -> str:
        """Why it cannot be made, "" if it can."""
        return self.inputs.problem() or self.outputs.problem(self.inputs)


@dataclass
class Result:
    """What a registration gave.

    Args:
        nodes: output name to node.
        report: of the engine.
        seconds: from Apply to the nodes.
        fixed, moving: the volumes, as far as they still exist.
    """

    nodes: dict[str, Any]
    report: dict[str, Any]
    seconds: float
    fixed: Any
    moving: Any

    @property
    def summary(self) -> str:
        """One short line."""
        return describe(self.report, self.seconds)


class Registration(WorkerTask):
    """One run.

    Args:
        request: what to do.
        client: the worker.
    """

    #: What a run gives.
    resultClass: type[Result] = Result
    exported, computed = 0.04, 0.95

    def __init__(self, request: Request, client: WorkerClient | None = None) -> None:
        super().__init__(client)
        self.request = request
        self.operation = request.operation
        self._begun = time.monotonic()
        self._layers: list[labelmaps.Layer] = []
        self._made: list[Any] = []
        self._names = {side: node.GetName() for side, node in zip(("fixed", "moving"), request.inputs.ends) if node}

    def check(self) -> None:
        self._begun = time.monotonic()
        problem = self.request.problem()
        if problem:
            raise NodeError(problem)

    def accept(self, value: tuple[dict[str, Any], dict[str, Any]]) -> Result:
        found, report = value
        nodes = self._commit(found, report)
        inputs = self.request.inputs
        fixed, moving = (node if inScene(node) else None for node in (inputs.fixed, inputs.moving))
        return self.resultClass(nodes, report, time.monotonic() - self._begun, fixed, moving)

    # ------------------------------------------------------------------ export

    def export(self) -> Generator[float, None, dict[str, Any]]:
        request, inputs = self.request, self.request.inputs
        arguments: dict[str, Any] = {
            "parameters": request.parameters,
            "preset": request.preset,
            "device": request.device,
            "threads": request.threads,
            "compress": False,
        }
        region = yield from self._exportVolumes(arguments)
        self._exportLandmarks(arguments)
        if inputs.fixedLabels is not None and inputs.movingLabels is not None:
            yield from self._exportComparison(arguments)
        yield from self._exportLayers(arguments)
        if inputs.initialTransform is not None:
            arguments["initial"] = yield from writeFromParent(inputs.initialTransform, region, self.file("initial"))
        self._askFor(arguments)
        return arguments

    def _exportVolumes(self, arguments: dict[str, Any]) -> Generator[float, None, Geometry]:
        """Both volumes, and their masks; returns where the fixed volume is."""
        inputs = self.request.inputs
        fixed, moving = snapshot(inputs.fixed), snapshot(inputs.moving)
        for shot, side in ((fixed, "fixed"), (moving, "moving")):
            arguments[side] = self.file(f"{side}.nrrd")
            yield from writeVolume(shot, arguments[side])
            if worldGeometry(shot)[1]:
                self.logged.emit(f"{shot.name} lies under a transform that is not rigid: it was drawn anew as it is seen")
        for side, node, segment in (
            ("fixed", inputs.fixedMask, inputs.fixedMaskSegment),
            ("moving", inputs.movingMask, inputs.movingMaskSegment),
        ):
            if node is not None:
                arguments[f"{side}_mask"] = self.file(f"{side}_mask.nrrd")
                yield from labelmaps.writeMask(node, self._segments(node, segment), arguments[f"{side}_mask"])
        return worldGeometry(fixed)[0]

    def _segments(self, _node: Any, segment: str) -> str | list[str]:
        """The segments of a mask that a choice stands for."""
        return segment

    def _exportLandmarks(self, arguments: dict[str, Any]) -> None:
        inputs = self.request.inputs
        for name, node in (
            ("fixed_landmarks", inputs.guideFixed),
            ("moving_landmarks", inputs.guideMoving),
            ("test_fixed_landmarks", inputs.testFixed),
            ("test_moving_landmarks", inputs.testMoving),
        ):
            if node is not None:
                arguments[name] = self.file(f"{name}.csv")
                writePoints(node, arguments[name])

    def _exportLayers(self, arguments: dict[str, Any]) -> Generator[float, None, None]:
        """What is to be warped of a segmentation."""
        if self.request.outputs.labels.wanted:
            self._layers = labelmaps.layers(self.request.inputs.movingLabels)
            files = yield from labelmaps.writeLayers(self._layers, self.file("labels"))
            arguments["warp_labels"] = [[path, self.file(f"warped_labels{number}.nrrd")] for number, path in enumerate(files)]

    def _askFor(self, arguments: dict[str, Any]) -> None:
        """Where the worker shall write what is wanted."""
        arguments["transform"] = self.file("transform.nrrd")
        for name, file in (("volume", "warped"), ("inverse", "inverse"), ("jacobian", "jacobian"), ("uncertainty", "uncertainty")):
            if getattr(self.request.outputs, name).wanted:
                arguments[file] = self.file(f"{file}_out.nrrd")

    def _exportComparison(self, arguments: dict[str, Any]) -> Generator[float, None, None]:
        inputs = self.request.inputs
        try:
            comparison = yield from labelmaps.writeComparison(inputs.fixedLabels, inputs.movingLabels, self.file("compare"))
        except NodeError as error:
            if not self.request.outputs.labels.wanted:
                raise
            self.logged.emit(f"{error}; overlap is not measured")  # they may be there to be warped only
            return
        arguments["fixed_labels"], arguments["moving_labels"] = comparison.fixed, comparison.moving
        arguments["label_names"] = self.file("label_names.json")
        with open(arguments["label_names"], "w", encoding="utf-8") as stream:
            json.dump({str(value): name for value, name in comparison.names.items()}, stream)
        for side in comparison.merged:
            self.logged.emit(f"segments of the {side} segmentation overlap: where they do, the later one was compared")

    # ------------------------------------------------------------------ import

    def read(self, report: dict[str, Any]) -> Generator[float, None, tuple[dict[str, Any], dict[str, Any]]]:
        outputs = self.request.outputs
        found: dict[str, Any] = {}
        for name, file in (("transform", "transform.nrrd"), ("inverse", "inverse_out.nrrd")):
            if getattr(outputs, name).wanted:
                found[name] = yield from readField(self.file(file))
        for name, file in (("volume", "warped_out.nrrd"), ("jacobian", "jacobian_out.nrrd"), ("uncertainty", "uncertainty_out.nrrd")):
            if getattr(outputs, name).wanted:
                found[name] = yield from readImage(self.file(file))
        if outputs.labels.wanted:
            found["labels"] = []
            for number, layer in enumerate(self._layers):
                image, geometry = yield from readImage(self.file(f"warped_labels{number}.nrrd"))
                found["labels"].append((layer, image, geometry))
        return found, report

    # ------------------------------------------------------------------ commit

    def _commit(self, found: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
        """Make and fill the nodes; if that fails, none that was made stays."""
        fixed, moving = (node if inScene(node) else None for node in self.request.inputs.ends)
        slicer.mrmlScene.SaveStateForUndo()
        self._made = []
        nodes: dict[str, Any] = {}
        try:
            for name, value in found.items():
                node = getattr(self.request.outputs, name).node
                if not inScene(node):
                    node = self._make(*self._newNode(name))
                nodes[name] = node
                self._fill(name, node, value, fixed, moving)
                record(node, name, self.request, report, fixed, moving, self._names)
            nodes.update(self._helpers(nodes, fixed, moving))
        except BaseException:
            for node in reversed(self._made):
                slicer.mrmlScene.RemoveNode(node)
            raise
        return nodes

    def _make(self, className: str, name: str) -> Any:
        """A new node, which goes again if the commit fails."""
        node = newNode(className, name)
        self._made.append(node)
        return node

    def _helpers(self, _nodes: dict[str, Any], _fixed: Any, _moving: Any) -> dict[str, Any]:
        """Make or fill what shows results: name to node."""
        return {}

    def _newNode(self, name: str) -> tuple[str, str]:
        """Class and name of a node for an output."""
        fixed, moving = self._names["fixed"], self._names["moving"]
        segmentation = labelmaps.isSegmentation(self.request.inputs.movingLabels)
        labels = self.request.inputs.movingLabels.GetName() if self.request.inputs.movingLabels is not None else moving
        return {
            "transform": ("vtkMRMLGridTransformNode", f"{moving} to {fixed}"),
            "inverse": ("vtkMRMLGridTransformNode", f"{fixed} to {moving}"),
            "volume": ("vtkMRMLScalarVolumeNode", f"{moving} warped"),
            "labels": ("vtkMRMLSegmentationNode" if segmentation else "vtkMRMLLabelMapVolumeNode", f"{labels} warped"),
            "jacobian": ("vtkMRMLScalarVolumeNode", f"Jacobian of {moving} to {fixed}"),
            "uncertainty": ("vtkMRMLScalarVolumeNode", f"Uncertainty of {moving} to {fixed}"),
        }[name]

    def _fill(self, name: str, node: Any, value: Any, fixed: Any, moving: Any) -> None:
        new = node.IsA("vtkMRMLDisplayableNode") and node.GetDisplayNode() is None
        if name == "transform":
            setFromParent(node, value, fixed, moving)
        elif name == "inverse":
            setFromParent(node, value, moving, fixed)
        elif name == "labels" and labelmaps.isSegmentation(node):
            labelmaps.setSegmentation(node, value, fixed)
            if new:  # outlines: the volumes, which they are to be compared with, stay in sight
                node.GetDisplayNode().SetVisibility2DFill(False)
        elif name == "labels":
            _, image, geometry = value[0]
            labelmaps.setLabelMap(node, image, geometry, self.request.inputs.movingLabels)
        else:
            setVolume(node, *value)
            node.CreateDefaultDisplayNodes()
            if name == "volume" and new and inScene(self.request.inputs.moving):
                showLike(node, self.request.inputs.moving)


def inScene(node: Any) -> bool:
    """Whether a node still is one of the scene's."""
    return node is not None and node.GetScene() is slicer.mrmlScene
