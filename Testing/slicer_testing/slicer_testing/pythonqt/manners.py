"""Attributes of Qt objects as PythonQt gives them.

PythonQt lets Python read and write Qt properties as attributes (``button.enabled = False``), finds dynamic properties and children
by name, and refuses new attributes on objects of C++ classes. PySide6 gives getters and setters instead. Code of this package is
written for PySide6; every other caller gets PythonQt's manners. Which is which is decided by the name of the calling module.

Rules are those of commontk/PythonQt, src/PythonQtInstanceWrapper.cpp (getattro and setattro).
"""

from __future__ import annotations

import enum
import sys
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, SignalInstance

from slicer_testing.pythonqt.connections import connect, disconnect
from slicer_testing.pythonqt.conversions import Function, Refused, to_property
from slicer_testing.pythonqt.signals import Signal
from slicer_testing.registry import ClassApi, class_api, getter, is_missing, setter

# Modules that are written for PySide6 itself.
_PYSIDE_STYLE = ("slicer_testing.", "PySide6", "shiboken6", "shibokensupport", "vtkmodules.qt")
_HOST = "slicer_testing."
_QT = ("PySide6.", "shiboken6", "Shiboken")
_exempt: set[str] = {"slicer_testing"}
# By module name, whether it is written for PySide6: asked at each access to an attribute, so it has to be quick.
_styles: dict[str, bool] = {}
_getframe = sys._getframe

# The type of PySide6's functions.
_BuiltinFunction = type(QObject.objectName)
_get_original = QObject.__getattribute__
_installed = False
# What a name is on a class: see _Kind.
_kinds: dict[tuple[type, str], tuple[_Kind, Any]] = {}


class _Kind(enum.Enum):
    PLAIN = 1  # as Python finds it
    HOST_PROPERTY = 2  # getter of a host class
    QT_PROPERTY = 3  # of Qt's meta-object
    SPECIAL = 4  # what PythonQt adds to every object
    CLASS = 5  # only the class has it: an enumerator
    FUNCTION = 6  # of Qt itself
    UNKNOWN = 7


def exempt(module_name: str) -> None:
    """Treat a module as written for PySide6."""
    _exempt.add(module_name)
    _styles.clear()


def _speaks_pyside(module_name: str) -> bool:
    """Whether a module is written for PySide6."""
    found = _styles[module_name] = module_name in _exempt or module_name.startswith(_PYSIDE_STYLE)
    return found


def is_host_class(cls: type) -> bool:
    """Whether a class is this package's version of one of the application's."""
    return cls.__module__.startswith(_HOST)


def is_qt_class(cls: type) -> bool:
    return cls.__module__.startswith(_QT)


def is_python_class(cls: type) -> bool:
    """Whether a class was derived in Python by the code that is tested."""
    return not (is_host_class(cls) or is_qt_class(cls))


def wrapped_class(cls: type) -> type:
    """The nearest base that stands for a C++ class."""
    return next(base for base in cls.__mro__ if not is_python_class(base))


def qt_class(cls: type) -> type:
    """The nearest base that is Qt's own."""
    return next(base for base in cls.__mro__ if is_qt_class(base))


def api_of(cls: type) -> ClassApi | None:
    """The table's entry of the nearest host class that has one."""
    for base in cls.__mro__:
        if is_host_class(base):
            api = class_api(base.__name__)
            if api is not None:
                return api
    return None


def _kind(instance: QObject, name: str) -> tuple[_Kind, Any]:
    cls = type(instance)
    key = (cls, name)
    found = _kinds.get(key)
    if found is None:
        found = _kinds[key] = _classify(instance, cls, name)
    return found


def _classify(instance: QObject, cls: type, name: str) -> tuple[_Kind, Any]:
    for base in cls.__mro__:
        if not is_python_class(base):
            break
        if name in vars(base):
            return _Kind.PLAIN, None
    if name.startswith("_") and name in _host_names(cls):
        # PySide6 looks up a slot by its name at each call, in the frame of whoever made Qt emit the signal.
        return _Kind.PLAIN, None
    if name in _SPECIAL:
        return _Kind.SPECIAL, _SPECIAL[name]
    api, qt = api_of(cls), qt_class(cls)
    if api is not None:
        if name in api.properties:
            read = getter(cls, name)
            return (_Kind.PLAIN, None) if read is None else (_Kind.HOST_PROPERTY, getattr(cls, read))
        if name in api:
            return _Kind.PLAIN, None
    # The instance's own: PySide6 lets the Python object of a class's static one die.
    meta = QObject.metaObject(instance)
    if meta.indexOfProperty(name) >= 0:
        # A host class may keep the value itself.
        own = getattr(cls, name, None)
        if callable(own) and not hasattr(own, "emit") and name in _host_names(cls):
            return _Kind.HOST_PROPERTY, own
        found = meta.property(meta.indexOfProperty(name))
        # What Qt hands out does not outlive its meta-object's wrapper, so only plain values are kept.
        return _Kind.QT_PROPERTY, (found.isWritable(), str(found.typeName()))
    if hasattr(qt, name):
        # PySide6 finds the enumerators of a class at the class alone.
        if isinstance(getattr(qt, name), enum.Enum):
            return _Kind.CLASS, None
        if isinstance(getattr(qt, name), _BuiltinFunction) and name not in _host_names(cls):
            return _Kind.FUNCTION, getattr(qt, name)
        return _Kind.PLAIN, None
    if api is not None and name[0].isupper() and hasattr(cls, name):  # an enumeration
        return _Kind.PLAIN, None
    if api is None and is_host_class(wrapped_class(cls)) and hasattr(cls, name):
        return _Kind.PLAIN, None  # a helper class of the host that stands for none of the application's
    return _Kind.UNKNOWN, None


def _host_names(cls: type) -> set[str]:
    return {name for base in cls.__mro__ if is_host_class(base) for name in vars(base)}


def _converted(value: Any) -> Any:
    return tuple(value) if type(value) is list else value


def _getter_for(original: Any) -> Any:
    """Some classes of PySide6 (QProcess, QMenu, ...) have a slot of their own."""

    def _getattribute(self: QObject, name: str) -> Any:
        if name[:2] == "__":
            return original(self, name)
        try:
            caller = _getframe(1).f_globals["__name__"]
        except (KeyError, ValueError):
            return original(self, name)  # Qt itself, without any frame of Python's
        if _styles[caller] if caller in _styles else _speaks_pyside(caller):
            return original(self, name)
        return _get(self, name, original)

    return _getattribute


def _get(self: QObject, name: str, original: Any) -> Any:
    cls = type(self)
    if is_python_class(cls) and name in _get_original(self, "__dict__"):
        return _get_original(self, "__dict__")[name]
    kind, detail = _kind(self, name)
    if kind is _Kind.PLAIN:
        value = original(self, name)
        return Signal(self, name, value) if type(value) is SignalInstance else value
    if kind is _Kind.CLASS:
        return getattr(cls, name)
    if kind is _Kind.FUNCTION:
        return Function(original(self, name), detail)
    if not shiboken6.isValid(self):
        raise ValueError(f"Trying to read property '{name}' from a destroyed {cls.__name__} object")
    if kind is _Kind.HOST_PROPERTY:
        return _converted(detail(self))
    if kind is _Kind.QT_PROPERTY:
        return _converted(QObject.property(self, name))
    if kind is _Kind.SPECIAL:
        return detail(self)
    value = QObject.property(self, name)
    if value is not None:
        return _converted(value)
    for child in QObject.children(self):
        if QObject.objectName(child) == name:
            return child
    if is_python_class(cls):
        return original(self, name)
    raise AttributeError(f"{class_name(self)} has no attribute named '{name}'")


def _setattr(self: QObject, name: str, value: Any) -> None:
    try:
        caller = _getframe(1).f_globals["__name__"]
    except (KeyError, ValueError):
        caller = ""
    if name[:2] == "__" or not caller or (_styles[caller] if caller in _styles else _speaks_pyside(caller)):
        _store(self, name, value)
    else:
        _set(self, name, value)


def _store(self: QObject, name: str, value: Any) -> None:
    """Python's own way to set an attribute.

    The slot of a Shiboken class refuses to be called once it has been replaced, so its steps are taken here: a data descriptor of
    the class first, then the instance's dictionary.
    """
    for base in type(self).__mro__:
        if name in vars(base):
            descriptor = vars(base)[name]
            if hasattr(type(descriptor), "__set__"):
                descriptor.__set__(self, value)
                return
            break
    _get_original(self, "__dict__")[name] = value


def _set(self: QObject, name: str, value: Any) -> None:
    cls = type(self)
    kind, detail = _kind(self, name)
    shown = class_name(self)
    if kind is _Kind.HOST_PROPERTY or (kind is _Kind.PLAIN and is_missing(cls, name)):
        api = api_of(cls)
        if api is not None and name in api.properties and not api.properties[name]:
            raise AttributeError(f"Property '{name}' of {shown} object is not writable")
        write = getattr(cls, setter(name), None)
        if write is None:
            raise AttributeError(f"Property '{name}' of {shown} object is not writable")
        write(self, value)
        return
    if kind is _Kind.QT_PROPERTY:
        writable, type_name = detail
        if not writable:
            raise AttributeError(f"Property '{name}' of {shown} object is not writable")
        # A setter that was overridden in Python must be called; otherwise Qt's conversions are wanted.
        own = getattr(cls, setter(name), None)
        if own is not None and setter(name) in _host_names(cls):
            own(self, value)
            return
        try:
            taken = QObject.setProperty(self, name, to_property(value, type_name))
        except Refused:
            taken = False
        if not taken:
            raise AttributeError(
                f"Property '{name}' of type '{type_name}' does not accept an object of type {type(value).__name__} ({value!r})"
            )
        return
    if kind is _Kind.UNKNOWN and shiboken6.isValid(self) and QObject.property(self, name) is not None:
        QObject.setProperty(self, name, value)
        return
    if name == "name":
        QObject.setObjectName(self, value)
        return
    if kind is _Kind.SPECIAL and name == "name":
        QObject.setObjectName(self, str(value))
        return
    if is_python_class(cls):
        _store(self, name, value)
        return
    if kind is _Kind.UNKNOWN:
        raise AttributeError(f"'{name}' does not exist on {shown} and creating new attributes on C++ objects is not allowed")
    raise AttributeError(f"Slot '{name}' can not be overwritten on {shown} object")


def class_name(instance: QObject) -> str:
    """The C++ class that PythonQt would name."""
    return wrapped_class(type(instance)).__name__


_SPECIAL = {
    "connect": lambda self: lambda *arguments: connect(self, *arguments),
    "disconnect": lambda self: lambda *arguments: disconnect(self, *arguments),
    "className": lambda self: lambda: class_name(self),
    "delete": lambda self: lambda: shiboken6.delete(self),
    "name": lambda self: QObject.objectName(self),
}


def install() -> None:
    """Give every Qt object PythonQt's manners; once for the process."""
    global _installed
    if _installed:
        return
    _installed = True
    from slicer_testing.pythonqt.namespaces import QT_MODULES

    for module in QT_MODULES:
        for cls in [getattr(module, name) for name in dir(module)]:
            if not (isinstance(cls, type) and issubclass(cls, QObject)):
                continue
            if "__getattribute__" in vars(cls):
                cls.__getattribute__ = _getter_for(vars(cls)["__getattribute__"])
            if "__setattr__" in vars(cls):
                cls.__setattr__ = _setattr
