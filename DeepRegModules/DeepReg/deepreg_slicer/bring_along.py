"""Applies a result to data of the moving side: new nodes on the fixed side, and the table of the structures.

Volumes, label maps and segmentations are warped by the worker onto the grid of the fixed volume. Points, curves and models are mapped
in the window (:mod:`carried_points`). Originals are not changed.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from deepreg_slicer import labels as labelmaps
from deepreg_slicer import nrrd
from deepreg_slicer.carried_points import Carrier, copyDisplay, fillCopy, isCarriedByPoints, pointsOf
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.errors import NodeError
from deepreg_slicer.grid_transforms import gridOf, writeTransform
from deepreg_slicer.moving_side import resultAbove
from deepreg_slicer.parents import isBelow
from deepreg_slicer.provenance import PREFIX, readReport
from deepreg_slicer.structure_table import fillStructures
from deepreg_slicer.volumes import newNode, readImage, setVolume, showLike, snapshot, writeVolume
from deepreg_slicer.worker_task import WorkerTask

#: Value of the attribute ``DeepReg.Output`` of a node that came along, and of the table of the structures.
BROUGHT, STRUCTURES = "brought", "structures"


@dataclass
class Brought:
    """What came along.

    Args:
        nodes: moving node to its new node.
        structures: table of the structures; None without segmentations.
        notes: remarks for the user.
    """

    nodes: dict[Any, Any] = field(default_factory=dict)
    structures: Any = None
    notes: list[str] = field(default_factory=list)


@dataclass
class _Files:
    """The files of a node: the layers of a segmentation or label map, or one of a volume."""

    layers: list[labelmaps.Layer]
    outputs: list[str]


class BringAlong(WorkerTask):
    """Applies a result to nodes of the moving side; its result is :class:`Brought`.

    Args:
        transform: node of the result; it takes the moving volume onto the fixed one.
        fixed: the fixed volume, on whose grid volumes and segmentations are warped.
        nodes: of the moving side.
        fixedLabels: segmentation of the fixed side, with which structures of the same names are compared; None for none.
        suffix: of the names of new nodes.
    """

    operation = "apply"
    exporting = _("bringing along")
    reading = _("bringing along")
    exported, computed = 0.2, 0.8
    queued = True

    def __init__(self, transform: Any, fixed: Any, nodes: list[Any], fixedLabels: Any = None, suffix: str = "") -> None:
        super().__init__()
        self._transform, self._fixed, self._nodes = transform, fixed, list(nodes)
        self._fixedLabels, self._suffix = fixedLabels, suffix
        self._files: dict[Any, _Files] = {}
        self._notes: list[str] = []

    # ------------------------------------------------------------------ export

    def check(self) -> None:
        if self._transform is None:
            raise NodeError(_("there is no result to apply"), _("register first, or choose a result"))
        voxels = [node for node in self._nodes if not isCarriedByPoints(node)]
        if voxels and self._fixed is None:
            raise NodeError(_("the fixed volume of the result is not in the scene"), _("load it"), "fixed")
        if not self._nodes:
            raise NodeError(_("nothing is chosen"), _("tick the data to bring along"))
        if self._fixed is not None and isBelow(self._fixed, self._transform):
            text = _("the fixed volume {name} is below the result").format(name=self._fixed.GetName())
            raise NodeError(text, _("take it out of this transform"), "fixed")

    def leftOut(self, node: Any) -> Any:
        """Return the transform of an earlier result above a node, which is ignored when the node is read; None if there is none."""
        return self._transform if isBelow(node, self._transform) else resultAbove(node)

    def export(self) -> Generator[float, None, dict[str, Any]]:
        voxels = [node for node in self._nodes if not isCarriedByPoints(node)]
        if not voxels:
            return {}
        region = gridOf(self._fixed)
        reference = self.file("fixed.nrrd")  # only its grid counts
        yield from nrrd.write(reference, np.zeros(region.voxels, dtype=np.uint8), region)
        files = []
        for number, node in enumerate(voxels):
            self.progressed.emit(self.exported * number / len(voxels), self.exporting, None)
            files += yield from self._write(node, f"moving{number}", len(voxels) > 1)
        arguments = {
            "transform": (yield from writeTransform(self._transform, region, self.file("transform"))),
            "reference": reference,
            "files": files,
            "compress": False,
        }
        linear = (readReport(self._transform) or {}).get("linear_part") or {}
        if linear.get("matrix"):
            arguments["alignment"] = linear["matrix"]  # shifts of structures are those beyond it
        if self._fixedLabels is not None and any(labelmaps.isSegmentation(node) for node in voxels):
            yield from self._writePartner(arguments)
        return arguments

    def _write(self, node: Any, name: str, several: bool) -> Generator[float, None, list[dict[str, Any]]]:
        """Write the files of a volume, label map or segmentation; returns their entries in the request."""
        without = self.leftOut(node)
        if node.GetClassName() == "vtkMRMLScalarVolumeNode":
            path, output = self.file(f"{name}.nrrd"), self.file(f"{name}_out.nrrd")
            yield from writeVolume(snapshot(node, without), path)
            self._files[node] = _Files([], [output])
            return [{"input": path, "output": output, "kind": "dose" if isDose(node) else ""}]
        layers = labelmaps.layers(node, without)
        paths = yield from labelmaps.writeLayers(layers, self.file(name))
        outputs = [path.replace(".nrrd", "_out.nrrd") for path in paths]
        self._files[node] = _Files(layers, outputs)
        prefix = f"{node.GetName()}: " if several and labelmaps.isSegmentation(node) else ""
        return [
            {
                "input": path,
                "output": output,
                "kind": "labels",
                "names": {str(segment.value): f"{prefix}{segment.name}" for segment in layer.segments},
            }
            for path, output, layer in zip(paths, outputs, layers, strict=True)
        ]

    def _writePartner(self, arguments: dict[str, Any]) -> Generator[float, None, None]:
        """Write the segmentation of the fixed side with the values that structures of the same names have on the moving side."""
        layered = [files.layers for files in self._files.values() if files.layers]
        if len(layered) != 1 or len(layered[0]) != 1:  # values of several label maps may be the same
            return
        values = {segment.name.strip().lower(): segment.value for segment in layered[0][0].segments}
        layer, overlap = labelmaps.oneLayer(self._fixedLabels)
        known = {segment.value: values[name] for segment in layer.segments if (name := segment.name.strip().lower()) in values}
        if overlap or not known:
            return
        path = self.file("fixed_labels.nrrd")
        table = np.zeros(max(int(layer.shot.image.GetScalarRange()[1]), *known) + 1, dtype=np.uint16)
        for value, new in known.items():
            table[value] = new
        yield from writeVolume(layer.shot, path, labels=True, change=lambda piece: table[piece.astype(np.int64)])
        arguments["fixed_labels"] = path

    def _submit(self, arguments: dict[str, Any]) -> None:
        if arguments:
            super()._submit(arguments)
        else:  # points and models need no worker
            self._onComputed({})

    # -------------------------------------------------------------------- read

    def read(self, result: dict[str, Any]) -> Generator[float, None, tuple[dict[Any, Any], dict[str, Any]]]:
        found: dict[Any, Any] = {}
        for node, files in self._files.items():
            images = []
            for path in files.outputs:
                images.append((yield from readImage(path)))
            found[node] = images
        points = [node for node in self._nodes if isCarriedByPoints(node)]
        carrier = Carrier(self._transform, gridOf(self._fixed) if self._fixed is not None else None) if points else None
        for node in points:
            found[node] = yield from carrier.carry(pointsOf(node, self.leftOut(node)))
            if found[node].outside:
                text = _("{count} of {all} points of {name} lie outside the fixed volume, where the result is not known: check them")
                self._notes.append(text.format(count=found[node].outside, all=len(found[node].points), name=node.GetName()))
        return found, result

    # ------------------------------------------------------------------ accept

    def accept(self, value: tuple[dict[Any, Any], dict[str, Any]]) -> Brought:
        found, result = value
        brought = Brought(notes=[*self._notes, *(engineText(note) for note in result.get("notes", []))])
        slicer.mrmlScene.SaveStateForUndo()
        try:
            for node in (node for node in self._nodes if node in found):
                brought.nodes[node] = self._make(node, found[node])
            if result.get("structures"):
                brought.structures = newNode("vtkMRMLTableNode", self._named(_("Structures")))
                fillStructures(brought.structures, result["structures"])
                brought.structures.SetAttribute(f"{PREFIX}Output", STRUCTURES)
        except BaseException:
            for made in (*brought.nodes.values(), brought.structures):
                if made is not None:
                    slicer.mrmlScene.RemoveNode(made)
            raise
        return brought

    def _named(self, name: str) -> str:
        return f"{name} {self._suffix}".strip()

    def _make(self, node: Any, value: Any) -> Any:
        """Return the new node of a moving node."""
        name = self._named(_("{name} warped").format(name=node.GetName()))
        if isCarriedByPoints(node):
            made = newNode(node.GetClassName(), name, lambda copy: _filled(copy, node, value))
            copyDisplay(made, node)
        else:
            made = newNode(node.GetClassName(), name)
            self._fillVoxels(made, node, value)
        made.SetAttribute(f"{PREFIX}Output", BROUGHT)
        made.SetNodeReferenceID("deepRegOriginal", node.GetID())
        return made

    def _fillVoxels(self, made: Any, node: Any, images: list[Any]) -> None:
        if labelmaps.isSegmentation(node):
            results = [(layer, *image) for layer, image in zip(self._files[node].layers, images, strict=True)]
            labelmaps.setSegmentation(made, results, self._fixed)
            made.GetDisplayNode().SetVisibility2DFill(False)  # outlines: the volumes stay visible
        elif node.GetClassName() == "vtkMRMLLabelMapVolumeNode":
            labelmaps.setLabelMap(made, *images[0], node)
        else:
            setVolume(made, *images[0])
            made.CreateDefaultDisplayNodes()
            showLike(made, node)


def _filled(copy: Any, node: Any, value: Any) -> None:
    name = copy.GetName()
    fillCopy(copy, node, value)
    copy.SetName(name)
    copy.SetAndObserveTransformNodeID(None)


def isDose(node: Any) -> bool:
    """Return whether a volume is a dose: by its modality, its unit, or its name."""
    quantity = node.GetVoxelValueQuantity() if hasattr(node, "GetVoxelValueQuantity") else None
    meaning = quantity.GetCodeMeaning() if quantity is not None and quantity.GetCodeMeaning() else ""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    attribute = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    modality = hierarchy.GetItemAttribute(item, attribute) if item else ""
    return modality == "RTDOSE" or "dose" in f"{meaning} {node.GetName()}".lower()
