"""Keys of a panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
