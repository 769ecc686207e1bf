"""Plot views: charts of the scene, drawn by VTK."""

from __future__ import annotations

import slicer
import vtkmodules.vtkRenderingContextOpenGL2  # noqa: F401  (the implementation of VTK's 2D drawing)
from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QWidget
from vtkmodules.vtkChartsCore import vtkAxis, vtkChart, vtkChartXY, vtkPlot
from vtkmodules.vtkCommonCore import vtkCommand
from vtkmodules.vtkRenderingContext2D import vtkContextMouseEvent, vtkContextScene
from vtkmodules.vtkViewsContext2D import vtkContextView

from slicer_testing.registry import slicer_widget
from slicer_testing.views.abstract_view import ctkVTKAbstractView
from slicer_testing.views.plot_series import update_plot

BACKGROUND = (255, 253, 246, 255)
"""The background colour of Slicer's charts."""


@slicer_widget
class ctkVTKChartView(ctkVTKAbstractView):
    """A view with one chart of lines, points or bars.

    Args:
        parent: parent widget.
    """

    plotAdded = Signal(object)
    plotRemoved = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = vtkContextView()
        self._window.RemoveRenderer(self._renderer)
        self._context.SetRenderWindow(self._window)
        self._context.SetInteractor(self._interactor)
        self._renderer = self._context.GetRenderer()
        self._renderer.SetBackground(1, 1, 1)
        self._chart = vtkChartXY()
        self._context.GetScene().AddItem(self._chart)
        self._context.GetScene().SetUseBufferId(False)

    def chart(self) -> vtkChartXY:
        """Return the chart."""
        return self._chart

    def scene(self) -> vtkContextScene:
        """Return VTK's scene with the chart."""
        return self._context.GetScene()

    def title(self) -> str:
        """Return the chart's title."""
        return self._chart.GetTitle() or ""

    def setTitle(self, title: str) -> None:
        """Set the chart's title."""
        self._chart.SetTitle(title)
        self.scheduleRender()

    def addPlot(self, plot: vtkPlot) -> None:
        """Add a line, points or bars."""
        self._chart.AddPlot(plot)
        self.plotAdded.emit(plot)
        self.scheduleRender()

    def removePlot(self, plot: vtkPlot) -> None:
        """Remove a plot."""
        self._chart.RemovePlotInstance(plot)
        self.plotRemoved.emit(plot)
        self.scheduleRender()

    def removeAllPlots(self) -> None:
        """Remove all plots."""
        self._chart.ClearPlots()
        self.scheduleRender()

    def plotIndex(self, plot: vtkPlot) -> int:
        """Return the index of a plot in the chart; -1 for a plot of another chart."""
        return next((index for index in range(self._chart.GetNumberOfPlots()) if self._chart.GetPlot(index) is plot), -1)


@slicer_widget
class qMRMLPlotView(ctkVTKChartView):
    """Shows the chart of a plot view node.

    Args:
        parent: parent widget.
    """

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None
        self._view_node: slicer.vtkMRMLPlotViewNode | None = None
        self._chart_node: slicer.vtkMRMLPlotChartNode | None = None
        self._updating = False
        self._plots: dict[str, vtkPlot] = {}
        self._chart.GetBackgroundBrush().SetColor(*BACKGROUND)
        self._chart.GetTitleProperties().SetFontFamilyToArial()
        self._chart.GetLegend().GetLabelProperties().SetFontFamilyToArial()
        self._renderer.SetUseFXAA(True)
        self._observations.add(self._chart, vtkCommand.InteractionEvent, self._keep_ranges)

    def sizeHint(self) -> QSize:
        """Return the preferred size: the layout decides."""
        return QSize()

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Set the scene."""
        if scene is self._scene:
            return
        self._observations.drop(self._scene)
        self._scene = scene
        if scene is not None:
            self._observations.add(scene, scene.EndBatchProcessEvent, self._follow_view_node)
            self._observations.add(scene, scene.NodeRemovedEvent, self._on_node_removed, give="data")
        if self._view_node is not None and self._view_node.GetScene() is not scene:
            self.setMRMLPlotViewNode(None)
        self._follow_view_node()
        self.mrmlSceneChanged.emit(scene)

    def setMRMLPlotViewNode(self, node: slicer.vtkMRMLPlotViewNode | None) -> None:
        """Show the chart of a plot view node."""
        if node is self._view_node:
            return
        self._observations.drop(self._view_node)
        self._view_node = node
        self._observations.add(node, "ModifiedEvent", self._follow_view_node)
        if node is not None:
            self._observations.add(node, node.PlotChartNodeChangedEvent, self._follow_view_node)
        self.setEnabled(node is not None)
        self._follow_view_node()

    def fitToContent(self) -> None:
        """Fit the axes to the plots."""
        self._chart.RecalculateBounds()
        if self._chart_node is not None:
            self._fit_axes()
        self.scene().SetDirty(True)
        self.scheduleRender()

    def _fit_axes(self) -> None:
        extents = []
        for plot in self._plots.values():
            extent = [0.0] * 4
            plot.GetBounds(extent)
            if extent[1] >= extent[0]:
                extents.append(extent)
        if not extents:
            return
        for axis, (low, high) in ((vtkAxis.BOTTOM, (0, 1)), (vtkAxis.LEFT, (2, 3))):
            self._chart.GetAxis(axis).SetUnscaledRange(min(e[low] for e in extents), max(e[high] for e in extents))
        self._keep_ranges()

    def _follow_view_node(self) -> None:
        chart_node = self._view_node.GetPlotChartNode() if self._view_node is not None and self._scene is not None else None
        if chart_node is not self._chart_node:
            self._observations.drop(self._chart_node)
            self._chart_node = chart_node
            self._observations.add(chart_node, "ModifiedEvent", self._update)
            if chart_node is not None:
                self._observations.add(chart_node, chart_node.PlotModifiedEvent, self._update)
        self._update()

    def _on_node_removed(self, node: slicer.vtkMRMLNode) -> None:
        if node is self._chart_node:
            self._observations.drop(node)
            self._chart_node = None
            self._update()

    def _update(self) -> None:
        if self._updating or (self._scene is not None and self._scene.IsBatchProcessing()):
            return
        self._updating = True
        try:
            self._set_mouse_actions()
            self._update_plots()
            if self._chart_node is not None:
                self._update_texts()
                self._update_axes()
            else:
                self._chart.SetTitle("")
        finally:
            self._updating = False
        self.scene().SetDirty(True)
        self.scheduleRender()

    def _update_plots(self) -> None:
        """Show the plots of the node's series in their order."""
        shown: dict[str, vtkPlot] = {}
        for index in range(self._chart_node.GetNumberOfPlotSeriesNodes() if self._chart_node is not None else 0):
            series = self._chart_node.GetNthPlotSeriesNode(index)
            plot = update_plot(series, self._plots.get(series.GetID())) if series is not None else None
            if plot is not None:
                shown[series.GetID()] = plot
        for identifier, plot in self._plots.items():
            if shown.get(identifier) is not plot:
                self.removePlot(plot)
        for plot in shown.values():
            if self.plotIndex(plot) < 0:
                self.addPlot(plot)
        self._plots = shown

    def _update_texts(self) -> None:
        node = self._chart_node
        family = self._chart.GetTitleProperties().GetFontFamilyFromString(node.GetFontType() or "Arial")
        self._chart.SetTitle((node.GetTitle() or "") if node.GetTitleVisibility() else "")
        self._chart.GetTitleProperties().SetFontFamily(family)
        self._chart.GetTitleProperties().SetFontSize(node.GetTitleFontSize())
        self._chart.SetShowLegend(bool(node.GetLegendVisibility()))
        self._chart.GetLegend().GetLabelProperties().SetFontFamily(family)
        self._chart.GetLegend().GetLabelProperties().SetFontSize(node.GetLegendFontSize())
        for number in range(4):
            axis = self._chart.GetAxis(number)
            axis.GetTitleProperties().SetFontFamily(family)
            axis.GetTitleProperties().SetFontSize(node.GetAxisTitleFontSize())
            axis.GetTitleProperties().SetBold(False)
            axis.GetLabelProperties().SetFontFamily(family)
            axis.GetLabelProperties().SetFontSize(node.GetAxisLabelFontSize())

    def _update_axes(self) -> None:
        node = self._chart_node
        for letter, numbers in (("X", (vtkAxis.BOTTOM, vtkAxis.TOP)), ("Y", (vtkAxis.LEFT, vtkAxis.RIGHT))):
            title = (getattr(node, f"Get{letter}AxisTitle")() or "") if getattr(node, f"Get{letter}AxisTitleVisibility")() else ""
            automatic = getattr(node, f"Get{letter}AxisRangeAuto")()
            for number in numbers:
                axis = self._chart.GetAxis(number)
                axis.SetTitle(title)
                axis.SetGridVisible(bool(node.GetGridVisibility()))
                axis.SetLogScale(bool(getattr(node, f"Get{letter}AxisLogScale")()))
                axis.SetBehavior(vtkAxis.AUTO if automatic else vtkAxis.FIXED)
                if not automatic:
                    axis.SetUnscaledRange(*getattr(node, f"Get{letter}AxisRange")())
        self._chart.RecalculateBounds()

    def _set_mouse_actions(self) -> None:
        if self._view_node is None:
            return
        kinds = slicer.vtkMRMLPlotViewNode
        left = {
            kinds.InteractionModeSelectPoints: vtkChart.SELECT,
            kinds.InteractionModeFreehandSelectPoints: vtkChart.SELECT_POLYGON,
            kinds.InteractionModeMovePoints: vtkChart.CLICK_AND_DRAG,
        }.get(self._view_node.GetInteractionMode(), vtkChart.PAN)
        self._chart.SetActionToButton(left, vtkContextMouseEvent.LEFT_BUTTON)
        self._chart.SetActionToButton(vtkChart.ZOOM if left == vtkChart.PAN else vtkChart.PAN, vtkContextMouseEvent.MIDDLE_BUTTON)
        self._chart.SetActionToButton(vtkChart.ZOOM_AXIS, vtkContextMouseEvent.RIGHT_BUTTON)

    def _keep_ranges(self) -> None:
        """Store the ranges of the axes, which the mouse has changed, in the node."""
        node = self._chart_node
        if node is None or self._updating:
            return
        was_modifying = node.StartModify()
        for letter, number in (("X", vtkAxis.BOTTOM), ("Y", vtkAxis.LEFT)):
            extent = [0.0, 1.0]
            self._chart.GetAxis(number).GetUnscaledRange(extent)
            getattr(node, f"Set{letter}AxisRange")(extent)
        node.EndModify(was_modifying)
