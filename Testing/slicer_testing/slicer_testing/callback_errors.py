"""Exceptions that are raised in functions called by Qt or VTK, where no code can catch them.

The application prints them in its console and continues. A test would not notice them, so they are recorded.
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
    """Record the exceptions that Qt and VTK pass to ``sys.excepthook``, and print them as before; only the first call has an effect."""
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
    """Mark the errors that ``slicer.util.tryWithErrorDisplay`` has shown to the user, so that they are not recorded."""
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
    """Return the tracebacks of all recorded exceptions."""
    return "\n".join("".join(traceback.format_exception(error)) for error in errors)
