"""A signal for plain Python objects: ``qt.Signal`` crashes under PythonQt."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any


class Signal:
    """Calls the functions that are connected to it.

    Example::

        self.finished = Signal()
        self.finished.connect(self.onFinished)
        self.finished.emit(result)
    """

    def __init__(self) -> None:
        self._slots: list[Callable[..., Any]] = []

    @property
    def connected(self) -> bool:
        """Whether a function is connected."""
        return bool(self._slots)

    def connect(self, slot: Callable[..., Any]) -> None:
        """Call ``slot`` at each emit, only once even if it is connected several times."""
        if slot not in self._slots:
            self._slots.append(slot)

    def disconnect(self, slot: Callable[..., Any]) -> None:
        """Disconnect a function."""
        if slot in self._slots:
            self._slots.remove(slot)

    def clear(self) -> None:
        """Disconnect all."""
        self._slots.clear()

    def emit(self, *arguments: Any) -> None:
        """Call all; an exception in one is logged, and the others are called."""
        for slot in list(self._slots):
            try:
                slot(*arguments)
            except Exception:  # noqa: BLE001 - a panel that is being closed must not stop the job
                logging.exception("DeepReg: a slot failed")
