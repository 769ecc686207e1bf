"""The filters of the tree and the combo box of the subject hierarchy, which are those of their model."""

from __future__ import annotations

from typing import Any

from slicer_testing.widgets.mrml_subject_hierarchy_filter import qMRMLSortFilterSubjectHierarchyProxyModel


class Filtering:
    """Mixin that passes filters to ``sortFilterProxyModel()``."""

    def sortFilterProxyModel(self) -> qMRMLSortFilterSubjectHierarchyProxyModel:
        """Return the proxy model that filters the items."""
        raise NotImplementedError

    def nodeTypes(self) -> list[str]:
        """Return the classes of the nodes that are shown; none means all."""
        return self.sortFilterProxyModel().nodeTypes()

    def setNodeTypes(self, types: list[str]) -> None:
        """Show nodes of these classes."""
        self.sortFilterProxyModel().setNodeTypes(types)

    def setHideChildNodeTypes(self, types: list[str]) -> None:
        """Hide nodes of these classes."""
        self.sortFilterProxyModel().setHideChildNodeTypes(types)

    def setLevelFilter(self, levelFilter: list[str]) -> None:
        """Show items of these levels."""
        self.sortFilterProxyModel().setLevelFilter(levelFilter)

    def attributeNameFilter(self) -> str:
        """Return the attribute that items must have, "" for none."""
        return self.sortFilterProxyModel().attributeNameFilter()

    def setAttributeNameFilter(self, filter: str) -> None:
        """Show only items with an attribute."""
        self.sortFilterProxyModel().setAttributeNameFilter(filter)

    def attributeValueFilter(self) -> str:
        """Return the value that the attribute of ``attributeNameFilter`` must have, "" for any."""
        return self.sortFilterProxyModel().attributeValueFilter()

    def setAttributeValueFilter(self, filter: str) -> None:
        """Set the value for ``attributeNameFilter``, which must be set first."""
        self.sortFilterProxyModel().setAttributeValueFilter(filter)

    def includeItemAttributeNamesFilter(self) -> list[str]:
        """Return the attributes of which an item must have at least one."""
        return self.sortFilterProxyModel().includeItemAttributeNamesFilter()

    def setIncludeItemAttributeNamesFilter(self, filter: list[str]) -> None:
        """Show only items with one of these attributes."""
        self.sortFilterProxyModel().setIncludeItemAttributeNamesFilter(filter)

    def excludeItemAttributeNamesFilter(self) -> list[str]:
        """Return the attributes that items must not have."""
        return self.sortFilterProxyModel().excludeItemAttributeNamesFilter()

    def setExcludeItemAttributeNamesFilter(self, filter: list[str]) -> None:
        """Hide items with one of these attributes."""
        self.sortFilterProxyModel().setExcludeItemAttributeNamesFilter(filter)

    def includeNodeAttributeNamesFilter(self) -> list[str]:
        """Return the attributes of which a node must have at least one."""
        return self.sortFilterProxyModel().includeNodeAttributeNamesFilter()

    def setIncludeNodeAttributeNamesFilter(self, filter: list[str]) -> None:
        """Show only nodes with one of these attributes."""
        self.sortFilterProxyModel().setIncludeNodeAttributeNamesFilter(filter)

    def excludeNodeAttributeNamesFilter(self) -> list[str]:
        """Return the attributes that nodes must not have."""
        return self.sortFilterProxyModel().excludeNodeAttributeNamesFilter()

    def setExcludeNodeAttributeNamesFilter(self, filter: list[str]) -> None:
        """Hide nodes with one of these attributes."""
        self.sortFilterProxyModel().setExcludeNodeAttributeNamesFilter(filter)

    def addItemAttributeFilter(self, attributeName: str, attributeValue: Any = "", include: bool = True) -> None:
        """Show (or hide) items with an attribute, and with this value unless it is ""."""
        self.sortFilterProxyModel().addItemAttributeFilter(attributeName, attributeValue, include)

    def removeItemAttributeFilter(self, attributeName: str, *rest: Any) -> None:
        """Undo ``addItemAttributeFilter``, by name and ``include``, or by name, value and ``include``."""
        self.sortFilterProxyModel().removeItemAttributeFilter(attributeName, *rest)

    def addNodeAttributeFilter(self, attributeName: str, attributeValue: Any = "", include: bool = True, className: str = "") -> None:
        """Show (or hide) nodes with an attribute, and with this value unless it is "", among those of a class."""
        self.sortFilterProxyModel().addNodeAttributeFilter(attributeName, attributeValue, include, className)

    def removeNodeAttributeFilter(self, attributeName: str, *rest: Any) -> None:
        """Undo ``addNodeAttributeFilter``, by name and ``include``, or by name, value, ``include`` and class."""
        self.sortFilterProxyModel().removeNodeAttributeFilter(attributeName, *rest)
