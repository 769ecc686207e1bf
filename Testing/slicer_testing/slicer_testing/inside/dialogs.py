"""Dialogs of an application, which are recorded and answered while they are open.

Message boxes and other dialogs are the application's own: a timer, which also runs in their event loops, finds the one that waits for a
user, records it and presses the button of its answer. Qt's functions that ask for a file, a text, a number or a colour may open dialogs of
the operating system, which no program can use; Python gets the answer instead.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import qt
import slicer

from slicer_testing.recorder import DialogRecorder, Shown

recorder = DialogRecorder()
# Whether slicer.util shows its messages; otherwise they are logged, as with the application's option --testing.
shows_messages = False
_SEEN = "slicer_testing_seen"
_INTERVAL = 20  # ms
_watch: Any = None


def install() -> None:
    """Start to answer dialogs; only the first call has an effect."""
    global _watch
    if _watch is not None:
        return
    qt.QCoreApplication.setAttribute(qt.Qt.AA_DontUseNativeDialogs)
    _watch = qt.QTimer()
    _watch.setInterval(_INTERVAL)
    _watch.connect("timeout()", _answer_open_dialog)
    _watch.start()
    for name, functions in _ASKING.items():
        setattr(qt, name, _Answered(getattr(qt, name), functions))
    _log_messages()


def _log_messages() -> None:
    original = slicer.util._messageDisplay

    def display(level: int, text: str, answer: Any, *arguments: Any, **named: Any) -> Any:
        if shows_messages:
            return original(level, text, answer, *arguments, **named)
        logging.log(level, text)
        return answer

    slicer.util._messageDisplay = display


def _answer_open_dialog() -> None:
    dialog = qt.QApplication.activeModalWidget()
    # A progress dialog asks nothing.
    if dialog is None or not dialog.inherits("QDialog") or dialog.inherits("QProgressDialog") or dialog.property(_SEEN):
        return
    dialog.setProperty(_SEEN, True)
    try:
        if dialog.inherits("QMessageBox"):
            _press(dialog, recorder.take(_shown_message(dialog), _escape(dialog)))
        elif dialog.inherits("QFileDialog"):
            _choose_file(dialog, recorder.take(Shown("file", dialog.windowTitle, "", "", dialog), ""))
        else:
            dialog.done(int(recorder.take(Shown("dialog", dialog.windowTitle, "", "", dialog), 0) or 0))
    finally:
        # Also where an answer fails: an open dialog would not end.
        if dialog.visible:
            dialog.reject()
        dialog.setProperty(_SEEN, False)


def _shown_message(box: Any) -> Shown:
    kinds = {int(qt.QMessageBox.Question): "question", int(qt.QMessageBox.Warning): "warning", int(qt.QMessageBox.Critical): "critical"}
    detail = "\n".join(part for part in (box.informativeText, box.detailedText) if part)
    return Shown(kinds.get(int(box.icon), "information"), box.windowTitle, box.text, detail, box)


def _escape(box: Any) -> Any:
    """Return the button that is the result when a message box is closed."""
    flags = int(box.standardButtons)
    for name in ("Cancel", "No", "Abort", "Close", "Ok"):
        if flags & int(getattr(qt.QMessageBox, name)):
            return getattr(qt.QMessageBox, name)
    return qt.QMessageBox.NoButton


def _press(box: Any, answer: Any) -> None:
    """Press the button of an answer, given as a standard button or by its text."""
    if isinstance(answer, str):
        button = next((each for each in box.buttons() if each.text.replace("&", "") == answer), None)
        if button is None:
            raise ValueError(f"the message box has no button {answer!r}")
    else:
        button = box.button(answer)
    if button is not None:
        button.click()


def _choose_file(dialog: Any, answer: Any) -> None:
    if answer:
        dialog.selectFile(str(answer))
        dialog.accept()


class _Answered:
    """A class of Qt with static functions that are answered instead of asking.

    Args:
        original: the class.
        functions: by name, what makes the answer.
    """

    def __init__(self, original: Any, functions: dict[str, Callable]) -> None:
        self._original, self._functions = original, functions

    def __getattr__(self, name: str) -> Any:
        return self._functions[name] if name in self._functions else getattr(self._original, name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._original(*arguments, **named)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._original)


def _file(kind: str, otherwise: Any = "") -> Callable:
    def ask(parent: Any = None, caption: str = "", directory: str = "", filters: Any = "", *_: Any) -> Any:
        return recorder.take(Shown("file", caption, kind, filters if isinstance(filters, str) else ""), otherwise)

    return ask


def _text(parent: Any, title: str, label: str, echo: Any = None, text: str = "", *_: Any) -> str:
    return recorder.take(Shown("text", title, label, text), "") or ""


def _item(parent: Any, title: str, label: str, items: Any, *_: Any) -> str:
    return recorder.take(Shown("item", title, label, "\n".join(items)), "")


def _number(parent: Any, title: str, label: str, value: Any = 0, *_: Any) -> Any:
    return recorder.take(Shown("number", title, label), value)


def _color(initial: Any = None, parent: Any = None, title: str = "", *_: Any) -> Any:
    return recorder.take(Shown("color", title), None) or qt.QColor()


_ASKING: dict[str, dict[str, Callable]] = {
    "QFileDialog": {
        "getOpenFileName": _file("open"),
        "getOpenFileNames": _file("open files", ()),
        "getSaveFileName": _file("save"),
        "getExistingDirectory": _file("folder"),
    },
    "QInputDialog": {"getText": _text, "getMultiLineText": _text, "getItem": _item, "getInt": _number, "getDouble": _number},
    "QColorDialog": {"getColor": _color},
}
