"""Values on their way from Python to Qt, converted as PythonQt does.

PythonQt takes anything as a truth value or a text, and whole numbers where floating ones are wanted and the reverse; PySide6 refuses
some of that and, for properties, quietly makes a zero of what it does not understand.

Rules are those of commontk/PythonQt, src/PythonQtConversion.cpp.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QMetaMethod, QMetaObject


class Refused(TypeError):
    """A value that cannot become one of the wanted type."""


def _whole(value: Any) -> int:
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return math.floor(value)
    raise Refused


def _floating(value: Any) -> float:
    if isinstance(value, numbers.Real):
        return float(value)
    raise Refused


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {"bool": bool, "int": _whole, "uint": _whole, "double": _floating, "float": _floating, "QString": str}


def is_converted(type_name: str) -> bool:
    """Whether values of a C++ type are converted here."""
    return type_name in _CONVERSIONS


def to_qt(value: Any, type_name: str) -> Any:
    """A value as one of a C++ type; values of types that are left to PySide6 are not changed.

    Raises:
        Refused: if PythonQt would not take the value.
    """
    if isinstance(value, tuple):
        return list(value)
    # Enumerators of PySide6 stand for integers, which it converts itself.
    if type_name not in _CONVERSIONS or hasattr(value, "_value_") and not isinstance(value, numbers.Number):
        return value
    return _CONVERSIONS[type_name](value)


def parameter_types(meta: QMetaObject, method: str) -> list[list[str]]:
    """C++ types of the parameters of each slot of a name, and of a property's setter of that name."""
    found = []
    for index in range(meta.methodCount()):
        candidate = meta.method(index)
        if candidate.methodType() != QMetaMethod.MethodType.Signal and bytes(candidate.name().data()).decode() == method:
            found.append([bytes(kind.data()).decode() for kind in candidate.parameterTypes()])
    if method.startswith("set") and len(method) > 3:
        index = meta.indexOfProperty(method[3].lower() + method[4:])
        if index >= 0:
            found.append([str(meta.property(index).typeName())])
    return [types for types in found if any(is_converted(kind) for kind in types)]


def converting(method: Callable, types: list[list[str]]) -> Callable:
    """A function of Qt that takes what PythonQt would take for it."""

    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except TypeError as error:
            for candidate in types:
                if len(candidate) != len(arguments):
                    continue
                try:
                    return method(*(to_qt(value, kind) for value, kind in zip(arguments, candidate)), **named)
                except TypeError:
                    continue
            raise error

    return call
