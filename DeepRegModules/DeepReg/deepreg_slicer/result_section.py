"""The result of a method's panel in the views: over the fixed volume, as a grid, and in the module Review."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_slicer import result_view
from deepreg_slicer.look_section import LookSection
from deepreg_slicer.parents import isBelow, isMoved, shownThrough
from deepreg_slicer.provenance import PREFIX, readReport
from deepreg_slicer.request import Result, inScene


class ResultSection:
    """The widgets below Result. Methods with more results derive from it.

    Args:
        panel: the method's panel.
    """

    def __init__(self, panel: Any) -> None:
        self.panel, self.ui = panel, panel.ui
        #: Whether a result is still being added to the views.
        self.showing = False
        self.updating = False
        self.connect()

    @property
    def node(self) -> Any:
        """The parameter set that is shown, None if there is none."""
        return self.panel.node

    def connect(self) -> None:
        """Connect the widgets."""
        ui = self.ui
        self.look = LookSection(ui)
        ui.gridCheckBox.connect("toggled(bool)", self._onGrid)
        ui.moveCheckBox.connect("toggled(bool)", self._onMove)
        ui.inspectButton.connect("clicked(bool)", self._onInspect)

    def take(self, result: Result) -> None:
        """Keep a new result in the parameter set, and show it."""
        if self.node is not None:
            self.keep(result)
        self.update()
        self.showing = True
        self.show(result)

    def keep(self, result: Result) -> None:
        """Store the results of a run in the parameter set."""
        former = self.shownTransform()  # which may be an iteration's
        if former is not None and former is not result.nodes.get("transform"):
            result_view.showGrid(former, None, False)
        result_view.hideOthers(result.nodes.values())
        if inScene(result.moving) and shownThrough(result.moving) is not None and inScene(result.nodes.get("transform")):
            result_view.moveThrough(result.moving, result.nodes["transform"], True)
        self.node.resultTransform = result.nodes.get("transform")
        self.node.resultVolume = result.nodes.get("volume")
        self.node.resultSummary = result.lines

    def show(self, result: Result) -> None:
        """Show a result in the views, in several steps, because each of them redraws the views."""
        if result.nodes.get("jacobian") is not None:
            result_view.showJacobian(result.nodes["jacobian"])
        self.ui.resultCollapsibleButton.collapsed = False
        qt.QTimer.singleShot(0, lambda: self.showVolume(result))

    def showVolume(self, result: Result) -> None:
        """Show the warped volume over the fixed one, then the transform."""
        volume = result.nodes.get("volume")
        if inScene(volume) and inScene(result.fixed):
            self.look.show(result.fixed, volume, result.moving, result.nodes.get("transform"))
        qt.QTimer.singleShot(0, lambda: self.showTransform(result))

    def showTransform(self, result: Result) -> None:
        """Show the transform as a grid; the last step."""
        transform = result.nodes.get("transform")
        if inScene(transform):
            result_view.showGrid(transform, result.fixed if inScene(result.fixed) else None, True)
        self.showing = False
        self.update()

    def shownTransform(self) -> Any:
        """Return the transform of which the deformation grid is shown, None if there is none."""
        return self.node.resultTransform if self.node is not None else None

    def update(self) -> None:
        """Update the widgets from the results in the scene."""
        node, ui = self.node, self.ui
        transform = node.resultTransform if node is not None else None
        shown = self.shownTransform()
        moving = node.movingVolume if node is not None else None
        if self.panel.run is None and node is not None:
            self.panel.runSection.showMessage(node.resultSummary, bad=False)
            self.panel.runSection.showVerdict(readReport(transform) if node.resultSummary else None)
        self.updating = True
        try:
            self._offer()
            display = result_view.displayOf(shown)
            ui.gridCheckBox.setEnabled(shown is not None)
            ui.gridCheckBox.checked = bool(display is not None and display.GetVisibility() and display.GetVisibility2D())
            # A volume that is below the transform through other transforms cannot be removed here.
            below = transform is not None and isBelow(moving, transform)
            ui.moveCheckBox.setEnabled(transform is not None and moving is not None and below == isMoved(moving, transform))
            ui.moveCheckBox.checked = below
        finally:
            self.updating = False
        self._updateInspect(transform is not None)

    def _offer(self) -> None:
        """Let the section Look show the result; its volumes are those from which it was computed."""
        node = self.node
        volume = node.resultVolume if node is not None else None
        if volume is None:
            self.look.offer(None, None)
            return
        ends = [volume.GetNodeReference(role) for role in ("deepRegFixed", "deepRegMoving")]
        self.look.offer(ends[0] or node.fixedVolume, volume, ends[1] or node.movingVolume, node.resultTransform)

    def cleanup(self) -> None:
        """Put back the views, and release timers and observers."""
        self.look.cleanup()

    def _updateInspect(self, there: bool) -> None:
        """Update the button that opens the module Review; ``there`` is whether there is a result."""
        ui, installed = self.ui, hasattr(slicer.modules, "deepreginspector")
        ui.inspectButton.setEnabled(there and installed)
        ui.inspectButton.toolTip = _("Open the result in the module Review.") if installed else _("The module Review is not installed.")

    def _onGrid(self, on: bool) -> None:
        if not self.updating and self.shownTransform() is not None:
            result_view.showGrid(self.shownTransform(), self.node.fixedVolume, bool(on))

    def _onMove(self, on: bool) -> None:
        node = self.node
        if not self.updating and node is not None and node.resultTransform is not None and node.movingVolume is not None:
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
            inverseTransform=inverseOf(node.resultTransform),
        )


def inverseOf(transform: Any) -> Any:
    """Return the inverse that was computed in the same run as a transform; None without one."""
    created = transform.GetAttribute(f"{PREFIX}Created")
    for other in slicer.util.getNodesByClass("vtkMRMLTransformNode"):
        if created and other.GetAttribute(f"{PREFIX}Output") == "inverse" and other.GetAttribute(f"{PREFIX}Created") == created:
            return other
    return None
