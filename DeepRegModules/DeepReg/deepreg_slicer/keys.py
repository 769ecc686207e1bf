"""Keys of a panel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import qt


def makeShortcuts(widget: Any, keys: Mapping[str, Callable[[], None]]) -> list[Any]:
    """Return shortcuts that work while a widget, or one within it, has the focus.

    Args:
        widget: their parent.
        keys: name of a key, as "Ctrl+Return", and what it does.
    """
    shortcuts = []
    for key, function in keys.items():
        shortcut = qt.QShortcut(widget)
        shortcut.setKey(qt.QKeySequence(key))
        shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
        shortcut.connect("activated()", function)
        shortcuts.append(shortcut)
    return shortcuts


# Letters of the application's menus.
_TAKEN = frozenset("fevh")


def giveMnemonics(widgets: Iterable[Any]) -> None:
    """Give labels letters by which the keyboard reaches what they describe: Alt and the underlined letter.

    No letter is given twice, nor one of the application's menus; when no letter is left, the further labels get none.

    Args:
        widgets: in the order in which they get letters; those that are not labels of another widget are left out.
    """
    taken = set(_TAKEN)
    for label in widgets:
        if not isinstance(label, qt.QLabel) or label.buddy() is None or "&" in label.text or "<" in label.text:
            continue
        place = _placeOf(label.text, taken)
        if place >= 0:
            taken.add(label.text[place].lower())
            label.text = f"{label.text[:place]}&{label.text[place:]}"


def _placeOf(text: str, taken: set[str]) -> int:
    """Return the place of a letter that is not taken, the first one of a word if possible; -1 if there is none."""
    places = [place for place, letter in enumerate(text) if letter.isalpha() and letter.isascii()]
    initials = [place for place in places if place == 0 or text[place - 1] == " "]
    return next((place for place in (*initials, *places) if text[place].lower() not in taken), -1)
