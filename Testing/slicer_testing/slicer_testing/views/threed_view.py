"""The picture of a 3D view node, with Slicer's displayable managers."""

from __future__ import annotations

import slicer
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.views.displayable_managers import threed_factory
from slicer_testing.views.managed_view import ManagedView
from slicer_testing.views.render_view import ctkVTKRenderView


@slicer_widget
class qMRMLThreeDView(ManagedView, ctkVTKRenderView):
    """Shows a 3D view node; the camera is a node of the scene, managed by a displayable manager.

    Args:
        parent: parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # A view node replaces these colours by its own.
        default = slicer.vtkMRMLViewNode()
        self.setBackgroundColor(QColor.fromRgbF(*default.GetBackgroundColor()))
        self.setBackgroundColor2(QColor.fromRgbF(*default.GetBackgroundColor2()))
        self.setGradientBackground(True)
        self._set_up(threed_factory(), slicer.vtkMRMLThreeDViewInteractorStyle())

    def setMRMLViewNode(self, node: slicer.vtkMRMLViewNode | None) -> None:
        """Show a 3D view node."""
        if node is self._node:
            return
        self._observations.drop(self._node)
        self._node = node
        self._observations.add(node, "ModifiedEvent", self._update_from_node)
        self._group.SetMRMLDisplayableNode(node)
        self._update_from_node()
        self.setEnabled(node is not None)
        self.scheduleRender()

    def _set_node(self, node: slicer.vtkMRMLViewNode | None) -> None:
        self.setMRMLViewNode(node)

    def mrmlViewNode(self) -> slicer.vtkMRMLViewNode | None:
        """Return the node that is shown."""
        return self._node

    def cameraNode(self) -> slicer.vtkMRMLCameraNode | None:
        """Return the camera of this view."""
        manager = self._group.GetDisplayableManagerByClassName("vtkMRMLCameraDisplayableManager")
        return manager.GetCameraNode() if manager is not None else None

    def rotateToViewAxis(self, axis: int | str) -> None:
        """Rotate the camera to one of six sides: L, R, P, A, I, S by name or 0 to 5.

        Args:
            axis: number, or one of the view node's axis labels.
        """
        camera = self.cameraNode()
        if camera is None or self._node is None:
            raise RuntimeError("the view has no camera yet")
        if isinstance(axis, str):
            labels = [self._node.GetAxisLabel(index) for index in range(6)]
            if axis not in labels:
                raise ValueError(f"{axis} is none of the axis labels {labels}")
            axis = labels.index(axis)
        kinds = slicer.vtkMRMLCameraNode
        camera.RotateTo((kinds.Left, kinds.Right, kinds.Posterior, kinds.Anterior, kinds.Inferior, kinds.Superior)[axis])

    def resetCamera(self, resetRotation: bool = True, resetTranslation: bool = True, resetDistance: bool = True) -> None:
        """Move the camera so that the whole scene is visible."""
        camera = self.cameraNode()
        if camera is not None:
            camera.Reset(resetRotation, resetTranslation, resetDistance, self._renderer)

    def resetFocalPoint(self) -> None:
        """Set the focal point to the centre of the scene, without the box and its labels, and fit the box to the scene."""
        node = self._node
        if node is None:
            super().resetFocalPoint()
            return
        shown = node.GetBoxVisible(), node.GetAxisLabelsVisible()
        was_modifying = node.StartModify()
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)
        node.EndModify(was_modifying)
        super().resetFocalPoint()
        was_modifying = node.StartModify()
        node.SetBoxVisible(shown[0])
        node.SetAxisLabelsVisible(shown[1])
        node.EndModify(was_modifying)
        node.InvokeEvent(slicer.vtkMRMLViewNode.ResetFocalPointRequestedEvent)

    def lookFromViewAxis(self, axis: int) -> None:
        """View the scene from a side, as numbered by ctkAxesWidget, with the view node's field of view."""
        if self._node is not None:
            self.lookFromAxis(axis, self._node.GetFieldOfView())

    def _update_from_node(self) -> None:
        node = self._node
        if node is None:
            return
        self.setAnimationIntervalMs(node.GetAnimationMs())
        self.setPitchRollYawIncrement(node.GetRotateDegrees())
        self.setSpinIncrement(node.GetSpinDegrees())
        self.setSpinEnabled(node.GetAnimationMode() == node.Spin)
        self.setUseDepthPeeling(bool(node.GetUseDepthPeeling()))
