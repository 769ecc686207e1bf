"""The results of a cohort as tables, CSV and Parquet, and its page. No torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from deepreg_engine.cohort.figures import FIGURES
from deepreg_engine.cohort.folder import CohortFolder
from deepreg_engine.cohort.page import cohort_page
from deepreg_engine.cohort.rows import Row
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.reporting.csv_table import safe

#: Columns of the table of rows.
COLUMNS = ("row", "state", *FIGURES, "seconds", "memory_mb", "message", "notes")
#: Columns of the table of structures, one line for each structure of each row.
STRUCTURE_COLUMNS = (
    "row",
    "structure",
    "dice_before",
    "dice",
    "hd95_before_mm",
    "hd95_mm",
    "before_ml",
    "after_ml",
    "change_percent",
    "shift_mm",
) + ("jacobian_mean", "jacobian_percentile5", "jacobian_percentile95")
#: State of a row that has not been computed.
OPEN = "open"


def write_tables(folder: CohortFolder, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Write the tables and the page of a cohort together.

    Args:
        folder: of the cohort.
        rows: of its plan.

    Returns:
        The entry of each row in the journal; an empty one for a row that has not been computed.
    """
    journal = folder.journal()
    entries = [journal.get(row.name, {}) for row in rows]
    lines = [_line(row, entry) for row, entry in zip(rows, entries, strict=True)]
    structures = [{"row": entry["row"], **each} for entry in entries for each in entry.get("structures", [])]
    with FileGroup() as files:
        files.add_text(folder.table, _csv(COLUMNS, lines))
        if structures:
            files.add_text(folder.structures, _csv(STRUCTURE_COLUMNS, structures))
        files.add_text(folder.page, cohort_page(folder, lines))
        if _has_parquet():
            files.add(folder.table.with_suffix(".parquet"), lambda path: _write_parquet(path, lines))
    return entries


def _line(row: Row, entry: dict[str, Any]) -> dict[str, Any]:
    line = {name: entry.get(name) for name in COLUMNS}
    line.update(row=row.name, state=entry.get("state", OPEN), notes="; ".join(entry.get("notes", [])))
    return line


def _csv(columns: Sequence[str], lines: Iterable[dict[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if line.get(name) is None else safe(line[name]) for name in columns] for line in lines)
    return stream.getvalue()


def _has_parquet() -> bool:
    import importlib.util

    return importlib.util.find_spec("pyarrow") is not None


def _write_parquet(path: str | Path, lines: Sequence[dict[str, Any]]) -> None:
    import pyarrow  # type: ignore[import-not-found]
    from pyarrow import parquet  # type: ignore[import-not-found]

    texts = ("row", "state", "verdict", "reason", "method_used", "preset_used", "message", "notes")
    types = [(name, pyarrow.string() if name in texts else pyarrow.float64()) for name in COLUMNS]
    columns = {name: [None if line[name] is None else line[name] for line in lines] for name, _ in types}
    parquet.write_table(pyarrow.table(columns, schema=pyarrow.schema(types)), str(path))
