"""Module DeepRegRegister, where users start: suggests how two volumes are registered, and applies the result to structures."""

import importlib.util
import os
import sys

from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

# Installed modules lie in one folder; in a developer's layout each has its own, whichever of them is loaded first.
if importlib.util.find_spec("deepreg_slicer") is None:
    sys.path.append(os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "DeepReg")))

# The task with points uses the module for points.
if importlib.util.find_spec("DeepRegPointsLib") is None:
    sys.path.append(os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "DeepRegPoints")))

from deepreg_slicer.module import ModuleTest, PanelLogic, PanelWidget, describe


class DeepRegRegister(ScriptedLoadableModule):
    """Metadata of the module for the application."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        describe(self, _("Register"))
        self.parent.index = 0  # first in its category; modules without a number follow in the order of their titles
        self.parent.helpText = _(
            "Registers two volumes: choose them and press Apply. The method and its parameters are suggested from what the volumes show."
            " The result can be applied to segmentations, doses, points and models of the moving volume, with the run or later."
        )
        self.parent.acknowledgementText = _("The methods and their papers are named in the modules Dense, Point and Descent Registration.")


class DeepRegRegisterWidget(PanelWidget):
    """The module's panel, as the application loads it."""

    def makePanel(self):
        from DeepRegRegisterLib.panel import RegisterPanel

        return RegisterPanel(self.ui, DeepRegRegisterLogic(), self.moduleName)


class DeepRegRegisterLogic(PanelLogic):
    """Registration without a panel, for scripts::

    result = DeepRegRegisterLogic().register(fixedVolume, movingVolume, bring=[segmentation, dose])
    result.nodes["transform"], result.nodes["volume"], result.brought, result.reason
    """

    def wrap(self, node):
        from DeepRegRegisterLib.parameters import RegisterParameterNode

        return RegisterParameterNode(node)

    def register(self, fixedVolume, movingVolume, task="", quality=0.5, bring=(), device="auto", **more):
        """Register two volumes, bring nodes along, and wait for both; the event loop runs meanwhile. All results are new nodes.

        :param task: "rigid", "similarity", "affine", "deformable" or "points"; "" chooses by what the volumes show.
        :param quality: from 0 (fast) to 1 (best).
        :param bring: nodes of the moving side: volumes, label maps, segmentations, point lists, curves, models.
        :param device: where to compute: "auto", "cpu", "cuda", "mps".
        :param more: further inputs: ``region`` (a region of interest, or a segmentation or label map, of the fixed side) and
            ``regionSegment``; ``fixedPoints`` and ``movingPoints`` of the task "points".
        :return: ``DeepRegRegisterLib.run.RegisterResult``: ``nodes``, ``report``, ``brought`` (moving node to new node), ``structures``
            (table node, None without segmentations), ``reason`` (of the choice of the method) and ``notes``.
        :raises RuntimeError: with a message and advice.
        """
        from DeepRegRegisterLib.scripting import register

        return register(fixedVolume, movingVolume, task, quality, bring, device, **more)

    def applyTo(self, transform, nodes, fixedVolume=None):
        """Apply a result to nodes of the moving side, and wait; the results are new nodes.

        :param transform: of a result.
        :param nodes: volumes, label maps, segmentations, point lists, curves, models.
        :param fixedVolume: on whose grid volumes and segmentations are warped; by default that of the result.
        :return: ``deepreg_slicer.bring_along.Brought``: ``nodes`` (moving node to new node), ``structures`` and ``notes``.
        :raises RuntimeError: with a message and advice.
        """
        from DeepRegRegisterLib.scripting import applyTo

        return applyTo(transform, nodes, fixedVolume)


class DeepRegRegisterTest(ModuleTest):
    """A short test for the application's Reload and Test."""

    def test_registersShiftedBlobs(self):
        """Check that a volume that was shifted by 6 mm is aligned."""
        result = DeepRegRegisterLogic().register(*self.shiftedBlobs(), quality=0.0)
        mean = result.report["displacement"]["mean"]
        assert 4.5 < mean < 7.5, f"mean displacement {mean}"
