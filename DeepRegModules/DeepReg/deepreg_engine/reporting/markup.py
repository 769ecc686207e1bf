"""Building blocks of HTML. :func:`text` escapes every text; :func:`number` formats every number."""

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
    """Escape a text for a page or an attribute."""
    return escape(str(value), quote=True)


def number(value: float | None, digits: int = 2, unit: str = "") -> str:
    """Format a figure; a dash for None, and "< 0.01" for one that would be rounded to 0."""
    if value is None:
        return "\u2013"
    tail = f" {unit}" if unit else ""
    if value and digits and abs(value) < 0.5 * 10.0**-digits:
        sign = "<\u2009" if value > 0 else ">\u2009\u2212"
        return f"{sign}{10.0**-digits:.{digits}f}{tail}"
    return f"{value:.{digits}f}".replace("-", "\u2212") + tail


def count(value: int) -> str:
    """Format a whole number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def figure(where: str, shown: str, tag: str = "td") -> str:
    """Return a table cell (HTML) that shows a number of the report; ``where`` is the path of the number in the JSON file."""
    return f'<{tag} class="n" data-figure="{text(where)}">{text(shown)}</{tag}>'


def around(sentence: str, part: str, **parts: str) -> str:
    """Escape a text and put parts of a page (HTML) at its placeholders.

    Args:
        sentence: a text in which each part is named in braces, ``"{scale}"``; the spaces around ``{scale}`` are left out.
        part: for ``{scale}``.
        parts: for other placeholders.
    """
    escaped = text(sentence).replace(" {scale} ", "{scale}").replace("{scale}", part)
    for name, value in parts.items():
        escaped = escaped.replace(f"{{{name}}}", value)
    return escaped


def light(rating: str, words: str) -> str:
    """Return a traffic light with colour, shape and words, readable without colours."""
    shape = f'<svg viewBox="0 0 12 12" fill="currentColor" aria-hidden="true">{_SHAPES[rating]}</svg>'
    return f'<span class="light {rating}">{shape}{text(words)}</span>'


def table(head: Sequence[str], rows: Sequence[str], numeric: Sequence[int] = ()) -> str:
    """Return a table from whole rows (``<tr>``); ``numeric`` are the columns of figures."""
    kinds = [' class="n"' if column in numeric else "" for column in range(len(head))]
    cells = "".join(f'<th scope="col"{kind}>{text(name)}</th>' for kind, name in zip(kinds, head, strict=True))
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def pairs(entries: Sequence[tuple[str, str]]) -> str:
    """Return a list of terms and their descriptions; empty descriptions are left out."""
    return "<dl>" + "".join(f"<dt>{text(term)}</dt><dd>{text(description)}</dd>" for term, description in entries if description) + "</dl>"
