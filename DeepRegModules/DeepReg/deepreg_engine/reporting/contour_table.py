"""The contour table as CSV and as a table of a report's page."""

from __future__ import annotations

import csv
import io
from typing import Any

from deepreg_engine.reporting.csv_table import safe
from deepreg_engine.reporting.markup import figure, number, table, text
from deepreg_engine.texts import tr, translated

#: Head of the CSV file.
HEAD = (
    "label",
    "name",
    "side",
    "before_ml",
    "after_ml",
    "change_percent",
    "shift_mm",
    "shift_left_mm",
    "shift_posterior_mm",
    "shift_superior_mm",
    "jacobian_mean",
    "jacobian_percentile5",
    "jacobian_percentile95",
    "words",
    "dice",
    "hd95_mm",
    "outside_percent",
    "note",
)


def structures_csv(rows: list[dict[str, Any]]) -> str:
    """Return the rows of :func:`deepreg_engine.metrics.structures.structure_table` as CSV text; what is not known is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEAD)
    for row in rows:
        left, posterior, superior = row["shift_lps_mm"] or (None,) * 3
        jacobian = row["jacobian"] or dict.fromkeys(("mean", "percentile5", "percentile95"))
        cells = (
            row["label"],
            row["name"],
            row["side"],
            row["before_ml"],
            row["after_ml"],
            row["change_percent"],
            row["shift_mm"],
            left,
            posterior,
            superior,
            jacobian["mean"],
            jacobian["percentile5"],
            jacobian["percentile95"],
            row["words"],
            row["dice"],
            row["hd95"],
            row["outside_percent"],
            row["note"],
        )
        writer.writerow(["" if cell is None else f"{cell:.7g}" if isinstance(cell, float) else safe(cell) for cell in cells])
    return stream.getvalue()


def contour_table(rows: list[dict[str, Any]]) -> str:
    """Return the table of structures (HTML) with its legend."""
    head = (
        tr("structure"),
        tr("before (ml)"),
        tr("after (ml)"),
        tr("change (%)"),
        tr("shift (mm)"),
        "L",
        "P",
        "S",
        tr("Jacobian"),
        tr("5 to 95 %"),
        "",
    )
    body = table(head, [_row(row, f"structures.{place}") for place, row in enumerate(rows)], tuple(range(1, 10)))
    legend = tr(
        "Before: volume in the moving image; after: on the fixed image. Shift of the centre beyond the alignment, to the left, posterior "
        "and superior. Jacobian of the whole transform: below 1 the structure grows."
    )
    return f'{body}<p class="soft small">{text(legend)}</p>'


def _row(row: dict[str, Any], where: str) -> str:
    name = row["name"] or tr("label {number}", number=row["label"])
    if row["side"] == "fixed":
        name = tr("{structure} (fixed)", structure=name)
    jacobian = row["jacobian"]
    between = "\u2013" if jacobian is None else f"{number(jacobian['percentile5'])} \u2013 {number(jacobian['percentile95'])}"
    cells = [
        figure(f"{where}.before_ml", number(row["before_ml"])),
        figure(f"{where}.after_ml", number(row["after_ml"])),
        figure(f"{where}.change_percent", number(row["change_percent"])),
        figure(f"{where}.shift_mm", number(row["shift_mm"])),
        *(
            figure(f"{where}.shift_lps_mm.{axis}", number(value))
            for axis, value in enumerate(row["shift_lps_mm"] if row["shift_lps_mm"] is not None else [None] * 3)
        ),
        figure(f"{where}.jacobian.mean", number(None if jacobian is None else jacobian["mean"])),
        f'<td class="n">{text(between)}</td>',
        f"<td>{text(translated(row['words']) if row['words'] else _outside(row))}</td>",
    ]
    return f'<tr><td class="name">{text(name)}</td>{"".join(cells)}</tr>'


def _outside(row: dict[str, Any]) -> str:
    """Return how much of a structure lies outside the displacement field, in words."""
    if row["outside_percent"] >= 100.0:
        return tr("outside the field")
    return tr("{share} % outside the field", share=number(row["outside_percent"], 0)) if row["outside_percent"] else ""
