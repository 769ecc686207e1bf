"""A cross-validation as a table: a row for each pair and structure, with no registration, with MIND, and with what was learned."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from DeepRegTrainerLib.export import LABEL_NAMES

_TEXTS = ("pair", "label")
# Column of the engine's to heading.
_NUMBERS = {"before": "before", "aligned": "aligned", "mind": "MIND", "learned": "learned"}
_UNIT = "Dice"
#: What is said of all pairs together, in place of a pair's name.
MEAN = "mean of all pairs"
#: What is said of all structures together, in place of a label's name.
ALL = "all"


def named(rows: list[dict[str, Any]], data: list[str]) -> list[dict[str, Any]]:
    """The rows with the names of structures in place of their numbers.

    Args:
        rows: of a cross-validation.
        data: the folders that were learned from; scans of the scene have the names of their segments beside them.
    """
    names: dict[str, str] = {}
    for folder in data:
        try:
            content = json.loads((Path(folder) / LABEL_NAMES).read_text(encoding="utf-8"))
            names.update({str(value): str(name) for value, name in content["label_names"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return [{**row, "label": names.get(str(row["label"]), row["label"])} for row in rows]


def withMeans(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows, and below them the mean of each label over all pairs, and the mean of everything.

    Args:
        rows: with ``pair``, ``label``, and the figures ``before``, ``aligned``, ``mind`` and ``learned``; a figure may be None.
    """
    labels = list(dict.fromkeys(str(row["label"]) for row in rows))
    means = [{"pair": MEAN, "label": label, **_means([row for row in rows if str(row["label"]) == label])} for label in labels]
    return [*rows, *(means if len(labels) > 1 else []), {"pair": MEAN, "label": ALL, **_means(rows)}] if rows else []


def _means(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    columns = {name: [float(row[name]) for row in rows if row.get(name) is not None and np.isfinite(row[name])] for name in _NUMBERS}
    return {name: float(np.mean(values)) if values else None for name, values in columns.items()}


def summary(rows: list[dict[str, Any]]) -> str:
    """The means in a sentence; rows as in :func:`withMeans`."""
    texts = {name: "-" if value is None else f"{value:.3f}" for name, value in _means(rows).items()}
    return _("Mean Dice over {pairs} pairs: {before} before, {aligned} aligned, {mind} with MIND, {learned} with what was learned.").format(
        pairs=len({row["pair"] for row in rows}), **texts
    )


def fillTable(table: Any, rows: list[dict[str, Any]]) -> None:
    """Give a table node the rows, with the means below."""
    import vtk

    rows = withMeans(rows)
    state = table.StartModify()
    try:
        table.RemoveAllColumns()
        for name in _TEXTS:
            column = vtk.vtkStringArray()
            column.SetName(name)
            for row in rows:
                column.InsertNextValue(str(row[name]))
            table.AddColumn(column)
        for name, heading in _NUMBERS.items():
            values = [row.get(name) for row in rows]
            column = numpy_to_vtk(np.array([np.nan if value is None else round(float(value), 4) for value in values]), deep=True)
            column.SetName(heading)
            table.AddColumn(column)
            table.SetColumnUnitLabel(heading, _UNIT)
        table.SetUseColumnTitleAsColumnHeader(True)
        table.SetLocked(True)
    finally:
        table.EndModify(state)


def asCsv(table: Any) -> str:
    """A table node as CSV, the units in the heading."""
    data = table.GetTable()
    columns = [data.GetColumn(number) for number in range(data.GetNumberOfColumns())]
    units = [table.GetColumnUnitLabel(column.GetName()) for column in columns]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([f"{column.GetName()} ({unit})" if unit else column.GetName() for column, unit in zip(columns, units)])
    for row in range(data.GetNumberOfRows()):
        values = [column.GetValue(row) for column in columns]
        writer.writerow(["" if isinstance(value, float) and np.isnan(value) else value for value in values])
    return stream.getvalue()


def show(table: Any) -> None:
    """Show a table, in a layout that has a view of tables."""
    import slicer

    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.modules.tables.logic().GetLayoutWithTable(manager.layout))
    slicer.app.applicationLogic().GetSelectionNode().SetActiveTableID(table.GetID())
    slicer.app.applicationLogic().PropagateTableSelection()
