"""ctkBooleanMapper and ctkCallback: helpers for signals and values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from slicer_testing.registry import getter, setter, slicer_widget


@slicer_widget
class ctkBooleanMapper(QObject):
    """Maps a boolean property of an object to its complement, to 0 and 1, and to texts."""

    valueChanged = Signal(bool)
    complementChanged = Signal(bool)
    valueAsIntChanged = Signal(int)
    valueAsStringChanged = Signal(str)

    def __init__(self, target: QObject, property_name: str | bytes, signal: str | bytes) -> None:
        """Map a property.

        Args:
            target: the object.
            property_name: name of the property.
            signal: signal of its changes, such as ``toggled(bool)``.
        """
        from slicer_testing.pythonqt.connections import connect

        super().__init__(target)
        self._target = target
        self._name = property_name.decode() if isinstance(property_name, bytes) else property_name
        self._texts = {True: "true", False: "false"}
        text = signal.decode() if isinstance(signal, bytes) else signal
        connect(target, text.removeprefix("2"), lambda *_values: self._emit())
        self._last = self.value()

    def propertyName(self) -> str:
        return self._name

    def value(self) -> bool:
        read = getter(type(self._target), self._name)
        return bool(getattr(self._target, read)() if read else self._target.property(self._name))

    def setValue(self, value: bool) -> None:
        write = setter(self._name)
        if hasattr(type(self._target), write):
            getattr(self._target, write)(bool(value))
        else:
            self._target.setProperty(self._name, bool(value))

    def toggle(self) -> None:
        self.setValue(not self.value())

    def complement(self) -> bool:
        return not self.value()

    def setComplement(self, value: bool) -> None:
        self.setValue(not value)

    def valueAsInt(self) -> int:
        return int(self.value())

    def setValueAsInt(self, value: int) -> None:
        self.setValue(bool(value))

    def valueAsString(self) -> str:
        return self._texts[self.value()]

    def setValueAsString(self, text: str) -> None:
        self.setValue(text == self._texts[True])

    def trueValue(self) -> str:
        return self._texts[True]

    def setTrueValue(self, text: str) -> None:
        self._texts[True] = text

    def falseValue(self) -> str:
        return self._texts[False]

    def setFalseValue(self, text: str) -> None:
        self._texts[False] = text

    def _emit(self) -> None:
        value = self.value()
        if value == self._last:
            return
        self._last = value
        self.valueChanged.emit(value)
        self.complementChanged.emit(not value)
        self.valueAsIntChanged.emit(int(value))
        self.valueAsStringChanged.emit(self._texts[value])


@slicer_widget
class ctkCallback(QObject):
    """An object whose ``invoke`` calls a function."""

    def __init__(self, callback: Callable[[], Any] | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._callback = callback

    def invoke(self) -> None:
        """Call the function."""
        if self._callback is not None:
            self._callback()
