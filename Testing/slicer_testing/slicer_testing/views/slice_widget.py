"""A slice view with its bar."""

from __future__ import annotations

import slicer
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget
from vtkmodules.vtkCommonCore import vtkCollection
from vtkmodules.vtkCommonExecutionModel import vtkAlgorithmOutput
from vtkmodules.vtkRenderingAnnotation import vtkCornerAnnotation
from vtkmodules.vtkRenderingCore import vtkInteractorObserver

from slicer_testing.registry import slicer_widget
from slicer_testing.views.slice_controller import qMRMLSliceControllerWidget
from slicer_testing.views.slice_view import qMRMLSliceView
from slicer_testing.views.view_widget import qMRMLAbstractViewWidget


@slicer_widget
class qMRMLSliceWidget(qMRMLAbstractViewWidget):
    """A slice view with its bar.

    Args:
        parent: parent widget.
    """

    nodeAboutToBeEdited = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._set_up(qMRMLSliceControllerWidget(self), qMRMLSliceView(self))
        self._view.interactorObserver().SetSliceLogic(self._controller.sliceLogic())
        self._view.resized.connect(self._controller.setSliceViewSize)
        self._controller.imageDataConnectionChanged.connect(self._view.setImageDataConnection)
        # Queued, since the logic emits several events in one change.
        self._controller.renderRequested.connect(self._view.scheduleRender, Qt.ConnectionType.QueuedConnection)
        self._controller.nodeAboutToBeEdited.connect(self.nodeAboutToBeEdited)

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Set the scene of the view, the bar and the logic."""
        if scene is self._scene:
            return
        self._observations.drop(self._scene)
        super().setMRMLScene(scene)
        if scene is not None:
            self._observations.add(scene, scene.EndBatchProcessEvent, self._fit_slice)

    def setMRMLSliceNode(self, node: slicer.vtkMRMLSliceNode | None) -> None:
        """Show a slice."""
        self._view.setMRMLSliceNode(node)
        self._controller.setMRMLSliceNode(node)
        self._fit_slice()

    def setMRMLAbstractViewNode(self, node: slicer.vtkMRMLAbstractViewNode | None) -> None:
        """Show a slice; a node of another class is ignored."""
        self.setMRMLSliceNode(node if isinstance(node, slicer.vtkMRMLSliceNode) else None)

    def mrmlSliceNode(self) -> slicer.vtkMRMLSliceNode | None:
        """Return the slice."""
        return self._controller.mrmlSliceNode()

    def mrmlSliceCompositeNode(self) -> slicer.vtkMRMLSliceCompositeNode | None:
        """Return the node with the volumes that the slice shows."""
        return self._controller.mrmlSliceCompositeNode()

    def sliceView(self) -> qMRMLSliceView:
        """Return the view."""
        return self._view

    def sliceController(self) -> qMRMLSliceControllerWidget:
        """Return the bar."""
        return self._controller

    def sliceLogic(self) -> slicer.vtkMRMLSliceLogic:
        """Return the slice's logic."""
        return self._controller.sliceLogic()

    def logic(self) -> slicer.vtkMRMLSliceLogic:
        """Return the slice's logic."""
        return self._controller.sliceLogic()

    def setSliceLogics(self, logics: vtkCollection) -> None:
        """Set the logics of all slice views."""
        self._controller.setSliceLogics(logics)

    def interactorStyle(self) -> vtkInteractorObserver:
        """Return the interactor's style."""
        return self._view.interactorStyle()

    def overlayCornerAnnotation(self) -> vtkCornerAnnotation:
        """Return the texts in the corners of the view."""
        return self._view.cornerAnnotation()

    def imageDataConnection(self) -> vtkAlgorithmOutput | None:
        """Return the source of the blended image."""
        return self._controller.imageDataConnection()

    def setImageDataConnection(self, connection: vtkAlgorithmOutput | None) -> None:
        """Set the source of the blended image."""
        self._controller.setImageDataConnection(connection)

    def fitSliceToBackground(self) -> None:
        """Fit the view to the lowest volume."""
        self._controller.fitSliceToBackground()

    def sliceOrientation(self) -> str:
        """Return the name of the slice's orientation."""
        return self._controller.sliceOrientation()

    def setSliceOrientation(self, orientation: str) -> None:
        """Set the orientation of the slice."""
        self._controller.setSliceOrientation(orientation)

    def sliceViewName(self) -> str:
        """Return the layout's name of the view."""
        return self._controller.sliceViewName()

    def sliceViewLabel(self) -> str:
        """Return the short name in the bar."""
        return self._controller.sliceViewLabel()

    def setSliceViewLabel(self, label: str) -> None:
        """Set the short name in the bar."""
        self._controller.setSliceViewLabel(label)

    def sliceViewColor(self) -> QColor:
        """Return the bar's colour."""
        return self._controller.sliceViewColor()

    def setSliceViewColor(self, color: QColor) -> None:
        """Set the bar's colour."""
        self._controller.setSliceViewColor(color)

    def _fit_slice(self) -> None:
        """Set the size of the slice to that of the view: closing the scene resets it to its default."""
        self._controller.setSliceViewSize(QSize(*self._view.renderWindow().GetSize()))
