"""Module DeepReg: computing, models, sample data and self-test; it contains the libraries of all DeepReg modules."""

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleLogic, ScriptedLoadableModuleWidget

from deepreg_slicer.module import ModuleTest, describe, forgetLibrary


class DeepReg(ScriptedLoadableModule):
    """Metadata of the module for the application."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        describe(self, _("DeepReg Setup"))
        self.parent.helpText = _(
            "Shows what the DeepReg registration modules compute with, installs PyTorch when asked, lists the models, makes sample data,"
            " and tests whether all works."
        )
        self.parent.acknowledgementText = _("DeepRegModules brings published methods of deformable registration into 3D Slicer.")
        slicer.app.connect("startupCompleted()", registerSampleData)
        slicer.app.connect("startupCompleted()", registerSideViews)


def registerSampleData():
    """Offer pairs in the module Sample Data."""
    from DeepRegLib.samples import register

    register()


def registerSideViews():
    """Make the layout side by side known, in which a scene may have been saved."""
    from deepreg_slicer.side_views import registerLayout

    registerLayout()


class DeepRegWidget(ScriptedLoadableModuleWidget):
    """The module's panel, as the application loads it."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.panel = None

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        from DeepRegLib.panel import SetupPanel

        from deepreg_slicer.keys import giveMnemonics
        from deepreg_slicer.sections import inOrder

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/DeepReg.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = DeepRegLogic()
        self.panel = SetupPanel(self.ui)
        giveMnemonics(inOrder(uiWidget))

    def onReload(self):
        forgetLibrary(self.moduleName)
        ScriptedLoadableModuleWidget.onReload(self)

    def enter(self):
        self.panel.enter()

    def cleanup(self):
        if self.panel is not None:
            self.panel.cleanup()
            self.panel = None


class DeepRegLogic(ScriptedLoadableModuleLogic):
    """The functions of the panel, for scripts."""

    def makePhantom(self, anatomy="abdomen", seed=0, modalityPair=None):
        """Make a synthetic pair and load it; the event loop runs meanwhile.

        :return: dictionary of nodes: fixed, moving, fixedLabels, movingLabels, fixedLandmarks, movingLandmarks.
        :raises RuntimeError: with a message and advice.
        """
        from DeepRegLib.samples import makePhantom

        return makePhantom(anatomy, seed, modalityPair)

    def selfTest(self, device="auto"):
        """Register a small synthetic pair and check the result.

        :return: (passed, one line with the result).
        """
        from deepreg_slicer.waiting import waitForJob, waitUntilFree
        from deepreg_slicer.worker_client import workerClient

        waitUntilFree()
        result = waitForJob(workerClient().submit("self-test", {"device": device}))
        return result["passed"], "; ".join(result["problems"]) or result["summary"]


class DeepRegTest(ModuleTest):
    """A short test for the application's Reload and Test."""

    def test_selfTest(self):
        """Check that registration works on this computer."""
        passed, line = DeepRegLogic().selfTest()
        assert passed, line
