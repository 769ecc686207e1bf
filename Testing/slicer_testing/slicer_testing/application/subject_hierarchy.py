"""The subject hierarchy: each data node of the scene has an item in a tree.

The tree itself is a node of the scene. Items are added and removed with their nodes not by the scene but by the application's
plugins, which need Qt; this module does the same without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import slicer
import vtk

#: Plugin that owns the item of a node, by the node's class; the first class that fits counts.
ROLES = (
    ("vtkMRMLSegmentationNode", "Segmentations"),
    ("vtkMRMLLabelMapVolumeNode", "LabelMaps"),
    ("vtkMRMLDiffusionTensorVolumeNode", "DiffusionTensorVolumes"),
    ("vtkMRMLScalarVolumeNode", "Volumes"),
    ("vtkMRMLModelNode", "Models"),
    ("vtkMRMLMarkupsNode", "Markups"),
    ("vtkMRMLTransformNode", "Transforms"),
    ("vtkMRMLTableNode", "Tables"),
    ("vtkMRMLTextNode", "Texts"),
    ("vtkMRMLPlotChartNode", "Plots"),
)
_EXCLUDE = slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyExcludeFromTreeAttributeName()
_VIRTUAL = slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyVirtualBranchAttributeName()
_FOLDER = slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyLevelFolder()
_SEGMENT_ID = slicer.vtkMRMLSegmentationNode.GetSegmentIDAttributeName()


def role_of(node: Any) -> str:
    """Return the name of the plugin that owns items of a node; "" for nodes that get none by themselves."""
    return next((role for class_name, role in ROLES if node.IsA(class_name)), "")


def subject_hierarchy_node(scene: Any) -> Any:
    """Return the node with the tree of a scene; None while the scene closes and has already lost it."""
    if scene is None:
        return None
    if scene.IsClosing():
        # The scene's own function would create one while the scene closes.
        return scene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")
    node = scene.GetSubjectHierarchyNode()
    if node is not None and node.GetScene() is not scene:
        # Closing removed the node from the scene, but a reference keeps it alive and the scene has not noticed. Once it is empty, it
        # cannot conflict with the new one: all trees of a process share a table of the nodes in them.
        node.RemoveAllItems()
        scene.AddNode(slicer.vtkMRMLSubjectHierarchyNode())
        node = scene.GetSubjectHierarchyNode()
    return node


def children(hierarchy: Any, item: int, recursive: bool = False) -> list[int]:
    """Return the items below an item in order; each item comes after its parent."""
    found: list[int] = []
    hierarchy.GetItemChildren(item, found, recursive)
    return found


def segment_of(hierarchy: Any, item: int) -> tuple[Any, str]:
    """Return the segmentation node and segment ID of a segment's item; (None, "") for others."""
    segment_id = hierarchy.GetItemAttribute(item, _SEGMENT_ID) if hierarchy.HasItemAttribute(item, _SEGMENT_ID) else ""
    node = hierarchy.GetItemDataNode(hierarchy.GetItemParent(item)) if segment_id else None
    return (node, segment_id) if node is not None and node.IsA("vtkMRMLSegmentationNode") else (None, "")


def shown_volumes(scene: Any) -> set[str]:
    """Return the IDs of the volumes that a slice view shows."""
    shown = set()
    for composite in _nodes(scene, "vtkMRMLSliceCompositeNode"):
        shown.update((composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID(), composite.GetLabelVolumeID()))
    return shown - {None, ""}


def _nodes(scene: Any, class_name: str) -> Iterator[Any]:
    nodes = scene.GetNodesByClass(class_name)
    nodes.UnRegister(None)  # the caller owns a reference
    yield from nodes


def _remaining_segments(hierarchy: Any, parent: int, wanted: list[str]) -> dict[str, int]:
    """Remove the items of other segments, and return those of the wanted ones by segment ID."""
    present = {}
    for item in children(hierarchy, parent):
        segment_id = segment_of(hierarchy, item)[1]
        if segment_id and segment_id not in wanted:
            hierarchy.RemoveItem(item, False, True)
        elif segment_id:
            present[segment_id] = item
    return present


def _add_segment(hierarchy: Any, parent: int, segment_id: str, name: str) -> int:
    item = hierarchy.CreateHierarchyItem(parent, name, "")
    hierarchy.SetItemAttribute(item, _SEGMENT_ID, segment_id)
    hierarchy.SetItemOwnerPluginName(item, "Segments")
    return item


def install(scene: Any) -> SubjectHierarchyLogic:
    """Give the nodes of a scene, present and future, their items."""
    logic = SubjectHierarchyLogic()
    logic.install(scene)
    return logic


class SubjectHierarchyLogic:
    """Keeps the tree of a scene consistent with its nodes.

    It has no reference to the scene or to a node: their observers refer to it and keep it alive.
    """

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def install(self, scene: Any) -> None:
        """Follow a scene."""
        events = (
            (scene.NodeAddedEvent, self._on_node_added, vtk.VTK_OBJECT),
            (scene.NodeAboutToBeRemovedEvent, self._on_node_about_to_be_removed, vtk.VTK_OBJECT),
            (scene.EndImportEvent, self._on_import_ended, None),
            (scene.EndRestoreEvent, self._on_import_ended, None),
            (scene.EndCloseEvent, self._on_close_ended, None),
        )
        for event, method, data in events:
            _observe(scene, event, method, data)
        self._follow_tree(subject_hierarchy_node(scene))
        self.add_missing(scene)

    def add_missing(self, scene: Any) -> None:
        """Add an item for every node that should have one and has none."""
        for node in list(scene.GetNodes()):
            self._add(scene, node)

    # -- the scene

    def _on_node_added(self, scene: Any, node: Any) -> None:
        if node is None:
            return
        if node.IsA("vtkMRMLSubjectHierarchyNode"):
            # Access to the tree merges the added one into it. While a scene is read, this has to wait for the end.
            if not scene.IsImporting():
                self._follow_tree(subject_hierarchy_node(scene))
        elif node.IsA("vtkMRMLSliceCompositeNode"):
            self._follow_once(node, "ModifiedEvent", self._on_slices_modified)
        elif not scene.IsImporting():
            # A file may contain a tree of its own; items that it lacks are added at the end of the import.
            self._add(scene, node)

    def _on_node_about_to_be_removed(self, scene: Any, node: Any) -> None:
        if node is None or scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
            return
        hierarchy = subject_hierarchy_node(scene)
        item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
        if item:
            if node.IsA("vtkMRMLSegmentationNode"):
                hierarchy.RemoveItemChildren(item, False, True)  # segments are removed with their segmentation
            # Items below move one level up, their nodes stay.
            hierarchy.RemoveItem(item, False, False)

    def _on_import_ended(self, scene: Any) -> None:
        self._follow_tree(subject_hierarchy_node(scene))
        for composite in _nodes(scene, "vtkMRMLSliceCompositeNode"):
            self._follow_once(composite, "ModifiedEvent", self._on_slices_modified)
        self.add_missing(scene)

    def _on_close_ended(self, scene: Any) -> None:
        self._shown.clear()
        self._on_import_ended(scene)

    def _add(self, scene: Any, node: Any) -> None:
        role = role_of(node)
        if not role or node.GetHideFromEditors() or node.GetAttribute(_EXCLUDE):
            return
        hierarchy = subject_hierarchy_node(scene)
        if hierarchy is None:
            return
        item = hierarchy.GetItemByDataNode(node)
        if not item:
            item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), node, role)
        if role == "Segmentations" and item:
            self._follow_segments(node)
            self._mirror_segments(node)

    # -- items made elsewhere

    def _follow_tree(self, hierarchy: Any) -> None:
        if hierarchy is not None:
            self._follow_once(hierarchy, hierarchy.SubjectHierarchyItemOwnerPluginSearchRequested, self._on_owner_wanted, vtk.VTK_LONG)

    def _on_owner_wanted(self, hierarchy: Any, item: int) -> None:
        """Set the owner of an item that has none, such as a folder that a module made."""
        if not item or item == hierarchy.GetSceneItemID() or hierarchy.GetItemOwnerPluginName(item):
            return
        node = hierarchy.GetItemDataNode(item)
        if node is not None and not node.IsA("vtkMRMLFolderDisplayNode"):
            owner = role_of(node) or "Default"
        elif hierarchy.HasItemAttribute(item, _SEGMENT_ID):
            owner = "Segments"
        else:
            owner = "Folder" if hierarchy.GetItemLevel(item) in (_FOLDER, "") else "DICOM"
        hierarchy.SetItemOwnerPluginName(item, owner)

    # -- segments

    def _follow_segments(self, node: Any) -> None:
        segmentation = node.GetSegmentation()
        if segmentation is None:
            return
        for event in (
            segmentation.SegmentAdded,
            segmentation.SegmentRemoved,
            segmentation.SegmentModified,
            segmentation.SegmentsOrderModified,
        ):
            # The node repeats these events of its segmentation.
            self._follow_once(node, event, self._mirror_segments)

    def _mirror_segments(self, node: Any) -> None:
        """Give each segment an item below that of its segmentation, in the order of the segments."""
        scene = node.GetScene()
        hierarchy = subject_hierarchy_node(scene)
        if hierarchy is None or scene.IsClosing() or scene.IsImporting():
            return
        parent = hierarchy.GetItemByDataNode(node)
        if not parent:
            return
        segmentation = node.GetSegmentation()
        wanted = list(segmentation.GetSegmentIDs())
        if wanted and not hierarchy.IsItemVirtualBranchParent(parent):
            hierarchy.SetItemAttribute(parent, _VIRTUAL, "1")
        present = _remaining_segments(hierarchy, parent, wanted)
        order = []
        for segment_id in wanted:
            name = segmentation.GetSegment(segment_id).GetName() or ""
            item = present.get(segment_id) or _add_segment(hierarchy, parent, segment_id, name)
            if hierarchy.GetItemName(item) != name:
                hierarchy.SetItemName(item, name)
            order.append(item)
        if [item for item in children(hierarchy, parent) if item in order] != order:
            for item in order:
                hierarchy.MoveItem(item, 0)

    # -- slice views

    def _on_slices_modified(self, composite: Any) -> None:
        """Report the items of the volumes that slice views began or ceased to show as modified."""
        scene = composite.GetScene()
        if scene is None or scene.IsClosing() or scene.IsImporting():
            return
        before, self._shown = self._shown, shown_volumes(scene)
        changed = before ^ self._shown
        hierarchy = subject_hierarchy_node(scene) if changed else None
        for node_id in changed:
            node = scene.GetNodeByID(node_id)
            item = hierarchy.GetItemByDataNode(node) if node is not None and hierarchy is not None else 0
            if item:
                hierarchy.ItemModified(item)

    def _follow_once(self, subject: Any, event: int | str, method: Callable[..., None], data: int | None = None) -> None:
        # The mark is kept by the observed object, even without a reference from Python. A list here would outlive the objects and
        # mistake a new object at the same address for an old one.
        marks = subject.__dict__.setdefault("_subject_hierarchy_follows", set())
        if (event, method.__name__) not in marks:
            marks.add((event, method.__name__))
            _observe(subject, event, method, data)


def _observe(subject: Any, event: int | str, method: Callable[..., None], data: int | None) -> int:
    """Call a method at an event, with the subject and, on request, the object that comes with the event."""
    if data is None:
        return subject.AddObserver(event, lambda caller, _event: method(caller))

    def call(caller: Any, _event: str, value: Any = None) -> None:
        method(caller, value)

    call.CallDataType = data
    return subject.AddObserver(event, call)
