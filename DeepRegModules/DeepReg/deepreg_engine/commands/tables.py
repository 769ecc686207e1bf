"""Results as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepreg_engine.verdict.line import verdict_line


def table(rows: Sequence[Sequence[str]], head: bool = True) -> list[str]:
    """Return the rows of cells as aligned lines: the first column left-aligned, the others right-aligned, the head underlined."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    formats = "  ".join(("{:<%d}" if column == 0 else "{:>%d}") % width for column, width in enumerate(widths))
    lines = [formats.format(*row).rstrip() for row in rows]
    return [lines[0], "-" * len(lines[0]), *lines[1:]] if head else lines


def number(value: float | None, digits: int = 2, unit: str = "") -> str:
    """Return a figure with the given digits and unit, or a dash for None."""
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def result_lines(report: dict[str, Any]) -> list[str]:
    """Return a summary of the report of a registration or an evaluation."""
    lines = []
    if "seconds" in report:
        features = f"; features: {report['features']}" if report["features"] else ""
        lines.append(f"registered in {report['seconds']['total']:.1f} s ({report['device']}{features})")
    if line := verdict_line(report):
        lines.append(f"verdict: {line}")
    if "suggestion" in report:
        chosen = report["suggestion"]
        lines.append(f"chosen: {chosen['method']}, preset {chosen['preset']}: {chosen['reason']}")
    if "points" in report:
        points = report["points"]
        lines.append(
            f"{points['fixed']} fixed and {points['moving']} moving points; {100 * points['confident_share']:.0f} % of the fixed points "
            f"have a partner (median distance {points['median_distance_to_partner_mm']:.2f} mm)"
        )
    lines += measured_lines(report)
    if expected := report.get("expected_error"):
        bound, doubt = expected["bound_mm"], "" if expected["calibrated"] else "; not calibrated for this pair"
        lines.append(
            f"expected error: {expected['bound_percent']} % of the errors below {bound['median']:.2f} mm at half of the body, "
            f"below {bound['percentile95']:.2f} mm at 95 % of it{doubt}"
        )
    if "inverse" in report:
        inverse = report["inverse"]
        lines.append(f"inverse: worst round trip {inverse['worst_round_trip_mm']:.3f} mm, mean {inverse['mean_round_trip_mm']:.4f} mm")
    if report.get("outputs"):
        lines.append("written: " + "  ".join(report["outputs"].values()))
    lines += [f"note: {note}" for note in report.get("notes", [])]
    return lines


def measured_lines(report: dict[str, Any]) -> list[str]:
    """Return the figures of a report: alignment, deformation beyond it, regularity, landmarks and overlap."""
    lines = []
    if "linear_part" in report:
        lines += motion_lines(report["linear_part"], report["deformation"])
    if "landmarks" in report:
        before, after = report["landmarks"]["before"], report["landmarks"]["after"]
        rows = [["", "before", "after"]]
        for key, name in (("mean", "mean"), ("median", "median"), ("percentile95", "95 %"), ("max", "largest")):
            rows.append([f"  {name}", number(before[key]), number(after[key])])
        lines += [f"target registration error, mm (landmarks: {after['count']})", *table(rows)]
        if report["landmarks"]["outside_field"]:
            count = report["landmarks"]["outside_field"]
            lines.append(f"note: {count} more lie outside the displacement field: their error is not known")
    if "overlap" in report:
        lines += overlap_lines(report["overlap"])
    lines += structure_lines(report.get("structures", []))
    return lines


def structure_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the contour table as lines of text; the list is empty if there are no structures."""
    if not rows:
        return []
    cells = [["structure", "before, ml", "after", "change", "shift, mm", "Jacobian", "5 to 95 %", ""]]
    for row in rows:
        jacobian = row["jacobian"] or {}
        low, high = (number(jacobian.get(key)) for key in ("percentile5", "percentile95"))
        cells.append(
            [
                f"{row['name'] or row['label']}{' (fixed)' if row['side'] == 'fixed' else ''}",
                number(row["before_ml"], 1),
                number(row["after_ml"], 1),
                number(row["change_percent"], 1, " %"),
                number(row["shift_mm"], 1),
                number(jacobian.get("mean")),
                f"{low} to {high}",
                row["words"] or f"{row['outside_percent']:.0f} % outside the field",
            ]
        )
    return ["structures (shift beyond the alignment; Jacobian below 1: grows)", *table(cells)]


# Names of the linear part of a transform, by its source.
_LINEAR = {
    "alignment": "alignment",
    "transform": "linear transform",
    "fitted rigid": "rigid part (fitted)",
    "fitted affine": "affine part (fitted)",
}


def motion_lines(linear: dict[str, Any], beyond: dict[str, Any]) -> list[str]:
    """Return the linear part of a transform, the deformation beyond it, and the Jacobian of that deformation."""
    left, posterior, superior = linear["shift_lps_mm"]
    parts = [
        f"shift {linear['shift_mm']:.1f} mm ({_side(left, 'left', 'right')}, {_side(posterior, 'posterior', 'anterior')}, "
        f"{_side(superior, 'superior', 'inferior')})",
        f"rotation {linear['rotation_degrees']:.1f}\u00b0",
    ]
    if linear["mirrored"]:
        parts.append("MIRRORED")
    if abs(linear["volume_ratio"] - 1.0) > 5e-4:
        parts.append("scales " + " ".join(f"{scale:.3f}" for scale in linear["scales"]))
    regular = beyond["regularity"]
    return [
        f"{_LINEAR[linear['source']]}: {', '.join(parts)}",
        f"deformation beyond: mean {beyond['mean']:.2f} mm, 95 % below {beyond['percentile95']:.2f} mm, largest {beyond['maximum']:.2f} mm",
        f"Jacobian: {regular['min_jacobian']:.2f} to {regular['max_jacobian']:.2f}, folding {regular['folding_percent']:.3f} %, "
        f"SD of log {number(regular['sd_log_jacobian'], 3)}",
    ]


def _side(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):.1f} {positive if value >= 0.0 else negative}"


def overlap_lines(overlap: dict[str, Any]) -> list[str]:
    """Return a table of the overlap of each label, before and after."""
    rows = [["label", "Dice before", "after", "HD95 before", "after", "surface before", "after"]]
    for entry in overlap["labels"]:
        rows.append([str(entry.get("name", entry["label"])), *_pairs(entry["before"], entry["after"])])
    rows.append(["mean", *_pairs(overlap["mean_before"], overlap["mean_after"])])
    lines = ["overlap (Dice; distances in mm)", *table(rows)]
    for key, side in (("only_in_fixed", "fixed"), ("only_in_moving", "moving")):
        if overlap[key]:
            names = overlap.get("only_names", {})
            lines.append(f"only in the {side} labels: {', '.join(names.get(str(label), str(label)) for label in overlap[key])}")
    return lines


def _pairs(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    cells = []
    for key, digits in (("dice", 3), ("hd95", 1), ("mean_surface_distance", 2)):
        cells += [number(before[key], digits), number(after[key], digits)]
    return cells
