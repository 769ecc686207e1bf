"""Module DeepRegDense: deformable registration with large displacements, by discrete search and refinement."""

import importlib.util
import os
import sys

from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

# Installed modules lie in one folder; in a developer's layout each has its own, whichever of them is loaded first.
if importlib.util.find_spec("deepreg_slicer") is None:
    sys.path.append(os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "DeepReg")))

from deepreg_slicer.module import MethodWidget, ModuleTest, PanelLogic, describe


class DeepRegDense(ScriptedLoadableModule):
    """Metadata of the module for the application."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        describe(self, _("Dense Registration"))
        self.parent.helpText = _(
            "Registers two volumes that may differ by several centimetres: features (MIND, or a network's) are compared at control points"
            " for all displacements within reach, the smooth field that fits best is found by discrete optimisation and then refined."
        )
        self.parent.acknowledgementText = _(
            "After M. P. Heinrich, Closing the Gap between Deep and Conventional Image Registration using Probabilistic Dense"
            " Displacement Networks, MICCAI 2019."
        )


class DeepRegDenseWidget(MethodWidget):
    """The module's panel, as the application loads it."""

    method = "dense"

    def makePanel(self):
        from DeepRegDenseLib.panel import DensePanel

        return DensePanel(self.ui, DeepRegDenseLogic(), self.moduleName)


class DeepRegDenseLogic(PanelLogic):
    """Registration without a panel, for scripts::

    result = DeepRegDenseLogic().register(fixedVolume, movingVolume, preset="abdomen-ct")
    result.nodes["transform"], result.nodes["volume"], result.summary
    """

    def wrap(self, node):
        from DeepRegDenseLib.parameters import DenseParameterNode

        return DenseParameterNode(node)

    def register(self, fixedVolume, movingVolume, preset="auto", parameters=None, outputs=("transform", "volume"), device="auto", **more):
        """Register two volumes and wait for the result; the event loop runs meanwhile.

        :param preset: name of a preset; "auto" chooses it by what the images show.
        :param parameters: dictionary of parameters that differ from the preset.
        :param outputs: which results to make: transform, volume, inverse, labels, jacobian, magnitude, uncertainty,
            expectedError.
        :param device: where to compute: "auto", "cpu", "cuda", "mps".
        :param more: further inputs, see ``deepreg_slicer.request.Inputs``.
        :return: ``deepreg_slicer.request.Result``.
        :raises RuntimeError: with a message and advice.
        """
        from DeepRegDenseLib.scripting import register

        return register({"fixed": fixedVolume, "moving": movingVolume, **more}, preset, parameters or {}, outputs, device)


class DeepRegDenseTest(ModuleTest):
    """A short test for the application's Reload and Test."""

    def test_registersShiftedBlobs(self):
        """Check that a volume that was shifted by 6 mm is aligned."""
        self.checkShift(DeepRegDenseLogic())
