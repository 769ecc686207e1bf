"""The warped moving volume or a map of the deformation over the fixed volume."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from deepreg_engine.geometry.label_like import label_note
from deepreg_slicer.choice_box import ChoiceBox
from deepreg_slicer.confidence import colorConfidence, expectedErrorOf
from deepreg_slicer.cooperative import Cooperative
from deepreg_slicer.engine_texts import sentence
from deepreg_slicer.length_colors import showBar
from deepreg_slicer.timers import makeTimer, releaseTimer
from deepreg_slicer.volumes import newNode, setVolume, uniqueName
from DeepRegInspectorLib import fields, overlay, views
from DeepRegInspectorLib.colors import jacobianColors, jacobianSpan, lengthColors
from DeepRegInspectorLib.sections.base import Section, showText

_FLICKER = 500  # ms
_OVERLAYS = (
    ("none", _("not shown"), _("Only the fixed volume.")),
    ("fade", _("fade"), _("The warped moving volume over the fixed one.")),
    ("checkerboard", _("checkerboard"), _("Alternating fields of both volumes: edges have to continue across fields.")),
    ("flicker", _("blink"), _("The two volumes alternate: structures that move are not aligned.")),
    ("difference", _("difference"), _("Warped minus fixed. It is meaningful only if both have the same contrast.")),
)
_MAPS = (
    ("none", _("not shown"), _("No map.")),
    (
        "jacobian",
        _("Jacobian"),
        _("Local change of volume: 1 is no change, below 1 the fixed side is larger; 0 or less is a fold, marked in magenta."),
    ),
    ("displacement", _("displacement"), _("Length of the displacement beyond the alignment, mm.")),
    (
        "expectedError",
        _("confidence"),
        _("Length below which 90 % of the errors are expected, mm: blue is reliable, white uncertain, orange unreliable."),
    ),
)


class ImagesSection(Section):
    """Computes the warped volume and the maps when they are first shown, and shows one of them.

    Attributes:
        maps: of the transform; None before they are measured.
        otherFigures: of the second transform; None without one.
    """

    name = "images"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._work: Cooperative | None = None
        self._warped: tuple[np.ndarray, np.ndarray, Any] | None = None
        self.maps: fields.Maps | None = None
        self.otherFigures: dict[str, Any] | None = None
        self.overlay = ChoiceBox(self.ui.overlayComboBox, _OVERLAYS)
        self.map = ChoiceBox(self.ui.mapComboBox, _MAPS)
        self.flicker = makeTimer(_FLICKER, self.onFlicker)
        self._flickerOn = False
        self._barShown = ""
        self.ui.overlaySlider.connect("valueChanged(double)", lambda _value: self._onMix())
        self.overlay.changed.connect(self._onOverlay)
        self.map.changed.connect(self._onMap)

    @property
    def busy(self) -> bool:
        return self._work is not None

    def forget(self) -> None:
        self._stopWork()
        self._warped = self.maps = self.otherFigures = None

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        if changed & {"transform", "otherTransform", "fixedVolume", "movingVolume"}:
            self._drop()

    def onModified(self, name: str) -> None:
        self._drop()

    def _drop(self) -> None:
        """Drop what was computed from other inputs."""
        self.forget()
        shown = self.node.overlay != "none" or self.node.map != "none"
        self.node.overlay = self.node.map = "none"
        showText(self.ui.mapInfoLabel, "")
        if shown:
            self._plain()

    def showParameters(self) -> None:
        self.overlay.show(self.node.overlay)
        self.map.show(self.node.map)

    def onParameters(self, changed: set[str]) -> None:
        if self._barShown != self.node.map:
            self._showBar()

    def enable(self) -> None:
        ui, node = self.ui, self.node
        there = node.transform is not None
        self.allow(ui.overlayComboBox, self.context.volumes() and there, _("Choose a transform and both volumes first."))
        self.allow(ui.mapComboBox, there, _("Choose a transform first."))
        ui.overlaySlider.setEnabled(node.overlay in ("fade", "checkerboard") or node.map != "none")

    def resume(self) -> None:
        if self.node.overlay == "flicker" and self._warped is not None:
            self.flicker.start()

    def rest(self) -> None:
        self.flicker.stop()

    def hide(self) -> None:
        self.node.overlay = self.node.map = "none"
        showText(self.ui.mapInfoLabel, "")

    def cleanup(self) -> None:
        self._stopWork()
        releaseTimer(self.flicker)

    # -------------------------------------------------------------------- work

    def _start(self, work: Generator[Any, None, Any], done: Callable[[Any], None]) -> None:
        """Work between the events of the window."""
        self._stopWork()
        self._work = Cooperative(work)

        def finished(value: Any) -> None:
            self._work = None
            done(value)

        def broken(error: Exception) -> None:
            self._work = None
            text = str(error)
            showText(self.ui.mapInfoLabel, text[:1].upper() + text[1:])
            self.node.overlay = self.node.map = "none"

        self._work.finished.connect(finished)
        self._work.failed.connect(broken)
        self._work.start()

    def _stopWork(self) -> None:
        if self._work is not None:
            self._work.stop()
            self._work = None

    # ---------------------------------------------------------- warped volume

    def _onOverlay(self, value: str) -> None:
        if self.node is None or self.context.updating:
            return
        self.node.map = "none"
        self.node.overlay = value
        showText(self.ui.mapInfoLabel, "")
        self.flicker.stop()
        if value == "none":
            self._stopWork()
            self._plain()
        elif self._warped is None:
            showText(self.ui.mapInfoLabel, _("Warping the moving volume..."))
            self._start(self._warp(), self._onWarped)
        else:
            self._showOverlay()
        self.context.enable()

    def _warp(self) -> Generator[Any, None, tuple[np.ndarray, np.ndarray, Any]]:
        node = self.node
        values, geometry = yield from overlay.warped(node.transform, node.fixedVolume, node.movingVolume)
        fixed = yield from overlay.onOwnGrid(node.fixedVolume)
        return values, fixed, geometry

    def _onWarped(self, made: tuple[np.ndarray, np.ndarray, Any]) -> None:
        self._warped = made
        node = self.node
        if node.warped is None:
            node.warped = newNode(
                "vtkMRMLScalarVolumeNode",
                _("{moving} through {transform}").format(moving=node.movingVolume.GetName(), transform=node.transform.GetName()),
            )
        overlay.put(node.warped, made[0], made[2], node.movingVolume)
        showText(self.ui.mapInfoLabel, sentence(label_note(slicer.util.arrayFromVolume(node.movingVolume), "moving volume")))
        self._showOverlay()

    def _showOverlay(self) -> None:
        node = self.node
        share = self.ui.overlaySlider.value / 100.0
        if node.overlay == "fade":
            views.setLayers(node.fixedVolume, node.warped, share)
        elif node.overlay == "flicker":
            self._flickerOn = True
            views.setLayers(node.fixedVolume, node.warped, 1.0)
            self.flicker.start()
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
        """Show only the fixed volume."""
        self.flicker.stop()
        views.setLayers(self.node.fixedVolume, None, 0.0)

    def _onMix(self) -> None:
        node = self.node
        if node is None or self._work is not None:
            return
        if node.overlay == "fade" or node.map != "none":
            views.setOpacity(self.ui.overlaySlider.value / 100.0)
        elif node.overlay == "checkerboard" and self._warped is not None:
            self._showOverlay()

    def onFlicker(self) -> None:
        """Show the other one of the two volumes."""
        self._flickerOn = not self._flickerOn
        views.setOpacity(1.0 if self._flickerOn else 0.0)

    # -------------------------------------------------------------------- maps

    def _onMap(self, value: str) -> None:
        if self.node is None or self.context.updating:
            return
        self.flicker.stop()
        self.node.overlay = "none"
        self.node.map = value
        if value == "none":
            self._stopWork()
            showText(self.ui.mapInfoLabel, "")
            self._plain()
        elif value == "expectedError":
            self._showConfidence()
        elif self.maps is None:
            showText(self.ui.mapInfoLabel, _("Measuring the deformation..."))
            self._start(self._measureMaps(), self._onMaps)
        else:
            self._showMap()
        self.context.enable()

    def _showConfidence(self) -> None:
        """Show the map of the expected error that the run of the transform has made, if it has one."""
        node, found = self.node, expectedErrorOf(self.node.transform)
        self._stopWork()
        if found is None:
            node.map = "none"
            self._plain()
            showText(self.ui.mapInfoLabel, _("There is no map of the expected error: tick it under Outputs, and apply again."))
            return
        end = colorConfidence(found)
        views.setLayers(node.fixedVolume, found, self.ui.overlaySlider.value / 100.0)
        self._showBar()
        text = _("90 % of the errors are expected below these lengths. Colours from blue at 0 through white to orange at {end:g} mm.")
        showText(self.ui.mapInfoLabel, text.format(end=end))

    def _measureMaps(self) -> Generator[Any, None, tuple[fields.Maps, dict[str, Any] | None]]:
        """Return the maps of the transform, and figures of the second one."""
        node = self.node
        maps = yield from fields.mapsOf(node.transform, node.fixedVolume)
        if node.otherTransform is None:
            return maps, None
        other = yield from fields.mapsOf(node.otherTransform, node.fixedVolume)
        return maps, other.figures()

    def _onMaps(self, measured: tuple[fields.Maps, dict[str, Any] | None]) -> None:
        self.maps, self.otherFigures = measured
        self._showMap()

    def _mapText(self, figures: dict[str, Any]) -> str:
        if self.node.map == "jacobian":
            text = _("folded {folded:,} of {voxels:,} voxels ({share:.3g} %), Jacobian {low:.2f} to {high:.2f}, mean {mean:.2f}")
        else:
            text = _("deformation beyond the alignment: mean {length:.1f}, 95 % {p95:.1f}, maximum {most:.1f} mm")
        beyond = figures["deformation"]
        return text.format(
            folded=figures["folded"],
            voxels=figures["voxels"],
            share=figures["folding_percent"],
            low=beyond["min_jacobian"],
            high=beyond["max_jacobian"],
            mean=beyond["mean_jacobian"],
            length=beyond["mean"],
            p95=beyond["percentile95"],
            most=beyond["max"],
        )

    def _showMap(self) -> None:
        node, maps = self.node, self.maps
        figures = maps.figures()
        if node.mapVolume is None:
            node.mapVolume = newNode("vtkMRMLScalarVolumeNode", _("Map of the deformation"))
            node.mapVolume.CreateDefaultDisplayNodes()
        jacobian = node.map == "jacobian"
        setVolume(node.mapVolume, fields.asImage(maps.jacobian if jacobian else maps.lengths), maps.geometry)
        node.mapVolume.SetName(uniqueName(_("Jacobian") if jacobian else _("Displacement (mm)"), node.mapVolume))
        display = node.mapVolume.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        if jacobian:
            span = jacobianSpan(maps.jacobian)
            display.SetWindowLevelMinMax(1.0 - span, 1.0 + span)
            display.SetAndObserveColorNodeID(jacobianColors().GetID())
            colors = _("Blue below 1, red above, full at {low:g} and {high:g}").format(low=1.0 - span, high=1.0 + span)
        else:
            longest = max(1.0, figures["deformation"]["percentile95"])
            display.SetWindowLevelMinMax(0.0, longest)
            display.SetAndObserveColorNodeID(lengthColors().GetID())
            colors = _("Colours from 0 to {longest:.1f} mm").format(longest=longest)
        label = self._folds(maps) if jacobian and maps.folded else None
        views.setLayers(node.fixedVolume, node.mapVolume, self.ui.overlaySlider.value / 100.0, label)
        self._showBar()
        grid = _("the transform's own grid") if maps.own else _("the grid of the fixed volume")
        spacing = " \u00d7 ".join(f"{s:.3g}" for s in maps.geometry.spacing)
        text = self._mapText(figures)
        lines = [f"{text[:1].upper()}{text[1:]}. {colors}. " + _("Measured on {grid}, {spacing} mm.").format(grid=grid, spacing=spacing)]
        words = maps.linear.words(maps.centre)
        lines.append(f"{words[:1].upper()}{words[1:]}.")
        if self.otherFigures is not None:
            lines.append(_("Second transform: {text}.").format(text=self._mapText(self.otherFigures)))
        showText(self.ui.mapInfoLabel, "\n".join(lines))

    def _showBar(self) -> None:
        """Show the colour bar of the map in the views that show it."""
        node = self.node
        self._showConfidenceBar()
        if node.mapVolume is None:
            return
        on = node.map in ("jacobian", "displacement") and self.maps is not None
        title, digits = (_("Jacobian"), 2) if node.map == "jacobian" else (_("displacement (mm)"), 1)
        self._barShown = node.map
        showBar(node.mapVolume.GetDisplayNode(), on, title, "left", digits)

    def _showConfidenceBar(self) -> None:
        """Show the colour bar of the expected error while it is shown."""
        found = expectedErrorOf(self.node.transform)
        if found is not None:
            on = self.node.map == "expectedError"
            showBar(found.GetDisplayNode(), on, _("expected error (mm)"), "left")

    def _folds(self, maps: fields.Maps) -> Any:
        """Return a label map of the folded voxels, in magenta."""
        node = self.node
        if node.folds is None:
            node.folds = newNode("vtkMRMLLabelMapVolumeNode", _("Folded voxels"))
            node.folds.CreateDefaultDisplayNodes()
            colors = newNode("vtkMRMLColorTableNode", _("Colour of folded voxels"), _fillFoldColors)
            node.folds.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
        setVolume(node.folds, fields.asImage((maps.jacobian <= 0.0).astype(np.uint8)), maps.geometry)
        return node.folds


def _fillFoldColors(colors: Any) -> None:
    """Give a table of colours magenta for folded voxels."""
    colors.SetTypeToUser()
    colors.SetNumberOfColors(2)
    colors.SetColor(0, "background", 0.0, 0.0, 0.0, 0.0)
    colors.SetColor(1, "folded", 1.0, 0.0, 1.0, 1.0)
    colors.SetHideFromEditors(True)
