"""Cooperative execution of long work between the events of the window, without threads.

The work is a generator that yields often. A timer runs it a few milliseconds at a time, so that buttons and views stay responsive.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from typing import Any

from deepreg_slicer.signals import Signal
from deepreg_slicer.timers import makeTimer, releaseTimer

#: The longest time that the window waits for a piece of work, in seconds.
BUDGET = 0.02


class Cooperative:
    """Runs a generator to its end.

    Args:
        work: yields often; its return value is passed to ``finished``.

    Signals: ``finished(value)``, ``failed(exception)``; neither after :meth:`stop`. At the end all that it refers to is released.
    """

    def __init__(self, work: Generator[Any, None, Any]) -> None:
        self._work: Generator[Any, None, Any] | None = work
        self.finished = Signal()
        self.failed = Signal()
        self._timer: Any = None

    def start(self) -> None:
        """Begin the work at the next turn of the event loop."""
        if self._work is not None and self._timer is None:
            self._timer = makeTimer(0, self._continue)
            self._timer.start()

    def stop(self) -> None:
        """End now; the generator's ``finally`` blocks run."""
        work, _finished, _failed = self._release()
        if work is not None:
            work.close()

    def _continue(self) -> None:
        work, end = self._work, time.perf_counter() + BUDGET
        if work is None:
            return
        try:
            while time.perf_counter() < end:
                next(work)
        except StopIteration as done:
            self._release()[1].emit(done.value)
        except Exception as error:  # noqa: BLE001 - the caller decides what to do
            logging.debug("DeepReg: work in pieces failed", exc_info=True)
            self._release()[2].emit(error)

    def _release(self) -> tuple[Generator[Any, None, Any] | None, Signal, Signal]:
        """Release the timer, the work and the connected functions; return the work and the signals that were connected."""
        released = (self._work, self.finished, self.failed)
        if self._timer is not None:
            releaseTimer(self._timer)
        self._timer, self._work, self.finished, self.failed = None, None, Signal(), Signal()
        return released
