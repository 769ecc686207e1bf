"""Module DeepRegTrainer: learns features for the registration methods from a user's own labelled scans."""

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


class DeepRegTrainer(ScriptedLoadableModule):
    """Metadata of the module for the application."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        describe(self, _("Feature Trainer"))
        self.parent.helpText = _(
            "Learns features for Dense, Descent and Point Registration from a few labelled scans of your own: volumes with segmentations"
            " in the scene, or files in a folder. A training can be watched, paused, resumed and cross-validated; its model is offered by"
            " the methods' panels. Everything stays on this computer."
        )
        self.parent.acknowledgementText = _(
            "After M. P. Heinrich (MICCAI 2019), M. Blendowski, L. Hansen and M. P. Heinrich (Medical Image Analysis 2021), and"
            " L. Hansen and M. P. Heinrich (IPMI 2021), whose methods learn from labels alone."
        )


class DeepRegTrainerWidget(PanelWidget):
    """The module's panel, as the application loads it."""

    def makePanel(self):
        from DeepRegTrainerLib.panel import TrainerPanel

        return TrainerPanel(self.ui, DeepRegTrainerLogic(), self.moduleName)


class DeepRegTrainerLogic(PanelLogic):
    """Training without a panel, for scripts::

    logic = DeepRegTrainerLogic()
    result = logic.train([(volume, segmentation), ...], "dense", "my-liver", preset="quick", validate=1)
    result["name"], result["best"]
    """

    def wrap(self, node):
        from DeepRegTrainerLib.parameters import TrainerParameterNode

        return TrainerParameterNode(node)

    def train(self, scans, method, name, preset="standard", parameters=None, validate=0, progress=None, **more):
        """Learn features and wait for the end; the event loop runs meanwhile. The model is then among the user's own.

        :param scans: list of pairs (volume, segmentation or label map), or a folder.
        :param method: "dense", "descent", or "points" (which learns from a folder or zip file of keypoints).
        :param name: of the model, and of the training's folder.
        :param preset: "quick" or "standard".
        :param parameters: dictionary of options that differ from the preset.
        :param validate: number of scans that are held out, or a list of their names.
        :param progress: called with the share done and a line.
        :param more: ``spacing`` (mm; three numbers for points), ``modality``, ``moving_modality`` ("ct", "mr", "other"), ``about``,
            ``licence``, ``start`` (name of a model), ``device``, ``skip_bad``.
        :return: dictionary: ``name`` of the model, ``model`` (its file), ``best`` (step, figure, value), ``steps``, ``seconds``, ``notes``.
        :raises RuntimeError: with a message and advice.
        """
        from DeepRegTrainerLib.scripting import train

        return train(scans, method, name, preset, parameters, validate, progress, **more)

    def crossValidate(self, scans, method, name, folds=5, preset="standard", parameters=None, progress=None, **more):
        """Train once for each fold, and compare registrations of the held-out data with the method without learned features and with no
        registration.

        :param folds: number of parts into which the scans, or the patients of the keypoints, are divided; the rest as in :meth:`train`.
        :return: dictionary: ``rows``, each with ``pair``, ``label``, and the Dice ``before``, ``aligned``, ``mind``, ``learned``; of points
            with ``pair``, ``keypoints``, ``points``, and the target registration error in mm ``before``, ``aligned``, ``positions``,
            ``learned``, and its 95th percentiles ``before_95`` and so on; ``figure`` ("dice" or "tre"); ``summary``; ``csv``.
        :raises RuntimeError: with a message and advice.
        """
        from DeepRegTrainerLib.scripting import crossValidate

        return crossValidate(scans, method, name, folds, preset, parameters, progress, **more)


class DeepRegTrainerTest(ModuleTest):
    """A short test for the application's Reload and Test."""

    computes = False

    def test_writesScansWithTheSameLabels(self):
        """Check that two scans with segments in different orders are written with the same numbers."""
        import tempfile

        import numpy as np
        from DeepRegTrainerLib.export import writeScans
        from DeepRegTrainerLib.scans import LEARN, SceneScan

        scans = []
        for number, order in enumerate((("liver", "spleen"), ("spleen", "liver"))):
            volume = slicer.util.addVolumeFromArray(np.zeros((8, 9, 10), dtype=np.int16), name=f"scan {number}")
            segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"organs {number}")
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
            for name in order:
                mask = np.zeros((8, 9, 10), dtype=np.uint8)
                mask[(slice(1, 4) if name == "liver" else slice(5, 7),) * 3] = 1
                segment = segmentation.GetSegmentation().AddEmptySegment(name, name)
                slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, segment, volume)
            scans.append(SceneScan(str(number), volume.GetName(), LEARN, volume, segmentation))
        with tempfile.TemporaryDirectory() as folder:
            work = writeScans(scans, folder)
            while True:
                try:
                    next(work)
                except StopIteration as end:
                    written = end.value
                    break
            assert (written.labels, written.problems) == ({1: "liver", 2: "spleen"}, {})
            for name in written.files.values():
                node = slicer.util.loadLabelVolume(os.path.join(folder, "labels", f"{name}.nii.gz"))
                array = slicer.util.arrayFromVolume(node)
                assert [int((array == value).sum()) for value in (1, 2)] == [27, 8]
