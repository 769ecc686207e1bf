"""Columns of table nodes, and the lines of charts that show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import slicer
from vtk.util.numpy_support import numpy_to_vtk


def setColumns(table: Any, columns: Mapping[str, np.ndarray]) -> None:
    """Replace the columns of a table node; it reports one change. Charts no longer show those that vanish.

    Args:
        table: the node.
        columns: name to values, all of one length.
    """
    for series in seriesOf(table):
        if not {series.GetXColumnName(), series.GetYColumnName()} <= set(columns):
            for chart in slicer.util.getNodesByClass("vtkMRMLPlotChartNode"):
                chart.RemovePlotSeriesNodeID(series.GetID())
    state = table.StartModify()
    try:
        table.RemoveAllColumns()
        for name, values in columns.items():
            array = numpy_to_vtk(values, deep=True)
            array.SetName(name)
            table.AddColumn(array)
    finally:
        table.EndModify(state)


def seriesOf(table: Any) -> list[Any]:
    """Return the series of the scene that plot columns of a table, whether a chart shows them or not."""
    if table is None or table.GetID() is None:
        return []
    return [series for series in slicer.util.getNodesByClass("vtkMRMLPlotSeriesNode") if series.GetTableNodeID() == table.GetID()]
