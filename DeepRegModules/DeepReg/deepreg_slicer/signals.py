"""A signal for plain Python objects: ``qt.Signal`` crashes under PythonQt."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any


class Signal:
    """Calls whoever is connected.

    Example::

        self.finished = Signal()
        self.finished.connect(self.onFinished)
        self.finished.emit(result)
    """

    def __init__(self) -> None:
        self._slots: list[Callable[..., Any]] = []

    def connect(self, slot: Callable[..., Any]) -> None:
        """Call ``slot`` at each emit, once however often it is connected."""
        if slot not in self._slots:
            self._slots.append(slot)

    def disconnect(self, slot: Callable[..., Any]) -> None:
        """Call it no more."""
        if slot in self._slots:
            self._slots.remove(slot)

    def clear(self) -> None:
        """Call nobody any more."""
        self._slots.clear()

    def emit(self, *arguments: Any) -> None:
        """Call all; what goes wrong in one is logged and does not keep the others from being called."""
        for slot in list(self._slots):
            try:
                slot(*arguments)
            except Exception:  # noqa: BLE001 - a panel that is half gone must not take the job with it
                logging.exception("DeepReg: a slot failed")
