"""A selector of several nodes."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QStandardItem
from PySide6.QtWidgets import QComboBox, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.mrml_check_list import CheckListBox
from slicer_testing.widgets.mrml_node_combo_box import qMRMLNodeComboBox
from slicer_testing.widgets.mrml_node_filter import NODE_ID_ROLE


@slicer_widget
class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """A list of nodes with check boxes, which stays open while they are clicked. It neither creates nor deletes nodes."""

    checkedNodesChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._list._checkable = True
        for name in self._actions.enabled:
            self._set_action_enabled(name, False)
        self._list.itemChanged.connect(self._on_item_changed)
        self._last_checked: list[Any] = []
        self._list.rowsRemoved.connect(self._emit_checked)

    def _make_combo_box(self) -> QComboBox:
        return CheckListBox(self._toggle, self)

    def _items(self) -> list[QStandardItem]:
        items = (self._list.item(row) for row in range(self._list.rowCount()))
        return [item for item in items if item.data(NODE_ID_ROLE)]

    def _item(self, node: Any) -> QStandardItem | None:
        return next((item for item in self._items() if node is not None and item.data(NODE_ID_ROLE) == node.GetID()), None)

    def _toggle(self, index: QModelIndex) -> bool:
        item = self._item(self._list._node(index.data(NODE_ID_ROLE)))
        if item is not None and item.flags() & Qt.ItemFlag.ItemIsUserCheckable:
            on = item.checkState() == Qt.CheckState.Checked
            item.setCheckState(Qt.CheckState.Unchecked if on else Qt.CheckState.Checked)
        return item is not None

    def _on_item_changed(self, _item: QStandardItem) -> None:
        self._emit_checked()

    def _emit_checked(self, *_: object) -> None:
        checked = self.checkedNodes()
        self._combo.show_text(", ".join(node.GetName() or "" for node in checked))
        if checked != self._last_checked:
            self._last_checked = checked
            self.checkedNodesChanged.emit()

    def checkedNodes(self) -> list[Any]:
        """Return the checked nodes."""
        checked = (item for item in self._items() if item.checkState() == Qt.CheckState.Checked)
        nodes = (self._list._node(item.data(NODE_ID_ROLE)) for item in checked)
        return [node for node in nodes if node is not None]

    def uncheckedNodes(self) -> list[Any]:
        """Return the other nodes of the list."""
        checked = self.checkedNodes()
        nodes = (self.nodeFromIndex(index) for index in range(self.nodeCount()))
        return [node for node in nodes if node not in checked]

    def allChecked(self) -> bool:
        """Return whether every node is checked."""
        return all(item.checkState() == Qt.CheckState.Checked for item in self._items())

    def noneChecked(self) -> bool:
        """Return whether no node is checked."""
        return all(item.checkState() == Qt.CheckState.Unchecked for item in self._items())

    def checkState(self, node: Any) -> Qt.CheckState:
        """Return whether a node is checked; a node that is not in the list is unchecked."""
        item = self._item(node)
        return item.checkState() if item is not None else Qt.CheckState.Unchecked

    def setCheckState(self, node: Any, state: Qt.CheckState) -> None:
        """Check or uncheck a node."""
        item = self._item(node)
        if item is not None:
            item.setCheckState(Qt.CheckState(state))

    def check(self, node: Any) -> None:
        """Check a node."""
        self.setCheckState(node, Qt.CheckState.Checked)

    def uncheck(self, node: Any) -> None:
        """Uncheck a node."""
        self.setCheckState(node, Qt.CheckState.Unchecked)

    def setUserCheckable(self, node: Any, checkable: bool) -> None:
        """Allow or forbid the user to check a node."""
        item = self._item(node)
        if item is not None:
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable if checkable else item.flags() & ~Qt.ItemFlag.ItemIsUserCheckable)
