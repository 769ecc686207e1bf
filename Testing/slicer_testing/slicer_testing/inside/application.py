"""A real application as the backend of the fixtures."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
import slicer

from slicer_testing import callback_errors
from slicer_testing.backend import Backend, Hands
from slicer_testing.inside import dialogs
from slicer_testing.inside.hands import EventHands

_current: Inside | None = None


class Inside(Backend):
    """The application in whose Python this code runs.

    It keeps its modules: a test that uses the panel of a module after another one reloads the module, as its developers do.
    """

    # Slower than the host, and often on a virtual display.
    patience = 4.0

    def __init__(self) -> None:
        self.app = slicer.app
        self.lasting_processes: set[int] = set()
        # Modules whose panels exist, and those that this test has got new.
        self._panels: set[str] = set()
        self._new: set[str] = set()
        # Settings are those of a temporary file, see run_in_application.py.
        self._settings = set(qt.QSettings().allKeys())
        self._layout = 0
        if self.app.layoutManager() is not None:
            self._layout = self.app.layoutManager().layout

    @property
    def scene(self) -> Any:
        return slicer.mrmlScene

    @property
    def dialogs(self) -> Any:
        return dialogs.recorder

    def add_module_path(self, path: str | Path) -> None:
        """Do nothing: the application has found its modules when it was started."""

    def load_module(self, name_or_path: str | Path) -> Any:
        name = Path(name_or_path).stem if str(name_or_path).endswith(".py") else str(name_or_path)
        module = getattr(slicer.modules, name.lower(), None)
        if module is None:
            pytest.skip(f"not in an application: it was started without the module {name}")
        if name in self._panels and name not in self._new:
            slicer.util.reloadScriptedModule(name)
        self._panels.add(name)
        self._new.add(name)
        return module

    def hands(self) -> Hands:
        return EventHands(self)

    @contextlib.contextmanager
    def messages_shown(self) -> Iterator[None]:
        dialogs.shows_messages = True
        try:
            yield
        finally:
            dialogs.shows_messages = False

    def leave_main_window(self) -> None:
        if slicer.util.mainWindow() is not None:
            pytest.skip("not in an application with a main window: start it with --no-main-window")

    def forget_layouts(self) -> None:
        pytest.skip("not in an application: it keeps the layouts that it has met until its end")

    def fresh(self) -> None:
        for name in self._panels:
            panel = getattr(slicer.modules, name.lower()).widgetRepresentation()
            panel.exit()
            panel.hide()
        self._new.clear()
        slicer.mrmlScene.Clear(0)
        self.app.processEvents()
        # A saved or loaded scene keeps its folder, which relative file names would refer to.
        slicer.mrmlScene.SetURL("")
        slicer.mrmlScene.SetRootDirectory("")
        slicer.mrmlScene.SetUndoOff()
        slicer.mrmlScene.ClearUndoStack()
        if self.app.layoutManager() is not None:
            self.app.layoutManager().setLayout(self._layout)
        settings = qt.QSettings()
        for key in set(settings.allKeys()) - self._settings:
            settings.remove(key)
        self.dialogs.clear()
        self.errors.clear()
        dialogs.shows_messages = False
        while self.app.overrideCursor() is not None:
            self.app.restoreOverrideCursor()
        gc.collect()


def current() -> Inside:
    """Return the application of this process; the first call prepares it for tests."""
    global _current
    if _current is None:
        callback_errors.install()
        dialogs.install()
        _current = Inside()
        logging.getLogger("slicer_testing").info("tests in %s, Qt %s", slicer.app.applicationVersion, qt.qVersion())
    return _current
