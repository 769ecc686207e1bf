"""Module DeepRegDescent: deformable registration of images of different contrast, by regularised descent on learned features."""

import importlib.util
import os
import sys

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


def findLibraries():
    """Make the packages of the module DeepReg importable.

    Installed modules lie in one folder. In a developer's layout each has a folder of its own, and which of them Python knows already
    depends on the order in which they are loaded.
    """
    if importlib.util.find_spec("deepreg_slicer") is None:
        sys.path.append(os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "DeepReg")))


class DeepRegDescent(ScriptedLoadableModule):
    """What the application has to know of the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Descent Registration")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Registration.DeepReg")]
        self.parent.dependencies = ["DeepReg"]
        self.parent.contributors = ["The DeepRegModules team"]
        self.parent.helpText = _(
            "Registers two volumes of different contrast, such as MR and CT: a network's features, which look alike where the anatomy does,"
            " are brought onto each other in small steps that are kept smooth. Features, iterations and energy can be looked at."
        )
        self.parent.acknowledgementText = _(
            "After M. Blendowski, L. Hansen and M. P. Heinrich, Weakly-supervised learning of multi-modal features for regularised iterative"
            " descent in 3D image registration, Medical Image Analysis 2021."
        )


class DeepRegDescentWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel, as the application sees it."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        findLibraries()
        from DeepRegDescentLib.panel import DescentPanel

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/DeepRegDescent.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = DeepRegDescentLogic()
        self.panel = DescentPanel(self.ui, self.logic, self.moduleName)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.panel.initialize()

    def cleanup(self):
        self.removeObservers()
        if self.panel is not None:
            self.panel.cleanup()
            self.panel = None

    def enter(self):
        self.panel.initialize()

    def exit(self):
        pass

    def onSceneStartClose(self, caller, event):
        self.panel.setParameterNode(None)

    def onSceneEndClose(self, caller, event):
        if self.parent.isEntered:
            self.panel.initialize()

    def onSceneEndImport(self, caller, event):
        if self.parent.isEntered:
            self.panel.onImported()


class DeepRegDescentLogic(ScriptedLoadableModuleLogic):
    """Registration without a panel, for scripts::

    result = DeepRegDescentLogic().register(fixedVolume, movingVolume, preset="mr-ct", outputs=("transform", "volume", "features"))
    result.nodes["transform"], result.nodes["warpedFeatures"], result.summary
    """

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        # Several parameter sets can be in a scene.
        self.isSingletonParameterNode = False
        findLibraries()

    def getParameterNode(self):
        """The scene's first parameter set; one is made if there is none."""
        return self.wrap(super().getParameterNode())

    def wrap(self, node):
        """A parameter set of a scripted module node."""
        from DeepRegDescentLib.parameters import DescentParameterNode

        return DescentParameterNode(node)

    def register(self, fixedVolume, movingVolume, preset="mr-ct", parameters=None, outputs=("transform", "volume"), **more):
        """Register two volumes and wait for the result; the event loop runs meanwhile.

        :param preset: name of a preset.
        :param parameters: dictionary of parameters that differ from the preset.
        :param outputs: which results to make: transform, volume, inverse, labels, jacobian, features, iterations, energy. In the result's nodes,
            features are fixedFeatures, movingFeatures and warpedFeatures; iterations come with browser, iterationTransform and moved;
            energy (a table) comes with chart.
        :param more: further inputs, see ``deepreg_slicer.registration.Inputs``; ``device``; ``keptIterations``, about how many (20).
        :return: ``deepreg_slicer.registration.Result``.
        :raises RuntimeError: with a text that says what to do.
        """
        from DeepRegDescentLib.scripting import register

        return register(fixedVolume, movingVolume, preset, parameters or {}, outputs, **more)


class DeepRegDescentTest(ScriptedLoadableModuleTest):
    """A short test for the application's Reload and Test."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_registersShiftedBlobs()

    def test_registersShiftedBlobs(self):
        """A volume that was shifted by 6 mm is brought back."""
        import numpy as np

        z, y, x = np.meshgrid(*(np.arange(40.0),) * 3, indexing="ij")
        centres = np.random.default_rng(0).uniform(8, 32, size=(12, 3))
        volumes = []
        for shift in (0.0, 3.0):
            array = sum(np.exp(-((x - a - shift) ** 2 + (y - b) ** 2 + (z - c) ** 2) / 18.0) for a, b, c in centres)
            node = slicer.util.addVolumeFromArray((1000.0 * array).astype(np.int16), name=f"shift {shift}")
            node.SetSpacing(2.0, 2.0, 2.0)
            volumes.append(node)
        result = DeepRegDescentLogic().register(
            *volumes, preset="quick", parameters={"initial": "none", "features": "mind", "working_spacing": 2.0}
        )
        mean = result.report["displacement"]["mean"]
        self.assertTrue(4.5 < mean < 7.5, f"mean displacement {mean}")
