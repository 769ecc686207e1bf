"""Attribute access to Qt objects as in PythonQt.

PythonQt lets Python read and write Qt properties as attributes (``button.enabled = False``), finds dynamic properties and children
by name, and refuses new attributes on objects of C++ classes. PySide6 has getters and setters instead. Code of this package is
written for PySide6; every other caller gets the behaviour of PythonQt. The name of the calling module decides.

Rules are those of commontk/PythonQt, src/PythonQtInstanceWrapper.cpp (getattro and setattro).
"""

from __future__ import annotations

import enum
import sys
from types import MethodType, ModuleType
from typing import Any

import shiboken6
from PySide6.QtCore import QModelIndex, QObject, QTimer, SignalInstance
from PySide6.QtGui import QStandardItem
from PySide6.QtWidgets import QLayout, QListWidgetItem, QTableWidgetItem, QTreeWidgetItem, QWidget

from slicer_testing.pythonqt.connections import connect, disconnect
from slicer_testing.pythonqt.conversions import Function, HostFunction, Refused, as_tuples, to_property
from slicer_testing.pythonqt.signals import Signal
from slicer_testing.registry import ClassApi, class_api, getter, is_missing, setter

# Modules that are written for PySide6 itself.
_PYSIDE_STYLE = ("slicer_testing.", "PySide6", "shiboken6", "shibokensupport", "vtkmodules.qt")
# The part that is written for PythonQt.
_INSIDE = "slicer_testing.inside."
_HOST = "slicer_testing."
_QT = ("PySide6.", "shiboken6", "Shiboken")
_exempt: set[str] = {"slicer_testing"}
# By module name, whether it is written for PySide6; a cache, since it is needed at each access to an attribute.
_styles: dict[str, bool] = {}
_getframe = sys._getframe

# The type of PySide6's functions.
_BuiltinFunction = type(QObject.objectName)
_get_original = QObject.__getattribute__
_installed = False
# The kind of a name of a class, and what is needed to use it.
_kinds: dict[tuple[type, str], tuple[_Kind, Any]] = {}


class _Kind(enum.Enum):
    PLAIN = 1  # found by Python itself
    HOST_PROPERTY = 2  # property with a getter in a host class
    QT_PROPERTY = 3  # property in Qt's meta-object
    SPECIAL = 4  # attribute that PythonQt adds to every object
    CLASS = 5  # enumerator, which only the class has
    FUNCTION = 6  # function of Qt
    UNKNOWN = 7
    HOST_FUNCTION = 8  # function of a host class that Qt does not have
    ABSENT = 9  # name that only PySide6 has


_PLAIN = (_Kind.PLAIN, None)
# Names that PythonQt treats in a way of its own, by the class that has them.
_ODD: dict[str, tuple[tuple[type, _Kind], ...]] = {
    # The static function hides the property.
    "singleShot": ((QTimer, _Kind.CLASS),),
    # A method with Qt 5 and a property with Qt 6: no module can use it in both.
    "contentsMargins": ((QLayout, _Kind.ABSENT),),
    # PythonQt does not wrap functions that write to pointers.
    "getContentsMargins": ((QLayout, _Kind.ABSENT), (QWidget, _Kind.ABSENT)),
}


def exempt(module_name: str) -> None:
    """Treat a module as written for PySide6."""
    _exempt.add(module_name)
    _styles.clear()


def _is_pyside_style(module_name: str) -> bool:
    """Return whether a module is written for PySide6."""
    found = _styles[module_name] = module_name in _exempt or (module_name.startswith(_PYSIDE_STYLE) and not module_name.startswith(_INSIDE))
    return found


def is_host_class(cls: type) -> bool:
    """Return whether a class is this package's version of one of the application's."""
    return cls.__module__.startswith(_HOST)


def is_qt_class(cls: type) -> bool:
    return cls.__module__.startswith(_QT)


def is_python_class(cls: type) -> bool:
    """Return whether a class was derived in Python by the code that is tested."""
    return not (is_host_class(cls) or is_qt_class(cls))


def wrapped_class(cls: type) -> type:
    """Return the nearest base that stands for a C++ class."""
    return next(base for base in cls.__mro__ if not is_python_class(base))


def qt_class(cls: type) -> type:
    """Return the nearest base that is Qt's own."""
    return next(base for base in cls.__mro__ if is_qt_class(base))


def api_of(cls: type) -> ClassApi | None:
    """Return the table's entry of the nearest host class that has one."""
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
    """Return the kind of a name and, depending on the kind, the function or the values that are needed to use it."""
    if _is_python_name(cls, name):
        return _PLAIN
    if name in _SPECIAL:
        return _Kind.SPECIAL, _SPECIAL[name]
    if name in _ODD:
        for base, kind in _ODD[name]:
            if issubclass(cls, base):
                return kind, None
    api = api_of(cls)
    return _from_table(cls, name, api) or _from_meta_object(instance, cls, name) or _from_class(cls, name, api)


def _is_python_name(cls: type, name: str) -> bool:
    """Return whether Python finds a name by itself: one of a class derived in Python, or a private one of a host class."""
    for base in cls.__mro__:
        if not is_python_class(base):
            break
        if name in vars(base):
            return True
    # PySide6 finds a slot by its name at each call, in the frame of the code that made Qt emit the signal.
    return name.startswith("_") and name in _host_names(cls)


def _from_table(cls: type, name: str, api: ClassApi | None) -> tuple[_Kind, Any] | None:
    if api is None or name not in api:
        return None
    read = getter(cls, name) if name in api.properties else None
    if read is not None:
        return _Kind.HOST_PROPERTY, getattr(cls, read)
    # Functions that Qt itself calls have to stay plain methods: PySide6 finds its virtual functions by an access like this one.
    is_own = name in api.methods and not hasattr(qt_class(cls), name) and not is_missing(cls, name)
    return (_Kind.HOST_FUNCTION, None) if is_own else _PLAIN


def _from_meta_object(instance: QObject, cls: type, name: str) -> tuple[_Kind, Any] | None:
    # The instance's meta-object: PySide6 lets the Python object of a class's static one die.
    meta = QObject.metaObject(instance)
    if meta.indexOfProperty(name) < 0:
        return None
    # A host class may keep the value itself.
    own = getattr(cls, name, None)
    if callable(own) and not hasattr(own, "emit") and name in _host_names(cls):
        return _Kind.HOST_PROPERTY, own
    found = meta.property(meta.indexOfProperty(name))
    # What Qt returns does not outlive its meta-object's wrapper, so only plain values are kept.
    return _Kind.QT_PROPERTY, (found.isWritable(), str(found.typeName()))


def _from_class(cls: type, name: str, api: ClassApi | None) -> tuple[_Kind, Any]:
    qt = qt_class(cls)
    if hasattr(qt, name):
        # PySide6 finds the enumerators of a class only at the class.
        if isinstance(getattr(qt, name), enum.Enum):
            return _Kind.CLASS, None
        if isinstance(getattr(qt, name), _BuiltinFunction) and name not in _host_names(cls):
            return _Kind.FUNCTION, getattr(qt, name)
        return _PLAIN
    is_enumeration = api is not None and name[0].isupper()
    # A helper class of the host that stands for none of the application's.
    is_helper = api is None and is_host_class(wrapped_class(cls))
    return _PLAIN if (is_enumeration or is_helper) and hasattr(cls, name) else (_Kind.UNKNOWN, None)


def _host_names(cls: type) -> set[str]:
    return {name for base in cls.__mro__ if is_host_class(base) for name in vars(base)}


def _getter_for(original: Any) -> Any:
    """Return the new ``__getattribute__`` of a class; some classes of PySide6 (QProcess, QMenu, ...) have one of their own."""

    def _getattribute(self: QObject, name: str) -> Any:
        if name[:2] == "__":
            return original(self, name)
        try:
            caller = _getframe(1).f_globals["__name__"]
        except (KeyError, ValueError):
            return original(self, name)  # called by Qt, without a frame of Python
        if _styles[caller] if caller in _styles else _is_pyside_style(caller):
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
    if kind is _Kind.HOST_FUNCTION:
        value = original(self, name)
        return HostFunction(value) if type(value) is MethodType else value
    if kind is _Kind.CLASS:
        return getattr(cls, name)
    if kind is _Kind.ABSENT:
        raise AttributeError(f"{class_name(self)} has no attribute named '{name}'")
    if kind is _Kind.FUNCTION:
        return Function(original(self, name), detail)
    if not shiboken6.isValid(self):
        raise ValueError(f"Trying to read property '{name}' from a destroyed {cls.__name__} object")
    if kind is _Kind.HOST_PROPERTY:
        return as_tuples(detail(self))
    if kind is _Kind.QT_PROPERTY:
        return as_tuples(QObject.property(self, name))
    if kind is _Kind.SPECIAL:
        return detail(self)
    return _get_dynamic(self, name, original)


def _get_dynamic(self: QObject, name: str, original: Any) -> Any:
    """Return a dynamic property, or the child of that name."""
    value = QObject.property(self, name)
    if value is not None:
        return as_tuples(value)
    for child in QObject.children(self):
        if QObject.objectName(child) == name:
            return child
    if is_python_class(type(self)):
        return original(self, name)
    raise AttributeError(f"{class_name(self)} has no attribute named '{name}'")


def _setattr(self: QObject, name: str, value: Any) -> None:
    try:
        caller = _getframe(1).f_globals["__name__"]
    except (KeyError, ValueError):
        caller = ""
    if name[:2] == "__" or not caller or (_styles[caller] if caller in _styles else _is_pyside_style(caller)):
        _store(self, name, value)
    else:
        _set(self, name, value)


def _store(self: QObject, name: str, value: Any) -> None:
    """Set an attribute as Python does.

    The slot of a Shiboken class cannot be called once it has been replaced, so its steps are repeated here: a data descriptor of
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
    if kind is _Kind.HOST_PROPERTY or (kind is _Kind.PLAIN and is_missing(cls, name)):
        _set_host_property(self, name, value)
    elif kind is _Kind.QT_PROPERTY:
        _set_qt_property(self, name, value, *detail)
    elif kind is _Kind.UNKNOWN and shiboken6.isValid(self) and QObject.property(self, name) is not None:
        QObject.setProperty(self, name, value)
    elif name == "name":
        QObject.setObjectName(self, value)
    elif is_python_class(cls):
        _store(self, name, value)
    elif kind is _Kind.UNKNOWN:
        raise AttributeError(f"'{name}' does not exist on {class_name(self)} and creating new attributes on C++ objects is not allowed")
    else:
        raise AttributeError(f"Slot '{name}' can not be overwritten on {class_name(self)} object")


def _set_host_property(self: QObject, name: str, value: Any) -> None:
    api = api_of(type(self))
    write = getattr(type(self), setter(name), None)
    if write is None or (api is not None and name in api.properties and not api.properties[name]):
        raise AttributeError(f"Property '{name}' of {class_name(self)} object is not writable")
    write(self, value)


def _set_qt_property(self: QObject, name: str, value: Any, writable: bool, type_name: str) -> None:
    if not writable:
        raise AttributeError(f"Property '{name}' of {class_name(self)} object is not writable")
    # A setter that was overridden in Python must be called; otherwise Qt converts the value.
    own = getattr(type(self), setter(name), None)
    if own is not None and setter(name) in _host_names(type(self)):
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


def class_name(instance: QObject) -> str:
    """Return the name of the C++ class that PythonQt would report."""
    return wrapped_class(type(instance)).__name__


_SPECIAL = {
    "connect": lambda self: lambda *arguments: connect(self, *arguments),
    "disconnect": lambda self: lambda *arguments: disconnect(self, *arguments),
    "className": lambda self: lambda: class_name(self),
    "delete": lambda self: lambda: shiboken6.delete(self),
    "name": lambda self: QObject.objectName(self),
}


def _return_tuples(cls: type, name: str) -> None:
    """Let a function of a class that is no QObject return tuples instead of lists to code that is written for PythonQt."""
    original = getattr(cls, name)

    def call(self: Any, *arguments: Any) -> Any:
        value = original(self, *arguments)
        caller = _getframe(1).f_globals.get("__name__", "")
        return value if type(value) is not list or _is_pyside_style(caller) else as_tuples(value)

    setattr(cls, name, call)


def install(qt_modules: tuple[ModuleType, ...]) -> None:
    """Let every Qt object behave as in PythonQt; only the first call has an effect.

    Args:
        qt_modules: PySide6's modules.
    """
    global _installed
    if _installed:
        return
    _installed = True
    for item_class in (QListWidgetItem, QTableWidgetItem, QTreeWidgetItem, QStandardItem, QModelIndex):
        _return_tuples(item_class, "data")
    for module in qt_modules:
        for cls in [getattr(module, name) for name in dir(module)]:
            if not (isinstance(cls, type) and issubclass(cls, QObject)):
                continue
            if "__getattribute__" in vars(cls):
                cls.__getattribute__ = _getter_for(vars(cls)["__getattribute__"])
            if "__setattr__" in vars(cls):
                cls.__setattr__ = _setattr
