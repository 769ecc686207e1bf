"""Module DeepRegInspector, titled Review: inspection of the result of a registration by landmarks, deformation, overlap and consistency."""

import importlib.util
import os
import sys

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModule

# Installed modules lie in one folder; in a developer's layout each has its own, whichever of them is loaded first.
if importlib.util.find_spec("deepreg_slicer") is None:
    sys.path.append(os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "DeepReg")))

from deepreg_slicer.module import ModuleTest, PanelLogic, PanelWidget, describe


class DeepRegInspector(ScriptedLoadableModule):
    """Metadata of the module for the application."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        describe(self, _("Review"))
        self.parent.helpText = _(
            "Checks the result of a registration of any origin: errors of landmark pairs that are picked in the views, the deformation as"
            " grid, arrows, contours and Jacobian, the warped volume over the fixed one, overlap of structures, and inverse consistency;"
            " two transforms side by side; and a report of all measurements."
        )
        self.parent.acknowledgementText = _(
            "Partners of landmarks are found with the descriptor of M. P. Heinrich et al., Towards realtime multimodal fusion for"
            " image-guided interventions using self-similarities, MICCAI 2013."
        )
        slicer.app.connect("startupCompleted()", registerLayouts)


def registerLayouts():
    """Make the layout side by side known, so that scenes that were saved with it are shown in it before the panel is opened."""
    from DeepRegInspectorLib.views import registerLayouts

    registerLayouts()


class DeepRegInspectorWidget(PanelWidget):
    """The module's panel, as the application loads it."""

    def makePanel(self):
        from DeepRegInspectorLib.panel import InspectorPanel

        return InspectorPanel(self.ui, DeepRegInspectorLogic(), self.moduleName)

    def inspect(self, transform, **inputs):
        """Show a result; ``inputs`` as in ``DeepRegInspectorLib.parameters``. The methods' panels call it."""
        self.panel.inspect(transform, **inputs)


class DeepRegInspectorLogic(PanelLogic):
    """Measurements without a window, for scripts::

        logic = DeepRegInspectorLogic()
        logic.landmarkErrors(transform, fixedPoints, movingPoints)["after"]["mean"]
        logic.jacobian(transform, fixedVolume)["folded"]
        logic.compare({"dense": a, "points": b}, fixedVolume, fixedPoints=p, movingPoints=q)
        logic.writeReport("report.html", transform, fixedVolume, movingVolume, fixedPoints, movingPoints)

    A transform is a node that aligns the moving volume with the fixed one when it is applied to it. Positions are RAS mm in the world;
    parent transforms of all nodes are honoured.
    """

    def wrap(self, node):
        from DeepRegInspectorLib.parameters import InspectorParameterNode

        return InspectorParameterNode(node)

    def landmarkErrors(self, transform, fixedPoints, movingPoints, fixedVolume=None):
        """Return the errors of landmark pairs; the n-th fixed point corresponds to the n-th moving point.

        :param transform: a transform node; None is the identity.
        :param fixedPoints, movingPoints: point lists. Points that are not selected in the fixed list are excluded.
        :param fixedVolume: over which a transform is known that is neither linear nor a displacement grid; None is everywhere.
        :return: dictionary: ``before`` and ``after`` (count, mean, median, sd, percentile95, max, in mm), ``outlier_limit_mm``,
            ``outside_field`` (number of landmarks outside the transform's grid, which are excluded), ``proposed`` (number of partners
            that are proposed and not accepted, which are excluded), and ``each``: name, fixed, moving, before_mm, after_mm,
            error_before_mm and error_mm along R, A, S, used, outlier. Outside the grid after_mm and error_mm are None.
        :raises RuntimeError: with a message and advice.
        """
        from DeepRegInspectorLib.landmarks import landmarkErrors

        return landmarkErrors(transform, fixedPoints, movingPoints, fixedVolume)

    def proposeMatch(self, transform, fixedVolume, movingVolume, position, window=10.0):
        """Propose the partner of a point in the moving volume: predicted by the transform, refined by the image.

        :param position: of the point, RAS mm.
        :param window: radius of the search around the position that the transform gives, mm.
        :return: dictionary: ``position``, ``predicted`` by the transform alone (RAS mm), ``confidence`` from 0 to 1. Below a confidence of
            0.1 ``position`` is None: the image does not show the partner.
        """
        from DeepRegInspectorLib.matching import Matcher

        found = Matcher(fixedVolume, movingVolume, transform).propose(position, window)
        position = None if found.position is None else found.position.tolist()
        return {"position": position, "predicted": found.predicted.tolist(), "confidence": found.confidence}

    def probabilities(self, transform, fixedVolume, movingVolume, position, stage=""):
        """Return the probabilities of displacements around a result at a position, by its method; waits with the event loop running.

        :param position: of the place in the fixed volume, RAS mm.
        :param stage: "search 1", "search 2", ... or "fine"; "" is the last search of the run.
        :return: dictionary: ``likeliest`` and ``expected`` displacement from the result (RAS mm), ``deviation_mm``, ``bits``,
            ``most_bits``, ``peak``, ``at_result``, and ``stage`` with its steps.
        :raises RuntimeError: with a message and advice.
        """
        from DeepRegInspectorLib.explain_session import probabilitiesAt

        return probabilitiesAt(transform, fixedVolume, movingVolume, position, stage)

    def jacobian(self, transform, fixedVolume=None):
        """Return Jacobian determinant and length of the displacement, on the transform's own grid or on that of the fixed volume.

        :param fixedVolume: needed for a transform without a grid of its own.
        :return: dictionary: ``voxels``, ``folded``, ``folding_percent``, ``min_jacobian``, ``mean_jacobian``, ``max_jacobian``,
            ``displacement_mm`` (mean, percentile95, max), ``size``, ``spacing``, ``own_grid``, all of the whole transform; its
            ``linear_part`` (``source``, ``shift_mm``, ``rotation_degrees``, ...), and ``deformation`` beyond that (mean, percentile95, max,
            ``min_jacobian``, ``mean_jacobian``, ``max_jacobian``).
        """
        from DeepRegInspectorLib.fields import figuresOf

        return figuresOf(transform, fixedVolume)

    def overlap(self, transform, fixedLabels, movingLabels, fixedVolume=None):
        """Return Dice, 95 % Hausdorff distance and mean surface distance of structures, before and after.

        :param fixedLabels, movingLabels: segmentations, or label maps; segments with the same name correspond.
        :param fixedVolume: where a transform without a grid is sampled; without it the fixed label map is taken.
        :return: dictionary as in a registration's report: ``labels``, ``mean_before``, ``mean_after``; and ``notes``.
        """
        from DeepRegInspectorLib.overlap import OverlapTask

        return OverlapTask([transform], fixedLabels, movingLabels, fixedVolume).compute()[0]

    def inverseConsistency(self, transform, inverse, fixedVolume):
        """Return the distance of points of the fixed volume from themselves after the forward and the backward transform, in mm.

        :return: dictionary: points, outside, mean, median, percentile95, max.
        """
        from DeepRegInspectorLib.fields import inverseConsistency

        return inverseConsistency(transform, inverse, fixedVolume)

    def writeReport(self, path, transform, fixedVolume, movingVolume, fixedPoints=None, movingPoints=None, *, figures=True, **more):
        """Write the report: one self-contained HTML file that prints on two A4 pages::

            content = logic.writeReport("report.html", transform, fixed, moving, points, partners, limits={"tre_median": (1.0, 2.0)})
            print({entry["title"]: entry["rating"] for entry in content["ratings"]})

        :param path: of the page; an existing one is replaced only by a complete one.
        :param fixedPoints, movingPoints: point lists in pairs. Pairs whose fixed point is not selected are excluded.
        :param figures: whether to write NAME_figures.json and NAME_figures.csv beside it.
        :param fixedLabels, movingLabels: segmentations, or label maps.
        :param inverse: transform of the other direction, for inverse consistency.
        :param title: heading of the page.
        :param patientName: shown on the page. Without it no name is shown, and the patient's name in the scene is hidden wherever it
            occurs.
        :param position: of the slices, RAS mm; by default the tissue with the largest deformation.
        :param limits: dictionary of limits of the traffic lights, green and amber: of tre_median, tre_95, dice, folding, jacobian_min,
            jacobian_max, inverse_95.
        :return: the content of the JSON file: ``ratings``, ``figures``, ``inputs``, ``run``, ``views``, ``notes``.
        :raises RuntimeError: with a message and advice; then no file was written.
        """
        from DeepRegInspectorLib.report import ReportInputs, ReportTask

        return ReportTask(ReportInputs(transform, fixedVolume, movingVolume, fixedPoints, movingPoints, **more), path, figures).compute()

    def compare(self, transforms, fixedVolume=None, fixedPoints=None, movingPoints=None, fixedLabels=None, movingLabels=None):
        """Return the same figures for several transforms of one pair.

        :param transforms: dictionary of name and transform node.
        :return: dictionary of name and a dictionary with ``jacobian`` and, if there are inputs for them, ``landmarks`` and ``overlap``.
        """
        from DeepRegInspectorLib.landmarks import landmarkErrors
        from DeepRegInspectorLib.overlap import OverlapTask

        found = {name: {"jacobian": self.jacobian(transform, fixedVolume)} for name, transform in transforms.items()}
        if fixedPoints is not None and movingPoints is not None:
            for name, transform in transforms.items():
                found[name]["landmarks"] = landmarkErrors(transform, fixedPoints, movingPoints, fixedVolume, transforms.values())
        if fixedLabels is not None and movingLabels is not None:
            reports = OverlapTask(list(transforms.values()), fixedLabels, movingLabels, fixedVolume).compute()
            for name, report in zip(transforms, reports, strict=True):
                found[name]["overlap"] = report
        return found


class DeepRegInspectorTest(ModuleTest):
    """A short test for the application's Reload and Test."""

    computes = False

    def test_measuresATranslation(self):
        """Check that a translation has Jacobian 1 and takes landmarks onto their partners."""
        import numpy as np
        import vtk

        shift = np.array([5.0, -3.0, 2.0])
        volume = slicer.util.addVolumeFromArray(np.zeros((8, 9, 10), dtype=np.int16))
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shift")
        matrix = vtk.vtkMatrix4x4()
        for axis in range(3):
            matrix.SetElement(axis, 3, -shift[axis])
        transform.SetMatrixTransformToParent(matrix)
        nodes = []
        points = np.random.default_rng(0).uniform(0, 8, size=(5, 3))
        for name, positions in (("fixed", points), ("moving", points + shift)):
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
            slicer.util.updateMarkupsControlPointsFromArray(node, positions)
            nodes.append(node)
        logic = DeepRegInspectorLogic()
        errors = logic.landmarkErrors(transform, *nodes)
        assert errors["after"]["max"] < 1e-6
        assert errors["before"]["mean"] > 6.0
        figures = logic.jacobian(transform, volume)
        assert figures["folded"] == 0
        assert abs(figures["min_jacobian"] - 1.0) < 1e-5
