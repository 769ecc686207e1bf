"""VTK observers of a widget without references to the widget.

A VTK object keeps its callbacks alive. A widget that passes its own methods would therefore never be deleted, and a widget that Qt
deletes would still be called. The table here has weak references to the widget, removes all observers when Qt deletes it, and skips
calls to a widget whose Qt object no longer exists.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import shiboken6
import vtk
from PySide6.QtCore import QObject


class Observations:
    """The VTK observers of one Qt object.

    Args:
        owner: object whose methods are called; all observers are removed when it is deleted.
    """

    def __init__(self, owner: QObject) -> None:
        self._owner = weakref.ref(owner)
        self._tags: dict[tuple[Any, int | str, str], tuple[Any, int]] = {}
        held = weakref.ref(self)
        owner.destroyed.connect(lambda *_: held() and held().drop_all())
        # A wrapper may be collected before its Qt object is destroyed.
        weakref.finalize(owner, _drop_tags, self._tags).atexit = False

    def add(self, subject: Any, event: int | str, method: Callable[..., None], priority: float = 0.0, give: str = "") -> None:
        """Call a method of the owner at an event; a second call for the same subject, event and method has no effect.

        Args:
            subject: VTK object to observe; None is ignored.
            event: VTK or MRML event, by number or name.
            method: bound method of the owner.
            priority: VTK's priority; observers with a higher one are called earlier.
            give: argument of the method: none, the observed object ("subject"), or the VTK object that comes with the event ("data").
        """
        key = (subject, event, method.__name__)
        if subject is None or key in self._tags:
            return
        weak_method = weakref.WeakMethod(method)

        def call(caller: Any, _event: str, data: Any = None) -> None:
            target = weak_method()
            if target is None or not shiboken6.isValid(target.__self__):
                return
            if give:
                target(data if give == "data" else caller)
            else:
                target()

        if give == "data":
            call.CallDataType = vtk.VTK_OBJECT
        self._tags[key] = (subject, subject.AddObserver(event, call, priority))

    def drop(self, subject: Any) -> None:
        """Remove all observers of one VTK object."""
        for key in [key for key in self._tags if key[0] is subject]:
            observed, tag = self._tags.pop(key)
            observed.RemoveObserver(tag)

    def subjects(self) -> list[Any]:
        """Return the observed VTK objects."""
        return list({id(key[0]): key[0] for key in self._tags}.values())

    def drop_all(self) -> None:
        """Remove all observers."""
        _drop_tags(self._tags)

    def __contains__(self, subject: object) -> bool:
        return any(key[0] is subject for key in self._tags)

    def __len__(self) -> int:
        return len(self._tags)


def _drop_tags(tags: dict) -> None:
    while tags:
        _, (observed, tag) = tags.popitem()
        observed.RemoveObserver(tag)
