"""The figures of a report as CSV: one figure in each row, so that tables of several reports can be concatenated.

Figures that belong to no single landmark or structure have an empty item."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from deepreg_engine.reporting.limits import LIGHTS

HEAD = ("section", "item", "measure", "stage", "value", "unit", "rating")
_UNITS = {
    "dice": "",
    "hd95": "mm",
    "mean_surface_distance": "mm",
    "reference_ml": "ml",
    "other_ml": "ml",
    "distance_labels": "",
    "count": "",
}
_SUMMARY = ("count", "mean", "median", "sd", "percentile95", "max")


def rows(content: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the rows below :data:`HEAD` from the content of the JSON file."""
    figures = content["figures"]
    ratings = {entry["key"]: entry["rating"] for entry in content["ratings"]}
    lights = {
        ("landmarks", "median", "after"): "tre_median",
        ("landmarks", "percentile95", "after"): "tre_95",
        ("overlap", "dice", "after"): "dice",
        ("deformation", "folding_percent", ""): "folding",
        ("deformation", "min_jacobian", ""): "jacobian_min",
        ("deformation", "max_jacobian", ""): "jacobian_max",
        ("inverse_consistency", "percentile95", ""): "inverse_95",
    }

    def row(section: str, item: str, measure: str, stage: str, value: Any, unit: str) -> tuple[Any, ...]:
        rating = ratings.get(lights.get((section, measure, stage), ""), "") if not item else ""
        return section, item, measure, stage, "" if value is None else value, unit, rating

    yield from _verdict_rows(content["verdict"])
    if "landmarks" in figures:
        yield from _landmark_rows(figures["landmarks"], row)
    if "overlap" in figures:
        yield from _overlap_rows(figures["overlap"], row)
    yield from _motion_rows(figures, row)
    for entry in figures.get("structures", ()):
        yield from _structure_rows(entry, row)
    for name, values in figures["maps"].items():
        for measure, value in values.items():
            yield row("maps", name, measure, "", value, "")
    for measure, value in figures.get("inverse_consistency", {}).items():
        yield row("inverse_consistency", "", measure, "", value, "" if measure in ("points", "outside") else "mm")


def _verdict_rows(verdict: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the level and the line of the verdict, and the measure of each of its checks."""
    yield "verdict", "", "level", "", verdict["level"], "", LIGHTS[verdict["level"]]
    yield "verdict", "", "line", "", verdict["line"], "", ""
    for check in verdict["checks"]:
        value = "" if check["value"] is None else check["value"]
        yield "verdict", check["name"], "value", "", value, check["unit"], LIGHTS[check["level"]]


def _motion_rows(figures: dict[str, Any], row: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the whole transform, of its linear part, and of the deformation beyond that."""
    for measure, value in figures["regularity"].items():
        yield row("regularity", "", measure, "", value, "%" if measure == "folding_percent" else "")
    for measure, value in figures["displacement"].items():
        yield row("displacement", "", measure, "", value, "mm")
    linear = figures["linear_part"]
    yield row("linear_part", "", "source", "", linear["source"], "")
    yield row("linear_part", "", "shift", "", linear["shift_mm"], "mm")
    for side, value in zip(("left", "posterior", "superior"), linear["shift_lps_mm"], strict=True):
        yield row("linear_part", "", f"shift to the {side}", "", value, "mm")
    yield row("linear_part", "", "rotation", "", linear["rotation_degrees"], "degrees")
    for side, value in zip(("left-right", "anterior-posterior", "superior-inferior"), linear["scales"], strict=True):
        yield row("linear_part", "", f"scale {side}", "", value, "")
    yield row("linear_part", "", "volume ratio", "", linear["volume_ratio"], "")
    beyond = figures["deformation"]
    for measure, value in beyond["regularity"].items():
        yield row("deformation", "", measure, "", value, "%" if measure == "folding_percent" else "")
    for measure in ("mean", "median", "percentile95", "maximum"):
        yield row("deformation", "", measure, "", beyond[measure], "mm")


def _landmark_rows(landmarks: dict[str, Any], row: Any) -> Iterator[tuple[Any, ...]]:
    for stage in ("before", "after"):
        for measure in _SUMMARY:
            yield row("landmarks", "", measure, stage, landmarks[stage][measure], _UNITS.get(measure, "mm"))
    yield row("landmarks", "", "outside_field", "after", landmarks["outside_field"], "")
    for entry in landmarks["each"]:
        for stage in ("before", "after"):
            yield row("landmarks", entry["label"], "error", stage, entry[f"{stage}_mm"], "mm")
        for axis, value in zip("xyz", entry["error_mm"] or [None] * 3, strict=True):
            yield row("landmarks", entry["label"], f"error {axis} (LPS)", "after", value, "mm")


def _overlap_rows(overlap: dict[str, Any], row: Any) -> Iterator[tuple[Any, ...]]:
    for stage in ("before", "after"):
        for measure, value in overlap[f"mean_{stage}"].items():
            yield row("overlap", "", measure, stage, value, _UNITS[measure])
    for entry in overlap["labels"]:
        for stage in ("before", "after"):
            for measure, value in entry[stage].items():
                yield row("overlap", entry.get("name", str(entry["label"])), measure, stage, value, _UNITS[measure])


def _structure_rows(entry: dict[str, Any], row: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of one structure of the contour table."""
    item = entry["name"] or str(entry["label"])
    for stage in ("before", "after"):
        yield row("structures", item, "volume", stage, entry[f"{stage}_ml"], "ml")
    yield row("structures", item, "change", "", entry["change_percent"], "%")
    yield row("structures", item, "shift", "", entry["shift_mm"], "mm")
    for side, value in zip(("left", "posterior", "superior"), entry["shift_lps_mm"] or [None] * 3, strict=True):
        yield row("structures", item, f"shift to the {side}", "", value, "mm")
    for measure in ("mean", "percentile5", "percentile95"):
        yield row("structures", item, f"jacobian {measure}", "", (entry["jacobian"] or {}).get(measure), "")
    yield row("structures", item, "outside", "", entry["outside_percent"], "%")


def as_csv(content: dict[str, Any]) -> str:
    """Return the table as text. A text that a spreadsheet would evaluate as a formula gets an apostrophe in front."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEAD)
    for entry in rows(content):
        writer.writerow([safe(cell) for cell in entry])
    return stream.getvalue()


def safe(cell: Any) -> Any:
    """Return a cell with an apostrophe in front if it is a text that a spreadsheet would evaluate as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
