"""Translations of texts for users. The engine's own texts are English; the program that shows them may give a table of translations.

A text with values is a template, such as ``"{count} voxels"``. A finished text, such as the message of an error, is translated by the
template that it was made from: :class:`Texts` finds it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
# A value in a text. It does not extend over the colon of "what: message".
_VALUE = r"(?:(?!: ).)+"


class Texts:
    """Translations of texts.

    Args:
        table: English text or template to its translation. A translation with other placeholders or single braces is not used.
    """

    def __init__(self, table: Mapping[str, str] | None = None) -> None:
        self._table = {text: translation for text, translation in (table or {}).items() if _fits(text, translation)}
        templates = sorted((text for text in self._table if _names(text)), key=_fixed_letters, reverse=True)
        self._patterns = [(pattern, template) for template in templates for pattern in _patterns(template)]

    def fill(self, template: str, **values: object) -> str:
        """Return the translation of a template with its values."""
        text = self._table.get(template, template)
        return text.format(**values) if values else text

    def translated(self, text: str) -> str:
        """Return the translation of a finished text; the text itself if there is none.

        The values in a text are translated as well, and so are the parts of "what: message", of which the engine makes its errors.
        """
        if not self._table or not text:
            return text
        if text in self._table:
            return self._table[text]
        template, values = self._origin(text)
        if template:
            return self._table[template].format(**{name: self.translated(value) for name, value in values.items()})
        head, colon, tail = text.partition(": ")
        return f"{self.translated(head)}{colon}{self.translated(tail)}" if colon else text

    def _origin(self, text: str) -> tuple[str, dict[str, str]]:
        """Return the template that a text was made from and its values; "" if there is none.

        If several templates fit, the one with the most fixed letters is taken; of equal ones the one with the longest values that have
        translations, as "the {role} {path} is empty" with the role "fixed image"; then the one with the fewest values.
        """
        best, found = (0, 0, 0), ("", {})
        for pattern, template in self._patterns:
            letters = _fixed_letters(template)
            if letters < best[0]:
                break
            match = pattern.fullmatch(text) if all(part in text for part in _PLACEHOLDER.split(template)[::2]) else None
            if match:
                values = match.groupdict()
                rank = (letters, sum(len(value) for value in values.values() if value in self._table), -len(values))
                if not found[0] or rank > best:
                    best, found = rank, (template, values)
        return found


def _names(text: str) -> set[str]:
    return set(_PLACEHOLDER.findall(text))


def _fits(text: str, translation: str) -> bool:
    names = _names(text)
    try:
        translation.format(**dict.fromkeys(names, ""))
    except (KeyError, ValueError, IndexError):
        return not names
    return names == _names(translation)


def _fixed_letters(template: str) -> int:
    return len(_PLACEHOLDER.sub("", template).replace(" ", ""))


def _patterns(template: str) -> list[re.Pattern[str]]:
    """Return expressions for the texts that are made from a template, with a group for each value.

    The words of two adjacent values can be divided in two ways: one expression gives as many as possible to the first value, one to the
    last.
    """
    parts = _PLACEHOLDER.split(template)  # text, name, text, name, ..., text
    made = []
    for anything in (_VALUE + "?", _VALUE) if len(parts) > 3 else (_VALUE,):
        known: set[str] = set()
        pieces = []
        for place, part in enumerate(parts):
            if place % 2 == 0:
                pieces.append(re.escape(part))
            else:
                pieces.append(f"(?P={part})" if part in known else f"(?P<{part}>{anything})")
                known.add(part)
        made.append(re.compile("".join(pieces), re.DOTALL))
    return made


_current: ContextVar[Texts] = ContextVar("texts", default=Texts())  # noqa: B039 - it is never changed


@contextlib.contextmanager
def translations(table: Mapping[str, str] | None) -> Iterator[None]:
    """Within, :func:`tr` and :func:`translated` use a table of translations."""
    token = _current.set(Texts(table))
    try:
        yield
    finally:
        _current.reset(token)


def tr(template: str, **values: object) -> str:
    """Return a text for users in their language: the translation of a template, with its values."""
    return _current.get().fill(template, **values)


def translated(text: str) -> str:
    """Return a finished text in the user's language, see :meth:`Texts.translated`."""
    return _current.get().translated(text)


def counted(count: float, one: str, many: str) -> str:
    """Return the text for a number of things, with the number in place of ``{count}``, if it has that.

    Args:
        count: the number.
        one: text for 1, as "{count} voxel".
        many: text for all other numbers, as "{count} voxels".
    """
    return (one if count == 1 else many).replace("{count}", f"{count:,}")
