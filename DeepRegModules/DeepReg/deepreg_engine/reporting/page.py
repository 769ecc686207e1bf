"""The page of a report: one self-contained HTML file for the screen and for two sheets of A4."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from deepreg_engine.methods.slots import slot
from deepreg_engine.metrics.report import to_json
from deepreg_engine.reporting.charts import error_chart, jacobian_chart
from deepreg_engine.reporting.contour_table import contour_table
from deepreg_engine.reporting.csv_table import as_csv
from deepreg_engine.reporting.limits import LIGHTS, LIMITS, WORDS
from deepreg_engine.reporting.markup import count, figure, light, number, pairs, table, text
from deepreg_engine.reporting.motion import motion_sentences
from deepreg_engine.reporting.page_method import method_terms
from deepreg_engine.reporting.page_tables import MOST, landmark_table, overlap_table
from deepreg_engine.reporting.style import FILTER, SCRIPT, STYLE
from deepreg_engine.reporting.views import Found, controls, deformation_words, jacobian_words, map_words, pair_rows, row
from deepreg_engine.texts import tr, translated
from deepreg_engine.verdict.line import WORDS as WORDS_OF_VERDICT

# Number of notes on paper; the screen and the JSON file have all.
_NOTES = 3
# With fewer ratings than this the first sheet has space for larger pictures.
_FEW = 5
# Heights on the second sheet, mm: of the sheet; of headings, charts, captions and signature; of a table and its rows; of a line.
_SHEET, _FIXED, _TABLE, _ROW, _LINE = 266.0, 84.0, 24.0, 3.5, 2.95
# Letters in a line of the two columns of the section Method.
_LETTERS = 50
_SMALLEST, _TALLEST = 28.0, 56.0
# The page loads nothing and sends nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_DIGITS = {limit.key: limit.digits for limit in LIMITS}


def page(content: dict[str, Any], found: Found, language: str = "en") -> str:
    """Return the page as HTML.

    Args:
        content: of the JSON file, plain data.
        found: the planes and the data addresses of their pictures, see :func:`deepreg_engine.reporting.pictures.draw`.
        language: of the texts, as in HTML; :func:`deepreg_engine.texts.translations` gives them.
    """
    inputs = content["inputs"]
    between = tr("{moving} to {fixed}", moving=inputs["moving"]["name"], fixed=inputs["fixed"]["name"])
    head = f"{translated(content['title'])}: {between}"
    first = [_header(content), _inputs(content), _ratings(content), _pictures(content, found)]
    second = [_maps(content, found), _charts(content), _tables(content), _run(content), _notes(content), _signature()]
    return (
        f'<!DOCTYPE html>\n<html lang="{text(language)}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(head)}</title><style>{STYLE}</style></head><body>{FILTER}<main>"
        f"{_sheet(first, 45.0 if len(content['ratings']) < _FEW else 41.0)}{_sheet(second, _room(content))}{_all(content)}"
        f"</main><script>{SCRIPT}</script></body></html>\n"
    )


def _sheet(parts: list[str], tall: float) -> str:
    """Return one sheet of paper; ``tall`` is the maximal height of its rows of pictures there, mm."""
    return f'<section class="sheet" style="--tall:{tall:.0f}mm">{"".join(parts)}</section>'


def _room(content: dict[str, Any]) -> float:
    """Return the height of each of the two rows of pictures on the second sheet, mm, from a rough count of the lines of text."""
    figures, run = content["figures"], content["run"]
    listed = figures.get("landmarks", {}).get("each", ()), figures.get("overlap", {}).get("labels", ())
    rows = max(min(len(entries), MOST) for entries in listed)
    used = _FIXED + (_TABLE + _ROW * rows if rows else 0.0)
    columns = method_terms(content)
    used += _LINE * max(sum(1 + len(text_) // _LETTERS for _, text_ in column if text_) for column in columns) if run else 4 * _LINE
    notes = len(content["notes"]) + len(run["notes"] if run else ())
    used += 2.0 * _LINE * min(notes, _NOTES) + (10.0 if notes else 0.0)
    return float(min(max((_SHEET - used) / 2.0, _SMALLEST), _TALLEST))


def _header(content: dict[str, Any]) -> str:
    patient = f'<p class="patient">{text(content["patient"])}</p>' if content.get("patient") else ""
    made = f"{content['created'][:10]} {content['created'][11:16]}, deepreg-engine {content['versions']['deepreg-engine']}"
    return f'<header><div><h1>{text(translated(content["title"]))}</h1>{patient}</div><p class="soft small">{text(made)}</p></header>'


def _inputs(content: dict[str, Any]) -> str:
    inputs = content["inputs"]
    rows = []
    for side, title in (("fixed", tr("Fixed")), ("moving", tr("Moving"))):
        image = inputs[side]
        turned = tr("along the patient's axes")
        if image["oblique_degrees"]:
            turned = tr("oblique, by {angle}\u00b0", angle=number(image["oblique_degrees"], 0))
        cells = (image["name"], image["modality"] or "\u2013", _times(image["size"], 0), _times(image["spacing"], 2), turned)
        rows.append(
            f'<tr><th scope="row">{text(title)}</th><td class="name">{text(cells[0])}</td>'
            + "".join(f"<td>{text(cell)}</td>" for cell in cells[1:])
            + "</tr>"
        )
    transform = inputs["transform"]
    described = translated(transform["kind"])
    if transform["grid"]:
        size, spacing = _times(transform["grid"]["size"], 0), _times(transform["grid"]["spacing"], 2)
        described = tr("{kind}, {size} vectors each {spacing} mm", kind=described, size=size, spacing=spacing)
    if inputs["with"]:
        described += "; " + tr("measured with {inputs}", inputs=", ".join(translated(name) for name in inputs["with"]))
    rows.append(
        f'<tr><th scope="row">{text(tr("Transform"))}</th><td class="name">{text(transform["name"])}</td>'
        f'<td colspan="4">{text(described)}</td></tr>'
    )
    head = ("", tr("name"), tr("modality"), tr("voxels"), tr("voxel size (mm)"), tr("axes"))
    return _heading(tr("Inputs")) + table(head, rows)


def _heading(title: str) -> str:
    return f"<h2>{text(title)}</h2>"


def _times(values: Sequence[float], digits: int) -> str:
    return " \u00d7 ".join(f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}" for value in values)


def _ratings(content: dict[str, Any]) -> str:
    ratings = content["ratings"]
    head = ("", tr("before"), tr("after"), tr("rating"), tr("limits"))
    what = table(head, [_rating_row(entry) for entry in ratings], (1, 2))
    missing = ""
    if not {"tre_median", "dice"} & {entry["key"] for entry in ratings}:
        warning = tr(
            "Neither landmarks nor structures were given: the figures describe the regularity of the registration, not its accuracy."
        )
        missing = f"<p><b>{text(warning)}</b></p>"
    source = f'<p class="soft small">{text(translated(content["limits_source"]))}</p>'
    lights = f'<p class="lights">{_lights(ratings)}</p>'
    return f"{_heading(tr('Summary'))}{_verdict(content['verdict'])}{lights}{what}{missing}{_more(content)}{source}"


def _verdict(verdict: dict[str, Any]) -> str:
    """Return the verdict with its colour and shape, its reason and the next step."""
    level, reason, step = verdict["level"], translated(verdict["reason"]), translated(verdict["next_step"])
    sentences = " ".join(f"{part[:1].upper()}{part[1:]}." for part in (reason, step) if part)
    others = [check for check in verdict["checks"] if check["level"] != "good" and check["reason"] != verdict["reason"]]
    items = "".join(
        f"<li>{light(LIGHTS[each['level']], translated(each['title']))}: {text(translated(each['reason']))}</li>" for each in others
    )
    more = f'<ul class="small screen">{items}</ul>' if items else ""
    return f'<p class="verdict">{light(LIGHTS[level], translated(WORDS_OF_VERDICT[level]))} {text(sentences)}</p>{more}'


def _lights(ratings: list[dict[str, Any]]) -> str:
    """Return the number of figures with each rating, the worst first, with the names of those that are not good."""
    lights = []
    for rating in ("red", "amber", "green"):
        titles = [translated(entry["title"]) for entry in ratings if entry["rating"] == rating]
        if titles:
            named = f" ({', '.join(titles)})" if rating != "green" else ""
            lights.append(light(rating, f"{len(titles)} {translated(WORDS[rating])}{named}"))
    return "".join(lights)


def _rating_row(entry: dict[str, Any]) -> str:
    key, rating, digits, unit = entry["key"], entry["rating"], _DIGITS[entry["key"]], entry["unit"]
    shown = f"0 {unit}" if key == "folding" and entry["value"] == 0 else number(entry["value"], digits, unit)
    before = "" if entry["before"] is None else number(entry["before"], digits, unit)
    meaning = f"{translated(rating)}: {translated(WORDS[rating])}"
    return (
        f'<tr><th scope="row">{text(translated(entry["title"]))}</th><td class="n">{text(before)}</td>'
        f"{figure('ratings.' + key, shown)}<td>{light(rating, meaning)}</td>"
        f'<td class="small">{text(tr("green {green}, amber {amber}, red {red}", **entry["rule"]))}</td></tr>'
    )


def _more(content: dict[str, Any]) -> str:
    """Return a line with figures that are not rated."""
    figures = content["figures"]
    sentences = [*motion_sentences(figures), _measured_on(figures["measured_on"], count(figures["regularity"]["voxels"]))]
    if "landmarks" in figures and figures["landmarks"]["outside_field"]:
        sentences.append(
            tr(
                "Landmarks outside the displacement field: {outside} of {all}. Their error is not known, and no figure includes them.",
                outside=figures["landmarks"]["outside_field"],
                all=len(figures["landmarks"]["each"]),
            )
        )
    if "inverse_consistency" in figures:
        sentences.append(_inverse(figures["inverse_consistency"]))
    return f'<p class="small">{text(" ".join(sentences))}</p>'


def _measured_on(on: dict[str, Any], voxels: str) -> str:
    if on["masked"] and on["own_grid"]:
        return tr("Deformation measured on {voxels} voxels of the transform inside the mask.", voxels=voxels)
    if on["masked"]:
        return tr("Deformation measured on {voxels} voxels of the fixed image inside the mask.", voxels=voxels)
    if on["own_grid"]:
        return tr("Deformation measured on {voxels} voxels of the transform.", voxels=voxels)
    return tr("Deformation measured on {voxels} voxels of the fixed image.", voxels=voxels)


def _inverse(consistency: dict[str, Any]) -> str:
    points, largest = count(consistency["points"]), number(consistency["max"], 3)
    if not consistency["outside"]:
        return tr("Inverse: {points} points forward and back, largest {largest} mm.", points=points, largest=largest)
    return tr(
        "Inverse: {points} points forward and back, largest {largest} mm; {outside} left the grid of the inverse.",
        points=points,
        largest=largest,
        outside=count(consistency["outside"]),
    )


def _pictures(content: dict[str, Any], found: Found) -> str:
    views, fixed = content["views"], content["inputs"]["fixed"]
    right, anterior, superior = (number(sign * value, 1) for sign, value in zip((-1, -1, 1), views["point_lps"], strict=True))
    why = translated(views["why"])
    if fixed["oblique_degrees"]:
        template = "{why}; the planes are the fixed image's own, {angle}\u00b0 from the patient's axes"
        why = tr(template, why=why, angle=number(fixed["oblique_degrees"], 0))
    template = "Through R {right}, A {anterior}, S {superior} mm: {why}. The yellow cross is around this point."
    where = tr(template, right=right, anterior=anterior, superior=superior, why=why)
    checker = row(
        found,
        "checkerboard",
        tr("Checkerboard"),
        text(tr("alternating fields of fixed and (tinted green) warped moving: edges have to continue across fields")),
    )
    head = f'{_heading(tr("Before and after"))}<p class="soft small">{text(where)}</p>'
    return f"{head}{controls()}{pair_rows(found, views['before'])}{checker}"


def _maps(content: dict[str, Any], found: Found) -> str:
    legend = tr("warped moving minus fixed: grey equal, orange brighter, blue darker")
    difference = row(found, "difference", tr("Difference"), text(legend), paper=False)
    maps = [
        row(found, name, translated(slot(name).title), map_words(translated(slot(name).help), values["percentile95"]), paper=False)
        for name, values in content["figures"]["maps"].items()
    ]
    return (
        f"{_heading(tr('Deformation'))}{row(found, 'grid', tr('Grid'), deformation_words(content['views']))}"
        f"{row(found, 'jacobian', tr('Jacobian'), jacobian_words())}{''.join(maps)}{difference}"
    )


def _charts(content: dict[str, Any]) -> str:
    histograms = content["figures"]["histograms"]
    drawn = []
    if "landmark_error" in histograms:
        limit = next((entry for entry in content["ratings"] if entry["key"] == "tre_median"), None)
        drawn.append(error_chart(histograms["landmark_error"], (limit["green"], limit["amber"]) if limit else None))
    drawn.append(jacobian_chart(histograms["jacobian"]))
    return f'{_heading(tr("Histograms"))}<div class="charts">{"".join(drawn)}</div>'


def _tables(content: dict[str, Any]) -> str:
    parts = []
    if "landmarks" in content["figures"]:
        parts.append(f"<div>{landmark_table(content['figures']['landmarks'])}</div>")
    if "overlap" in content["figures"]:
        parts.append(f"<div>{overlap_table(content['figures']['overlap'])}</div>")
    return f'<div class="columns">{"".join(parts)}</div>' if parts else ""


def _run(content: dict[str, Any]) -> str:
    """Return method, parameters, model, versions."""
    left, right = method_terms(content)
    if content["run"] is None:
        unknown = tr("The report of the run was not given: method, parameters and model of the registration are not known.")
        return f"{_heading(tr('Method'))}<p>{text(unknown)}</p>{pairs(right)}"
    return f'{_heading(tr("Method"))}<div class="columns">{pairs(left)}{pairs(right)}</div>'


def _notes(content: dict[str, Any]) -> str:
    run = content["run"]
    notes = [translated(note) for note in (*content["notes"], *(run["notes"] if run else []))]
    if not notes:
        return ""
    shown = [f'<li><div class="clip">{text(note[:1].upper() + note[1:])}</div></li>' for note in notes]
    items = "".join([*shown[:_NOTES], *(item.replace("<li>", '<li class="screen">', 1) for item in shown[_NOTES:])])
    left = len(notes) - _NOTES
    more = ""
    if left > 0:
        more = f'<p class="paper soft">{text(tr("and {count} more, in the page on the screen and in the JSON file", count=left))}</p>'
    return f"{_heading(tr('Notes'))}<ul>{items}</ul>{more}"


def _signature() -> str:
    accepted = f"{tr('Accepted')} \u2610 \u2002 {tr('not accepted')} \u2610 \u2002 {tr('for')}"
    lines = (tr("Reviewed by"), accepted, tr("Date, signature"))
    return f'<div class="sign">{"".join(f"<span>{text(line)}</span>" for line in lines)}</div>'


def _all(content: dict[str, Any]) -> str:
    """Return all pairs, structures and parameters, which would be too long for paper; and the figures as files."""
    figures, parts = content["figures"], []
    if "landmarks" in figures:
        parts.append(_folded(tr("All landmark pairs"), landmark_table(figures["landmarks"], everything=True)))
    if "overlap" in figures:
        parts.append(_folded(tr("All structures"), overlap_table(figures["overlap"], everything=True)))
    if "structures" in figures:
        parts.append(_folded(tr("Contours: volume, shift and Jacobian of each structure"), contour_table(figures["structures"])))
    if content["run"] is not None and content["run"]["parameters"]:
        rows = [
            f'<tr><th scope="row">{text(entry["name"])}</th><td>{text(entry["value"])} {text(entry["unit"])}</td>'
            f"<td>{text('' if entry['default'] is None else entry['default'])}</td></tr>"
            for entry in content["run"]["parameters"]
        ]
        parts.append(_folded(tr("All parameters"), table(("", tr("value"), tr("default")), rows)))
    files = " ".join(
        f'<a download="figures.{kind}" href="data:{media};base64,{_packed(made)}">{kind.upper()}</a>'
        for kind, media, made in (("json", "application/json", to_json(content)), ("csv", "text/csv;charset=utf-8", as_csv(content)))
    )
    save = text(tr("Save the figures of this page:"))
    return f'<div class="screen">{_heading(tr("All figures"))}{"".join(parts)}<p>{save} {files}</p></div>'


def _packed(made: str) -> str:
    return base64.b64encode(made.encode("utf-8")).decode("ascii")


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{text(title)}</summary>{body}</details>"
