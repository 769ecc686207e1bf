"""The nodes of a scene that can come along with a moving volume, and those that lie with it."""

from __future__ import annotations

from typing import Any

import slicer

from deepreg_slicer.labels import isSegmentation, segmentNames
from deepreg_slicer.parents import isMoved, isResult, ownParent, shownThrough
from deepreg_slicer.provenance import PREFIX

#: Classes of the nodes that can come along: exactly these, not those derived from them.
VOXELS = ("vtkMRMLScalarVolumeNode", "vtkMRMLLabelMapVolumeNode", "vtkMRMLSegmentationNode")
MARKUPS = ("vtkMRMLMarkupsFiducialNode", "vtkMRMLMarkupsCurveNode", "vtkMRMLMarkupsClosedCurveNode", "vtkMRMLMarkupsLineNode")
CLASSES = (*VOXELS, *MARKUPS, "vtkMRMLModelNode")


def candidates(fixed: Any, moving: Any) -> list[Any]:
    """Return the nodes that can come along, in the order of the scene: data of the user that is not known to lie with the fixed volume.

    Args:
        fixed, moving: the volumes; None without one.
    """
    nodes = [node for className in CLASSES for node in slicer.util.getNodesByClass(className) if node.GetClassName() == className]
    others = {id(fixed), id(moving)}
    return [node for node in nodes if id(node) not in others and _isData(node) and not liesWith(node, fixed, moving)]


def liesWith(node: Any, volume: Any, other: Any = None) -> bool:
    """Return whether a node is known to lie with a volume, and not with the other one.

    A segmentation lies with the volume whose geometry it has. Other nodes lie with the volumes of their folder or study in the subject
    hierarchy, if it does not hold the other volume as well.
    """
    if volume is None:
        return False
    reference = _referenceOf(node)
    if reference is not None and any(reference is each for each in (volume, other)):
        return reference is volume
    place = _placeOf(node)
    return bool(place) and place == _placeOf(volume) and place != _placeOf(other)


def _referenceOf(node: Any) -> Any:
    """Return the volume from which a segmentation has its geometry; None for other nodes."""
    if not isSegmentation(node):
        return None
    return node.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())


def _placeOf(node: Any) -> int:
    """Return the item of the subject hierarchy in which a node lies; 0 without one, and for the scene itself."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None and node is not None else 0
    parent = hierarchy.GetItemParent(item) if item else 0
    return parent if parent and parent != hierarchy.GetSceneItemID() else 0


def _isData(node: Any) -> bool:
    """Return whether a node holds data that a user has loaded or made."""
    if node.GetHideFromEditors() or node.GetAttribute(f"{PREFIX}Output"):
        return False
    if node.IsA("vtkMRMLVolumeNode"):
        image = node.GetImageData()
        return image is not None and image.GetNumberOfScalarComponents() == 1 and min(image.GetDimensions()) > 0
    if isSegmentation(node):
        return node.GetSegmentation().GetNumberOfSegments() > 0
    if node.IsA("vtkMRMLModelNode"):
        return node.GetMesh() is not None and node.GetMesh().GetNumberOfPoints() > 0
    return node.GetNumberOfControlPoints() > 0


def partnerOf(nodes: list[Any], fixed: Any) -> Any:
    """Return the segmentation of the fixed side that has the most structures of the same names as some segmentations; None without one."""
    names = {name.strip().lower() for node in nodes for _id, name in segmentNames(node)}
    best, most = None, 0
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if not _isData(node) or any(node is each for each in nodes) or not liesWith(node, fixed):
            continue
        common = len(names & {name.strip().lower() for _id, name in segmentNames(node)})
        if common > most:
            best, most = node, common
    return best


def resultAbove(node: Any) -> Any:
    """Return the result of a registration below which a node lies, and without which it is read; None without one.

    It is the result through which a panel shows the node, or its parent transform if that is a result.
    """
    shown = shownThrough(node)
    if shown is not None:
        return shown
    parent = node.GetParentTransformNode()
    return parent if isResult(parent) and isMoved(node, parent) and ownParent(node, parent) is None else None
