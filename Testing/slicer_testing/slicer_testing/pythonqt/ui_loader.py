"""Forms of Qt Designer (.ui) with Slicer's and CTK's widgets.

Qt's loader makes the widgets; it knows neither the properties nor the signals of host classes. Properties that it cannot set
become dynamic properties, which are passed to the setters; connections of host classes are removed and made afterwards.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QFile, QIODevice, QObject
from PySide6.QtUiTools import QUiLoader as _QUiLoader
from PySide6.QtWidgets import QWidget

from slicer_testing.pythonqt.attributes import api_of
from slicer_testing.pythonqt.connections import connect, split
from slicer_testing.registry import is_missing, setter, table, widget


class QUiLoader(_QUiLoader):
    """Loads a form with the host's versions of the application's classes."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # Until the form is complete, only Qt refers to its widgets, and a garbage collection would destroy them.
        self._made: list[QWidget] = []

    def createWidget(self, className: str, parent: QWidget | None = None, name: str = "") -> QWidget:
        if className in table():
            made = widget(className)(parent)
            made.setObjectName(name)
        else:
            made = super().createWidget(className, parent, name)
        self._made.append(made)
        return made

    def load(self, device: Any, parentWidget: QWidget | None = None) -> QWidget:
        """Load the form of a file or device and return its widget.

        Raises:
            RuntimeError: if the form cannot be read.
        """
        if isinstance(device, str):
            device = QFile(device)
        if not device.isOpen():
            device.open(QIODevice.OpenModeFlag.ReadOnly)
        root = ElementTree.fromstring(bytes(device.readAll().data()))
        names = _host_widgets(root)
        connections = _take_connections(root, names)
        enumerations = _take_enumerations(root)
        buffer = QBuffer()
        buffer.setData(QByteArray(ElementTree.tostring(root)))
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        try:
            form = super().load(buffer, parentWidget)
            if form is None:
                raise RuntimeError(f"the form cannot be loaded: {self.errorString()}")
            everything = [form, *form.findChildren(QObject)]
        finally:
            self._made.clear()
        # Before the properties are set: that may replace an object inside a widget, such as the frame of a text.
        by_name = {item.objectName(): item for item in everything if item.objectName()}
        for item in everything:
            if api_of(type(item)) is not None:
                _set_properties(item, enumerations.get(item.objectName(), {}))
        for sender, signal, receiver, slot in connections:
            _connect(by_name.get(sender), signal, by_name.get(receiver), slot)
        return form


def _host_widgets(root: ElementTree.Element) -> set[str]:
    return {element.get("name", "") for element in root.iter("widget") if element.get("class") in table()}


def _take_connections(root: ElementTree.Element, names: set[str]) -> list[tuple[str, str, str, str]]:
    taken = []
    for group in root.findall("connections"):
        for connection in list(group):
            parts = tuple((connection.findtext(tag) or "").strip() for tag in ("sender", "signal", "receiver", "slot"))
            if parts[0] in names or parts[2] in names:
                taken.append(parts)
                group.remove(connection)
    return taken


def _take_enumerations(root: ElementTree.Element) -> dict[str, dict[str, str]]:
    """Remove the enumerated properties of host classes and return them; Qt's loader cannot resolve them in its meta-objects."""
    taken: dict[str, dict[str, str]] = {}
    for element in root.iter("widget"):
        api = table().get(element.get("class", ""))
        if api is None:
            continue
        for item in list(element.findall("property")):
            value = item.find("enum") if item.find("enum") is not None else item.find("set")
            if (
                value is not None
                and not (value.text or "").startswith("Qt::")
                and item.get("name") in _own_properties(element.get("class", ""))
            ):
                taken.setdefault(element.get("name", ""), {})[item.get("name", "")] = value.text or ""
                element.remove(item)
    return taken


def _own_properties(class_name: str) -> set[str]:
    from slicer_testing.registry import class_api

    api = class_api(class_name)
    return set(api.properties) if api else set()


def _set_properties(item: QObject, enumerations: dict[str, str]) -> None:
    api, cls = api_of(type(item)), type(item)
    for raw in item.dynamicPropertyNames():
        name = bytes(raw.data()).decode()
        if name not in api.properties:
            continue
        value = item.property(name)
        item.setProperty(name, None)
        _write(item, cls, name, value)
    for name, text in enumerations.items():
        value: Any = 0
        for part in text.split("|"):
            word = part.strip().rpartition("::")[2]
            number = getattr(cls, word, None)
            if number is None:
                value = None
                break
            value = value | int(getattr(number, "value", number))
        if value is not None:
            _write(item, cls, name, value)
        else:
            raise NotImplementedError(f"{cls.__name__}: value {text} of {name} is not implemented by slicer_testing")


def _write(item: QObject, cls: type, name: str, value: Any) -> None:
    write = setter(name)
    if is_missing(cls, write) or not hasattr(cls, write):
        raise NotImplementedError(f"{cls.__name__}.{name} is not implemented by slicer_testing")
    getattr(item, write)(value)


def _connect(sender: QObject | None, signal: str, receiver: QObject | None, slot: str) -> None:
    if sender is None or receiver is None:
        return
    name, types = split(slot)
    count = len(types or [])
    # Resolved when the signal is emitted: the receiver may be deleted by then, and the parent widget sets its scene.
    if not hasattr(type(receiver), name):
        return
    if count == 0:
        connect(sender, signal, lambda: getattr(receiver, name)())
    else:
        connect(sender, signal, lambda value: getattr(receiver, name)(value))
