"""ctkValueProxy and ctkLinearValueProxy: the conversion of a value for display, such as radians to degrees."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from slicer_testing.registry import slicer_widget

_SAME = 1e-12


@slicer_widget
class ctkValueProxy(QObject):
    """A value and its converted value for display. In this base class both are equal."""

    valueChanged = Signal(float)
    proxyValueChanged = Signal(float)
    proxyAboutToBeModified = Signal()
    proxyModified = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._value = self._proxy_value = 0.0

    def value(self) -> float:
        return self._value

    def setValue(self, value: float) -> None:
        """Set the value and update the converted value."""
        if abs(self._value - value) > _SAME:
            self._value = float(value)
            self.valueChanged.emit(self._value)
            self.setProxyValue(self._to_proxy(self._value))

    def proxyValue(self) -> float:
        return self._proxy_value

    def setProxyValue(self, value: float) -> None:
        """Set the converted value and update the value."""
        if abs(self._proxy_value - value) > _SAME:
            self._proxy_value = float(value)
            self.proxyValueChanged.emit(self._proxy_value)
            self.setValue(self._from_proxy(self._proxy_value))

    def _to_proxy(self, value: float) -> float:
        return value

    def _from_proxy(self, value: float) -> float:
        return value


@slicer_widget
class ctkLinearValueProxy(ctkValueProxy):
    """Converts a value to ``coefficient`` times the value plus ``offset``."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._coefficient, self._offset = 1.0, 0.0

    def coefficient(self) -> float:
        return self._coefficient

    def setCoefficient(self, coefficient: float) -> None:
        """Set the factor, which must not be 0."""
        if coefficient and coefficient != self._coefficient:
            self._change(float(coefficient), self._offset)

    def offset(self) -> float:
        return self._offset

    def setOffset(self, offset: float) -> None:
        if offset != self._offset:
            self._change(self._coefficient, float(offset))

    def _change(self, coefficient: float, offset: float) -> None:
        self.proxyAboutToBeModified.emit()
        self._coefficient, self._offset = coefficient, offset
        self.setProxyValue(self._to_proxy(self._value))
        self.proxyModified.emit()

    def _to_proxy(self, value: float) -> float:
        return self._coefficient * value + self._offset

    def _from_proxy(self, value: float) -> float:
        return (value - self._offset) / self._coefficient
