"""Signals connected by their C++ signature, as ``object.connect("clicked(bool)", function)``.

As in PythonQt, a connection holds its function until it is disconnected or the sender is deleted, and Python's garbage collector does not
see it. An object that refers to a timer which calls one of its methods is therefore never released by itself.
"""

from __future__ import annotations

import collections
import inspect
import logging
import weakref
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QMetaMethod, QMetaObject, QObject, SignalInstance

from slicer_testing.pythonqt.conversions import Function

# By class, the types of the parameters of its signals by their names: each connection needs them.
_signals: weakref.WeakKeyDictionary[type, collections.defaultdict[str, list[list[str]]]] = weakref.WeakKeyDictionary()
_log = logging.getLogger("slicer_testing.connections")
_HELD = "_slicer_testing_connections"
# Type of a host class's signal for each C++ type.
_PYTHON_TYPES = {"bool": "bool", "int": "int", "double": "double", "float": "double", "QString": "QString", "const QString&": "QString"}


def split(signature: str) -> tuple[str, list[str] | None]:
    """Return the name and argument types of a signature; None for the types if it has no parentheses."""
    text = signature.strip()
    if text[:1] == "2":  # prefix of Qt's SIGNAL macro
        text = text[1:]
    name, bracket, rest = text.partition("(")
    if not bracket:
        return name.strip(), None
    types = [part.strip() for part in rest.rstrip().rstrip(")").split(",")]
    return name.strip(), [part for part in types if part]


def connect(sender: QObject, *arguments: Any) -> bool:
    """Connect a signal to a function, as PythonQt does.

    Args:
        sender: object with the signal.
        arguments: signature and function; or signature, receiver and the receiver's slot.

    Returns:
        False, with a warning, if there is no such signal: the application also warns and continues.
    """
    if len(arguments) == 3 and isinstance(arguments[0], QObject):
        sender, signature, function = arguments  # as PySide6 itself calls it, in QTimer.singleShot
    elif len(arguments) == 3:
        signature, receiver, slot = arguments
        function = _slot(receiver, slot)
    elif len(arguments) == 2:
        signature, function = arguments
    else:
        raise ValueError("connect takes a signature and a function, or a signature, an object and its slot")
    if isinstance(signature, bytes):
        signature = signature.decode()
    if not callable(function):
        raise ValueError(f"the receiver of {signature} must be callable, not {type(function).__name__}")
    found = find_signal(sender, signature)
    if found is None:
        _log.warning("QObject::connect() signal '%s' does not exist on %s", signature, type(sender).__name__)
        return False
    signal, count = found
    target = _with_arity(function, count)
    signal.connect(target)
    _held_by(sender).append((split(signature), function, signal, target))
    return True


def _held_by(sender: QObject) -> list[tuple[Any, ...]]:
    """Return the connections of a sender, which are released with it."""
    if not hasattr(sender, "__dict__"):
        return []
    held = sender.__dict__.get(_HELD)
    if held is None:
        held = sender.__dict__[_HELD] = []
        # The Python object may outlive the object of C++, which holds the connections.
        QObject.destroyed.__get__(sender).connect(held.clear)
    return held


def disconnect(sender: QObject, *arguments: Any) -> bool:
    """Remove connections: all, all of a signature, or one function."""
    held = sender.__dict__.get(_HELD, []) if hasattr(sender, "__dict__") else []
    wanted = split(arguments[0]) if arguments else None
    function = arguments[1] if len(arguments) == 2 else None
    if len(arguments) == 3:
        function = _slot(arguments[1], arguments[2])
    kept, done = [], False
    for entry in held:
        signature, target, signal, connected = entry
        if (wanted is None or _names(wanted, signature)) and (function is None or _same(target, function)):
            signal.disconnect(connected)
            done = True
        else:
            kept.append(entry)
    held[:] = kept
    return done


def forget(sender: QObject, name: str) -> None:
    """Remove the record of the connections of a signal, after all of them were disconnected."""
    held = getattr(sender, "__dict__", {}).get(_HELD, [])
    held[:] = [entry for entry in held if entry[0][0] != name]


def _names(wanted: tuple[str, list[str] | None], connected: tuple[str, list[str] | None]) -> bool:
    """Return whether one signature includes another; a name alone includes all signals of that name."""
    return wanted[0] == connected[0] and (wanted[1] == connected[1] or wanted[1] is None or connected[1] is None)


def _same(first: Any, second: Any) -> bool:
    # Two accesses to a bound method, or to a slot of a Qt object, give equal but not identical objects.
    return first is second or first == second


def find_signal(sender: QObject, signature: str) -> tuple[SignalInstance, int] | None:
    """Return the signal of that signature and the number of arguments that its functions get."""
    name, types = split(signature)
    bound = getattr(sender, name, None)
    if bound is None or not hasattr(bound, "emit"):
        return None
    candidates = _overloads(sender, name)
    if types is None:
        types = max(candidates, key=len, default=[])
    if types in candidates:
        return _overload(bound, types, candidates), len(types)
    # Host signals carry MRML objects as Python objects; overloads are distinguished by the types of the table above.
    translated = [_PYTHON_TYPES.get(kind, "PyObject") for kind in types]
    if translated in candidates:
        return _overload(bound, translated, candidates), len(types)
    # A signature may name fewer arguments than the signal has, as the default arguments of a C++ signal allow.
    longer = [candidate for candidate in candidates if candidate[: len(types)] in (types, translated)]
    if longer:
        return _overload(bound, longer[0], candidates), len(types)
    return None


def _overloads(sender: QObject, name: str) -> list[list[str]]:
    """Return the types of the parameters of each signal of that name."""
    found = _signals.get(type(sender))
    if found is None:
        found = _signals[type(sender)] = collections.defaultdict(list)
        meta: QMetaObject = sender.metaObject()
        for index in range(meta.methodCount()):
            method = meta.method(index)
            if method.methodType() == QMetaMethod.MethodType.Signal:
                found[bytes(method.name().data()).decode()].append([bytes(kind.data()).decode() for kind in method.parameterTypes()])
    return found[name]


def _overload(bound: SignalInstance, types: list[str], candidates: list[list[str]]) -> SignalInstance:
    if len(candidates) == 1:
        return bound
    try:
        return bound[",".join(types)]
    except (IndexError, KeyError, TypeError):
        pass
    kinds = {"PyObject": object, "bool": bool, "int": int, "double": float, "QString": str}
    try:
        chosen = tuple(kinds[kind] for kind in types)
        return bound[chosen[0] if len(chosen) == 1 else chosen] if chosen else bound
    except (IndexError, KeyError, TypeError):
        return bound


def _with_arity(function: Callable, count: int) -> Callable:
    """Return a function for a signal with a number of arguments; it passes on as many as the original function accepts.

    PySide6 selects the arguments that it sends by the receiver's signature, so the receiver must have exactly the right one.
    """
    takes = _positional(function)
    passed = count if takes is None else min(count, takes)

    def call(arguments: tuple) -> None:
        function(*arguments[:passed])

    if count == 0:
        return lambda: call(())
    if count == 1:
        return lambda a: call((a,))
    if count == 2:
        return lambda a, b: call((a, b))
    if count == 3:
        return lambda a, b, c: call((a, b, c))
    return lambda a, b, c, d: call((a, b, c, d))


def _positional(function: Callable) -> int | None:
    """Return the number of positional arguments that a function accepts; None if there is no limit or it is unknown."""
    if isinstance(function, Function):
        return function.most_arguments()
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    return sum(parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD) for parameter in parameters)


def _slot(receiver: QObject, slot: str) -> Callable:
    name, types = split(slot.lstrip("1"))
    method = getattr(receiver, name)
    if types is None:
        return method
    return lambda *arguments: method(*arguments[: len(types)])
