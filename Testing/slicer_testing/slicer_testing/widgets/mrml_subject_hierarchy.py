"""The tree of the subject hierarchy, as in the Data module."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QAbstractItemView, QMenu, QTreeView, QWidget

from slicer_testing.application.subject_hierarchy import children
from slicer_testing.registry import slicer_widget
from slicer_testing.widgets import mrml_subject_hierarchy_items as appearance
from slicer_testing.widgets.mrml_subject_hierarchy_actions import ItemActions
from slicer_testing.widgets.mrml_subject_hierarchy_columns import Columns
from slicer_testing.widgets.mrml_subject_hierarchy_filter import qMRMLSortFilterSubjectHierarchyProxyModel
from slicer_testing.widgets.mrml_subject_hierarchy_filtering import Filtering
from slicer_testing.widgets.mrml_subject_hierarchy_model import qMRMLSubjectHierarchyModel

_ROWS = QItemSelectionModel.SelectionFlag.Rows
_SELECT = QItemSelectionModel.SelectionFlag.Select
_ONLY = QItemSelectionModel.SelectionFlag.ClearAndSelect


@slicer_widget
class qMRMLSubjectHierarchyTreeView(Filtering, Columns, ItemActions, QTreeView):
    """Shows the items of a scene; they can be selected, renamed, deleted, shown and hidden.

    The current item is the first selected one. If the selection is cleared, the current item is the scene (0 if there is a row
    "None"); before the first selection it is 0.
    """

    currentItemChanged = Signal(object)
    currentItemsChanged = Signal(object)
    currentItemModified = Signal(object)
    currentNodeChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._selected: list[int] = []
        self._updating = 0
        self._root = 0
        self._show_root = False
        self._menu_enabled = True
        self._edit_visible = True
        self._menu: QMenu | None = None
        self._model = qMRMLSubjectHierarchyModel(self)
        self._filter = qMRMLSortFilterSubjectHierarchyProxyModel(self)
        self._filter.setSourceModel(self._model)
        self.setModel(self._filter)
        self.resetColumnSizesToDefault()
        self.setDescriptionColumnVisible(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.selectionModel().selectionChanged.connect(self._on_selection_changed)
        self._model.subjectHierarchyAboutToBeUpdated.connect(self._on_about_to_be_updated)
        self._model.subjectHierarchyUpdated.connect(self._on_updated)
        self._model._aboutToClose.connect(self._on_about_to_close)
        self._model._itemModified.connect(self._on_item_modified)
        self._filter.rowsInserted.connect(self._on_rows_inserted)
        self.expanded.connect(lambda index: self._remember_expanded(index, True))
        self.collapsed.connect(lambda index: self._remember_expanded(index, False))

    # -- scene

    def mrmlScene(self) -> Any:
        """Return the scene, None at first."""
        return self._model.mrmlScene()

    def setMRMLScene(self, scene: Any) -> None:
        """Show the items of a scene."""
        if scene is self.mrmlScene():
            return
        self._root = 0
        self._model.setMRMLScene(scene)

    def subjectHierarchyNode(self) -> Any:
        """Return the node that holds the items; None without a scene, and while it closes."""
        return self._model._hierarchy()

    def model(self) -> qMRMLSubjectHierarchyModel:
        """Return the model of all items; the view shows a part of it, ``sortFilterProxyModel()``."""
        return self._model

    def sortFilterProxyModel(self) -> qMRMLSortFilterSubjectHierarchyProxyModel:
        """Return the proxy model that filters the items."""
        return self._filter

    # -- changes of the tree

    def _on_about_to_be_updated(self) -> None:
        self._updating += 1

    def _on_updated(self) -> None:
        """Restore root, open branches and selection, which the view loses with its rows."""
        self._apply_root()
        self._expand_below(self._filter.subjectHierarchySceneIndex())
        before = list(self._selected)
        if before:
            self._select(before)
        self._updating -= 1
        if before and self._read_selection() != before:
            self._on_selection_changed()

    def _on_about_to_close(self) -> None:
        if self._selected:
            self.clearSelection()
        self._selected = []
        self._root = 0

    def _on_rows_inserted(self, parent: QModelIndex, first: int, last: int) -> None:
        if self._updating:
            return
        if not self.rootIndex().isValid() and not self._show_root:
            self._apply_root()
        self._expand(parent)
        for row in range(first, last + 1):
            self._expand_below(self._filter.index(row, 0, parent))

    def _expand_below(self, index: QModelIndex) -> None:
        self._expand(index)
        for row in range(self._filter.rowCount(index)):
            self._expand_below(self._filter.index(row, 0, index))

    def _expand(self, index: QModelIndex) -> None:
        item = self._filter.subjectHierarchyItemFromIndex(index)
        hierarchy = self.subjectHierarchyNode()
        if item and hierarchy is not None and not self.isExpanded(index) and hierarchy.GetItemExpanded(item):
            self.expand(index)

    def _remember_expanded(self, index: QModelIndex, expanded: bool) -> None:
        item = self._filter.subjectHierarchyItemFromIndex(index)
        hierarchy = self.subjectHierarchyNode()
        if item and not self._updating and hierarchy is not None and bool(hierarchy.GetItemExpanded(item)) != expanded:
            hierarchy.SetItemExpanded(item, expanded)

    def expandItem(self, itemID: int) -> None:
        """Open the branch of an item."""
        self.expand(self._filter.indexFromSubjectHierarchyItem(itemID))

    def collapseItem(self, itemID: int) -> None:
        """Close the branch of an item."""
        self.collapse(self._filter.indexFromSubjectHierarchyItem(itemID))

    # -- selection

    def currentItem(self) -> int:
        """Return the first selected item."""
        return self._selected[0] if self._selected else 0

    def setCurrentItem(self, itemID: int) -> None:
        """Select one item; 0, or an item that is not shown, clears the selection."""
        self.selectionModel().select(self._filter.indexFromSubjectHierarchyItem(itemID), _ONLY | _ROWS)

    def currentItems(self, selectedItems: Any = None) -> list[int] | None:
        """Return all selected items, or add them to a ``vtkIdList``."""
        if selectedItems is None:
            return list(self._selected)
        for item in self._selected:
            selectedItems.InsertNextId(item)
        return None

    def setCurrentItems(self, items: Any) -> None:
        """Select items, given as a list or a ``vtkIdList``."""
        if hasattr(items, "GetNumberOfIds"):
            items = [items.GetId(place) for place in range(items.GetNumberOfIds())]
        self._select(items)

    def _select(self, items: list[int]) -> None:
        self.clearSelection()
        for item in items:
            index = self._filter.indexFromSubjectHierarchyItem(item)
            if index.isValid():
                self.selectionModel().select(index, _SELECT | _ROWS)

    def currentNode(self) -> Any:
        """Return the node of the current item, or None."""
        hierarchy = self.subjectHierarchyNode()
        item = self.currentItem()
        return hierarchy.GetItemDataNode(item) if item and hierarchy is not None else None

    def setCurrentNode(self, node: Any) -> None:
        """Select the item of a node; None, or a node without an item, has no effect."""
        hierarchy = self.subjectHierarchyNode()
        item = hierarchy.GetItemByDataNode(node) if node is not None and hierarchy is not None else 0
        if item:
            self.setCurrentItem(item)

    def _read_selection(self) -> list[int]:
        items = [self._filter.subjectHierarchyItemFromIndex(index) for index in self.selectionModel().selectedRows()]
        chosen = [item for item in items if item] or items
        if chosen:
            return chosen
        hierarchy = self.subjectHierarchyNode()
        return [0 if self.noneEnabled() or hierarchy is None else hierarchy.GetSceneItemID()]

    def _on_selection_changed(self, *_: object) -> None:
        scene = self.mrmlScene()
        if self._updating or scene is None or scene.IsBatchProcessing() and not scene.IsClosing():
            return
        self._selected = self._read_selection()
        self.currentItemChanged.emit(self._selected[0])
        self.currentItemsChanged.emit(list(self._selected))
        self.currentNodeChanged.emit(self.currentNode())

    def _on_item_modified(self, item: int) -> None:
        hierarchy = self.subjectHierarchyNode()
        if hierarchy is None or not self._selected:
            return
        for each in (item, *children(hierarchy, item, recursive=True)):
            if each in self._selected:
                self.currentItemModified.emit(each)
                return

    def multiSelection(self) -> bool:
        """Return whether several items can be selected."""
        return self.selectionMode() == QAbstractItemView.SelectionMode.ExtendedSelection

    def setMultiSelection(self, multiSelectionOn: bool) -> None:
        """Allow the selection of several items, or of one."""
        mode = QAbstractItemView.SelectionMode
        self.setSelectionMode(mode.ExtendedSelection if multiSelectionOn else mode.SingleSelection)

    def noneEnabled(self) -> bool:
        """Return whether there is a row for no item."""
        return self._model.noneEnabled()

    def setNoneEnabled(self, enable: bool) -> None:
        """Add or remove a row for no item before the others."""
        self._model.setNoneEnabled(enable)

    def noneDisplay(self) -> str:
        """Return the text of the row for no item."""
        return self._model.noneDisplay()

    def setNoneDisplay(self, displayName: str) -> None:
        """Set the text of the row for no item."""
        self._model.setNoneDisplay(displayName)

    # -- root

    def rootItem(self) -> int:
        """Return the item whose branch is shown, by default the scene."""
        hierarchy = self.subjectHierarchyNode()
        return 0 if hierarchy is None else self._root or hierarchy.GetSceneItemID()

    def setRootItem(self, itemID: int) -> None:
        """Show the branch of an item."""
        self._root = itemID
        self._apply_root()

    def showRootItem(self) -> bool:
        """Return whether the root itself is shown, above its branch."""
        return self._show_root

    def setShowRootItem(self, show: bool) -> None:
        """Show the root itself."""
        self._show_root = bool(show)
        self._apply_root()

    def _apply_root(self) -> None:
        hierarchy = self.subjectHierarchyNode()
        scene_item = 0 if hierarchy is None else hierarchy.GetSceneItemID()
        if self._root and not self._model._index(self._root).isValid():
            self._root = 0
        root = self._root or scene_item
        # The view shows the items below its root: to show an item itself, its siblings have to be filtered out.
        self._filter.setHideItemsUnaffiliatedWithItemID(root if self._show_root and root != scene_item else 0)
        index = self._filter.indexFromSubjectHierarchyItem(root)
        self.setRootIndex(index.parent() if self._show_root else index)

    def displayedItemCount(self) -> int:
        """Return the number of shown items, in open and closed branches."""
        return self._filter.acceptedItemCount(self.rootItem()) + self._show_root

    # -- mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Show or hide an item by a click on its eye."""
        super().mousePressEvent(event)
        index = self.indexAt(event.position().toPoint())
        item = self._filter.subjectHierarchyItemFromIndex(index) if index.isValid() else 0
        on_eye = event.button() == Qt.MouseButton.LeftButton and index.column() == self._model.visibilityColumn()
        if on_eye and item and appearance.visibility(self.subjectHierarchyNode(), item) != appearance.UNKNOWN:
            self._toggle(self.subjectHierarchyNode(), item)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Show or hide the selected items by the space key."""
        if event.key() == Qt.Key.Key_Space:
            for item in self._chosen():
                self._toggle(self.subjectHierarchyNode(), item)
        super().keyPressEvent(event)

    # -- filters of the tree

    def nameFilter(self) -> str:
        """Return the text that the names of shown items contain."""
        return self._filter.nameFilter()

    def setNameFilter(self, filter: str) -> None:
        """Show items whose names contain a text, ignoring case."""
        self._filter.setNameFilter(filter)

    def levelFilter(self) -> list[str]:
        """Return the levels of the items that are shown; none means all."""
        return self._filter.levelFilter()

    def hideChildNodeTypes(self) -> list[str]:
        """Return the classes of nodes that are not shown."""
        return self._filter.hideChildNodeTypes()

    def setAttributeFilter(self, attributeName: str, attributeValue: Any = None) -> None:
        """Show only items with an attribute, and with this value unless it is None."""
        self._filter.setAttributeNameFilter(attributeName)
        self._filter.setAttributeValueFilter(attributeValue)

    def removeAttributeFilter(self) -> None:
        """Undo ``setAttributeFilter``."""
        self._filter.setAttributeNameFilter("")
