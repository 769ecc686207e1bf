"""The subject hierarchy as a model for Qt's views: one row per item, below the row of the scene."""

from __future__ import annotations

import weakref
from typing import Any

import shiboken6
import vtk
from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QIcon, QStandardItem, QStandardItemModel

from slicer_testing.application.subject_hierarchy import children, subject_hierarchy_node
from slicer_testing.registry import slicer_widget
from slicer_testing.widgets import mrml_subject_hierarchy_items as appearance
from slicer_testing.widgets.mrml_icons import icon
from slicer_testing.widgets.mrml_observation import Observations

#: Item data: the number of the item in the subject hierarchy; 0 for the row "None".
ITEM_ROLE = Qt.ItemDataRole.UserRole + 1
_COLUMNS = ("name", "description", "visibility", "color", "transform", "id")
_HEADERS = ("Node", "Description", "", "", "", "IDs")


class _ItemObservations(Observations):
    """Observers of the subject hierarchy, whose events contain the number of an item."""

    def add_item(self, subject: Any, event: int, method: Any, priority: float = 0.0) -> None:
        """Call a method of the owner with the item of an event."""
        key = (subject, event, method.__name__)
        if key in self._tags:
            return
        weak_method = weakref.WeakMethod(method)

        def call(_caller: Any, _event: str, item: int = 0) -> None:
            target = weak_method()
            if target is not None and shiboken6.isValid(target.__self__):
                target(item)

        call.CallDataType = vtk.VTK_LONG
        self._tags[key] = (subject, subject.AddObserver(event, call, priority))


@slicer_widget
class qMRMLSubjectHierarchyModel(QStandardItemModel):
    """Follows the subject hierarchy of a scene, through batches, import and close."""

    subjectHierarchyAboutToBeUpdated = Signal()
    subjectHierarchyUpdated = Signal()
    # The scene starts to close; the rows still exist.
    _aboutToClose = Signal()
    _itemModified = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._scene = None
        self._stale = False
        self._none_enabled = False
        self._none_display = "None"
        self._columns = {name: column for column, name in enumerate(_COLUMNS)}
        self._rows: dict[int, QPersistentModelIndex] = {}
        self._scene_observations = Observations(self)
        self._observations = _ItemObservations(self)
        self.setHorizontalHeaderLabels(_HEADERS)
        self.horizontalHeaderItem(self.visibilityColumn()).setIcon(icon("visible"))
        self.horizontalHeaderItem(self.transformColumn()).setIcon(appearance.drawn("Transforms"))
        tips = {
            "name": "Node name and type",
            "description": "Description of the node",
            "visibility": "Show or hide a node or a branch",
            "color": "Node color",
            "transform": "Applied transform",
            "id": "Node ID",
        }
        for name, text in tips.items():
            self.horizontalHeaderItem(self._columns[name]).setToolTip(text)

    # -- scene

    def mrmlScene(self) -> Any:
        """Return the scene, None at first."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Show the subject hierarchy of a scene."""
        if scene is self._scene:
            return
        self._scene_observations.drop_all()
        self._scene = scene
        if scene is not None:
            self._scene_observations.add(scene, scene.StartCloseEvent, self._on_start_close)
            for event in (scene.EndCloseEvent, scene.EndImportEvent, scene.EndBatchProcessEvent, scene.EndRestoreEvent):
                # After the application has added the items of the nodes.
                self._scene_observations.add(scene, event, self._on_end, -10.0)
        self._on_end()

    def _hierarchy(self) -> Any:
        # Without a reference: a referenced node would survive the close of its scene.
        return subject_hierarchy_node(self._scene)

    def _on_start_close(self) -> None:
        self._aboutToClose.emit()
        self._observations.drop_all()
        self.subjectHierarchyAboutToBeUpdated.emit()
        self.removeRows(0, self.rowCount())
        self._rows.clear()
        self.subjectHierarchyUpdated.emit()
        self._stale = True

    def _on_end(self) -> None:
        """Update the rows after a time in which changes were not followed."""
        hierarchy = self._hierarchy()
        if self._scene is not None and (self._busy() or hierarchy is None):
            return
        if self._observations.subjects() != ([] if hierarchy is None else [hierarchy]):
            self._observations.drop_all()
            self._observe(hierarchy)
            self._stale = True
        if self._stale:
            self._rebuild()

    def _observe(self, hierarchy: Any) -> None:
        if hierarchy is None:
            return
        add = self._observations.add_item
        add(hierarchy, hierarchy.SubjectHierarchyItemAddedEvent, self._on_added, -10.0)
        add(hierarchy, hierarchy.SubjectHierarchyItemAboutToBeRemovedEvent, self._on_removed, 10.0)
        add(hierarchy, hierarchy.SubjectHierarchyItemReparentedEvent, self._on_moved, -10.0)
        add(hierarchy, hierarchy.SubjectHierarchyItemChildrenReorderedEvent, self._on_reordered, -10.0)
        for event in (
            hierarchy.SubjectHierarchyItemModifiedEvent,
            hierarchy.SubjectHierarchyItemDisplayModifiedEvent,
            hierarchy.SubjectHierarchyItemTransformModifiedEvent,
        ):
            add(hierarchy, event, self._on_modified, -10.0)

    def _busy(self) -> bool:
        return self._scene.IsClosing() or self._scene.IsImporting() or self._scene.IsBatchProcessing()

    def _wait(self) -> bool:
        """Return whether a change is left to the end of a batch."""
        if self._scene is None or self._busy():
            self._stale = True
        return self._stale

    # -- added and removed items

    def _on_added(self, item: int) -> None:
        if not self._wait():
            self._insert(self._hierarchy(), item)

    def _on_removed(self, item: int) -> None:
        if self._wait():
            return
        self._remove(item)

    def _on_moved(self, item: int) -> None:
        if self._wait():
            return
        self.subjectHierarchyAboutToBeUpdated.emit()
        self._remove(item)
        self._insert(self._hierarchy(), item)
        self.subjectHierarchyUpdated.emit()

    def _on_reordered(self, item: int) -> None:
        if not self._wait():
            self._rebuild()

    def _on_modified(self, item: int) -> None:
        if self._wait():
            return
        hierarchy = self._hierarchy()
        at = item
        # An item that groups others shows their visibility.
        while at and self._index(at).isValid():
            self._update_row(hierarchy, at)
            at = hierarchy.GetItemParent(at)
        self._itemModified.emit(item)

    def _rebuild(self) -> None:
        self.subjectHierarchyAboutToBeUpdated.emit()
        self.removeRows(0, self.rowCount())
        self._rows.clear()
        hierarchy = self._hierarchy()
        if hierarchy is not None:
            self.invisibleRootItem().appendRow(self._make_branch(hierarchy, hierarchy.GetSceneItemID()))
            self._register(self.index(0, 0))
        self._stale = False
        self._update_none()
        self.subjectHierarchyUpdated.emit()

    def _insert(self, hierarchy: Any, item: int) -> None:
        if self._index(item).isValid():
            return
        parent = hierarchy.GetItemParent(item)
        if not parent:
            return
        if not self._index(parent).isValid():
            self._insert(hierarchy, parent)
            return  # with all items below it
        above = self.itemFromIndex(self._index(parent))
        position = hierarchy.GetItemPositionUnderParent(item)
        if self._none_enabled and parent == hierarchy.GetSceneItemID():
            position += 1
        position = min(position, above.rowCount()) if position >= 0 else above.rowCount()
        above.insertRow(position, self._make_branch(hierarchy, item))
        self._register(self.index(position, 0, self._index(parent)))

    def _remove(self, item: int) -> None:
        index = self._index(item)
        if index.isValid():
            self._forget(index)
            self.removeRow(index.row(), index.parent())

    def _register(self, index: QModelIndex) -> None:
        self._rows[self._item(index)] = QPersistentModelIndex(index)
        for row in range(self.rowCount(index)):
            self._register(self.index(row, 0, index))

    def _forget(self, index: QModelIndex) -> None:
        self._rows.pop(self._item(index), None)
        for row in range(self.rowCount(index)):
            self._forget(self.index(row, 0, index))

    def _index(self, item: int, column: int = 0) -> QModelIndex:
        at = self._rows.get(item)
        return self.index(at.row(), column, at.parent()) if at is not None and at.isValid() else QModelIndex()

    def _item(self, index: QModelIndex) -> int:
        return index.data(ITEM_ROLE) or 0

    # -- rows

    def _make_branch(self, hierarchy: Any, item: int) -> list[QStandardItem]:
        cells = [QStandardItem() for _ in _COLUMNS]
        for cell in cells:
            cell.setData(item, ITEM_ROLE)
        self._fill(hierarchy, item, cells)
        for child in children(hierarchy, item):
            cells[0].appendRow(self._make_branch(hierarchy, child))
        return cells

    def _update_row(self, hierarchy: Any, item: int) -> None:
        self._fill(hierarchy, item, [self.itemFromIndex(self._index(item, column)) for column in range(len(_COLUMNS))])

    def _fill(self, hierarchy: Any, item: int, cells: list[QStandardItem]) -> None:
        name, description, eye, paint, transform, node_id = cells
        fixed = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        for cell in cells:
            cell.setFlags(fixed)
        if item == hierarchy.GetSceneItemID():
            _set(name, "Scene")
            return
        node = hierarchy.GetItemDataNode(item)
        name.setFlags(fixed | Qt.ItemFlag.ItemIsEditable)
        _set(name, hierarchy.GetItemName(item), appearance.item_icon(hierarchy, item), appearance.tool_tip(hierarchy, item))
        if node is not None:
            description.setFlags(fixed | Qt.ItemFlag.ItemIsEditable)
            _set(description, node.GetDescription() or "")
            _set(node_id, node.GetID())
        eyes = {appearance.SHOWN: icon("visible"), appearance.HIDDEN: icon("invisible"), appearance.PARTLY: appearance.drawn("Partly")}
        _set(eye, "", eyes.get(appearance.visibility(hierarchy, item), QIcon()))
        color = appearance.color(hierarchy, item)
        _set(paint, "", appearance.swatch(color.name()) if color is not None else QIcon())
        applied = appearance.transform_name(hierarchy, item)
        _set(
            transform,
            "",
            appearance.drawn("Transforms") if applied else QIcon(),
            f"Transformed by {applied}" if applied else "Not transformed",
        )

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Set a name or a description that the user has typed."""
        item = self._item(index)
        hierarchy = self._hierarchy()
        if role != Qt.ItemDataRole.EditRole or not item or hierarchy is None:
            return super().setData(index, value, role)
        if index.column() == self.nameColumn() and value:
            hierarchy.SetItemName(item, str(value))
        elif index.column() == self.descriptionColumn() and hierarchy.GetItemDataNode(item) is not None:
            hierarchy.GetItemDataNode(item).SetDescription(str(value))
            self._on_modified(item)
        else:
            return False
        return True

    # -- the row "None"

    def noneEnabled(self) -> bool:
        """Return whether there is a row for no item."""
        return self._none_enabled

    def setNoneEnabled(self, enable: bool) -> None:
        """Add or remove a row for no item before the others."""
        self._none_enabled = bool(enable)
        self._update_none()

    def noneDisplay(self) -> str:
        """Return the text of the row for no item."""
        return self._none_display

    def setNoneDisplay(self, displayName: str) -> None:
        """Set the text of the row for no item."""
        self._none_display = displayName
        self._update_none()

    def _update_none(self) -> None:
        hierarchy = self._hierarchy()
        if hierarchy is None or not self._index(hierarchy.GetSceneItemID()).isValid():
            return
        at = self._index(0)
        if self._none_enabled and at.isValid():
            self.itemFromIndex(at).setText(self._none_display)
        elif self._none_enabled:
            cells = [QStandardItem() for _ in _COLUMNS]
            cells[0].setText(self._none_display)
            for cell in cells:
                cell.setData(0, ITEM_ROLE)
                cell.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            scene_index = self._index(hierarchy.GetSceneItemID())
            self.itemFromIndex(scene_index).insertRow(0, cells)
            self._rows[0] = QPersistentModelIndex(self.index(0, 0, scene_index))
        elif at.isValid():
            del self._rows[0]
            self.removeRow(at.row(), at.parent())

    # -- the application's interface

    def parentSubjectHierarchyItem(self, itemID: int) -> int:
        """Return the item above an item."""
        return self._hierarchy().GetItemParent(itemID)

    def subjectHierarchyItemIndex(self, itemID: int) -> int:
        """Return the index of an item among its siblings."""
        return self._hierarchy().GetItemPositionUnderParent(itemID)

    def isAncestorItem(self, itemID: int, ancestorCandidateItemID: int) -> bool:
        """Return whether an item is in the branch of another."""
        hierarchy = self._hierarchy()
        above = hierarchy.GetItemParent(itemID)
        while above and above != ancestorCandidateItemID:
            above = hierarchy.GetItemParent(above)
        return bool(above)

    def isAffiliatedItem(self, itemA: int, itemB: int) -> bool:
        """Return whether two items are the same or one is below the other."""
        return itemA == itemB or self.isAncestorItem(itemA, itemB) or self.isAncestorItem(itemB, itemA)

    def reparent(self, itemID: int, newParentItemID: int) -> bool:
        """Move an item below another."""
        hierarchy = self._hierarchy()
        if hierarchy is None or itemID == newParentItemID or self.isAncestorItem(newParentItemID, itemID):
            return False
        hierarchy.SetItemParent(itemID, newParentItemID)
        return True

    def nameColumn(self) -> int:
        """Return the column of the names."""
        return self._columns["name"]

    def descriptionColumn(self) -> int:
        """Return the column of the descriptions."""
        return self._columns["description"]

    def visibilityColumn(self) -> int:
        """Return the column of the eyes."""
        return self._columns["visibility"]

    def colorColumn(self) -> int:
        """Return the column of the colours."""
        return self._columns["color"]

    def transformColumn(self) -> int:
        """Return the column of the transforms."""
        return self._columns["transform"]

    def idColumn(self) -> int:
        """Return the column of the IDs of the nodes."""
        return self._columns["id"]


def _set(cell: QStandardItem, text: str, picture: QIcon | None = None, tip: str = "") -> None:
    """Set the values that differ, since each change updates filters and views."""
    if cell.text() != text:
        cell.setText(text)
    if picture is not None and cell.icon().cacheKey() != picture.cacheKey():
        cell.setIcon(picture)
    if cell.toolTip() != tip:
        cell.setToolTip(tip)
