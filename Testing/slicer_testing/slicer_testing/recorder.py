"""The record of dialogs that were shown in a test, and the queue of their answers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Shown:
    """One dialog that was shown.

    Args:
        kind: "question", "information", "warning", "critical", "about", "text", "item", "number", "file", "color" or "dialog".
        title, text: its title and text.
        detail: its informative and detailed text, or the filters of a file dialog.
        dialog: the dialog itself, if the code made one.
        answer: the result that it returned.
    """

    kind: str
    title: str = ""
    text: str = ""
    detail: str = ""
    dialog: Any = None
    answer: Any = None


@dataclass
class DialogRecorder:
    """The record of dialogs, and the queue of their answers.

    Args:
        interactive: open the real dialogs, for a user.
        shown: the dialogs that were shown, oldest first.
    """

    interactive: bool = False
    shown: list[Shown] = field(default_factory=list)
    _answers: deque = field(default_factory=deque)

    def answer(self, *answers: Any) -> None:
        """Queue answers: a value, or a function that gets the :class:`Shown` (and may use its dialog) and returns the value."""
        self._answers.extend(answers)

    def clear(self) -> None:
        self.shown.clear()
        self._answers.clear()

    @property
    def unused(self) -> int:
        """Number of answers that no dialog has used."""
        return len(self._answers)

    def take(self, shown: Shown, otherwise: Any) -> Any:
        """Record a dialog and return its answer, or ``otherwise`` if the queue is empty."""
        self.shown.append(shown)
        answer = self._answers.popleft() if self._answers else otherwise
        shown.answer = answer(shown) if callable(answer) else answer
        return shown.answer
