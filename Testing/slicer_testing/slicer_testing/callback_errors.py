"""Exceptions that nobody could catch: raised in what Qt or VTK had called.

The application prints them in its console and goes on. A test would pass over them, so they are kept for it to look at.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

errors: list[BaseException] = []
_installed = False


def install() -> None:
    """Keep what Qt and VTK hand to ``sys.excepthook``, and print it as before; once for the process."""
    global _installed
    if _installed:
        return
    _installed = True
    print_as_before = sys.excepthook

    def keep(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        if not getattr(error, "_shown_to_user", False):
            errors.append(error)
        print_as_before(kind, error, where)

    sys.excepthook = keep
    _mark_what_is_shown()


def _mark_what_is_shown() -> None:
    """``slicer.util.tryWithErrorDisplay`` tells the user of an error and lets it go on; such an error has not passed unseen."""
    import slicer.util

    original = slicer.util.tryWithErrorDisplay

    @contextlib.contextmanager
    def tryWithErrorDisplay(*arguments: Any, **named: Any) -> Iterator[None]:
        with original(*arguments, **named):
            try:
                yield
            except Exception as error:
                error._shown_to_user = True
                raise

    tryWithErrorDisplay.__doc__ = original.__doc__
    slicer.util.tryWithErrorDisplay = tryWithErrorDisplay


def text() -> str:
    """The tracebacks of all."""
    return "\n".join("".join(traceback.format_exception(error)) for error in errors)
