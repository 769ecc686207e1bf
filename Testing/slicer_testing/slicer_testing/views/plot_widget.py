"""A plot view with its bar."""

from __future__ import annotations

import slicer
from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget, widget
from slicer_testing.views.plot_view import qMRMLPlotView
from slicer_testing.views.view_widget import qMRMLAbstractViewWidget, qMRMLViewControllerBar


@slicer_widget
class qMRMLPlotViewControllerWidget(qMRMLViewControllerBar):
    """The bar of a plot view: a selector of the chart, and a button that fits the axes.

    Args:
        parent: parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot: qMRMLPlotView | None = None
        self._pin.setVisible(False)
        self._fit = self._button("FitPlotToolButton", "fit", "Fit the axes to the plots")
        self._fit.clicked.connect(self.fitPlotToAxes)
        self._selector = widget("qMRMLNodeComboBox")(self._bar)
        self._selector.setNodeTypes(["vtkMRMLPlotChartNode"])
        self._selector.setNoneEnabled(True)
        self._selector.setAddEnabled(False)
        self._selector.setRemoveEnabled(False)
        self._selector.currentNodeChanged[object].connect(self._on_chart_chosen)
        self.mrmlSceneChanged.connect(self._selector.setMRMLScene)
        self._bar_layout.insertWidget(2, self._fit)
        self._bar_layout.insertWidget(4, self._selector, 1)

    def setPlotView(self, view: qMRMLPlotView) -> None:
        """Set the view that the bar belongs to."""
        self._plot = view

    def mrmlPlotViewNode(self) -> slicer.vtkMRMLPlotViewNode | None:
        """Return the view's node."""
        return self._view_node

    def setMRMLPlotViewNode(self, node: slicer.vtkMRMLPlotViewNode | None) -> None:
        """Control a view node."""
        self._set_view_node(node)

    def fitPlotToAxes(self) -> None:
        """Fit the axes to the plots."""
        if self._plot is not None:
            self._plot.fitToContent()

    def _on_chart_chosen(self, node: slicer.vtkMRMLPlotChartNode | None) -> None:
        chosen = node.GetID() if node is not None else None
        if self._view_node is not None and self._view_node.GetPlotChartNodeID() != chosen:
            self._view_node.SetPlotChartNodeID(chosen)

    def _update_from_node(self) -> None:
        super()._update_from_node()
        if self._view_node is not None:
            self._selector.setCurrentNode(self._view_node.GetPlotChartNode())


@slicer_widget
class qMRMLPlotWidget(qMRMLAbstractViewWidget):
    """A plot view with its bar.

    Args:
        parent: parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._set_up(qMRMLPlotViewControllerWidget(self), qMRMLPlotView(self))
        self._controller.setPlotView(self._view)

    def setMRMLPlotViewNode(self, node: slicer.vtkMRMLPlotViewNode | None) -> None:
        """Show a plot view node."""
        self._view.setMRMLPlotViewNode(node)
        self._controller.setMRMLPlotViewNode(node)

    def setMRMLAbstractViewNode(self, node: slicer.vtkMRMLAbstractViewNode | None) -> None:
        """Show a plot view node; a node of another class is ignored."""
        self.setMRMLPlotViewNode(node if isinstance(node, slicer.vtkMRMLPlotViewNode) else None)

    def mrmlPlotViewNode(self) -> slicer.vtkMRMLPlotViewNode | None:
        """Return the node that is shown."""
        return self._controller.mrmlPlotViewNode()

    def plotView(self) -> qMRMLPlotView:
        """Return the view."""
        return self._view

    def plotController(self) -> qMRMLPlotViewControllerWidget:
        """Return the bar."""
        return self._controller
