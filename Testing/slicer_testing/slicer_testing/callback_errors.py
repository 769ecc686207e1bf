"""Exceptions that nobody could catch: raised in what Qt or VTK had called.

The application prints them in its console and goes on. A test would pass over them, so they are kept for it to look at.
"""

from __future__ import annotations

import sys
import traceback
from types import TracebackType

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
        errors.append(error)
        print_as_before(kind, error, where)

    sys.excepthook = keep


def text() -> str:
    """The tracebacks of all."""
    return "\n".join("".join(traceback.format_exception(error)) for error in errors)
