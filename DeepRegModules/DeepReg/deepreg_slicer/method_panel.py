"""The panel of a registration method: from the user's choices to a run and back to what is seen.

A method's own panel derives from :class:`MethodPanel` and says what is special to it. The widgets come from the module's ``.ui`` file;
their names are those that are used here.
"""

from __future__ import annotations

import time
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer import result_view
from deepreg_slicer.feature_chooser import FeatureChooser
from deepreg_slicer.parameter_form import ParameterForm, words
from deepreg_slicer.parameter_node import inputsOf, outputsOf
from deepreg_slicer.parameter_pack import setValues, valuesOf
from deepreg_slicer.presets import PresetLibrary
from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.registration import Registration, Request, Result
from deepreg_slicer.segment_selector import SegmentChooser
from deepreg_slicer.torch_state import missingPackages
from deepreg_slicer.transforms import interpolateLinearly
from deepreg_slicer.volumes import NodeError
from deepreg_slicer.worker_client import JobError, workerClient


class MethodPanel:
    """A method's panel.

    Args:
        ui: the widgets of the ``.ui`` file.
        logic: of the module.
        moduleName: for parameter sets.

    Derived classes set the class attributes.
    """

    #: Operation of the worker, title of the method, the engine's parameters and presets.
    operation = ""
    title = ""
    parametersClass: type
    presets: tuple[Any, ...] = ()
    defaultPreset = ""
    #: Outputs that a tick box asks for.
    optionalOutputs: tuple[str, ...] = ("volume", "inverse", "labels", "jacobian", "uncertainty")
    #: Parameters that say what the inputs are: they stand beside these, and a preset leaves what the user has said of them.
    inputParameters: tuple[str, ...] = ()
    #: What Apply does, for its tool tip.
    applyHelp = _("Register the moving volume to the fixed volume.")

    def __init__(self, ui: Any, logic: Any, moduleName: str) -> None:
        self.ui, self.logic, self.moduleName = ui, logic, moduleName
        self.library = PresetLibrary(self.operation, self.presets, self.parametersClass)
        self.node: Any = None
        self.run: Registration | None = None
        #: Whether a result is still being brought into the views.
        self.showing = False
        self._tags: list[Any] = []
        self._observer: tuple[Any, int] | None = None
        self._updating = False
        self._lastLeft: tuple[float, float] | None = None
        self.client = workerClient()
        self.client.acquire(self)
        self.client.busyChanged.connect(self._onBusy)
        self._build()
        self._connect()

    # ------------------------------------------------------------------- build

    def _build(self) -> None:
        ui = self.ui
        ui.parameterNodeSelector.baseName = self.title
        ui.parameterNodeSelector.addAttribute("vtkMRMLScriptedModuleNode", "ModuleName", self.moduleName)
        ui.deviceComboBox.addItems(["auto", "cpu", "cuda", "mps"])
        layout = ui.advancedCollapsibleButton.findChild(qt.QFormLayout, "parametersLayout")
        self.features = self._featureChooser()
        self.form = ParameterForm(self.parametersClass, layout, {"features": self.features.widget}, self.inputParameters)
        self.fixedSegment = self.segmentChooser(ui.fixedMaskSelector, ui.fixedMaskSegmentComboBox)
        self.movingSegment = self.segmentChooser(ui.movingMaskSelector, ui.movingMaskSegmentComboBox)
        self._fillPresets()
        menu = qt.QMenu(ui.presetMenuButton)
        self._saveAction = menu.addAction(_("Save as preset..."))
        self._removeAction = menu.addAction(_("Remove preset"))
        ui.presetMenuButton.setMenu(menu)
        ui.progressBar.setRange(0, 1000)
        self._showRunning(False)
        ui.logTextEdit.setReadOnly(True)
        self._say("", bad=False)
        # The tick boxes of outputs are the labels of their rows: without a tick there is nothing to choose.
        for name in self.optionalOutputs:
            box = getattr(ui, f"{name}WantedCheckBox")
            for widget in self.outputWidgets(name):
                box.connect("toggled(bool)", widget.setEnabled)
                widget.setEnabled(box.checked)

    def outputWidgets(self, name: str) -> list[Any]:
        """What is to be chosen of an optional output."""
        return [getattr(self.ui, f"{name}OutputSelector")]

    #: Chooses a mask's segment.
    segmentChooser = SegmentChooser

    def _featureChooser(self) -> FeatureChooser:
        """The widget for the parameter that names features."""
        return FeatureChooser(self.operation)

    def _connect(self) -> None:
        ui = self.ui
        ui.parameterNodeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onParameterSet)
        ui.presetComboBox.connect("activated(int)", self._onPreset)
        self._saveAction.connect("triggered()", self.savePreset)
        self._removeAction.connect("triggered()", self.removePreset)
        ui.applyButton.connect("clicked(bool)", self._onApply)
        ui.setUpButton.connect("clicked(bool)", lambda *_args: slicer.util.selectModule("DeepReg"))
        ui.fadeSlider.connect("valueChanged(double)", lambda value: result_view.fade(value / 100.0))
        ui.gridCheckBox.connect("toggled(bool)", self._onGrid)
        ui.moveCheckBox.connect("toggled(bool)", self._onMove)
        ui.inspectButton.connect("clicked(bool)", self._onInspect)
        self.fixedSegment.changed.connect(self._onSegment)
        self.movingSegment.changed.connect(self._onSegment)
        self.features.changed.connect(self._onFeatures)

    def _fillPresets(self) -> None:
        box = self.ui.presetComboBox
        blocked = box.blockSignals(True)
        box.clear()
        for preset in self.library.all():
            box.addItem(preset.title, preset.name)
            box.setItemData(box.count - 1, preset.help, qt.Qt.ToolTipRole)
        box.blockSignals(blocked)

    # ---------------------------------------------------------- parameter sets

    def initialize(self) -> None:
        """Show the parameter set of the scene; make one if there is none, and choose what is there to register."""
        self.setParameterNode(self.logic.getParameterNode())
        if not self.hasInputs(self.node):
            self.chooseInputs(self.node)

    def hasInputs(self, node: Any) -> bool:
        """Whether something to register is chosen in a parameter set."""
        return node.fixedVolume is not None or node.movingVolume is not None

    def chooseInputs(self, node: Any) -> None:
        """Choose what there is to register if that is plain; with more than two volumes the user knows better."""
        volumes = [volume for volume in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if _isPlainVolume(volume)]
        if len(volumes) == 2:
            node.fixedVolume, node.movingVolume = volumes

    def onImported(self) -> None:
        """A scene was loaded into this one: go on with what it brings, unless something was chosen here already."""
        for transform in slicer.util.getNodesByClass("vtkMRMLTransformNode"):
            if transform.GetAttribute(f"{PREFIX}Method"):
                interpolateLinearly(transform)
        before = self.node
        if before is not None and not self.hasInputs(before):
            for mrml in reversed(self.logic.getAllParameterNodes()):
                loaded = self.logic.wrap(mrml)
                if mrml is not before.parameterNode and self.hasInputs(loaded):
                    self.setParameterNode(loaded)
                    slicer.mrmlScene.RemoveNode(before.parameterNode)
                    return
        self.initialize()

    def setParameterNode(self, node: Any) -> None:
        """Show another parameter set; None shows none."""
        if self.node is not None:
            for tag in self._tags:
                self.node.disconnectGui(tag)
            if self._observer is not None:
                observed, observer = self._observer
                observed.RemoveObserver(observer)
        self.node, self._tags, self._observer = node, [], None
        if node is None:
            return
        mrml = node.parameterNode
        known = mrml.GetParameter("preset") != ""
        if not known:
            self._apply(self.library.find(node.preset))
        self._tags = [node.connectGui(self.ui), self.form.connectTo(node, "parameters")]
        self._observer = (mrml, mrml.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onNodeModified))
        if self.ui.parameterNodeSelector.currentNode() is not mrml:
            self.ui.parameterNodeSelector.setCurrentNode(mrml)
        self._onNodeModified()
        self._showResult()

    def _onParameterSet(self, node: Any) -> None:
        if slicer.mrmlScene.IsClosing() or slicer.mrmlScene.IsImporting():
            return
        if node is None:
            if self.node is not None and self.node.parameterNode.GetScene() is None:
                self.setParameterNode(None)
                self.initialize()
            return
        if self.node is None or self.node.parameterNode is not node:
            self.setParameterNode(self.logic.wrap(node))

    def values(self) -> dict[str, Any]:
        """All parameters of the present set."""
        return valuesOf(self.node.parameters, self.parametersClass)

    # ----------------------------------------------------------------- presets

    def _apply(self, preset: Any) -> None:
        if preset is None:
            return
        mrml, present, former = self.node.parameterNode, self.values(), self.library.find(self.node.preset)
        said = {name: present[name] for name in self.inputParameters if former is not None and present[name] != former.values.get(name)}
        state = mrml.StartModify()
        try:
            setValues(
                self.node.parameters,
                self.parametersClass,
                {**preset.values, **(said if former is not None and former.name != preset.name else {})},
            )
            self.node.preset = preset.name
        finally:
            mrml.EndModify(state)

    def _onPreset(self, index: int) -> None:
        if self.node is not None and index >= 0:
            self._apply(self.library.find(self.ui.presetComboBox.itemData(index)))

    def savePreset(self, title: str | bool = "") -> None:
        """Keep the present parameters as a preset of the user's; without a title the user is asked."""
        if not isinstance(title, str) or not title:
            answer = qt.QInputDialog.getText(None, _("Save preset"), _("Name of the preset:"))
            title = answer if isinstance(answer, str) else (answer[0] if answer and answer[-1] else "")
        if not title:
            return
        try:
            preset = self.library.save(title, self.values())
        except ValueError as error:
            slicer.util.errorDisplay(str(error), windowTitle=self.title)
            return
        self._fillPresets()
        self.node.preset = preset.name
        self._onNodeModified()

    def removePreset(self, *_arguments: Any) -> None:
        """Forget the user's preset that is chosen; the parameters stay."""
        preset = self.library.find(self.node.preset)
        if preset is not None and preset.own:
            self.library.remove(preset.name)
            self._fillPresets()
            self.node.preset = self.defaultPreset
            self._onNodeModified()

    def _showPreset(self) -> None:
        preset = self.library.find(self.node.preset)
        box, label = self.ui.presetComboBox, self.ui.presetHelpLabel
        index = box.findData(preset.name) if preset is not None else -1
        if box.currentIndex != index:
            box.setCurrentIndex(index)
        self._removeAction.setEnabled(preset is not None and preset.own)
        if preset is None:
            label.text = _("The preset {name} is not on this computer; its parameters are kept.").format(name=self.node.preset)
            return
        values = self.values()
        changed = [name for name, value in values.items() if preset.values.get(name) != value and name not in self.inputParameters]
        text = preset.help[:1].upper() + preset.help[1:]
        label.text = f"{text}." + (
            _(" Changed under Advanced: {names}.").format(names=", ".join(words(name) for name in changed)) if changed else ""
        )

    # --------------------------------------------------------------- can apply

    def _onNodeModified(self, *_arguments: Any) -> None:
        if self.node is None or self._updating:
            return
        self._updating = True
        try:
            node = self.node
            self.fixedSegment.segmentId = node.fixedMaskSegment
            self.movingSegment.segmentId = node.movingMaskSegment
            self.features.show(node.parameters.features)
            self._showPreset()
            self._showMemory()
        finally:
            self._updating = False
        self.checkCanApply()

    def _onSegment(self) -> None:
        if self.node is not None and not self._updating:
            self.node.fixedMaskSegment = self.fixedSegment.segmentId
            self.node.movingMaskSegment = self.movingSegment.segmentId

    def _onFeatures(self, name: str) -> None:
        if self.node is not None and not self._updating:
            self.node.parameters.features = name

    def request(self) -> Request:
        """What Apply would do."""
        node = self.node
        return Request(self.operation, self.title, inputsOf(node), outputsOf(node), self.values(), node.preset, node.device)

    def problem(self) -> str:
        """Why nothing can be computed now, "" if it can."""
        if self.node is None:
            return _("there is no parameter set")
        missing = missingPackages()
        if missing:
            return _("not installed: {names}; press the button below").format(names=", ".join(missing))
        problem = self.request().problem()
        if not problem and self.client.computing:
            problem = _("another computation is running: wait for its end")
        return problem

    def checkCanApply(self) -> None:
        """Enable Apply if it can do something; else its tool tip says why not."""
        if self.run is not None:
            return
        problem = self.problem()
        self.ui.setUpButton.setVisible(bool(missingPackages()))
        button = self.ui.applyButton
        button.setEnabled(not problem)
        button.toolTip = problem[:1].upper() + problem[1:] + "." if problem else self.applyHelp

    def _onBusy(self, _busy: bool) -> None:
        self.checkCanApply()

    def _showMemory(self) -> None:
        node = self.node
        if node.fixedVolume is None or node.movingVolume is None:
            self.ui.memoryLabel.text = "-"
            return
        try:
            needed = self.memory(node.fixedVolume, node.movingVolume)
            self.ui.memoryLabel.text = _("about {size:.1f} GB").format(size=needed / 1e9)
        except (NodeError, ValueError, ImportError):
            self.ui.memoryLabel.text = "-"

    def memory(self, fixed: Any, moving: Any) -> float:
        """Bytes that a run will need, by estimate."""
        raise NotImplementedError

    # --------------------------------------------------------------------- run

    def _onApply(self, *_arguments: Any) -> None:
        if self.run is not None:
            self.cancel()
        else:
            self.apply()

    def makeRun(self, request: Request) -> Registration:
        """A run, not yet started."""
        return Registration(request, self.client)

    def apply(self) -> None:
        """Start a run."""
        run = self.makeRun(self.request())
        run.progressed.connect(self._onProgress)
        run.logged.connect(self._onLog)
        run.finished.connect(self._onFinished)
        run.failed.connect(self._onFailed)
        self.ui.logTextEdit.clear()
        self._say("", bad=False)
        self.run = run
        self._showRunning(True)
        try:
            run.start()
        except NodeError as error:
            self._over()
            self._say(str(error), bad=True)

    def cancel(self) -> None:
        """Stop the run."""
        if self.run is not None:
            self.ui.stageLabel.text = _("stopping...")
            self.ui.applyButton.setEnabled(False)
            self.run.cancel()

    def _showRunning(self, running: bool) -> None:
        ui = self.ui
        ui.applyButton.text = _("Cancel") if running else _("Apply")
        if running:
            ui.applyButton.setEnabled(True)
            ui.applyButton.toolTip = _("Stop; nothing in the scene will have changed.")
            ui.progressBar.setValue(0)
        ui.progressBar.setVisible(running)
        ui.stageLabel.setVisible(running)

    def _onProgress(self, fraction: float, stage: str, left: float | None) -> None:
        self.ui.progressBar.setValue(round(1000 * fraction))
        time_left = "" if left is None else " \u2013 " + _("{time} left").format(time=_clock(left))
        if self.run is None or not self.run.over:
            self.ui.stageLabel.text = f"{stage}{time_left}"

    def _onLog(self, text: str) -> None:
        self.ui.logTextEdit.appendPlainText(f"{time.strftime('%H:%M:%S')}  {text}")

    def _onFinished(self, result: Result) -> None:
        self._over()
        node = self.node
        if node is not None:
            self.keepResult(node, result)
        self._onLog(result.summary)
        self._showResult()
        self.showing = True
        self.showResult(result)

    def keepResult(self, node: Any, result: Result) -> None:
        """Let the parameter set know what came out."""
        former = self.shownTransform()
        if former is not None and former is not result.nodes.get("transform"):
            result_view.showGrid(former, None, False)  # two grids at a time cannot be told apart
        node.resultTransform = result.nodes.get("transform")
        node.resultVolume = result.nodes.get("volume")
        node.resultSummary = result.summary

    def _onFailed(self, error: JobError) -> None:
        self._over()
        self._onLog(error.text)
        if error.code == "memory" and error.changes and self._offerSmaller(error):
            return
        self._say(error.text, bad=error.code != "cancelled")

    def _offerSmaller(self, error: JobError) -> bool:
        """Ask whether to compute on a coarser grid; True if the user wants that and it has begun."""
        changes = "\n".join(f"{name} = {value:g}" for name, value in error.changes.items())
        question = _("{problem}\n\nIt would fit with\n\n{changes}\n\nCompute with these?").format(problem=error.message, changes=changes)
        if self.node is None or not slicer.util.confirmYesNoDisplay(question, windowTitle=self.title):
            return False
        setValues(self.node.parameters, self.parametersClass, error.changes)
        if self.problem():
            return False
        self.apply()
        return True

    def _over(self) -> None:
        self.run = None
        self._showRunning(False)
        self.checkCanApply()

    def _say(self, text: str, bad: bool) -> None:
        self.ui.resultLabel.text = text[:1].upper() + text[1:]
        self.ui.resultLabel.setStyleSheet("color: #c03020;" if bad else "")
        self.ui.resultLabel.setVisible(bool(text))

    # ------------------------------------------------------------------ result

    def showResult(self, result: Result) -> None:
        """Show what came out in the views, one thing at a time: each makes them draw."""
        if result.nodes.get("jacobian") is not None:
            result_view.showJacobian(result.nodes["jacobian"])
        self.ui.resultCollapsibleButton.collapsed = False
        qt.QTimer.singleShot(0, lambda: self._showVolume(result))

    def _showVolume(self, result: Result) -> None:
        volume = result.nodes.get("volume")
        if _there(volume, result.fixed):
            result_view.showOver(result.fixed, volume, self.ui.fadeSlider.value / 100.0)
        qt.QTimer.singleShot(0, lambda: self._showTransform(result))

    def _showTransform(self, result: Result) -> None:
        transform = result.nodes.get("transform")
        if _there(transform):
            result_view.showGrid(transform, result.fixed if _there(result.fixed) else None, True)
        self.showing = False
        self._showResult()

    def shownTransform(self) -> Any:
        """The transform of which the deformation grid is shown, None if there is none."""
        return self.node.resultTransform if self.node is not None else None

    def _showResult(self) -> None:
        """Bring the widgets below Result in line with what there is."""
        node, ui = self.node, self.ui
        transform = node.resultTransform if node is not None else None
        shown = self.shownTransform()
        moving = node.movingVolume if node is not None else None
        if self.run is None and node is not None:
            self._say(node.resultSummary, bad=False)
        self._updating = True
        try:
            ui.fadeSlider.setEnabled(node is not None and node.resultVolume is not None)
            display = shown.GetDisplayNode() if shown is not None else None
            ui.gridCheckBox.setEnabled(shown is not None)
            ui.gridCheckBox.checked = bool(display is not None and display.GetVisibility() and display.GetVisibility2D())
            ui.moveCheckBox.setEnabled(transform is not None and moving is not None)
            ui.moveCheckBox.checked = bool(transform is not None and moving is not None and result_view.isMoved(moving, transform))
        finally:
            self._updating = False
        there = hasattr(slicer.modules, "deepreginspector")
        ui.inspectButton.setEnabled(transform is not None and there)
        ui.inspectButton.toolTip = (
            _("Open the result in the module Registration Inspector.")
            if there
            else _("The module Registration Inspector is not installed.")
        )

    def _onGrid(self, on: bool) -> None:
        if not self._updating and self.shownTransform() is not None:
            result_view.showGrid(self.shownTransform(), self.node.fixedVolume, bool(on))

    def _onMove(self, on: bool) -> None:
        node = self.node
        if not self._updating and node is not None and node.resultTransform is not None and node.movingVolume is not None:
            result_view.moveThrough(node.movingVolume, node.resultTransform, bool(on))

    def _onInspect(self, *_arguments: Any) -> None:
        node = self.node
        slicer.util.selectModule("DeepRegInspector")
        slicer.modules.deepreginspector.widgetRepresentation().self().inspect(
            node.resultTransform,
            fixedVolume=node.fixedVolume,
            movingVolume=node.movingVolume,
            fixedPoints=node.testFixed,
            movingPoints=node.testMoving,
            fixedLabels=node.fixedLabels,
            movingLabels=node.movingLabels,
            inverseTransform=self._inverseOf(node.resultTransform),
        )

    def _inverseOf(self, transform: Any) -> Any:
        """The inverse that was computed with a result; None without one."""
        created = transform.GetAttribute(f"{PREFIX}Created")
        for other in slicer.util.getNodesByClass("vtkMRMLTransformNode"):
            if created and other.GetAttribute(f"{PREFIX}Output") == "inverse" and other.GetAttribute(f"{PREFIX}Created") == created:
                return other
        return None

    # --------------------------------------------------------------------- end

    def cleanup(self) -> None:
        """Stop what runs and follow nothing any more."""
        if self.run is not None:
            self.run.drop()
            self.run = None
        self.setParameterNode(None)
        self.fixedSegment.cleanup()
        self.movingSegment.cleanup()
        self.features.cleanup()
        self.client.busyChanged.disconnect(self._onBusy)
        self.client.release(self)


def _isPlainVolume(node: Any) -> bool:
    return node.GetClassName() == "vtkMRMLScalarVolumeNode" and node.GetImageData() is not None and not node.GetHideFromEditors()


def _there(*nodes: Any) -> bool:
    """Whether all are nodes of the scene: what was made may be gone again a moment later."""
    return all(node is not None and node.GetScene() is slicer.mrmlScene for node in nodes)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"
