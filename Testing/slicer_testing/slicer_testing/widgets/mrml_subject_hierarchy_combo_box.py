"""A combo box whose list is the tree of the subject hierarchy."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QMouseEvent
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from slicer_testing.application.subject_hierarchy import children
from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_combo_box import ctkComboBox
from slicer_testing.widgets.mrml_observation import Observations
from slicer_testing.widgets.mrml_subject_hierarchy import qMRMLSubjectHierarchyTreeView
from slicer_testing.widgets.mrml_subject_hierarchy_filter import qMRMLSortFilterSubjectHierarchyProxyModel
from slicer_testing.widgets.mrml_subject_hierarchy_filtering import Filtering
from slicer_testing.widgets.mrml_subject_hierarchy_items import item_icon
from slicer_testing.widgets.mrml_subject_hierarchy_model import qMRMLSubjectHierarchyModel

_LONGEST_PARENT = 21


@slicer_widget
class qMRMLSubjectHierarchyComboBox(Filtering, ctkComboBox):
    """Selects one item; its text is the name of the item, after the names of its parents."""

    currentItemChanged = Signal(object)
    currentItemModified = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._most_rows = 20
        self._align = True
        self._show_parents = True
        self._observations = Observations(self)
        self.setForceDefault(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._popup = QFrame(self, Qt.WindowType.Popup)
        self._popup.setFrameShape(QFrame.Shape.StyledPanel)
        self._nothing = QLabel(self._popup)
        self._tree = qMRMLSubjectHierarchyTreeView(self._popup)
        layout = QVBoxLayout(self._popup)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._nothing)
        layout.addWidget(self._tree)
        for show in (
            self._tree.setVisibilityColumnVisible,
            self._tree.setColorColumnVisible,
            self._tree.setTransformColumnVisible,
            self._tree.setIdColumnVisible,
        ):
            show(False)
        self._tree.setHeaderHidden(True)
        self._tree.setContextMenuEnabled(False)
        self._tree.setFrameShape(QFrame.Shape.NoFrame)
        self._tree.currentItemChanged.connect(self._on_item_changed)
        self._tree.currentItemModified.connect(self._on_item_modified)
        self._tree.clicked.connect(self._on_clicked)
        self._tree.activated.connect(self._on_clicked)
        self._show_item(0)

    # -- scene and items

    def mrmlScene(self) -> Any:
        """Return the scene, None at first."""
        return self._tree.mrmlScene()

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene with the items."""
        if scene is self.mrmlScene():
            return
        self._observations.drop_all()
        self._tree.setMRMLScene(scene)
        if scene is not None:
            self._observations.add(scene, scene.EndCloseEvent, self._on_end_close, -20.0)
        self._show_item(self.currentItem())

    def _on_end_close(self) -> None:
        self._show_item(0)

    def subjectHierarchyNode(self) -> Any:
        """Return the node that holds the items; None without a scene, and while it closes."""
        return self._tree.subjectHierarchyNode()

    def model(self) -> qMRMLSubjectHierarchyModel:
        """Return the model of all items."""
        return self._tree.model()

    def sortFilterProxyModel(self) -> qMRMLSortFilterSubjectHierarchyProxyModel:
        """Return the proxy model that filters the items."""
        return self._tree.sortFilterProxyModel()

    def currentItem(self) -> int:
        """Return the selected item."""
        return self._tree.currentItem()

    def setCurrentItem(self, itemID: int) -> None:
        """Select an item."""
        self._tree.setCurrentItem(itemID)

    def currentNode(self) -> Any:
        """Return the node of the selected item, or None."""
        return self._tree.currentNode()

    def setCurrentNode(self, node: Any) -> None:
        """Select the item of a node."""
        self._tree.setCurrentNode(node)

    def clearSelection(self) -> None:
        """Clear the selection."""
        self._tree.clearSelection()
        self._show_item(0)

    def _on_item_changed(self, item: int) -> None:
        self._show_item(item)
        self.currentItemChanged.emit(item)

    def _on_item_modified(self, item: int) -> None:
        self._show_item(item)
        self.currentItemModified.emit(item)

    def _show_item(self, item: int) -> None:
        hierarchy = self.subjectHierarchyNode()
        if not item or hierarchy is None:
            self.setDefaultText(self.noneDisplay() if self.noneEnabled() else "Select subject hierarchy item")
            self.setDefaultIcon(QIcon())
            return
        names = [hierarchy.GetItemName(item)]
        above = hierarchy.GetItemParent(item)
        while self._show_parents and above and above != hierarchy.GetSceneItemID():
            name = hierarchy.GetItemName(above)
            names.insert(0, name if len(name) <= _LONGEST_PARENT else f"{name[:9]}...{name[-9:]}")
            above = hierarchy.GetItemParent(above)
        self.setDefaultText(" / ".join(names))
        self.setDefaultIcon(QIcon() if item == hierarchy.GetSceneItemID() else item_icon(hierarchy, item))

    # -- properties

    def noneEnabled(self) -> bool:
        """Return whether there is an entry for no item."""
        return self._tree.noneEnabled()

    def setNoneEnabled(self, enable: bool) -> None:
        """Add or remove an entry for no item before the others."""
        self._tree.setNoneEnabled(enable)
        self._show_item(self.currentItem())

    def noneDisplay(self) -> str:
        """Return the text of the entry for no item."""
        return self._tree.noneDisplay()

    def setNoneDisplay(self, displayName: str) -> None:
        """Set the text of the entry for no item."""
        self._tree.setNoneDisplay(displayName)
        self._show_item(self.currentItem())

    def rootItem(self) -> int:
        """Return the item whose branch is listed, by default the scene."""
        return self._tree.rootItem()

    def setRootItem(self, itemID: int) -> None:
        """List the branch of an item."""
        self._tree.setRootItem(itemID)

    def showRootItem(self) -> bool:
        """Return whether the root itself is listed."""
        return self._tree.showRootItem()

    def setShowRootItem(self, show: bool) -> None:
        """List the root itself, or only its branch."""
        self._tree.setShowRootItem(show)

    def showEmptyHierarchyItems(self) -> bool:
        """Return whether folders without selectable items are shown."""
        return self.sortFilterProxyModel().showEmptyHierarchyItems()

    def setShowEmptyHierarchyItems(self, show: bool) -> None:
        """Show folders without selectable items."""
        self.sortFilterProxyModel().setShowEmptyHierarchyItems(show)

    def showCurrentItemParents(self) -> bool:
        """Return whether the text has the names of the item's parents."""
        return self._show_parents

    def setShowCurrentItemParents(self, show: bool) -> None:
        """Show or hide the names of the item's parents in the text."""
        self._show_parents = bool(show)
        self._show_item(self.currentItem())

    def maximumNumberOfShownItems(self) -> int:
        """Return the number of items that the list shows without scrolling."""
        return self._most_rows

    def setMaximumNumberOfShownItems(self, maxNumberOfShownItems: int) -> None:
        """Set the number of items that the list shows without scrolling."""
        self._most_rows = int(maxNumberOfShownItems)

    def alignPopupVertically(self) -> bool:
        """Return whether the list opens over the combo box, with the selected item at its text, and not below it."""
        return self._align

    def setAlignPopupVertically(self, align: bool) -> None:
        """Open the list over the combo box, or below."""
        self._align = bool(align)

    # -- the list

    def showPopup(self) -> None:
        """Open the list; if it is empty, it shows the reason."""
        count = self._tree.displayedItemCount()
        self._nothing.setVisible(not count)
        self._tree.setVisible(bool(count))
        if count:
            row = max(self._tree.sizeHintForRow(0), self.fontMetrics().height() + 4)
            height = (min(count, self._most_rows) + self.noneEnabled()) * row + 2 * self._popup.frameWidth() + 2
        else:
            self._nothing.setText(self._why_nothing())
            height = self._nothing.sizeHint().height() + 2 * self._popup.frameWidth() + 2
        self._popup.setFixedSize(QSize(self.width(), height))
        below = 0 if self._align else self.height()
        shift = self._tree.visualRect(self._tree.currentIndex()).top() if self._align and self._tree.currentIndex().isValid() else 0
        self._popup.move(self.mapToGlobal(QPoint(0, below - shift)))
        self._popup.show()
        self._tree.setFocus()

    def _why_nothing(self) -> str:
        hierarchy = self.subjectHierarchyNode()
        root = self.rootItem()
        if hierarchy is not None and children(hierarchy, root):
            return "No items accepted by current filters"
        if hierarchy is None or root == hierarchy.GetSceneItemID():
            return "No items in scene"
        return f"No items in branch: {hierarchy.GetItemName(root)}"

    def hidePopup(self) -> None:
        """Close the list."""
        self._popup.hide()
        super().hidePopup()

    def _on_clicked(self, index: Any) -> None:
        if index.flags() & Qt.ItemFlag.ItemIsSelectable:
            self.hidePopup()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Ignore the right button."""
        if event.button() != Qt.MouseButton.RightButton:
            super().mousePressEvent(event)
