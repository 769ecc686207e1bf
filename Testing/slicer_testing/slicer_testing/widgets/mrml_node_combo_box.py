"""The node selector of panels."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QModelIndex, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QWidget

from slicer_testing.registry import slicer_widget, widget
from slicer_testing.widgets.mrml_node_actions import NodeActions
from slicer_testing.widgets.mrml_node_combo_box_options import NodeComboBoxOptions
from slicer_testing.widgets.mrml_node_factory import qMRMLNodeFactory
from slicer_testing.widgets.mrml_node_filter import ACTION_ROLE, NODE_ID_ROLE, qMRMLSortFilterProxyModel
from slicer_testing.widgets.mrml_node_list_model import NodeListModel


@slicer_widget
class qMRMLNodeComboBox(NodeComboBoxOptions, QWidget):
    """Selects a node of the scene, or creates, renames, edits and deletes one.

    The entries are None (if enabled), the nodes in the order of the scene, a separator and the enabled actions. As in the
    application, a selector without None selects the first node when it gets its scene; if its current node is removed, it
    selects the one before it.
    """

    currentNodeChanged = Signal((object,), (bool,))
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAddedByUserAction = Signal(object)
    nodeAboutToBeEdited = Signal(object)
    nodeAboutToBeRemoved = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None
        self._requested = ""
        self._requested_node = None
        self._switching = False
        self._none_enabled = False
        self._none_display = "None"
        self._actions = NodeActions()
        self._select_new = True
        self._interaction_tag = "Singleton"
        self._type_labels: dict[str, str] = {}
        self._factory = qMRMLNodeFactory(self)
        self._filter = qMRMLSortFilterProxyModel(self)
        self._list = NodeListModel(self._filter, self)
        self._filter.setSourceModel(self._list)
        self._combo = self._make_combo_box()
        self._set_up_combo_box()
        self.setEnabled(False)

    def _make_combo_box(self) -> QComboBox:
        return widget("ctkComboBox")(self)

    def _set_up_combo_box(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed, QSizePolicy.ControlType.ComboBox)
        self.setSizePolicy(policy)
        self._combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._combo.setFocusProxy(self)
        # The combo box must be connected before this widget, which reads the current entry from it.
        self._combo.setModel(self._filter)
        self._combo.currentIndexChanged.connect(self._on_index_changed)
        self._combo.activated.connect(self._on_activated)
        self._combo.view().clicked.connect(self._on_entry_clicked)
        self._filter.rowsInserted.connect(self._on_rows_inserted)
        self._filter.rowsAboutToBeRemoved.connect(self._on_rows_about_to_be_removed)
        for signal in (self._filter.rowsRemoved, self._filter.modelReset, self._filter.layoutChanged):
            signal.connect(self._on_entries_changed)
        self._list.nodeRenamed.connect(self._on_node_renamed)
        self._update_default_text()

    # -- signals of the combo box

    def _node_at(self, row: int) -> Any:
        return self._list._node(self._combo.itemData(row, NODE_ID_ROLE)) if row >= 0 else None

    def _on_index_changed(self, row: int) -> None:
        if self._switching:
            return
        node = self._node_at(row)
        if node is None and row != (0 if self._none_enabled else -1):
            # An action became current, by the keyboard or because a node was removed; only nodes and None may be current.
            last = self.nodeFromIndex(self.nodeCount() - 1)
            if last is not None:
                self.setCurrentNode(last)
            return
        self._emit_current(node)

    def _emit_current(self, node: Any) -> None:
        self.currentNodeChanged[object].emit(node)
        self.currentNodeChanged[bool].emit(node is not None)
        self.currentNodeIDChanged.emit(node.GetID() if node is not None else "")

    def _on_node_renamed(self, node_id: str) -> None:
        if node_id == self.currentNodeID() and not self._switching:
            self._emit_current(self.currentNode())

    def _on_activated(self, row: int) -> None:
        node = self._node_at(row)
        if node is not None or (self._none_enabled and row == 0):
            self.nodeActivated.emit(node)

    def _on_rows_inserted(self, parent: QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            node = self._node_at(row)
            if node is not None:
                self.nodeAdded.emit(node)

    def _on_rows_about_to_be_removed(self, parent: QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            node = self._node_at(row)
            if node is not None:
                self.nodeAboutToBeRemoved.emit(node)

    def _on_entries_changed(self, *_: object) -> None:
        if not self._switching and self.currentNode() is None:
            self.setCurrentNode(None)

    def _on_entry_clicked(self, index: QModelIndex) -> None:
        """Run the action of an entry after the nodes."""
        action, _, argument = (index.data(ACTION_ROLE) or "").partition("/")
        if not action or action == "SEPARATOR":
            return
        self._combo.hidePopup()
        own = self._actions.own_for(index.data(ACTION_ROLE))
        if own is not None:
            own.trigger()
        elif action == "CREATE":
            self._create(argument)
        elif action == "CREATE_AS":
            self._create_as(argument)
        elif action == "DELETE":
            self.removeCurrentNode()
        elif action == "EDIT":
            self.editCurrentNode()
        elif action == "RENAME":
            self.renameCurrentNode()

    def _create(self, node_type: str, name: str = "") -> None:
        node = self.addNode(node_type)
        if node is not None:
            if name:
                node.SetName(name)
            self.setCurrentNode(node)
            self.nodeAddedByUserAction.emit(node)

    def _create_as(self, node_type: str) -> None:
        name = self._ask_name(f"Create new {self.nodeTypeLabel(node_type)}", "")
        if name:
            self._create(node_type, name)

    def _ask_name(self, title: str, default: str) -> str | None:
        from slicer_testing.pythonqt.dialogs import ask_text

        return ask_text(title, "New name:", default)

    # -- scene and filter

    def mrmlScene(self) -> Any:
        """Return the scene, None at first."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene; the current node is kept by its ID, or the node that was set before there was a scene is selected."""
        if scene is self._scene:
            return
        previous_id = self._combo.itemData(self._combo.currentIndex(), NODE_ID_ROLE) or ""
        had_nodes = self.nodeCount() > 0
        self._switching = True
        self._scene = scene
        self._factory.setMRMLScene(scene)
        self._list._set_scene(scene)
        if scene is None:
            self._list._set_before([])
            self._list._set_after([])
        self._update_extra_entries()
        if had_nodes:
            wanted = previous_id
        else:
            wanted = self._requested or (self._requested_node.GetID() if self._requested_node is not None else "") or ""
            if not wanted and not self._none_enabled and self.nodeCount():
                wanted = self.nodeFromIndex(0).GetID()
        self._select_id(wanted)
        self._requested, self._requested_node = "", None
        self._update_default_text()
        self.setEnabled(scene is not None)
        self._switching = False
        self._on_index_changed(self._combo.currentIndex())

    # -- selection

    def currentNode(self) -> Any:
        """Return the selected node, or None."""
        return self._node_at(self._combo.currentIndex())

    def currentNodeID(self) -> str:
        """Return the ID of the selected node, or ""."""
        node = self.currentNode()
        return node.GetID() if node is not None else ""

    def currentNodeId(self) -> str:
        """Old spelling of ``currentNodeID``."""
        return self.currentNodeID()

    def setCurrentNode(self, node: Any) -> None:
        """Select a node; None, or a node of a wrong class or another scene, selects None (or nothing if None is not enabled).

        Args:
            node: a node, or its ID.
        """
        if isinstance(node, str):
            self.setCurrentNodeID(node)
            return
        if self._scene is None:
            self._requested, self._requested_node = "", node
        self._select_id((node.GetID() or "") if node is not None else "")

    def setCurrentNodeID(self, nodeID: str | None) -> None:
        """Select a node by its ID."""
        if self._scene is None:
            self._requested, self._requested_node = nodeID or "", None
        self._select_id(nodeID or "")

    def setCurrentNodeId(self, nodeID: str) -> None:
        """Old spelling of ``setCurrentNodeID``."""
        self.setCurrentNodeID(nodeID)

    def _select_id(self, node_id: str) -> None:
        row = self._combo.findData(node_id, NODE_ID_ROLE) if node_id else -1
        if row < 0:
            self._combo.setCurrentIndex(0 if self._none_enabled and self._combo.count() else -1)
        elif row != self._combo.currentIndex():
            self._combo.setCurrentIndex(row)
            if not self._switching:
                # The application selects by a key press, which also counts as the user's choice.
                self._on_activated(row)

    def setCurrentNodeIndex(self, index: int) -> None:
        """Select a node by its index among the nodes; an invalid index selects none."""
        index = index if 0 <= index < self.nodeCount() else -1
        self._combo.setCurrentIndex(index + self._none_enabled)

    def nodeCount(self) -> int:
        """Return the number of nodes in the list."""
        if self._scene is None:
            return 0
        return sum(bool(self._combo.itemData(row, NODE_ID_ROLE)) for row in range(self._combo.count()))

    def nodeFromIndex(self, index: int) -> Any:
        """Return the node of an index among the nodes, or None."""
        return self._node_at(index + self._none_enabled)

    # -- actions

    def addNode(self, nodeType: str = "") -> Any:
        """Create a node of a class, by default the first of ``nodeTypes``.

        Returns:
            The node; None for a class that is not among ``nodeTypes``.
        """
        types = self.nodeTypes()
        nodeType = nodeType or (types[0] if types else "")
        node = self._factory.createNode(nodeType) if nodeType in types else None
        if node is None:
            return None
        if self._select_new:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        """Remove the selected node from the scene."""
        if self._scene is not None and self.currentNode() is not None:
            self._scene.RemoveNode(self.currentNode())

    def editCurrentNode(self) -> None:
        """Request the application to open the module of the selected node."""
        node = self.currentNode()
        self.nodeAboutToBeEdited.emit(node)
        if self._interaction_tag and node is not None:
            interaction = self._scene.GetSingletonNode(self._interaction_tag, "vtkMRMLInteractionNode")
            if interaction is not None:
                interaction.EditNode(node)

    def renameCurrentNode(self) -> None:
        """Ask the user for a new name of the selected node."""
        node = self.currentNode()
        if node is None:
            return
        name = self._ask_name(f"Rename {self.nodeTypeLabel(node.GetClassName())}", node.GetName())
        if name:
            node.SetName(name)
            self.currentNodeRenamed.emit(name)

    def addMenuAction(self, action: QAction) -> None:
        """Append an action; one whose text exists already, or is that of an enabled action, is ignored."""
        if self._actions.add(action):
            self._update_extra_entries()
