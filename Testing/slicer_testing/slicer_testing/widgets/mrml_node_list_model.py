"""The entries of a node selector: None, the nodes of the scene that its filter accepts, and the actions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import slicer
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel

from slicer_testing.widgets.mrml_node_filter import ACTION_ROLE, NODE_ID_ROLE, qMRMLSortFilterProxyModel
from slicer_testing.widgets.mrml_observation import Observations

_ENABLED = Qt.ItemFlag.ItemIsEnabled
_SELECTABLE = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class NodeListModel(QStandardItemModel):
    """Follows a scene: nodes added, removed, renamed, hidden; import, close, undo and batches.

    Args:
        rules: filter by node.
        parent: parent object.
    """

    nodeRenamed = Signal(str)

    def __init__(self, rules: qMRMLSortFilterProxyModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rules = rules
        self._scene = None
        self._checkable = False
        self._shown: list[str] = []
        self._observations = Observations(self)
        rules._on_change = self._update

    # -- scene

    def _set_scene(self, scene: Any) -> None:
        self._observations.drop_all()
        self._scene = scene
        if scene is not None:
            at = slicer.vtkMRMLScene
            self._observations.add(scene, at.NodeAddedEvent, self._on_added, 10.0, give="data")
            # While the node is still in the scene, so that receivers of the signal can use it.
            self._observations.add(scene, at.NodeAboutToBeRemovedEvent, self._on_removed, -10.0, give="data")
            for event in (
                at.EndImportEvent,
                at.EndCloseEvent,
                at.EndBatchProcessEvent,
                at.EndUndoEvent,
                at.EndRedoEvent,
                at.EndRestoreEvent,
            ):
                self._observations.add(scene, event, self._update)
        self._update()

    def _node(self, node_id: str | None) -> Any:
        return self._scene.GetNodeByID(node_id) if node_id and self._scene is not None else None

    def _nodes_of_type(self) -> Iterator[Any]:
        if self._scene is None:
            return
        types = self._rules.nodeTypes()
        if len(types) == 1:
            nodes = self._scene.GetNodesByClass(types[0])
            nodes.UnRegister(None)  # the caller owns a reference
        else:
            nodes = self._scene.GetNodes()
        for node in nodes:
            if self._rules._of_type(node):
                yield node

    def _on_added(self, node: Any) -> None:
        if node is None or self._scene.IsImporting() or not self._rules._of_type(node):
            return  # during an import, IDs and references are not final; its end updates everything
        self._observations.add(node, "ModifiedEvent", self._on_modified, give="subject")
        if self._rules._accepts(node) and node.GetID() not in self._shown:
            self._insert(node, len(self._shown))

    def _on_removed(self, node: Any) -> None:
        if node is None or self._scene.IsClosing():
            return
        self._observations.drop(node)
        if node.GetID() in self._shown:
            self._remove(self._shown.index(node.GetID()), 1)

    def _on_modified(self, node: Any) -> None:
        if self._scene is None or self._scene.IsClosing() or self._scene.IsImporting() or node.GetScene() is not self._scene:
            return
        shown = node.GetID() in self._shown
        if self._rules._accepts(node) != shown:
            self._update()
        elif shown:
            self._update_text(self._first() + self._shown.index(node.GetID()), node)

    # -- entries

    def _first(self) -> int:
        """Return the row of the first node, or the row where it would be."""
        row = 0
        while row < self.rowCount() and not self.item(row).data(NODE_ID_ROLE) and self.item(row).data(ACTION_ROLE) is None:
            row += 1
        return row

    def _update(self) -> None:
        """Update the entries from the scene."""
        if self._scene is not None and (self._scene.IsClosing() or self._scene.IsImporting()):
            return
        of_type = list(self._nodes_of_type())
        self._observe(of_type)
        wanted = [node for node in of_type if self._rules._accepts(node)]
        wanted_ids = [node.GetID() for node in wanted]
        wanted_set = set(wanted_ids)
        kept = [node_id for node_id in self._shown if node_id in wanted_set]
        present = set(kept)
        if kept != [node_id for node_id in wanted_ids if node_id in present]:
            present = set()
        self._remove_others(present)
        for position, node in enumerate(wanted):
            if node.GetID() not in present:
                self._insert(node, position)
            else:
                self._update_text(self._first() + position, node)

    def _observe(self, nodes: Iterable[Any]) -> None:
        still = set(nodes)
        for subject in self._observations.subjects():
            if subject is not self._scene and subject not in still:
                self._observations.drop(subject)
        for node in still:
            self._observations.add(node, "ModifiedEvent", self._on_modified, give="subject")

    def _remove_others(self, keep: set[str]) -> None:
        # In blocks, so that the combo box does not select the removed entries one after the other.
        last = len(self._shown) - 1
        while last >= 0:
            if self._shown[last] in keep:
                last -= 1
                continue
            first = last
            while first > 0 and self._shown[first - 1] not in keep:
                first -= 1
            self._remove(first, last - first + 1)
            last = first - 1

    def _remove(self, position: int, count: int) -> None:
        del self._shown[position : position + count]
        self.removeRows(self._first() + position, count)

    def _insert(self, node: Any, position: int) -> None:
        item = QStandardItem(node.GetName() or "")
        item.setData(node.GetID(), NODE_ID_ROLE)
        item.setToolTip(node.GetNodeTagName())
        item.setFlags(_SELECTABLE)
        if self._checkable:
            item.setFlags(_SELECTABLE | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked)
        self._shown.insert(position, node.GetID())
        self.insertRow(self._first() + position, item)

    def _update_text(self, row: int, node: Any) -> None:
        if self.item(row).text() != (node.GetName() or ""):
            self.item(row).setText(node.GetName() or "")
            self.nodeRenamed.emit(node.GetID())

    def _set_before(self, texts: list[str]) -> None:
        """Set the entries before the nodes."""
        self.removeRows(0, self._first())
        for row, text in enumerate(texts):
            item = QStandardItem(text)
            item.setData("", NODE_ID_ROLE)
            item.setFlags(_SELECTABLE)
            self.insertRow(row, item)

    def _set_after(self, actions: list[tuple[str, str]]) -> None:
        """Set the entries after the nodes: text and action; the text "" is a separator."""
        end = self._first() + len(self._shown)
        self.removeRows(end, self.rowCount() - end)
        for text, action in actions:
            item = QStandardItem(text)
            item.setData("", NODE_ID_ROLE)
            item.setData(action, ACTION_ROLE)
            if text:
                # Not selectable: it runs an action and does not change the current node.
                item.setFlags(_ENABLED)
            else:
                item.setData("separator", Qt.ItemDataRole.AccessibleDescriptionRole)
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.appendRow(item)
