"""``slicer.app``: Qt's application with the members that Slicer's application adds."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QProcessEnvironment, QSettings, Signal
from PySide6.QtWidgets import QApplication

from slicer_testing.application.files import qSlicerIOManager
from slicer_testing.application.modules import ModuleLoader, qSlicerModuleManager
from slicer_testing.application.scene import Core
from slicer_testing.pythonqt.connections import forget
from slicer_testing.registry import stands_for, widget

VERSION = (5, 13, 0)


@stands_for("qSlicerCommandOptions")
class CommandOptions:
    """Options that the application was started with; only ``runPythonAndExit`` can be set, as in the application."""

    noSplash = pythonDisabled = settingsEnabled = False
    disableSettings = True
    pythonScript = pythonCode = ""
    additionalModulePaths = modulesToIgnore = ()

    def __init__(self) -> None:
        self._testing = True
        self._no_main_window = False
        self.runPythonAndExit = False

    @property
    def testingEnabled(self) -> bool:
        return self._testing

    @property
    def noMainWindow(self) -> bool:
        return self._no_main_window

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name != "runPythonAndExit":
            raise AttributeError(f"Property '{name}' of qSlicerCommandOptions object is not writable")
        super().__setattr__(name, value)


@stands_for("qSlicerExtensionsManagerModel")
class ExtensionsModel:
    """The installed extensions: none, unless a test adds names to ``installed``."""

    def __init__(self) -> None:
        self.installed: set[str] = set()

    def isExtensionInstalled(self, name: str) -> bool:
        return name in self.installed

    def installedExtensions(self) -> list[str]:
        return sorted(self.installed)


@stands_for("qSlicerApplication")
class qSlicerApplication(QApplication):
    """The application."""

    startupCompleted = Signal()
    mrmlSceneChanged = Signal(object)
    renderPaused = Signal(bool)

    def __init__(self, arguments: list[str], core: Core, loader: ModuleLoader, temporary: str) -> None:
        super().__init__(arguments)
        self.setApplicationName("Slicer")
        self.setOrganizationName("slicer_testing")
        self.setApplicationVersion(".".join(map(str, VERSION)))
        self.setQuitOnLastWindowClosed(False)
        self._core, self._loader, self._temporary = core, loader, temporary
        self._io = qSlicerIOManager(self)
        self._manager = qSlicerModuleManager(loader)
        loader.manager = self._manager
        self._options = CommandOptions()
        self._extensions = ExtensionsModel()
        self._layout_manager: Any = None
        self._window: Any = None
        # Makes the main window; set by the host, since the window needs the host.
        self._make_window: Any = None
        self._environment = QProcessEnvironment.systemEnvironment()
        self._paused = 0
        self._started = False
        loader.on_loaded = self._complete_later_startup

    # ------------------------------------------------------------------ pieces

    @property
    def logics(self) -> dict[str, Any]:
        return self._core.logics

    def applicationLogic(self) -> Any:
        return self._core.logic

    def mrmlScene(self) -> Any:
        return self._core.scene

    def coreIOManager(self) -> qSlicerIOManager:
        return self._io

    def ioManager(self) -> qSlicerIOManager:
        return self._io

    def moduleManager(self) -> qSlicerModuleManager:
        return self._manager

    def moduleLogic(self, name: str) -> Any:
        return self._core.logics.get(name)

    def layoutManager(self) -> Any:
        """Return the layout manager; None without a main window. It makes its views at the first call, since most tests need none."""
        if self._options.noMainWindow:
            return None
        if self._layout_manager is None:
            self._layout_manager = widget("qSlicerLayoutManager")(self._core.logic)
            self._layout_manager.setMRMLScene(self._core.scene)
            if self._paused:
                self._layout_manager.pauseRender()
        return self._layout_manager

    def setLayoutManager(self, manager: Any) -> None:
        self._layout_manager = manager

    def _drop_views(self) -> None:
        """Return to the state before the first call of ``layoutManager``."""
        manager, self._layout_manager = self._layout_manager, None
        if manager is None:
            return
        manager.setMRMLScene(None)
        self._core.logic.SetSliceLogics(None)
        self._core.logic.SetViewLogics(None)
        viewport = manager.viewport()
        manager.deleteLater()
        if viewport is not None and viewport.parentWidget() is None:
            viewport.deleteLater()

    def commandOptions(self) -> CommandOptions:
        return self._options

    def extensionsManagerModel(self) -> ExtensionsModel:
        return self._extensions

    def settings(self) -> QSettings:
        return widget("ctkSettings")()

    def userSettings(self) -> QSettings:
        return widget("ctkSettings")()

    def revisionUserSettings(self) -> QSettings:
        return widget("ctkSettings")()

    def startupEnvironment(self) -> QProcessEnvironment:
        return self._environment

    def environment(self) -> QProcessEnvironment:
        return QProcessEnvironment.systemEnvironment()

    def setEnvironmentVariable(self, name: str, value: str) -> None:
        os.environ[name] = value

    def pythonConsole(self) -> None:
        """Return None: the host has no Python console."""
        return None

    def topLevelWidgets(self) -> list[Any]:
        """Return all windows, the main window included: ``slicer.util`` finds it in this list."""
        self._main_window()
        return QApplication.topLevelWidgets()

    def _main_window(self) -> Any:
        if self._window is None and self._make_window is not None and not self._options.noMainWindow:
            self._window = self._make_window()
        return self._window

    def _drop_window(self) -> None:
        window, self._window = self._window, None
        if window is not None:
            window.hide()
            window.setObjectName("")  # it may exist until the event loop runs, and must not be found
            window.deleteLater()

    # ------------------------------------------------------- names and versions

    def testingEnabled(self) -> bool:
        return self._options._testing

    def temporaryPath(self) -> str:
        return self._temporary

    def setTemporaryPath(self, path: str) -> None:
        self._temporary = path

    def cachePath(self) -> str:
        return self._temporary

    def slicerHome(self) -> str:
        return sys.prefix

    def startupWorkingPath(self) -> str:
        return os.getcwd()

    def majorVersion(self) -> int:
        return VERSION[0]

    def minorVersion(self) -> int:
        return VERSION[1]

    def mainApplicationName(self) -> str:
        return "Slicer"

    def mainApplicationDisplayName(self) -> str:
        return "3D Slicer"

    def mainApplicationMajorVersion(self) -> int:
        return VERSION[0]

    def mainApplicationMinorVersion(self) -> int:
        return VERSION[1]

    def revision(self) -> str:
        return "31053"

    repositoryRevision = mainApplicationRevision = revision

    def releaseType(self) -> str:
        return "Stable"

    def isInstalled(self) -> bool:
        return True

    def isCustomMainApplication(self) -> bool:
        return False

    def os(self) -> str:
        return {"Linux": "linux", "Darwin": "macosx", "Windows": "win"}.get(platform.system(), "linux")

    def arch(self) -> str:
        return "amd64"

    def platform(self) -> str:
        return f"{self.os()}-{self.arch()}"

    def launcherExecutableFilePath(self) -> str:
        return sys.executable

    def slicerUserSettingsFilePath(self) -> str:
        return QSettings().fileName()

    slicerRevisionUserSettingsFilePath = slicerUserSettingsFilePath

    def documentationBaseUrl(self) -> str:
        return "https://slicer.readthedocs.io/en/latest"

    def documentationVersion(self) -> str:
        return "latest"

    def documentationLanguage(self) -> str:
        return "en"

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"{self.documentationBaseUrl()}/user_guide/modules/{name.lower()}.html"

    def applicationLocaleName(self) -> str:
        return "en-US"

    # ------------------------------------------------------------------ events

    def pauseRender(self) -> None:
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        self.setRenderPaused(False)

    def setRenderPaused(self, pause: bool) -> None:
        before = self._paused > 0
        self._paused = max(0, self._paused + (1 if pause else -1))
        if (self._paused > 0) != before:
            if self._layout_manager is not None:
                self._layout_manager.setRenderPaused(self._paused > 0)
            self.renderPaused.emit(self._paused > 0)

    def confirmRestart(self, reason: str = "") -> None:
        from slicer_testing.pythonqt import dialogs

        if dialogs.message("question", "Restart", reason, dialogs.Button.Ok | dialogs.Button.Cancel) == dialogs.Button.Ok:
            self.restart()

    def restart(self) -> None:
        raise SystemExit(0)

    def _complete_startup(self) -> None:
        """Call the functions that are connected to the end of the start, each once.

        The application loads its modules before that. Here a module may be loaded later; its functions are called then.
        """
        self._started = True
        self.startupCompleted.emit()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # there may be no connection
            with contextlib.suppress(RuntimeError, TypeError):
                self.startupCompleted.disconnect()
        forget(self, "startupCompleted")

    def _complete_later_startup(self) -> None:
        if self._started:
            self._complete_startup()


def isolate_settings() -> str:
    """Make a configuration folder for this process, before Qt reads any settings, and return the temporary folder that holds it."""
    temporary = tempfile.mkdtemp(prefix="slicer_testing_")
    config = Path(temporary) / "config"
    config.mkdir()
    os.environ["XDG_CONFIG_HOME"] = str(config)
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(config))
    QCoreApplication.setOrganizationName("slicer_testing")
    return temporary
