"""Module DeepRegDescent: deformable registration of images of different contrast, by regularised descent on learned features."""

import importlib.util
import os
import sys

from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

# Installed modules lie in one folder; in a developer's layout each has its own, whichever of them is loaded first.
if importlib.util.find_spec("deepreg_slicer") is None:
    sys.path.append(os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "DeepReg")))

from deepreg_slicer.module import MethodWidget, ModuleTest, PanelLogic, describe


class DeepRegDescent(ScriptedLoadableModule):
    """Metadata of the module for the application."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        describe(self, _("Descent Registration"))
        self.parent.helpText = _(
            "Registers two volumes of different contrast, such as MR and CT: a network's features, which are similar where the anatomy is,"
            " are brought onto each other in small steps that are kept smooth. Features, iterations and energy can be shown."
        )
        self.parent.acknowledgementText = _(
            "After M. Blendowski and M. P. Heinrich, Learning interpretable multi-modal features for alignment with supervised iterative"
            " descent, MIDL 2019; and M. Blendowski, L. Hansen and M. P. Heinrich, Weakly-supervised learning of multi-modal features for"
            " regularised iterative descent in 3D image registration, Medical Image Analysis 2021."
        )


class DeepRegDescentWidget(MethodWidget):
    """The module's panel, as the application loads it."""

    method = "descent"

    def makePanel(self):
        from DeepRegDescentLib.panel import DescentPanel

        return DescentPanel(self.ui, DeepRegDescentLogic(), self.moduleName)


class DeepRegDescentLogic(PanelLogic):
    """Registration without a panel, for scripts::

    result = DeepRegDescentLogic().register(fixedVolume, movingVolume, preset="mr-ct", outputs=("transform", "volume", "features"))
    result.nodes["transform"], result.nodes["warpedFeatures"], result.summary
    """

    def wrap(self, node):
        from DeepRegDescentLib.parameters import DescentParameterNode

        return DescentParameterNode(node)

    def register(
        self,
        fixedVolume,
        movingVolume,
        preset="auto",
        parameters=None,
        outputs=("transform", "volume"),
        device="auto",
        keptIterations=20,
        **more,
    ):
        """Register two volumes and wait for the result; the event loop runs meanwhile.

        :param preset: name of a preset; "auto" chooses it by what the images show.
        :param parameters: dictionary of parameters that differ from the preset.
        :param outputs: which results to make: transform, volume, inverse, labels, jacobian, magnitude, features, iterations,
            energy. In the result's
            nodes, features are fixedFeatures, movingFeatures and warpedFeatures; iterations come with browser, iterationTransform and
            moved; energy (a table) comes with chart.
        :param device: where to compute: "auto", "cpu", "cuda", "mps".
        :param keptIterations: approximate number of iterations that are kept.
        :param more: further inputs, see ``deepreg_slicer.request.Inputs``.
        :return: ``deepreg_slicer.request.Result``.
        :raises RuntimeError: with a message and advice.
        """
        from DeepRegDescentLib.scripting import register

        nodes = {"fixed": fixedVolume, "moving": movingVolume, **more}
        return register(nodes, preset, parameters or {}, outputs, device, keptIterations)


class DeepRegDescentTest(ModuleTest):
    """A short test for the application's Reload and Test."""

    def test_registersShiftedBlobs(self):
        """Check that a volume that was shifted by 6 mm is aligned."""
        self.checkShift(DeepRegDescentLogic(), features="mind")
