"""The energy of the iterations as a table and a chart: one line for each resolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from deepreg_slicer.table_columns import seriesOf, setColumns

_ITERATION = "Iteration"
_FONT = 12
# Room above the lines for an entry of the legend, as a share of the highest value.
_HEADROOM = 0.13
# Coarse to fine; distinct also with a red-green colour vision deficiency.
_COLORS = ((0.00, 0.45, 0.70), (0.90, 0.55, 0.00), (0.00, 0.55, 0.42), (0.75, 0.35, 0.60), (0.30, 0.30, 0.30))


def columnName(spacing: float) -> str:
    """Return a resolution's column, and its name in the legend."""
    return f"{spacing:.3g} mm voxels"


def fillTable(table: Any, energies: list[dict[str, float]]) -> None:
    """Give a table one row an iteration: its number, and the energy (%) in the column of its resolution.

    Args:
        table: the node.
        energies: ``iteration``, ``spacing_mm`` and ``energy`` (a share) of each iteration.
    """
    iterations = np.array([entry["iteration"] for entry in energies], dtype=float)
    spacings = np.array([entry["spacing_mm"] for entry in energies], dtype=float)
    values = np.array([100.0 * entry["energy"] for entry in energies], dtype=float)
    lines = {columnName(spacing): np.where(spacings == spacing, values, np.nan) for spacing in sorted(set(spacings.tolist()), reverse=True)}
    state = table.StartModify()
    try:
        setColumns(table, {_ITERATION: iterations, **lines})
        for name in lines:
            table.SetColumnUnitLabel(name, "%")
    finally:
        table.EndModify(state)


def fillChart(chart: Any, table: Any, title: str, make: Callable[[str, str], Any]) -> None:
    """Show a table's columns in a chart; its present lines are reused.

    Args:
        chart, table: the nodes.
        title: of the chart.
        make: gives a new node of a class and name.
    """
    names = [table.GetColumnName(number) for number in range(1, table.GetNumberOfColumns())]
    former = seriesOf(table)
    chart.RemoveAllPlotSeriesNodeIDs()
    for number, name in enumerate(names):
        series = former[number] if number < len(former) else make("vtkMRMLPlotSeriesNode", name)
        series.SetName(name)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetPlotType(series.PlotTypeScatter)
        series.SetXColumnName(_ITERATION)
        series.SetYColumnName(name)
        series.SetLineStyle(series.LineStyleSolid)
        series.SetLineWidth(2)
        series.SetMarkerStyle(series.MarkerStyleCircle)
        series.SetMarkerSize(4)
        series.SetColor(*_COLORS[number % len(_COLORS)])
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
    for series in former[len(names) :]:
        slicer.mrmlScene.RemoveNode(series)
    chart.SetTitle(title)
    chart.SetXAxisTitle(_("Iteration"))
    chart.SetYAxisTitle(_("Difference of features (%)"))
    chart.SetAxisTitleFontSize(_FONT)
    chart.SetTitleFontSize(_FONT)
    chart.SetLegendVisibility(True)
    chart.SetLegendFontSize(_FONT)
    chart.SetXAxisRangeAuto(False)
    chart.SetXAxisRange(0.0, max(1.0, table.GetNumberOfRows() - 1.0))
    chart.SetYAxisRangeAuto(False)
    chart.SetYAxisRange(0.0, _highest(table) * (1.0 + _HEADROOM * (len(names) + 1)))
    chart.SetGridVisibility(True)


def _highest(table: Any) -> float:
    """Return the largest energy in a table, %."""
    columns = [vtk_to_numpy(table.GetTable().GetColumn(number)) for number in range(1, table.GetNumberOfColumns())]
    return max((float(np.nanmax(column)) for column in columns if np.isfinite(column).any()), default=1.0) or 1.0


def show(chart: Any) -> None:
    """Show a chart, in a layout with a chart view."""
    if slicer.app.layoutManager() is not None:
        slicer.modules.plots.logic().ShowChartInLayout(chart)
