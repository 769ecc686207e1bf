"""Base classes of the module files: the metadata, the panel's widget, and the logic with its parameter sets."""

from __future__ import annotations

import sys
import unittest
from typing import Any

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from deepreg_slicer.keys import giveMnemonics, makeShortcuts
from deepreg_slicer.sections import inOrder, loadPanel, orderTabs
from deepreg_slicer.torch_state import missingPackages
from deepreg_slicer.wheel_guard import WheelGuard


def describe(module: ScriptedLoadableModule, title: str) -> None:
    """Give a module its title, and the common metadata of this extension."""
    parent = module.parent
    parent.title = title
    # The category is one of the application's own, which translates it.
    parent.categories = [f"{translate('qSlicerAbstractCoreModule', 'Registration')}.DeepReg"]
    parent.dependencies = ["DeepReg"] if module.moduleName != "DeepReg" else []
    parent.contributors = ["The DeepRegModules team"]


def forgetLibrary(moduleName: str) -> None:
    """Let the next import read the files of a module's own library again; the application's Reload reads only the module file."""
    for name in [name for name in sys.modules if name.partition(".")[0] == f"{moduleName}Lib"]:
        del sys.modules[name]


class PanelWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Widget of a module, which the application creates. A derived class makes the panel.

    The panel has ``initialize``, ``setParameterNode``, ``onImported`` and ``cleanup``; if it has ``onNodeRemoved``, ``onUndone`` or
    ``rest``, these are called when a node leaves the scene, after undo and redo, and when the module is left. ``keys`` returns what its
    keys do, ``firstWidget`` the widget that gets the focus when the module is entered.
    """

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.ui: Any = None
        self.logic: Any = None
        self.panel: Any = None

    def makePanel(self) -> Any:
        """Return the panel for the widgets ``self.ui``; it has the module's logic as ``logic``."""
        raise NotImplementedError

    def addRows(self, uiWidget: Any) -> None:
        """Add widgets that are made in code."""

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = loadPanel(self.resourcePath(f"UI/{self.moduleName}.ui"), self.addRows)
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.panel = self.makePanel()
        self.logic = self.panel.logic
        self._wheelGuard = WheelGuard(uiWidget)  # addRows may change which widgets accept the focus
        orderTabs(uiWidget)
        giveMnemonics(inOrder(uiWidget))
        self._shortcuts = makeShortcuts(uiWidget, self.panel.keys()) if hasattr(self.panel, "keys") else []
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        for name in ("Undo", "Redo"):
            if hasattr(scene, f"Start{name}Event"):
                self.addObserver(scene, getattr(scene, f"Start{name}Event"), self.onSceneStartUndo)
                self.addObserver(scene, getattr(scene, f"End{name}Event"), self.onSceneEndUndo)
        if hasattr(self.panel, "onNodeRemoved"):
            self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)
        self.panel.initialize()

    def cleanup(self) -> None:
        self.removeObservers()
        if self.panel is not None:
            self.panel.cleanup()
            self.panel = None

    def onReload(self) -> None:
        forgetLibrary(self.moduleName)
        ScriptedLoadableModuleWidget.onReload(self)

    def enter(self) -> None:
        self.panel.initialize()
        if hasattr(self.panel, "firstWidget"):
            self.panel.firstWidget().setFocus()

    def exit(self) -> None:
        if hasattr(self.panel, "rest"):
            self.panel.rest()

    def onSceneStartClose(self, caller: Any, event: Any) -> None:
        self.panel.setParameterNode(None)

    def onSceneEndClose(self, caller: Any, event: Any) -> None:
        if self.parent.isEntered:
            self.panel.initialize()

    def onSceneEndImport(self, caller: Any, event: Any) -> None:
        from deepreg_slicer.result_view import drawLoadedGrids
        from deepreg_slicer.slice_views import redraw

        drawLoadedGrids()
        qt.QTimer.singleShot(0, redraw)  # views do not draw before the import has ended
        if self.parent.isEntered:
            self.panel.onImported()

    def onSceneStartUndo(self, caller: Any, event: Any) -> None:
        from deepreg_slicer.result_view import hideBeforeUndo

        hideBeforeUndo()

    def onSceneEndUndo(self, caller: Any, event: Any) -> None:
        if hasattr(self.panel, "onUndone"):
            self.panel.onUndone()

    def onNodeRemoved(self, caller: Any, event: Any) -> None:
        self.panel.onNodeRemoved()


class MethodWidget(PanelWidget):
    """The panel of a registration method, with a row for each of its inputs and outputs."""

    #: Name of the method.
    method = ""

    def addRows(self, uiWidget: Any) -> None:
        from deepreg_slicer.slot_rows import addRows

        addRows(uiWidget, self.method)


class PanelLogic(ScriptedLoadableModuleLogic):
    """The logic of a module with parameter sets, of which several can be in a scene. A derived class wraps them."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.isSingletonParameterNode = False

    def getParameterNode(self) -> Any:
        """Return the scene's first parameter set; one is made if there is none."""
        return self.wrap(super().getParameterNode())

    def wrap(self, node: Any) -> Any:
        """Return the parameter set of a scripted module node."""
        raise NotImplementedError


class ModuleTest(ScriptedLoadableModuleTest):
    """A short test for the application's Reload and Test: every method of a derived class whose name begins with ``test_``.

    It is skipped without PyTorch, if it computes.
    """

    #: Whether the test computes, and so needs PyTorch.
    computes = True

    def setUp(self) -> None:
        if self.computes and (missing := missingPackages()):
            self.skipTest(_("Missing: {names}. The modules open, but cannot compute.").format(names=", ".join(missing)))
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        for name in [name for name in dir(self) if name.startswith("test_")]:
            try:
                self.setUp()
            except unittest.SkipTest as skipped:
                self.delayDisplay(str(skipped))
                continue
            getattr(self, name)()

    def shiftedBlobs(self) -> list[Any]:
        """Return a fixed and a moving volume of blobs, one of which is shifted by 6 mm along the first axis."""
        z, y, x = np.meshgrid(*(np.arange(40.0),) * 3, indexing="ij")
        centres = np.random.default_rng(0).uniform(8, 32, size=(12, 3))
        volumes = []
        for shift in (0.0, 3.0):
            array = sum(np.exp(-((x - a - shift) ** 2 + (y - b) ** 2 + (z - c) ** 2) / 18.0) for a, b, c in centres)
            volumes.append(slicer.util.addVolumeFromArray((1000.0 * array).astype(np.int16), name=f"shift {shift}"))
            volumes[-1].SetSpacing(2.0, 2.0, 2.0)
        return volumes

    def checkShift(self, logic: Any, **parameters: Any) -> None:
        """Check that the logic of a method aligns volumes of blobs, one of which is shifted by 6 mm."""
        volumes = self.shiftedBlobs()
        result = logic.register(*volumes, preset="quick", parameters={"initial": "none", "working_spacing": 2.0, **parameters})
        mean = result.report["displacement"]["mean"]
        assert 4.5 < mean < 7.5, f"mean displacement {mean}"
