"""Readers of files of a known type, which add nodes to the scene."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import slicer
import vtk

from slicer_testing.application.file_types import short_name

# A reader returns its nodes, or True if it does not know which nodes are its own; [] or False if it could not read the file.
Loaded = "list[Any] | bool"


def read(app: Any, kind: str, path: str, properties: dict, messages: Any) -> Loaded:
    """Read a file.

    Args:
        app: ``slicer.app``.
        kind: file type.
        path: of the file.
        properties: options of the type, such as "name", "show" or "singleFile".
        messages: vtkMRMLMessageCollection that gets the errors; None to drop them.

    Raises:
        NotImplementedError: for a file type of the application that the host cannot read.
    """
    reader = _READERS.get(kind)
    if reader is None:
        raise NotImplementedError(f"reading a {kind} is not implemented by slicer_testing")
    found = reader(app, path, properties, messages)
    if isinstance(found, (bool, list)):
        return found
    return [found] if found is not None else []


def readable() -> tuple[str, ...]:
    """Return the file types that can be read."""
    return tuple(_READERS)


def complain(messages: Any, text: str) -> None:
    """Add an error to the caller's messages, if there are any."""
    if messages is not None:
        messages.AddMessage(vtk.vtkCommand.ErrorEvent, text)


def _scene(app: Any, path: str, properties: dict, messages: Any) -> bool:
    scene, clear = app.mrmlScene(), bool(properties.get("clear", False))
    if path.lower().endswith(".mrb"):
        return bool(scene.ReadFromMRB(path, clear))
    scene.SetURL(path)
    return bool(scene.Connect() if clear else scene.Import())


def _volume(app: Any, path: str, properties: dict, messages: Any) -> Any:
    options = 0
    for bit, name in ((0, "labelmap"), (1, "center"), (2, "singleFile")):
        options |= int(bool(properties.get(name, False))) << bit
    options |= int(bool(properties.get("autoWindowLevel", True))) << 3
    options |= int(bool(properties.get("discardOrientation", False))) << 4
    node = app.logics["Volumes"].AddArchetypeVolume(path, properties.get("name") or short_name(path), options)
    if node is None:
        complain(messages, f"No reader could read {path} as a volume.")
    elif properties.get("show", True):
        _show(app, node)
    return node


def _show(app: Any, node: Any) -> None:
    """Show a volume in the slice views."""
    selection = app.applicationLogic().GetSelectionNode()
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        selection.SetActiveLabelVolumeID(node.GetID())
    else:
        selection.SetActiveVolumeID(node.GetID())
    app.applicationLogic().PropagateVolumeSelection()


def _model(app: Any, path: str, properties: dict, messages: Any) -> Any:
    return app.logics["Models"].AddModel(path)


def _transform(app: Any, path: str, properties: dict, messages: Any) -> Any:
    return app.logics["Transforms"].AddTransform(path, app.mrmlScene(), messages)


def _markups(app: Any, path: str, properties: dict, messages: Any) -> list[Any]:
    identifiers = app.logics["Markups"].LoadMarkups(path, properties.get("name") or None)
    return [app.mrmlScene().GetNodeByID(identifier) for identifier in identifiers.split(",")] if identifiers else []


def _segmentation(app: Any, path: str, properties: dict, messages: Any) -> Any:
    opacities = bool(properties.get("autoOpacities", True))
    colors = app.mrmlScene().GetNodeByID(properties["colorNodeID"]) if properties.get("colorNodeID") else None
    return app.logics["Segmentations"].LoadSegmentationFromFile(path, opacities, properties.get("name", ""), colors, messages)


def _sequence(app: Any, path: str, properties: dict, messages: Any) -> list[Any]:
    """Read a sequence and, unless "show" is off, add a browser that plays it."""
    logic, scene = app.logics["Sequences"], app.mrmlScene()
    node = logic.AddSequence(path, messages)
    if node is None:
        return []
    if not properties.get("show", True):
        return [node]
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{node.GetName()} browser")
    browser.SetAndObserveMasterSequenceNodeID(node.GetID())
    logic.UpdateProxyNodesFromSequences(browser)
    shown = browser.GetProxyNode(node)
    if shown is not None and shown.IsA("vtkMRMLDisplayableNode") and shown.GetDisplayNode() and properties.get("colorNodeID"):
        shown.GetDisplayNode().SetAndObserveColorNodeID(properties["colorNodeID"])
    if shown is not None and shown.IsA("vtkMRMLVolumeNode"):
        _show(app, shown)
    return [node, browser]


def _table(app: Any, path: str, properties: dict, messages: Any) -> Any:
    return app.logics["Tables"].AddTable(path, properties.get("name", "") or "")


def _text(app: Any, path: str, properties: dict, messages: Any) -> Any:
    node = app.mrmlScene().AddNewNodeByClass("vtkMRMLTextNode", properties.get("name") or os.path.basename(path))
    storage = slicer.vtkMRMLTextStorageNode()
    app.mrmlScene().AddNode(storage)
    storage.SetFileName(path)
    node.SetAndObserveStorageNodeID(storage.GetID())
    if storage.ReadData(node):
        return node
    app.mrmlScene().RemoveNode(node)
    app.mrmlScene().RemoveNode(storage)
    return None


def _colors(app: Any, path: str, properties: dict, messages: Any) -> Any:
    return app.logics["Colors"].LoadColorFile(path)


def _terminology(app: Any, path: str, properties: dict, messages: Any) -> bool:
    """Load a terminology into its logic; it has no node in the scene."""
    return bool(app.logics["Terminologies"].LoadTerminologyFromFile(path))


def _volume_property(app: Any, path: str, properties: dict, messages: Any) -> Any:
    return app.logics["VolumeRendering"].AddVolumePropertyFromFile(path)


def _shader_property(app: Any, path: str, properties: dict, messages: Any) -> Any:
    return app.logics["VolumeRendering"].AddShaderPropertyFromFile(path)


_READERS: dict[str, Callable[[Any, str, dict, Any], Any]] = {
    "SceneFile": _scene,
    "VolumeFile": _volume,
    "ModelFile": _model,
    "TransformFile": _transform,
    "MarkupsFile": _markups,
    "SegmentationFile": _segmentation,
    "SequenceFile": _sequence,
    "TableFile": _table,
    "TextFile": _text,
    "ColorTableFile": _colors,
    "TerminologyFile": _terminology,
    "VolumePropertyFile": _volume_property,
    "ShaderPropertyFile": _shader_property,
}
