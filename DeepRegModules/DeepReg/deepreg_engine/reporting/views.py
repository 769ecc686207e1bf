"""The pictures of a report's page with letters of the patient's sides, a scale bar, and a cross at the position of the other planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepreg_engine.metrics.bins import nice_step
from deepreg_engine.reporting.colours import jacobian_stops, length_stops
from deepreg_engine.reporting.markup import around, number, text
from deepreg_engine.reporting.planes import Plane
from deepreg_engine.texts import tr, translated

Found = Sequence[tuple[Plane, dict[str, str]]]

# Length of the scale bar, as a share of the width of a picture.
_BAR = 0.16
# Height of letters, as a share of the widest picture.
_LETTER = 0.042
# A side shorter than this number of letters has no space for a letter and the cross.
_ROOM = 4.0


def pair_rows(found: Found, before: str) -> str:
    """Return the rows of pictures before and after, between which a slider fades; without the script, and on paper, one is below the
    other."""
    rows = []
    after = tr("the moving image through the transform")
    for stage, title, what in (("before", tr("Before"), translated(before)), ("after", tr("After"), after)):
        words = tr("{picture}. Fixed in magenta, moving in green, equal values are grey.", picture=what)
        head = f'<p class="rowname"><b>{text(title)}</b><span class="soft">{text(words)}</span></p>'
        rows.append(f'<div class="{stage}">{head}{_row(found, stage, title, blend=True)}</div>')
    return f'<div class="pair" id="pair">{"".join(rows)}</div>'


def controls() -> str:
    """Return the slider and choices above the two rows, on the screen."""
    return (
        f'<div class="fade"><label for="time">{text(tr("Before"))}</label>'
        '<input type="range" id="time" min="0" max="100" value="100" step="1">'
        f'<label for="time">{text(tr("After"))}</label><output class="soft" id="time-shown" for="time" '
        f'data-before="{text(tr("shown: before"))}" data-after="{text(tr("shown: after"))}" '
        f'data-between="{text(tr("shown: {share} % after", share="{share}"))}"></output>'
        f'<button type="button" id="play" data-stop="{text(tr("Stop"))}">{text(tr("Flicker"))}</button>'
        f'<label>{text(tr("Show"))} <select id="mode"><option value="colour">{text(tr("both in colours"))}</option>'
        f'<option value="grey">{text(tr("grey: fixed or moving"))}</option></select></label>'
        f'<label id="mix-label" hidden>{text(tr("fixed"))} <input type="range" id="mix-share" min="0" max="100" value="0" step="1"> '
        f"{text(tr('moving'))}</label></div>"
    )


def row(found: Found, picture: str, title: str, legend: str, paper: bool = True) -> str:
    """Return a row of pictures with its title and legend (HTML); "" if there are no such pictures."""
    if not all(picture in pictures for _, pictures in found):
        return ""
    kept = "" if paper else ' class="screen"'
    return f'<div{kept}><p class="rowname"><b>{text(title)}</b><span class="soft">{legend}</span></p>{_row(found, picture, title)}</div>'


def deformation_words(views: dict[str, Any]) -> str:
    """Return the legend of the deformation grid."""
    words = tr(
        "a regular grid of the aligned moving image, {grid} mm wide; deformation beyond the alignment 0 {scale} {longest} and more",
        grid=number(views["grid_mm"], 0),
        longest=number(views["longest_mm"], 1, "mm"),
        scale="{scale}",
    )
    return around(words, _scale(length_stops()))


def jacobian_words() -> str:
    """Return the legend of the Jacobian."""
    template = "local change of volume from the fixed to the moving image beyond the alignment: half {scale} double; {folded}"
    words = tr(template, scale="{scale}", folded="{folded}")
    return around(words, _scale(jacobian_stops()), folded=f'<span class="fold">{text(tr("folded voxels in magenta"))}</span>')


def map_words(help: str, top: float) -> str:
    """Return the legend of a further map: its description, and its colours from 0 to ``top``."""
    return around(tr("{map}: 0 {scale} {top} and more", map=help, top=number(top), scale="{scale}"), _scale(length_stops()))


def _scale(stops: Sequence[str]) -> str:
    return f'<span class="scale" style="background:linear-gradient(90deg,{",".join(stops)})"></span>'


def _row(found: Found, picture: str, title: str, blend: bool = False) -> str:
    sizes = [plane.grid.size[:2] for plane, _ in found]
    columns = " ".join(f"minmax(0,{width}fr)" for width, _ in sizes)
    shape = sum(width for width, _ in sizes) / max(height for _, height in sizes)
    letter = _LETTER * max(width for width, _ in sizes)
    cells = "".join(
        _view(plane, pictures[picture], tr("{picture}, {plane} plane", picture=title, plane=translated(plane.name)), letter, blend)
        for plane, pictures in found
    )
    return f'<div class="views" style="grid-template-columns:{columns};--shape:{shape:.4f}">{cells}</div>'


def _view(plane: Plane, source: str, title: str, letter: float, blend: bool) -> str:
    width, height, _ = plane.grid.size
    left, right, top, bottom = plane.sides
    marks = []
    if height > _ROOM * letter:
        marks += [_letter(0.5 * letter, height / 2, left, "start", letter), _letter(width - 0.5 * letter, height / 2, right, "end", letter)]
    if height > _ROOM * letter and width > _ROOM * letter:
        marks += [
            _letter(width / 2, 1.15 * letter, top, "middle", letter),
            _letter(width / 2, height - 0.5 * letter, bottom, "middle", letter),
        ]
    marks += [_cross(plane, letter), _bar(plane, letter)]
    kind = ' class="blend"' if blend else ""
    return (
        f'<div class="view"><img{kind} src="{source}" width="{width}" height="{height}" alt="{text(title)}">'
        f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{"".join(marks)}</svg></div>'
    )


def _letter(x: float, y: float, label: str, anchor: str, size: float) -> str:
    y += 0.36 * size if anchor in ("start", "end") else 0.0
    anchor = "start" if anchor == "bar" else anchor
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="font-size:{size:.1f}px">{text(label)}</text>'


def _cross(plane: Plane, letter: float) -> str:
    """Draw four short lines around the point where the planes intersect; the point itself stays visible."""
    x, y = plane.cross
    gap, long = 0.7 * letter, 0.8 * letter
    across = f"M{x - gap:.1f} {y:.1f}h-{long:.1f}M{x + gap:.1f} {y:.1f}h{long:.1f}"
    path = f"{across}M{x:.1f} {y - gap:.1f}v-{long:.1f}M{x:.1f} {y + gap:.1f}v{long:.1f}"
    return f'<path d="{path}" stroke="#ffd54a" stroke-width="{0.11 * letter:.2f}" fill="none"/>'


def _bar(plane: Plane, letter: float) -> str:
    """Draw a scale bar at the lower left."""
    width, height, _ = plane.grid.size
    step = plane.grid.spacing[0]
    length = nice_step(_BAR * width * step)
    pixels = length / step
    if pixels > 0.6 * width or height < 2.5 * letter:
        return ""
    x, y = 0.6 * letter, height - 0.6 * letter
    path = f"M{x:.1f} {y - 0.3 * letter:.1f}v{0.3 * letter:.1f}h{pixels:.1f}v-{0.3 * letter:.1f}"
    label = f"{length / 10:g} cm" if length >= 10 else f"{length:g} mm"
    return (
        f'<path d="{path}" stroke="#000" stroke-width="{0.28 * letter:.2f}" fill="none"/><path d="{path}" stroke="#fff" '
        f'stroke-width="{0.12 * letter:.2f}" fill="none" data-bar="{length:g}"/>'
        f"{_letter(x + 0.1 * letter, y - 0.5 * letter, label, 'bar', 0.85 * letter)}"
    )
