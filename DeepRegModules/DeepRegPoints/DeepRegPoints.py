"""Module DeepRegPoints: registration of clouds of points, or of two volumes by their keypoints."""

import importlib.util
import os
import sys

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

# Installed modules lie in one folder; in a developer's layout each has its own, whichever of them is loaded first.
if importlib.util.find_spec("deepreg_slicer") is None:
    sys.path.append(os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "DeepReg")))

from deepreg_slicer.module import MethodWidget, ModuleTest, PanelLogic, describe


class DeepRegPoints(ScriptedLoadableModule):
    """Metadata of the module for the application."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        describe(self, _("Point Registration"))
        self.parent.helpText = _(
            "Registers two sets of points, from markups, curves, models or segments, or two volumes by their keypoints. Which point belongs"
            " to which is found by graph features, belief propagation and coherent point drift; a smooth transform goes through all"
            " of them."
        )
        self.parent.acknowledgementText = _(
            "After L. Hansen, D. Dittmer and M. P. Heinrich, Learning Deformable Point Set Registration with Regularized Dynamic Graph"
            " CNNs for Large Lung Motion in COPD Patients, GLMI 2019; L. Hansen and M. P. Heinrich, Deep learning based geometric"
            " registration for medical images: how accurate can we get without visual features?, IPMI 2021; and A. Myronenko and X. Song,"
            " Point set registration: coherent point drift, TPAMI 2010."
        )


class DeepRegPointsWidget(MethodWidget):
    """The module's panel, as the application loads it."""

    method = "points"

    def addRows(self, uiWidget):
        super().addRows(uiWidget)
        from DeepRegPointsLib.rows import addMovedCloud

        addMovedCloud(uiWidget)

    def makePanel(self):
        from DeepRegPointsLib.panel import PointsPanel

        return PointsPanel(self.ui, DeepRegPointsLogic(), self.moduleName)


class DeepRegPointsLogic(PanelLogic):
    """Registration without a panel, for scripts::

    result = DeepRegPointsLogic().register(fixedPoints, movingPoints, preset="shape")
    result.nodes["transform"], result.nodes["correspondences"], result.summary
    """

    def wrap(self, node):
        from DeepRegPointsLib.parameters import PointsParameterNode

        return PointsParameterNode(node)

    def register(
        self,
        fixedPoints=None,
        movingPoints=None,
        fixed=None,
        moving=None,
        preset="auto",
        parameters=None,
        outputs=("transform", "volume", "correspondences"),
        **more,
    ):
        """Register two sets of points, or two volumes by their keypoints, and wait for the result; the event loop runs meanwhile.

        :param fixedPoints, movingPoints: markups, curves, models or segmentations; None takes keypoints of the volumes.
        :param fixed, moving: volumes: for keypoints, for the grid of the transform, and to be warped. Both or none.
        :param preset: name of a preset; "auto" chooses it by what the images show.
        :param parameters: dictionary of parameters that differ from the preset.
        :param outputs: which results to make: transform, volume, inverse, labels, jacobian, magnitude, expectedError, correspondences,
            fixedCloud, movingCloud, movedCloud.
        :param more: further inputs, see ``DeepRegPointsLib.registration.PointsInputs``; ``device``; ``most`` points of each set (3000);
            ``refine`` with the Dense method and ``refinePreset``.
        :return: ``deepreg_slicer.request.Result``.
        :raises RuntimeError: with a message and advice.
        """
        from DeepRegPointsLib.scripting import register

        nodes = {"fixedPoints": fixedPoints, "movingPoints": movingPoints, "fixed": fixed, "moving": moving}
        options = {name: more.pop(name) for name in ("device", "most", "refine", "refinePreset") if name in more}
        return register({**nodes, **more}, preset, parameters or {}, outputs, **{"most": 3000, **options})


class DeepRegPointsTest(ModuleTest):
    """A short test for the application's Reload and Test."""

    def test_registersMovedPoints(self):
        """Check that points that were rotated, moved and reordered are matched with their partners."""
        import numpy as np

        points = np.random.default_rng(0).uniform(-60, 60, size=(40, 3))
        turn = np.deg2rad(8.0)
        moved = points @ np.array([[np.cos(turn), -np.sin(turn), 0.0], [np.sin(turn), np.cos(turn), 0.0], [0.0, 0.0, 1.0]]).T + (
            9.0,
            -4.0,
            6.0,
        )
        nodes = []
        for name, positions in (("fixed", points), ("moving", moved[::-1])):
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
            slicer.util.updateMarkupsControlPointsFromArray(node, np.ascontiguousarray(positions))
            nodes.append(node)
        result = DeepRegPointsLogic().register(*nodes, preset="landmarks")
        lines = slicer.util.arrayFromModelPoints(result.nodes["correspondences"])
        error = np.linalg.norm(lines[1::2] - moved, axis=1).mean()
        assert error < 1.0, f"mean error {error:.2f} mm"
