"""The picture of a slice: the blended image of the slice's logic below what the displayable managers draw."""

from __future__ import annotations

import slicer
from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QWidget
from vtkmodules.vtkCommonCore import vtkCollection
from vtkmodules.vtkCommonExecutionModel import vtkAlgorithmOutput
from vtkmodules.vtkRenderingCore import vtkActor2D, vtkImageMapper

from slicer_testing.registry import slicer_widget
from slicer_testing.views.abstract_view import ctkVTKAbstractView
from slicer_testing.views.displayable_managers import make_group, slice_factory


@slicer_widget
class ctkVTKSliceView(ctkVTKAbstractView):
    """Shows an image pixel by pixel.

    Args:
        parent: widget that this one lies in.
    """

    resized = Signal(QSize)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mapper = vtkImageMapper()
        # The slice's logic has already turned values into colours.
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._image = vtkActor2D()
        self._image.SetMapper(self._mapper)
        # Behind the annotations and all that displayable managers draw.
        self._image.GetProperty().SetDisplayLocationToBackground()
        self._renderer.AddViewProp(self._image)
        self._image.SetVisibility(False)

    def setImageDataConnection(self, connection: vtkAlgorithmOutput | None) -> None:
        """Show the image that comes out of a pipeline; none for None."""
        if connection is not None and self._mapper.GetNumberOfInputConnections(0) and self._mapper.GetInputConnection(0, 0) == connection:
            return
        if connection is None:
            self._mapper.RemoveAllInputConnections(0)
        else:
            self._mapper.SetInputConnection(connection)
        self._image.SetVisibility(connection is not None)
        self.scheduleRender()

    def colorWindow(self) -> float:
        """Width of the range of values that is shown."""
        return self._mapper.GetColorWindow()

    def setColorWindow(self, window: float) -> None:
        """Set the width of the range of values that is shown."""
        self._mapper.SetColorWindow(window)
        self.scheduleRender()

    def colorLevel(self) -> float:
        """Middle of the range of values that is shown."""
        return self._mapper.GetColorLevel()

    def setColorLevel(self, level: float) -> None:
        """Set the middle of the range of values that is shown."""
        self._mapper.SetColorLevel(level)
        self.scheduleRender()

    def resetCamera(self) -> None:
        """Show everything that is in the view."""
        self._renderer.ResetCamera()
        self.scheduleRender()

    def _on_size_changed(self, size: QSize) -> None:
        self.resized.emit(size)


@slicer_widget
class qMRMLSliceView(ctkVTKSliceView):
    """The picture of a slice node, with Slicer's displayable managers drawing into it and handling the mouse.

    Args:
        parent: widget that this one lies in.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None
        self._node: slicer.vtkMRMLSliceNode | None = None
        self._group = make_group(slice_factory(), self._renderer)
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetInteractor(self._interactor)
        self._style.SetDisplayableManagers(self._group)
        self._observations.add(self._group, "UpdateEvent", self.scheduleRender)
        self.setRenderEnabled(False)

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Follow a scene: while it changes as a whole the view waits."""
        if scene is self._scene:
            return
        self._observations.drop(self._scene)
        self._scene = scene
        if scene is not None:
            self._observations.add(scene, scene.StartBatchProcessEvent, self._on_batch_started)
            self._observations.add(scene, scene.EndBatchProcessEvent, self._on_batch_ended)
        self.setRenderEnabled(scene is not None and not scene.IsBatchProcessing())
        if self._node is not None and self._node.GetScene() is not scene:
            self.setMRMLSliceNode(None)

    def setMRMLSliceNode(self, node: slicer.vtkMRMLSliceNode | None) -> None:
        """Show a slice."""
        if node is self._node:
            return
        self._node = node
        self._group.SetMRMLDisplayableNode(node)
        self.setEnabled(node is not None)
        self.scheduleRender()

    def mrmlSliceNode(self) -> slicer.vtkMRMLSliceNode | None:
        """The slice that is shown."""
        return self._node

    def interactorObserver(self) -> slicer.vtkMRMLSliceViewInteractorStyle:
        """What hands the interactor's events to the displayable managers."""
        return self._style

    def sliceViewInteractorStyle(self) -> slicer.vtkMRMLSliceViewInteractorStyle:
        """The old name of `interactorObserver`."""
        return self._style

    def addDisplayableManager(self, name: str) -> None:
        """Let one more manager draw in this view."""
        self._group.AddDisplayableManager(slicer.vtkMRMLDisplayableManagerGroup.InstantiateDisplayableManager(name))

    def getDisplayableManagers(self, managers: vtkCollection) -> None:
        """Add the managers of this view to a collection."""
        for index in range(self._group.GetDisplayableManagerCount()):
            managers.AddItem(self._group.GetNthDisplayableManager(index))

    def displayableManagerByClassName(self, name: str) -> slicer.vtkMRMLAbstractDisplayableManager | None:
        """One manager of this view."""
        return self._group.GetDisplayableManagerByClassName(name)

    def convertDeviceToXYZ(self, xy: list[int]) -> list[float]:
        """Position in the slice of a pixel of the view, counted from the lower left."""
        return self._converted("ConvertDeviceToXYZ", int(xy[0]), int(xy[1]))

    def convertRASToXYZ(self, ras: list[float]) -> list[float]:
        """Position in the slice of a point of the patient."""
        return self._converted("ConvertRASToXYZ", [float(value) for value in ras])

    def convertXYZToRAS(self, xyz: list[float]) -> list[float]:
        """Point of the patient at a position in the slice."""
        return self._converted("ConvertXYZToRAS", [float(value) for value in xyz])

    def _converted(self, conversion: str, *arguments: object) -> list[float]:
        manager = self._group.GetDisplayableManagerByClassName("vtkMRMLCrosshairDisplayableManager")
        result = [0.0, 0.0, 0.0]
        if manager is not None and self._node is not None:
            getattr(manager, conversion)(*arguments, result)
        return result

    def setDefaultViewCursor(self, cursor: QCursor) -> None:
        """Keep one shape of the mouse pointer from now on."""
        self.setViewCursor(cursor)

    def setViewCursor(self, cursor: QCursor) -> None:
        """Keep one shape of the mouse pointer."""
        self._own_cursor = True
        self.setCursor(cursor)

    def unsetViewCursor(self) -> None:
        """Leave the pointer's shape to what is below it again."""
        self._own_cursor = False
        self.unsetCursor()

    def _on_batch_started(self) -> None:
        self.setRenderEnabled(False)

    def _on_batch_ended(self) -> None:
        self._stale = True
        self.setRenderEnabled(True)
