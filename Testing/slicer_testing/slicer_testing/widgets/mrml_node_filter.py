"""The filter of the nodes that a selector shows."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QModelIndex, QObject, QSortFilterProxyModel, Qt

from slicer_testing.registry import slicer_widget

#: Item data: the node's ID, "" for entries that are no nodes.
NODE_ID_ROLE = Qt.ItemDataRole.UserRole + 1
#: Item data: action of an entry that is no node, such as ``CREATE/Volume``; "" for nodes and for None.
ACTION_ROLE = Qt.ItemDataRole.UserRole + 2


@slicer_widget
class qMRMLSortFilterProxyModel(QSortFilterProxyModel):
    """Filters nodes by class, attributes and the flag that hides them from editors; Qt's own filter and sorting are applied in addition.

    The filter by node is evaluated where the list of nodes is made (``_accepts``), so that only nodes of matching classes have to
    be observed; ``_on_change`` is called when the list has to be updated.
    """

    UseFilters, ShowAll, HideAll = range(3)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setDynamicSortFilter(True)
        self._on_change = lambda: None
        self._node_types: list[str] = []
        self._show_hidden = False
        self._show_hidden_for: list[str] = []
        self._show_children = True
        self._hidden_children: list[str] = []
        self._hidden_ids: list[str] = []
        self._filter_type = self.UseFilters
        self._attributes: dict[str, dict[str, str | None]] = {}

    # -- conditions

    def _of_type(self, node: Any) -> bool:
        return not self._node_types or any(node.IsA(node_type) for node_type in self._node_types)

    def _accepts(self, node: Any) -> bool:
        """Return whether a node meets the conditions."""
        if self._filter_type != self.UseFilters:
            return self._filter_type == self.ShowAll
        if node.GetID() in self._hidden_ids:
            return False
        if node.GetHideFromEditors() and not self._show_hidden and not any(node.IsA(shown) for shown in self._show_hidden_for):
            return False
        if not self._node_types:
            return True
        return self._accepts_class(node)

    def _accepts_class(self, node: Any) -> bool:
        for node_type in self._node_types:
            if not node.IsA(node_type) or (not self._show_children and node.GetClassName() != node_type):
                continue
            if self._show_children and any(node.IsA(hidden) for hidden in self._hidden_children):
                return False
            return all(
                node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name))
                for name, value in self._attributes.get(node_type, {}).items()
            )
        return False

    def _change(self, name: str, value: Any) -> None:
        if getattr(self, name) != value:
            setattr(self, name, value)
            self._on_change()

    # -- Qt's filter and order do not affect the entries that are no nodes

    def _is_node(self, index: QModelIndex) -> bool:
        return bool(index.data(NODE_ID_ROLE))

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex) -> bool:
        """Apply Qt's own filter to nodes; accept other entries."""
        if not self._is_node(self.sourceModel().index(source_row, 0, source_parent)):
            return True
        return super().filterAcceptsRow(source_row, source_parent)

    def lessThan(self, left: QModelIndex, right: QModelIndex) -> bool:
        """Apply Qt's own order to nodes; other entries keep their places."""
        if self._is_node(left) and self._is_node(right):
            return super().lessThan(left, right)
        # "None" stays before the nodes and the actions after them, for both sort orders.
        ascending = self.sortOrder() == Qt.SortOrder.AscendingOrder
        return (left.row() < right.row()) == ascending

    # -- the application's interface

    def nodeTypes(self) -> list[str]:
        """Return the classes of the nodes that are shown; none means all."""
        return list(self._node_types)

    def setNodeTypes(self, nodeTypes: list[str]) -> None:
        """Show nodes of these classes."""
        self._change("_node_types", list(nodeTypes))

    def showHidden(self) -> bool:
        """Return whether nodes hidden from editors are shown."""
        return self._show_hidden

    def setShowHidden(self, show: bool) -> None:
        """Show nodes that are hidden from editors."""
        self._change("_show_hidden", bool(show))

    def showHiddenForTypes(self) -> list[str]:
        """Return the classes whose hidden nodes are shown."""
        return list(self._show_hidden_for)

    def setShowHiddenForTypes(self, nodeTypes: list[str]) -> None:
        """Show hidden nodes of these classes."""
        self._change("_show_hidden_for", list(nodeTypes))

    def showChildNodeTypes(self) -> bool:
        """Return whether nodes of subclasses of ``nodeTypes`` are shown."""
        return self._show_children

    def setShowChildNodeTypes(self, show: bool) -> None:
        """Show nodes of subclasses of ``nodeTypes`` as well."""
        self._change("_show_children", bool(show))

    def hideChildNodeTypes(self) -> list[str]:
        """Return the subclasses of ``nodeTypes`` that are not shown."""
        return list(self._hidden_children)

    def setHideChildNodeTypes(self, nodeTypes: list[str]) -> None:
        """Hide nodes of these subclasses of ``nodeTypes``."""
        self._change("_hidden_children", list(nodeTypes))

    def hiddenNodeIDs(self) -> list[str]:
        """Return the IDs of nodes that are not shown."""
        return list(self._hidden_ids)

    def setHiddenNodeIDs(self, nodeIDs: list[str]) -> None:
        """Hide single nodes."""
        self._change("_hidden_ids", list(nodeIDs))

    def filterType(self) -> int:
        """Return UseFilters, ShowAll or HideAll."""
        return self._filter_type

    def setFilterType(self, filterType: int) -> None:
        """Use the filters, or show or hide all nodes."""
        self._change("_filter_type", int(filterType))

    def showAll(self) -> bool:
        """Return whether all nodes are shown, independent of the filters."""
        return self._filter_type == self.ShowAll

    def setShowAll(self, show: bool) -> None:
        """Show all nodes, or use the filters again."""
        if bool(show) != self.showAll():
            self.setFilterType(self.ShowAll if show else self.UseFilters)

    def hideAll(self) -> bool:
        """Return whether no node is shown, independent of the filters."""
        return self._filter_type == self.HideAll

    def setHideAll(self, hide: bool) -> None:
        """Show no node, or use the filters again."""
        if bool(hide) != self.hideAll():
            self.setFilterType(self.HideAll if hide else self.UseFilters)

    def addAttribute(self, nodeType: str, attributeName: str, attributeValue: Any = None) -> None:
        """Show nodes of a class only if they have an attribute, with this value unless it is None.

        Like the application, it does nothing for a class that is not among ``nodeTypes``.
        """
        if nodeType not in self._node_types:
            return
        attributes = {at: dict(values) for at, values in self._attributes.items()}
        attributes.setdefault(nodeType, {})[attributeName] = None if attributeValue is None else str(attributeValue)
        self._change("_attributes", attributes)

    def removeAttribute(self, nodeType: str, attributeName: str) -> None:
        """Remove the condition on an attribute."""
        attributes = {at: dict(values) for at, values in self._attributes.items()}
        attributes.get(nodeType, {}).pop(attributeName, None)
        self._change("_attributes", attributes)

    def attributeFilter(self, nodeType: str, attributeName: str) -> str | None:
        """Return the value that an attribute must have; None if there is no such condition."""
        return self._attributes.get(nodeType, {}).get(attributeName)

    def mrmlNodeFromIndex(self, index: QModelIndex) -> Any:
        """Return the node of an entry, or None."""
        source = self.sourceModel()
        return source._node(index.data(NODE_ID_ROLE)) if source is not None else None

    def indexFromMRMLNode(self, node: Any, column: int = 0) -> QModelIndex:
        """Return the entry of a node; an invalid index if it is not shown."""
        for row in range(self.rowCount()):
            index = self.index(row, column)
            if node is not None and index.data(NODE_ID_ROLE) == node.GetID():
                return index
        return QModelIndex()
