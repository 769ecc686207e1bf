"""The panel of a registration method: parameter sets, inputs and parameters. Presets, the run and its result have sections of their own.

A method's own panel derives from :class:`MethodPanel` and adds the parts of the method.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_engine.errors import EngineError
from deepreg_engine.methods.common.parameters import DEVICES
from deepreg_engine.methods.registry import find_method
from deepreg_slicer.concern_section import ConcernSection
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.errors import NodeError
from deepreg_slicer.estimate import memoryOf
from deepreg_slicer.feature_chooser import FeatureChooser
from deepreg_slicer.look_section import LookSection
from deepreg_slicer.node_widgets import connectWidgets, replaceUnknownChoices
from deepreg_slicer.parameter_form import ParameterForm
from deepreg_slicer.parameter_node import ALWAYS, inputsOf, outputsOf
from deepreg_slicer.parameter_pack import valuesOf
from deepreg_slicer.parameter_sets import ParameterSetSelector, presentSet
from deepreg_slicer.preset_section import PresetSection
from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.registration import Registration
from deepreg_slicer.request import Request
from deepreg_slicer.result_section import ResultSection
from deepreg_slicer.result_view import drawLoadedGrids
from deepreg_slicer.run_section import RunSection
from deepreg_slicer.segment_selector import SegmentChooser
from deepreg_slicer.slot_nodes import inputSlots, outputSlots, wantedField
from deepreg_slicer.torch_state import knownMissing, packagesToInstall
from deepreg_slicer.transforms import interpolateLinearly
from deepreg_slicer.wording import sentence
from deepreg_slicer.worker_client import workerClient

# Changes of the content of an input, which affect whether Apply is possible.
_CONTENT_EVENTS = {
    "image": (slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,),
    "points": (
        vtk.vtkCommand.ModifiedEvent,
        slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent,
        slicer.vtkMRMLMarkupsNode.PointRemovedEvent,
        slicer.vtkMRMLMarkupsNode.PointPositionUndefinedEvent,
    ),
}
_CONTENT_EVENTS["cloud"] = (*_CONTENT_EVENTS["points"], slicer.vtkMRMLModelNode.PolyDataModifiedEvent)


class MethodPanel:
    """A method's panel.

    Args:
        ui: the widgets of the ``.ui`` file.
        logic: of the module.
        moduleName: for parameter sets.

    Derived classes set the class attributes.
    """

    #: Name of the method.
    method = ""
    #: Parameters that describe the inputs: their widgets are beside these, and a preset keeps what the user has set.
    inputParameters: tuple[str, ...] = ()
    #: What Apply does, for its tool tip.
    applyHelp = _("Register the moving volume to the fixed volume.")
    #: Chooses the segment of a mask.
    segmentChooser = SegmentChooser
    #: Shows results.
    resultSectionClass = ResultSection

    def __init__(self, ui: Any, logic: Any, moduleName: str) -> None:
        self.ui, self.logic, self.moduleName = ui, logic, moduleName
        #: The method as the engine declares it.
        self.engine = find_method(self.method)
        self.title = engineText(self.engine.title)
        self.node: Any = None
        self._tags: list[Any] = []
        self._observer: tuple[Any, int] | None = None
        self._watched: dict[tuple[Any, int], int] = {}
        self.updating = False
        self.client = workerClient()
        self.client.acquire(self)
        self.client.busyChanged.connect(self._onBusy)
        self.build()
        self.connect()
        self.presetSection = PresetSection(self)
        self.runSection = RunSection(self)
        self.concernSection = ConcernSection(ui.concernLabel)
        self.concernSection.changed.connect(self.runSection.messageShown.emit)
        self.resultSection = self.resultSectionClass(self)
        self.runSection.finished.connect(self.resultSection.take)

    @property
    def run(self) -> Registration | None:
        """The run that has begun and not yet ended."""
        return self.runSection.run

    @property
    def showing(self) -> bool:
        """Whether a result is still being added to the views."""
        return self.resultSection.showing or self.look.busy

    @property
    def look(self) -> LookSection:
        """The section that compares the result with the fixed volume."""
        return self.resultSection.look

    def rest(self) -> None:
        """Put back what the panel has added to the views, when the module is left."""
        self.look.rest()

    # ------------------------------------------------------------------- build

    def build(self) -> None:
        """Make the widgets that are not loaded."""
        ui = self.ui
        ui.deviceComboBox.addItems(list(DEVICES))
        layout = ui.advancedCollapsibleButton.findChild(qt.QFormLayout, "parametersLayout")
        self.features = self.featureChooser()
        self.form = ParameterForm(self.engine.parameters, layout, {"features": self.features.widget}, self.inputParameters)
        self.fixedSegment = self.segmentChooser(ui.fixedMaskSelector, ui.fixedMaskSegmentComboBox)
        self.movingSegment = self.segmentChooser(ui.movingMaskSelector, ui.movingMaskSegmentComboBox)
        # The tick boxes of outputs are the labels of their rows; without a tick the node cannot be chosen.
        for name, widgets in self.outputWidgets().items():
            box = getattr(ui, f"{name}CheckBox")
            for widget in widgets:
                box.connect("toggled(bool)", widget.setEnabled)
                widget.setEnabled(box.checked)

    def outputWidgets(self) -> dict[str, list[Any]]:
        """Return the widgets that a tick box enables, by the field of the tick box."""
        widgets: dict[str, list[Any]] = {}
        for slot in outputSlots(self.method):
            if slot.node != ALWAYS:
                widgets.setdefault(wantedField(slot), []).append(getattr(self.ui, f"{slot.node}OutputSelector"))
        return widgets

    def featureChooser(self) -> FeatureChooser:
        """Return the widget for the parameter that names features."""
        return FeatureChooser(self.method)

    def connect(self) -> None:
        """Connect the widgets."""
        ui = self.ui
        self.parameterSets = ParameterSetSelector(self, ui.parameterNodeSelector, self.moduleName, self.title)
        ui.setUpButton.connect("clicked(bool)", lambda *_args: slicer.util.selectModule("DeepReg"))
        self.fixedSegment.changed.connect(self._onSegment)
        self.movingSegment.changed.connect(self._onSegment)
        self.features.changed.connect(self._onFeatures)

    # ---------------------------------------------------------- parameter sets

    def initialize(self) -> None:
        """Show the parameter set that was shown before, or the scene's first one; choose inputs if it has none."""
        drawLoadedGrids()  # of a scene that was loaded before this module was opened
        self.setParameterNode(presentSet(self))
        if not self.hasInputs(self.node):
            self.chooseInputs(self.node)
        if self.run is None:
            self.look.resume()

    def hasInputs(self, node: Any) -> bool:
        """Return whether something to register is chosen in a parameter set."""
        return node.fixedVolume is not None or node.movingVolume is not None

    def chooseInputs(self, node: Any) -> None:
        """Choose the volumes of the scene if there are just two."""
        volumes = [volume for volume in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if _isPlainVolume(volume)]
        if len(volumes) == 2:
            node.fixedVolume, node.movingVolume = volumes

    def onImported(self) -> None:
        """Show, after a scene has been loaded into this one, its parameter set, unless inputs were chosen here already."""
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

    def onUndone(self) -> None:
        """Take note that undo or redo has changed the scene."""
        if self.node is not None:
            self.resultSection.update()

    def setParameterNode(self, node: Any) -> None:
        """Show another parameter set; None shows none."""
        if self.node is not None and node is not None and self.node.parameterNode is node.parameterNode:
            # Slicer 5.10 does not remove the observers of a connection: nothing is connected again.
            self.update()
            self.resultSection.update()
            return
        if self.node is not None:
            for tag in self._tags:
                self.node.disconnectGui(tag)
            if self._observer is not None:
                observed, observer = self._observer
                observed.RemoveObserver(observer)
        self.node, self._tags, self._observer = node, [], None
        self._watchInputs()
        if node is None:
            return
        mrml = node.parameterNode
        replaced = replaceUnknownChoices(node)
        known = mrml.GetParameter("preset") != ""
        if not known:
            self.presetSection.apply(self.presetSection.library.find(node.preset))
        self._tags = [connectWidgets(node, self.ui), self.form.connectTo(node, "parameters")]
        self._observer = (mrml, mrml.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_args: self.update()))
        self.parameterSets.show(mrml)
        self.update()
        self.resultSection.update()
        if replaced:
            self.runSection.log(replaced)
            self.runSection.showMessage(replaced, bad=True)

    def values(self) -> dict[str, Any]:
        """Return all parameters of the present set."""
        return valuesOf(self.node.parameters, self.engine.parameters)

    # --------------------------------------------------------------- can apply

    def update(self) -> None:
        """Update the widgets from the parameter set."""
        if self.node is None or self.updating:
            return
        self.updating = True
        try:
            node = self.node
            self.fixedSegment.segmentId = node.fixedMaskSegment
            self.movingSegment.segmentId = node.movingMaskSegment
            self.features.show(node.parameters.features)
            self.presetSection.show()
            self._showMemory()
        finally:
            self.updating = False
        self._watchInputs()
        self.checkCanApply()

    def _watchInputs(self) -> None:
        """Observe the content of the inputs that are chosen: points may be added, volumes filled."""
        slots = inputSlots(self.method) if self.node is not None else []
        wanted = {
            (node, event): 0
            for slot in slots
            for event in _CONTENT_EVENTS.get(slot.kind, ())
            if (node := getattr(self.node, slot.node)) is not None
        }
        for (node, event), tag in self._watched.items():
            if (node, event) in wanted:
                wanted[node, event] = tag
            else:
                node.RemoveObserver(tag)
        self._watched = {
            (node, event): tag or node.AddObserver(event, lambda *_args: self.checkCanApply()) for (node, event), tag in wanted.items()
        }

    def _onSegment(self) -> None:
        if self.node is not None and not self.updating:
            self.node.fixedMaskSegment = self.fixedSegment.segmentId
            self.node.movingMaskSegment = self.movingSegment.segmentId

    def _onFeatures(self, name: str) -> None:
        if self.node is not None and not self.updating:
            self.node.parameters.features = name

    def request(self) -> Request:
        """Return the request that Apply submits."""
        node = self.node
        inputs, outputs = inputsOf(node, self.method), outputsOf(node, self.method)
        return Request(self.method, inputs, outputs, self.presetSection.values(), node.preset, node.device)

    def problem(self) -> str:
        """Return the reason why a computation is not possible now; "" if it is possible."""
        if self.node is None:
            return _("there is no parameter set")
        missing = knownMissing()
        if missing:
            return _("not installed: {names}; press the button below").format(names=", ".join(missing))
        try:
            self.request().check()
        except NodeError as error:
            return str(error)
        return _("another computation is running: wait for its end") if self.client.computing else ""

    def checkCanApply(self) -> None:
        """Enable Apply if a computation is possible; else the line above it shows the reason."""
        if self.run is not None:
            return
        problem = self.problem()
        self.ui.setUpButton.setVisible(bool(packagesToInstall()))
        button = self.ui.applyButton
        button.setEnabled(not problem)
        button.toolTip = sentence(problem) or _("{help} Keys: Ctrl+Return.").format(help=self.applyHelp)
        self.runSection.showReason(problem)
        self._checkPair()

    def _checkPair(self) -> None:
        """Look for what is wrong with the chosen volumes; it is shown above Apply."""
        if self.node is None:
            self.concernSection.update(None, None)
            return
        fixed, moving = self.request().inputs.ends
        self.concernSection.update(fixed, moving, getattr(self.node.parameters, "features", ""))

    def _onBusy(self, _busy: bool) -> None:
        self.checkCanApply()

    def _showMemory(self) -> None:
        node = self.node
        if node.fixedVolume is None or node.movingVolume is None:
            self.ui.memoryLabel.text = "-"
            return
        try:
            needed = memoryOf(self.method, node.fixedVolume, node.movingVolume, self.values())
            self.ui.memoryLabel.text = _("about {size:.1f} GB").format(size=needed / 1e9)
        except (NodeError, EngineError, ValueError, ImportError):
            self.ui.memoryLabel.text = "-"

    # --------------------------------------------------------------------- run

    def makeRun(self, request: Request) -> Registration:
        """Return a run, not yet started."""
        return Registration(request, self.client)

    def apply(self) -> None:
        """Start a run."""
        self.runSection.apply()

    def cancel(self) -> None:
        """Stop the run."""
        self.runSection.cancel()

    def keys(self) -> dict[str, Callable[[], None]]:
        """Return what the keys of the panel do."""
        return {"Ctrl+Return": self.runSection.applyByKey, "Ctrl+Enter": self.runSection.applyByKey, "Escape": self.cancel}

    def firstWidget(self) -> Any:
        """Return the widget that has the focus when the panel is entered: the first input without a choice, or Apply."""
        selectors = (self.ui.fixedSelector, self.ui.movingSelector)
        return next((selector for selector in selectors if selector.currentNode() is None), self.ui.applyButton)

    # --------------------------------------------------------------------- end

    def cleanup(self) -> None:
        """Stop the run, and remove all observers."""
        self.runSection.drop()
        self.setParameterNode(None)
        self.concernSection.stop()
        self.resultSection.cleanup()
        self.fixedSegment.cleanup()
        self.movingSegment.cleanup()
        self.features.cleanup()
        self.client.busyChanged.disconnect(self._onBusy)
        self.client.release(self)


def _isPlainVolume(node: Any) -> bool:
    return node.GetClassName() == "vtkMRMLScalarVolumeNode" and node.GetImageData() is not None and not node.GetHideFromEditors()
