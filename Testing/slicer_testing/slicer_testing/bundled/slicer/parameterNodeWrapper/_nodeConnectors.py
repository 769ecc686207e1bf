"""Connectors of widgets in which a MRML node is chosen."""

from ._guiConnectorBase import SingleSignalConnector, isWidgetOfClass, parameterNodeGuiConnector
from .util import getNodeTypes, isNodeOrUnionOfNodes


@parameterNodeGuiConnector
class qMRMLNodeComboBoxToNodeConnector(SingleSignalConnector):
    """Connects a node selector to a node class or a union of node classes, which become the selector's node types."""

    signalName = "currentNodeChanged"

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return isWidgetOfClass(widget, "qMRMLNodeComboBox") and isNodeOrUnionOfNodes(datatype)

    @staticmethod
    def create(widget, datatype):
        if not qMRMLNodeComboBoxToNodeConnector.canRepresent(widget, datatype):
            return None
        return qMRMLNodeComboBoxToNodeConnector(widget, datatype)

    def __init__(self, widget, datatype):
        super().__init__(widget)
        widget.nodeTypes = getNodeTypes(datatype)

    def read(self):
        return self._widget.currentNode()

    def write(self, value) -> None:
        self._widget.setCurrentNode(value)


@parameterNodeGuiConnector
class qMRMLSubjectHierarchyTreeViewToNodeConnector(SingleSignalConnector):
    """Connects the tree of the subject hierarchy to a node class or a union of node classes."""

    signalName = "currentItemsChanged"

    @staticmethod
    def canRepresent(widget, datatype) -> bool:
        return isWidgetOfClass(widget, "qMRMLSubjectHierarchyTreeView") and isNodeOrUnionOfNodes(datatype)

    @staticmethod
    def create(widget, datatype):
        if not qMRMLSubjectHierarchyTreeViewToNodeConnector.canRepresent(widget, datatype):
            return None
        return qMRMLSubjectHierarchyTreeViewToNodeConnector(widget, datatype)

    def __init__(self, widget, datatype):
        super().__init__(widget)
        widget.nodeTypes = getNodeTypes(datatype)

    def read(self):
        item = self._widget.currentItem()
        hierarchy = self._widget.subjectHierarchyNode()
        # A folder or nothing may be selected: neither is a node.
        return None if item == hierarchy.GetInvalidItemID() else hierarchy.GetItemDataNode(item)

    def write(self, value) -> None:
        if value is None:
            self._widget.clearSelection()
        else:
            self._widget.setCurrentNode(value)
