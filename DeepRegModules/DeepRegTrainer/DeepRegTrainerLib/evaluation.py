"""A cross-validation as a table: without registration, without learned features, and with them.

Labelled scans have a row for each pair and structure, with the Dice; keypoints a row for each pair, with the target registration error.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from DeepRegTrainerLib.export import LABEL_NAMES

#: Figures: overlap of labels, or the error of keypoints.
DICE, TRE = "dice", "tre"
#: Name of the rows with means, in place of a pair's name.
MEAN = "mean of all pairs"
#: Name of all structures together, in place of a label's name.
ALL = "all"


@dataclass(frozen=True)
class _Kind:
    """How one figure is shown.

    Args:
        texts: columns before the figures; a mean is shown for each value of the second one.
        numbers: name of the engine's column to heading.
        unit: of the figures.
        digits: after the point, in the table.
        summary: a sentence with the means; its fields are ``pairs`` and the names of the engine's columns.
    """

    texts: tuple[str, ...]
    numbers: dict[str, str]
    unit: str
    digits: int
    summary: str


_WAYS = {"before": "before", "aligned": "aligned", "positions": "positions alone", "learned": "learned"}
_KINDS = {
    DICE: _Kind(
        ("pair", "label"),
        {"before": "before", "aligned": "aligned", "mind": "MIND", "learned": "learned"},
        "Dice",
        4,
        _(
            "Mean Dice (pairs: {pairs}): {before:.3f} before, {aligned:.3f} aligned, {mind:.3f} with MIND, {learned:.3f} with the"
            " learned features."
        ),
    ),
    TRE: _Kind(
        ("pair", "keypoints", "points"),
        {**_WAYS, **{f"{name}_95": f"{heading}, 95 %" for name, heading in _WAYS.items()}},
        "mm",
        2,
        _(
            "Mean target registration error (pairs: {pairs}): {before:.2f} mm before, {aligned:.2f} mm aligned, {positions:.2f} mm by"
            " positions alone, {learned:.2f} mm with the learned features. Less is better."
        ),
    ),
}


def named(rows: list[dict[str, Any]], data: list[str]) -> list[dict[str, Any]]:
    """Return the rows with the names of structures in place of their numbers.

    Args:
        rows: of a cross-validation.
        data: the folders of the training; for scans of the scene, they hold a file with the names of the segments. Rows of keypoints
            have no labels, and stay as they are.
    """
    names: dict[str, str] = {}
    for folder in data:
        try:
            content = json.loads((Path(folder) / LABEL_NAMES).read_text(encoding="utf-8"))
            names.update({str(value): str(name) for value, name in content["label_names"].items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return [{**row, "label": names.get(str(row["label"]), row["label"])} if "label" in row else row for row in rows]


def withMeans(rows: list[dict[str, Any]], figure: str = DICE) -> list[dict[str, Any]]:
    """Return the same rows, and below them the mean of each label, or kind of keypoints, over all pairs, and the mean of all.

    Args:
        rows: of a cross-validation; a figure may be None.
        figure: :data:`DICE` or :data:`TRE`.
    """
    kind = _KINDS[figure]
    pair, group, *counts = kind.texts
    found = list(dict.fromkeys(str(row[group]) for row in rows))
    nothing = dict.fromkeys(counts, "")
    means = [{pair: MEAN, group: each, **nothing, **_means([row for row in rows if str(row[group]) == each], kind)} for each in found]
    return [*rows, *(means if len(found) > 1 else []), {pair: MEAN, group: ALL, **nothing, **_means(rows, kind)}] if rows else []


def _means(rows: list[dict[str, Any]], kind: _Kind) -> dict[str, float | None]:
    columns = {name: [float(row[name]) for row in rows if row.get(name) is not None and np.isfinite(row[name])] for name in kind.numbers}
    return {name: float(np.mean(values)) if values else None for name, values in columns.items()}


class _Number(float):
    """A figure in a sentence; "-" where there is none."""

    def __format__(self, spec: str) -> str:
        return "-" if np.isnan(self) else super().__format__(spec)


def summary(rows: list[dict[str, Any]], figure: str = DICE) -> str:
    """Return the means in a sentence; arguments as of :func:`withMeans`."""
    means = _means(rows, _KINDS[figure])
    numbers = {name: _Number(np.nan if value is None else value) for name, value in means.items()}
    return _KINDS[figure].summary.format(pairs=len({row["pair"] for row in rows}), **numbers)


def fillTable(table: Any, rows: list[dict[str, Any]], figure: str = DICE) -> None:
    """Give a table node the rows, with the means below; arguments as of :func:`withMeans`."""
    import vtk

    kind, rows = _KINDS[figure], withMeans(rows, figure)
    state = table.StartModify()
    try:
        table.RemoveAllColumns()
        for name in kind.texts:
            column = vtk.vtkStringArray()
            column.SetName(name)
            for row in rows:
                column.InsertNextValue(str(row[name]))
            table.AddColumn(column)
        for name, heading in kind.numbers.items():
            values = [np.nan if row.get(name) is None else round(float(row[name]), kind.digits) for row in rows]
            column = numpy_to_vtk(np.array(values), deep=True)
            column.SetName(heading)
            table.AddColumn(column)
            table.SetColumnUnitLabel(heading, kind.unit)
        table.SetUseColumnTitleAsColumnHeader(True)
        table.SetLocked(True)
    finally:
        table.EndModify(state)


def asCsv(table: Any) -> str:
    """Return a table node as CSV, the units in the heading."""
    data = table.GetTable()
    columns = [data.GetColumn(number) for number in range(data.GetNumberOfColumns())]
    units = [table.GetColumnUnitLabel(column.GetName()) for column in columns]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([f"{column.GetName()} ({unit})" if unit else column.GetName() for column, unit in zip(columns, units, strict=True)])
    for row in range(data.GetNumberOfRows()):
        values = [column.GetValue(row) for column in columns]
        writer.writerow(["" if isinstance(value, float) and np.isnan(value) else value for value in values])
    return stream.getvalue()


def show(table: Any) -> None:
    """Show a table, in a layout with a table view."""
    import slicer

    manager = slicer.app.layoutManager()
    if manager is None:
        return
    manager.setLayout(slicer.modules.tables.logic().GetLayoutWithTable(manager.layout))
    slicer.app.applicationLogic().GetSelectionNode().SetActiveTableID(table.GetID())
    slicer.app.applicationLogic().PropagateTableSelection()
