"""Values on their way from Python to Qt, converted as PythonQt does.

PythonQt takes anything as a truth value or a text, and whole numbers where floating ones are wanted and the reverse; PySide6 refuses
some of that and, for properties, quietly makes a zero of what it does not understand.

Rules are those of commontk/PythonQt, src/PythonQtConversion.cpp.
"""

from __future__ import annotations

import collections.abc
import math
import numbers
import typing
from collections.abc import Callable, Iterator
from typing import Any

from shibokensupport.signature import get_signature


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


_BY_CPP_TYPE: dict[str, Callable[[Any], Any]] = {
    "bool": bool,
    "int": _whole,
    "uint": _whole,
    "double": _floating,
    "float": _floating,
    "QString": str,
}
_BY_PYTHON_TYPE: dict[Any, Callable[[Any], Any]] = {bool: bool, int: _whole, float: _floating, str: str}


def to_property(value: Any, type_name: str) -> Any:
    """A value for a property of a C++ type; values for types that are left to PySide6 are not changed.

    Raises:
        Refused: if PythonQt would not take the value.
    """
    if isinstance(value, tuple):
        return list(value)
    # Enumerators of PySide6 stand for integers, which it converts itself.
    if type_name not in _BY_CPP_TYPE or hasattr(value, "_value_") and not isinstance(value, numbers.Number):
        return value
    return _BY_CPP_TYPE[type_name](value)


class Function:
    """A function of a Qt object that takes what PythonQt would take for it.

    Args:
        original: PySide6's own, bound to the object.
        unbound: the same of the class, which knows its signatures.
    """

    __slots__ = ("_unbound", "original")

    def __init__(self, original: Callable, unbound: Callable) -> None:
        self.original, self._unbound = original, unbound

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        try:
            return self.original(*arguments, **named)
        except TypeError:
            for converted in self._conversions(arguments):
                try:
                    return self.original(*converted, **named)
                except TypeError:
                    continue
            raise

    def most_arguments(self) -> int | None:
        """How many arguments it takes; None if that is not known."""
        return max(map(len, self._parameters()), default=None)

    def _parameters(self) -> list[list[Any]]:
        """Types of the parameters, by signature."""
        found = get_signature(self._unbound) or []
        signatures = found if isinstance(found, list) else [found]
        return [
            [parameter.annotation for parameter in signature.parameters.values() if parameter.name != "self"] for signature in signatures
        ]

    def _conversions(self, arguments: tuple) -> Iterator[tuple]:
        """The arguments as each signature wants them, where that differs from what they are."""
        for wanted in self._parameters():
            if len(wanted) < len(arguments):
                continue
            try:
                converted = tuple(_argument(value, kind) for value, kind in zip(arguments, wanted, strict=False))
            except Refused:
                continue
            if any(one is not other for one, other in zip(converted, arguments, strict=True)):
                yield converted

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    # Two readings of a function are equal, so that what was connected can be disconnected.
    def __eq__(self, other: object) -> bool:
        return self.original == (other.original if isinstance(other, Function) else other)

    def __hash__(self) -> int:
        return hash(self.original)

    def __repr__(self) -> str:
        return repr(self.original)


def _argument(value: Any, wanted: Any) -> Any:
    if wanted in _BY_PYTHON_TYPE:
        return value if type(value) is wanted else _BY_PYTHON_TYPE[wanted](value)
    if typing.get_origin(wanted) is collections.abc.Sequence and isinstance(value, (list, tuple)):
        (kind,) = typing.get_args(wanted)
        return [_argument(item, kind) for item in value]
    return value
