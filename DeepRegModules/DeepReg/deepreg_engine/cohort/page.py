"""The page of a cohort: how many rows are good, distributions of the figures, and all rows, the worst first with their pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from deepreg_engine.cohort.figures import HIGHER_IS_BETTER
from deepreg_engine.cohort.folder import DONE, FAILED, CohortFolder
from deepreg_engine.reporting.charts import count_chart
from deepreg_engine.reporting.markup import light, number, text
from deepreg_engine.reporting.style import STYLE
from deepreg_engine.texts import tr, translated
from deepreg_engine.verdict.line import WORDS

#: Name of the picture in the folder of a row.
PICTURE = "picture.png"
# Rows that are shown with their pictures.
_PICTURES = 12
# Pages of more rows list the worst ones only; all are in the table.
_MOST = 1000
_LIGHTS = {"good": "green", "check": "amber", "bad": "red"}
_ORDER = {"bad": 0, "check": 1, "good": 3}
# Figure, its title, unit and digits, in the order of columns and charts.
_SHOWN = (
    ("dice", "Dice", "", 3),
    ("hd95_mm", "HD95", "mm", 1),
    ("tre_mm", "Landmark error, mean", "mm", 2),
    ("folding_percent", "Folded voxels", "%", 3),
    ("sd_log_jacobian", "SD of log Jacobian", "", 3),
    ("deformation_mean_mm", "Deformation, mean", "mm", 1),
    ("seconds", "Time", "s", 1),
)
_STYLE = """
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 14px; }
.gallery figure { margin: 0; } .gallery img { width: 100%; display: block; }
.gallery figcaption { font-size: .86em; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
"""


def cohort_page(folder: CohortFolder, lines: Sequence[dict[str, Any]]) -> str:
    """Return the page as HTML, with pictures in it and links to the results of each row.

    Args:
        folder: of the cohort.
        lines: of its table.
    """
    ordered = worst_first(lines)
    shown = [each for each in _SHOWN if any(line[each[0]] is not None for line in lines)]
    parts = [_summary(lines), _charts(lines, shown), _gallery(folder, ordered), _failures(lines), _table(folder, ordered, shown)]
    title = tr("Cohort {name}", name=folder.path.resolve().name)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}{_STYLE}</style></head><body><main><header><h1>{text(title)}</h1></header>"
        f"{''.join(parts)}</main></body></html>\n"
    )


def worst_first(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return lines with the worst first: failed, then by verdict, then by the figure that most rows have."""
    key = next((name for name in ("dice", "tre_mm", "sd_log_jacobian") if any(line[name] is not None for line in lines)), "seconds")
    sign = 1.0 if key in HIGHER_IS_BETTER else -1.0

    def rank(line: dict[str, Any]) -> tuple[int, int, float]:
        value = line[key]
        return (
            {FAILED: 0, DONE: 1}.get(line["state"], 2),
            _ORDER.get(line["verdict"], 2),
            sign * value if value is not None else float("inf"),
        )

    return sorted(lines, key=rank)


def _summary(lines: Sequence[dict[str, Any]]) -> str:
    states = [line["state"] for line in lines]
    done, failed = states.count(DONE), states.count(FAILED)
    words = [tr("{done} of {all} rows are computed", done=done, all=len(lines))]
    if failed:
        words.append(tr("{failed} failed", failed=failed))
    verdicts = [line["verdict"] for line in lines if line["verdict"]]
    lights = [light(_LIGHTS[level], f"{verdicts.count(level)} {_word(level)}") for level in _LIGHTS if level in verdicts]
    return f'<p class="verdict">{" ".join(lights)}</p><p>{text("; ".join(words))}.</p>'


def _word(level: str) -> str:
    return translated(WORDS[level])


def _charts(lines: Sequence[dict[str, Any]], shown: Sequence[tuple[str, str, str, int]]) -> str:
    drawn = []
    for name, title, unit, _digits in shown:
        values = [float(line[name]) for line in lines if line[name] is not None]
        if min(values) < max(values):
            across = f"{tr(title)} ({unit})" if unit else tr(title)
            drawn.append(count_chart(tr(title), values, across, tr("rows")))
    return f"<h2>{text(tr('Distributions'))}</h2><div class='charts'>{''.join(drawn)}</div>" if drawn else ""


def _gallery(folder: CohortFolder, ordered: Sequence[dict[str, Any]]) -> str:
    figures = []
    for line in ordered:
        path = folder.row_folder(line["row"]) / PICTURE
        if line["state"] != DONE or not path.is_file():
            continue
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        caption = f"{_linked(folder, line)} {_verdict(line)}<br>{text(line['reason'] or '')}"
        figures.append(f'<figure><img alt="" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>')
        if len(figures) == _PICTURES:
            break
    if not figures:
        return ""
    legend = tr("Top: before the registration; bottom: after it. Fixed image in magenta, moving image in green: grey where they agree.")
    return f"<h2>{text(tr('Worst rows'))}</h2><p class='soft'>{text(legend)}</p><div class='gallery'>{''.join(figures)}</div>"


def _verdict(line: dict[str, Any]) -> str:
    return light(_LIGHTS[line["verdict"]], _word(line["verdict"])) if line["verdict"] in _LIGHTS else ""


def _linked(folder: CohortFolder, line: dict[str, Any]) -> str:
    """Return the name of a row with a link to its own report, or to its folder."""
    results = folder.row_folder(line["row"])
    if line["state"] != DONE:
        return text(line["row"])
    page = "report.html" if (results / "report.html").is_file() else ""
    return f'<a href="rows/{quote(line["row"])}/{page}">{text(line["row"])}</a>'


def _failures(lines: Sequence[dict[str, Any]]) -> str:
    failed = [line for line in lines if line["state"] == FAILED]
    if not failed:
        return ""
    rows = "".join(f'<tr><th scope="row">{text(line["row"])}</th><td>{text(line["message"])}</td></tr>' for line in failed[:_MOST])
    return f"<h2>{text(tr('Failed rows'))}</h2><table>{rows}</table>"


def _table(folder: CohortFolder, ordered: Sequence[dict[str, Any]], shown: Sequence[tuple[str, str, str, int]]) -> str:
    computed = [line for line in ordered if line["state"] == DONE]
    if not computed:
        return ""
    heads = [tr("Row"), tr("Verdict"), *(f"{tr(title)}{f' ({unit})' if unit else ''}" for _name, title, unit, _digits in shown)]
    head = "".join(f'<th scope="col"{" class=n" if place > 1 else ""}>{text(each)}</th>' for place, each in enumerate(heads))
    rows = []
    for line in computed[:_MOST]:
        cells = "".join(f'<td class="n">{text(number(line[name], digits))}</td>' for name, _title, _unit, digits in shown)
        rows.append(f'<tr><td class="name">{_linked(folder, line)}</td><td>{_verdict(line)}</td>{cells}</tr>')
    more = len(computed) - _MOST
    rest = f"<p>{text(tr('{more} more rows are in table.csv.', more=more))}</p>" if more > 0 else ""
    return (
        f"<h2>{text(tr('All rows, the worst first'))}</h2><div class='wide'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>{rest}"
    )
