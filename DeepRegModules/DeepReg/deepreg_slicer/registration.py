"""One registration from the scene through the worker and back into the scene.

The engine declares inputs and outputs; their kinds determine how they are written, read and stored. Nodes are made or
filled all at once, in one step of undo. See :mod:`worker_task`.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Generator
from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_engine.methods.slots import Slot
from deepreg_engine.methods.slots import slot as slotNamed
from deepreg_slicer import labels as labelmaps
from deepreg_slicer.cooperative import Cooperative
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.errors import NodeError
from deepreg_slicer.landmarks import writePoints
from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.provenance import record
from deepreg_slicer.request import Request, Result, inScene
from deepreg_slicer.result_view import followParents
from deepreg_slicer.signals import Signal
from deepreg_slicer.transforms import readField, readLinear, setFromParent, writeFromParent
from deepreg_slicer.volumes import newNode, readImage, setVolume, showLike, snapshot, worldGeometry, writeVolume
from deepreg_slicer.worker_client import WorkerClient
from deepreg_slicer.worker_task import WorkerTask

Steps = Generator[float, None, Any]
# Ending of the file of an output, by its kind.
_ENDINGS = {"transform": ".nrrd", "image": ".nrrd", "map": ".nrrd", "colours": ".nrrd", "points": ".csv", "table": ".csv", "folder": ""}


class Registration(WorkerTask):
    """One run. Methods with kinds of inputs or outputs of their own derive from it.

    Args:
        request: what to do.
        client: of the worker.

    Signals besides those of :class:`WorkerTask`: ``previewed(transform)``, the result so far, which takes fixed to moving points in the
    world. It comes only if something is connected before the run starts.
    """

    operation = "register"
    #: What a run returns.
    resultClass: type[Result] = Result
    exported, computed = 0.04, 0.95

    def __init__(self, request: Request, client: WorkerClient | None = None) -> None:
        self.previewed = Signal()
        self._previewing: Cooperative | None = None
        super().__init__(client)
        self.request = request
        self._begun = time.monotonic()
        self._region: Geometry | None = None
        self._layers: list[labelmaps.Layer] = []
        self._made: list[Any] = []
        self._notes: list[str] = []
        self._names = {side: node.GetName() for side, node in zip(("fixed", "moving"), request.inputs.ends, strict=True) if node}
        labels = request.inputs.movingLabels
        self._names["labels"] = labels.GetName() if labels is not None else self._names.get("moving", "")

    def check(self) -> None:
        self._begun = time.monotonic()
        self.request.check()

    # ------------------------------------------------------------------ export

    def export(self) -> Generator[float, None, dict[str, Any]]:
        inputs = self.request.inputs
        arguments = self.request.arguments()
        for text in self.request.notes():
            self.note(text)
        yield 0.0
        for slot, node in inputs.given():
            if slot.kind != "labels":  # label maps are compared or warped together
                arguments[slot.name] = yield from self.write(slot, node)
        if inputs.fixedLabels is not None and inputs.movingLabels is not None:
            yield from self._writeComparison(arguments)
        if inputs.initialTransform is not None:
            arguments["initial"] = yield from writeFromParent(inputs.initialTransform, self._region, self.file("initial"))
        yield from self.askFor(arguments)
        if self.previewed.connected:
            arguments["preview"] = self.folder
        return arguments

    # ----------------------------------------------------------------- preview

    def onPreview(self, path: str) -> None:
        """Read a result so far, in pieces; an earlier one that is still being read is dropped."""
        self._dropPreview()
        self._previewing = Cooperative(self._readPreview(path))
        self._previewing.finished.connect(self.previewed.emit)
        self._previewing.start()

    def _readPreview(self, path: str) -> Steps:
        transform = yield from readField(path)
        with contextlib.suppress(OSError):
            os.unlink(path)
        return transform

    def _dropPreview(self) -> None:
        if self._previewing is not None:
            self._previewing.stop()
            self._previewing = None

    def disconnectAll(self) -> None:
        super().disconnectAll()
        self.previewed.clear()

    def cleanUp(self) -> None:
        self._dropPreview()
        super().cleanUp()

    def note(self, text: str) -> None:
        """Log a remark, and keep it for the report."""
        self._notes.append(text)
        self.logged.emit(text)

    def write(self, slot: Slot, node: Any) -> Generator[float, None, str]:
        """Write the node of an input, in pieces; returns the file."""
        path = self.file(f"{slot.name}{'.csv' if slot.kind == 'points' else '.nrrd'}")
        without = self.request.leftOut(slot, node)
        if slot.kind == "image":
            yield from self.writeImage(slot, node, path)
        elif slot.kind == "mask":
            yield from labelmaps.writeMask(node, self.segments(node, self.request.inputs.segment(slot)), path, without)
        else:
            writePoints(node, path, without)
        return path

    def writeImage(self, slot: Slot, node: Any, path: str) -> Steps:
        """Write a volume; the geometry of the fixed one is kept as the region of the registration."""
        shot = snapshot(node, self.request.leftOut(slot, node))
        geometry, resampled = worldGeometry(shot)
        yield from writeVolume(shot, path)
        if resampled:
            self.note(
                _("{image} is currently deformed by {transform}; the deformed image was registered").format(
                    image=shot.name, transform=node.GetParentTransformNode().GetName()
                )
            )
        if slot.name == "fixed":
            self._region = geometry

    def segments(self, _node: Any, segment: str) -> str | list[str]:
        """Return the segments of a mask that a choice stands for."""
        return segment

    def _writeComparison(self, arguments: dict[str, Any]) -> Steps:
        """Write both segmentations with the same values for the same structures."""
        inputs = self.request.inputs
        try:
            without = self.request.leftOut(slotNamed("moving_labels"), inputs.movingLabels)
            comparison = yield from labelmaps.writeComparison(inputs.fixedLabels, inputs.movingLabels, self.file("compare"), without)
        except NodeError as error:
            if not self.request.outputs.labels.wanted:
                raise
            self.note(_("{problem}; overlap is not measured").format(problem=error))  # without fixed labels they are only warped
            return
        arguments["fixed_labels"], arguments["moving_labels"] = comparison.fixed, comparison.moving
        arguments["label_names"] = self.file("label_names.json")
        with open(arguments["label_names"], "w", encoding="utf-8") as stream:
            json.dump({str(value): name for value, name in comparison.names.items()}, stream)
        for note in comparison.notes:
            self.note(note)

    def askFor(self, arguments: dict[str, Any]) -> Steps:
        """Name the results to write, and their files, in the request to the worker."""
        outputs = self.request.outputs
        for name, _output in outputs.wanted():
            slot = outputs.slots.get(name)
            if slot is None:
                continue
            if slot.kind == "labels":
                moving = self.request.inputs.movingLabels
                self._layers = labelmaps.layers(moving, self.request.leftOut(slotNamed("moving_labels"), moving))
                files = yield from labelmaps.writeLayers(self._layers, self.file("labels"))
                arguments["warp_labels"] = [[path, self.file(f"{slot.name}{number}.nrrd")] for number, path in enumerate(files)]
            else:
                arguments[slot.name] = self.fileOf(slot)

    def fileOf(self, slot: Slot) -> str:
        """Return the file of an output."""
        ending = ".tfm" if self._isLinear(slot) else _ENDINGS[slot.kind]
        return self.file(f"{slot.name}_out{ending}")

    def _isLinear(self, slot: Slot) -> bool:
        """Return whether an output is a linear transform."""
        return slot.class_for(self.request.method) == "vtkMRMLLinearTransformNode"

    # -------------------------------------------------------------------- read

    def read(self, result: dict[str, Any]) -> Generator[float, None, tuple[dict[str, Any], dict[str, Any]]]:
        outputs = self.request.outputs
        found: dict[str, Any] = {}
        for name, _output in outputs.wanted():
            if name in outputs.slots:
                found[name] = yield from self.readOutput(outputs.slots[name], result)
        return found, result

    def readOutput(self, slot: Slot, _report: dict[str, Any]) -> Steps:
        """Read the file of an output, in pieces; returns what :meth:`fill` gets."""
        if self._isLinear(slot):
            return readLinear(self.fileOf(slot))
        if slot.kind == "transform":
            return (yield from readField(self.fileOf(slot)))
        if slot.kind == "labels":
            layers = []
            for number, layer in enumerate(self._layers):
                image, geometry = yield from readImage(self.file(f"{slot.name}{number}.nrrd"))
                layers.append((layer, image, geometry))
            return layers
        return (yield from readImage(self.fileOf(slot)))

    # ------------------------------------------------------------------ accept

    def accept(self, value: tuple[dict[str, Any], dict[str, Any]]) -> Result:
        found, report = value
        report = {**report, "notes": [*self._notes, *report.get("notes", [])]}
        nodes = self._commit(found, report)
        for slot, node in self.request.inputs.given():
            if inScene(node) and self.request.leftOut(slot, node) is not None:
                followParents(node)
        inputs = self.request.inputs
        fixed, moving = (node if inScene(node) else None for node in (inputs.fixed, inputs.moving))
        return self.resultClass(nodes, report, time.monotonic() - self._begun, fixed, moving)

    def _commit(self, found: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
        """Make and fill the nodes; if that fails, those that were made are removed."""
        fixed, moving = (node if inScene(node) else None for node in self.request.inputs.ends)
        slicer.mrmlScene.SaveStateForUndo()
        self._made = []
        nodes: dict[str, Any] = {}
        try:
            for name, value in found.items():
                node = getattr(self.request.outputs, name).node
                if not inScene(node):
                    node = self.make(*self.newNode(name))
                nodes[name] = node
                self.fill(name, node, value, fixed, moving)
                record(node, name, self.request, report, fixed, moving, self._names)
            nodes.update(self.helpers(nodes, fixed, moving))
        except BaseException:
            for node in reversed(self._made):
                slicer.mrmlScene.RemoveNode(node)
            raise
        return nodes

    def make(self, className: str, name: str) -> Any:
        """Return a new node, which is removed if a later step fails."""
        node = newNode(className, name)
        self._made.append(node)
        return node

    def helpers(self, _nodes: dict[str, Any], _fixed: Any, _moving: Any) -> dict[str, Any]:
        """Make or fill nodes that show results: name to node."""
        return {}

    def newNode(self, name: str) -> tuple[str, str]:
        """Return class and name of a new node for an output."""
        slot = self.request.outputs.slots[name]
        segmentation = labelmaps.isSegmentation(self.request.inputs.movingLabels)
        className = slot.class_for(self.request.method) or ("vtkMRMLSegmentationNode" if segmentation else "vtkMRMLLabelMapVolumeNode")
        return className, engineText(slot.node_name).format(**self._names)

    def fill(self, name: str, node: Any, value: Any, fixed: Any, moving: Any) -> None:
        """Store a result in a node."""
        slot = self.request.outputs.slots[name]
        new = node.IsA("vtkMRMLDisplayableNode") and node.GetDisplayNode() is None
        if slot.kind in ("transform", "linear"):
            setFromParent(node, value, *((fixed, moving) if slot.grid == "fixed" else (moving, fixed)))
        elif slot.kind == "labels":
            self.fillLabels(node, value, fixed, new)
        else:
            setVolume(node, *value)
            node.CreateDefaultDisplayNodes()
            if new and slot.kind == "image" and inScene(self.request.inputs.moving):
                showLike(node, self.request.inputs.moving)
            elif new and slot.kind == "colours":  # shown as they are
                node.GetDisplayNode().SetAutoWindowLevel(False)
                node.GetDisplayNode().SetWindowLevelMinMax(0.0, 255.0)

    def fillLabels(self, node: Any, value: Any, fixed: Any, new: bool) -> None:
        """Store warped label maps in a segmentation or a label map."""
        if labelmaps.isSegmentation(node):
            labelmaps.setSegmentation(node, value, fixed)
            if new:  # outlines: the volumes, with which they are compared, stay visible
                node.GetDisplayNode().SetVisibility2DFill(False)
        else:
            _layer, image, geometry = value[0]
            labelmaps.setLabelMap(node, image, geometry, self.request.inputs.movingLabels)
