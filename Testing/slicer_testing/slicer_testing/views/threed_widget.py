"""A 3D view with its bar."""

from __future__ import annotations

import slicer
from PySide6.QtWidgets import QWidget
from vtkmodules.vtkCommonCore import vtkCollection

from slicer_testing.registry import slicer_widget
from slicer_testing.views.displayable_managers import application_logic
from slicer_testing.views.threed_view import qMRMLThreeDView
from slicer_testing.views.view_widget import nodes_of, qMRMLAbstractViewWidget, qMRMLViewControllerBar

LIGHT_BLUE = (0.7568627450980392, 0.7647058823529412, 0.9098039215686275), (0.4549019607843137, 0.4705882352941176, 0.7450980392156863)


@slicer_widget
class qMRMLThreeDViewControllerWidget(qMRMLViewControllerBar):
    """The bar of a 3D view: centre, spin, box and labels.

    Args:
        parent: parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view: qMRMLThreeDView | None = None
        # This bar shows all its options, so it needs no button for more.
        self._pin.setVisible(False)
        self._center = self._button("CenterButton", "center", "Centre the view on the scene")
        self._center.clicked.connect(self._center_view)
        self._link = self._button("ViewLinkButton", "link", "Move the cameras of all 3D views together", checkable=True)
        self._link.clicked.connect(self.setViewLink)
        self._box = self._button("BoxButton", "box", "Show the box around the scene", checkable=True)
        self._box.clicked.connect(self._show_box)
        for place, button in enumerate((self._center, self._link, self._box), 2):
            self._bar_layout.insertWidget(place, button)

    def setThreeDView(self, view: qMRMLThreeDView) -> None:
        """Set the view that the bar belongs to."""
        self._view = view

    def mrmlThreeDViewNode(self) -> slicer.vtkMRMLViewNode | None:
        """Return the node of the view."""
        return self._view_node

    def resetFocalPoint(self) -> None:
        """Set the focal point to the centre of the scene."""
        if self._view is not None:
            self._view.resetFocalPoint()

    def lookFromAxis(self, axis: int) -> None:
        """View the scene from a side, as numbered by ctkAxesWidget."""
        if self._view is not None:
            self._view.lookFromViewAxis(axis)

    def zoomIn(self) -> None:
        """Move the camera one step closer."""
        if self._view is not None:
            self._view.zoomIn()

    def zoomOut(self) -> None:
        """Move the camera one step back."""
        if self._view is not None:
            self._view.zoomOut()

    def set3DAxisVisible(self, visible: bool) -> None:
        """Show or hide the box."""
        self._change("SetBoxVisible", bool(visible))

    def set3DAxisLabelVisible(self, visible: bool) -> None:
        """Show or hide the letters at the box."""
        self._change("SetAxisLabelsVisible", bool(visible))

    def setUseDepthPeeling(self, enabled: bool) -> None:
        """Sort translucent surfaces by depth."""
        self._change("SetUseDepthPeeling", int(enabled))

    def setOrthographicModeEnabled(self, enabled: bool) -> None:
        """Use orthographic projection, without perspective."""
        kinds = slicer.vtkMRMLViewNode
        self._change("SetRenderMode", kinds.Orthographic if enabled else kinds.Perspective)

    def setOrientationMarkerType(self, kind: int) -> None:
        """Set the orientation marker: none, cube, human or axes."""
        self._change("SetOrientationMarkerType", kind)

    def setOrientationMarkerSize(self, size: int) -> None:
        """Set the size of the orientation marker."""
        self._change("SetOrientationMarkerSize", size)

    def setRulerType(self, kind: int) -> None:
        """Set the ruler: none, thin or thick."""
        self._change("SetRulerType", kind)

    def setRulerColor(self, color: int) -> None:
        """Set the ruler's colour: white, black or yellow."""
        self._change("SetRulerColor", color)

    def setViewLink(self, linked: bool) -> None:
        """Link or unlink the cameras of all 3D views."""
        for node in nodes_of(self._scene, "vtkMRMLViewNode"):
            node.SetLinkedControl(bool(linked))

    def spinView(self, enabled: bool) -> None:
        """Start or stop spinning."""
        kinds = slicer.vtkMRMLViewNode
        self._change("SetAnimationMode", kinds.Spin if enabled else kinds.Off)

    def setBlackBackground(self) -> None:
        """Set a black background."""
        self._set_background((0, 0, 0), (0, 0, 0))

    def setWhiteBackground(self) -> None:
        """Set a white background."""
        self._set_background((1, 1, 1), (1, 1, 1))

    def setLightBlueBackground(self) -> None:
        """Set Slicer's light blue background."""
        self._set_background(*LIGHT_BLUE)

    def _set_background(self, lower: tuple[float, float, float], upper: tuple[float, float, float]) -> None:
        self._change("SetBackgroundColor", *lower)
        self._change("SetBackgroundColor2", *upper)

    def _change(self, setter: str, *values: object) -> None:
        if self._view_node is not None:
            getattr(self._view_node, setter)(*values)

    def _center_view(self) -> None:
        self.resetFocalPoint()

    def _show_box(self, visible: bool) -> None:
        self.set3DAxisVisible(visible)
        self.set3DAxisLabelVisible(visible)

    def _update_from_node(self) -> None:
        super()._update_from_node()
        if self._view_node is not None:
            self._link.setChecked(bool(self._view_node.GetLinkedControl()))
            self._box.setChecked(bool(self._view_node.GetBoxVisible()))


@slicer_widget
class qMRMLThreeDWidget(qMRMLAbstractViewWidget):
    """A 3D view with its bar.

    Args:
        parent: parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = slicer.vtkMRMLViewLogic()
        self._set_up(qMRMLThreeDViewControllerWidget(self), qMRMLThreeDView(self))
        self._controller.setThreeDView(self._view)

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Set the scene of the view, the bar and the logic."""
        if scene is self._scene:
            return
        if application_logic() is not None:
            self._logic.SetMRMLApplicationLogic(application_logic())
        self._logic.SetMRMLScene(scene)
        super().setMRMLScene(scene)

    def setMRMLViewNode(self, node: slicer.vtkMRMLViewNode | None) -> None:
        """Show a 3D view node."""
        self._view.setMRMLViewNode(node)
        self._controller._set_view_node(node)
        if node is not None and self._logic.GetViewNode() is None and self._scene is not None:
            self._logic.AddViewNode(node.GetLayoutName())

    def setMRMLAbstractViewNode(self, node: slicer.vtkMRMLAbstractViewNode | None) -> None:
        """Show a 3D view node; a node of another class is ignored."""
        self.setMRMLViewNode(node if isinstance(node, slicer.vtkMRMLViewNode) else None)

    def mrmlViewNode(self) -> slicer.vtkMRMLViewNode | None:
        """Return the node that is shown."""
        return self._view.mrmlViewNode()

    def threeDView(self) -> qMRMLThreeDView:
        """Return the view."""
        return self._view

    def threeDController(self) -> qMRMLThreeDViewControllerWidget:
        """Return the bar."""
        return self._controller

    def viewLogic(self) -> slicer.vtkMRMLViewLogic:
        """Return the view's logic."""
        return self._logic

    def logic(self) -> slicer.vtkMRMLViewLogic:
        """Return the view's logic."""
        return self._logic

    def getDisplayableManagers(self, managers: vtkCollection) -> None:
        """Add the managers of this view to a collection."""
        self._view.getDisplayableManagers(managers)
