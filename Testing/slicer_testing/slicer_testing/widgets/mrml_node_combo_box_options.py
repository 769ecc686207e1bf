"""Options of the node selector: the nodes that it lists, their names, and the actions that it offers."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QComboBox

from slicer_testing.widgets.mrml_node_filter import qMRMLSortFilterProxyModel


class NodeComboBoxOptions:
    """The properties of ``qMRMLNodeComboBox``; a change of one updates the entries of the combo box."""

    # -- entries

    def _update_default_text(self) -> None:
        types = self.nodeTypes()
        text = f"Select a {self.nodeTypeLabel(types[0] if types else '')}"
        if hasattr(self._combo, "setDefaultText"):
            self._combo.setDefaultText(text)

    def _update_extra_entries(self) -> None:
        """Update the entries that are no nodes, without changing the selection or emitting signals."""
        if self._scene is None:
            return
        was_switching, self._switching = self._switching, True
        current = self.currentNodeID()
        self._list._set_before([self._none_display] if self._none_enabled else [])
        self._list._set_after(self._actions.entries(self.nodeTypes(), self.nodeTypeLabel))
        self._select_id(current)
        self._switching = was_switching

    def _set_action_enabled(self, name: str, enabled: bool) -> None:
        if self._actions.enabled[name] != bool(enabled):
            self._actions.enabled[name] = bool(enabled)
            self._update_extra_entries()

    # -- filter

    def nodeTypes(self) -> list[str]:
        """Return the classes of the nodes in the list."""
        return self._filter.nodeTypes()

    def setNodeTypes(self, nodeTypes: list[str]) -> None:
        """List nodes of these classes and, unless ``showChildNodeTypes`` is off, of their subclasses."""
        self._filter.setNodeTypes([node_type for node_type in nodeTypes if node_type])
        self._update_default_text()
        self._update_extra_entries()

    def showHidden(self) -> bool:
        """Return whether nodes hidden from editors are shown."""
        return self._filter.showHidden()

    def setShowHidden(self, show: bool) -> None:
        """Show nodes that are hidden from editors."""
        self._filter.setShowHidden(show)

    def showChildNodeTypes(self) -> bool:
        """Return whether nodes of subclasses of ``nodeTypes`` are shown."""
        return self._filter.showChildNodeTypes()

    def setShowChildNodeTypes(self, show: bool) -> None:
        """Show nodes of subclasses of ``nodeTypes``."""
        self._filter.setShowChildNodeTypes(show)

    def hideChildNodeTypes(self) -> list[str]:
        """Return the subclasses of ``nodeTypes`` that are not shown."""
        return self._filter.hideChildNodeTypes()

    def setHideChildNodeTypes(self, nodeTypes: list[str]) -> None:
        """Hide nodes of these subclasses of ``nodeTypes``."""
        self._filter.setHideChildNodeTypes(nodeTypes)

    def addAttribute(self, nodeType: str, attributeName: str, attributeValue: Any = None) -> None:
        """Show nodes of a class only with an attribute (with this value unless None), and add it to nodes that are created here."""
        self._factory.addAttribute(attributeName, "" if attributeValue is None else str(attributeValue))
        self._filter.addAttribute(nodeType, attributeName, attributeValue)

    def removeAttribute(self, nodeType: str, attributeName: str) -> None:
        """Undo ``addAttribute``."""
        self._factory.removeAttribute(attributeName)
        self._filter.removeAttribute(nodeType, attributeName)

    def sortFilterProxyModel(self) -> qMRMLSortFilterProxyModel:
        """Return the proxy model that filters the nodes."""
        return self._filter

    # -- names

    def baseName(self, nodeType: str = "") -> str:
        """Return the beginning of the names of nodes that are created here, for a class or the first one."""
        types = self.nodeTypes()
        return self._factory.baseName(nodeType or (types[0] if types else ""))

    def setBaseName(self, baseName: str, nodeType: str = "") -> None:
        """Set the beginning of the names of nodes that are created here, for a class or all of ``nodeTypes``."""
        for each in [nodeType] if nodeType else self.nodeTypes():
            self._factory.setBaseName(each, baseName)

    def nodeTypeLabel(self, nodeType: str) -> str:
        """Return the label of a class in the entries: the one that was set, that of the scene, or "node"."""
        if nodeType in self._type_labels:
            return self._type_labels[nodeType]
        label = self._scene.GetTypeDisplayNameByClassName(nodeType) if self._scene is not None and nodeType else ""
        return label or "node"

    def setNodeTypeLabel(self, label: str, nodeType: str) -> None:
        """Set the label of a class; "" for the default label."""
        if label:
            self._type_labels[nodeType] = label
        else:
            self._type_labels.pop(nodeType, None)
        self._update_default_text()
        self._update_extra_entries()

    # -- properties

    def noneEnabled(self) -> bool:
        """Return whether None is among the entries."""
        return self._none_enabled

    def setNoneEnabled(self, enabled: bool) -> None:
        """Add or remove the entry None."""
        if self._none_enabled != bool(enabled):
            self._none_enabled = bool(enabled)
            self._update_extra_entries()

    def noneDisplay(self) -> str:
        """Return the text of the entry None."""
        return self._none_display

    def setNoneDisplay(self, text: str) -> None:
        """Set the text of the entry None."""
        if text != self._none_display:
            self._none_display = text
            self._update_extra_entries()

    def addEnabled(self) -> bool:
        """Return whether nodes can be created here."""
        return self._actions.enabled["CREATE"]

    def setAddEnabled(self, enabled: bool) -> None:
        """Offer to create nodes."""
        self._set_action_enabled("CREATE", enabled)

    def removeEnabled(self) -> bool:
        """Return whether the selected node can be deleted here."""
        return self._actions.enabled["DELETE"]

    def setRemoveEnabled(self, enabled: bool) -> None:
        """Offer to delete the selected node."""
        self._set_action_enabled("DELETE", enabled)

    def editEnabled(self) -> bool:
        """Return whether the selected node can be edited from here."""
        return self._actions.enabled["EDIT"]

    def setEditEnabled(self, enabled: bool) -> None:
        """Offer to edit the selected node."""
        self._set_action_enabled("EDIT", enabled)

    def renameEnabled(self) -> bool:
        """Return whether the selected node can be renamed here."""
        return self._actions.enabled["RENAME"]

    def setRenameEnabled(self, enabled: bool) -> None:
        """Offer to rename the selected node, and to name nodes at creation."""
        self._set_action_enabled("RENAME", enabled)

    def selectNodeUponCreation(self) -> bool:
        """Return whether a node that is created here is selected."""
        return self._select_new

    def setSelectNodeUponCreation(self, select: bool) -> None:
        """Set whether nodes that ``addNode`` creates are selected."""
        self._select_new = bool(select)

    def interactionNodeSingletonTag(self) -> str:
        """Return the tag of the interaction node for editing nodes; "" for none."""
        return self._interaction_tag

    def setInteractionNodeSingletonTag(self, tag: str) -> None:
        """Set the tag of the interaction node for editing nodes."""
        self._interaction_tag = tag

    def sizeAdjustPolicy(self) -> QComboBox.SizeAdjustPolicy:
        """Return Qt's size policy of the combo box's contents."""
        return self._combo.sizeAdjustPolicy()

    def setSizeAdjustPolicy(self, policy: QComboBox.SizeAdjustPolicy) -> None:
        """Set Qt's size policy of the combo box's contents."""
        self._combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy(policy))
