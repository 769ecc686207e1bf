"""The panel of a scripted module."""

from __future__ import annotations

import sys
from typing import Any

import slicer
from PySide6.QtWidgets import QVBoxLayout

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.mrml_widget import qSlicerWidget


@slicer_widget
class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The panel of a scripted module, which contains the widget of its script."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self._module = module
        self._instance: Any = None
        self._entered = False
        QVBoxLayout(self)
        self.setObjectName(f"{module.name}ModuleWidget")

    def moduleName(self) -> str:
        return self._module.name

    def setModuleName(self, name: str) -> None:
        raise NotImplementedError("the module of a panel does not change")

    def self(self) -> Any:
        """Return the Python widget."""
        return self._instance

    def isEntered(self) -> bool:
        return self._entered

    def enter(self) -> None:
        self._entered = True
        if hasattr(self._instance, "enter"):
            self._instance.enter()

    def exit(self) -> None:
        self._entered = False
        if hasattr(self._instance, "exit"):
            self._instance.exit()

    def setEditedNode(self, node: Any, role: str = "", context: str = "") -> bool:
        edit = getattr(self._instance, "setEditedNode", None)
        return bool(edit(node, role, context)) if edit else False

    def nodeEditable(self, node: Any) -> float:
        grade = getattr(self._instance, "nodeEditable", None)
        return float(grade(node)) if grade else 0.0

    def reload(self) -> None:
        """Make a new Python widget of the reloaded class; slicer.util reads the script and cleans up before."""
        self._instance = None
        self._make()
        if self._entered:
            self.enter()

    def _make(self) -> None:
        name = self._module.name
        cls = getattr(sys.modules[name], f"{name}Widget", None)
        if cls is None:
            raise AttributeError(f"{self._module.path} has no class {name}Widget")
        self._instance = cls(self)
        setattr(slicer.modules, f"{name}Widget", self._instance)
        if hasattr(self._instance, "setup"):
            self._instance.setup()

    def _leave(self) -> None:
        """Leave the panel, as when the user selects another module."""
        if self._entered:
            self.exit()

    def _close(self) -> None:
        self._instance = None
        if getattr(getattr(slicer.modules, f"{self._module.name}Widget", None), "parent", None) is self:
            delattr(slicer.modules, f"{self._module.name}Widget")
        self.hide()
        self.deleteLater()
