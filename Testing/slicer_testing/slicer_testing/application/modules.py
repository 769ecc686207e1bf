"""Modules of the application: core modules, which have only a logic here, and scripted modules, which are loaded from their files."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import QObject, Signal

from slicer_testing.application import command_line_modules, core_modules
from slicer_testing.registry import stands_for, widget


class Modules:
    """``slicer.modules``: one attribute for each module, in lower case; scripts may add their own."""

    def __init__(self) -> None:
        self._folders: list[Path] = []

    def __getattr__(self, name: str) -> Any:
        # The application finds the command-line modules of its search paths when it starts.
        found = None if name.startswith("_") else command_line_modules.find(name, self._folders)
        if found is None:
            raise core_modules.missing(name) or AttributeError(f"'Modules' object has no attribute '{name}'")
        setattr(self, name, found)
        return found


class CoreModule:
    """A module of the application of which the host has the logic and no panel."""

    def __init__(self, name: str, logic: Any) -> None:
        self.name = self.title = name
        self.path = ""
        self._logic = logic

    def logic(self) -> Any:
        return self._logic

    def widgetRepresentation(self) -> Any:
        raise NotImplementedError(f"the panel of module {self.name} is not implemented by slicer_testing")

    createNewWidgetRepresentation = widgetRepresentation


class qSlicerScriptedLoadableModule:
    """The object that a scripted module's class gets as its parent."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = self.title = name
        self.path = str(path)
        self.categories: list[str] = []
        self.dependencies: list[str] = []
        self.contributors: list[str] = []
        self.associatedNodeTypes: list[str] = []
        self.extensions: list[str] = []
        self.helpText = self.acknowledgementText = self.defaultDocumentationLink = ""
        self.hidden = False
        self.index = -1
        self.isBuiltIn = False
        self.widgetRepresentationCreationEnabled = True
        self.icon = self.logo = None
        self.instance: Any = None
        self._widget: Any = None
        self._logic = None

    def logic(self) -> Any:
        """Return the C++ logic that each scripted module has."""
        if self._logic is None:
            self._logic = slicer.vtkSlicerScriptedLoadableModuleLogic()
            self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
            self._logic.SetMRMLScene(slicer.mrmlScene)
        return self._logic

    def widgetRepresentation(self) -> Any:
        """Return the module's panel, made at the first call."""
        if self._widget is None:
            self._widget = self.createNewWidgetRepresentation()
        return self._widget

    def createNewWidgetRepresentation(self) -> Any:
        made = widget("qSlicerScriptedLoadableModuleWidget")(self)
        made.setMRMLScene(slicer.mrmlScene)
        if self._widget is None:
            self._widget = made
        made._make()
        return made

    def leave(self) -> None:
        """Leave the panel, if it is the one that is shown."""
        if self._widget is not None:
            self._widget._leave()

    def close(self) -> None:
        """Destroy the panel. Its Python widget cleans up when the module manager announces that the module is unloaded."""
        panel, self._widget = self._widget, None
        if panel is not None:
            panel._close()


@stands_for("qSlicerModuleFactoryManager")
class qSlicerModuleFactoryManager(QObject):
    """The loaded modules, by name."""

    modulesLoaded = Signal(list)
    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self, loader: ModuleLoader) -> None:
        super().__init__()
        self._loader = loader

    def loadedModuleNames(self) -> list[str]:
        return sorted(self._loader.loaded)

    def isLoaded(self, name: str) -> bool:
        return name in self._loader.loaded

    def loadedModule(self, name: str) -> Any:
        return self._loader.loaded.get(name)

    def loadModules(self, names: list[str]) -> bool:
        for name in names:
            self._loader.load(name)
        return True


class qSlicerModuleManager(QObject):
    """``slicer.app.moduleManager()``."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self, loader: ModuleLoader) -> None:
        super().__init__()
        self._loader = loader
        self._factory = qSlicerModuleFactoryManager(loader)

    def module(self, name: str) -> Any:
        return self._loader.loaded.get(name)

    def modulesNames(self) -> list[str]:
        return sorted(self._loader.loaded)

    def factoryManager(self) -> qSlicerModuleFactoryManager:
        return self._factory


def _import(name: str, path: Path) -> Any:
    """Read a script and return it as a module of that name."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


class ModuleLoader:
    """Finds, loads and unloads scripted modules.

    Args:
        modules: ``slicer.modules``.
    """

    def __init__(self, modules: Modules) -> None:
        self.modules = modules
        # The same list object, so that command-line modules are found in the same folders.
        self.paths = modules._folders
        self.loaded: dict[str, Any] = {}
        self.manager: qSlicerModuleManager | None = None
        # Called after each load; the application then calls the functions that are connected to the end of its start.
        self.on_loaded: Callable[[], None] | None = None

    def add_core(self, name: str, logic: Any) -> None:
        module = CoreModule(name, logic)
        self.loaded[name] = module
        setattr(self.modules, name.lower(), module)

    def add_path(self, path: str | Path) -> None:
        """Add a folder with scripted modules, or with folders that hold one module each."""
        folder = Path(path).resolve()
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no folder {path}")
        if folder not in self.paths:
            self.paths.append(folder)

    def find(self, name: str) -> Path:
        """Return the script of a module.

        Raises:
            FileNotFoundError: if no search path has it.
        """
        for folder in self.paths:
            for candidate in (folder / f"{name}.py", folder / name / f"{name}.py"):
                if candidate.is_file():
                    return candidate
        places = ", ".join(map(str, self.paths)) or "no folder was given"
        raise FileNotFoundError(f"there is no module {name}; search paths: {places}")

    def available(self) -> list[str]:
        """Return the names of all scripted modules in the search paths."""
        found = set()
        for folder in self.paths:
            for script in (*folder.glob("*.py"), *(child / f"{child.name}.py" for child in folder.iterdir() if child.is_dir())):
                if script.is_file() and f"class {script.stem}(ScriptedLoadableModule" in script.read_text(
                    encoding="utf-8", errors="replace"
                ):
                    found.add(script.stem)
        return sorted(found)

    def load(self, name_or_path: str | Path) -> qSlicerScriptedLoadableModule:
        """Load a scripted module and its dependencies and return it; a module that is loaded already is returned as it is."""
        path = Path(name_or_path)
        if path.suffix == ".py":
            path = path.resolve()
            name = path.stem
        else:
            name = str(name_or_path)
            if name in self.loaded:
                return self.loaded[name]
            path = self.find(name)
        if name in self.loaded:
            return self.loaded[name]
        folder = str(path.parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        script = _import(name, path)
        module = qSlicerScriptedLoadableModule(name, path)
        cls = getattr(script, name, None)
        if cls is None:
            raise AttributeError(f"{path} has no class {name}")
        module.instance = cls(module)
        for dependency in module.dependencies:
            if dependency not in self.loaded:
                try:
                    self.load(dependency)
                except FileNotFoundError as error:
                    raise FileNotFoundError(f"module {name} depends on {dependency}: {error}") from None
        if hasattr(module.instance, "setup"):
            module.instance.setup()
        self.loaded[name] = module
        setattr(self.modules, name.lower(), module)
        setattr(self.modules, f"{name}Instance", module.instance)
        if self.manager is not None:
            self.manager.moduleLoaded.emit(name)
            self.manager.factoryManager().moduleLoaded.emit(name)
        if self.on_loaded is not None:
            self.on_loaded()
        return module

    def unload(self, name: str) -> None:
        """Destroy a scripted module's panel and remove the module."""
        module = self.loaded.get(name)
        if not isinstance(module, qSlicerScriptedLoadableModule):
            return
        module.leave()
        if self.manager is not None:
            self.manager.moduleAboutToBeUnloaded.emit(name)
            self.manager.factoryManager().moduleAboutToBeUnloaded.emit(name)
        module.close()
        self.loaded.pop(name)
        for attribute in (name.lower(), f"{name}Instance", f"{name}Widget"):
            if hasattr(self.modules, attribute):
                delattr(self.modules, attribute)
        sys.modules.pop(name, None)

    def unload_scripted(self) -> None:
        for name in [name for name, module in self.loaded.items() if isinstance(module, qSlicerScriptedLoadableModule)]:
            self.unload(name)
