"""Cooperative execution of long work between the events of the window, without threads.

The work is a generator that yields often. A timer runs it a few milliseconds at a time, so that buttons and views stay responsive.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from typing import Any

import qt

from deepreg_slicer.signals import Signal

#: The longest time that the window waits for a piece of work, in seconds.
BUDGET = 0.02


class Cooperative:
    """Runs a generator to its end.

    Args:
        work: yields often; its return value is passed to ``finished``.

    Signals: ``finished(value)``, ``failed(exception)``; neither after :meth:`stop`.
    """

    def __init__(self, work: Generator[Any, None, Any]) -> None:
        self._work = work
        self.finished = Signal()
        self.failed = Signal()
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._continue)

    def start(self) -> None:
        """Begin when the event loop runs next."""
        self._timer.start()

    def stop(self) -> None:
        """End now; the generator's ``finally`` blocks run."""
        self._timer.stop()
        self._work.close()

    def _continue(self) -> None:
        end = time.perf_counter() + BUDGET
        try:
            while time.perf_counter() < end:
                next(self._work)
        except StopIteration as done:
            self._timer.stop()
            self.finished.emit(done.value)
        except Exception as error:  # noqa: BLE001 - the caller decides what to do
            self._timer.stop()
            logging.debug("DeepReg: work in pieces failed", exc_info=True)
            self.failed.emit(error)
