"""A user's actions: clicks and keys that are sent as Qt's events, so that disabled and hidden widgets cannot be used."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QWidget

from slicer_testing.backend import Hands


class QtHands(Hands):
    """A user's hands in the host.

    Args:
        host: the application.
    """

    def __init__(self, host: Any) -> None:
        self._host = host

    def click(self, target: QWidget, button: str = "left", at: tuple[int, int] | None = None, twice: bool = False, keys: str = "") -> None:
        _must_be_usable(target)
        press = QTest.mouseDClick if twice else QTest.mouseClick
        with _held(target, keys) as modifiers:
            press(target, _button(button), modifiers, QPoint(*at) if at else _place(target))
        self._host.process_events()

    def move(self, target: QWidget, to: tuple[int, int], keys: str = "") -> None:
        _must_be_usable(target)
        with _held(target, keys) as modifiers:
            _move(target, QPoint(*to), Qt.MouseButton.NoButton, modifiers)
            self._host.process_events()

    def drag(
        self, target: QWidget, start: tuple[int, int], end: tuple[int, int], button: str = "left", steps: int = 8, keys: str = ""
    ) -> None:
        _must_be_usable(target)
        which = _button(button)
        with _held(target, keys) as modifiers:
            # Views search for the object under the mouse while it moves, before the press.
            _move(target, QPoint(*start), Qt.MouseButton.NoButton, modifiers)
            self._host.process_events()
            QTest.mousePress(target, which, modifiers, QPoint(*start))
            for step in range(1, steps + 1):
                x, y = (round(a + (b - a) * step / steps) for a, b in zip(start, end, strict=True))
                _move(target, QPoint(x, y), which, modifiers)
            QTest.mouseRelease(target, which, modifiers, QPoint(*end))
            self._host.process_events()

    def wheel(self, target: QWidget, steps: int = 1, at: tuple[int, int] | None = None, keys: str = "") -> None:
        _must_be_usable(target)
        where = QPointF(QPoint(*at) if at else target.rect().center())
        with _held(target, keys) as modifiers:
            for _ in range(abs(steps)):
                event = QWheelEvent(
                    where,
                    QPointF(target.mapToGlobal(where.toPoint())),
                    QPoint(),
                    QPoint(0, 120 if steps > 0 else -120),
                    Qt.MouseButton.NoButton,
                    modifiers,
                    Qt.ScrollPhase.NoScrollPhase,
                    False,
                )
                QApplication.sendEvent(target, event)
            self._host.process_events()

    def type(self, target: QWidget, text: str, replace: bool = True) -> None:
        _must_be_usable(target)
        target.setFocus()
        if replace and hasattr(type(target), "selectAll"):
            target.selectAll()
        QTest.keyClicks(target, text)
        QTest.keyClick(target, Qt.Key.Key_Return)
        self._host.process_events()

    def key(self, target: QWidget, name: str) -> None:
        _must_be_usable(target)
        QTest.keyClick(target, getattr(Qt.Key, f"Key_{name}"))
        self._host.process_events()

    def choose(self, target: QWidget, choice: Any) -> None:
        _must_be_usable(target)
        if hasattr(type(target), "setCurrentNode"):
            self._choose_node(target, choice)
        else:
            box = target if isinstance(target, QComboBox) else target.findChild(QComboBox)
            index = box.findText(str(choice))
            offered = ", ".join(box.itemText(i) for i in range(box.count()))
            assert index >= 0, f"{target.objectName()} does not offer {choice!r}, but: {offered}"
            box.setCurrentIndex(index)
            box.activated.emit(index)
        self._host.process_events()

    def _choose_node(self, selector: QWidget, choice: Any) -> None:
        nodes = [selector.nodeFromIndex(i) for i in range(selector.nodeCount())]
        if isinstance(choice, str):
            named = [node for node in nodes if node.GetName() == choice]
            offered = ", ".join(node.GetName() for node in nodes)
            assert named, f"{selector.objectName()} does not offer {choice!r}, but: {offered or 'nothing'}"
            choice = named[0]
        elif choice is not None:
            assert choice in nodes, f"{selector.objectName()} does not offer {choice.GetName()} ({choice.GetClassName()})"
        else:
            assert selector.noneEnabled(), f"{selector.objectName()} does not offer None"
        selector.setCurrentNode(choice)


def _place(target: QWidget) -> QPoint:
    # The text of a check box or radio button may end before the centre of its widget.
    if isinstance(target, QAbstractButton) and target.isCheckable():
        for x in (target.width() // 2, 8):
            if target.hitButton(QPoint(x, target.height() // 2)):
                return QPoint(x, target.height() // 2)
    return target.rect().center()


def _must_be_usable(target: QWidget) -> None:
    name = target.objectName() or type(target).__name__
    if not target.isEnabled():
        off = target
        while off.parentWidget() is not None and not off.parentWidget().isEnabled():
            off = off.parentWidget()
        raise AssertionError(
            f"{name} cannot be used: {off.objectName() or type(off).__name__} is disabled ({target.toolTip() or 'no tool tip'})"
        )
    if not target.isVisible():
        raise AssertionError(f"{name} cannot be used: it is not visible")


def _button(name: str) -> Qt.MouseButton:
    return getattr(Qt.MouseButton, f"{name.capitalize()}Button")


@contextlib.contextmanager
def _held(target: QWidget, keys: str) -> Iterator[Qt.KeyboardModifier]:
    """Press keys such as "control+shift" and release them afterwards; views also process the key events."""
    names = [key.strip().capitalize() for key in keys.split("+") if key.strip()]
    held = Qt.KeyboardModifier.NoModifier
    for name in names:
        held |= getattr(Qt.KeyboardModifier, f"{name}Modifier")
        QTest.keyPress(target, getattr(Qt.Key, f"Key_{name}"), held)
    try:
        yield held
    finally:
        for name in reversed(names):
            QTest.keyRelease(target, getattr(Qt.Key, f"Key_{name}"), held)


def _move(target: QWidget, place: QPoint, held: Qt.MouseButton, modifiers: Qt.KeyboardModifier) -> None:
    # QTest.mouseMove does not report which button is held, and a drag needs a button.
    where = QPointF(place)
    event = QMouseEvent(QEvent.Type.MouseMove, where, QPointF(target.mapToGlobal(place)), Qt.MouseButton.NoButton, held, modifiers)
    QApplication.sendEvent(target, event)
