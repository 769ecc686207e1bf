"""The modules ``qt`` and ``ctk``, and the Qt classes in ``slicer``, as in the application's Python."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from PySide6 import QtCore, QtGui, QtNetwork, QtPrintSupport, QtWidgets

from slicer_testing.registry import widget

QT_MODULES = (QtCore, QtGui, QtWidgets, QtNetwork, QtPrintSupport)
# Names that PySide6 adds to Qt and PythonQt does not have.
_PYSIDE_ONLY = {"Property", "SignalInstance", "ClassInfo", "QEnum", "QFlag", "MetaFunction", "MetaSignal"}


def qt_module() -> ModuleType:
    """Return a module with every class of Qt."""
    from slicer_testing.pythonqt.ui_loader import QUiLoader

    module = ModuleType("qt", "Qt with the names of the application's Python.")
    for source in QT_MODULES:
        # PySide6 makes its classes at their first use, so the module's dictionary does not contain all of them.
        for name in dir(source):
            if not name.startswith("_") and name not in _PYSIDE_ONLY:
                setattr(module, name, getattr(source, name))
    module.QUiLoader = QUiLoader
    for name in ("QDialog", "QMenu", "QApplication", "QCoreApplication", "QEventLoop", "QDrag", "QThread"):
        cls = getattr(module, name)
        if not hasattr(cls, "exec_"):
            cls.exec_ = cls.exec

    def missing(name: str) -> Any:
        raise AttributeError(f"module 'qt' has no attribute '{name}'")

    module.__getattr__ = missing
    return module


def ctk_module() -> ModuleType:
    """Return a module with CTK's widgets, which are made on demand."""
    module = ModuleType("ctk", "CTK with the names of the application's Python.")

    def find(name: str) -> Any:
        if not name.startswith("ctk"):
            raise AttributeError(f"module 'ctk' has no attribute '{name}'")
        value = widget(name)
        setattr(module, name, value)
        return value

    module.__getattr__ = find
    return module


def install(slicer: ModuleType) -> None:
    """Make ``qt`` and ``ctk`` importable and add the Qt classes of ``slicer``."""
    if "qt" not in sys.modules:
        sys.modules["qt"] = qt_module()
    if "ctk" not in sys.modules:
        sys.modules["ctk"] = ctk_module()

    def find(name: str) -> Any:
        if not name.startswith(("qMRML", "qSlicer", "qvtk")):
            raise AttributeError(f"module 'slicer' has no attribute '{name}'")
        value = widget(name)
        setattr(slicer, name, value)
        return value

    slicer.__getattr__ = find
