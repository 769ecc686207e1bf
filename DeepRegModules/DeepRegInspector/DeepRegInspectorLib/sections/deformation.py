"""The transform drawn as grid, arrows or contours, and its values at the mouse position."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from deepreg_slicer import result_view
from deepreg_slicer.beyond import linearPartOf
from deepreg_slicer.choice_box import ChoiceBox
from deepreg_slicer.length_colors import lengthRamp, longestOf, showBar
from deepreg_slicer.nrrd import Geometry
from DeepRegInspectorLib.mapping import FLIP, gridOf, imageGrid, ownGrid
from DeepRegInspectorLib.probe import Probe
from DeepRegInspectorLib.sections.base import Section, showText

_DISPLAYS = (
    ("none", _("not shown"), _("The transform is not drawn.")),
    ("grid", _("grid"), _("A regular grid, deformed as the moving volume is, beyond the alignment.")),
    ("glyphs", _("arrows"), _("Displacements beyond the alignment, coloured by length.")),
    ("contours", _("contours"), _("Lines of equal displacement beyond the alignment.")),
)


class DeformationSection(Section):
    """Draws the transform.

    Attributes:
        display: the choice of the drawing.
        probe: follows the mouse.
    """

    name = "deformation"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._shownAs: tuple[Any, ...] = ()
        self.display = ChoiceBox(self.ui.displayComboBox, _DISPLAYS)
        self.display.changed.connect(lambda value: self.context.set("display", value))
        self.ui.spacingSlider.connect("valueChanged(double)", lambda _value: self._show())
        self.probe = Probe(self._showProbeText)

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        before = former.get("transform")
        if "transform" in changed and before is not None and before.GetScene() is not None and self._shownAs:
            self._hide(before)

    def showParameters(self) -> None:
        self.display.show(self.node.display)

    def onParameters(self, changed: set[str]) -> None:
        self._showProbe()
        node = self.node
        if changed & {"transform", "fixedVolume"} or self._shownAs != (node.display, node.display3D):
            self._show(fresh=True)

    def onModified(self, name: str) -> None:
        self._showProbe()

    def enable(self) -> None:
        ui, node = self.ui, self.node
        self.allow(ui.displayComboBox, node.transform is not None, _("Choose a transform first."))
        self.allow(ui.probeCheckBox, node.transform is not None, _("Choose a transform first."))
        ui.display3DCheckBox.setEnabled(node.transform is not None and node.display != "none")
        ui.spacingSlider.setEnabled(node.transform is not None and node.display != "none")

    def resume(self) -> None:
        self._showProbe()
        transform = self.node.transform
        display = result_view.displayOf(transform)
        if self.node.display != "none" and display is not None and not display.GetVisibility():
            self.node.display = "none"  # a new result, or undo, has hidden the drawing

    def rest(self) -> None:
        self.probe.stop()

    def hide(self) -> None:
        self.node.display = "none"

    # ----------------------------------------------------------------- display

    def _show(self, fresh: bool = False) -> None:
        """Draw the transform as chosen; ``fresh`` sets a spacing that suits its size."""
        node, ui = self.node, self.ui
        if node is None or self.context.updating:
            return
        self._shownAs = (node.display, node.display3D)
        if node.transform is None:
            showText(ui.displayInfoLabel, "")
            return
        if node.display == "none":
            self._hide(node.transform)
            showText(ui.displayInfoLabel, "")
            return
        shown = result_view.deformationOf(node.transform, node.fixedVolume)
        longest = longestOf(shown) if ownGrid(shown) is not None else 10.0
        if fresh:
            if node.display == "contours":
                spacing = result_view.plainLength(max(longest, 0.5) / 6.0)
            else:
                spacing = result_view.gridSpacing(shown, node.fixedVolume)
            with self.context.quiet():
                ui.spacingSlider.value = max(ui.spacingSlider.minimum, min(ui.spacingSlider.maximum, spacing))
        spacing = ui.spacingSlider.value
        result_view.showDeformation(shown, node.fixedVolume, node.display, spacing, node.display3D, longest)
        display = shown.GetDisplayNode()
        display.SetColorMap(lengthRamp(max(longest, 0.1)))
        showBar(display, True, _("deformation (mm)"), "right")
        what = {
            "grid": _("Lines every {spacing:g} mm"),
            "glyphs": _("Arrows every {spacing:g} mm"),
            "contours": _("A line every {spacing:g} mm of displacement"),
        }
        coloured = _("; coloured by displacement, from 0 (blue) to {longest:.1f} mm (yellow).").format(longest=longest)
        showText(ui.displayInfoLabel, what[node.display].format(spacing=spacing) + coloured + self._alignment())

    def _hide(self, transform: Any) -> None:
        result_view.showGrid(transform, None, False)
        showBar(result_view.displayOf(transform), False)

    def _region(self) -> Geometry | None:
        """Return the grid of the fixed volume, None without one."""
        return gridOf(self.node.fixedVolume) if self.node.fixedVolume is not None else None

    def _alignment(self) -> str:
        """Return a line on the alignment, which the drawing leaves out; "" if it is not known."""
        transform, region = self.node.transform, self._region()
        linear = linearPartOf(transform, region)
        own = ownGrid(transform)
        geometry = region or (own[1] if own is not None else None)
        if linear is None or geometry is None:
            return ""
        return "\n" + _("Beyond the {alignment}.").format(alignment=linear.words(FLIP * imageGrid(geometry).centre))

    # ------------------------------------------------------------------- probe

    def _showProbe(self) -> None:
        node = self.node
        if node is not None and node.probe and node.transform is not None:
            self.probe.setInputs(node.transform, node.fixedLabels, node.movingLabels, self._region())
            self.probe.start()
        else:
            self.probe.stop()

    def _showProbeText(self, text: str) -> None:
        showText(self.ui.probeLabel, text)
