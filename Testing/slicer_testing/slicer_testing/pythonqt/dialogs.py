"""Message boxes, file dialogs and other dialogs, which are recorded and do not block in a test.

Each dialog is recorded in ``recorder.shown``. Its answer is the next one in the queue of ``recorder.answer(...)``; without one, the
dialog is closed: its result is the escape button, no file or no text. With ``recorder.interactive`` the real dialogs open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QColorDialog, QDialog, QFileDialog, QInputDialog, QMessageBox, QWidget

from slicer_testing.recorder import DialogRecorder, Shown

Button = QMessageBox.StandardButton


recorder = DialogRecorder()


def message(
    kind: str,
    title: str,
    text: str,
    buttons: int = Button.Ok,
    default: int = Button.NoButton,
    parent: QWidget | None = None,
    detail: str = "",
) -> Any:
    """Show a message box with standard buttons and return the button."""
    if recorder.interactive:
        box = QMessageBox(parent)
        icons = {"question": "Question", "warning": "Warning", "critical": "Critical"}
        box.setIcon(getattr(QMessageBox.Icon, icons.get(kind, "Information")))
        box.setWindowTitle(title)
        box.setText(text)
        box.setInformativeText(detail)
        box.setStandardButtons(Button(buttons))
        box.setDefaultButton(Button(default))
        return _exec_original(box)
    return recorder.take(Shown(kind, title, text, detail), _escape(buttons))


def _escape(buttons: Any) -> Any:
    """Return the button that is the result when a message box is closed."""
    flags = int(getattr(buttons, "value", buttons))
    for button in (Button.Cancel, Button.No, Button.Abort, Button.Close, Button.Ok):
        if flags & button.value:
            return button
    return Button.NoButton


def ask_text(title: str, label: str, default: str = "", parent: QWidget | None = None) -> str | None:
    """Ask for a line of text and return it; None if the user cancels."""
    if recorder.interactive:
        text, accepted = _originals["getText"](parent, title, label, text=default)
        return text if accepted else None
    return recorder.take(Shown("text", title, label, default), None)


def ask_file(kind: str, title: str = "", start: str = "", filters: str = "", parent: QWidget | None = None) -> Any:
    """Ask for a file and return its path, "" if the user cancels; for kind "open files" return a list of paths.

    Args:
        kind: "open", "open files", "save" or "folder".
    """
    if recorder.interactive:
        if kind == "folder":
            return _originals["getExistingDirectory"](parent, title, start)
        name = {"open": "getOpenFileName", "open files": "getOpenFileNames", "save": "getSaveFileName"}[kind]
        return _originals[name](parent, title, start, filters)[0]
    return recorder.take(Shown("file", title, kind, filters), [] if kind == "open files" else "")


def run_dialog(dialog: QDialog) -> Any:
    """Run a dialog and return its result; it replaces ``exec`` of all dialogs."""
    if recorder.interactive:
        return _exec_original(dialog)
    is_message = isinstance(dialog, QMessageBox)
    shown = _shown_message(dialog) if is_message else Shown("dialog", dialog.windowTitle(), "", "", dialog)
    dialog.show()
    QApplication.processEvents()
    answer = recorder.take(shown, _escape(dialog.standardButtons()) if is_message else 0)
    if is_message:
        answer = _press(dialog, answer)
        dialog.hide()
        return answer
    dialog.hide()
    number = int(getattr(answer, "value", answer) or 0)
    dialog.done(number)
    return number


def _shown_message(box: QMessageBox) -> Shown:
    kinds = {"Question": "question", "Warning": "warning", "Critical": "critical", "Information": "information"}
    detail = "\n".join(part for part in (box.informativeText(), box.detailedText()) if part)
    return Shown(kinds.get(box.icon().name, "information"), box.windowTitle(), box.text(), detail, box)


def _press(box: QMessageBox, answer: Any) -> Any:
    """Press the button of an answer, given as a standard button or by its text, and return the standard button."""
    if isinstance(answer, str):
        button = next((each for each in box.buttons() if each.text().replace("&", "") == answer), None)
        if button is None:
            raise ValueError(f"the message box has no button {answer!r}")
        answer = box.standardButton(button)
    else:
        button = box.button(Button(getattr(answer, "value", answer)))
    if button is not None:
        button.click()
    return answer


_originals: dict[str, Callable] = {}
_exec_original: Callable = QDialog.exec


def install() -> None:
    """Replace Qt's blocking functions by those of this module; only the first call has an effect."""
    if _originals:
        return
    for owner, names in (
        (QFileDialog, ("getOpenFileName", "getOpenFileNames", "getSaveFileName", "getExistingDirectory")),
        (QInputDialog, ("getText", "getItem", "getInt", "getDouble", "getMultiLineText")),
        (QMessageBox, ("question", "information", "warning", "critical", "about")),
        (QColorDialog, ("getColor",)),
    ):
        for name in names:
            _originals[name] = getattr(owner, name)
            setattr(owner, name, staticmethod(_STATIC[name]))
    QDialog.exec = run_dialog
    QDialog.exec_ = run_dialog
    QDialog.open = lambda dialog, *arguments: QTimer.singleShot(0, lambda: run_dialog(dialog))


def _file(kind: str) -> Callable:
    # PythonQt returns only the path, without the selected filter.
    def ask(parent: Any = None, caption: str = "", dir: str = "", filter: str = "", *_: Any, **__: Any) -> Any:
        return ask_file(kind, caption, str(dir), filter if isinstance(filter, str) else "", parent)

    return ask


def _message(kind: str) -> Callable:
    def ask(parent: Any, title: str, text: str, buttons: Any = None, default: Any = Button.NoButton) -> Any:
        if buttons is None:
            buttons = Button.Yes | Button.No if kind == "question" else Button.Ok
        return message(kind, title, text, buttons, default, parent)

    return ask


def _get_text(parent: Any, title: str, label: str, echo: Any = None, text: str = "", *_: Any) -> str:
    # PythonQt has no output parameter here: a cancelled dialog returns an empty text.
    return ask_text(title, label, text, parent) or ""


def _get_item(parent: Any, title: str, label: str, items: Any, current: int = 0, *_: Any) -> str:
    if recorder.interactive:
        text, accepted = _originals["getItem"](parent, title, label, list(items), current)
        return text if accepted else ""
    return recorder.take(Shown("item", title, label, "\n".join(items)), "")


def _get_number(name: str) -> Callable:
    def ask(parent: Any, title: str, label: str, value: Any = 0, *rest: Any) -> Any:
        if recorder.interactive:
            return _originals[name](parent, title, label, value, *rest)[0]
        return recorder.take(Shown("number", title, label), value)

    return ask


def _get_color(initial: Any = None, parent: Any = None, title: str = "", *rest: Any) -> QColor:
    if recorder.interactive:
        return _originals["getColor"](initial or QColor(), parent, title, *rest)
    return recorder.take(Shown("color", title), QColor())


_STATIC: dict[str, Callable] = {
    "getOpenFileName": _file("open"),
    "getOpenFileNames": _file("open files"),
    "getSaveFileName": _file("save"),
    "getExistingDirectory": _file("folder"),
    "getText": _get_text,
    "getMultiLineText": _get_text,
    "getItem": _get_item,
    "getInt": _get_number("getInt"),
    "getDouble": _get_number("getDouble"),
    "getColor": _get_color,
    **{kind: _message(kind) for kind in ("question", "information", "warning", "critical", "about")},
}
