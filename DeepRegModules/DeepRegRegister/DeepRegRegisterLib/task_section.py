"""The task of a registration: how the moving volume may change, where the fixed one is compared, and how long it may take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from slicer.i18n import tr as _

from deepreg_slicer.choice_box import ChoiceBox
from deepreg_slicer.engine_texts import engineText, sentence
from deepreg_slicer.segment_selector import SegmentChooser
from deepreg_slicer.volumes import newNode
from DeepRegRegisterLib.parameters import BEST, BOX, SEGMENT, WHOLE
from DeepRegRegisterLib.plan import Plan, planOf

_TASKS = (
    ("", _("Automatic"), _("Whatever suits the two volumes; the line below states the choice and its reason.")),
    ("rigid", _("Rigid"), _("Shift and rotation.")),
    ("similarity", _("Similarity"), _("Shift, rotation and one scale.")),
    ("affine", _("Affine"), _("Shift, rotation, scales and shear.")),
    ("deformable", _("Deformable"), _("Shift and rotation, then a smooth deformation.")),
    ("points", _("Points or surfaces"), _("Match points, curves, models or segments, or, if you choose none, keypoints of the volumes.")),
)
_REGIONS = (
    (WHOLE, _("Whole volume"), _("Compare the whole fixed volume.")),
    (BOX, _("Box"), _("Compare only what lies in a box of the fixed volume.")),
    (SEGMENT, _("Segment"), _("Compare only a segment of the fixed volume.")),
)


class TaskSection:
    """The widgets below Task.

    Args:
        panel: of the module.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        #: Parameters with which the next run fits into memory, name to value; they replace those of its preset.
        self.fitting: dict[str, Any] = {}
        ui = panel.ui
        self._task = ChoiceBox(ui.taskComboBox, _TASKS)
        self._region = ChoiceBox(ui.regionComboBox, _REGIONS)
        self._task.changed.connect(lambda value: self._set("task", value))
        self._region.changed.connect(self._onRegion)
        self._segments = {
            "maskSegment": SegmentChooser(ui.maskSelector, ui.maskSegmentComboBox),
            "fixedPointsSegment": SegmentChooser(ui.fixedPointsSelector, ui.fixedPointsSegmentComboBox),
            "movingPointsSegment": SegmentChooser(ui.movingPointsSelector, ui.movingPointsSegmentComboBox),
        }
        for name, chooser in self._segments.items():
            chooser.changed.connect(lambda name=name, chooser=chooser: self._set(name, chooser.segmentId))
        ui.newBoxButton.connect("clicked(bool)", self.newBox)

    def _set(self, name: str, value: Any) -> None:
        if self._panel.node is not None and not self._panel.updating:
            setattr(self._panel.node, name, value)

    def _onRegion(self, value: str) -> None:
        self._set("region", value)
        if value == BOX and self._panel.node.box is None and self._panel.node.fixedVolume is not None:
            self.newBox()

    def newBox(self, *_arguments: Any) -> None:
        """Make a box of half the size of the fixed volume around its middle."""
        node = self._panel.node
        bounds = [0.0] * 6
        if node.fixedVolume is not None:
            node.fixedVolume.GetRASBounds(bounds)
        box = newNode("vtkMRMLMarkupsROINode", _("Region of {name}").format(name=node.fixedVolume.GetName() if node.fixedVolume else "-"))
        box.CreateDefaultDisplayNodes()
        box.GetDisplayNode().SetFillVisibility(False)
        box.SetCenter([(low + high) / 2.0 for low, high in zip(bounds[::2], bounds[1::2], strict=True)])
        box.SetSize(*[(high - low) / 2.0 for low, high in zip(bounds[::2], bounds[1::2], strict=True)])
        node.box = box

    def plan(self) -> Plan:
        """Return what a run would do."""
        node = self._panel.node
        points = node.task == "points" and (node.fixedPoints is not None or node.movingPoints is not None)
        plan = planOf(node.task, node.quality / BEST, self._panel.contents.pair(node), points)
        return replace(plan, parameters={**plan.parameters, **self.fitting})

    def regionNodes(self) -> dict[str, Any]:
        """Return the inputs that choose the region of the fixed volume."""
        node = self._panel.node
        if node.region == BOX:
            return {"fixedMask": node.box}
        return {"fixedMask": node.mask, "fixedMaskSegment": node.maskSegment} if node.region == SEGMENT else {}

    def problem(self) -> str:
        """Return what is missing; "" for nothing."""
        node = self._panel.node
        if node.region == BOX and node.box is None:
            return _("choose a box, or register the whole volume")
        if node.region == SEGMENT and node.mask is None:
            return _("choose the segmentation of the region, or register the whole volume")
        return ""

    def pointNodes(self) -> dict[str, Any]:
        """Return the inputs of the task with points."""
        node = self._panel.node
        names = ("fixedPoints", "fixedPointsSegment", "movingPoints", "movingPointsSegment")
        return {name: getattr(node, name) for name in names} if node.task == "points" else {}

    def update(self) -> None:
        """Update the widgets."""
        node, ui = self._panel.node, self._ui
        self._task.show(node.task)
        self._region.show(node.region)
        for name, chooser in self._segments.items():
            chooser.segmentId = getattr(node, name)
        for side in ("fixed", "moving"):
            shown = node.task == "points"
            for name in (f"{side}PointsLabel", f"{side}PointsWidget"):
                getattr(ui, name).setVisible(shown)
            points = getattr(node, f"{side}Points")
            getattr(ui, f"{side}PointsSegmentComboBox").setVisible(shown and points is not None and points.IsA("vtkMRMLSegmentationNode"))
        for widget in (ui.boxSelector, ui.newBoxButton):
            widget.setVisible(node.region == BOX)
        ui.maskSelector.setVisible(node.region == SEGMENT)
        segmented = node.mask is not None and node.mask.IsA("vtkMRMLSegmentationNode")
        ui.maskSegmentComboBox.setVisible(node.region == SEGMENT and segmented)
        plan = self.plan()
        parts = (engineText(plan.title), plan.reason and sentence(plan.reason))
        ui.suggestionLabel.text = _("{preset}. {reason}").format(preset=parts[0], reason=parts[1]) if all(parts) else "".join(parts)

    def cleanup(self) -> None:
        """Remove all observers."""
        for chooser in self._segments.values():
            chooser.cleanup()


def showRegion(node: Any) -> None:
    """Show the box of the region only while it counts."""
    display = node.box.GetDisplayNode() if node.box is not None else None
    if display is not None and display.GetVisibility() != (node.region == BOX):
        display.SetVisibility(node.region == BOX)
