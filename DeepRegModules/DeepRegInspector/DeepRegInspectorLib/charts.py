"""Landmark errors as arrows and as a histogram."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from deepreg_engine.metrics.bins import error_bins
from deepreg_slicer.table_columns import seriesOf, setColumns
from deepreg_slicer.volumes import newNode
from DeepRegInspectorLib.colors import lengthColors
from DeepRegInspectorLib.landmarks import Pairs

SCALARS = "error (mm)"
# With more arrows than this, slices show only those that they intersect.
_MOST_PROJECTED = 60
_FONT = 12
# Approximate number of bins of a histogram.
_BINS = 24


def colorRange(pairs: Pairs) -> float:
    """Return the end of the colour range, mm: the 95th percentile of the included errors, rounded up."""
    distances = pairs.distances[pairs.counted]
    return max(1.0, float(np.ceil(np.percentile(distances, 95)))) if len(distances) else 1.0


def suitableScale(pairs: Pairs) -> float:
    """Return a factor for the length of arrows, with which the longest has about 15 mm."""
    distances = pairs.distances[pairs.counted]
    longest = float(np.percentile(distances, 95)) if len(distances) else 15.0
    return float(min((1.0, 2.0, 5.0, 10.0, 20.0), key=lambda scale: abs(np.log(scale * max(longest, 0.1) / 15.0))))


def fillVectors(node: Any, pairs: Pairs, scale: float) -> None:
    """Set a model to arrows at the included fixed landmarks: the errors times ``scale``, with the errors as scalars."""
    chosen = pairs.counted & (pairs.distances > 1e-6)
    points = vtk.vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(pairs.fixed[chosen], dtype=np.float64).reshape(-1, 3), deep=True))
    data = vtk.vtkPolyData()
    data.SetPoints(points)
    for name, values in (("error", pairs.after[chosen]), (SCALARS, pairs.distances[chosen])):
        array = numpy_to_vtk(np.ascontiguousarray(values, dtype=np.float32), deep=True)
        array.SetName(name)
        data.GetPointData().AddArray(array)
    arrow = vtk.vtkArrowSource()
    arrow.SetShaftRadius(0.10)
    arrow.SetTipRadius(0.26)
    arrow.SetTipLength(0.35)
    arrow.SetTipResolution(12)
    arrow.SetShaftResolution(8)
    glyphs = vtk.vtkGlyph3D()
    glyphs.SetInputData(data)
    glyphs.SetSourceConnection(arrow.GetOutputPort())
    glyphs.SetInputArrayToProcess(0, 0, 0, vtk.vtkDataObject.FIELD_ASSOCIATION_POINTS, SCALARS)
    glyphs.SetInputArrayToProcess(1, 0, 0, vtk.vtkDataObject.FIELD_ASSOCIATION_POINTS, "error")
    glyphs.SetVectorModeToUseVector()
    glyphs.SetScaleModeToScaleByVector()
    glyphs.SetColorModeToColorByScalar()
    glyphs.SetScaleFactor(scale)
    glyphs.OrientOn()
    glyphs.Update()
    result = vtk.vtkPolyData()
    result.ShallowCopy(glyphs.GetOutput())
    node.SetAndObservePolyData(result)
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    state = display.StartModify()
    display.SetVisibility2D(True)
    display.SetSliceIntersectionThickness(3)
    display.SetSliceDisplayModeToProjection() if chosen.sum() <= _MOST_PROJECTED else display.SetSliceDisplayModeToIntersection()
    display.SetActiveScalarName(SCALARS)
    display.SetScalarVisibility(True)
    display.SetAndObserveColorNodeID(lengthColors().GetID())
    display.SetScalarRangeFlag(display.UseManualScalarRange)
    display.SetScalarRange(0.0, colorRange(pairs))
    display.EndModify(state)


def fillHistogram(table: Any, chart: Any, stages: dict[str, np.ndarray]) -> None:
    """Set a chart to one series of bars for each stage: the number of pairs by error.

    Args:
        table, chart: the nodes.
        stages: name and errors (mm) of the included pairs.
    """
    first, *others = stages.values()
    edges, beyond = error_bins(first, np.concatenate(others) if others else np.zeros(0), _BINS)
    width = float(edges[1])
    columns = {_("error (mm)"): (edges[:-1] + edges[1:]) / 2.0}
    for name, distances in stages.items():
        columns[name] = np.histogram(distances, edges)[0].astype(float)
    setColumns(table, columns)
    former = seriesOf(table)
    chart.RemoveAllPlotSeriesNodeIDs()
    colors = ((0.45, 0.45, 0.45), (0.00, 0.45, 0.70), (0.90, 0.55, 0.00))
    for number, name in enumerate(stages):
        series = former[number] if number < len(former) else newNode("vtkMRMLPlotSeriesNode", name)
        series.SetName(name)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetPlotType(series.PlotTypeScatterBar)
        series.SetXColumnName(next(iter(columns)))
        series.SetYColumnName(name)
        series.SetColor(*colors[number % len(colors)])
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    for series in former[len(stages) :]:
        slicer.mrmlScene.RemoveNode(series)
    most = max(float(values.max()) for name, values in list(columns.items())[1:])
    chart.SetTitle(_("Landmark errors"))
    title = _("Error (mm), bins of {width:g} mm").format(width=width)
    if beyond:
        title += _("; {count} before the registration are above {limit:g} mm").format(count=beyond, limit=float(edges[-1]))
    chart.SetXAxisTitle(title)
    chart.SetYAxisTitle(_("Number of pairs"))
    chart.SetTitleFontSize(_FONT)
    chart.SetAxisTitleFontSize(_FONT)
    chart.SetLegendVisibility(True)
    chart.SetLegendFontSize(_FONT)
    chart.SetGridVisibility(True)
    chart.SetXAxisRangeAuto(False)
    chart.SetXAxisRange(0.0, float(edges[-1]))
    chart.SetYAxisRangeAuto(False)
    chart.SetYAxisRange(0.0, most * (1.1 + 0.1 * len(stages)))
