"""Lets Qt's enumerators compare and combine as integers, as in PythonQt."""

from __future__ import annotations

import enum
import importlib
from types import ModuleType


def patch_enumerations(module: ModuleType) -> None:
    """Let every enumeration of a PySide6 module and of its classes be used as an integer."""
    for owner in (module, *(value for value in (getattr(module, name) for name in dir(module)) if isinstance(value, type))):
        for value in list(vars(owner).values()):
            if isinstance(value, type) and issubclass(value, enum.Enum):
                if not issubclass(value, int):
                    _as_integer(value)
                _print_as_integer(value)


def patch_all() -> None:
    """Patch the enumerations of every module that is a part of ``qt``."""
    for name in ("QtCore", "QtGui", "QtWidgets", "QtNetwork", "QtPrintSupport"):
        patch_enumerations(importlib.import_module(f"PySide6.{name}"))


def _print_as_integer(cls: type[enum.Enum]) -> None:
    if all(isinstance(member.value, int) for member in cls):
        cls.__str__ = cls.__repr__ = lambda self: str(self.value)
        cls.__format__ = lambda self, spec: format(self.value, spec)


def _number(value: object) -> object:
    return value.value if isinstance(value, enum.Enum) else value


def _as_integer(cls: type[enum.Enum]) -> None:
    if "_slicer_testing_integer" in vars(cls) or not all(isinstance(member.value, int) for member in cls):
        return
    cls._slicer_testing_integer = True

    def compare(name: str) -> object:
        def method(self: enum.Enum, other: object) -> object:
            number = _number(other)
            return getattr(int, name)(self.value, int(number)) if isinstance(number, (int, float)) else NotImplemented

        return method

    def combine(name: str) -> object:
        def method(self: enum.Enum, other: object) -> object:
            number = _number(other)
            if not isinstance(number, int):
                return NotImplemented
            result = getattr(int, name)(self.value, number)
            try:
                return cls(result)  # so that it can be passed to Qt
            except ValueError:
                return result

        return method

    for name in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
        setattr(cls, name, compare(name))
    flag = issubclass(cls, enum.Flag)
    for name in ("__or__", "__and__", "__xor__"):
        if not flag:
            setattr(cls, name, combine(name))
            setattr(cls, name.replace("__", "__r", 1), combine(name))
    # Modules often add flags instead of combining them with |.
    for name in ("__add__", "__sub__"):
        setattr(cls, name, combine(name))
    cls.__radd__ = combine("__radd__")
    cls.__hash__ = lambda self: hash(self.value)
    cls.__int__ = lambda self: self.value
    cls.__index__ = lambda self: self.value
