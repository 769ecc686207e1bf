"""A request that was submitted to the worker."""

from __future__ import annotations

from typing import Any

from deepreg_slicer.signals import Signal


class Job:
    """One submitted request.

    Signals: ``progressed(fraction, stage, secondsLeft)``, ``previewed(path)``, ``logged(text)``, and at the end one of ``finished(result)``
    and ``failed(JobError)``.
    """

    def __init__(self, number: str, operation: str) -> None:
        self.id = number
        self.operation = operation
        self.cancelling = False
        self.over = False
        self.progressed = Signal()
        self.previewed = Signal()
        self.logged = Signal()
        self.finished = Signal()
        self.failed = Signal()

    def end(self, signal: Signal, outcome: Any) -> None:
        """Emit ``finished`` or ``failed``, and disconnect all functions."""
        self.over = True
        signal.emit(outcome)
        self.disconnectAll()

    def disconnectAll(self) -> None:
        """Disconnect all functions from the signals."""
        for signal in (self.progressed, self.previewed, self.logged, self.finished, self.failed):
            signal.clear()
