"""Makes and keeps the widgets of one class of view nodes."""

from __future__ import annotations

from xml.etree import ElementTree

import slicer
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget
from vtkmodules.vtkCommonCore import vtkCollection

from slicer_testing.registry import slicer_widget
from slicer_testing.views.annotations import SliceAnnotations
from slicer_testing.views.plot_widget import qMRMLPlotWidget
from slicer_testing.views.slice_widget import qMRMLSliceWidget
from slicer_testing.views.table_view import qMRMLTableWidget
from slicer_testing.views.threed_widget import qMRMLThreeDWidget
from slicer_testing.views.view_widget import nodes_of

WIDGETS = {
    "vtkMRMLSliceNode": (qMRMLSliceWidget, "qMRMLSliceWidget"),
    "vtkMRMLViewNode": (qMRMLThreeDWidget, "ThreeDWidget"),
    "vtkMRMLTableViewNode": (qMRMLTableWidget, "qMRMLTableWidget"),
    "vtkMRMLPlotViewNode": (qMRMLPlotWidget, "qMRMLPlotWidget"),
}
"""Widget of each class of view nodes, and the beginning of its object name."""


@slicer_widget
class ctkLayoutViewFactory(QObject):
    """Provides widgets for the elements of a layout description.

    Args:
        parent: parent object.
    """

    def _views(self, element: ElementTree.Element) -> list[QWidget]:
        """Return the widgets of an element; an empty list if this factory has none."""
        return []


@slicer_widget
class qSlicerSingletonViewFactory(ctkLayoutViewFactory):
    """Provides one widget for the factory's tag in a layout.

    Args:
        parent: parent object.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._widget: QWidget | None = None
        self._tag = ""

    def widget(self) -> QWidget | None:
        """Return the widget."""
        return self._widget

    def setWidget(self, widget: QWidget | None) -> None:
        """Set the widget."""
        self._widget = widget

    def tagName(self) -> str:
        """Return the tag of the widget in a layout."""
        return self._tag

    def setTagName(self, tag: str) -> None:
        """Set the tag of the widget in a layout."""
        self._tag = tag

    def _views(self, element: ElementTree.Element) -> list[QWidget]:
        return [self._widget] if element.tag == self._tag and self._widget is not None else []


@slicer_widget
class qMRMLLayoutViewFactory(ctkLayoutViewFactory):
    """Provides the widgets of one class of view nodes, one for each node.

    Args:
        view_class: name of the class of nodes.
        manager: layout manager whose viewport holds the widgets.
    """

    viewCreated = Signal(QWidget)
    activeViewNodeChanged = Signal(object)

    def __init__(self, view_class: str, manager: QObject) -> None:
        super().__init__(manager)
        self._class_name = view_class
        self._manager = manager
        self._scene: slicer.vtkMRMLScene | None = None
        self._shown: list[tuple[slicer.vtkMRMLAbstractViewNode, QWidget]] = []
        self._logics = vtkCollection()
        # Whether a view that is made now is added to those that the application has started with.
        self._later = False

    def viewClassName(self) -> str:
        """Return the class of nodes."""
        return self._class_name

    def layoutManager(self) -> QObject:
        """Return the layout manager that uses the widgets."""
        return self._manager

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        """Return the scene."""
        return self._scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Show the view nodes of another scene."""
        if scene is self._scene:
            return
        for node, _ in list(self._shown):
            self.onViewNodeRemoved(node)
        self._scene = scene
        self._later = False
        self.onSceneModified()

    def viewCount(self) -> int:
        """Return the number of widgets."""
        return len(self._shown)

    def viewWidget(self, which: int | str | slicer.vtkMRMLAbstractViewNode) -> QWidget | None:
        """Return a widget by its index, by the layout name of its node, or by the node."""
        if isinstance(which, int):
            return self._shown[which][1] if 0 <= which < len(self._shown) else None
        for node, widget in self._shown:
            if which is node or (isinstance(which, str) and node.GetLayoutName() == which):
                return widget
        return None

    def viewWidgetByLayoutLabel(self, label: str) -> QWidget | None:
        """Return a widget by the short name in its bar."""
        return next((widget for node, widget in self._shown if node.GetLayoutLabel() == label), None)

    def onSceneModified(self) -> None:
        """Add and remove widgets so that each view node of the scene has one."""
        nodes = nodes_of(self._scene, self._class_name)
        for node, _ in list(self._shown):
            if node not in nodes:
                self.onViewNodeRemoved(node)
        for node in nodes:
            self.onViewNodeAdded(node)

    def onViewNodeAdded(self, node: slicer.vtkMRMLAbstractViewNode) -> None:
        """Make the widget of a node, unless the node belongs to a layout of its own."""
        # Exactly this class: a 3D view node is the base of other classes. A view without a name crashes displayable managers.
        if node.GetClassName() != self._class_name or not node.GetLayoutName():
            return
        if node.GetParentLayoutNode() is not None or self.viewWidget(node) is not None:
            return
        kind, prefix = WIDGETS[self._class_name]
        widget = kind(self._manager.viewport())
        widget.setObjectName(f"{prefix}{node.GetLayoutName()}")
        widget.setMRMLScene(self._scene)
        widget.setMRMLAbstractViewNode(node)
        if isinstance(widget, qMRMLSliceWidget):
            widget.setSliceLogics(self._logics)
            SliceAnnotations(widget)
            if self._later:
                # The application's slider of a new view starts at 0, and says so when it is shown.
                QTimer.singleShot(0, widget, lambda: widget.sliceController().setSliceOffsetValue(0.0))
        if isinstance(widget, qMRMLSliceWidget | qMRMLThreeDWidget):
            self._logics.AddItem(widget.logic())
        widget.hide()
        self._shown.append((node, widget))
        self.viewCreated.emit(widget)

    def onViewNodeRemoved(self, node: slicer.vtkMRMLAbstractViewNode) -> None:
        """Remove the widget of a node."""
        widget = self.viewWidget(node)
        if widget is None:
            return
        self._shown = [(other, shown) for other, shown in self._shown if other is not node]
        if isinstance(widget, qMRMLSliceWidget | qMRMLThreeDWidget):
            self._logics.RemoveItem(widget.logic())
        widget.setMRMLAbstractViewNode(None)
        widget.setMRMLScene(None)
        widget.setParent(None)
        widget.deleteLater()

    def _names(self) -> list[str]:
        return [node.GetLayoutName() for node, _ in self._shown]

    def _views(self, element: ElementTree.Element) -> list[QWidget]:
        if element.tag != "view" or element.get("class") != self._class_name:
            return []
        if element.get("multiple", "false") == "true":
            return [widget for _, widget in self._shown]
        tag = element.get("singletontag")
        return [widget for node, widget in self._shown if tag in (node.GetSingletonTag(), node.GetLayoutName())][:1]
