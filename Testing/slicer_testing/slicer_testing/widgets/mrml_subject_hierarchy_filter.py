"""The filter of the items of the subject hierarchy that a widget shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import slicer
from PySide6.QtCore import QModelIndex, QObject, QSortFilterProxyModel, Qt

from slicer_testing.application.subject_hierarchy import children
from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.mrml_subject_hierarchy_items import is_group

_EXCLUDE = slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyExcludeFromTreeAttributeName()


@dataclass(frozen=True)
class _AttributeRule:
    """A condition that shows or hides items or nodes with an attribute, and with this value unless it is ""."""

    name: str
    value: str = ""
    include: bool = True
    class_name: str = ""

    def fits(self, value: str | None) -> bool:
        return value is not None and self.value in ("", value)


@slicer_widget
class qMRMLSortFilterSubjectHierarchyProxyModel(QSortFilterProxyModel):
    """Filters items by node class, attributes, level and name.

    An item that does not meet the filters is still shown, but not selectable, if an item below it meets them.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setDynamicSortFilter(True)
        self.setRecursiveFilteringEnabled(True)
        self._node_types: list[str] = []
        self._hidden_types: list[str] = []
        self._levels: list[str] = []
        self._name = ""
        self._item_rules: list[_AttributeRule] = []
        self._node_rules: list[_AttributeRule] = []
        self._show_empty = True
        self._affiliated = 0

    # -- conditions

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex) -> bool:
        """Return whether an item itself meets the filters; Qt adds the items above it."""
        model = self.sourceModel()
        return self._accepts(model._item(model.index(source_row, 0, source_parent)))

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Return the flags of an item; only items that themselves meet the filters can be selected."""
        flags = super().flags(index)
        return flags if self._accepts(self.subjectHierarchyItemFromIndex(index)) else flags & ~Qt.ItemFlag.ItemIsSelectable

    def _accepts(self, item: int) -> bool:
        hierarchy = self.subjectHierarchyNode()
        if not item or hierarchy is None or item == hierarchy.GetSceneItemID():
            return True
        if self._affiliated and not self.sourceModel().isAffiliatedItem(item, self._affiliated):
            return False
        return not self._excluded(hierarchy, item) and self._fits(hierarchy, item)

    def _excluded(self, hierarchy: Any, item: int) -> bool:
        """Return whether an item, or one above it, is hidden with its branch; so are segments of a hidden segmentation."""
        node = hierarchy.GetItemDataNode(item)
        if node is not None and (node.GetHideFromEditors() or node.GetAttribute(_EXCLUDE)):
            return True
        above = hierarchy.GetItemParent(item)
        if not above or above == hierarchy.GetSceneItemID():
            return False
        if hierarchy.IsItemVirtualBranchParent(above) and not self._fits(hierarchy, above):
            return True
        return self._excluded(hierarchy, above)

    def _fits(self, hierarchy: Any, item: int) -> bool:
        """Return whether an item itself meets the conditions on its level, name, attributes and node."""
        if self._levels and hierarchy.GetItemLevel(item) not in self._levels:
            return False
        if self._name and self._name.lower() not in hierarchy.GetItemName(item).lower():
            return False
        if not self._show_empty and is_group(hierarchy, item):
            return False
        rules = [
            (rule, hierarchy.GetItemAttribute(item, rule.name) if hierarchy.HasItemAttribute(item, rule.name) else None)
            for rule in self._item_rules
        ]
        return _passes(rules) and self._node_fits(hierarchy.GetItemDataNode(item))

    def _node_fits(self, node: Any) -> bool:
        if node is None:
            # Node types do not apply to folders, but a required attribute of a node excludes them.
            return not any(rule.include for rule in self._node_rules)
        if self._node_types and not any(node.IsA(name) for name in self._node_types):
            return False
        if any(node.IsA(name) for name in self._hidden_types):
            return False
        return _passes(
            [
                (rule, node.GetAttribute(rule.name) if not rule.class_name or node.IsA(rule.class_name) else None)
                for rule in self._node_rules
            ]
        )

    def _change(self, name: str, value: Any) -> None:
        if getattr(self, name) != value:
            self.beginFilterChange()
            setattr(self, name, value)
            self.endFilterChange()

    # -- items

    def mrmlScene(self) -> Any:
        """Return the scene whose items are shown."""
        return self.sourceModel().mrmlScene()

    def subjectHierarchyNode(self) -> Any:
        """Return the node that holds the items."""
        return self.sourceModel()._hierarchy()

    def subjectHierarchySceneIndex(self) -> QModelIndex:
        """Return the index of the scene, above all items."""
        hierarchy = self.subjectHierarchyNode()
        return QModelIndex() if hierarchy is None else self.indexFromSubjectHierarchyItem(hierarchy.GetSceneItemID())

    def subjectHierarchyItemFromIndex(self, index: QModelIndex) -> int:
        """Return the item of an index; 0 if it has none."""
        return self.sourceModel()._item(self.mapToSource(index))

    def indexFromSubjectHierarchyItem(self, itemID: int, column: int = 0) -> QModelIndex:
        """Return the index of an item; invalid if it is not shown."""
        return self.mapFromSource(self.sourceModel()._index(itemID, column))

    def acceptedItemCount(self, rootItemID: int = 0) -> int:
        """Return the number of shown items below an item, by default the scene."""
        hierarchy = self.subjectHierarchyNode()
        if hierarchy is None:
            return 0
        below = children(hierarchy, rootItemID or hierarchy.GetSceneItemID(), recursive=True)
        return sum(self.indexFromSubjectHierarchyItem(item).isValid() for item in below)

    # -- filters

    def nodeTypes(self) -> list[str]:
        """Return the classes of the nodes that are shown; none means all."""
        return list(self._node_types)

    def setNodeTypes(self, types: list[str]) -> None:
        """Show nodes of these classes."""
        self._change("_node_types", list(types))

    def hideChildNodeTypes(self) -> list[str]:
        """Return the classes of nodes that are not shown."""
        return list(self._hidden_types)

    def setHideChildNodeTypes(self, types: list[str]) -> None:
        """Hide nodes of these classes."""
        self._change("_hidden_types", list(types))

    def levelFilter(self) -> list[str]:
        """Return the levels of the items that are shown; none means all."""
        return list(self._levels)

    def setLevelFilter(self, filter: list[str]) -> None:
        """Show items of these levels, such as "Folder"."""
        self._change("_levels", list(filter))

    def nameFilter(self) -> str:
        """Return the text that the names of shown items contain."""
        return self._name

    def setNameFilter(self, filter: str) -> None:
        """Show items whose names contain a text, ignoring case."""
        self._change("_name", filter or "")

    def showEmptyHierarchyItems(self) -> bool:
        """Return whether folders without shown items are shown."""
        return self._show_empty

    def setShowEmptyHierarchyItems(self, show: bool) -> None:
        """Show folders without shown items."""
        self._change("_show_empty", bool(show))

    def hideItemsUnaffiliatedWithItemID(self) -> int:
        """Return the item whose branch is shown exclusively; 0 for all."""
        return self._affiliated

    def setHideItemsUnaffiliatedWithItemID(self, itemID: int) -> None:
        """Show one branch and the items above it."""
        self._change("_affiliated", itemID)

    def addItemAttributeFilter(self, attributeName: str, attributeValue: Any = "", include: bool = True) -> None:
        """Show (or hide) items with an attribute, and with this value unless it is ""."""
        self._add("_item_rules", _AttributeRule(attributeName, _text(attributeValue), bool(include)))

    def removeItemAttributeFilter(self, attributeName: str, *rest: Any) -> None:
        """Undo ``addItemAttributeFilter``, by name and ``include``, or by name, value and ``include``."""
        self._drop("_item_rules", attributeName, rest)

    def addNodeAttributeFilter(self, attributeName: str, attributeValue: Any = "", include: bool = True, className: str = "") -> None:
        """Show (or hide) nodes with an attribute, and with this value unless it is "", among those of a class."""
        self._add("_node_rules", _AttributeRule(attributeName, _text(attributeValue), bool(include), className or ""))

    def removeNodeAttributeFilter(self, attributeName: str, *rest: Any) -> None:
        """Undo ``addNodeAttributeFilter``, by name and ``include``, or by name, value, ``include`` and class."""
        self._drop("_node_rules", attributeName, rest)

    def _add(self, rules: str, rule: _AttributeRule) -> None:
        if rule not in getattr(self, rules):
            self._change(rules, [*getattr(self, rules), rule])

    def _drop(self, rules: str, name: str, rest: tuple) -> None:
        if len(rest) == 1:
            self._change(rules, [rule for rule in getattr(self, rules) if (rule.name, rule.include) != (name, bool(rest[0]))])
        elif len(rest) > 1:
            gone = _AttributeRule(name, _text(rest[0]), bool(rest[1]), *rest[2:])
            self._change(rules, [rule for rule in getattr(self, rules) if rule != gone])
        else:
            raise ValueError("removing an attribute filter needs its include flag")

    def _names(self, rules: str, include: bool) -> list[str]:
        return [rule.name for rule in getattr(self, rules) if rule.include == include]

    def _set_names(self, rules: str, include: bool, names: list[str]) -> None:
        kept = [rule for rule in getattr(self, rules) if rule.include != include]
        self._change(rules, kept + [_AttributeRule(name, include=include) for name in names])

    def includeItemAttributeNamesFilter(self) -> list[str]:
        """Return the attributes of which an item must have at least one."""
        return self._names("_item_rules", True)

    def setIncludeItemAttributeNamesFilter(self, filter: list[str]) -> None:
        """Show only items with one of these attributes."""
        self._set_names("_item_rules", True, filter)

    def excludeItemAttributeNamesFilter(self) -> list[str]:
        """Return the attributes that items must not have."""
        return self._names("_item_rules", False)

    def setExcludeItemAttributeNamesFilter(self, filter: list[str]) -> None:
        """Hide items with one of these attributes."""
        self._set_names("_item_rules", False, filter)

    def includeNodeAttributeNamesFilter(self) -> list[str]:
        """Return the attributes of which a node must have at least one."""
        return self._names("_node_rules", True)

    def setIncludeNodeAttributeNamesFilter(self, filter: list[str]) -> None:
        """Show only nodes with one of these attributes."""
        self._set_names("_node_rules", True, filter)

    def excludeNodeAttributeNamesFilter(self) -> list[str]:
        """Return the attributes that nodes must not have."""
        return self._names("_node_rules", False)

    def setExcludeNodeAttributeNamesFilter(self, filter: list[str]) -> None:
        """Hide nodes with one of these attributes."""
        self._set_names("_node_rules", False, filter)

    def attributeNameFilter(self) -> str:
        """Return the attribute that items must have, "" for none."""
        return self._item_rules[0].name if self._item_rules else ""

    def setAttributeNameFilter(self, filter: str) -> None:
        """Show only items with an attribute; this replaces all other conditions on attributes of items."""
        self._change("_item_rules", [_AttributeRule(filter)] if filter else [])

    def attributeValueFilter(self) -> str:
        """Return the value that the attribute of ``attributeNameFilter`` must have, "" for any."""
        return self._item_rules[0].value if self._item_rules else ""

    def setAttributeValueFilter(self, filter: str) -> None:
        """Set the value for ``attributeNameFilter``, which must be set first."""
        if len(self._item_rules) == 1:
            self._change("_item_rules", [replace(self._item_rules[0], value=_text(filter))])


def _passes(rules: list[tuple[_AttributeRule, str | None]]) -> bool:
    """Return whether no excluding condition holds and, if there are including conditions, at least one of them does."""
    if any(rule.fits(value) for rule, value in rules if not rule.include):
        return False
    including = [rule.fits(value) for rule, value in rules if rule.include]
    return not including or any(including)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
