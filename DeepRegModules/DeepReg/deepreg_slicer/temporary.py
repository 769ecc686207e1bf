"""Nodes that only show something: they are neither saved nor listed, and no part of undo."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

from deepreg_slicer.volumes import showLike


def temporaryNode(className: str, name: str) -> Any:
    """Return a new temporary node in the scene."""
    node = slicer.mrmlScene.CreateNodeByClass(className)
    node.UnRegister(None)
    node.SetName(name)
    node.SetSaveWithScene(False)
    node.SetHideFromEditors(True)
    node.SetUndoEnabled(False)
    return slicer.mrmlScene.AddNode(node)


def temporaryCopy(volume: Any, image: Any = None) -> tuple[Any, Any]:
    """Return a temporary volume with the geometry of another, and its display node, which has the same window, level and colours.

    Args:
        volume: the other volume.
        image: voxels; by default it shares those of the other.
    """
    display = temporaryNode("vtkMRMLScalarVolumeDisplayNode", volume.GetName())
    copy = temporaryNode("vtkMRMLScalarVolumeNode", volume.GetName())
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    copy.SetIJKToRASMatrix(matrix)
    display.SetAutoWindowLevel(False)  # before it has an image, whose hidden voxels must not count
    copy.SetAndObserveDisplayNodeID(display.GetID())
    copy.SetAndObserveImageData(volume.GetImageData() if image is None else image)
    showLike(copy, volume)
    copy.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    return copy, display


def removeNodes(nodes: list[Any]) -> None:
    """Remove the nodes of a list from the scene, the last one first, and empty the list. Nodes that were removed already are skipped."""
    while nodes:
        node = nodes.pop()
        if node is not None and node.GetScene() is slicer.mrmlScene:
            slicer.mrmlScene.RemoveNode(node)
