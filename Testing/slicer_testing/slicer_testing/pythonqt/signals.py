"""Signals as attributes: ``button.clicked.connect(function)``."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, SignalInstance

from slicer_testing.pythonqt.connections import connect, disconnect, find_signal


class Signal:
    """A signal of one object; connecting it is the same as connecting by its name.

    Args:
        sender: object with the signal.
        name: of the signal.
        instance: PySide6's signal.
    """

    __slots__ = ("_instance", "_name", "_sender")

    def __init__(self, sender: QObject, name: str, instance: SignalInstance) -> None:
        self._sender, self._name, self._instance = sender, name, instance

    def connect(self, *arguments: Any) -> bool:
        """Call a function, or an object's slot, when the signal is emitted."""
        return connect(self._sender, self._name, *arguments)

    def disconnect(self, *arguments: Any) -> bool:
        """Disconnect one function, or all."""
        return disconnect(self._sender, self._name, *arguments)

    def emit(self, *arguments: Any) -> None:
        """Emit the signal."""
        # The instance is the overload without arguments if there is one, as for clicked.
        found = find_signal(self._sender, self._name) if arguments else None
        (found[0] if found else self._instance).emit(*arguments)

    def __call__(self, *arguments: Any) -> None:
        self.emit(*arguments)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Signal) and self._sender is other._sender and self._name == other._name

    def __hash__(self) -> int:
        return hash((id(self._sender), self._name))

    def __repr__(self) -> str:
        return f"{self._name} (signal of {type(self._sender).__name__} at: {hex(id(self._sender))})"
