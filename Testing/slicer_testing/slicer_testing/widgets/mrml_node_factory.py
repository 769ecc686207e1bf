"""Creation of nodes with a base name and attributes, for the node selectors."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal

from slicer_testing.registry import slicer_widget


@slicer_widget
class qMRMLNodeFactory(QObject):
    """Creates nodes of a class in a scene."""

    nodeInstantiated = Signal(object)
    nodeInitialized = Signal(object)
    nodeAdded = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._scene = None
        self._base_names: dict[str, str] = {}
        self._attributes: dict[str, str] = {}

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene that new nodes are added to."""
        self._scene = scene

    def createNode(self, className: str) -> Any:
        """Make a node and add it to the scene.

        ``nodeInstantiated`` is emitted before the node has a name, ``nodeInitialized`` before it is in the scene (a slot may
        add it already), ``nodeAdded`` afterwards.

        Returns:
            The node; None without a scene, or for a class that the scene does not know.
        """
        if self._scene is None or not className:
            return None
        node = self._scene.CreateNodeByClass(className)
        if node is None:
            return None
        node.UnRegister(None)  # CreateNodeByClass returns a reference that its caller owns
        self.nodeInstantiated.emit(node)
        name = self._base_names.get(className) or self._scene.GetTagByClassName(className)
        node.SetName(self._scene.GetUniqueNameByString(name))
        # Before the node is in the scene: a selector that filters by attribute would not show it otherwise.
        for attribute, value in self._attributes.items():
            node.SetAttribute(attribute, value)
        self.nodeInitialized.emit(node)
        if node.GetScene() is None:
            node = self._scene.AddNode(node)
        self.nodeAdded.emit(node)
        return node

    def addAttribute(self, name: str, value: str) -> None:
        """Add an attribute to new nodes."""
        self._attributes[name] = value

    def removeAttribute(self, name: str) -> None:
        """No longer add an attribute to new nodes."""
        self._attributes.pop(name, None)

    def attribute(self, name: str) -> str:
        """Return the value of an attribute of new nodes, "" if there is none."""
        return self._attributes.get(name, "")

    def setBaseName(self, className: str, baseName: str) -> None:
        """Set the beginning of the names of new nodes of a class."""
        self._base_names[className] = baseName

    def baseName(self, className: str) -> str:
        """Return the beginning of the names of new nodes of a class; "" if none was set."""
        return self._base_names.get(className, "")
