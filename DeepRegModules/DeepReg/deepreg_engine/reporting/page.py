"""The page of a report: one self-contained HTML file for the screen and for two sheets of A4."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from deepreg_engine.methods.slots import slot
from deepreg_engine.metrics.report import to_json
from deepreg_engine.reporting.charts import error_chart, jacobian_chart
from deepreg_engine.reporting.csv_table import as_csv
from deepreg_engine.reporting.limits import LIMITS, WORDS
from deepreg_engine.reporting.markup import count, figure, light, number, pairs, table, text
from deepreg_engine.reporting.page_tables import MOST, landmark_table, overlap_table
from deepreg_engine.reporting.style import FILTER, SCRIPT, STYLE
from deepreg_engine.reporting.views import Found, controls, deformation_words, jacobian_words, map_words, pair_rows, row

# Numbers of notes and parameters on paper; the screen and the JSON file have all.
_NOTES, _PARAMETERS = 3, 8
# With fewer ratings than this the first sheet has space for larger pictures.
_FEW = 5
# Heights on the second sheet, mm: of the sheet; of headings, charts, captions and signature; of a table and its rows; of a line.
_SHEET, _FIXED, _TABLE, _ROW, _LINE = 266.0, 84.0, 24.0, 3.5, 2.95
# Letters in a line of the two columns of the section Method.
_LETTERS = 50
_SMALLEST, _TALLEST = 28.0, 56.0
# The page loads nothing and sends nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
# Number of letters of a checksum that are shown.
_CHECKSUM = 16
_DIGITS = {limit.key: limit.digits for limit in LIMITS}


def page(content: dict[str, Any], found: Found) -> str:
    """Return the page as HTML.

    Args:
        content: of the JSON file, plain data.
        found: the planes and the data addresses of their pictures, see :func:`deepreg_engine.reporting.pictures.draw`.
    """
    inputs = content["inputs"]
    head = f"{content['title']}: {inputs['moving']['name']} to {inputs['fixed']['name']}"
    first = [_header(content), _inputs(content), _ratings(content), _pictures(content, found)]
    second = [_maps(content, found), _charts(content), _tables(content), _run(content), _notes(content), _signature()]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(head)}</title><style>{STYLE}</style></head><body>{FILTER}<main>"
        f"{_sheet(first, 49.0 if len(content['ratings']) < _FEW else 45.0)}{_sheet(second, _room(content))}{_all(content)}"
        f"</main><script>{SCRIPT}</script></body></html>\n"
    )


def _sheet(parts: list[str], tall: float) -> str:
    """One sheet of paper; ``tall`` is the maximal height of its rows of pictures there, mm."""
    return f'<section class="sheet" style="--tall:{tall:.0f}mm">{"".join(parts)}</section>'


def _room(content: dict[str, Any]) -> float:
    """Height of each of the two rows of pictures on the second sheet, mm, from a rough count of the lines of text."""
    figures, run = content["figures"], content["run"]
    listed = figures.get("landmarks", {}).get("each", ()), figures.get("overlap", {}).get("labels", ())
    rows = max(min(len(entries), MOST) for entries in listed)
    used = _FIXED + (_TABLE + _ROW * rows if rows else 0.0)
    columns = _method(content)
    used += _LINE * max(sum(1 + len(text_) // _LETTERS for _, text_ in column if text_) for column in columns) if run else 4 * _LINE
    notes = len(content["notes"]) + len(run["notes"] if run else ())
    used += 2.0 * _LINE * min(notes, _NOTES) + (10.0 if notes else 0.0)
    return float(min(max((_SHEET - used) / 2.0, _SMALLEST), _TALLEST))


def _header(content: dict[str, Any]) -> str:
    patient = f'<p class="patient">{text(content["patient"])}</p>' if content.get("patient") else ""
    made = f"{content['created'][:10]} {content['created'][11:16]}, deepreg-engine {content['versions']['deepreg-engine']}"
    return f'<header><div><h1>{text(content["title"])}</h1>{patient}</div><p class="soft small">{text(made)}</p></header>'


def _inputs(content: dict[str, Any]) -> str:
    inputs = content["inputs"]
    rows = []
    for side, title in (("fixed", "Fixed"), ("moving", "Moving")):
        image = inputs[side]
        turned = f"oblique, by {number(image['oblique_degrees'], 0)}\u00b0" if image["oblique_degrees"] else "along the patient's axes"
        cells = (image["name"], image["modality"] or "\u2013", _times(image["size"], 0), _times(image["spacing"], 2), turned)
        rows.append(
            f'<tr><th scope="row">{title}</th><td class="name">{text(cells[0])}</td>'
            + "".join(f"<td>{text(cell)}</td>" for cell in cells[1:])
            + "</tr>"
        )
    transform = inputs["transform"]
    grid = (
        f", {_times(transform['grid']['size'], 0)} vectors each {_times(transform['grid']['spacing'], 2)} mm" if transform["grid"] else ""
    )
    also = f"; measured with {', '.join(inputs['with'])}" if inputs["with"] else ""
    rows.append(
        f'<tr><th scope="row">Transform</th><td class="name">{text(transform["name"])}</td>'
        f'<td colspan="4">{text(transform["kind"] + grid + also)}</td></tr>'
    )
    return "<h2>Inputs</h2>" + table(("", "name", "modality", "voxels", "voxel size (mm)", "axes"), rows)


def _times(values: Sequence[float], digits: int) -> str:
    return " \u00d7 ".join(f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}" for value in values)


def _ratings(content: dict[str, Any]) -> str:
    ratings = content["ratings"]
    counts = {rating: [entry for entry in ratings if entry["rating"] == rating] for rating in ("red", "amber", "green")}
    verdict = "".join(
        light(
            rating,
            f"{len(entries)} {WORDS[rating]}" + (f" ({', '.join(entry['title'] for entry in entries)})" if rating != "green" else ""),
        )
        for rating, entries in counts.items()
        if entries
    )
    rows = []
    for entry in ratings:
        key, rating, rule, digits, unit = entry["key"], entry["rating"], entry["rule"], _DIGITS[entry["key"]], entry["unit"]
        shown = f"0 {unit}" if key == "folding" and entry["value"] == 0 else number(entry["value"], digits, unit)
        before = "" if entry["before"] is None else number(entry["before"], digits, unit)
        rows.append(
            f'<tr><th scope="row">{text(entry["title"])}</th><td class="n">{text(before)}</td>'
            f"{figure('ratings.' + key, shown)}<td>{light(rating, f'{rating}: {WORDS[rating]}')}</td>"
            f'<td class="small">green {text(rule["green"])}, amber {text(rule["amber"])}, red {text(rule["red"])}</td></tr>'
        )
    accuracy = {"tre_median", "dice"} & {entry["key"] for entry in ratings}
    missing = (
        ""
        if accuracy
        else (
            "<p><b>Neither landmarks nor structures were given: the figures describe the regularity of the registration, "
            "not its accuracy.</b></p>"
        )
    )
    what = table(("", "before", "after", "rating", "limits"), rows, (1, 2))
    source = f'<p class="soft small">{text(content["limits_source"])}</p>'
    return f'<h2>Summary</h2><p class="verdict">{verdict}</p>{what}{missing}{_more(content)}{source}'


def _more(content: dict[str, Any]) -> str:
    """A line with figures that are not rated."""
    figures = content["figures"]
    lengths, on = figures["displacement"], figures["measured_on"]
    sentences = [
        f"Displacement: mean {number(lengths['mean'])}, 95 % {number(lengths['percentile95'])}, largest {number(lengths['max'])} mm.",
        f"Deformation measured on {count(figures['regularity']['voxels'])} voxels of "
        f"{'the transform' if on['own_grid'] else 'the fixed image'}{' inside the mask' if on['masked'] else ''}.",
    ]
    if "landmarks" in figures and figures["landmarks"]["outside_field"]:
        sentences.append(
            f"{figures['landmarks']['outside_field']} of {len(figures['landmarks']['each'])} landmarks lie outside the displacement field: "
            "their error is not known, and no figure includes them."
        )
    if "inverse_consistency" in figures:
        there = figures["inverse_consistency"]
        sentences.append(
            f"Inverse: {count(there['points'])} points forward and back, largest {number(there['max'], 3)} mm"
            + (f"; {count(there['outside'])} left the grid of the inverse." if there["outside"] else ".")
        )
    return f'<p class="small">{text(" ".join(sentences))}</p>'


def _pictures(content: dict[str, Any], found: Found) -> str:
    views, fixed = content["views"], content["inputs"]["fixed"]
    right, anterior, superior = (number(sign * value, 1) for sign, value in zip((-1, -1, 1), views["point_lps"], strict=True))
    turned = (
        f"; the planes are the fixed image's own, {number(fixed['oblique_degrees'], 0)}\u00b0 from the patient's axes"
        if fixed["oblique_degrees"]
        else ""
    )
    where = f"Through R {right}, A {anterior}, S {superior} mm: {views['why']}{turned}. The yellow cross is around this point."
    checker = row(
        found,
        "checkerboard",
        "Checkerboard",
        text("alternating fields of fixed and (tinted green) warped moving: edges have to continue across fields"),
    )
    return f'<h2>Before and after</h2><p class="soft small">{text(where)}</p>{controls()}{pair_rows(found, views["before"])}{checker}'


def _maps(content: dict[str, Any], found: Found) -> str:
    difference = row(
        found, "difference", "Difference", text("warped moving minus fixed: grey equal, orange brighter, blue darker"), paper=False
    )
    maps = [
        row(found, name, slot(name).title, map_words(slot(name).help, values["percentile95"]), paper=False)
        for name, values in content["figures"]["maps"].items()
    ]
    return (
        f"<h2>Deformation</h2>{row(found, 'grid', 'Grid', deformation_words(content['views']))}"
        f"{row(found, 'jacobian', 'Jacobian', jacobian_words())}{''.join(maps)}{difference}"
    )


def _charts(content: dict[str, Any]) -> str:
    histograms = content["figures"]["histograms"]
    drawn = []
    if "landmark_error" in histograms:
        limit = next((entry for entry in content["ratings"] if entry["key"] == "tre_median"), None)
        drawn.append(error_chart(histograms["landmark_error"], (limit["green"], limit["amber"]) if limit else None))
    drawn.append(jacobian_chart(histograms["jacobian"]))
    return f'<h2>Histograms</h2><div class="charts">{"".join(drawn)}</div>'


def _tables(content: dict[str, Any]) -> str:
    parts = []
    if "landmarks" in content["figures"]:
        parts.append(f"<div>{landmark_table(content['figures']['landmarks'])}</div>")
    if "overlap" in content["figures"]:
        parts.append(f"<div>{overlap_table(content['figures']['overlap'])}</div>")
    return f'<div class="columns">{"".join(parts)}</div>' if parts else ""


def _run(content: dict[str, Any]) -> str:
    """Method, parameters, model, versions."""
    left, right = _method(content)
    if content["run"] is None:
        unknown = "<p>The report of the run was not given: method, parameters and model of the registration are not known.</p>"
        return f"<h2>Method</h2>{unknown}{pairs(right)}"
    return f'<h2>Method</h2><div class="columns">{pairs(left)}{pairs(right)}</div>'


def _method(content: dict[str, Any]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Terms and texts in two columns: of the run, and of its model and the software."""
    run = content["run"]
    versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items() if name not in ("system", "application"))
    made_with = ", ".join(part for part in (content["versions"].get("application", ""), versions, content["versions"]["system"]) if part)
    if run is None:
        return [], [("Report made with", made_with)]
    changed = [entry for entry in run["parameters"] if entry["changed"]]
    shown = [_setting(entry) for entry in changed[:_PARAMETERS]]
    more = len(changed) - len(shown)
    settings = ", ".join(shown) + (f" and {more} more" if more else "") if shown else "none"
    time = f", {number(run['seconds'], 1)} s" if isinstance(run["seconds"], int | float) else ""
    inverse = run["inverse"] or {}
    trip = f"round trip: mean {number(inverse.get('mean_round_trip_mm'), 3)}, largest {number(inverse.get('worst_round_trip_mm'), 3)} mm"
    left = [
        ("Method", run["title"] + (f", preset {run['preset']}" if run["preset"] else "")),
        ("Changed parameters", settings),
        ("Run", ", ".join(part for part in (run["created"][:16].replace("T", " "), run["engine"], run["device"]) if part) + time),
        ("Alignment before", run["alignment"]),
        ("Inverse", trip if inverse else ""),
    ]
    fine = [("In the refinement", run["refinement_features"])] if run["refinement_features"] else []
    return left, [*_model(run["model"]), *fine, ("Report made with", made_with)]


def _setting(entry: dict[str, Any]) -> str:
    unit = f" {entry['unit']}" if entry["unit"] else ""
    default = "" if entry["default"] is None else f" (default {entry['default']})"
    return f"{entry['name']} = {entry['value']}{unit}{default}"


def _cut(checksums: str) -> str:
    """The beginnings of checksums."""
    return "; ".join(part[: part.find(":") + 2 + _CHECKSUM if ":" in part else _CHECKSUM] for part in checksums.split("; "))


def _model(model: dict[str, Any] | None) -> list[tuple[str, str]]:
    if model is None:
        return []
    if "problem" in model:
        return [("Features", f"{model['name']}; {model['problem']}")]
    of = ", ".join(part for part in (model.get("architecture", ""), model.get("origin", ""), model.get("date", "")) if part)
    figures = "; ".join(f"{name}: {value}" for name, value in (model.get("figures") or {}).items())
    return [
        ("Features", f"{model['name']} ({of})"),
        ("Licence", model.get("licence", "")),
        ("Training data", model.get("training_data", "")),
        ("Intended use", model.get("intended_use", "")),
        ("Figures of the model", figures),
        ("Checksum", _cut(model.get("sha256", ""))),
    ]


def _notes(content: dict[str, Any]) -> str:
    run = content["run"]
    notes = [*content["notes"], *(run["notes"] if run else [])]
    if not notes:
        return ""
    shown = [f'<li><div class="clip">{text(note[:1].upper() + note[1:])}</div></li>' for note in notes]
    items = "".join([*shown[:_NOTES], *(item.replace("<li>", '<li class="screen">', 1) for item in shown[_NOTES:])])
    left = len(notes) - _NOTES
    more = f'<p class="paper soft">and {left} more, in the page on the screen and in the JSON file</p>' if left > 0 else ""
    return f"<h2>Notes</h2><ul>{items}</ul>{more}"


def _signature() -> str:
    words = ("Reviewed by", "Accepted \u2610 &ensp; not accepted \u2610 &ensp; for", "Date, signature")
    return f'<div class="sign">{"".join(f"<span>{line}</span>" for line in words)}</div>'


def _all(content: dict[str, Any]) -> str:
    """All pairs, structures and parameters, which would be too long for paper; and the figures as files."""
    figures, parts = content["figures"], []
    if "landmarks" in figures:
        parts.append(_folded("All landmark pairs", landmark_table(figures["landmarks"], everything=True)))
    if "overlap" in figures:
        parts.append(_folded("All structures", overlap_table(figures["overlap"], everything=True)))
    if content["run"] is not None and content["run"]["parameters"]:
        rows = [
            f'<tr><th scope="row">{text(entry["name"])}</th><td>{text(entry["value"])} {text(entry["unit"])}</td>'
            f"<td>{text('' if entry['default'] is None else entry['default'])}</td></tr>"
            for entry in content["run"]["parameters"]
        ]
        parts.append(_folded("All parameters", table(("", "value", "default"), rows)))
    files = " ".join(
        f'<a download="figures.{kind}" href="data:{media};base64,{_packed(made)}">{kind.upper()}</a>'
        for kind, media, made in (("json", "application/json", to_json(content)), ("csv", "text/csv;charset=utf-8", as_csv(content)))
    )
    return f'<div class="screen"><h2>All figures</h2>{"".join(parts)}<p>Save the figures of this page: {files}</p></div>'


def _packed(made: str) -> str:
    return base64.b64encode(made.encode("utf-8")).decode("ascii")


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{text(title)}</summary>{body}</details>"
