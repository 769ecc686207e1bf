"""Name filters of file dialogs, such as ``Images (*.png *.jpg)``."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WITH_TITLE = re.compile(r"^(.*)\(([a-zA-Z0-9_.*? +;#\-\[\]@{}/!<>$%&=^~:|]*)\)$")
_PLAIN = re.compile(r"^[\w\s.*_~$\[\]]+$")
_EXTENSION = re.compile(r"\*\.(\w+)")


def extensions(name_filters: Iterable[str]) -> list[str]:
    """Return the wildcards in name filters."""
    found: list[str] = []
    for name_filter in name_filters:
        match = _WITH_TITLE.match(name_filter)
        if match:
            found += match.group(2).split()
        elif _PLAIN.match(name_filter):
            found.append(name_filter)
    return found


def pattern(name_filters: Iterable[str]) -> str:
    """Return a regular expression for the allowed paths; without filters any text is allowed.

    As in the application, only the first part of an extension with two dots is compared, and its last letter may be missing.
    """
    parts = [rf".*\.{match.group(1)}?$" for match in map(_EXTENSION.search, extensions(name_filters)) if match]
    return f"({'|'.join(parts)})" if parts else ".+"
