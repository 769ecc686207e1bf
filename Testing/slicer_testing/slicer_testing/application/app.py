"""``slicer.app``: Qt's application with what Slicer's adds to it."""

from __future__ import annotations

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
from slicer_testing.registry import stands_for

VERSION = (5, 13, 0)


@stands_for("qSlicerCommandOptions")
class CommandOptions:
    """Options that the application was started with."""

    testingEnabled = True  # noqa: N815
    runPythonAndExit = noMainWindow = noSplash = pythonDisabled = False  # noqa: N815
    disableSettings = True  # noqa: N815
    settingsEnabled = False  # noqa: N815
    pythonScript = pythonCode = ""  # noqa: N815
    additionalModulePaths = modulesToIgnore = ()  # noqa: N815


@stands_for("qSlicerExtensionsManagerModel")
class ExtensionsModel:
    """No extension is installed from a catalogue here; tests may say that one is."""

    def __init__(self) -> None:
        self.installed: set[str] = set()

    def isExtensionInstalled(self, name: str) -> bool:  # noqa: N802
        return name in self.installed

    def installedExtensions(self) -> list[str]:  # noqa: N802
        return sorted(self.installed)


@stands_for("qSlicerApplication")
class qSlicerApplication(QApplication):  # noqa: N801
    """The application."""

    startupCompleted = Signal()  # noqa: N815
    mrmlSceneChanged = Signal(object)  # noqa: N815
    renderPaused = Signal(bool)  # noqa: N815

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
        # Makes the main window; set by the host, which the window needs.
        self._make_window: Any = None
        self._environment = QProcessEnvironment.systemEnvironment()
        self._paused = 0
        self._started = False
        loader.on_loaded = self._complete_later_startup

    # ------------------------------------------------------------------ pieces

    @property
    def logics(self) -> dict[str, Any]:
        return self._core.logics

    def applicationLogic(self) -> Any:  # noqa: N802
        return self._core.logic

    def mrmlScene(self) -> Any:  # noqa: N802
        return self._core.scene

    def coreIOManager(self) -> qSlicerIOManager:  # noqa: N802
        return self._io

    def ioManager(self) -> qSlicerIOManager:  # noqa: N802
        return self._io

    def moduleManager(self) -> qSlicerModuleManager:  # noqa: N802
        return self._manager

    def moduleLogic(self, name: str) -> Any:  # noqa: N802
        return self._core.logics.get(name)

    def layoutManager(self) -> Any:  # noqa: N802
        """Views are made at the first call: most tests of logic need none."""
        if self._layout_manager is None:
            from slicer_testing.registry import widget

            self._layout_manager = widget("qSlicerLayoutManager")(self._core.logic)
            self._layout_manager.setMRMLScene(self._core.scene)
            if self._paused:
                self._layout_manager.pauseRender()
        return self._layout_manager

    def setLayoutManager(self, manager: Any) -> None:  # noqa: N802
        self._layout_manager = manager

    def _drop_views(self) -> None:
        """Back to the state before the first call of ``layoutManager``."""
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

    def commandOptions(self) -> CommandOptions:  # noqa: N802
        return self._options

    def extensionsManagerModel(self) -> ExtensionsModel:  # noqa: N802
        return self._extensions

    def settings(self) -> QSettings:
        return QSettings()

    def userSettings(self) -> QSettings:  # noqa: N802
        return QSettings()

    def revisionUserSettings(self) -> QSettings:  # noqa: N802
        return QSettings()

    def startupEnvironment(self) -> QProcessEnvironment:  # noqa: N802
        return self._environment

    def environment(self) -> QProcessEnvironment:
        return QProcessEnvironment.systemEnvironment()

    def setEnvironmentVariable(self, name: str, value: str) -> None:  # noqa: N802
        os.environ[name] = value

    def pythonConsole(self) -> None:  # noqa: N802
        """There is none."""
        return None

    def topLevelWidgets(self) -> list[Any]:  # noqa: N802
        """All windows, with the main window among them: it is by this list that ``slicer.util`` finds it."""
        self._main_window()
        return QApplication.topLevelWidgets()

    def _main_window(self) -> Any:
        if self._window is None and self._make_window is not None:
            self._window = self._make_window()
        return self._window

    def _drop_window(self) -> None:
        window, self._window = self._window, None
        if window is not None:
            window.hide()
            window.setObjectName("")  # it may live on until the event loop runs, and must not be found
            window.deleteLater()

    # ------------------------------------------------------------------- words

    def testingEnabled(self) -> bool:  # noqa: N802
        return self._options.testingEnabled

    def temporaryPath(self) -> str:  # noqa: N802
        return self._temporary

    def setTemporaryPath(self, path: str) -> None:  # noqa: N802
        self._temporary = path

    def cachePath(self) -> str:  # noqa: N802
        return self._temporary

    def slicerHome(self) -> str:  # noqa: N802
        return sys.prefix

    def startupWorkingPath(self) -> str:  # noqa: N802
        return os.getcwd()

    def majorVersion(self) -> int:  # noqa: N802
        return VERSION[0]

    def minorVersion(self) -> int:  # noqa: N802
        return VERSION[1]

    def mainApplicationName(self) -> str:  # noqa: N802
        return "Slicer"

    def mainApplicationDisplayName(self) -> str:  # noqa: N802
        return "3D Slicer"

    def mainApplicationMajorVersion(self) -> int:  # noqa: N802
        return VERSION[0]

    def mainApplicationMinorVersion(self) -> int:  # noqa: N802
        return VERSION[1]

    def revision(self) -> str:
        return "31053"

    repositoryRevision = mainApplicationRevision = revision

    def releaseType(self) -> str:  # noqa: N802
        return "Stable"

    def isInstalled(self) -> bool:  # noqa: N802
        return True

    def isCustomMainApplication(self) -> bool:  # noqa: N802
        return False

    def os(self) -> str:
        return {"Linux": "linux", "Darwin": "macosx", "Windows": "win"}.get(platform.system(), "linux")

    def arch(self) -> str:
        return "amd64"

    def platform(self) -> str:
        return f"{self.os()}-{self.arch()}"

    def launcherExecutableFilePath(self) -> str:  # noqa: N802
        return sys.executable

    def slicerUserSettingsFilePath(self) -> str:  # noqa: N802
        return QSettings().fileName()

    slicerRevisionUserSettingsFilePath = slicerUserSettingsFilePath

    def documentationBaseUrl(self) -> str:  # noqa: N802
        return "https://slicer.readthedocs.io/en/latest"

    def documentationVersion(self) -> str:  # noqa: N802
        return "latest"

    def documentationLanguage(self) -> str:  # noqa: N802
        return "en"

    def moduleDocumentationUrl(self, name: str) -> str:  # noqa: N802
        return f"{self.documentationBaseUrl()}/user_guide/modules/{name.lower()}.html"

    def applicationLocaleName(self) -> str:  # noqa: N802
        return "en-US"

    # ------------------------------------------------------------------ events

    def pauseRender(self) -> None:  # noqa: N802
        self.setRenderPaused(True)

    def resumeRender(self) -> None:  # noqa: N802
        self.setRenderPaused(False)

    def setRenderPaused(self, pause: bool) -> None:  # noqa: N802
        before = self._paused > 0
        self._paused = max(0, self._paused + (1 if pause else -1))
        if (self._paused > 0) != before:
            if self._layout_manager is not None:
                self._layout_manager.setRenderPaused(self._paused > 0)
            self.renderPaused.emit(self._paused > 0)

    def confirmRestart(self, reason: str = "") -> None:  # noqa: N802
        from slicer_testing.pythonqt import dialogs

        if dialogs.message("question", "Restart", reason, dialogs.Button.Ok | dialogs.Button.Cancel) == dialogs.Button.Ok:
            self.restart()

    def restart(self) -> None:
        raise SystemExit(0)

    def _complete_startup(self) -> None:
        """Tell those who wait for the end of the start, each once.

        The application loads its modules before that. Here a module may be loaded later, and what it connects is called then.
        """
        self._started = True
        self.startupCompleted.emit()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nobody may have been connected
            try:
                self.startupCompleted.disconnect()
            except (RuntimeError, TypeError):
                pass
        forget(self, "startupCompleted")

    def _complete_later_startup(self) -> None:
        if self._started:
            self._complete_startup()


def isolate_settings() -> str:
    """A configuration folder of this process's own, before Qt reads any; returns the temporary folder around it."""
    temporary = tempfile.mkdtemp(prefix="slicer_testing_")
    config = Path(temporary) / "config"
    config.mkdir()
    os.environ["XDG_CONFIG_HOME"] = str(config)
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(config))
    QCoreApplication.setOrganizationName("slicer_testing")
    return temporary
