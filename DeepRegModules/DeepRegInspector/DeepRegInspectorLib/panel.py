"""The Inspector's panel."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_engine.errors import EngineError
from deepreg_engine.geometry.points import PointSet, read_points, write_points
from deepreg_slicer import result_view
from deepreg_slicer.choice_box import ChoiceBox
from deepreg_slicer.cooperative import Cooperative
from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.torch_state import missingPackages
from deepreg_slicer.transforms import interpolateLinearly
from deepreg_slicer.volumes import NodeError, mapPoints, newNode, setVolume
from deepreg_slicer.wheel_guard import WheelGuard
from deepreg_slicer.worker_client import workerClient
from DeepRegInspectorLib import charts, fields, overlay, views
from DeepRegInspectorLib.landmarks import PROPOSED, Pairs, asCsv, definedIndices, pairsOf, positions
from DeepRegInspectorLib.mapping import FLIP, FixedToMoving, belowTransform, gridOf, isBelow, ownGrid
from DeepRegInspectorLib.matching import Matcher
from DeepRegInspectorLib.overlap import OverlapRun
from DeepRegInspectorLib.probe import Probe
from DeepRegInspectorLib.running import regionOf
from DeepRegInspectorLib.table import PairsTable

_POINT_EVENTS = (
    slicer.vtkMRMLMarkupsNode.PointModifiedEvent, slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent, slicer.vtkMRMLMarkupsNode.PointRemovedEvent,
    slicer.vtkMRMLMarkupsNode.PointPositionUndefinedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent, vtk.vtkCommand.ModifiedEvent,
)
_TRANSFORM_EVENTS = (slicer.vtkMRMLTransformableNode.TransformModifiedEvent,)
_VOLUME_EVENTS = (slicer.vtkMRMLTransformableNode.TransformModifiedEvent, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent)
_FLICKER = 500  # ms
_FILES = "Points (*.csv *.fcsv *.mrk.json *.json)"
_DISPLAYS = (
    ("none", _("not shown"), _("The transform is not drawn.")),
    ("grid", _("grid"), _("A regular grid, as the transform bends it when it is applied to the moving volume.")),
    ("glyphs", _("arrows"), _("Where the transform moves points of the moving volume; coloured by length.")),
    ("contours", _("contours"), _("Lines of equal displacement.")),
)
_OVERLAYS = (
    ("none", _("not shown"), _("Only the fixed volume.")),
    ("fade", _("fade"), _("The warped moving volume over the fixed one.")),
    ("checkerboard", _("checkerboard"), _("Fields of one and of the other in turn: edges must go on from field to field.")),
    ("flicker", _("flicker"), _("One and the other in turn: what moves is not aligned.")),
    ("difference", _("difference"), _("Warped minus fixed. It says something only where both have the same contrast.")),
)
_MAPS = (
    ("none", _("not shown"), _("No map.")),
    ("jacobian", _("Jacobian"), _("Local change of volume: 1 is none, below 1 the fixed side is larger; 0 or less is a fold, marked in magenta.")),
    ("displacement", _("displacement"), _("Length of the displacement, mm.")),
)


class InspectorPanel:
    """Shows what a registration did.

    Args:
        ui: the widgets of the ``.ui`` file.
        logic: of the module.
        moduleName: for parameter sets.
    """

    def __init__(self, ui: Any, logic: Any, moduleName: str) -> None:
        self.ui, self.logic, self.moduleName = ui, logic, moduleName
        self.node: Any = None
        self.pairs: Pairs = pairsOf(None, None, None)
        self._tags: list[Any] = []
        self._observed: dict[str, tuple[Any, list[int]]] = {}
        self._nodeObserver: tuple[Any, int] | None = None
        self._known: dict[str, Any] = {}
        self._proposals: dict[str, np.ndarray] = {}
        self._matcher: tuple[Any, Matcher] | None = None
        self._updating = False
        self._isNew = False  # whether the last pair was just proposed
        self._shownAs: tuple[Any, ...] = ()
        self._tips: dict[Any, str] = {}
        self._interaction: tuple[Any, int] | None = None
        self._work: Cooperative | None = None
        self._run: OverlapRun | None = None
        self._warped: tuple[np.ndarray, np.ndarray, Any] | None = None
        self._maps: fields.Maps | None = None
        self._otherFigures: dict[str, Any] | None = None
        self._reports: list[dict[str, Any]] = []
        self._consistency = ""
        self._linked: list[tuple[Any, int]] = []
        self._slicePlaces: dict[str, np.ndarray] = {}
        self._mapping = FixedToMoving(None)
        self.client = workerClient()
        self.client.acquire(self)
        self._build()
        self._connect()

    # ------------------------------------------------------------------- build

    def _build(self) -> None:
        ui = self.ui
        ui.parameterNodeSelector.addAttribute("vtkMRMLScriptedModuleNode", "ModuleName", self.moduleName)
        self.table = PairsTable(ui.pairsTable)
        self.display = ChoiceBox(ui.displayComboBox, _DISPLAYS)
        self.overlay = ChoiceBox(ui.overlayComboBox, _OVERLAYS)
        self.map = ChoiceBox(ui.mapComboBox, _MAPS)
        menu = qt.QMenu(ui.pointsMenuButton)
        self._actions = {}
        for name, title, slot in (
            ("propose", _("Propose partners of points that have none"), self._onProposeMissing),
            ("importFixed", _("Import fixed landmarks..."), lambda: self._onImport("fixed")),
            ("importMoving", _("Import moving landmarks..."), lambda: self._onImport("moving")),
            ("exportFixed", _("Export fixed landmarks..."), lambda: self._onExport("fixed")),
            ("exportMoving", _("Export moving landmarks..."), lambda: self._onExport("moving")),
            ("exportTable", _("Export table..."), self._onExportTable),
        ):
            action = menu.addAction(title)
            action.connect("triggered()", slot)
            self._actions[name] = action
        ui.pointsMenuButton.setMenu(menu)
        ui.progressBar.setVisible(False)
        ui.overlapTable.verticalHeader().setVisible(False)
        ui.overlapTable.verticalHeader().setDefaultSectionSize(22)
        ui.overlapTable.setVisible(False)
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self.refresh)
        self._flicker = qt.QTimer()
        self._flicker.setInterval(_FLICKER)
        self._flicker.connect("timeout()", self._onFlicker)
        self._flickerOn = False
        self.probe = Probe(self._sayProbe)
        self._wheelGuard = WheelGuard(ui.inputsCollapsibleButton.parentWidget())

    def _connect(self) -> None:
        ui = self.ui
        ui.parameterNodeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onParameterSet)
        ui.pickButton.connect("toggled(bool)", self._onPick)
        ui.acceptButton.connect("clicked(bool)", self._onAccept)
        ui.removeButton.connect("clicked(bool)", self._onRemove)
        ui.sideBySideButton.connect("toggled(bool)", self._onSideBySide)
        ui.vectorsButton.connect("toggled(bool)", self._onVectors)
        ui.histogramButton.connect("clicked(bool)", self._onHistogram)
        ui.spacingSlider.connect("valueChanged(double)", lambda _value: self._showDeformation())
        ui.overlaySlider.connect("valueChanged(double)", lambda _value: self._onMix())
        ui.compareButton.connect("clicked(bool)", self._onMeasure)
        self.display.changed.connect(lambda value: self._set("display", value))
        self.overlay.changed.connect(self._onOverlay)
        self.map.changed.connect(self._onMap)
        self.table.selected.connect(self._onSelected)
        self.table.ticked.connect(self._onTicked)

    @property
    def busy(self) -> bool:
        """Whether something is being made."""
        return self._work is not None or self._run is not None or self._timer.isActive()

    # ---------------------------------------------------------- parameter sets

    def initialize(self) -> None:
        """Show the parameter set of the scene; make one if there is none."""
        self.setParameterNode(self.logic.getParameterNode())
        if self.node.transform is None:
            made = [node for node in slicer.util.getNodesByClass("vtkMRMLTransformNode") if node.GetAttribute("DeepReg.Output") == "transform"]
            if made:
                self.inspect(made[-1])

    def inspect(self, transform: Any, **inputs: Any) -> None:
        """Show a result.

        Args:
            transform: the node.
            inputs: further inputs by their names in the parameter node; None leaves what is chosen.
        """
        if self.node is None:
            self.setParameterNode(self.logic.getParameterNode())
        mrml = self.node.parameterNode
        state = mrml.StartModify()
        try:
            self.node.transform = transform
            for name, value in inputs.items():
                if value is not None:
                    setattr(self.node, name, value)
        finally:
            mrml.EndModify(state)

    def onImported(self) -> None:
        """A scene was loaded into this one: go on with what it brings, unless something is inspected here already."""
        before = self.node
        if before is not None and before.transform is None and before.fixedPoints is None:
            for mrml in reversed(self.logic.getAllParameterNodes()):
                loaded = self.logic.wrap(mrml)
                if mrml is not before.parameterNode and loaded.transform is not None:
                    self.setParameterNode(loaded)
                    slicer.mrmlScene.RemoveNode(before.parameterNode)
                    return
        self.initialize()

    def setParameterNode(self, node: Any) -> None:
        """Show another parameter set; None shows none."""
        if self.node is not None and node is not None and self.node.parameterNode is node.parameterNode:
            self._resume()
            return
        self.rest()
        if self.node is not None:
            for tag in self._tags:
                self.node.disconnectGui(tag)
            if self._nodeObserver is not None:
                self._nodeObserver[0].RemoveObserver(self._nodeObserver[1])
        self.node, self._tags, self._nodeObserver = node, [], None
        self._known, self._warped, self._maps, self._reports, self._consistency = {}, None, None, [], ""
        self._proposals.clear()
        for name in list(self._observed):
            self._observe(name, None, ())
        if node is None:
            self._timer.stop()
            return
        mrml = node.parameterNode
        self._tags = [node.connectGui(self.ui)]
        self._nodeObserver = (mrml, mrml.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onNodeModified))
        if self.ui.parameterNodeSelector.currentNode() is not mrml:
            self.ui.parameterNodeSelector.setCurrentNode(mrml)
        self._onNodeModified()
        self.refresh()
        self._resume()

    def _resume(self) -> None:
        """Follow again what moves."""
        self._showProbe()
        if views.isSideBySide():
            self._link()
        if self.node.overlay == "flicker" and self._warped is not None:
            self._flicker.start()
        self._timer.start()

    def onNodeRemoved(self) -> None:
        """A node has gone: perhaps one that is shown."""
        if self.node is not None and not slicer.mrmlScene.IsClosing() and self.node.parameterNode.GetScene() is not None:
            self._onNodeModified()

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

    def _set(self, name: str, value: Any) -> None:
        if self.node is not None and not self._updating:
            setattr(self.node, name, value)

    # ------------------------------------------------------------------ follow

    def _observe(self, name: str, node: Any, events: tuple[Any, ...]) -> None:
        """Follow what happens to a node that has a role."""
        former, tags = self._observed.get(name, (None, []))
        if former is node:
            return
        for tag in tags:
            former.RemoveObserver(tag)
        self._observed.pop(name, None)
        if node is not None:
            slot = self._onPoints if name.endswith("Points") else self._onTransform
            self._observed[name] = (node, [node.AddObserver(event, slot) for event in events])

    def _onNodeModified(self, *_arguments: Any) -> None:
        node = self.node
        if node is None or self._updating:
            return
        self._updating = True
        try:
            present = {name: getattr(node, name) for name in (
                "transform", "otherTransform", "inverseTransform", "fixedVolume", "movingVolume", "fixedPoints", "movingPoints", "fixedLabels", "movingLabels"
            )}
            changed = {name for name, value in present.items() if self._known.get(name, self) is not value}
            former = self._known.get("transform")
            self._known = present
            if "transform" in changed and node.transform is not None:
                self._takeVolumes(node.transform)
                self._known.update(fixedVolume=node.fixedVolume, movingVolume=node.movingVolume)
            for name in ("transform", "otherTransform", "inverseTransform"):
                if name in changed and present[name] is not None and present[name].GetAttribute(f"{PREFIX}Method"):
                    interpolateLinearly(present[name])  # a file does not say so
            for name in ("fixedPoints", "movingPoints"):
                self._observe(name, getattr(node, name), _POINT_EVENTS)
                if getattr(node, name) is not None:
                    getattr(node, name).SetUndoEnabled(True)
            for name in ("transform", "otherTransform"):
                self._observe(name, getattr(node, name), _TRANSFORM_EVENTS)
            for name in ("fixedVolume", "movingVolume"):
                self._observe(name, getattr(node, name), _VOLUME_EVENTS)
            if changed & {"transform", "otherTransform", "fixedVolume", "movingVolume"}:
                self._forget(former if "transform" in changed else None)
            if changed & {"transform", "otherTransform", "inverseTransform", "fixedLabels", "movingLabels"}:
                self._forgetMeasured()
            self.display.show(node.display)
            self.overlay.show(node.overlay)
            self.map.show(node.map)
        finally:
            self._updating = False
        self._showProbe()
        if changed & {"transform", "fixedVolume"} or self._shownAs != (node.display, node.display3D):
            self._showDeformation(fresh=True)
        self._showMeasured()
        self._timer.start()

    def _takeVolumes(self, transform: Any) -> None:
        """Choose the volumes that a transform says it is between."""
        for name, role in (("fixedVolume", transform.GetFixedNodeReferenceRole()), ("movingVolume", transform.GetMovingNodeReferenceRole())):
            volume = transform.GetNodeReference(role)
            if volume is not None and volume.IsA("vtkMRMLScalarVolumeNode"):
                setattr(self.node, name, volume)

    def _forget(self, former: Any) -> None:
        """What was made of other inputs is not shown any more."""
        self._stopWork()
        self._warped = self._maps = self._matcher = None
        if former is not None and former.GetScene() is not None and self._shownAs:
            result_view.showGrid(former, None, False)
        shown = self.node.overlay != "none" or self.node.map != "none"
        self.node.overlay = self.node.map = "none"
        self.ui.mapInfoLabel.text = ""
        if shown:
            self._plain()

    def _forgetMeasured(self) -> None:
        """What was measured of other inputs, or still is."""
        if self._run is not None:
            self._run.cancel()
            self._run = None
            self.ui.progressBar.setVisible(False)
        self._reports, self._consistency = [], ""

    def _onTransform(self, *_arguments: Any) -> None:
        if self.node is None or slicer.mrmlScene.IsClosing():
            return
        self._forget(None)
        self._forgetMeasured()
        self._showMeasured()
        self._showProbe()
        self._timer.start()

    def _onPoints(self, *_arguments: Any) -> None:
        self._timer.start()

    # --------------------------------------------------------------- landmarks

    def refresh(self) -> None:
        """Measure the pairs, and show what was measured."""
        self._timer.stop()
        node = self.node
        if node is None or slicer.mrmlScene.IsClosing():
            return
        if self.ui.pickButton.checked:
            self._proposeMissing(undo=False)
        self._acceptMoved()
        self._mapping = FixedToMoving(node.transform)
        self.pairs = pairsOf(node.fixedPoints, node.movingPoints, node.transform)
        other = self._otherDistances()
        longest = charts.colorRange(self.pairs)
        self.table.show(self.pairs, other, longest)
        if self._isNew and len(self.pairs):
            self._isNew = False
            self.table.mark(len(self.pairs) - 1)
            views.jumpMoving(self._seenMoving(self.pairs.moving[-1]))
        self.ui.summaryLabel.text = self._summary(other)
        if self.ui.vectorsButton.checked:
            self._fillVectors()
        if node.chart is not None and node.table is not None and len(self.pairs):
            charts.fillHistogram(node.table, node.chart, self._stages(other))
        self._enable()

    def _otherDistances(self) -> np.ndarray | None:
        node = self.node
        if node.otherTransform is None or not len(self.pairs):
            return None
        return pairsOf(node.fixedPoints, node.movingPoints, node.otherTransform).distances if not isBelow(node.movingPoints, node.transform) else (
            np.linalg.norm(FixedToMoving(node.otherTransform)(self.pairs.fixed) - self.pairs.moving, axis=1)
        )

    def _stages(self, other: np.ndarray | None) -> dict[str, np.ndarray]:
        pairs = self.pairs
        found = {_("before"): pairs.distancesBefore[pairs.used], _("after"): pairs.distances[pairs.used]}
        if other is not None:
            found[_("second")] = other[pairs.used]
        return found

    def _summary(self, other: np.ndarray | None) -> str:
        pairs = self.pairs
        if self.node.fixedPoints is not None and self.node.fixedPoints is self.node.movingPoints:
            return _("The fixed and the moving landmarks are the same list: choose another.")
        if not len(pairs) and pairs.unpaired:
            return _("{count} points have no partner yet: press More, then Propose partners.").format(count=pairs.unpaired)
        if not len(pairs):
            return _("There are no pairs yet. Press Pick in fixed and click a point in the fixed volume, or choose lists above.")
        stages = {name: values for name, values in self._stages(other).items() if len(values)}
        if not stages:
            return _("No pair is ticked.")
        rows = (
            (_("mean"), np.mean), (_("median"), np.median), (_("95 %"), lambda values: np.percentile(values, 95)), (_("maximum"), np.max),
        )
        head = "".join(f"<td align='right'>&nbsp;&nbsp;{name}</td>" for name in stages)
        lines = "".join(
            f"<tr><td>{title}</td>" + "".join(f"<td align='right'>&nbsp;&nbsp;{measure(values):.2f}</td>" for values in stages.values()) + "</tr>"
            for title, measure in rows
        )
        used, outliers = int(pairs.used.sum()), int(pairs.outliers.sum())
        text = _("{used} of {count} pairs count.").format(used=used, count=len(pairs))
        if np.isfinite(pairs.limit):
            text += " " + _("Outliers (above {limit:.2f} mm): {outliers}.").format(limit=pairs.limit, outliers=outliers)
        if pairs.unpaired:
            text += " " + _("Points without a partner: {count}.").format(count=pairs.unpaired)
        if self.node.transform is not None and ownGrid(self.node.transform) is not None:
            outside = self._outside()
            if outside:
                text += " " + _("Outside the transform's grid, where it does nothing: {count}.").format(count=outside)
        return f"<table><tr><td>{_('error (mm)')}</td>{head}</tr>{lines}</table>{text}"

    def _outside(self) -> int:
        _vectors, geometry = ownGrid(self.node.transform)
        index = np.linalg.inv(geometry.ijkToRas())
        place = self.pairs.fixed @ index[:3, :3].T + index[:3, 3]
        return int((~np.all((place >= -0.5) & (place < np.array(geometry.size) - 0.5), axis=1)).sum())

    def _enable(self) -> None:
        ui, node = self.ui, self.node
        volumes = node.fixedVolume is not None and node.movingVolume is not None
        for widget, there, missing in (
            (ui.pickButton, volumes, _("Choose the fixed and the moving volume first.")),
            (ui.sideBySideButton, volumes, _("Choose the fixed and the moving volume first.")),
            (ui.histogramButton, bool(self.pairs.used.any()), _("There are no pairs that count.")),
            (ui.vectorsButton, bool(len(self.pairs)), _("There are no pairs yet.")),
            (ui.acceptButton, any(note.startswith(PROPOSED) for note in self.pairs.notes), _("No partner is only proposed.")),
            (ui.removeButton, bool(len(self.pairs)), _("There are no pairs yet.")),
            (ui.displayComboBox, node.transform is not None, _("Choose a transform first.")),
            (ui.overlayComboBox, volumes and node.transform is not None, _("Choose a transform and both volumes first.")),
            (ui.mapComboBox, node.transform is not None, _("Choose a transform first.")),
            (ui.probeCheckBox, node.transform is not None, _("Choose a transform first.")),
            (ui.vectorScaleSlider, ui.vectorsButton.checked, _("Show error vectors first.")),
        ):
            if widget not in self._tips:
                self._tips[widget] = widget.toolTip
            widget.setEnabled(bool(there) or (widget is ui.pickButton and ui.pickButton.checked))
            widget.toolTip = self._tips[widget] if there else missing
        ui.display3DCheckBox.setEnabled(node.transform is not None and node.display != "none")
        ui.spacingSlider.setEnabled(node.transform is not None and node.display != "none")
        ui.overlaySlider.setEnabled(node.overlay in ("fade", "checkerboard") or node.map != "none")
        self._actions["propose"].setEnabled(volumes and len(definedIndices(node.fixedPoints)) > len(definedIndices(node.movingPoints)))
        self._actions["exportFixed"].setEnabled(bool(definedIndices(node.fixedPoints)))
        self._actions["exportMoving"].setEnabled(bool(definedIndices(node.movingPoints)))
        self._actions["exportTable"].setEnabled(bool(len(self.pairs)))
        self._updating, updating = True, self._updating
        ui.sideBySideButton.checked = views.isSideBySide()
        self._updating = updating
        self._checkMeasure()

    def lists(self) -> tuple[Any, Any]:
        """The two lists; those that are missing are made."""
        node = self.node
        for name, title, color in (("fixedPoints", _("Fixed landmarks"), (0.35, 0.8, 1.0)), ("movingPoints", _("Moving landmarks"), (1.0, 0.6, 0.15))):
            if getattr(node, name) is None:
                made = newNode("vtkMRMLMarkupsFiducialNode", title)
                made.CreateDefaultDisplayNodes()
                display = made.GetDisplayNode()
                display.SetSelectedColor(*color)
                display.SetTextScale(2.5)
                display.SetGlyphScale(1.5)
                made.SetControlPointLabelFormat("%d")
                setattr(node, name, made)
        return node.fixedPoints, node.movingPoints

    def _onPick(self, on: bool) -> None:
        if self.node is None:
            return
        selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
        interaction = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
        if on:
            fixed, moving = self.lists()
            if len(definedIndices(fixed)) > len(definedIndices(moving)):
                self._proposeMissing(undo=True)
            views.assign(fixed, moving, self.node.vectors)
            selection.SetReferenceActivePlaceNodeClassName(fixed.GetClassName())
            selection.SetActivePlaceNodeID(fixed.GetID())
            interaction.SetPlaceModePersistence(1)
            interaction.SetCurrentInteractionMode(interaction.Place)
            self._interaction = (interaction, interaction.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onInteraction))
        else:
            self._dropInteraction()
            interaction.SetCurrentInteractionMode(interaction.ViewTransform)

    def _dropInteraction(self) -> None:
        if self._interaction is not None:
            self._interaction[0].RemoveObserver(self._interaction[1])
            self._interaction = None

    def _onInteraction(self, interaction: Any, _event: Any) -> None:
        if interaction.GetCurrentInteractionMode() != interaction.Place and self.ui.pickButton.checked:
            self.ui.pickButton.checked = False

    def _onProposeMissing(self) -> None:
        with slicer.util.tryWithErrorDisplay(_("No partner can be proposed."), waitCursor=True):
            self.lists()
            self._proposeMissing(undo=True)
            self.refresh()

    def _proposeMissing(self, undo: bool) -> None:
        """Propose partners of fixed points that have none."""
        node = self.node
        fixed, moving = node.fixedPoints, node.movingPoints
        if fixed is None or moving is None or fixed is moving or node.fixedVolume is None or node.movingVolume is None:
            return
        first, second = definedIndices(fixed), definedIndices(moving)
        if len(first) <= len(second):
            return
        if undo:
            slicer.mrmlScene.SaveStateForUndo()
        matcher = self.matcher()
        toLocal = self._movingToLocal()
        state = moving.StartModify()
        try:
            for number, point in zip(first[len(second):], positions(fixed, first[len(second):])):
                found = matcher.propose(point, node.window)
                place = toLocal(found.position)
                index = moving.AddControlPoint(vtk.vtkVector3d(*place), fixed.GetNthControlPointLabel(number))
                moving.SetNthControlPointDescription(index, f"{PROPOSED}, confidence {found.confidence:.2f}")
                self._proposals[moving.GetNthControlPointID(index)] = np.array(place)
        finally:
            moving.EndModify(state)
        self._isNew = True

    def _movingToLocal(self) -> Callable[[np.ndarray], list[float]]:
        """From where moving points are below the transform to the list's own coordinates."""
        above = belowTransform(self.node.movingPoints, self.node.transform)
        back = above.GetInverse() if above is not None else None
        return lambda point: mapPoints(back, np.asarray(point)[None])[0].tolist()

    def matcher(self) -> Matcher:
        """Finds partners between the volumes that are chosen."""
        node = self.node
        key = tuple((item, item.GetMTime()) for item in (node.fixedVolume, node.movingVolume))
        if self._matcher is None or self._matcher[0] != key:
            self._matcher = (key, Matcher(node.fixedVolume, node.movingVolume, node.transform))
        return self._matcher[1]

    def _acceptMoved(self) -> None:
        """A proposal that was dragged is the user's own."""
        moving = self.node.movingPoints
        for identifier, place in list(self._proposals.items()):
            number = moving.GetNthControlPointIndexByID(identifier) if moving is not None else -1
            if number < 0:
                del self._proposals[identifier]
            elif np.linalg.norm(np.array(moving.GetNthControlPointPosition(number)) - place) > 1e-6:
                del self._proposals[identifier]
                if moving.GetNthControlPointDescription(number).startswith(PROPOSED):
                    moving.SetNthControlPointDescription(number, "")

    def _indices(self, number: int) -> tuple[int, int]:
        """Numbers in the two lists of the points of a pair."""
        return definedIndices(self.node.fixedPoints)[number], definedIndices(self.node.movingPoints)[number]

    def _onAccept(self, *_arguments: Any) -> None:
        number = self.table.current
        if number < 0 or not self.pairs.notes[number].startswith(PROPOSED):
            number = next((n for n, note in enumerate(self.pairs.notes) if note.startswith(PROPOSED)), -1)
            if number >= 0:
                self.table.select(number)
            return
        slicer.mrmlScene.SaveStateForUndo()
        moving = self.node.movingPoints
        index = self._indices(number)[1]
        self._proposals.pop(moving.GetNthControlPointID(index), None)
        moving.SetNthControlPointDescription(index, "")
        self.refresh()

    def _onRemove(self, *_arguments: Any) -> None:
        number = self.table.current
        if number < 0:
            return
        slicer.mrmlScene.SaveStateForUndo()
        fixed, moving = self._indices(number)
        self.node.fixedPoints.RemoveNthControlPoint(fixed)
        self.node.movingPoints.RemoveNthControlPoint(moving)
        self.refresh()

    def _onTicked(self, number: int, on: bool) -> None:
        slicer.mrmlScene.SaveStateForUndo()
        fixed, moving = self._indices(number)
        self.node.fixedPoints.SetNthControlPointSelected(fixed, on)
        self.node.movingPoints.SetNthControlPointSelected(moving, on)
        self.refresh()

    def _onSelected(self, number: int) -> None:
        if number < len(self.pairs):
            self._unlink()
            views.jump(self.pairs.fixed[number], self._seenMoving(self.pairs.moving[number]))
            self._link()

    def _seenMoving(self, point: np.ndarray) -> np.ndarray:
        """Where a moving point is seen: the moving volume may be under the transform."""
        if not isBelow(self.node.movingVolume, self.node.transform):
            return point
        general = vtk.vtkGeneralTransform()
        self.node.transform.GetTransformToWorld(general)
        return np.array(general.TransformPoint(point.tolist()))

    # ------------------------------------------------------------ import, export

    def _onImport(self, side: str, path: str | None = None) -> None:
        path = path or qt.QFileDialog.getOpenFileName(None, _("Import landmarks"), "", _FILES)
        if not path:
            return
        with slicer.util.tryWithErrorDisplay(_("The landmarks cannot be imported.")):
            self.importPoints(side, path)

    def importPoints(self, side: str, path: str) -> None:
        """Replace the points of a list by those of a file: CSV (LPS), .fcsv or .mrk.json.

        Raises:
            RuntimeError: with a text that says what is wrong with the file.
        """
        try:
            found = read_points(path, f"{side} landmarks")
        except EngineError as error:
            raise RuntimeError(error.line()) from error
        slicer.mrmlScene.SaveStateForUndo()
        node = dict(zip(("fixed", "moving"), self.lists()))[side]
        state = node.StartModify()
        try:
            node.RemoveAllControlPoints()
            back = None
            if node.GetParentTransformNode() is not None:
                back = vtk.vtkGeneralTransform()
                node.GetParentTransformNode().GetTransformFromWorld(back)
            for position, name in zip(found.positions * FLIP, found.labels):
                place = back.TransformPoint(position.tolist()) if back is not None else position.tolist()
                node.AddControlPoint(vtk.vtkVector3d(*place), name)
        finally:
            node.EndModify(state)
        views.assign(self.node.fixedPoints, self.node.movingPoints, self.node.vectors)
        self.refresh()

    def _onExport(self, side: str, path: str | None = None) -> None:
        path = path or qt.QFileDialog.getSaveFileName(None, _("Export landmarks"), f"{side}.csv", _FILES)
        if path:
            with slicer.util.tryWithErrorDisplay(_("The landmarks cannot be exported.")):
                self.exportPoints(side, path)

    def exportPoints(self, side: str, path: str) -> None:
        """Write a list, world coordinates, as CSV (LPS), .fcsv or .mrk.json.

        Raises:
            RuntimeError: if that cannot be done.
        """
        node = self.node.fixedPoints if side == "fixed" else self.node.movingPoints
        indices = definedIndices(node)
        try:
            write_points(path, PointSet(positions(node, indices) * FLIP, tuple(node.GetNthControlPointLabel(number) for number in indices)))
        except EngineError as error:
            raise RuntimeError(error.line()) from error

    def _onExportTable(self, path: str | None = None) -> None:
        path = path or qt.QFileDialog.getSaveFileName(None, _("Export table"), "landmark_errors.csv", "CSV (*.csv)")
        if path:
            with slicer.util.tryWithErrorDisplay(_("The table cannot be exported.")), open(path, "w", encoding="utf-8") as stream:
                stream.write(asCsv(self.pairs))

    # -------------------------------------------------------------------- views

    def _onSideBySide(self, on: bool) -> None:
        if self._updating or self.node is None:
            return
        views.setSideBySide(on, self.node.fixedVolume, self.node.movingVolume)
        if on and self.node.overlay == "none" and self.node.map == "none":
            views.setLayers(self.node.fixedVolume, None, 0.0)
        views.assign(self.node.fixedPoints, self.node.movingPoints, self.node.vectors)
        self._link() if on else self._unlink()

    def _link(self) -> None:
        """Let the moving views go where the fixed ones go."""
        self._unlink()
        theirs = views.movingNodes()
        if not theirs:
            return
        for node in views.fixedNodes()[:len(theirs)]:
            self._linked.append((node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onSlice)))
            self._slicePlaces[node.GetID()] = _place(node)

    def _unlink(self) -> None:
        for node, tag in self._linked:
            node.RemoveObserver(tag)
        self._linked = []

    def _onSlice(self, caller: Any, _event: Any) -> None:
        place = _place(caller)
        if np.allclose(place, self._slicePlaces.get(caller.GetID(), place + 1.0), atol=1e-4):
            return
        self._slicePlaces[caller.GetID()] = place
        moving = self._seenMoving(self._mapping(place[None])[0])
        ours = [node.GetID() for node, _tag in self._linked]
        for identifier, node in zip(ours, views.movingNodes()):
            if identifier == caller.GetID():
                node.JumpSliceByCentering(*moving)

    def _onVectors(self, on: bool) -> None:
        if self.node is None:
            return
        if on:
            self._fillVectors()
        elif self.node.vectors is not None and self.node.vectors.GetDisplayNode() is not None:
            self.node.vectors.GetDisplayNode().SetVisibility(False)
            charts.showLegend(self.node.vectors, False)
        self._enable()

    def _fillVectors(self) -> None:
        if self.node.vectors is None:
            self.node.vectors = newNode("vtkMRMLModelNode", _("Landmark error vectors"))
            self.node.vectorScale = charts.suitableScale(self.pairs)
        charts.fillVectors(self.node.vectors, self.pairs, self.node.vectorScale)
        self.node.vectors.GetDisplayNode().SetVisibility(True)
        charts.showLegend(self.node.vectors, True)
        views.assign(self.node.fixedPoints, self.node.movingPoints, self.node.vectors)

    def _onHistogram(self, *_arguments: Any) -> None:
        node = self.node
        if node.table is None:
            node.table = newNode("vtkMRMLTableNode", _("Landmark error counts"))
        if node.chart is None:
            node.chart = newNode("vtkMRMLPlotChartNode", _("Landmark errors"))
        charts.fillHistogram(node.table, node.chart, self._stages(self._otherDistances()))
        if views.isSideBySide():
            selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
            selection.SetReferenceActivePlotChartID(node.chart.GetID())
            slicer.app.applicationLogic().PropagatePlotChartSelection()
        else:
            slicer.modules.plots.logic().ShowChartInLayout(node.chart)

    # -------------------------------------------------------------- deformation

    def _showDeformation(self, fresh: bool = False) -> None:
        """Draw the transform as it is chosen; ``fresh`` takes the spacing that suits its size."""
        node, ui = self.node, self.ui
        if node is None or self._updating:
            return
        self._shownAs = (node.display, node.display3D)
        if node.transform is None:
            ui.displayInfoLabel.text = ""
            return
        if node.display == "none":
            result_view.showGrid(node.transform, None, False)
            ui.displayInfoLabel.text = ""
            return
        longest = self._longest()
        if fresh:
            if node.display == "contours":
                spacing = result_view.plainLength(max(longest, 0.5) / 6.0)
            else:
                spacing = result_view.gridSpacing(node.transform, node.fixedVolume)
            self._updating = True
            try:
                ui.spacingSlider.value = max(ui.spacingSlider.minimum, min(ui.spacingSlider.maximum, spacing))
            finally:
                self._updating = False
        spacing = ui.spacingSlider.value
        result_view.showDeformation(node.transform, node.fixedVolume, node.display, spacing, node.display3D, longest)
        node.transform.GetDisplayNode().SetColorMap(charts.lengthRamp(max(longest, 0.1)))
        what = {"grid": _("Lines every {spacing:g} mm"), "glyphs": _("Arrows every {spacing:g} mm"), "contours": _("A line every {spacing:g} mm of displacement")}
        ui.displayInfoLabel.text = what[node.display].format(spacing=spacing) + _("; coloured by displacement, from 0 (blue) to {longest:.1f} mm (red).").format(longest=longest)

    def _longest(self) -> float:
        """Longest displacement over the fixed volume, mm, from some thousand points."""
        node = self.node
        if node.fixedVolume is not None:
            geometry = gridOf(node.fixedVolume)
        else:
            own = ownGrid(node.transform)
            if own is None:
                return 10.0
            geometry = own[1]
        geometry = fields.coarser(geometry, 8000)
        index = np.stack(np.unravel_index(np.arange(geometry.voxels), geometry.size, order="F"), axis=1)
        matrix = geometry.ijkToRas()
        points = index @ matrix[:3, :3].T + matrix[:3, 3]
        return float(np.linalg.norm(FixedToMoving(node.transform)(points) - points, axis=1).max())

    def _start(self, work: Generator[Any, None, Any], done: Callable[[Any], None], failed: Callable[[str], None]) -> None:
        """Do work between the events of the window."""
        self._stopWork()
        self._work = Cooperative(work)

        def finished(value: Any) -> None:
            self._work = None
            done(value)

        def broken(error: Exception) -> None:
            self._work = None
            failed(str(error))

        self._work.finished.connect(finished)
        self._work.failed.connect(broken)
        self._work.start()

    def _stopWork(self) -> None:
        if self._work is not None:
            self._work.stop()
            self._work = None

    def _onOverlay(self, value: str) -> None:
        if self.node is None or self._updating:
            return
        self.node.map = "none"
        self.node.overlay = value
        self.ui.mapInfoLabel.text = ""
        self._flicker.stop()
        if value == "none":
            self._stopWork()
            self._plain()
        elif self._warped is None:
            self.ui.mapInfoLabel.text = _("Warping the moving volume...")
            self._start(self._warp(), self._onWarped, self._onFailed)
        else:
            self._showOverlay()
        self._enable()

    def _warp(self) -> Generator[Any, None, tuple[np.ndarray, np.ndarray, Any]]:
        node = self.node
        values, geometry = yield from overlay.warped(node.transform, node.fixedVolume, node.movingVolume)
        fixed = yield from overlay.onOwnGrid(node.fixedVolume)
        return values, fixed, geometry

    def _onWarped(self, made: tuple[np.ndarray, np.ndarray, Any]) -> None:
        self._warped = made
        node = self.node
        if node.warped is None:
            node.warped = newNode("vtkMRMLScalarVolumeNode", f"{node.movingVolume.GetName()} through {node.transform.GetName()}")
        overlay.put(node.warped, made[0], made[2], node.movingVolume)
        self.ui.mapInfoLabel.text = ""
        self._showOverlay()

    def _onFailed(self, text: str) -> None:
        self.ui.mapInfoLabel.text = text[:1].upper() + text[1:]
        self.node.overlay = self.node.map = "none"

    def _showOverlay(self) -> None:
        node = self.node
        share = self.ui.overlaySlider.value / 100.0
        if node.overlay == "fade":
            views.setLayers(node.fixedVolume, node.warped, share)
        elif node.overlay == "flicker":
            self._flickerOn = True
            views.setLayers(node.fixedVolume, node.warped, 1.0)
            self._flicker.start()
        elif node.overlay in ("checkerboard", "difference"):
            values, fixed, geometry = self._warped
            if node.combined is None:
                node.combined = newNode("vtkMRMLScalarVolumeNode", _("Fixed and warped"))
            if node.overlay == "checkerboard":
                extent = float((np.array(geometry.spacing) * np.array(geometry.size)).max())
                mixed = overlay.checkerboard(fixed, values, geometry.spacing, extent * (0.03 + 0.17 * share))
                overlay.put(node.combined, mixed, geometry, node.fixedVolume)
            else:
                difference = values.astype(np.float32) - fixed.astype(np.float32)
                overlay.put(node.combined, difference, geometry, node.fixedVolume)
                overlay.showDifference(node.combined, difference)
            views.setLayers(node.combined, None, 0.0)

    def _plain(self) -> None:
        """Only the fixed volume."""
        self._flicker.stop()
        views.setLayers(self.node.fixedVolume, None, 0.0)

    def _onMix(self) -> None:
        node = self.node
        if node is None or self._work is not None:
            return
        if node.overlay == "fade" or node.map != "none":
            views.setOpacity(self.ui.overlaySlider.value / 100.0)
        elif node.overlay == "checkerboard" and self._warped is not None:
            self._showOverlay()

    def _onFlicker(self) -> None:
        self._flickerOn = not self._flickerOn
        views.setOpacity(1.0 if self._flickerOn else 0.0)

    def _onMap(self, value: str) -> None:
        if self.node is None or self._updating:
            return
        self._flicker.stop()
        self.node.overlay = "none"
        self.node.map = value
        if value == "none":
            self._stopWork()
            self.ui.mapInfoLabel.text = ""
            self._plain()
        elif self._maps is None:
            self.ui.mapInfoLabel.text = _("Measuring the deformation...")
            self._start(self._measureMaps(), self._onMaps, self._onFailed)
        else:
            self._showMap()
        self._enable()

    def _measureMaps(self) -> Generator[Any, None, tuple[fields.Maps, dict[str, Any] | None]]:
        """Maps of the transform, and figures of the second one."""
        node = self.node
        maps = yield from fields.mapsOf(node.transform, node.fixedVolume)
        if node.otherTransform is None:
            return maps, None
        other = yield from fields.mapsOf(node.otherTransform, node.fixedVolume)
        return maps, other.figures()

    def _onMaps(self, measured: tuple[fields.Maps, dict[str, Any] | None]) -> None:
        self._maps, self._otherFigures = measured
        self._showMap()

    def _mapText(self, figures: dict[str, Any]) -> str:
        if self.node.map == "jacobian":
            text = _("folded {folded:,} of {voxels:,} voxels ({share:.3g} %), Jacobian {low:.2f} to {high:.2f}, mean {mean:.2f}")
        else:
            text = _("displacement mean {length:.1f}, 95 % {p95:.1f}, maximum {most:.1f} mm")
        lengths = figures["displacement_mm"]
        return text.format(
            folded=figures["folded"], voxels=figures["voxels"], share=figures["folding_percent"], low=figures["min_jacobian"], high=figures["max_jacobian"],
            mean=figures["mean_jacobian"], length=lengths["mean"], p95=lengths["percentile95"], most=lengths["max"],
        )

    def _showMap(self) -> None:
        node, maps = self.node, self._maps
        figures = maps.figures()
        if node.mapVolume is None:
            node.mapVolume = newNode("vtkMRMLScalarVolumeNode", _("Map of the deformation"))
            node.mapVolume.CreateDefaultDisplayNodes()
        jacobian = node.map == "jacobian"
        setVolume(node.mapVolume, fields.asImage(maps.jacobian if jacobian else maps.lengths), maps.geometry)
        node.mapVolume.SetName(slicer.mrmlScene.GenerateUniqueName(_("Jacobian") if jacobian else _("Displacement (mm)")))
        display = node.mapVolume.GetDisplayNode()
        if jacobian:
            result_view.showJacobian(node.mapVolume)
        else:
            display.SetAutoWindowLevel(False)
            display.SetWindowLevelMinMax(0.0, max(1.0, figures["displacement_mm"]["percentile95"]))
            display.SetAndObserveColorNodeID(charts.lengthColors().GetID())
        label = self._folds(maps) if jacobian and maps.folded else None
        views.setLayers(node.fixedVolume, node.mapVolume, self.ui.overlaySlider.value / 100.0, label)
        grid = _("the transform's own grid") if maps.own else _("the grid of the fixed volume")
        spacing = " \u00d7 ".join(f"{s:.3g}" for s in maps.geometry.spacing)
        colors = _("Blue below 1, red above") if jacobian else _("Colours from 0 to {p95:.1f} mm").format(p95=figures["displacement_mm"]["percentile95"])
        text = self._mapText(figures)
        lines = [f"{text[:1].upper()}{text[1:]}. {colors}. " + _("Measured on {grid}, {spacing} mm.").format(grid=grid, spacing=spacing)]
        if self._otherFigures is not None:
            lines.append(_("Second transform: {text}.").format(text=self._mapText(self._otherFigures)))
        self.ui.mapInfoLabel.text = "\n".join(lines)

    def _folds(self, maps: fields.Maps) -> Any:
        """A label map of the folded voxels, in magenta."""
        node = self.node
        if node.folds is None:
            node.folds = newNode("vtkMRMLLabelMapVolumeNode", _("Folded voxels"))
            node.folds.CreateDefaultDisplayNodes()
            colors = newNode("vtkMRMLColorTableNode", _("Colour of folded voxels"))
            colors.SetTypeToUser()
            colors.SetNumberOfColors(2)
            colors.SetColor(0, "background", 0.0, 0.0, 0.0, 0.0)
            colors.SetColor(1, "folded", 1.0, 0.0, 1.0, 1.0)
            colors.SetHideFromEditors(True)
            node.folds.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
        setVolume(node.folds, fields.asImage((maps.jacobian <= 0.0).astype(np.uint8)), maps.geometry)
        return node.folds

    def _showProbe(self) -> None:
        node = self.node
        if node is not None and node.probe and node.transform is not None:
            self.probe.setInputs(node.transform, node.fixedLabels, node.movingLabels)
            self.probe.start()
        else:
            self.probe.stop()

    def _sayProbe(self, text: str) -> None:
        self.ui.probeLabel.text = text

    # --------------------------------------------------- overlap and consistency

    def measureProblem(self) -> str:
        """Why nothing can be measured now, "" if it can."""
        node = self.node
        if node.transform is None:
            return _("choose a transform")
        labels = node.fixedLabels is not None and node.movingLabels is not None
        if not labels and node.inverseTransform is None:
            return _("choose two segmentations, or an inverse transform")
        if labels and missingPackages():
            return _("not installed: {names}; open the module DeepReg Setup").format(names=", ".join(missingPackages()))
        if labels and self.client.computing:
            return _("another computation is running: wait for its end")
        if node.inverseTransform is not None and node.fixedVolume is None:
            return _("choose the fixed volume")
        return ""

    def _checkMeasure(self) -> None:
        if self._run is not None:
            return
        problem = self.measureProblem()
        self.ui.compareButton.setEnabled(not problem)
        self.ui.compareButton.toolTip = problem[:1].upper() + problem[1:] + "." if problem else _(
            "Dice, 95 % Hausdorff distance and mean surface distance of each structure, before and after; and inverse consistency."
        )

    def _onMeasure(self, *_arguments: Any) -> None:
        node, ui = self.node, self.ui
        self._consistency = ""
        if node.inverseTransform is not None:
            try:
                found = fields.inverseConsistency(node.transform, node.inverseTransform, node.fixedVolume)
                self._consistency = _(
                    "Inverse consistency, there and back: mean {mean:.3f}, 95 % {percentile95:.3f}, maximum {max:.3f} mm ({points:,} points; outside the inverse: {outside:,})."
                ).format(**found)
            except (NodeError, RuntimeError) as error:
                self._consistency = str(error)[:1].upper() + str(error)[1:]
        if node.fixedLabels is not None and node.movingLabels is not None:
            transforms = [transform for transform in (node.transform, node.otherTransform) if transform is not None]
            try:
                self._run = OverlapRun(transforms, node.fixedLabels, node.movingLabels, regionOf(node.fixedVolume, node.fixedLabels))
            except NodeError as error:
                self._onOverlapFailed(str(error))
                return
            self._run.progressed.connect(lambda fraction: setattr(ui.progressBar, "value", int(1000 * fraction)))
            self._run.finished.connect(self._onOverlap)
            self._run.failed.connect(self._onOverlapFailed)
            ui.progressBar.setVisible(True)
            ui.compareButton.setEnabled(False)
            self._run.start()
        self._showMeasured()

    def _onOverlap(self, reports: list[dict[str, Any]]) -> None:
        self._run = None
        self._reports = reports
        self.ui.progressBar.setVisible(False)
        self._showMeasured()
        self._checkMeasure()

    def _onOverlapFailed(self, text: str) -> None:
        self._run = None
        self.ui.progressBar.setVisible(False)
        self._consistency = "\n".join(line for line in (self._consistency, text[:1].upper() + text[1:]) if line)
        self._showMeasured()
        self._checkMeasure()

    def _showMeasured(self) -> None:
        ui = self.ui
        ui.consistencyLabel.text = self._consistency
        ui.overlapTable.setVisible(bool(self._reports))
        if not self._reports:
            return
        first = self._reports[0]
        stages = [(_("before"), [row["before"] for row in first["labels"]], first["mean_before"])]
        for name, report in zip((_("after"), _("second")), self._reports):
            stages.append((name, [row["after"] for row in report["labels"]], report["mean_after"]))
        columns = [(measure, key, name, rows, mean) for measure, key in (("Dice", "dice"), ("HD95 (mm)", "hd95"), ("MSD (mm)", "mean_surface_distance"))
                   for name, rows, mean in stages]
        table = ui.overlapTable
        table.setColumnCount(1 + len(columns))
        table.setRowCount(len(first["labels"]) + 1)
        table.setHorizontalHeaderLabels([_("Structure"), *(f"{measure}\n{name}" for measure, _key, name, _rows, _mean in columns)])
        names = [_("mean"), *(row.get("name", str(row["label"])) for row in first["labels"])]
        for row, name in enumerate(names):
            table.setItem(row, 0, qt.QTableWidgetItem(name))
            for column, (_measure, key, _name, rows, mean) in enumerate(columns, start=1):
                value = (rows[row - 1] if row else mean)[key]
                item = qt.QTableWidgetItem("-" if value is None else f"{value:.3f}" if key == "dice" else f"{value:.2f}")
                item.setData(qt.Qt.TextAlignmentRole, int(qt.Qt.AlignRight | qt.Qt.AlignVCenter))
                table.setItem(row, column, item)
        table.setColumnWidth(0, 110)
        for column in range(1, 1 + len(columns)):
            table.setColumnWidth(column, 76)

    # --------------------------------------------------------------------- end

    def rest(self) -> None:
        """While another module is open: follow nothing that moves."""
        if self.ui.pickButton.checked:
            self.ui.pickButton.checked = False
        self._flicker.stop()
        self.probe.stop()
        self._unlink()

    def cleanup(self) -> None:
        """Stop what runs and follow nothing any more."""
        self._stopWork()
        self._forgetMeasured()
        self.setParameterNode(None)
        self._dropInteraction()
        self.client.release(self)


def _place(sliceNode: Any) -> np.ndarray:
    """Middle of a slice view, RAS mm."""
    matrix = sliceNode.GetSliceToRAS()
    return np.array([matrix.GetElement(axis, 3) for axis in range(3)])
