"""The panel of the module Review, which consists of sections.

A section is one part of the panel, in a file of its own in ``sections/``. To add one:

1. Write ``sections/NAME.py`` with a class derived from :class:`~DeepRegInspectorLib.sections.base.Section`, a ``name``, and the hooks
   that it needs; ``Section`` documents when each hook is called. ``self.node.transform``, ``.otherTransform``, ``.fixedVolume`` and so
   on are the inputs; ``self.context`` has what sections share: the worker (``client``), the status line (``showStatus``), and the other
   sections (``sections["landmarks"].pairs``, ``sections["images"].maps``, ``sections["overlap"].reports``).
2. In its constructor call ``self.loadUi("NAME.ui")`` for a ``.ui`` file of its own (a qMRMLWidget around a collapsed ctkCollapsibleButton),
   or make the widgets in code and pass them to ``self.addWidget``. Widgets with the dynamic property ``SlicerParameterName`` are connected
   with the parameter node; further parameters are added to ``parameters.py``, and further input nodes to the ``inputs`` of the class.
3. Add the class to :data:`SECTIONS` below: hooks are called in this order, and sections with ``.ui`` files of their own follow each
   other in this order at the end of the panel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.node_widgets import connectWidgets, replaceUnknownChoices
from deepreg_slicer.parameter_sets import ParameterSetSelector, presentSet
from deepreg_slicer.wrapped_text import WrappedText
from DeepRegInspectorLib.context import INPUTS, InspectorContext
from DeepRegInspectorLib.kept_views import KeptViews
from DeepRegInspectorLib.sections.base import Section, shareToolTips
from DeepRegInspectorLib.sections.deformation import DeformationSection
from DeepRegInspectorLib.sections.errors_shown import ErrorsShownSection
from DeepRegInspectorLib.sections.explanation import ExplanationSection
from DeepRegInspectorLib.sections.history import HistorySection
from DeepRegInspectorLib.sections.images import ImagesSection
from DeepRegInspectorLib.sections.inputs import InputsSection
from DeepRegInspectorLib.sections.landmark_files import LandmarkFilesSection
from DeepRegInspectorLib.sections.landmarks import LandmarksSection
from DeepRegInspectorLib.sections.overlap import OverlapSection
from DeepRegInspectorLib.sections.picking import PickingSection
from DeepRegInspectorLib.sections.report import ReportSection
from DeepRegInspectorLib.sections.side_by_side import SideBySideSection

SECTIONS: tuple[type[Section], ...] = (
    InputsSection,
    PickingSection,
    SideBySideSection,
    LandmarksSection,
    HistorySection,
    LandmarkFilesSection,
    ErrorsShownSection,
    ImagesSection,
    DeformationSection,
    OverlapSection,
    ExplanationSection,
    ReportSection,
)

_POINT_EVENTS = (
    slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
    slicer.vtkMRMLMarkupsNode.PointRemovedEvent,
    slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent,
    slicer.vtkMRMLMarkupsNode.PointPositionUndefinedEvent,
    slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
    vtk.vtkCommand.ModifiedEvent,
)
_OBSERVED = {
    "fixedPoints": _POINT_EVENTS,
    "movingPoints": _POINT_EVENTS,
    "transform": (slicer.vtkMRMLTransformableNode.TransformModifiedEvent,),
    "otherTransform": (slicer.vtkMRMLTransformableNode.TransformModifiedEvent,),
    "fixedVolume": (slicer.vtkMRMLTransformableNode.TransformModifiedEvent, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent),
    "movingVolume": (slicer.vtkMRMLTransformableNode.TransformModifiedEvent, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent),
}


class InspectorPanel:
    """Shows the result of a registration.

    Args:
        ui: the widgets of the ``.ui`` file.
        logic: of the module.
        moduleName: for parameter sets.
    """

    def __init__(self, ui: Any, logic: Any, moduleName: str) -> None:
        self.ui, self.logic = ui, logic
        self.context = InspectorContext(ui, logic, moduleName)
        self._views = KeptViews()
        self._tags: list[Any] = []
        self._observed: dict[str, tuple[Any, list[int]]] = {}
        self._nodeObserver: tuple[Any, int] | None = None
        self._known: dict[str, Any] = {}
        self.context.client.acquire(self)
        self.context.client.busyChanged.connect(self._onBusy)
        self.sections = self.context.sections
        for kind in SECTIONS:
            self.sections[kind.name] = kind(self.context)
        self._inputs = tuple(dict.fromkeys((*INPUTS, *(name for section in self.sections.values() for name in section.inputs))))
        self.context.showStatus("")
        whole = ui.inputsCollapsibleButton.parentWidget()  # the part that scrolls
        shareToolTips(whole)
        self._texts = WrappedText(*(label for label in slicer.util.findChildren(whole, className="QLabel") if label.wordWrap))
        self.parameterSets = ParameterSetSelector(self, ui.parameterNodeSelector, moduleName, _("Review"))

    @property
    def node(self) -> Any:
        """The current parameter node, None without one."""
        return self.context.node

    @property
    def busy(self) -> bool:
        """Whether a computation or a refresh is pending."""
        return self.context.waiting or any(section.busy for section in self.sections.values())

    # ---------------------------------------------------------- parameter sets

    def initialize(self) -> None:
        """Show the parameter set that was shown before, or the scene's first one."""
        self.setParameterNode(presentSet(self))
        if self.node.transform is None:
            transforms = slicer.util.getNodesByClass("vtkMRMLTransformNode")
            made = [node for node in transforms if node.GetAttribute("DeepReg.Output") == "transform"]
            if made:
                self.inspect(made[-1])

    def inspect(self, transform: Any, **inputs: Any) -> None:
        """Show a result.

        Args:
            transform: the node.
            inputs: further inputs by their names in the parameter node; None keeps the present choice.
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
        """Show the parameter set of a scene that was loaded into this one, unless something is inspected already."""
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
        """Show another parameter set, or none."""
        if self.node is not None and node is not None and self.node.parameterNode is node.parameterNode:
            self._resume()
            return
        self.rest()
        self._views.forget()
        self._disconnectNode()
        self.context.node, self._tags, self._nodeObserver = node, [], None
        self._known = {}
        for section in self.sections.values():
            section.forget()
        for name in list(self._observed):
            self._observe(name, None)
        if node is None:
            self.context.stop()
            return
        mrml = node.parameterNode
        replaced = replaceUnknownChoices(node)
        uis = [self.ui, *(section.ui for section in self.sections.values() if section.ui is not self.ui)]
        self._tags = [connectWidgets(node, ui) for ui in uis]
        self._nodeObserver = (mrml, mrml.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onNodeModified))
        self.parameterSets.show(mrml)
        self._onNodeModified()
        self.context.refresh()
        self._resume()
        if replaced:
            self.context.showStatus(replaced)

    def _resume(self) -> None:
        """Observe events again, and show again what was shown when the module was left, unless the views have changed meanwhile."""
        if not self._views.entered and not self._views.enter():
            for section in self.sections.values():
                section.hide()
        for section in self.sections.values():
            section.resume()
        self.context.refreshSoon()

    def keys(self) -> dict[str, Callable[[], None]]:
        """Return what the keys of the panel do."""
        return {"Ctrl+Return": self._acceptByKey, "Ctrl+Enter": self._acceptByKey, "Escape": self._stopByKey}

    def firstWidget(self) -> Any:
        """Return the widget that has the focus when the panel is entered: the transform without one, else picking."""
        return self.ui.transformSelector if self.node.transform is None else self.ui.pickButton

    def _acceptByKey(self) -> None:
        if self.ui.acceptButton.enabled:
            self.sections["landmarks"].accept()

    def _stopByKey(self) -> None:
        """Stop picking, and the writing of a report."""
        self.sections["picking"].rest()
        self.sections["report"].cancel()

    def onNodeRemoved(self) -> None:
        """React to the removal of a node, which may be an input."""
        if self.node is not None and not slicer.mrmlScene.IsClosing() and self.node.parameterNode.GetScene() is not None:
            self._onNodeModified()

    # ----------------------------------------------------------------- observe

    def _observe(self, name: str, node: Any) -> None:
        """Observe an input node."""
        former, tags = self._observed.get(name, (None, []))
        if former is node:
            return
        for tag in tags:
            former.RemoveObserver(tag)
        self._observed.pop(name, None)
        if node is None:
            return
        if name.endswith("Points"):
            node.SetUndoEnabled(True)

            def slot(*_arguments: Any) -> None:
                self.context.refreshSoon()
        else:

            def slot(*_arguments: Any) -> None:
                self._onModified(name)

        self._observed[name] = (node, [node.AddObserver(event, slot) for event in _OBSERVED[name]])

    def _disconnectNode(self) -> None:
        """Disconnect the widgets and the panel from the present parameter set."""
        if self.node is not None:
            for tag in self._tags:
                self.node.disconnectGui(tag)
            if self._nodeObserver is not None:
                self._nodeObserver[0].RemoveObserver(self._nodeObserver[1])

    def _takeVolumes(self, former: dict[str, Any]) -> set[str]:
        """Choose the volumes that the transform was made from; return the names of those that differ from the former inputs."""
        self.sections["inputs"].takeVolumes(self.node.transform)
        taken = {name: getattr(self.node, name) for name in ("fixedVolume", "movingVolume")}
        self._known.update(taken)
        return {name for name, volume in taken.items() if former.get(name, self) is not volume}

    def _takeInputs(self) -> tuple[set[str], dict[str, Any]]:
        """Store the present inputs; return the names of those that changed, and the former inputs."""
        former, self._known = self._known, {name: getattr(self.node, name) for name in self._inputs}
        changed = {name for name, value in self._known.items() if former.get(name, self) is not value}
        if "transform" in changed and self.node.transform is not None:
            changed |= self._takeVolumes(former)
        return changed, former

    def _onNodeModified(self, *_arguments: Any) -> None:
        node = self.node
        if node is None or self.context.updating:
            return
        with self.context.quiet():
            changed, former = self._takeInputs()
            for name in _OBSERVED:
                self._observe(name, getattr(node, name))
            if changed:
                for section in self.sections.values():
                    section.onInputs(changed, former)
            for section in self.sections.values():
                section.showParameters()
        for section in self.sections.values():
            section.onParameters(changed)
        self.context.refreshSoon()

    def _onModified(self, name: str) -> None:
        if self.node is None or slicer.mrmlScene.IsClosing():
            return
        for section in self.sections.values():
            section.onModified(name)
        self.context.refreshSoon()

    def _onBusy(self, busy: bool) -> None:
        """Let sections that use the worker show whether it is free: only one panel computes at a time."""
        if self.node is not None and not slicer.mrmlScene.IsClosing():
            for name in ("overlap", "report"):
                self.sections[name].enable()

    # --------------------------------------------------------------------- end

    def rest(self) -> None:
        """Rest while another module is open: observe no events of views, and put the views back."""
        for section in self.sections.values():
            section.rest()
        self._views.leave()
        for section in self.sections.values():
            section.onViewsPutBack()

    def cleanup(self) -> None:
        """Stop all computations and observations."""
        self.setParameterNode(None)
        for section in self.sections.values():
            section.cleanup()
        self._views.cleanup()
        self.context.cleanup()
        self.context.client.busyChanged.disconnect(self._onBusy)
        self.context.client.release(self)
