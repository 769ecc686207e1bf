"""The trainer's panel: scans, method and recipe, and whether a training can begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ctk
import qt
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.choice_box import ChoiceBox
from deepreg_slicer.feature_chooser import modelsChanged
from deepreg_slicer.parameter_form import ParameterForm, words
from deepreg_slicer.parameter_node import DEVICES
from deepreg_slicer.parameter_pack import setValues, valuesOf
from deepreg_slicer.torch_state import missingPackages
from deepreg_slicer.wheel_guard import WheelGuard
from DeepRegTrainerLib import models
from DeepRegTrainerLib.evaluation_section import EvaluationSection
from DeepRegTrainerLib.models_section import ModelsSection
from DeepRegTrainerLib.preparing import Prepared, choicesOf, rolesOf
from DeepRegTrainerLib.recipes import METHODS, Method
from DeepRegTrainerLib.running import Run, suspendAll, trainingClient
from DeepRegTrainerLib.scans import LEARN, NONE, VALIDATE, SceneScans
from DeepRegTrainerLib.scans_section import ScansSection
from DeepRegTrainerLib.training_section import TrainingSection
from DeepRegTrainerLib.trainings import folderName, rootFolder
from DeepRegTrainerLib.trainings_section import TrainingsSection

_FOLDER_HELP = _(
    "A folder with labelled scans: images and labels with files of the same names; or fixed_images, fixed_labels, moving_images,"
    " moving_labels; or a dataset.json of Learn2Reg."
)
_KEYPOINTS_HELP = _("A folder or zip file with .csv or .dat files of six columns: a point's place in one scan and in the other, in voxels.")
# One has to be compared with another.
_LEAST_SCANS = 2
_SOURCES = (
    ("scene", _("in the scene"), _("Volumes of the scene with their segmentations or label maps.")),
    ("folder", _("in a folder"), _("Files: images and labels, pairs of fixed and moving images, or a dataset.json.")),
)
_MODALITIES = (
    ("ct", _("CT"), _("Computed tomography, in Hounsfield units.")),
    ("mr", _("MR"), _("Magnetic resonance, of any weighting.")),
    ("other", _("Other"), _("Cone-beam CT, ultrasound, PET, and whatever has intensities of its own.")),
)


class TrainerPanel:
    """Chooses what is learned from what.

    Args:
        ui: the widgets of the ``.ui`` file.
        logic: of the module.
        moduleName: for parameter sets.
    """

    def __init__(self, ui: Any, logic: Any, moduleName: str) -> None:
        self.ui, self.logic, self.moduleName = ui, logic, moduleName
        self.node: Any = None
        #: What is known of the chosen scans; None before the first estimate.
        self.prepared: Prepared | None = None
        #: What runs: a training or a cross-validation.
        self.run: Run | None = None
        self._tags: list[Any] = []
        self._observer: tuple[Any, int] | None = None
        self._updating = False
        self.client = trainingClient()
        self.client.acquire(self)
        self._build()
        self.scans = ScansSection(self)
        self.training = TrainingSection(self)
        self.evaluation = EvaluationSection(self)
        self.trainings = TrainingsSection(self)
        self.models = ModelsSection(self)
        self._connect()

    # ------------------------------------------------------------------- build

    def _build(self) -> None:
        ui = self.ui
        ui.parameterNodeSelector.addAttribute("vtkMRMLScriptedModuleNode", "ModuleName", self.moduleName)
        ui.deviceComboBox.addItems(list(DEVICES))
        self._boxes = {
            "method": ChoiceBox(ui.methodComboBox, tuple((method.name, method.title, method.help) for method in METHODS.values())),
            "source": ChoiceBox(ui.sourceComboBox, _SOURCES),
            "modality": ChoiceBox(ui.modalityComboBox, _MODALITIES),
            "movingModality": ChoiceBox(ui.movingModalityComboBox, _MODALITIES),
        }
        self._pages = {name: getattr(ui, f"{name}ParametersWidget") for name in METHODS}
        self.forms = {name: ParameterForm(method.options, self._pages[name].layout()) for name, method in METHODS.items()}
        # The forms are younger than the widgets below them; for the keyboard they stand where they are seen.
        before = ui.licenceLineEdit
        for form in self.forms.values():
            for widget in form.widgets.values():
                qt.QWidget.setTabOrder(before, widget)
                before = widget
        ui.logTextEdit.setReadOnly(True)
        self._wheelGuard = WheelGuard(ui.scansCollapsibleButton.parentWidget())

    def _connect(self) -> None:
        ui = self.ui
        ui.parameterNodeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onParameterSet)
        for name, box in self._boxes.items():
            box.changed.connect(lambda value, name=name: self._onBox(name, value))
        ui.presetComboBox.connect("activated(int)", self._onPreset)
        ui.startComboBox.connect("activated(int)", lambda index: self._set("start", str(ui.startComboBox.itemData(index) or "")))
        ui.folderPathLineEdit.connect("currentPathChanged(QString)", lambda path: self._set("folder", str(path)))
        ui.setUpButton.connect("clicked(bool)", lambda *_args: slicer.util.selectModule("DeepReg"))
        modelsChanged.connect(self._onModels)

    # ---------------------------------------------------------- parameter sets

    @property
    def method(self) -> Method:
        """The chosen method."""
        return METHODS[self.node.method]

    @property
    def source(self) -> str:
        """Where the scans are; keypoints are always in a folder."""
        return "folder" if self.method.ofPoints else self.node.source

    def initialize(self) -> None:
        """Show the parameter set of the scene; make one if there is none."""
        self.setParameterNode(self.logic.getParameterNode())
        self.trainings.refresh()

    def onImported(self) -> None:
        """A scene was loaded into this one: go on with the scans that it brings, unless some were chosen here already."""
        before = self.node
        if before is not None and not SceneScans(before.parameterNode).all() and not before.folder:
            for mrml in reversed(self.logic.getAllParameterNodes()):
                loaded = self.logic.wrap(mrml)
                if mrml is not before.parameterNode and (SceneScans(mrml).all() or loaded.folder):
                    self.setParameterNode(loaded)
                    slicer.mrmlScene.RemoveNode(before.parameterNode)
                    return
        self.initialize()

    def setParameterNode(self, node: Any) -> None:
        """Show another parameter set; None shows none."""
        if self.node is not None and node is not None and self.node.parameterNode is node.parameterNode:
            self.refresh()
            return
        self.training.cancelEstimate()
        if self.node is not None:
            for tag in self._tags:
                self.node.disconnectGui(tag)
            if self._observer is not None:
                self._observer[0].RemoveObserver(self._observer[1])
        self.node, self._tags, self._observer = node, [], None
        self.refuse({})
        if node is None:
            return
        mrml = node.parameterNode
        if not mrml.GetParameter("preset"):
            self._apply(self.method.recipe(node.preset))
        if not node.name:
            node.name = self._freeName(node.method)
        self._tags = [node.connectGui(self.ui), *(form.connectTo(node, name) for name, form in self.forms.items())]
        self._observer = (mrml, mrml.AddObserver(vtk.vtkCommand.ModifiedEvent, self.refresh))
        if self.ui.parameterNodeSelector.currentNode() is not mrml:
            self.ui.parameterNodeSelector.setCurrentNode(mrml)
        self._fillPresets()
        self.refresh()
        self.scans.onVolume(self.ui.volumeSelector.currentNode())
        self.training.showCurve()

    def _onParameterSet(self, node: Any) -> None:
        if slicer.mrmlScene.IsClosing() or slicer.mrmlScene.IsImporting():
            return
        if node is None:
            if self.node is not None and self.node.parameterNode.GetScene() is None:
                self.setParameterNode(None)
                self.initialize()
        elif self.node is None or self.node.parameterNode is not node:
            self.setParameterNode(self.logic.wrap(node))

    def _set(self, name: str, value: Any) -> None:
        if self.node is not None and not self._updating:
            setattr(self.node, name, value)

    def refresh(self, *_arguments: Any) -> None:
        """Show what the parameter set says."""
        node, ui = self.node, self.ui
        if node is None or self._updating:
            return
        self._updating = True
        try:
            for name, box in self._boxes.items():
                box.show(getattr(node, name))
            if ui.folderPathLineEdit.currentPath != node.folder:
                ui.folderPathLineEdit.currentPath = node.folder
            self._showFields()
            self.forms[node.method].showFor(str(self.values().get("network", "")))
            self._showPreset()
            self._showStart()
        finally:
            self._updating = False
        self.check()

    def _showFields(self) -> None:
        """Show what has to be chosen for the present method and source."""
        ui, points, folder = self.ui, self.method.ofPoints, self.source == "folder"
        for widget, shown in (
            (ui.sceneWidget, not folder),
            (ui.folderWidget, folder),
            (ui.imagesWidget, not points),
            (ui.movingWidget, folder and not points),
            (ui.spacingWidget, not points and not self.method.hasSpacing),
            (ui.startComboBox, not points),
            (ui.startLabel, not points),
            (ui.pointsWidget, points),
            (ui.sourceComboBox, not points),
            (ui.sourceLabel, not points),
            (ui.removeButton, not folder),
            *((page, name == self.node.method) for name, page in self._pages.items()),
        ):
            widget.setVisible(shown)
        ui.folderPathLineEdit.filters = ctk.ctkPathLineEdit.Files if points else ctk.ctkPathLineEdit.Dirs
        ui.folderLabel.text = _("Keypoints:") if points else _("Folder:")
        ui.folderPathLineEdit.toolTip = ui.folderLabel.toolTip = _KEYPOINTS_HELP if points else _FOLDER_HELP

    # ------------------------------------------------------------------ recipe

    def values(self) -> dict[str, Any]:
        """All options of the present method."""
        return valuesOf(getattr(self.node, self.node.method), self.method.options)

    def _fillPresets(self) -> None:
        box = self.ui.presetComboBox
        box.clear()
        for recipe in self.method.recipes():
            box.addItem(recipe.title, recipe.name)
            box.setItemData(box.count - 1, recipe.help, qt.Qt.ToolTipRole)

    def _apply(self, recipe: Any) -> None:
        if recipe is None:
            return
        mrml = self.node.parameterNode
        state = mrml.StartModify()
        try:
            setValues(getattr(self.node, self.node.method), self.method.options, recipe.values)
            self.node.preset = recipe.name
        finally:
            mrml.EndModify(state)

    def _onPreset(self, index: int) -> None:
        if self.node is not None and index >= 0:
            self._apply(self.method.recipe(self.ui.presetComboBox.itemData(index)))

    def _showPreset(self) -> None:
        recipe = self.method.recipe(self.node.preset)
        box = self.ui.presetComboBox
        index = box.findData(self.node.preset)
        if box.currentIndex != index:
            box.setCurrentIndex(index)
        if recipe is None:
            self.ui.presetHelpLabel.text = _("The recipe {name} is not in this version; its options are kept.").format(
                name=self.node.preset
            )
            return
        used = self.method.options().replaced(self.values()).used()
        changed = [words(name) for name, value in used.items() if recipe.values.get(name) != value]
        more = _(" Changed under Advanced: {names}.").format(names=", ".join(changed)) if changed else ""
        self.ui.presetHelpLabel.text = f"{recipe.help[:1].upper()}{recipe.help[1:]}.{more}"

    def _showStart(self) -> None:
        """Models of the method to begin with."""
        box, name = self.ui.startComboBox, self.node.start
        offered = ["", *models.namesOfModels(self.method.architectureOf(self.values()))]
        offered += [name] if name not in offered else []
        if [str(box.itemData(number) or "") for number in range(box.count)] != offered:
            box.clear()
            for each in offered:
                box.addItem(each or _("a new network"), each)
        box.setCurrentIndex(offered.index(name))

    def _onModels(self) -> None:
        self.refresh()

    def _onBox(self, name: str, value: str) -> None:
        node = self.node
        if node is None or self._updating or getattr(node, name) == value:
            return
        if name != "method":
            setattr(node, name, value)
            return
        own = node.name == self._freeName(node.method)
        preset, mrml = node.preset, node.parameterNode
        state = mrml.StartModify()
        try:
            node.method, node.start = value, ""
            if own:
                node.name = self._freeName(value)
        finally:
            mrml.EndModify(state)
        self._fillPresets()
        self._apply(self.method.recipe(preset) or self.method.recipe("standard"))
        self.refresh()

    def _freeName(self, method: str) -> str:
        """A name that neither a model nor a training has."""
        number, name = 1, models.freeName(f"my-{method}")
        while (rootFolder() / folderName(name)).exists():
            number += 1
            name = models.freeName(f"my-{method}-{number}")
        return name

    # -------------------------------------------------------------- can it begin

    def arguments(self) -> dict[str, Any]:
        """What the worker is asked for, apart from folders and the scene's scans."""
        node, method = self.node, self.method
        found: dict[str, Any] = {
            "method": node.method,
            "name": node.name.strip(),
            "parameters": self.values(),
            "device": node.device,
            "skip_bad": node.skipBad,
        }
        if method.ofPoints:
            found["spacing"] = [node.pointSpacingX, node.pointSpacingY, node.pointSpacingZ]
        else:
            found.update(modality=node.modality, moving_modality=node.movingModality)
            if not method.hasSpacing:
                found["spacing"] = node.spacing
        found.update({name: getattr(node, name).strip() for name in ("about", "licence", "start") if getattr(node, name).strip()})
        if self.source == "folder":
            rows = self.scans.rows()
            found["data"] = [node.folder]
            found["validation"] = [row.name for row in rows if row.role == VALIDATE]
            found["leave_out"] = [row.name for row in rows if row.role == NONE]
        elif self.prepared is not None and self.prepared.exported is not None:
            found["data"] = list(self.prepared.data)
            found.update(rolesOf(self.prepared.exported, self.scans.used()))
        return found

    def choices(self) -> str:
        """What an estimate is for."""
        arguments = self.arguments()
        if self.source == "scene":
            arguments.pop("data", None)
        return choicesOf(arguments, self.scans.used() if self.source == "scene" else None)

    def prepare(self, prepared: Prepared | None) -> None:
        """Take what an estimate has found; what was known before goes."""
        if self.prepared is not None and self.prepared is not prepared:
            self.prepared.discard()
        self.prepared = prepared
        if prepared is not None:
            self.scans.take(prepared)
            if prepared.exported is None:
                prepared.choices = self.choices()  # now that it is known which names are left out

    def refuse(self, problems: dict[str, str]) -> None:
        """Show what is wrong with scans that were not written."""
        self.scans.problems = problems
        self.prepare(None)

    def estimateProblem(self) -> str:
        """Why nothing can be estimated now, "" if it can."""
        if self.node is None:
            return _("there is no parameter set")
        missing = missingPackages()
        if missing:
            return _("not installed: {names}; press the button below").format(names=", ".join(missing))
        if self.run is not None:
            return _("a training is running: wait for its end, pause it or stop it")
        if self.source == "folder":
            if not self.node.folder:
                return _("choose the file or folder with the keypoints") if self.method.ofPoints else _("choose the folder with the scans")
            if not Path(self.node.folder).exists():
                return _("{path} does not exist: choose another").format(path=self.node.folder)
        elif len(self.scans.used()) < _LEAST_SCANS:
            return _("add at least {count} scans, each a volume with its segmentation").format(count=_LEAST_SCANS)
        rows = self.scans.rows()
        if rows and not any(row.role == LEARN for row in rows):
            return _("no scan is left to learn from: change what they are for in the table")
        return ""

    def beginProblem(self) -> str:
        """Why neither a training nor a cross-validation can begin now, "" if one can."""
        problem = self.estimateProblem()
        if problem:
            return problem
        if self.training.preparing:
            return _("the estimate is being made")
        prepared, name = self.prepared, self.node.name.strip()
        if prepared is None or prepared.choices != self.choices():
            return _("press Estimate first: it looks at the scans, and says what a training will take")
        bad = [row.name for row in self.scans.rows() if row.problem and row.role != NONE]
        if bad and not self.node.skipBad:
            return _("scans have problems ({names}): take their tick away, or tick Go on without them").format(names=", ".join(bad))
        for kind, text in (
            (
                "memory",
                _(
                    "this needs about {needed:.1f} GB of memory, and {free:.1f} GB are free: choose larger voxels, or smaller options under Advanced"
                ),
            ),
            (
                "device_memory",
                _(
                    "this needs about {needed:.1f} GB of the GPU's memory, and {free:.1f} GB are free:"
                    " close other programs that use it, or choose smaller options under Advanced"
                ),
            ),
        ):
            needed, free = prepared.estimate.get(kind), prepared.estimate.get(f"free_{kind}")
            if needed and free and needed > free:
                return text.format(needed=needed / 1e9, free=free / 1e9)
        if not name:
            return _("give the model a name")
        if prepared.begun and prepared.home.name != folderName(name):
            return _("press Estimate first: the scans that were written belong to the training {name}").format(name=prepared.home.name)
        if not prepared.begun and (rootFolder() / folderName(name)).exists():
            return _("there is a training of that name already: choose another name, or go on with it under Trainings")
        return ""

    def onNodeRemoved(self) -> None:
        """What is chosen may be gone."""
        self.check()

    def check(self, *_arguments: Any) -> None:
        """Enable what can be done; tool tips say why the rest cannot."""
        node, ui = self.node, self.ui
        if node is None or slicer.mrmlScene.IsClosing():
            return
        self.scans.check()
        ui.setUpButton.setVisible(bool(missingPackages()))
        for section in (self.training, self.evaluation, self.trainings):
            section.check()

    # --------------------------------------------------------------------- end

    def cleanup(self) -> None:
        """Pause what runs, and follow nothing any more."""
        modelsChanged.disconnect(self._onModels)
        self.models.cleanup()
        self.training.cancelEstimate()
        suspendAll()
        self.run = None
        self.setParameterNode(None)
        self.client.release(self)
