"""The application's window: module selector and panel on the left, views on the right."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QComboBox, QDockWidget, QLabel, QMainWindow, QScrollArea, QToolBar, QVBoxLayout, QWidget

from slicer_testing.application.modules import qSlicerScriptedLoadableModule
from slicer_testing.pythonqt import dialogs
from slicer_testing.registry import slicer_widget

# Name in the menu, and name of the constant of vtkMRMLLayoutNode.
LAYOUTS = (
    ("Four-Up", "SlicerLayoutFourUpView"),
    ("Conventional", "SlicerLayoutConventionalView"),
    ("3D only", "SlicerLayoutOneUp3DView"),
    ("Red slice only", "SlicerLayoutOneUpRedSliceView"),
    ("Yellow slice only", "SlicerLayoutOneUpYellowSliceView"),
    ("Green slice only", "SlicerLayoutOneUpGreenSliceView"),
    ("Four-Up Table", "SlicerLayoutFourUpTableView"),
    ("Four-Up Plot", "SlicerLayoutFourUpPlotView"),
)


@slicer_widget
class qSlicerModuleSelectorToolBar(QToolBar):
    """Selects the module whose panel is shown."""

    moduleSelected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Module Selection", parent)
        self.setObjectName("ModuleSelectorToolBar")
        self.setMovable(False)
        self.addWidget(QLabel("Modules: "))
        self._box = QComboBox()
        self._box.setObjectName("ModulesComboBox")
        self._box.setMinimumContentsLength(22)
        self._box.setToolTip("Select the module whose panel is shown")
        self.addWidget(self._box)
        self._box.currentIndexChanged.connect(self._changed)

    def _offer(self, names_and_titles: list[tuple[str, str]]) -> None:
        selected = self.selectedModule()
        self._box.blockSignals(True)
        self._box.clear()
        for name, title in names_and_titles:
            self._box.addItem(title, name)
        self._box.setCurrentIndex(self._box.findData(selected))
        self._box.blockSignals(False)

    def _changed(self, index: int) -> None:
        if index >= 0:
            self.moduleSelected.emit(self._box.itemData(index))

    def selectedModule(self) -> str:
        return self._box.currentData() or ""

    def setSelectedModule(self, name: str) -> None:
        self.selectModule(name)

    def selectModule(self, name: str) -> None:
        """Show a module's panel; an unknown name has no effect, as in the application."""
        index = self._box.findData(name)
        if index >= 0:
            self._box.setCurrentIndex(index)


@slicer_widget
class qSlicerMainWindow(QMainWindow):
    """The main window of the application. Its views are made when it is first shown, since most tests need only its existence."""

    initialWindowShown = Signal()

    def __init__(self, host: Any) -> None:
        super().__init__()
        self._host = host
        self._entered: Any = None
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("slicer_testing")
        self._selector = qSlicerModuleSelectorToolBar(self)
        self.addToolBar(self._selector)
        self._panel = QDockWidget(self)
        self._panel.setObjectName("PanelDockWidget")
        self._panel.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetMovable)
        self._panel.setWindowTitle("Module")
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._scroll.setMinimumWidth(430)
        holder = QWidget()
        self._column = QVBoxLayout(holder)
        self._column.setContentsMargins(4, 4, 4, 4)
        self._column.addStretch(0)
        self._scroll.setWidget(holder)
        self._panel.setWidget(self._scroll)
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self._panel)
        views = QWidget()
        views.setObjectName("CentralWidgetLayoutFrame")
        views.setMinimumSize(320, 240)
        self._views = views
        self.setCentralWidget(views)
        self._has_views = False
        self._menus()
        self._selector.moduleSelected.connect(self._show_module)
        self.statusBar().showMessage("")
        self.resize(1320, 860)
        host.app.moduleManager().moduleLoaded.connect(self._offer_modules)
        host.app.moduleManager().moduleAboutToBeUnloaded.connect(self._forget_module)
        self._offer_modules()

    # ------------------------------------------------------------------- menus

    def _menus(self) -> None:
        files = self.menuBar().addMenu("&File")
        files.setObjectName("FileMenu")
        self._action(files, "Add Data...", "Ctrl+O", self.on_FileAddDataAction_triggered)
        self._action(files, "Save...", "Ctrl+S", self.on_FileSaveSceneAction_triggered).setObjectName("FileSaveSceneAction")
        self._action(files, "Close Scene", "Ctrl+W", self.on_FileCloseSceneAction_triggered)
        files.addSeparator()
        self._action(files, "Exit", "Ctrl+Q", self.on_FileExitAction_triggered)
        edit = self.menuBar().addMenu("&Edit")
        self._action(edit, "Undo", "Ctrl+Z", self.on_EditUndoAction_triggered)
        self._action(edit, "Redo", "Ctrl+Y", self.on_EditRedoAction_triggered)
        view = self.menuBar().addMenu("&View")
        group = QActionGroup(self)
        for title, constant in LAYOUTS:
            number = getattr(slicer.vtkMRMLLayoutNode, constant, None)
            if number is not None:
                action = self._action(view, title, "", lambda checked=False, layout=number: self.setLayout(layout))
                action.setCheckable(True)
                group.addAction(action)

    def _action(self, menu: Any, title: str, keys: str, function: Any) -> QAction:
        action = QAction(title, self)
        if keys:
            action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda checked=False: function())
        menu.addAction(action)
        return action

    def on_FileAddDataAction_triggered(self) -> None:
        slicer.app.ioManager().openAddDataDialog()

    def on_FileSaveSceneAction_triggered(self) -> None:
        slicer.app.ioManager().openSaveDataDialog()

    def on_FileCloseSceneAction_triggered(self) -> None:
        self._host.core.clear()

    def on_FileExitAction_triggered(self) -> None:
        self.close()

    def on_EditUndoAction_triggered(self) -> None:
        slicer.mrmlScene.Undo()

    def on_EditRedoAction_triggered(self) -> None:
        slicer.mrmlScene.Redo()

    # ----------------------------------------------------------------- modules

    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:
        return self._selector

    def setLayout(self, layout: int) -> None:
        """Set the layout of the views (a constant of vtkMRMLLayoutNode)."""
        self._host.app.layoutManager().setLayout(layout)

    def pythonConsole(self) -> None:
        """Return None: the host has no Python console."""
        return None

    def _load_modules(self) -> None:
        """Load every module of the search paths, as the application does at its start."""
        loader = self._host.loader
        for name in loader.available():
            if name not in loader.loaded:
                try:
                    loader.load(name)
                except Exception as error:  # a broken module must not close the window
                    dialogs.message("critical", f"{name} cannot be loaded", f"{type(error).__name__}: {error}", parent=self)

    def _offer_modules(self, *_: object) -> None:
        loaded = self._host.loader.loaded.values()
        scripted = [module for module in loaded if isinstance(module, qSlicerScriptedLoadableModule) and not module.hidden]
        self._selector._offer([(module.name, module.title) for module in sorted(scripted, key=lambda module: module.title.lower())])

    def _forget_module(self, name: str) -> None:
        if self._entered is not None and self._entered.moduleName() == name:
            self._entered = None  # the module destroys its panel

    def _show_module(self, name: str) -> None:
        module = self._host.loader.loaded.get(name)
        if not isinstance(module, qSlicerScriptedLoadableModule):
            return
        try:
            panel = module.widgetRepresentation()
        except Exception as error:  # as in the application, the panel stays blank; here it shows the reason
            dialogs.message("critical", f"The panel of {module.title} cannot be made", f"{type(error).__name__}: {error}", parent=self)
            raise
        if self._entered is not None and self._entered is not panel:
            self._entered.exit()
            self._column.removeWidget(self._entered)
            self._entered.setParent(None)  # the module keeps its panel
        if self._entered is not panel:
            self._column.insertWidget(0, panel, 1)
        panel.show()
        self._panel.setWindowTitle(module.title)
        if self._entered is not panel:
            panel.enter()
        self._entered = panel

    def showEvent(self, event: Any) -> None:
        if not self._has_views:
            self._has_views = True
            self._host.app.layoutManager().setViewport(self._views)
        super().showEvent(event)
        self.initialWindowShown.emit()

    def closeEvent(self, event: Any) -> None:
        if self._entered is not None:
            self._entered.exit()
            self._entered = None
        super().closeEvent(event)
        slicer.app.quit()


def make_window(host: Any) -> qSlicerMainWindow:
    """Return the window with every module of the search paths; it is not shown yet."""
    window = slicer.app._main_window()
    window._load_modules()
    slicer.app._complete_startup()
    return window
