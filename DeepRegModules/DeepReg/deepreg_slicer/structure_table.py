"""The table of the structures that came along: volumes before and after, shift, change of size, agreement with the fixed side."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from deepreg_slicer.engine_texts import engineText

#: Heading and key of each column of numbers; a key with a dot is one of a part.
NUMBERS = (
    (_("Before (ml)"), "before_ml"),
    (_("After (ml)"), "after_ml"),
    (_("Change (%)"), "change_percent"),
    (_("Shift (mm)"), "shift_mm"),
    (_("Jacobian mean"), "jacobian.mean"),
    (_("Jacobian 5 %"), "jacobian.percentile5"),
    (_("Jacobian 95 %"), "jacobian.percentile95"),
    (_("Dice"), "dice"),
    (_("HD95 (mm)"), "hd95"),
)
_DECIMALS = 3


def fillStructures(table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Fill a table node with the rows of the engine; a column without any number is left out."""
    state = table.StartModify()
    try:
        table.RemoveAllColumns()
        _addTexts(table, _("Structure"), [str(row["name"]) for row in rows])
        for heading, key in NUMBERS:
            values = [_value(row, key) for row in rows]
            if any(value is not None for value in values):
                numbers = [np.nan if value is None else round(float(value), _DECIMALS) for value in values]
                array = numpy_to_vtk(np.array(numbers, dtype=np.float64), deep=True)
                array.SetName(heading)
                table.AddColumn(array)
        remarks = [" ".join(engineText(str(row.get(key) or "")) for key in ("words", "note")).strip() for row in rows]
        _addTexts(table, _("Remark"), remarks)
        table.SetUseColumnTitleAsColumnHeader(True)
    finally:
        table.EndModify(state)


def _addTexts(table: Any, heading: str, texts: list[str]) -> None:
    column = vtk.vtkStringArray()
    column.SetName(heading)
    for text in texts:
        column.InsertNextValue(text)
    table.AddColumn(column)


def _value(row: Mapping[str, Any], key: str) -> float | None:
    part, _dot, name = key.rpartition(".")
    return (row.get(part) or {}).get(name) if part else row.get(name)


def writeCsv(table: Any, path: str) -> None:
    """Write a table node as CSV; numbers that are not known are empty.

    Raises:
        OSError: if that is not possible.
    """
    columns = [table.GetTable().GetColumn(number) for number in range(table.GetNumberOfColumns())]
    with open(path, "w", newline="", encoding="utf-8-sig") as stream:  # spreadsheets read the mark as UTF-8
        writer = csv.writer(stream)
        writer.writerow([column.GetName() for column in columns])
        for row in range(table.GetNumberOfRows()):
            texts = [table.GetCellText(row, number) for number in range(len(columns))]
            writer.writerow(["" if text == "nan" else text for text in texts])
