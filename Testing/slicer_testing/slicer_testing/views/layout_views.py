"""The views of a layout manager, by name, index or node."""

from __future__ import annotations

import slicer
from PySide6.QtWidgets import QWidget
from vtkmodules.vtkCommonCore import vtkCollection
from vtkmodules.vtkRenderingCore import vtkRenderer

from slicer_testing.random_order import in_random_order
from slicer_testing.views.plot_widget import qMRMLPlotWidget
from slicer_testing.views.slice_widget import qMRMLSliceWidget
from slicer_testing.views.table_view import qMRMLTableWidget
from slicer_testing.views.threed_widget import qMRMLThreeDWidget
from slicer_testing.views.view_factory import qMRMLLayoutViewFactory


class LayoutViews:
    """Access to the views that the factories of a layout manager have made."""

    def mrmlViewFactory(self, viewClassName: str) -> qMRMLLayoutViewFactory | None:
        """Return the factory of one class of view nodes."""
        raise NotImplementedError

    def sliceViewNames(self) -> tuple[str, ...]:
        """Return the names of all slice views, such as Red, also of those that the layout does not show.

        The order is arbitrary, as in the application, which keeps the views in a hash of their addresses.
        """
        return in_random_order(self.mrmlViewFactory("vtkMRMLSliceNode")._names())

    def sliceWidget(self, name: str) -> qMRMLSliceWidget | None:
        """Return a slice view by name."""
        return self.mrmlViewFactory("vtkMRMLSliceNode").viewWidget(name)

    def threeDViewCount(self) -> int:
        """Return the number of 3D views."""
        return self.mrmlViewFactory("vtkMRMLViewNode").viewCount()

    def threeDWidget(self, which: int | str) -> qMRMLThreeDWidget | None:
        """Return a 3D view by index or name."""
        return self.mrmlViewFactory("vtkMRMLViewNode").viewWidget(which)

    def tableViewCount(self) -> int:
        """Return the number of table views."""
        return self.mrmlViewFactory("vtkMRMLTableViewNode").viewCount()

    def tableWidget(self, which: int) -> qMRMLTableWidget | None:
        """Return a table view by index."""
        return self.mrmlViewFactory("vtkMRMLTableViewNode").viewWidget(which)

    def plotViewCount(self) -> int:
        """Return the number of plot views."""
        return self.mrmlViewFactory("vtkMRMLPlotViewNode").viewCount()

    def plotWidget(self, which: int) -> qMRMLPlotWidget | None:
        """Return a plot view by index."""
        return self.mrmlViewFactory("vtkMRMLPlotViewNode").viewWidget(which)

    def viewWidget(self, node: slicer.vtkMRMLAbstractViewNode) -> QWidget | None:
        """Return the widget of a view node."""
        factory = self.mrmlViewFactory(node.GetClassName()) if node is not None else None
        return factory.viewWidget(node) if factory is not None else None

    def viewWidgets(self) -> list[QWidget]:
        """Return all views that the current layout shows."""
        return [widget for container in self._containers.values() for widget in self._views_in(container)]

    def mrmlSliceLogics(self) -> vtkCollection:
        """Return the logics of all slice views; the collection stays the same, its members change."""
        return self.mrmlViewFactory("vtkMRMLSliceNode")._logics

    def mrmlViewLogics(self) -> vtkCollection:
        """Return the logics of all 3D views; the collection stays the same, its members change."""
        return self.mrmlViewFactory("vtkMRMLViewNode")._logics

    def activeMRMLThreeDViewNode(self) -> slicer.vtkMRMLViewNode | None:
        """Return the 3D view that was used last, else the first."""
        return self._active("vtkMRMLViewNode")

    def activeMRMLTableViewNode(self) -> slicer.vtkMRMLTableViewNode | None:
        """Return the table view that was used last, else the first."""
        return self._active("vtkMRMLTableViewNode")

    def activeMRMLPlotViewNode(self) -> slicer.vtkMRMLPlotViewNode | None:
        """Return the plot view that was used last, else the first."""
        return self._active("vtkMRMLPlotViewNode")

    def activeThreeDRenderer(self) -> vtkRenderer | None:
        """Return the renderer of the active 3D view."""
        widget = self.viewWidget(self.activeMRMLThreeDViewNode())
        return widget.threeDView().renderWindow().GetRenderers().GetFirstRenderer() if widget is not None else None

    def _active(self, view_class: str) -> slicer.vtkMRMLAbstractViewNode | None:
        nodes = [node for node, _ in self.mrmlViewFactory(view_class)._shown]
        return next((node for node in nodes if node.GetActive()), nodes[0] if nodes else None)
