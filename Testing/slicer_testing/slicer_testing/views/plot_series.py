"""The plot of a plot series node in VTK's chart."""

from __future__ import annotations

import slicer
from vtkmodules.vtkChartsCore import vtkPlot, vtkPlotBar, vtkPlotLine, vtkPlotPoints
from vtkmodules.vtkCommonCore import VTK_BIT, VTK_STRING, vtkAbstractArray, vtkStringArray
from vtkmodules.vtkCommonDataModel import vtkTable
from vtkmodules.vtkRenderingContext2D import vtkPen

_Series = slicer.vtkMRMLPlotSeriesNode
_LINES = {
    _Series.LineStyleSolid: vtkPen.SOLID_LINE,
    _Series.LineStyleDash: vtkPen.DASH_LINE,
    _Series.LineStyleDot: vtkPen.DOT_LINE,
    _Series.LineStyleDashDot: vtkPen.DASH_DOT_LINE,
    _Series.LineStyleDashDotDot: vtkPen.DASH_DOT_DOT_LINE,
}
_MARKERS = {
    _Series.MarkerStyleCross: vtkPlotPoints.CROSS,
    _Series.MarkerStylePlus: vtkPlotPoints.PLUS,
    _Series.MarkerStyleSquare: vtkPlotPoints.SQUARE,
    _Series.MarkerStyleCircle: vtkPlotPoints.CIRCLE,
    _Series.MarkerStyleDiamond: vtkPlotPoints.DIAMOND,
}


def update_plot(series: slicer.vtkMRMLPlotSeriesNode, existing: vtkPlot | None) -> vtkPlot | None:
    """Make a plot, or update an existing one.

    Args:
        series: node of the plot series.
        existing: current plot of the series; it is replaced if its type has changed.

    Returns:
        The plot; None if the series' table lacks a column that it needs.
    """
    table = series.GetTableNode().GetTable() if series.GetTableNode() is not None else None
    if table is None or _numbers(table, series.GetYColumnName()) is None:
        return None
    needs_x = bool(series.IsXColumnRequired())
    if needs_x and _numbers(table, series.GetXColumnName()) is None:
        return None
    is_bar = series.GetPlotType() in (_Series.PlotTypeBar, _Series.PlotTypeScatterBar)
    wanted = vtkPlotBar if is_bar else vtkPlotLine
    plot = existing if isinstance(existing, wanted) else wanted()
    _set_style(series, plot, is_bar)
    labels = table.GetColumnByName(series.GetLabelColumnName()) if series.GetLabelColumnName() else None
    plot.SetIndexedLabels(labels if isinstance(labels, vtkStringArray) else None)
    plot.SetUseIndexForXSeries(not needs_x)
    plot.SetInputData(table, series.GetXColumnName() if needs_x else series.GetYColumnName(), series.GetYColumnName())
    plot.SetLabel(series.GetName() or series.GetYColumnName())
    return plot


def _numbers(table: vtkTable, name: str | None) -> vtkAbstractArray | None:
    column = table.GetColumnByName(name) if name else None
    return None if column is None or column.GetDataType() in (VTK_STRING, VTK_BIT) else column


def _set_style(series: slicer.vtkMRMLPlotSeriesNode, plot: vtkPlot, is_bar: bool) -> None:
    plot.SetColorF(*series.GetColor())
    plot.SetOpacity(series.GetOpacity())
    plot.SetWidth(series.GetLineWidth())
    plot.GetPen().SetOpacityF(series.GetOpacity())
    plot.GetPen().SetLineType(vtkPen.SOLID_LINE if is_bar else _LINES.get(series.GetLineStyle(), vtkPen.NO_PEN))
    if not is_bar:
        plot.SetMarkerSize(series.GetMarkerSize())
        plot.SetMarkerStyle(_MARKERS.get(series.GetMarkerStyle(), vtkPlotPoints.NONE))
