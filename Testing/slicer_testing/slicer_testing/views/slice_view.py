"""The picture of a slice: the blended image of the slice's logic, and above it the output of the displayable managers."""

from __future__ import annotations

import slicer
from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QWidget
from vtkmodules.vtkCommonExecutionModel import vtkAlgorithmOutput
from vtkmodules.vtkRenderingCore import vtkActor2D, vtkImageMapper

from slicer_testing.registry import slicer_widget
from slicer_testing.views.abstract_view import ctkVTKAbstractView
from slicer_testing.views.displayable_managers import slice_factory
from slicer_testing.views.managed_view import ManagedView


@slicer_widget
class ctkVTKSliceView(ctkVTKAbstractView):
    """Shows an image pixel by pixel.

    Args:
        parent: parent widget.
    """

    resized = Signal(QSize)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mapper = vtkImageMapper()
        # The slice's logic has already mapped values to colours.
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._image = vtkActor2D()
        self._image.SetMapper(self._mapper)
        # Behind the annotations and the output of the displayable managers.
        self._image.GetProperty().SetDisplayLocationToBackground()
        self._renderer.AddViewProp(self._image)
        self._image.SetVisibility(False)

    def setImageDataConnection(self, connection: vtkAlgorithmOutput | None) -> None:
        """Set the output of the pipeline that is shown; None shows no image."""
        if connection is not None and self._mapper.GetNumberOfInputConnections(0) and self._mapper.GetInputConnection(0, 0) == connection:
            return
        if connection is None:
            self._mapper.RemoveAllInputConnections(0)
        else:
            self._mapper.SetInputConnection(connection)
        self._image.SetVisibility(connection is not None)
        self.scheduleRender()

    def colorWindow(self) -> float:
        """Return the width of the range of values that is shown."""
        return self._mapper.GetColorWindow()

    def setColorWindow(self, window: float) -> None:
        """Set the width of the range of values that is shown."""
        self._mapper.SetColorWindow(window)
        self.scheduleRender()

    def colorLevel(self) -> float:
        """Return the middle of the range of values that is shown."""
        return self._mapper.GetColorLevel()

    def setColorLevel(self, level: float) -> None:
        """Set the middle of the range of values that is shown."""
        self._mapper.SetColorLevel(level)
        self.scheduleRender()

    def resetCamera(self) -> None:
        """Show the whole image."""
        self._renderer.ResetCamera()
        self.scheduleRender()

    def _on_size_changed(self, size: QSize) -> None:
        self.resized.emit(size)


@slicer_widget
class qMRMLSliceView(ManagedView, ctkVTKSliceView):
    """The picture of a slice node; Slicer's displayable managers draw into it and handle the mouse.

    Args:
        parent: parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._set_up(slice_factory(), slicer.vtkMRMLSliceViewInteractorStyle())

    def setMRMLSliceNode(self, node: slicer.vtkMRMLSliceNode | None) -> None:
        """Show a slice."""
        if node is self._node:
            return
        self._node = node
        self._group.SetMRMLDisplayableNode(node)
        self.setEnabled(node is not None)
        self.scheduleRender()

    def _set_node(self, node: slicer.vtkMRMLSliceNode | None) -> None:
        self.setMRMLSliceNode(node)

    def mrmlSliceNode(self) -> slicer.vtkMRMLSliceNode | None:
        """Return the slice that is shown."""
        return self._node

    def sliceViewInteractorStyle(self) -> slicer.vtkMRMLSliceViewInteractorStyle:
        """Old name of `interactorObserver`."""
        return self._style

    def addDisplayableManager(self, name: str) -> None:
        """Add a displayable manager to this view."""
        self._group.AddDisplayableManager(slicer.vtkMRMLDisplayableManagerGroup.InstantiateDisplayableManager(name))

    def convertDeviceToXYZ(self, xy: list[int]) -> list[float]:
        """Return the position in the slice of a pixel of the view, counted from the lower left."""
        return self._converted("ConvertDeviceToXYZ", int(xy[0]), int(xy[1]))

    def convertRASToXYZ(self, ras: list[float]) -> list[float]:
        """Return the position in the slice of a point of the patient."""
        return self._converted("ConvertRASToXYZ", [float(value) for value in ras])

    def convertXYZToRAS(self, xyz: list[float]) -> list[float]:
        """Return the point of the patient at a position in the slice."""
        return self._converted("ConvertXYZToRAS", [float(value) for value in xyz])

    def _converted(self, conversion: str, *arguments: object) -> list[float]:
        manager = self._group.GetDisplayableManagerByClassName("vtkMRMLCrosshairDisplayableManager")
        result = [0.0, 0.0, 0.0]
        if manager is not None and self._node is not None:
            getattr(manager, conversion)(*arguments, result)
        return result
