"""What the fixtures need of an application, and which application they run in.

There are two backends: :class:`slicer_testing.host.Host`, the application that this package itself is, and
:class:`slicer_testing.inside.application.Inside`, a real application that runs pytest in its own Python.
"""

from __future__ import annotations

import abc
import contextlib
import sys
import time
from pathlib import Path
from typing import Any

_inside = False


def use_application() -> None:
    """Let the fixtures use the application that runs in this process; called once, before :func:`slicer_testing.start`."""
    global _inside
    _inside = True


def inside_application() -> bool:
    """Return whether the fixtures use an application that runs in this process already, instead of this package's host."""
    return _inside or "PythonQt" in sys.modules


class Hands(abc.ABC):
    """Uses the widgets of one application as a user does; a disabled or hidden widget raises AssertionError with the reason.

    Positions are (x, y) in pixels from the upper left corner. ``keys`` are held modifier keys: "shift", "control", "alt", or several as
    "control+shift".
    """

    @abc.abstractmethod
    def click(self, target: Any, button: str = "left", at: tuple[int, int] | None = None, twice: bool = False, keys: str = "") -> None:
        """Click a widget with the "left", "right" or "middle" button, in its centre by default, once or twice."""

    @abc.abstractmethod
    def move(self, target: Any, to: tuple[int, int], keys: str = "") -> None:
        """Move the mouse over a widget, with no button held."""

    @abc.abstractmethod
    def drag(self, target: Any, start: tuple[int, int], end: tuple[int, int], button: str = "left", steps: int = 8, keys: str = "") -> None:
        """Press a button at ``start``, move the mouse in steps to ``end``, and release the button."""

    @abc.abstractmethod
    def wheel(self, target: Any, steps: int = 1, at: tuple[int, int] | None = None, keys: str = "") -> None:
        """Turn the wheel by steps, one event a step, away from the user for positive steps."""

    @abc.abstractmethod
    def type(self, target: Any, text: str, replace: bool = True) -> None:
        """Type a text into a widget, by default in place of the old one, and press Enter."""

    @abc.abstractmethod
    def key(self, target: Any, name: str) -> None:
        """Press one key by Qt's name: "Escape", "Tab", "Delete"."""

    @abc.abstractmethod
    def choose(self, target: Any, choice: Any) -> None:
        """Choose in a combo box by text, in a node selector by node (or None) or by its name.

        Raises:
            AssertionError: if the widget has no such entry.
        """


class Backend(abc.ABC):
    """The application under test.

    Attributes:
        patience: factor on the seconds that :meth:`wait_for` waits.
        app: ``slicer.app``.
        lasting_processes: processes that several tests share; the test that starts one, and adds it here, may leave it running.
    """

    patience = 1.0
    app: Any
    lasting_processes: set[int]

    @property
    @abc.abstractmethod
    def scene(self) -> Any:
        """The scene."""

    @property
    @abc.abstractmethod
    def dialogs(self) -> Any:
        """The record of the dialogs that were shown, and the queue of their answers."""

    @property
    def errors(self) -> list[BaseException]:
        """Exceptions that slots and observers have raised. Qt and VTK only print them, and a test fails if one is left at its end.

        A test that expects an exception removes it from this list.
        """
        from slicer_testing.callback_errors import errors

        return errors

    @abc.abstractmethod
    def add_module_path(self, path: str | Path) -> None:
        """Add a folder to the search paths for modules."""

    @abc.abstractmethod
    def load_module(self, name_or_path: str | Path) -> Any:
        """Load a scripted module by name or by the path of its script; its panel is new in each test."""

    @abc.abstractmethod
    def hands(self) -> Hands:
        """Return a user's hands."""

    @abc.abstractmethod
    def messages_shown(self) -> contextlib.AbstractContextManager[None]:
        """Let ``slicer.util`` show its messages within a ``with`` block; outside, it only logs them."""

    @abc.abstractmethod
    def leave_main_window(self) -> None:
        """Go on without main window and layout manager until :meth:`fresh`; skip the test where that is not possible."""

    @abc.abstractmethod
    def fresh(self) -> None:
        """Return to the state of a new application: empty scene, new panels, default settings, no recorded dialogs."""

    def forget_layouts(self) -> None:
        """Become an application that has not met the layouts of this test, with :meth:`fresh`; skip the test where that is not possible."""
        self.fresh()

    def appearance(self, points: float = 14.0, dark: bool = True) -> contextlib.AbstractContextManager[None]:
        """Use a font of a size in points and a dark palette within a ``with`` block."""
        from slicer_testing.inside.appearance import appearance

        return appearance(points, dark)

    def clipped(self, panel: Any) -> list[str]:
        """Return the texts of a shown panel that are cut off, with their widths."""
        from slicer_testing.inside.appearance import clipped

        return clipped(panel)

    def process_events(self, seconds: float = 0.0) -> None:
        """Run the event loop, for a number of seconds or once."""
        end = time.perf_counter() + seconds
        while True:
            self.app.processEvents()
            if time.perf_counter() >= end:
                return
            time.sleep(0.002)

    def wait_for(self, condition: Any, seconds: float = 10.0, what: str = "") -> Any:
        """Run the event loop until a condition holds, and return the condition's value.

        Raises:
            TimeoutError: if the condition does not hold within the given seconds, times :attr:`patience`.
        """
        end = time.perf_counter() + self.patience * seconds
        while True:
            self.app.processEvents()
            value = condition()
            if value:
                return value
            if time.perf_counter() >= end:
                raise TimeoutError(f"waited {self.patience * seconds:g} s for {what or 'a condition'}")
            time.sleep(0.002)
