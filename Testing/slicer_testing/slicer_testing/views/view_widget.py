"""The base classes of all views with a bar, which has the view's name and buttons."""

from __future__ import annotations

import slicer
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.views.view_icons import bar_icon
from slicer_testing.widgets.mrml_widget import qMRMLWidget

BAR_HEIGHT = 22


def nodes_of(scene: slicer.vtkMRMLScene | None, class_name: str) -> list[slicer.vtkMRMLNode]:
    """Return all nodes of a class in a scene, which need not be the application's."""
    found = scene.GetNodesByClass(class_name) if scene is not None else None
    # The caller owns the returned collection.
    nodes = [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())] if found is not None else []
    if found is not None:
        found.UnRegister(None)
    return nodes


@slicer_widget
class qMRMLViewControllerBar(qMRMLWidget):
    """A thin bar in the view's colour.

    Args:
        parent: parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view_node: slicer.vtkMRMLAbstractViewNode | None = None
        self._color: QColor | None = None
        self._bar = QWidget(self)
        self._bar.setObjectName("BarWidget")
        self._bar.setFixedHeight(BAR_HEIGHT)
        self._bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._bar_layout = QHBoxLayout(self._bar)
        self._bar_layout.setContentsMargins(2, 1, 2, 1)
        self._bar_layout.setSpacing(2)
        self._label = QLabel(self._bar)
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setMinimumWidth(16)
        self._pin = self._button("pin", "options", "Show the view's options", checkable=True)
        self._maximize = self._button("MaximizeViewButton", "maximize", "Show only this view, or all views again")
        self._maximize.clicked.connect(self.maximizeView)
        self._bar_layout.addWidget(self._pin)
        self._bar_layout.addWidget(self._label)
        self._bar_layout.addWidget(self._maximize)
        self._bar_layout.addStretch()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self._bar)

    def barWidget(self) -> QWidget:
        """Return the coloured part of the bar."""
        return self._bar

    def barLayout(self) -> QHBoxLayout:
        """Return the layout of the bar, to which modules add buttons."""
        return self._bar_layout

    def pinButton(self) -> QToolButton:
        """Return the button that opens the options."""
        return self._pin

    def viewLabel(self) -> QLabel:
        """Return the label with the view's short name."""
        return self._label

    def showMaximizeViewButton(self) -> bool:
        """Return whether there is a button that maximises the view."""
        return not self._maximize.isHidden()

    def setShowMaximizeViewButton(self, show: bool) -> None:
        """Show or hide the button that maximises the view."""
        self._maximize.setVisible(bool(show))

    def maximizeView(self) -> None:
        """Show only this view; if it is maximised already, show all views of the layout."""
        if self._view_node is None or self._view_node.GetScene() is None:
            return
        layout = self._view_node.GetScene().GetFirstNodeByClass("vtkMRMLLayoutNode")
        if layout is None:
            return
        if layout.IsMaximizedViewNode(self._view_node):
            layout.RemoveAllMaximizedViewNodes()
        else:
            layout.AddMaximizedViewNode(self._view_node)

    def _button(self, name: str, icon: str, tip: str, checkable: bool = False) -> QToolButton:
        button = QToolButton(self._bar)
        button.setObjectName(name)
        button.setProperty("barIcon", icon)
        button.setIcon(bar_icon(icon, dark=True))
        button.setToolTip(tip)
        button.setCheckable(checkable)
        button.setAutoRaise(True)
        button.setFixedSize(BAR_HEIGHT - 4, BAR_HEIGHT - 4)
        return button

    def _set_view_node(self, node: slicer.vtkMRMLAbstractViewNode | None) -> None:
        if self._view_node is not None:
            self._observations.drop(self._view_node)
        self._view_node = node
        self._observations.add(node, "ModifiedEvent", self._update_from_node)
        self.setEnabled(node is not None)
        self._update_from_node()

    def _update_from_node(self) -> None:
        """Set label and colour to those of the view node."""
        if self._view_node is not None:
            self._label.setText(self._view_node.GetLayoutLabel() or "")
            self._set_color(QColor.fromRgbF(*self._view_node.GetLayoutColor()))

    def _set_color(self, color: QColor) -> None:
        if color == self._color:
            return
        self._color = color
        dark = color.lightnessF() > 0.35
        # Without a style of its own a pressed button could hardly be distinguished from the bar.
        self._bar.setStyleSheet(
            f"#BarWidget {{ background: {color.name()}; }} #BarWidget > QLabel {{ color: {'black' if dark else 'white'}; }}"
            f"#BarWidget > QToolButton {{ border: none; border-radius: 3px; }}"
            f"#BarWidget > QToolButton:hover {{ background: {color.lighter(115).name()}; }}"
            f"#BarWidget > QToolButton:checked {{ background: {color.lighter(140).name()}; }}"
        )
        for button in self._bar.findChildren(QToolButton):
            if button.property("barIcon"):
                button.setIcon(bar_icon(button.property("barIcon"), dark))


@slicer_widget
class qMRMLAbstractViewWidget(qMRMLWidget):
    """A view below its bar.

    Args:
        parent: parent widget.
    """

    def _set_up(self, controller: qMRMLViewControllerBar, view: QWidget) -> None:
        """Lay out the bar above the view."""
        self._controller, self._view = controller, view
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(controller)
        outer.addWidget(view, 1)
        self.mrmlSceneChanged.connect(view.setMRMLScene)
        self.mrmlSceneChanged.connect(controller.setMRMLScene)

    def controllerWidget(self) -> qMRMLViewControllerBar:
        """Return the bar."""
        return self._controller

    def viewWidget(self) -> QWidget:
        """Return the view."""
        return self._view

    def mrmlAbstractViewNode(self) -> slicer.vtkMRMLAbstractViewNode | None:
        """Return the node that is shown."""
        return self._controller._view_node

    def viewLabel(self) -> str:
        """Return the view's short name."""
        return self._controller.viewLabel().text()

    def setViewLabel(self, label: str) -> None:
        """Set the view's short name."""
        node = self.mrmlAbstractViewNode()
        if node is not None:
            node.SetLayoutLabel(label)

    def viewColor(self) -> QColor:
        """Return the bar's colour."""
        node = self.mrmlAbstractViewNode()
        return QColor.fromRgbF(*node.GetLayoutColor()) if node is not None else QColor()

    def setViewColor(self, color: QColor) -> None:
        """Set the bar's colour."""
        node = self.mrmlAbstractViewNode()
        if node is not None:
            node.SetLayoutColor(color.redF(), color.greenF(), color.blueF())

    def setRenderPaused(self, paused: bool) -> None:
        """Pause or resume the view's rendering once; for tables this has no effect."""
        if hasattr(self._view, "setRenderPaused"):
            self._view.setRenderPaused(paused)

    def pauseRender(self) -> None:
        """Pause rendering."""
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        """Undo one `pauseRender`."""
        self.setRenderPaused(False)
