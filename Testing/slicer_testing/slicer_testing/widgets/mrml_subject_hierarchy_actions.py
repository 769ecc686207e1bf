"""Actions on the selected items of the subject hierarchy's tree, and its context menu."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QMenu

from slicer_testing.application.subject_hierarchy import children, segment_of
from slicer_testing.pythonqt import dialogs
from slicer_testing.widgets import mrml_subject_hierarchy_items as appearance


class ItemActions:
    """Mixin of the tree view: renames, deletes, shows and hides items."""

    def renameCurrentItem(self) -> None:
        """Ask the user for a new name of the current item."""
        hierarchy = self.subjectHierarchyNode()
        if not self._chosen():
            return
        before = hierarchy.GetItemName(self.currentItem())
        name = dialogs.ask_text(f"Rename {before}", "New name:", before, parent=self)
        if name is not None:
            hierarchy.SetItemName(self.currentItem(), name)

    def deleteSelectedItems(self) -> None:
        """Remove the selected items with their nodes and branches; if there are several, ask the user about each with a branch."""
        hierarchy = self.subjectHierarchyNode()
        chosen = self._chosen()
        for item in chosen:
            if not hierarchy.GetItemParent(item):
                continue  # removed with an item above it
            below = [child for child in children(hierarchy, item) if not segment_of(hierarchy, child)[1]]
            with_branch = True
            if len(chosen) > 1 and below:
                button = dialogs.Button
                text = "The deleted subject hierarchy item has children. Do you want to remove those too?"
                answer = dialogs.message("question", "Delete subject hierarchy branch?", text, button.Yes | button.No, button.No, self)
                with_branch = answer == button.Yes
            hierarchy.RemoveItem(item, True, with_branch)

    def toggleVisibilityOfSelectedItems(self) -> None:
        """Show or hide the selected items that are not below another selected one."""
        hierarchy = self.subjectHierarchyNode()
        chosen = self._chosen()
        for item in chosen:
            if not any(self._model.isAncestorItem(item, other) for other in chosen):
                self._toggle(hierarchy, item)

    def showSelectedItems(self) -> None:
        """Show the selected items."""
        for item in self._chosen():
            appearance.set_visibility(self.subjectHierarchyNode(), item, True)

    def hideSelectedItems(self) -> None:
        """Hide the selected items."""
        for item in self._chosen():
            appearance.set_visibility(self.subjectHierarchyNode(), item, False)

    def _chosen(self) -> list[int]:
        hierarchy = self.subjectHierarchyNode()
        return [] if hierarchy is None else [item for item in self._selected if item and item != hierarchy.GetSceneItemID()]

    def _toggle(self, hierarchy: Any, item: int) -> None:
        appearance.set_visibility(hierarchy, item, appearance.visibility(hierarchy, item) not in (appearance.SHOWN, appearance.PARTLY))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Open a menu with the actions for the selected items, or for the scene."""
        hierarchy = self.subjectHierarchyNode()
        if not self._menu_enabled or hierarchy is None:
            return
        index = self.indexAt(event.pos())
        self._menu = QMenu(self)
        if index.isValid() and self._chosen():
            if len(self._chosen()) == 1:
                self._menu.addAction("Rename", self.renameCurrentItem)
            self._menu.addAction("Delete", self.deleteSelectedItems)
            self._menu.addAction("Toggle visibility", self.toggleVisibilityOfSelectedItems)
        parent = self.currentItem() if index.isValid() and self._chosen() else hierarchy.GetSceneItemID()
        self._menu.addAction("Create new folder", lambda: self._create_folder(parent))
        self._menu.popup(event.globalPos())

    def _create_folder(self, parent: int) -> None:
        hierarchy = self.subjectHierarchyNode()
        hierarchy.CreateFolderItem(parent, hierarchy.GenerateUniqueItemName("NewFolder"))

    def contextMenuEnabled(self) -> bool:
        """Return whether the right mouse button opens a menu."""
        return self._menu_enabled

    def setContextMenuEnabled(self, enabled: bool) -> None:
        """Let the right mouse button open a menu."""
        self._menu_enabled = bool(enabled)
