"""Tables of a report's page: landmark pairs and structures."""

from __future__ import annotations

from typing import Any

from deepreg_engine.reporting.markup import figure, number, table, text

#: Number of pairs or structures in the tables of the printed page, the worst first; the screen and the files have all.
MOST = 12
# From LPS to RAS, the coordinate system of the application.
_RAS = (-1.0, -1.0, 1.0)


def landmark_table(landmarks: dict[str, Any], everything: bool = False) -> str:
    """Pairs with their errors: those with the largest error after, or all in their order."""
    each = list(enumerate(landmarks["each"]))
    worst = not everything and len(each) > MOST
    chosen = sorted(each, key=lambda pair: -(pair[1]["after_mm"] or 0.0))[:MOST] if worst else each
    rows = []
    for place, entry in chosen:
        where = f"landmarks.each.{place}"
        if entry["after_mm"] is None:
            parts, mark = '<td class="n">\u2013</td>' * 3, "<td>outside</td>"
        else:
            error = enumerate(zip(_RAS, entry["error_mm"], strict=True))
            parts = "".join(figure(f"{where}.error_mm.{axis}", number(sign * value)) for axis, (sign, value) in error)
            mark = '<td class="outlier">outlier</td>' if entry["outlier"] else "<td></td>"
        rows.append(
            f'<tr><td class="name">{text(entry["label"])}</td>{figure(f"{where}.before_mm", number(entry["before_mm"]))}'
            f"{figure(f'{where}.after_mm', number(entry['after_mm']))}{parts}{mark}</tr>"
        )
    body = table(("pair", "before", "after", "R", "A", "S", ""), rows, (1, 2, 3, 4, 5))
    if everything:
        return body
    limit = landmarks["outlier_limit_mm"]
    of = f"The {MOST} pairs of {len(each)} with the largest error. " if worst else ""
    outliers = f"An outlier is above {number(limit)} mm (median + 3 \u00d7 1.4826 \u00d7 MAD). " if limit is not None else ""
    legend = f"{of}R, A, S: error after towards right, anterior and superior. {outliers}"
    totals = ", ".join(
        f"{title} {_span(landmarks, 'before', measure)} \u2192 {_span(landmarks, 'after', measure)}"
        for measure, title in (("mean", "mean"), ("median", "median"), ("percentile95", "95 %"), ("max", "largest"))
    )
    inside = " inside the displacement field" if landmarks["outside_field"] else ""
    summary = f"All {landmarks['after']['count']} pairs{inside}, mm: {totals}."
    return f'<h2>Landmarks</h2>{body}<p class="small">{summary}</p><p class="soft small">{text(legend)}</p>'


def _span(landmarks: dict[str, Any], stage: str, measure: str) -> str:
    return f'<span data-figure="landmarks.{stage}.{measure}">{text(number(landmarks[stage][measure]))}</span>'


def overlap_table(overlap: dict[str, Any], everything: bool = False) -> str:
    """Structures with Dice and distances: those with the lowest Dice after, or all in their order."""
    each = list(enumerate(overlap["labels"]))
    worst = not everything and len(each) > MOST
    chosen = sorted(each, key=lambda entry: entry[1]["after"]["dice"])[:MOST] if worst else each
    rows = [
        _structure(entry.get("name", f"label {entry['label']}"), f"overlap.labels.{place}", entry["before"], entry["after"])
        for place, entry in chosen
    ]
    if not everything:
        rows.append(_structure("mean", "overlap.mean", overlap["mean_before"], overlap["mean_after"], True))
    head = ("structure", "Dice before", "Dice after", "HD95 before", "HD95 after", "MSD after")
    body = table(head, rows, (1, 2, 3, 4, 5))
    if everything:
        return body
    of = f"The {MOST} structures of {len(each)} with the lowest Dice. " if worst else ""
    only = [
        f"{len(overlap[key])} only in the {side} labels"
        for key, side in (("only_in_fixed", "fixed"), ("only_in_moving", "moving"))
        if overlap[key]
    ]
    left = f" Not compared: {', '.join(only)}." if only else ""
    legend = f"{of}HD95: 95 % Hausdorff distance, MSD: mean surface distance, mm.{left}"
    return f'<h2>Structures</h2>{body}<p class="soft small">{text(legend)}</p>'


def _structure(name: str, where: str, before: dict[str, Any], after: dict[str, Any], total: bool = False) -> str:
    prefix = (f"{where}_before", f"{where}_after") if total else (f"{where}.before", f"{where}.after")
    cells = "".join(
        figure(f"{prefix[stage]}.{measure}", number(values[measure], digits))
        for measure, digits, stage, values in (
            ("dice", 3, 0, before),
            ("dice", 3, 1, after),
            ("hd95", 1, 0, before),
            ("hd95", 1, 1, after),
            ("mean_surface_distance", 2, 1, after),
        )
    )
    head = f'<th scope="row">{text(name)}</th>' if total else f'<td class="name">{text(name)}</td>'
    return f"<tr>{head}{cells}</tr>"
