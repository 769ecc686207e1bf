"""Removal of private data from a report: folders, which contain names of users and patients, and given names."""

from __future__ import annotations

import ntpath
import re
from collections.abc import Iterable
from typing import Any

# Words with a separator, some of which are not paths: "before/after", "mm/s", "0.5/1.0".
_TOKEN = re.compile(r"[^\s\"'<>|;,()]*[\\/][^\s\"'<>|;,()]+")
_LEADS = re.compile(r"^(?:[A-Za-z]:|~|\.)?[\\/]|^~")
_ENDS = re.compile(r"\.[A-Za-z]\w*$")
_HIDDEN = "\u2022\u2022\u2022"
# Shorter words would also be hidden where they are part of other words.
_SHORTEST = 3


def base_name(path: object) -> str:
    """Return the last part of a path of any operating system."""
    return ntpath.basename(str(path).rstrip("\\/")) or "file"


def without_paths(text: str, known: Iterable[str] = ()) -> str:
    """Return a text in which paths are reduced to file names.

    Args:
        text: any text.
        known: paths that may occur in it, with spaces as well.
    """
    for path in sorted({str(path) for path in known if path}, key=len, reverse=True):
        text = text.replace(path, base_name(path))
    return _TOKEN.sub(lambda found: base_name(found[0]) if _is_path(found[0]) else found[0], text)


def _is_path(token: str) -> bool:
    separators = token.count("/") + token.count("\\")
    return bool(_LEADS.search(token) or _ENDS.search(token)) or separators > 1


def private_words(names: Iterable[str]) -> list[str]:
    """Return the parts of names ("Doe^John", "Doe, John"), longest first."""
    words = {word for name in names for word in re.split(r"[\s^,;=_]+", name)}
    return sorted((word for word in words | set(names) if len(word.strip()) >= _SHORTEST), key=len, reverse=True)


def hidden(value: Any, words: Iterable[str]) -> Any:
    """Return plain data in whose texts the words are hidden, in upper or lower case; keys are kept."""
    words = list(words)
    if not words:
        return value
    pattern = re.compile("|".join(re.escape(word) for word in words), re.IGNORECASE)

    def walk(item: Any) -> Any:
        if isinstance(item, str):
            return pattern.sub(_HIDDEN, item)
        if isinstance(item, dict):
            return {key: walk(entry) for key, entry in item.items()}
        if isinstance(item, list | tuple):
            return [walk(entry) for entry in item]
        return item

    return walk(value)
