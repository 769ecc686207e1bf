"""Points as CSV: a header with x, y and z (LPS mm), l, p and s, or r, a and s, and one row for each point.

The cells are separated by commas, semicolons or tabs. Numbers have decimal points; between semicolons or tabs they may have decimal
commas instead. A row without coordinates, or with 0 in the column "defined" of 3D Slicer, is a point without a position.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.point_sets import PointList

_SEPARATORS = (",", ";", "\t")
# Spreadsheets write a first line like this to name the separator.
_NAMED_SEPARATOR = re.compile(r'"?sep=.?"?\s*$', re.IGNORECASE)
_NAMES = ("label", "name", "id")
# Names of the coordinates, and their signs in LPS.
_FRAMES = {"xyz": (1.0, 1.0, 1.0), "lps": (1.0, 1.0, 1.0), "ras": (-1.0, -1.0, 1.0)}
_DIGITS = r"[+-]?(?:\d+{mark}\d*|{mark}?\d+)(?:[eE][+-]?\d+)?"
_POINT = re.compile(_DIGITS.format(mark=r"\."), re.ASCII)
_COMMA = re.compile(_DIGITS.format(mark=","), re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)


def read_csv(text: str, notes: list[str] | None = None) -> PointList:
    """Return the points of a CSV file.

    Args:
        text: its content.
        notes: receives a note if its numbers may have decimal commas that the header's columns hide.

    Raises:
        InputError: if there is no header, or a row does not fit it.
        csv.Error: if the text is not CSV.
    """
    head, *rest = text.split("\n", 1)
    if _NAMED_SEPARATOR.match(head.strip()):
        text = "\n" + "".join(rest)  # lines keep their numbers
    separator = _separator(text)
    rows, breaks = _rows(text, separator)
    if not rows:
        return PointList(np.empty((0, 3)), ())
    header = [cell.lower() for cell in rows[0][1]]
    axes = _axes(header)
    columns, name = _columns(header, axes)
    defined = header.index("defined") if "defined" in header else None
    positions, labels, mark = [], [], ""
    for line, row in rows[1:]:
        if any(row) and len(row) != len(header):
            raise _wrong_length(line, row, header)
        there = any(row) and (defined is None or row[defined].lower() not in ("0", "false"))
        cells = [row[column] if there else "" for column in columns]
        positions.append(_position(line, cells, separator, axes))
        mark = _one_mark(line, cells, mark)
        labels.append(row[name] if name is not None and any(row) else "")
    if notes is not None and separator == "," and _may_be_decimal_commas([row for _, row in rows[1:] if any(row)], columns):
        notes.append("all cells are whole numbers: if the numbers have decimal commas, they were split; write decimal points")
    return PointList(np.array(positions).reshape(-1, 3) * _FRAMES[axes], tuple(labels), breaks)


def _may_be_decimal_commas(rows: list[list[str]], columns: list[int]) -> bool:
    """Return whether all rows may hold numbers with decimal commas that were split, and so fill the columns beside the coordinates.

    ``10,5,20,30`` below ``x,y,z,label`` is 10.5, 20, 30 without a label, or the point 30. The commas are not decimal
    ones if there is a decimal point, a cell with text, an empty cell, or a row in which no cell can be decimals, or if the points are
    numbered from 0 or 1 on.
    """
    others = [number for number in range(len(rows[0]) if rows else 0) if number not in columns]
    if not others or not all(_WHOLE.fullmatch(cell) for row in rows for cell in row):
        return False
    if not all(any(cell.isdigit() for cell in row[1:]) for row in rows):
        return False
    numbered = [[str(number) for number in range(first, first + len(rows))] for first in (0, 1)]
    return not any([row[other] for row in rows] in numbered for other in others)


def _separator(text: str) -> str:
    """Return the separator by which the first line is a header; "," if none is."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return next((each for each in _SEPARATORS if _frame_of({cell.strip(' "').lower() for cell in first.split(each)})), ",")


def _frame_of(header: set[str]) -> str:
    """Return the key of :data:`_FRAMES` whose coordinates the header has; "" without one."""
    return next((axes for axes in _FRAMES if set(axes) <= header), "")


def _rows(text: str, separator: str) -> tuple[list[tuple[int, list[str]]], tuple[int, ...]]:
    """Return line number and cells of each row that is not blank, and the numbers of the points before which there are blank lines."""
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    rows: list[tuple[int, list[str]]] = []
    breaks: list[int] = []
    blank = False
    for row in reader:
        if any("\n" in cell for cell in row):
            _check_quotes(text, separator)
        if not row or (len(row) == 1 and not row[0].strip()):
            blank = True
            continue
        if blank and len(rows) > 1:
            breaks.append(len(rows) - 1)
        blank = False
        rows.append((reader.line_num, [cell.strip() for cell in row]))
    return rows, tuple(breaks)


def _check_quotes(text: str, separator: str) -> None:
    """Raise InputError if a quotation mark is not closed: the rows behind it would be taken as part of its cell."""
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True, strict=True)
    line = 1
    try:
        for _ in reader:
            line = reader.line_num + 1
    except csv.Error as error:
        advice = "write names in quotes or without any, and a mark inside quotes twice"
        raise InputError(f"a cell of line {line} begins with a quotation mark that is not closed", advice) from error


def _axes(header: list[str]) -> str:
    """Return the names of the coordinates, a key of :data:`_FRAMES`."""
    axes = _frame_of(set(header))
    if not axes:
        raise InputError("the first line is not a header with x, y and z", "begin the file with the line x,y,z (LPS) or r,a,s (RAS)")
    return axes


def _columns(header: list[str], axes: str) -> tuple[list[int], int | None]:
    """Return the columns of the coordinates, and of the names."""
    name = next((word for word in _NAMES if word in header), None)
    repeated = next((word for word, count in Counter(header).items() if count > 1 and word in (*axes, name)), None)
    if repeated is not None:
        raise InputError(f"the header has several columns {repeated}", "give each column a name of its own")
    return [header.index(axis) for axis in axes], None if name is None else header.index(name)


def _wrong_length(line: int, row: list[str], header: list[str]) -> InputError:
    message = f"line {line} has {len(row)} cells, but the header has {len(header)}"
    if len(row) < len(header):
        return InputError(message, "give each row a cell for each column, which may be empty")
    advice = "write decimal points instead of decimal commas, or separate the cells by semicolons; put names with commas in quotes"
    return InputError(message, advice)


def _position(line: int, cells: list[str], separator: str, axes: str) -> list[float]:
    """Return the coordinates; NaN for all three if all cells are empty, infinity if a number is not finite."""
    if not any(cells):
        return [np.nan] * 3
    for axis, cell in zip(axes, cells, strict=True):
        if not cell:
            raise InputError(f"line {line} has no three numbers: {axis} is empty", "write x, y and z in mm, or none of them")
        # If commas separate cells, "1,234" may also mean 1234.
        number_of = _POINT if separator == "," or "," not in cell else _COMMA
        if not (number_of.fullmatch(cell) or _NOT_FINITE.fullmatch(cell)):
            advice = "write x, y and z in mm, with decimal points instead of decimal commas and without separators of thousands"
            raise InputError(f"line {line} has no three numbers: {axis} is {cell[:40]!r}", advice)
    if any(_NOT_FINITE.fullmatch(cell) for cell in cells):
        return [np.inf] * 3
    return [float(cell.replace(",", ".")) for cell in cells]


def _one_mark(line: int, cells: list[str], mark: str) -> str:
    """Return the decimal mark of a row and of those before it ("" if unknown); raises InputError if they differ."""
    for cell in cells:
        found = next((each for each in ".," if each in cell), "")
        if found and mark and found != mark:
            raise InputError(
                f"line {line} has {cell!r}, but numbers before it have the decimal mark {mark!r}", "write all numbers with decimal points"
            )
        mark = found or mark
    return mark


def csv_text(points: PointList) -> str:
    """Return the text of a CSV file, with a column of names unless they are the numbers of the points."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = points.names()
    named = names != tuple(str(n + 1) for n in range(len(points)))
    writer.writerow(["x", "y", "z", "label"] if named else ["x", "y", "z"])
    for position, label, defined in zip(points.positions, names, points.defined, strict=True):
        writer.writerow([number(value) if defined else "" for value in position] + ([label] if named else []))
    return stream.getvalue()


def number(value: float) -> str:
    """Return a coordinate in mm with seven decimals, without trailing zeros."""
    return f"{value:.7f}".rstrip("0").rstrip(".")
