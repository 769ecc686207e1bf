"""The learning curve as a table and a chart: loss and validation.

A chart has only one axis, so the lines are in per cent, loss and error relative to their first values. The table has the absolute figures
too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from deepreg_slicer.table_columns import seriesOf, setColumns
from deepreg_slicer.volumes import newNode

DICE, TRE, LOSS = "validation_dice", "validation_tre", "validation_loss"
_STEP, _LOSS, _RELATIVE = "step", "loss", "loss (% of the first)"
# Not every line of the log has a validation. Validations have separate rows, so that their line has no gaps.
_VALIDATION_STEP = "validation step"
_COLUMNS = {
    DICE: ("validation Dice", "validation Dice (%)"),
    TRE: ("validation TRE (mm)", "validation TRE (% of the first)"),
    LOSS: ("validation loss", "validation loss (% of the first loss)"),
}
_FONT = 12
# Margin above the lines, and beside the last point.
_ROOM, _BESIDE = 1.12, 1.03
# Distinct also for people with red-green colour blindness.
_LOSS_COLOR, _VALIDATION_COLOR = (0.00, 0.45, 0.70), (0.90, 0.55, 0.00)


def validationKey(lines: list[dict[str, Any]]) -> str | None:
    """Return the name of the validation's figure in a log; None without a validation."""
    return next((key for key in (DICE, TRE, LOSS) if any(_number(line, key) is not None for line in lines)), None)


def best(lines: list[dict[str, Any]]) -> tuple[int, str, float] | None:
    """Return step, figure and value of the best validation of a log."""
    key = validationKey(lines)
    if key is None:
        return None
    known = [(line["step"], _number(line, key)) for line in lines if _number(line, key) is not None]
    step, value = (max if key == DICE else min)(known, key=lambda pair: pair[1])
    return step, key, value


def inWords(key: str, value: float) -> str:
    """Return a figure of the validation as text."""
    if key == LOSS:
        return _("loss {value:.4g}").format(value=value)
    return _("Dice {value:.3f}").format(value=value) if key == DICE else _("TRE {value:.2f} mm").format(value=value)


def fill(node: Any, lines: list[dict[str, Any]], title: str) -> None:
    """Show a log in the chart of a parameter set; existing nodes are reused. It begins with the second line of the log: VTK prints a
    warning whenever it draws a line with fewer than two points.

    Args:
        node: the parameter node; it gets ``curveTable`` and ``curveChart``.
        lines: of the log.
        title: of the chart.
    """
    if len(lines) < 2:
        return
    if node.curveTable is None:
        node.curveTable = newNode("vtkMRMLTableNode", _("Training curve"))
    if node.curveChart is None:
        node.curveChart = newNode("vtkMRMLPlotChartNode", _("Training"))
    shown = _fillTable(node.curveTable, lines)
    _fillChart(node.curveChart, node.curveTable, shown, title)


def show(chart: Any) -> None:
    """Show a chart, in a layout with a chart view."""
    if slicer.app.layoutManager() is not None:
        slicer.modules.plots.logic().ShowChartInLayout(chart)


def _number(line: dict[str, Any], key: str) -> float | None:
    value = line.get(key)
    return float(value) if isinstance(value, (int, float)) and np.isfinite(value) else None


def _fillTable(table: Any, lines: list[dict[str, Any]]) -> list[str]:
    """Fill a table with a row for each line of the log, and, in further columns, a row for each validation; return the columns to draw."""
    columns = {_STEP: np.array([line["step"] for line in lines], dtype=float)}
    drawn = []
    loss = _column(lines, "loss")
    first = next((value for value in loss.tolist() if np.isfinite(value) and value), 1.0)
    if np.isfinite(loss).any():
        columns[_LOSS] = loss
        columns[_RELATIVE] = 100.0 * loss / first
        drawn.append(_RELATIVE)
    key = validationKey(lines)
    if key is not None:
        plain, relative = _COLUMNS[key]
        values = _column(lines, key)
        known = np.isfinite(values)
        steps, values = columns[_STEP][known], values[known]
        scaled = 100.0 * values / (1.0 if key == DICE else first if key == LOSS else values[0] or 1.0)
        for name, numbers in ((_VALIDATION_STEP, steps), (plain, values), (relative, scaled)):
            if len(numbers) == 1:  # twice, because a line needs two points
                numbers = np.repeat(numbers, 2)
            columns[name] = np.concatenate([numbers, np.full(len(lines) - len(numbers), np.nan)])
        drawn.append(relative)
    setColumns(table, columns)
    return drawn


def _column(lines: list[dict[str, Any]], key: str) -> np.ndarray:
    numbers = (_number(line, key) for line in lines)
    return np.array([np.nan if number is None else number for number in numbers])


def _seriesOf(chart: Any) -> list[Any]:
    found = [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]
    return [series for series in found if series is not None]


def _fillChart(chart: Any, table: Any, names: list[str], title: str) -> None:
    shown, former = _seriesOf(chart), seriesOf(table)
    state = chart.StartModify()
    try:
        if [series.GetYColumnName() for series in shown] != names:
            chart.RemoveAllPlotSeriesNodeIDs()
            for number, name in enumerate(names):
                series = former[number] if number < len(former) else newNode("vtkMRMLPlotSeriesNode", name)
                _connect(series, table, name)
                chart.AddAndObservePlotSeriesNodeID(series.GetID())
            for series in former[len(names) :]:
                slicer.mrmlScene.RemoveNode(series)
        chart.SetTitle(title)
        chart.SetXAxisTitle(_("Step"))
        chart.SetYAxisTitle("%")
        for setSize in (chart.SetTitleFontSize, chart.SetAxisTitleFontSize, chart.SetLegendFontSize):
            setSize(_FONT)
        chart.SetLegendVisibility(True)
        chart.SetGridVisibility(True)
        rows = table.GetNumberOfRows()
        last = table.GetTable().GetValueByName(rows - 1, _STEP).ToDouble() if rows else 1.0
        chart.SetXAxisRangeAuto(False)
        chart.SetXAxisRange(0.0, _BESIDE * max(1.0, last))
        chart.SetYAxisRangeAuto(False)
        chart.SetYAxisRange(0.0, _ROOM * _highest(table, names))
    finally:
        chart.EndModify(state)


def _connect(series: Any, table: Any, name: str) -> None:
    """Connect a line with a column."""
    validation = name != _RELATIVE
    series.SetName(name)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(series.PlotTypeScatter)
    series.SetXColumnName(_VALIDATION_STEP if validation else _STEP)
    series.SetYColumnName(name)
    series.SetLineStyle(series.LineStyleSolid)
    series.SetLineWidth(2)
    series.SetMarkerStyle(series.MarkerStyleCircle if validation else series.MarkerStyleNone)
    series.SetMarkerSize(7)
    series.SetColor(*(_VALIDATION_COLOR if validation else _LOSS_COLOR))


def _values(table: Any, name: str) -> np.ndarray:
    """Return a column as it is, NaN where it has no number."""
    column = table.GetTable().GetColumnByName(name)
    return np.array([column.GetValue(row) for row in range(column.GetNumberOfValues())], dtype=float)


def _highest(table: Any, names: list[str]) -> float:
    """Return the largest number in some columns: at least 100 %."""
    found = [_values(table, name) for name in names]
    return max([100.0, *(float(np.nanmax(values)) for values in found if np.isfinite(values).any())])
