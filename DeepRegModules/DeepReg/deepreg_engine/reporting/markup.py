"""Pieces of HTML. Every text goes through :func:`text`; numbers through :func:`number`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

_SHAPES = {
    "green": '<circle cx="6" cy="6" r="5.2"/>',
    "amber": '<path d="M6 .6 11.8 11H.2z"/>',
    "red": '<rect x=".8" y=".8" width="10.4" height="10.4"/>',
}


def text(value: Any) -> str:
    """Any text, so that it is shown as it is, in a page or in an attribute."""
    return escape(str(value), quote=True)


def number(value: float | None, digits: int = 2, unit: str = "") -> str:
    """A figure, or a dash where there is none. One that is rounded to nothing says so."""
    if value is None:
        return "\u2013"
    tail = f" {unit}" if unit else ""
    if value and digits and abs(value) < 0.5 * 10.0**-digits:
        sign = "<\u2009" if value > 0 else ">\u2009\u2212"
        return f"{sign}{10.0**-digits:.{digits}f}{tail}"
    return f"{value:.{digits}f}".replace("-", "\u2212") + tail


def count(value: int) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def figure(where: str, shown: str, tag: str = "td") -> str:
    """A cell with a figure; ``where`` says which of the JSON file's it is."""
    return f'<{tag} class="n" data-figure="{text(where)}">{text(shown)}</{tag}>'


def light(rating: str, words: str) -> str:
    """A traffic light: colour, shape and words, so that it is read without colours too."""
    shape = f'<svg viewBox="0 0 12 12" fill="currentColor" aria-hidden="true">{_SHAPES[rating]}</svg>'
    return f'<span class="light {rating}">{shape}{text(words)}</span>'


def table(head: Sequence[str], rows: Sequence[str], numeric: Sequence[int] = ()) -> str:
    """A table; ``rows`` are whole ``<tr>``, ``numeric`` the columns that hold figures."""
    kinds = [' class="n"' if column in numeric else "" for column in range(len(head))]
    cells = "".join(f'<th scope="col"{kind}>{text(name)}</th>' for kind, name in zip(kinds, head))
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def pairs(entries: Sequence[tuple[str, str]]) -> str:
    """A list of terms and what is said of them; those of which nothing is said are left out."""
    return "<dl>" + "".join(f"<dt>{text(term)}</dt><dd>{text(said)}</dd>" for term, said in entries if said) + "</dl>"
