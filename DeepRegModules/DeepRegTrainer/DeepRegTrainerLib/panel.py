"""The trainer's panel: parameter sets, method, preset and source of the scans; the other parts are sections."""

from __future__ import annotations

from typing import Any

import ctk
import qt
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_engine.methods.common.parameters import DEVICES, words
from deepreg_slicer.choice_box import ChoiceBox
from deepreg_slicer.engine_texts import engineText, sentence
from deepreg_slicer.feature_chooser import modelsChanged
from deepreg_slicer.node_widgets import connectWidgets, replaceUnknownChoices
from deepreg_slicer.parameter_form import ParameterForm
from deepreg_slicer.parameter_pack import setValues
from deepreg_slicer.parameter_sets import ParameterSetSelector, presentSet
from deepreg_slicer.torch_state import packagesToInstall
from DeepRegTrainerLib import models
from DeepRegTrainerLib.evaluation_section import EvaluationSection
from DeepRegTrainerLib.methods import METHODS
from DeepRegTrainerLib.models_section import ModelsSection
from DeepRegTrainerLib.running import suspendAll, trainingClient
from DeepRegTrainerLib.scans import SceneScans
from DeepRegTrainerLib.scans_section import ScansSection
from DeepRegTrainerLib.session import TrainerSession
from DeepRegTrainerLib.training_section import TrainingSection
from DeepRegTrainerLib.trainings import EVALUATE, Training, folderName, rootFolder
from DeepRegTrainerLib.trainings_section import TrainingsSection

_FOLDER_HELP = _(
    "A folder with labelled scans: images and labels with files of the same names; or fixed_images, fixed_labels, moving_images,"
    " moving_labels; or a dataset.json of Learn2Reg."
)
_KEYPOINTS_HELP = _(
    "A folder or zip file with .csv or .dat files of six columns: a point's position in one scan and in the other, in voxels."
)
_SOURCES = (
    ("scene", _("in the scene"), _("Volumes of the scene with their segmentations or label maps.")),
    ("folder", _("in a folder"), _("Files: images and labels, pairs of fixed and moving images, or a dataset.json.")),
)
_MODALITIES = (
    ("ct", _("CT"), _("Computed tomography, in Hounsfield units.")),
    ("mr", _("MR"), _("Magnetic resonance, of any weighting.")),
    ("other", _("Other"), _("Cone-beam CT, ultrasound, PET, and all other images without a calibrated scale.")),
)


class TrainerPanel:
    """Shows a parameter set, and connects the sections.

    Args:
        ui: the widgets of the ``.ui`` file.
        logic: of the module.
        moduleName: for parameter sets.
    """

    def __init__(self, ui: Any, logic: Any, moduleName: str) -> None:
        self.ui, self.logic, self.moduleName = ui, logic, moduleName
        self._tags: list[Any] = []
        self._observer: tuple[Any, int] | None = None
        self._updating = False
        self.client = trainingClient()
        self.client.acquire(self)
        self.session = TrainerSession(self.client)
        self._build()
        self.scans = ScansSection(ui, self.session)
        self.training = TrainingSection(ui, self.session)
        self.evaluation = EvaluationSection(ui, self.session)
        self.trainings = TrainingsSection(ui, self.session)
        self.models = ModelsSection(ui, self.session)
        self._connect()

    @property
    def node(self) -> Any:
        """The parameter set that is shown; None if none is."""
        return self.session.node

    @property
    def run(self) -> Any:
        """The running task; None without one."""
        return self.session.run

    # ------------------------------------------------------------------- build

    def _build(self) -> None:
        ui = self.ui
        ui.deviceComboBox.addItems(list(DEVICES))
        self._boxes = {
            "method": ChoiceBox(ui.methodComboBox, tuple((method.name, method.title, method.help) for method in METHODS.values())),
            "source": ChoiceBox(ui.sourceComboBox, _SOURCES),
            "modality": ChoiceBox(ui.modalityComboBox, _MODALITIES),
            "movingModality": ChoiceBox(ui.movingModalityComboBox, _MODALITIES),
        }
        self._pages = {name: getattr(ui, f"{name}ParametersWidget") for name in METHODS}
        self.forms = {name: ParameterForm(method.options, self._pages[name].layout()) for name, method in METHODS.items()}
        ui.logTextEdit.setReadOnly(True)

    def _connect(self) -> None:
        ui = self.ui
        self.parameterSets = ParameterSetSelector(self, ui.parameterNodeSelector, self.moduleName, _("Training"))
        for name, box in self._boxes.items():
            box.changed.connect(lambda value, name=name: self._onBox(name, value))
        ui.presetComboBox.connect("activated(int)", self._onPreset)
        ui.startComboBox.connect("activated(int)", lambda index: self._set("start", str(ui.startComboBox.itemData(index) or "")))
        ui.folderPathLineEdit.connect("currentPathChanged(QString)", lambda path: self._set("folder", str(path)))
        ui.setUpButton.connect("clicked(bool)", lambda *_args: slicer.util.selectModule("DeepReg"))
        modelsChanged.connect(self._onModels)
        self.session.changed.connect(self.refresh)
        self.session.checked.connect(self.check)
        self.session.resumed.connect(self._onResumed)

    def _onResumed(self, training: Training) -> None:
        (self.evaluation if training.operation == EVALUATE else self.training).go(training)

    # ---------------------------------------------------------- parameter sets

    def initialize(self) -> None:
        """Show the parameter set that was shown before, or the scene's first one."""
        self.setParameterNode(presentSet(self))
        self.trainings.refresh()

    def onImported(self) -> None:
        """Show, after a scene was loaded into this one, its parameter set, unless scans were chosen here already."""
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
        self.session.node, self._tags, self._observer = node, [], None
        self.session.refuse({})
        if node is None:
            return
        mrml = node.parameterNode
        replaced = replaceUnknownChoices(node)
        if not mrml.GetParameter("preset"):
            self._apply(self.session.method.preset(node.preset))
        if not node.name:
            node.name = self._freeName(node.method)
        self._tags = [connectWidgets(node, self.ui), *(form.connectTo(node, name) for name, form in self.forms.items())]
        self._observer = (mrml, mrml.AddObserver(vtk.vtkCommand.ModifiedEvent, self.refresh))
        self.parameterSets.show(mrml)
        self._fillPresets()
        self.refresh()
        self.scans.onVolume(self.ui.volumeSelector.currentNode())
        self.training.showCurve()
        if replaced:
            self.session.reported.emit(replaced, True)

    def _set(self, name: str, value: Any) -> None:
        if self.node is not None and not self._updating:
            setattr(self.node, name, value)

    def refresh(self, *_arguments: Any) -> None:
        """Show the parameter set."""
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
            self.forms[node.method].showFor(str(self.session.values().get("network", "")))
            self._showPreset()
            self._showStart()
        finally:
            self._updating = False
        self.check()

    def _showFields(self) -> None:
        """Show the widgets of the chosen method and source."""
        ui, points, folder = self.ui, self.session.method.ofPoints, self.session.inFolder
        for widget, shown in (
            (ui.sceneWidget, not folder),
            (ui.folderWidget, folder),
            (ui.imagesWidget, not points),
            (ui.movingWidget, folder and not points),
            (ui.spacingWidget, not points and not self.session.method.hasSpacing),
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

    # ------------------------------------------------------------------ preset

    def _fillPresets(self) -> None:
        box = self.ui.presetComboBox
        box.clear()
        for preset in self.session.method.presets():
            box.addItem(engineText(preset.title), preset.name)
            box.setItemData(box.count - 1, engineText(preset.help), qt.Qt.ToolTipRole)

    def _apply(self, preset: Any) -> None:
        if preset is None:
            return
        mrml = self.node.parameterNode
        state = mrml.StartModify()
        try:
            setValues(getattr(self.node, self.node.method), self.session.method.options, self.session.method.values(preset))
            self.node.preset = preset.name
        finally:
            mrml.EndModify(state)

    def _onPreset(self, index: int) -> None:
        if self.node is not None and index >= 0:
            self._apply(self.session.method.preset(self.ui.presetComboBox.itemData(index)))

    def _showPreset(self) -> None:
        preset = self.session.method.preset(self.node.preset)
        box = self.ui.presetComboBox
        index = box.findData(self.node.preset)
        if box.currentIndex != index:
            box.setCurrentIndex(index)
        if preset is None:
            text = _("The preset {name} is not in this version; its parameters are kept.")
            self.ui.presetHelpLabel.text = text.format(name=self.node.preset)
            return
        used = self.session.method.options().replaced(self.session.values()).used()
        values = self.session.method.values(preset)
        changed = [engineText(words(name)) for name, value in used.items() if values.get(name) != value]
        more = _("Changed under Advanced: {names}.").format(names=", ".join(changed)) if changed else ""
        self.ui.presetHelpLabel.text = " ".join(text for text in (sentence(preset.help), more) if text)

    def _showStart(self) -> None:
        """Offer the models that a training can start from."""
        box, name = self.ui.startComboBox, self.node.start
        offered = ["", *models.namesOfModels(self.session.method.architectureOf(self.session.values()))]
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
        self._apply(self.session.method.preset(preset) or self.session.method.preset("standard"))
        self.refresh()

    def _freeName(self, method: str) -> str:
        """Return a name that neither a model nor a training has."""
        number, name = 1, models.freeName(f"my-{method}")
        while (rootFolder() / folderName(name)).exists():
            number += 1
            name = models.freeName(f"my-{method}-{number}")
        return name

    # ------------------------------------------------------------------- state

    def check(self, *_arguments: Any) -> None:
        """Enable the possible actions; tool tips of the others give the reason."""
        node, ui = self.node, self.ui
        if node is None or slicer.mrmlScene.IsClosing():
            return
        self.scans.check()
        ui.setUpButton.setVisible(bool(packagesToInstall()))
        for section in (self.training, self.evaluation, self.trainings):
            section.check()

    # --------------------------------------------------------------------- end

    def cleanup(self) -> None:
        """Pause the running task, and disconnect from objects that outlive the panel."""
        modelsChanged.disconnect(self._onModels)
        self.models.cleanup()
        self.training.cancelEstimate()
        suspendAll()
        self.session.run = None
        self.setParameterNode(None)
        self.client.release(self)
