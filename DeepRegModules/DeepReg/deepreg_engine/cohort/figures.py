"""The figures of a registration that tables and pages of a cohort show. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Column of the table to the path of the figure in the report of a registration.
FIGURES: dict[str, str] = {
    "verdict": "verdict.level",
    "reason": "verdict.reason",
    "method_used": "method",
    "preset_used": "preset",
    "dice_before": "overlap.mean_before.dice",
    "dice": "overlap.mean_after.dice",
    "hd95_before_mm": "overlap.mean_before.hd95",
    "hd95_mm": "overlap.mean_after.hd95",
    "tre_before_mm": "landmarks.before.mean",
    "tre_mm": "landmarks.after.mean",
    "tre_95_mm": "landmarks.after.percentile95",
    "folding_percent": "regularity.folding_percent",
    "min_jacobian": "regularity.min_jacobian",
    "max_jacobian": "regularity.max_jacobian",
    "sd_log_jacobian": "regularity.sd_log_jacobian",
    "deformation_mean_mm": "deformation.mean",
    "deformation_max_mm": "deformation.maximum",
}
#: Figures for which a larger value is better; of all others that are numbers a smaller one is.
HIGHER_IS_BETTER = ("dice", "dice_before", "min_jacobian")


def figures_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a report that exist, and "structures": those of each label, and "notes"."""
    found = {name: value_at(report, where) for name, where in FIGURES.items()}
    figures: dict[str, Any] = {name: _plain(value) for name, value in found.items() if value is not None}
    structures = structures_of(report)
    if structures:
        figures["structures"] = structures
    if report.get("notes"):
        figures["notes"] = list(report["notes"])
    return figures


def value_at(report: Mapping[str, Any], where: str) -> Any:
    """Return the value at a path of names separated by dots; None if it does not exist."""
    value: Any = report
    for name in where.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def structures_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each structure of a report: its name, Dice and HD95 before and after, and, where known, volume and Jacobian."""
    rows: dict[str, dict[str, Any]] = {}
    for entry in (report.get("overlap") or {}).get("labels", []):
        name = _structure(entry)
        row = rows.setdefault(name, {"structure": name})
        for stage, suffix in (("before", "_before"), ("after", "")):
            row[f"dice{suffix}"] = _plain(entry[stage].get("dice"))
            row[f"hd95{suffix}_mm"] = _plain(entry[stage].get("hd95"))
    for entry in report.get("structures") or []:
        name = _structure(entry)
        row = rows.setdefault(name, {"structure": name})
        row.update({key: _plain(entry.get(key)) for key in ("before_ml", "after_ml", "change_percent", "shift_mm")})
        row.update({f"jacobian_{key}": _plain(value) for key, value in (entry.get("jacobian") or {}).items()})
    return list(rows.values())


def _structure(entry: Mapping[str, Any]) -> str:
    """Return the name of a structure; its label without one."""
    return str(entry.get("name") or entry["label"])


def _plain(value: Any) -> Any:
    from deepreg_engine.metrics.report import plain

    return plain(value)
