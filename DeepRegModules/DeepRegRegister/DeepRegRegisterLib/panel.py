"""The panel of the module Register: it connects its sections with each other, with the parameter node and with the scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer import results
from deepreg_slicer.appearance import CAUTION
from deepreg_slicer.concern_section import ConcernSection
from deepreg_slicer.errors import NodeError
from deepreg_slicer.look_section import LookSection
from deepreg_slicer.node_widgets import connectWidgets, replaceUnknownChoices
from deepreg_slicer.parameter_sets import presentSet
from deepreg_slicer.provenance import readReport
from deepreg_slicer.registration import Registration
from deepreg_slicer.request import inScene
from deepreg_slicer.side_views import SideBySide
from deepreg_slicer.timers import makeTimer, releaseTimer
from deepreg_slicer.torch_state import knownMissing
from deepreg_slicer.transforms import interpolateLinearly
from deepreg_slicer.wording import sentence
from deepreg_slicer.worker_client import workerClient
from DeepRegRegisterLib.banner import InstallBanner
from DeepRegRegisterLib.bring_section import BringSection
from DeepRegRegisterLib.contents import ContentReader
from DeepRegRegisterLib.images_section import ImagesSection
from DeepRegRegisterLib.report_button import ReportButton
from DeepRegRegisterLib.results_section import ResultsSection
from DeepRegRegisterLib.run import RegisterResult, makeRequest, makeRun
from DeepRegRegisterLib.run_section import RegisterRunSection
from DeepRegRegisterLib.structures_dialog import StructuresDialog
from DeepRegRegisterLib.task_section import TaskSection, showRegion

# Delay after which the panel follows changes of the scene, ms; many changes then cost one refresh.
_DELAY = 30


class RegisterPanel:
    """The panel.

    Args:
        ui: the widgets of the ``.ui`` file.
        logic: of the module.
        moduleName: of the module.
    """

    def __init__(self, ui: Any, logic: Any, moduleName: str) -> None:
        self.ui, self.logic, self.moduleName = ui, logic, moduleName
        self.title = _("Register")
        self.node: Any = None
        self.updating = False
        self._tags: list[Any] = []
        self._observers: list[tuple[Any, int]] = []
        self._pair: tuple[Any, Any] = (None, None)
        # The result whose lines are shown; the volumes with which the run began.
        self._outcome: Any = None
        self._registered: tuple[Any, Any] = (None, None)
        self._resting = False
        #: The window with the table of structures; None while it is closed.
        self.structures: StructuresDialog | None = None
        self.client = workerClient()
        self.client.acquire(self)
        self.client.busyChanged.connect(self._onBusy)
        self._timer = makeTimer(_DELAY, self.refresh, once=True)
        self.contents = ContentReader(self.refreshSoon)
        #: Compares the shown result with the fixed volume; and the volumes, or two results, side by side.
        self.look, self.sides = LookSection(ui), SideBySide()
        self.runSection = RegisterRunSection(self)
        self.concerns = ConcernSection(ui.concernLabel)
        self.banner = InstallBanner(self)
        self.images = ImagesSection(self)
        self.task = TaskSection(self)
        self.bring = BringSection(self)
        self.results = ResultsSection(self)
        self.reportButton = ReportButton(self)
        ui.setUpButton.setVisible(False)  # the banner installs what is missing
        ui.structuresButton.connect("clicked(bool)", lambda *_args: self.showStructures())
        self.runSection.finished.connect(self._onFinished)
        scene = slicer.mrmlScene
        self._sceneTag = scene.AddObserver(scene.NodeAddedEvent, lambda *_args: self._onScene())

    @property
    def run(self) -> Registration | None:
        """The run that has begun and not yet ended."""
        return self.runSection.run

    @property
    def busy(self) -> bool:
        """Whether anything is being computed for this panel, or for another one."""
        return self.run is not None or self.bring.task is not None or self.reportButton.task is not None or self.client.computing

    @property
    def showing(self) -> bool:
        """Whether a result is still being added to the views, or something comes along with it."""
        return self.results.showing or self.bring.task is not None or self.look.busy or self.sides.busy

    # ---------------------------------------------------------- parameter node

    def initialize(self) -> None:
        """Show the parameter set of the scene; choose the volumes if there are just two."""
        if self._resting:  # the views were put back when the module was left
            self._resting, self._pair = False, (None, None)
        self.setParameterNode(presentSet(self))
        self.images.choose()
        self.look.resume()

    def rest(self) -> None:
        """Put the views back when the module is left."""
        self._resting = True
        self.look.rest()
        self.sides.leave()

    def onImported(self) -> None:
        """Follow a scene that has been loaded into this one."""
        for transform in results.results():
            interpolateLinearly(transform)
        before = self.node
        if before is not None and before.fixedVolume is None and before.movingVolume is None:
            for mrml in reversed(self.logic.getAllParameterNodes()):
                loaded = self.logic.wrap(mrml)
                if mrml is not before.parameterNode and (loaded.fixedVolume is not None or loaded.movingVolume is not None):
                    self.setParameterNode(loaded)
                    slicer.mrmlScene.RemoveNode(before.parameterNode)
                    break
        self.initialize()

    def setParameterNode(self, node: Any) -> None:
        """Show another parameter node; None shows none."""
        if self.node is not None and node is not None and self.node.parameterNode is node.parameterNode:
            self.refresh()
            return
        if self.node is not None:
            for tag in self._tags:
                self.node.disconnectGui(tag)
        self._observe([])
        self.node, self._tags = node, []
        self.results.history.clear()
        if node is None:
            self._pair, self._outcome = (None, None), None
            self.results.forget()
            self.look.clear()
            self.sides.leave()
            self._closeStructures()
            return
        replaced = replaceUnknownChoices(node)
        self._tags = [connectWidgets(node, self.ui)]
        self.refresh()
        if node.result is not None:
            self._pair = (node.fixedVolume, node.movingVolume)
            self.showOutcome(node.result)
        if replaced:
            self.runSection.showMessage(replaced, bad=True)

    def _observe(self, nodes: list[tuple[Any, int]]) -> None:
        for node, tag in self._observers:
            node.RemoveObserver(tag)
        self._observers = [(node, node.AddObserver(event, lambda *_args: self.refreshSoon())) for node, event in nodes]

    def _watch(self) -> None:
        """Observe the parameter node, and the nodes whose contents decide whether a run is possible."""
        node, modified = self.node, vtk.vtkCommand.ModifiedEvent
        volumes = [(each, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent) for each in (node.fixedVolume, node.movingVolume)]
        others = [(each, modified) for each in (node.box, node.mask, node.fixedPoints, node.movingPoints)]
        wanted = [(each, event) for each, event in [(node.parameterNode, modified), *volumes, *others] if each is not None]
        self._observe(wanted)

    # ----------------------------------------------------------------- refresh

    def refreshSoon(self) -> None:
        """Refresh in a moment, once for all changes until then."""
        self._timer.start()

    def _onScene(self) -> None:
        if self.node is not None and not slicer.mrmlScene.IsClosing() and not slicer.mrmlScene.IsImporting():
            self.refreshSoon()

    def onNodeRemoved(self) -> None:
        """React to the removal of a node, which may be an input or a result."""
        self._onScene()

    def onUndone(self) -> None:
        """Take note that undo or redo has changed the scene."""
        self.refreshSoon()

    def refresh(self) -> None:
        """Update all widgets from the parameter node and the scene."""
        if self.node is None or self.updating or slicer.mrmlScene.IsClosing() or self.node.parameterNode.GetScene() is None:
            return
        self.updating = True
        try:
            self.images.choose()
            self._followResult()
            self.banner.update()
            for section in (self.images, self.task, self.bring, self.results):
                section.update()
            showRegion(self.node)
            self._watch()
        finally:
            self.updating = False
        self._followPair()
        self._updateConcerns()
        self.checkCanApply()

    def _updateConcerns(self) -> None:
        """Look for what is wrong with the pair, as soon as it is known what both volumes are."""
        contents = self.contents.pair(self.node)
        if self.node.fixedVolume is not self.node.movingVolume and None not in contents:
            self.concerns.update(self.node.fixedVolume, self.node.movingVolume, contents=contents)
        elif not self.contents.busy:
            self.concerns.update(None, None)

    def _followResult(self) -> None:
        """When the shown result was removed in another module, show the latest remaining one, or the volumes if there is none."""
        if self.run is None and self._outcome is not None and not inScene(self._outcome):
            left = results.results()
            self.node.result = left[-1] if left else None
            self.showOutcome(None)
            self.look.clear()
            if left:
                self.results.show(left[-1])
            else:
                self.showPair()

    # ------------------------------------------------------------------- views

    def _followPair(self) -> None:
        """Show the volumes when others are chosen."""
        pair = (self.node.fixedVolume, self.node.movingVolume)
        if not self._resting and any(new is not old for new, old in zip(pair, self._pair, strict=True)):
            self._pair = pair
            if self.node.result is not None and results.endsOf(self.node.result) != pair:
                self.node.result = None
                self.showOutcome(None)
            self.showPair()

    def showPair(self) -> None:
        """Show the two volumes side by side, unless a result is shown."""
        fixed, moving = self._pair
        if self.node.result is not None:
            return
        self.look.clear()
        if fixed is not None and moving is not None and fixed is not moving:
            self.sides.showPair(fixed, moving)
        else:
            self.sides.leave()

    def showResult(self, transform: Any) -> None:
        """Compare the warped volume of a result with the fixed one; without a warped one the views stay as they are."""
        fixed, moving = results.endsOf(transform)
        warped = results.nodeOf(transform, "volume")
        if fixed is not None and warped is not None:
            self.sides.leave(lambda: self.look.show(fixed, warped, moving, transform))

    def compare(self, fixed: Any, volumes: list[Any]) -> None:
        """Show two warped volumes side by side, each over the fixed one."""
        if all(inScene(volume) for volume in (fixed, *volumes)):
            self.look.rest()
            self.sides.showResults(fixed, *volumes)

    def showOutcome(self, transform: Any) -> None:
        """Show the lines of a result: its verdict and summary; None shows none."""
        self._outcome = transform
        report = readReport(transform) if transform is not None else None
        self.runSection.showOutcome(report)

    def showStructures(self) -> None:
        """Open the table of the structures of the chosen result."""
        table = results.nodeOf(self.node.result, "structures") if self.node.result is not None else None
        if table is not None:
            self._closeStructures()
            self.structures = StructuresDialog(table)
            self.structures.show()

    def _closeStructures(self) -> None:
        if self.structures is not None:
            self.structures.close()
            self.structures = None

    # --------------------------------------------------------------------- run

    def request(self) -> Any:
        """Return the request that Apply submits."""
        node = self.node
        nodes = {"fixed": node.fixedVolume, "moving": node.movingVolume, **self.task.regionNodes(), **self.task.pointNodes()}
        return makeRequest(self.task.plan(), nodes)

    def makeRun(self, request: Any) -> Registration:
        """Return a run, not yet started."""
        self._registered = (self.node.fixedVolume, self.node.movingVolume)
        return makeRun(request, self.task.plan(), self.client)

    def problem(self) -> str:
        """Return the reason why a run is not possible now; "" if it is possible."""
        if self.node is None:
            return _("there is no scene")
        if knownMissing():
            return _("not installed: {names}; press Install above").format(names=", ".join(knownMissing()))
        missing = self.task.problem()
        if missing:
            return missing
        try:
            self.request().check()
        except NodeError as error:
            return str(error)
        return _("another computation is running: wait for its end") if self.busy else ""

    def checkCanApply(self) -> None:
        """Enable Apply if a run is possible; else the line above it shows the reason."""
        if self.run is not None:
            return
        problem = self.problem()
        button = self.ui.applyButton
        button.setEnabled(not problem)
        button.toolTip = sentence(problem) or _("Register the moving volume to the fixed volume. Keys: Ctrl+Return.")
        self.runSection.showReason(problem)

    def apply(self) -> None:
        """Start a run."""
        self.runSection.apply()

    def cancel(self) -> None:
        """Stop the run, or what comes along with it."""
        self.runSection.cancel()
        self.bring.cancel()

    def _onFinished(self, result: RegisterResult) -> None:
        transform = result.nodes["transform"]
        self.results.take(transform)
        ticked = self.bring.ticked()
        if ticked and self._registered != (self.node.fixedVolume, self.node.movingVolume):
            self.bring.showMessage(_("Other volumes were chosen during the run: nothing has come along with its result."), CAUTION)
        elif ticked:
            self.bring.start(transform, ticked)
        self.refresh()

    def _onBusy(self, _busy: bool) -> None:
        self.refreshSoon()

    def keys(self) -> dict[str, Callable[[], None]]:
        """Return what the keys of the panel do."""
        return {"Ctrl+Return": self.runSection.applyByKey, "Ctrl+Enter": self.runSection.applyByKey, "Escape": self.cancel}

    def firstWidget(self) -> Any:
        """Return the widget that has the focus when the panel is entered: the first input without a choice, or Apply."""
        selectors = (self.ui.fixedSelector, self.ui.movingSelector)
        return next((selector for selector in selectors if selector.currentNode() is None), self.ui.applyButton)

    # --------------------------------------------------------------------- end

    def cleanup(self) -> None:
        """Stop all computations, and remove all observers."""
        self.runSection.drop()
        for section in (self.bring, self.task, self.reportButton, self.contents):
            section.cleanup()
        self.concerns.stop()
        self.look.cleanup()
        self.sides.cleanup()
        self.setParameterNode(None)
        releaseTimer(self._timer)
        slicer.mrmlScene.RemoveObserver(self._sceneTag)
        self.client.busyChanged.disconnect(self._onBusy)
        self.client.release(self)
