"""The Qt classes and members of Slicer and CTK, and those that this host implements.

The table ``resources/slicer_qt_api.json`` lists, for each class that the application offers to Python, its base, properties, slots,
invokables and signals. Host widgets are checked against it, so that a module cannot depend on a name that the application
lacks; names of the application that a host widget does not implement raise NotImplementedError with the class and the name.
"""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

_TABLE = Path(__file__).parent / "resources" / "slicer_qt_api.json"
_CLASSES: dict[str, type] = {}
# Members that are not in the class's own header (decorators, base classes that are missing in the table).
_ADDED = {"qSlicerCoreApplication": ("testingEnabled", "aboutToQuit")}


@dataclass(frozen=True)
class ClassApi:
    """Members of one class, with those of its bases in the table.

    Args:
        name: of the class.
        properties: name of each property, and whether it can be written.
        methods: names of slots and invokables.
        signals: names of signals, without arguments.
        qt_base: the Qt class below the last class of the table, "" if there is none.
    """

    name: str
    properties: dict[str, bool]
    methods: frozenset[str]
    signals: frozenset[str]
    qt_base: str

    def __contains__(self, member: str) -> bool:
        return member in self.properties or member in self.methods or member in self.signals


@functools.cache
def table() -> dict[str, dict]:
    """Return the raw table, by class name."""
    return json.loads(_TABLE.read_text(encoding="utf-8"))


@functools.cache
def class_api(name: str) -> ClassApi | None:
    """Return the members of a class of the application; None if it has no such class."""
    if name not in table():
        return None
    properties: dict[str, bool] = {}
    methods: set[str] = set()
    signals: set[str] = set()
    at = name
    seen = set()
    while at in table() and at not in seen:
        seen.add(at)
        entry = table()[at]
        for member, access in entry.get("properties", {}).items():
            properties.setdefault(member, "write" in access)
        methods.update(entry.get("slots", ()), entry.get("invokables", ()), _ADDED.get(at, ()))
        signals.update(entry.get("signals", ()))
        at = entry.get("base", "")
    return ClassApi(name, properties, frozenset(methods), frozenset(signals), at if at not in seen else "")


def setter(member: str) -> str:
    """Return Qt's name of the function that sets a property."""
    return f"set{member[0].upper()}{member[1:]}"


def getter(cls: type, member: str) -> str | None:
    """Return the method of a host class that reads a property: ``name``, ``isName`` or ``getName``."""
    capital = f"{member[0].upper()}{member[1:]}"
    for candidate in (member, f"is{capital}", f"get{capital}"):
        if callable(getattr(cls, candidate, None)) and not is_missing(cls, candidate):
            return candidate
    return None


class _Missing:
    """A member of the application that a host class does not implement."""

    def __init__(self, owner: str, member: str, call: bool) -> None:
        self.owner, self.member, self.call = owner, member, call

    def error(self) -> NotImplementedError:
        return NotImplementedError(f"{self.owner}.{self.member} is not implemented by slicer_testing")

    def __get__(self, instance: object, owner: type) -> object:
        if instance is None:
            return self
        if not self.call:
            raise self.error()

        def missing(*args: object, **kwargs: object) -> None:
            raise self.error()

        return missing

    def __call__(self, *args: object, **kwargs: object) -> None:
        raise self.error()


class _MissingProperty(_Missing):
    """A property that a host widget does not implement: it cannot be set either."""

    def __set__(self, instance: object, value: object) -> None:
        raise self.error()


def is_missing(cls: type, member: str) -> bool:
    """Return whether a class has a name only as a placeholder that raises NotImplementedError."""
    for base in cls.__mro__:
        if member in vars(base):
            return isinstance(vars(base)[member], _Missing)
    return False


def slicer_widget(cls: type) -> type:
    """Register a host class under its name, after checking it against the application's.

    Raises:
        TypeError: if the application has no such class, or the class has a public member that the application's class lacks.
    """
    api = class_api(cls.__name__)
    if api is None:
        raise TypeError(f"the application has no class {cls.__name__}")
    for member, value in _own_members(cls):
        if member.startswith("_") or member == "staticMetaObject" or isinstance(value, type):
            continue
        if not _is_known(api, cls, member, value):
            raise TypeError(f"the application's {cls.__name__} has no {member}")
    for member in api.properties:
        if getter(cls, member) is None:
            setattr(cls, member, _MissingProperty(cls.__name__, member, call=False))
        if api.properties[member] and not hasattr(cls, setter(member)):
            setattr(cls, setter(member), _Missing(cls.__name__, setter(member), call=True))
    for member in api.methods | api.signals:
        if not hasattr(cls, member):
            setattr(cls, member, _Missing(cls.__name__, member, call=member in api.methods))
    _CLASSES[cls.__name__] = cls
    return cls


def stands_for(name: str) -> Callable[[type], type]:
    """Class decorator for a class that is no widget: add placeholders for the members of the application's class that it lacks.

    Args:
        name: of the application's class.
    """

    def complete(cls: type) -> type:
        api = class_api(name)
        for member in api.methods | api.signals | set(api.properties):
            if not hasattr(cls, member):
                setattr(cls, member, _Missing(name, member, call=member in api.methods))
        return cls

    return complete


def _own_members(cls: type) -> list[tuple[str, object]]:
    """Return the names and values of the members of a host class and of its mixins."""
    return [pair for base in cls.__mro__ if base is cls or _is_mixin(base) for pair in vars(base).items()]


def _is_mixin(cls: type) -> bool:
    return cls.__module__.startswith("slicer_testing.") and not issubclass(cls, QObject)


def _is_known(api: ClassApi, cls: type, member: str, value: object) -> bool:
    if member in api or any(member in vars(base) for base in cls.__mro__[1:] if not _is_mixin(base)):
        return True
    for known in api.properties:
        capital = f"{known[0].upper()}{known[1:]}"
        if member in (f"set{capital}", f"is{capital}", f"get{capital}"):
            return True
    # Enumerators are not in the table; they are plain integers whose names begin with a capital.
    return not callable(value) and not isinstance(value, Signal) and member[0].isupper()


def widget(name: str) -> type:
    """Return a registered host class.

    Raises:
        NotImplementedError: if the application has the class and the host lacks it.
        AttributeError: if the application has no such class.
    """
    load_widgets()
    if name in _CLASSES:
        return _CLASSES[name]
    if name in table():
        raise NotImplementedError(f"{name} is not implemented by slicer_testing")
    raise AttributeError(f"the application has no class {name}")


def registered() -> dict[str, type]:
    """Return all host classes by name."""
    load_widgets()
    return dict(_CLASSES)


@functools.cache
def load_widgets() -> None:
    """Import every module that defines host classes."""
    for package_name in ("slicer_testing.widgets", "slicer_testing.views"):
        package = importlib.import_module(package_name)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package_name}.{module.name}")
