"""The scans of a training in the scene: pairs of a volume and its labels, and the role of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_slicer.labels import BINARY, isSegmentation
from deepreg_slicer.parents import isMoved, ownParent, shownThrough

LEARN, VALIDATE, NONE = "learn", "validate", "none"
_SCANS, _ROLES = "scans", "folderRoles"


@dataclass(frozen=True)
class SceneScan:
    """A volume with its labels.

    Args:
        key: unique within the parameter set.
        name: of the volume, and of the scan in the training.
        role: :data:`LEARN`, :data:`VALIDATE` or :data:`NONE`.
        volume, labels: nodes; None if they are no longer in the scene.
    """

    key: str
    name: str
    role: str
    volume: Any
    labels: Any

    @property
    def problem(self) -> str:
        """The reason why it cannot be used; "" if no problem is known."""
        if self.volume is None or self.labels is None:
            what = _("its volume") if self.volume is None else _("its segmentation")
            return _("{what} is no longer in the scene").format(what=what)
        return ""

    def leftOut(self, node: Any) -> Any:
        """Return the result through which a panel shows the scan, which is left out when volume and labels are exported; None without
        one."""
        shown = (shownThrough(each) for each in (self.volume, self.labels))
        return next((result for result in shown if result is not None and isMoved(node, result)), None)

    def stamp(self) -> list[Any]:
        """Return a value that changes when the written scan would change."""
        if self.problem:
            return [self.key]
        image = self.volume.GetImageData()
        found = [self.volume.GetID(), self.labels.GetID(), image.GetMTime() if image is not None else 0]
        if isSegmentation(self.labels):
            segmentation = self.labels.GetSegmentation()
            found.append([segmentation.GetNthSegment(number).GetName() for number in range(segmentation.GetNumberOfSegments())])
            layers = (segmentation.GetLayerDataObject(number, BINARY) for number in range(segmentation.GetNumberOfLayers(BINARY)))
            found.append([layer.GetMTime() for layer in layers if layer is not None])
        else:
            found.append(self.labels.GetImageData().GetMTime() if self.labels.GetImageData() is not None else 0)
        parents = (ownParent(node, self.leftOut(node)) for node in (self.volume, self.labels))
        return [*found, *(parent.GetTransformToWorldMTime() if parent is not None else 0 for parent in parents)]


@dataclass(frozen=True)
class Row:
    """A row of the table of scans.

    Args:
        key: unique.
        name: as shown.
        role: :data:`LEARN`, :data:`VALIDATE` or :data:`NONE`.
        labels: its structures, in words.
        problem: why it cannot be used, "" if no problem is known.
    """

    key: str
    name: str
    role: str
    labels: str
    problem: str = ""


class SceneScans:
    """The scans of a parameter set. They are node references, so that they are saved and loaded with the scene.

    Args:
        mrml: the parameter set's node.
    """

    def __init__(self, mrml: Any) -> None:
        self._mrml = mrml

    def all(self) -> list[SceneScan]:
        """Return all scans in the order in which they were added."""
        found = []
        for entry in self._read():
            volume, labels = (self._mrml.GetNodeReference(self._reference(entry["key"], what)) for what in ("volume", "labels"))
            found.append(SceneScan(entry["key"], volume.GetName() if volume is not None else entry["name"], entry["role"], volume, labels))
        return found

    def add(self, volume: Any, labels: Any) -> bool:
        """Add a scan; False if that volume is there already: it then has these labels."""
        for scan in self.all():
            if scan.volume is volume:
                self._mrml.SetNodeReferenceID(self._reference(scan.key, "labels"), labels.GetID())
                self._mrml.Modified()
                return False
        entries = self._read()
        key = str(1 + max((int(entry["key"]) for entry in entries), default=0))
        state = self._mrml.StartModify()
        try:
            self._mrml.SetNodeReferenceID(self._reference(key, "volume"), volume.GetID())
            self._mrml.SetNodeReferenceID(self._reference(key, "labels"), labels.GetID())
            self._write([*entries, {"key": key, "name": volume.GetName(), "role": LEARN}])
        finally:
            self._mrml.EndModify(state)
        return True

    def remove(self, keys: set[str]) -> None:
        """Remove scans from the list, but not from the scene."""
        state = self._mrml.StartModify()
        try:
            for key in keys:
                for what in ("volume", "labels"):
                    self._mrml.SetNodeReferenceID(self._reference(key, what), None)
            self._write([entry for entry in self._read() if entry["key"] not in keys])
        finally:
            self._mrml.EndModify(state)

    def setRoles(self, roles: dict[str, str]) -> None:
        """Set roles, key to role."""
        self._write([{**entry, "role": roles.get(entry["key"], entry["role"])} for entry in self._read()])

    def _read(self) -> list[dict[str, str]]:
        return _asList(self._mrml.GetParameter(_SCANS))

    def _write(self, entries: list[dict[str, str]]) -> None:
        self._mrml.SetParameter(_SCANS, json.dumps(entries))

    @staticmethod
    def _reference(key: str, what: str) -> str:
        return f"scan{key}.{what}"


class FolderRoles:
    """Roles of a folder's scans by their names; by default, scans are for training.

    Args:
        mrml: the parameter set's node.
    """

    def __init__(self, mrml: Any) -> None:
        self._mrml = mrml

    def of(self, name: str) -> str:
        """Return the role of a scan."""
        return self._read().get(name, LEARN)

    def setRoles(self, roles: dict[str, str]) -> None:
        """Set roles, name to role."""
        self._mrml.SetParameter(_ROLES, json.dumps({**self._read(), **roles}))

    def _read(self) -> dict[str, str]:
        try:
            kept = json.loads(self._mrml.GetParameter(_ROLES) or "{}")
        except ValueError:
            return {}
        return kept if isinstance(kept, dict) else {}


def labelledVolumes() -> list[tuple[Any, Any]]:
    """Return volumes of the scene with their labels: the volumes that are the reference geometry of a segmentation."""
    found: dict[str, tuple[Any, Any]] = {}
    for segmentation in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        volume = segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole())
        if volume is None or volume.GetClassName() != "vtkMRMLScalarVolumeNode" or segmentation.GetHideFromEditors():
            continue
        if segmentation.GetSegmentation().GetNumberOfSegments() and volume.GetID() not in found:
            found[volume.GetID()] = (volume, segmentation)
    return list(found.values())


def structures(labels: Any) -> str:
    """Return the structures of a segmentation or label map, in words."""
    if labels is None:
        return ""
    if not isSegmentation(labels):
        return labels.GetName()
    segmentation = labels.GetSegmentation()
    names = [segmentation.GetNthSegment(number).GetName() for number in range(segmentation.GetNumberOfSegments())]
    return ", ".join(names)


def split(names: list[str], count: int) -> set[str]:
    """Return names to validate with: ``count`` of them, evenly spaced, so that scans that were added together do not stay together."""
    count = max(0, min(count, len(names) - 1))
    return {names[int((number + 0.5) * len(names) / count)] for number in range(count)}


def _asList(text: str) -> list[dict[str, str]]:
    try:
        kept = json.loads(text or "[]")
    except ValueError:
        return []
    return [entry for entry in kept if isinstance(entry, dict) and {"key", "name", "role"} <= set(entry)] if isinstance(kept, list) else []
