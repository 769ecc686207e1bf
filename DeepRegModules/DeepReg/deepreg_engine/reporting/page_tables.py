"""Tables of a report's page: landmark pairs and structures."""

from __future__ import annotations

from typing import Any

from deepreg_engine.reporting.markup import figure, number, table, text
from deepreg_engine.texts import tr

#: Number of pairs or structures in the tables of the printed page, the worst first; the screen and the files have all.
MOST = 12
# From LPS to RAS, the coordinate system of the application.
_RAS = (-1.0, -1.0, 1.0)
# Placeholders that a translated text keeps: figures, which are elements of the page, are put there after the text was escaped.
_MEASURES = {name: f"{{{name}}}" for name in ("count", "mean", "median", "percentile95", "max")}


def landmark_table(landmarks: dict[str, Any], everything: bool = False) -> str:
    """Return the pairs with their errors: those with the largest error after, or all in their order."""
    each = list(enumerate(landmarks["each"]))
    worst = not everything and len(each) > MOST
    chosen = sorted(each, key=lambda pair: -(pair[1]["after_mm"] or 0.0))[:MOST] if worst else each
    rows = [_landmark_row(entry, f"landmarks.each.{place}") for place, entry in chosen]
    body = table((tr("pair"), tr("before"), tr("after"), "R", "A", "S", ""), rows, (1, 2, 3, 4, 5))
    if everything:
        return body
    legend = [tr("R, A, S: error after towards right, anterior and superior.")]
    if worst:
        legend.insert(0, tr("The {shown} pairs of {all} with the largest error.", shown=MOST, all=len(each)))
    if landmarks["outlier_limit_mm"] is not None:
        limit = number(landmarks["outlier_limit_mm"])
        legend.append(tr("An outlier is above {limit} mm (median + 3 \u00d7 1.4826 \u00d7 MAD).", limit=limit))
    head = f"<h2>{text(tr('Landmarks'))}</h2>"
    return f'{head}{body}<p class="small">{_totals(landmarks)}</p><p class="soft small">{text(" ".join(legend))}</p>'


def _landmark_row(entry: dict[str, Any], where: str) -> str:
    if entry["after_mm"] is None:
        parts, mark = '<td class="n">\u2013</td>' * 3, f"<td>{text(tr('outside'))}</td>"
    else:
        error = enumerate(zip(_RAS, entry["error_mm"], strict=True))
        parts = "".join(figure(f"{where}.error_mm.{axis}", number(sign * value)) for axis, (sign, value) in error)
        mark = f'<td class="outlier">{text(tr("outlier"))}</td>' if entry["outlier"] else "<td></td>"
    return (
        f'<tr><td class="name">{text(entry["label"])}</td>{figure(f"{where}.before_mm", number(entry["before_mm"]))}'
        f"{figure(f'{where}.after_mm', number(entry['after_mm']))}{parts}{mark}</tr>"
    )


def _totals(landmarks: dict[str, Any]) -> str:
    """Return mean, median, 95 % and largest error of all pairs, before and after."""
    template = tr("All {count} pairs, mm: mean {mean}, median {median}, 95 % {percentile95}, largest {max}.", **_MEASURES)
    if landmarks["outside_field"]:
        template = tr(
            "All {count} pairs inside the displacement field, mm: mean {mean}, median {median}, 95 % {percentile95}, largest {max}.",
            **_MEASURES,
        )
    spans = {name: f"{_span(landmarks, 'before', name)} \u2192 {_span(landmarks, 'after', name)}" for name in _MEASURES if name != "count"}
    return text(template).format(count=landmarks["after"]["count"], **spans)


def _span(landmarks: dict[str, Any], stage: str, measure: str) -> str:
    return f'<span data-figure="landmarks.{stage}.{measure}">{text(number(landmarks[stage][measure]))}</span>'


def overlap_table(overlap: dict[str, Any], everything: bool = False) -> str:
    """Return structures with Dice and distances: those with the lowest Dice after, or all in their order."""
    each = list(enumerate(overlap["labels"]))
    worst = not everything and len(each) > MOST
    chosen = sorted(each, key=lambda entry: entry[1]["after"]["dice"])[:MOST] if worst else each
    rows = []
    for place, entry in chosen:
        name = entry.get("name") or tr("label {number}", number=entry["label"])
        rows.append(_structure(name, f"overlap.labels.{place}", entry["before"], entry["after"]))
    if not everything:
        rows.append(_structure(tr("mean"), "overlap.mean", overlap["mean_before"], overlap["mean_after"], True))
    head = (tr("structure"), tr("Dice before"), tr("Dice after"), tr("HD95 before"), tr("HD95 after"), tr("MSD after"))
    body = table(head, rows, (1, 2, 3, 4, 5))
    if everything:
        return body
    legend = [tr("HD95: 95 % Hausdorff distance, MSD: mean surface distance, mm.")]
    if worst:
        legend.insert(0, tr("The {shown} structures of {all} with the lowest Dice.", shown=MOST, all=len(each)))
    legend += _not_compared(overlap)
    return f'<h2>{text(tr("Structures"))}</h2>{body}<p class="soft small">{text(" ".join(legend))}</p>'


def _not_compared(overlap: dict[str, Any]) -> list[str]:
    """Return a sentence for each side with labels that the other one lacks."""
    fixed, moving = len(overlap["only_in_fixed"]), len(overlap["only_in_moving"])
    if fixed and moving:
        return [tr("Not compared: {fixed} only in the fixed labels, {moving} only in the moving labels.", fixed=fixed, moving=moving)]
    if fixed:
        return [tr("Not compared: {count} only in the fixed labels.", count=fixed)]
    return [tr("Not compared: {count} only in the moving labels.", count=moving)] if moving else []


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
