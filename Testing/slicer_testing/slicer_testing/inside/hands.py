"""A user's hands in an application: Qt's events, sent to its widgets through PythonQt."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import qt

from slicer_testing.backend import Hands

_Place = tuple[int, int]


class EventHands(Hands):
    """A user's hands in an application.

    Args:
        backend: the application.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def click(self, target: Any, button: str = "left", at: _Place | None = None, twice: bool = False, keys: str = "") -> None:
        _must_be_usable(target)
        place = at or _place(target)
        widget, which = _receiver(target), _button(button)
        with _held(widget, keys) as modifiers:
            _mouse(widget, qt.QEvent.MouseMove, place, qt.Qt.NoButton, qt.Qt.NoButton, modifiers)
            _mouse(widget, qt.QEvent.MouseButtonPress, place, which, which, modifiers)
            _mouse(widget, qt.QEvent.MouseButtonRelease, place, which, qt.Qt.NoButton, modifiers)
            if twice:
                _mouse(widget, qt.QEvent.MouseButtonDblClick, place, which, which, modifiers)
                _mouse(widget, qt.QEvent.MouseButtonRelease, place, which, qt.Qt.NoButton, modifiers)
        self._backend.process_events()

    def move(self, target: Any, to: _Place, keys: str = "") -> None:
        _must_be_usable(target)
        widget = _receiver(target)
        with _held(widget, keys) as modifiers:
            _mouse(widget, qt.QEvent.MouseMove, to, qt.Qt.NoButton, qt.Qt.NoButton, modifiers)
            self._backend.process_events()

    def drag(self, target: Any, start: _Place, end: _Place, button: str = "left", steps: int = 8, keys: str = "") -> None:
        _must_be_usable(target)
        widget, which = _receiver(target), _button(button)
        with _held(widget, keys) as modifiers:
            # Views search for the object under the mouse while it moves, before the press.
            _mouse(widget, qt.QEvent.MouseMove, start, qt.Qt.NoButton, qt.Qt.NoButton, modifiers)
            self._backend.process_events()
            _mouse(widget, qt.QEvent.MouseButtonPress, start, which, which, modifiers)
            for step in range(1, steps + 1):
                place = tuple(round(a + (b - a) * step / steps) for a, b in zip(start, end, strict=True))
                _mouse(widget, qt.QEvent.MouseMove, place, qt.Qt.NoButton, which, modifiers)
            _mouse(widget, qt.QEvent.MouseButtonRelease, end, which, qt.Qt.NoButton, modifiers)
        self._backend.process_events()

    def wheel(self, target: Any, steps: int = 1, at: _Place | None = None, keys: str = "") -> None:
        _must_be_usable(target)
        widget = _receiver(target)
        place = at or (widget.width // 2, widget.height // 2)
        angle = qt.QPoint(0, 120 if steps > 0 else -120)
        with _held(widget, keys) as modifiers:
            for _ in range(abs(steps)):
                event = qt.QWheelEvent(
                    qt.QPointF(*place),
                    _global(widget, place),
                    qt.QPoint(0, 0),
                    angle,
                    qt.Qt.NoButton,
                    modifiers,
                    qt.Qt.NoScrollPhase,
                    False,
                )
                qt.QApplication.sendEvent(widget, event)
        self._backend.process_events()

    def type(self, target: Any, text: str, replace: bool = True) -> None:
        _must_be_usable(target)
        target.setFocus()
        if replace and hasattr(target, "selectAll"):
            target.selectAll()
        for letter in text:
            _press(target, ord(letter.upper()), letter)
        _press(target, qt.Qt.Key_Return, "\r")
        self._backend.process_events()

    def key(self, target: Any, name: str) -> None:
        _must_be_usable(target)
        _press(target, getattr(qt.Qt, f"Key_{name}"))
        self._backend.process_events()

    def choose(self, target: Any, choice: Any) -> None:
        _must_be_usable(target)
        if hasattr(target, "setCurrentNode"):
            _choose_node(target, choice)
        else:
            box = target if target.inherits("QComboBox") else target.findChild(qt.QComboBox)
            index = box.findText(str(choice))
            offered = ", ".join(box.itemText(i) for i in range(box.count))
            assert index >= 0, f"{target.objectName} does not offer {choice!r}, but: {offered}"
            box.setCurrentIndex(index)
            box.activated(index)
        self._backend.process_events()


def _choose_node(selector: Any, choice: Any) -> None:
    nodes = [node for node in (selector.nodeFromIndex(i) for i in range(selector.nodeCount())) if node is not None]
    if isinstance(choice, str):
        named = [node for node in nodes if node.GetName() == choice]
        offered = ", ".join(node.GetName() for node in nodes)
        assert named, f"{selector.objectName} does not offer {choice!r}, but: {offered or 'nothing'}"
        choice = named[0]
    elif choice is not None:
        assert choice in nodes, f"{selector.objectName} does not offer {choice.GetName()} ({choice.GetClassName()})"
    else:
        assert selector.noneEnabled, f"{selector.objectName} does not offer None"
    selector.setCurrentNode(choice)


def _must_be_usable(target: Any) -> None:
    name = target.objectName or target.className()
    if not target.enabled:
        off = target
        while off.parentWidget() is not None and not off.parentWidget().enabled:
            off = off.parentWidget()
        raise AssertionError(f"{name} cannot be used: {off.objectName or off.className()} is disabled ({target.toolTip or 'no tool tip'})")
    assert target.visible, f"{name} cannot be used: it is not visible"
    _activate(target.window())


def _activate(window: Any) -> None:
    """Make a window the active one, in which widgets have the focus; without a window manager, nobody else does."""
    if not window.isActiveWindow:
        window.activateWindow()
        qt.QApplication.processEvents()
    if not window.isActiveWindow and hasattr(qt.QApplication, "setActiveWindow"):
        qt.QApplication.setActiveWindow(window)


def _receiver(target: Any) -> Any:
    """Return the widget that gets the events: of a view, the one that draws."""
    return target.VTKWidget() if target.inherits("ctkVTKAbstractView") else target


def _place(target: Any) -> _Place:
    # The text of a check box or radio button may end before the centre of its widget.
    if target.inherits("QAbstractButton") and target.checkable:
        return (min(8, target.width // 2), target.height // 2)
    return (target.width // 2, target.height // 2)


def _button(name: str) -> Any:
    return getattr(qt.Qt, f"{name.capitalize()}Button")


def _global(widget: Any, place: _Place) -> Any:
    at = widget.mapToGlobal(qt.QPoint(int(place[0]), int(place[1])))
    return qt.QPointF(at.x(), at.y())


def _mouse(widget: Any, kind: Any, place: _Place, button: Any, held: Any, modifiers: Any) -> None:
    event = qt.QMouseEvent(kind, qt.QPointF(*place), _global(widget, place), button, held, modifiers)
    qt.QApplication.sendEvent(widget, event)


@contextlib.contextmanager
def _held(widget: Any, keys: str) -> Iterator[Any]:
    """Press keys such as "control+shift" and release them afterwards; views also process the key events."""
    names = [key.strip().capitalize() for key in keys.split("+") if key.strip()]
    modifiers = qt.Qt.NoModifier
    for name in names:
        modifiers = modifiers | getattr(qt.Qt, f"{name}Modifier")
        _send_key(widget, qt.QEvent.KeyPress, getattr(qt.Qt, f"Key_{name}"), modifiers)
    try:
        yield modifiers
    finally:
        for name in reversed(names):
            _send_key(widget, qt.QEvent.KeyRelease, getattr(qt.Qt, f"Key_{name}"), modifiers)


def _press(widget: Any, key: int, text: str = "") -> None:
    for kind in (qt.QEvent.KeyPress, qt.QEvent.KeyRelease):
        _send_key(widget, kind, key, qt.Qt.NoModifier, text)


def _send_key(widget: Any, kind: Any, key: int, modifiers: Any, text: str = "") -> None:
    qt.QApplication.sendEvent(widget, qt.QKeyEvent(kind, key, modifiers, text))
