"""Conversion of Qt's mouse, wheel and key events for a VTK interactor."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QSinglePointEvent, QWheelEvent
from vtkmodules.vtkRenderingCore import vtkRenderWindow, vtkRenderWindowInteractor

WHEEL_STEP = 120
"""Angle that Qt reports for one notch of a wheel."""

_BUTTONS = {Qt.MouseButton.LeftButton: "LeftButton", Qt.MouseButton.MiddleButton: "MiddleButton", Qt.MouseButton.RightButton: "RightButton"}

_KEYS = {
    Qt.Key.Key_Backspace: "BackSpace",
    Qt.Key.Key_Tab: "Tab",
    Qt.Key.Key_Return: "Return",
    Qt.Key.Key_Enter: "Return",
    Qt.Key.Key_Shift: "Shift_L",
    Qt.Key.Key_Control: "Control_L",
    Qt.Key.Key_Alt: "Alt_L",
    Qt.Key.Key_Escape: "Escape",
    Qt.Key.Key_Space: "space",
    Qt.Key.Key_PageUp: "Prior",
    Qt.Key.Key_PageDown: "Next",
    Qt.Key.Key_End: "End",
    Qt.Key.Key_Home: "Home",
    Qt.Key.Key_Left: "Left",
    Qt.Key.Key_Up: "Up",
    Qt.Key.Key_Right: "Right",
    Qt.Key.Key_Down: "Down",
    Qt.Key.Key_Insert: "Insert",
    Qt.Key.Key_Delete: "Delete",
    Qt.Key.Key_Plus: "plus",
    Qt.Key.Key_Minus: "minus",
} | {getattr(Qt.Key, f"Key_F{number}"): f"F{number}" for number in range(1, 13)}

_CURSORS = {
    1: Qt.CursorShape.ArrowCursor,
    2: Qt.CursorShape.SizeBDiagCursor,
    3: Qt.CursorShape.SizeFDiagCursor,
    4: Qt.CursorShape.SizeBDiagCursor,
    5: Qt.CursorShape.SizeFDiagCursor,
    6: Qt.CursorShape.SizeVerCursor,
    7: Qt.CursorShape.SizeHorCursor,
    8: Qt.CursorShape.SizeAllCursor,
    9: Qt.CursorShape.PointingHandCursor,
    10: Qt.CursorShape.CrossCursor,
}
"""Qt's shapes by VTK's numbers (VTK_CURSOR_ARROW is 1)."""


def key_symbol(event: QKeyEvent) -> str:
    """Return VTK's name of a key."""
    known = _KEYS.get(Qt.Key(event.key()))
    if known:
        return known
    text = event.text()
    if text and text.isprintable():
        return text
    return chr(event.key()).lower() if 0x20 < event.key() < 0x7F else "None"


class EventForwarder:
    """Passes Qt's events to an interactor.

    Args:
        interactor: VTK's interactor.
    """

    def __init__(self, interactor: vtkRenderWindowInteractor) -> None:
        self._interactor = interactor
        self._wheel = 0

    def mouse(self, event: QMouseEvent, height: int, ratio: float) -> None:
        """Pass on a press, release, move or double click; height and ratio as for `_place`."""
        self._place(event.position(), event, height, ratio)
        kind = event.type()
        if kind == QEvent.Type.MouseMove:
            self._interactor.InvokeEvent("MouseMoveEvent")
            return
        button = _BUTTONS.get(event.button())
        if button is None:
            return
        action = {QEvent.Type.MouseButtonPress: "Press", QEvent.Type.MouseButtonRelease: "Release"}.get(kind, "DoubleClick")
        self._interactor.InvokeEvent(f"{button}{action}Event")

    def wheel(self, event: QWheelEvent, height: int, ratio: float) -> None:
        """Pass on one step for each event that completes a notch, however far it turns, as VTK's adapter for Qt does.

        Fractions of a notch are added to the next event, so that touch pads scroll at a normal speed.
        """
        self._place(event.position(), event, height, ratio)
        self._wheel += event.angleDelta().y()
        if abs(self._wheel) >= WHEEL_STEP:
            up = self._wheel > 0
            self._wheel = 0
            self._interactor.InvokeEvent("MouseWheelForwardEvent" if up else "MouseWheelBackwardEvent")

    def key(self, event: QKeyEvent) -> None:
        """Pass on a key that was pressed or released."""
        text = event.text()
        self._modifiers(event)
        self._interactor.SetKeyCode(text if len(text) == 1 and ord(text) < 128 else "\0")
        self._interactor.SetRepeatCount(event.count())
        self._interactor.SetKeySym(key_symbol(event))
        if event.type() == QEvent.Type.KeyPress:
            self._interactor.InvokeEvent("KeyPressEvent")
            if text:
                self._interactor.InvokeEvent("CharEvent")
        else:
            self._interactor.InvokeEvent("KeyReleaseEvent")

    def crossing(self, inside: bool) -> None:
        """Pass on that the mouse entered or left the view."""
        self._interactor.InvokeEvent("EnterEvent" if inside else "LeaveEvent")

    def _place(self, position: QPointF, event: QSinglePointEvent, height: int, ratio: float) -> None:
        """Set the position of the mouse: VTK counts device pixels from the bottom, Qt logical pixels from the top."""
        self._modifiers(event)
        self._interactor.SetEventInformation(
            int(position.x() * ratio),
            height - 1 - int(position.y() * ratio),
            self._interactor.GetControlKey(),
            self._interactor.GetShiftKey(),
            "\0",
            1 if event.type() == QEvent.Type.MouseButtonDblClick else 0,
            None,
        )

    def _modifiers(self, event: QSinglePointEvent | QKeyEvent) -> None:
        held = event.modifiers()
        self._interactor.SetControlKey(int(bool(held & Qt.KeyboardModifier.ControlModifier)))
        self._interactor.SetShiftKey(int(bool(held & Qt.KeyboardModifier.ShiftModifier)))
        self._interactor.SetAltKey(int(bool(held & Qt.KeyboardModifier.AltModifier)))


def cursor_shape(window: vtkRenderWindow) -> Qt.CursorShape:
    """Return Qt's shape of the mouse pointer for that of VTK."""
    return _CURSORS.get(window.GetCurrentCursor(), Qt.CursorShape.ArrowCursor)
