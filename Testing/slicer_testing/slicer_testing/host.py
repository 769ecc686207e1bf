"""The one application of a process."""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slicer_testing.backend import Backend

_BUNDLED = Path(__file__).parent / "bundled"
_host: Host | None = None


class Host(Backend):
    """The application that runs in this process; made by :func:`start`.

    Args:
        app: ``slicer.app``.
        core: scene and logics.
        loader: of modules.
    """

    def __init__(self, app: Any, core: Any, loader: Any) -> None:
        self.app, self.core, self.loader = app, core, loader
        self.lasting_processes: set[int] = set()

    @property
    def scene(self) -> Any:
        return self.core.scene

    @property
    def dialogs(self) -> Any:
        from slicer_testing.pythonqt.dialogs import recorder

        return recorder

    def add_module_path(self, path: str | Path) -> None:
        self.loader.add_path(path)

    def load_module(self, name_or_path: str | Path) -> Any:
        return self.loader.load(name_or_path)

    def hands(self) -> Any:
        from slicer_testing.hands import QtHands

        return QtHands(self)

    @contextlib.contextmanager
    def messages_shown(self) -> Iterator[None]:
        before, self.app.commandOptions()._testing = self.app.commandOptions()._testing, False
        try:
            yield
        finally:
            self.app.commandOptions()._testing = before

    def leave_main_window(self) -> None:
        self.app._drop_window()
        self.app._drop_views()
        self.app.commandOptions()._no_main_window = True

    def fresh(self) -> None:
        """Return to the state of a new application: also no modules and no views."""
        from PySide6.QtCore import QCoreApplication, QEvent, QSettings

        self.loader.unload_scripted()
        self.app._drop_window()
        # Most tests need no views, and the others must not get those of another test.
        self.app._drop_views()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        left = self.core.drop_foreign_observers()
        if left:
            logging.getLogger("slicer_testing").info("observers that were left on the scene are removed: %s", ", ".join(left))
        self.core.clear()
        # A saved or loaded scene keeps its folder, which relative file names would refer to.
        self.scene.SetURL("")
        self.scene.SetRootDirectory("")
        self.scene.SetUndoOff()
        self.scene.ClearUndoStack()
        QSettings().clear()
        self.dialogs.clear()
        self.errors.clear()
        self.dialogs.interactive = False
        self.app.commandOptions()._testing = True
        self.app.commandOptions()._no_main_window = False
        self.app.extensionsManagerModel().installed.clear()
        self.app._paused = 0
        # Modules may offer data sets.
        vars(self.loader.modules).pop("sampleDataSources", None)
        while self.app.overrideCursor() is not None:
            self.app.restoreOverrideCursor()
        _collect()


def start(module_paths: tuple[str | Path, ...] = ()) -> Host:
    """Start the application and return its host; later calls in the same process return the same host.

    Without a display, windows are drawn off screen, unless QT_QPA_PLATFORM has another value.

    Args:
        module_paths: search paths for modules.
    """
    global _host
    if _host is None:
        _host = _start()
    for path in module_paths:
        _host.add_module_path(path)
    return _host


def _start() -> Host:
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from slicer_testing.application.app import isolate_settings, qSlicerApplication

    temporary = isolate_settings()
    import slicer

    from slicer_testing import callback_errors, registry
    from slicer_testing.application import kits, modules
    from slicer_testing.application.scene import make_core
    from slicer_testing.application.sequences import SequencePlayer
    from slicer_testing.pythonqt import attributes, dialogs, namespaces

    _python_slicer(Path(temporary) / "bin")
    core = make_core(temporary)
    slicer.mrmlScene = core.scene
    slicer.modules = modules.Modules()
    loader = modules.ModuleLoader(slicer.modules)
    app = qSlicerApplication([sys.argv[0] if sys.argv else "slicer_testing"], core, loader, temporary)
    slicer.app = app
    app._player = SequencePlayer(core.scene, core.logics["Sequences"])
    for name, logic in core.logics.items():
        loader.add_core(name, logic)
    namespaces.install(slicer)
    _fill_main(slicer)
    kits.install()
    dialogs.install()
    slicer.__path__.append(str(_BUNDLED / "slicer"))
    sys.path.insert(0, str(_BUNDLED))
    slicer.qSlicerScriptedLoadableModule = modules.qSlicerScriptedLoadableModule
    registry.load_widgets()
    attributes.install(namespaces.QT_MODULES)
    callback_errors.install()
    _copy_public("ScriptedLoadableModule", slicer)
    app._started = True
    _collect()
    atexit.register(_stop, temporary)
    host = Host(app, core, loader)
    app._make_window = functools.partial(_make_window, host)
    return host


def _collect() -> None:
    """Destroy what can no longer be reached.

    What is left are libraries and the application's parts, which remain: later collections do not visit them, and are fast enough for
    each test even when libraries with many objects have been imported since.
    """
    gc.collect()
    gc.freeze()


def _make_window(host: Host) -> Any:
    # Imported late, since its base class needs the application.
    from slicer_testing.window.main_window import qSlicerMainWindow

    return qSlicerMainWindow(host)


def _python_slicer(folder: Path) -> None:
    """Provide the application's Python under the name that ``slicer.util`` starts it by.

    As the application's, it is a launcher that has the interpreter as its child: their process numbers differ, and a child that a signal
    has ended is reported as exit status 1.
    """
    folder.mkdir()
    script = folder / "PythonSlicer"
    script.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nstatus=$?\n[ $status -le 128 ] || exit 1\nexit $status\n', encoding="utf-8")
    script.chmod(0o755)
    os.environ["PATH"] = os.pathsep.join([str(folder), os.environ.get("PATH", "")])


def _fill_main(slicer: Any) -> None:
    """Add the names of the application's console to ``__main__``; older modules import them from there."""
    import ctk
    import qt
    import vtk

    for name, module in (("slicer", slicer), ("qt", qt), ("ctk", ctk), ("vtk", vtk)):
        vars(sys.modules["__main__"]).setdefault(name, module)


def _copy_public(name: str, slicer: Any) -> None:
    """Import submodules as the application does, so that ``slicer.ScriptedLoadableModule`` exists without an import."""
    import importlib

    for module in (name, "i18n", "testing", "packaging", "logic", "cli"):
        if (_BUNDLED / "slicer" / f"{module}.py").is_file():
            importlib.import_module(f"slicer.{module}")


def _stop(temporary: str) -> None:
    """Destroy the application's parts in an order that is safe for VTK and Qt."""
    global _host
    if _host is None:
        return
    host, _host = _host, None
    try:
        host.loader.unload_scripted()
        # Views first: they print an error for each node that is removed before them.
        host.app._drop_window()
        host.app._drop_views()
        host.scene.Clear(0)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
