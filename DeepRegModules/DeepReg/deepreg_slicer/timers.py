"""Timers that belong to objects of Python.

A connection of PythonQt holds the connected method, and with it all that its object refers to, as long as the timer exists; and a timer
that the object refers to exists as long as the object. Python does not find such circles, so an object that no longer needs its timer has
to release it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

_TIMEOUT = "timeout()"


def makeTimer(interval: int, slot: Callable[[], Any], once: bool = False) -> qt.QTimer:
    """Return a timer that calls a function; it has to be started, and released at the end.

    Args:
        interval: of the calls, ms.
        slot: the function.
        once: whether it is called only once after each start.
    """
    timer = qt.QTimer()
    timer.setInterval(interval)
    timer.setSingleShot(once)
    timer.connect(_TIMEOUT, slot)
    return timer


def releaseTimer(timer: qt.QTimer) -> None:
    """Stop a timer and delete it; what was connected to it is released."""
    timer.stop()
    timer.disconnect(_TIMEOUT)
    timer.deleteLater()
