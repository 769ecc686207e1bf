"""Conversion of values from Python to Qt, as in PythonQt.

PythonQt accepts any value as a bool or a text, and converts between integers and floating-point numbers; PySide6 refuses
some of these conversions and, for properties, silently sets 0 for a value that it cannot convert.

Rules are those of commontk/PythonQt, src/PythonQtConversion.cpp.
"""

from __future__ import annotations

import collections.abc
import math
import numbers
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any

from shibokensupport.signature import get_signature


class Refused(TypeError):
    """Raised for a value that cannot be converted to the required type."""


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
    """Return a value converted for a property of a C++ type; values of types that PySide6 converts itself are not changed.

    Raises:
        Refused: if PythonQt would not accept the value.
    """
    if isinstance(value, tuple):
        return list(value)
    # PySide6 converts its enumerators to integers itself.
    if type_name not in _BY_CPP_TYPE or hasattr(value, "_value_") and not isinstance(value, numbers.Number):
        return value
    return _BY_CPP_TYPE[type_name](value)


def as_tuples(value: Any) -> Any:
    """Return a value from Qt as PythonQt does: lists, also those within lists, as tuples."""
    return tuple(as_tuples(item) for item in value) if type(value) is list else value


class HostFunction:
    """A function of a host class, which takes and returns what the application's would.

    Args:
        original: the function, bound to its object.
    """

    __slots__ = ("__wrapped__",)

    def __init__(self, original: Callable) -> None:
        self.__wrapped__ = original

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function.

        Raises:
            TypeError: if a function that sets a node or the scene gets something else, such as the name of a node.
        """
        if arguments and _SETS_OBJECT.fullmatch(self.__wrapped__.__name__):
            given = arguments[0]
            if given is not None and not hasattr(given, "IsA"):
                raise TypeError(f"{self.__wrapped__.__name__}: a VTK object is needed, got {type(given).__name__}")
        return as_tuples(self.__wrapped__(*arguments, **named))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    # Two accesses to a function give equal objects, so that a connected function can be disconnected.
    def __eq__(self, other: object) -> bool:
        return self.__wrapped__ == (other.__wrapped__ if isinstance(other, HostFunction) else other)

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


# Functions whose first argument is a VTK object.
_SETS_OBJECT = re.compile(r"setCurrentNode|setMRML\w*(Node|Scene)")


class Function:
    """A function of a Qt object that accepts the values that PythonQt would accept.

    Args:
        original: PySide6's function, bound to the object.
        unbound: the function of the class, which has the signatures.
    """

    __slots__ = ("_unbound", "original")

    def __init__(self, original: Callable, unbound: Callable) -> None:
        self.original, self._unbound = original, unbound

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function.

        Raises:
            ValueError: if it does not accept the arguments; PySide6 raises TypeError, and accepts iterators for lists.
        """
        if any(isinstance(value, collections.abc.Iterator) for value in arguments):
            raise ValueError(self._refusal(arguments))
        try:
            return as_tuples(self.original(*arguments, **named))
        except TypeError:
            for converted in self._conversions(arguments):
                try:
                    return as_tuples(self.original(*converted, **named))
                except TypeError:
                    continue
            raise ValueError(self._refusal(arguments)) from None

    def _refusal(self, arguments: tuple) -> str:
        return f"Called {self.original.__name__}(...) with wrong arguments: {arguments!r}"

    def most_arguments(self) -> int | None:
        """Return the largest number of arguments that the function accepts; None if it is unknown."""
        return max(map(len, self._parameters()), default=None)

    def _parameters(self) -> list[list[Any]]:
        """Return the types of the parameters, by signature."""
        found = get_signature(self._unbound) or []
        signatures = found if isinstance(found, list) else [found]
        return [
            [parameter.annotation for parameter in signature.parameters.values() if parameter.name != "self"] for signature in signatures
        ]

    def _conversions(self, arguments: tuple) -> Iterator[tuple]:
        """Yield the arguments converted for each signature, where they differ from the original ones."""
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

    # Two accesses to a function give equal objects, so that a connected function can be disconnected.
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
