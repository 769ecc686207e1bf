"""The results of the Descent method in the views: features, iterations and energy."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_slicer import result_view
from deepreg_slicer.request import Result, inScene
from deepreg_slicer.result_section import ResultSection
from DeepRegDescentLib import energy, iterations
from DeepRegDescentLib.registration import FEATURES

# Pixels, of the box with the speed.
_LEAST_WIDTH = 70


class DescentResultSection(ResultSection):
    """The widgets below Result, with those for features, iterations and energy."""

    def connect(self) -> None:
        super().connect()
        ui = self.ui
        self._players = self._makePlayers()
        self._shows = {"features": ui.showFeaturesCheckBox, "iterations": ui.showIterationsCheckBox}
        self._showHelp = {what: box.toolTip for what, box in self._shows.items()}
        for what, box in self._shows.items():
            box.connect("toggled(bool)", lambda on, what=what: self._onShow(what, on))
        ui.energyButton.connect("clicked(bool)", self._onEnergy)
        for widget in (ui.fadeLabel, ui.fadeSlider):
            widget.toolTip = _("Opacity of the warped volume, or of its features, over the fixed one.")

    def _makePlayers(self) -> list[Any]:
        """Return the application's own widgets for sequences: a slider, and buttons to play."""
        players = []
        for className in ("qMRMLSequenceBrowserSeekWidget", "qMRMLSequenceBrowserPlayWidget"):
            if iterations.available() and hasattr(slicer, className):
                player = getattr(slicer, className)()
                player.setMRMLScene(slicer.mrmlScene)
                players.append(player)
                self.ui.iterationsPlayer.layout().addWidget(player)
        if len(players) == 2:
            players[1].RecordingControlsVisible = False
            for name in ("PlayPauseShortcut", "PreviousFrameShortcut", "NextFrameShortcut"):
                setattr(players[1], name, "")  # parts of the application's widget
            rate = players[1].findChild(qt.QDoubleSpinBox)
            if rate is not None:  # a narrow panel has room for it if it has no minimal width
                rate.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Fixed)
                rate.setMinimumWidth(_LEAST_WIDTH)
        return players

    def keep(self, result: Result) -> None:
        self._stop()
        super().keep(result)
        node = self.node
        for name in FEATURES:
            setattr(node, f"{name}Result", result.nodes.get(name))
        node.energyTable, node.energyChart = result.nodes.get("energy"), result.nodes.get("chart")
        if iterations.available():
            node.resultIterations = result.nodes.get("iterations")

    def shownTransform(self) -> Any:
        sequence = self._sequence()
        if sequence is not None and self._isShown("iterations"):
            return iterations.proxyOf(sequence)
        return super().shownTransform()

    def _sequence(self) -> Any:
        return getattr(self.node, "resultIterations", None) if self.node is not None else None

    def _layers(self, what: str) -> tuple[Any, Any]:
        """Return background and foreground of the views: the volumes, their features, or an iteration."""
        node = self.node
        if node is None:
            return None, None
        if what == "features":
            return node.fixedFeaturesResult, node.warpedFeaturesResult
        if what == "iterations":
            moved = iterations.movedOf(self._sequence())
            return (node.fixedVolume if moved is not None and iterations.proxyOf(self._sequence()) is not None else None), moved
        return node.fixedVolume, node.resultVolume

    def _isShown(self, what: str) -> bool:
        return result_view.isOver(*self._layers(what))

    def _onShow(self, what: str, on: bool) -> None:
        if self.updating or self.node is None:
            return
        transform = self.shownTransform()
        grid = self.ui.gridCheckBox.checked
        below, above = self._layers(what if on else "images")
        if below is not None:
            alike = tuple(self._layers(other)[0] for other in ("images", "features"))
            result_view.showOver(below, above, self.ui.fadeSlider.value / 100.0, alike)
        if grid and transform is not self.shownTransform():  # the grid shows the present transform
            result_view.showGrid(transform, None, False)
            result_view.showGrid(self.shownTransform(), self.node.fixedVolume, True)
        if not on and what == "iterations":
            self._stop()
        self.update()

    def _stop(self) -> None:
        """Stop playing the iterations."""
        browser = iterations.browserOf(self._sequence())
        if browser is not None:
            browser.SetPlaybackActive(False)

    def update(self) -> None:
        super().update()
        ui = self.ui
        browser = iterations.browserOf(self._sequence())
        self.updating = True
        try:
            shown = {}
            for what, box in self._shows.items():
                there = None not in self._layers(what)
                box.setEnabled(there)
                box.toolTip = (
                    self._showHelp[what]
                    if there
                    else _("There is none: tick {output} under Outputs, and apply.").format(
                        output=getattr(ui, f"{what}WantedCheckBox").text.rstrip(":")
                    )
                )
                box.checked = shown[what] = self._isShown(what)
            ui.fadeSlider.setEnabled(ui.fadeSlider.enabled or any(shown.values()))
            ui.energyButton.setEnabled(self.node is not None and self.node.energyChart is not None and self.node.energyTable is not None)
            for player in self._players:
                player.setMRMLSequenceBrowserNode(browser)
            ui.iterationsPlayer.setVisible(shown["iterations"] and bool(self._players))
        finally:
            self.updating = False

    def _onEnergy(self, *_arguments: Any) -> None:
        if self.node is not None and inScene(self.node.energyChart):
            energy.show(self.node.energyChart)

    def cleanup(self) -> None:
        """Disconnect the players from their browser."""
        super().cleanup()
        for player in self._players:
            player.setMRMLSequenceBrowserNode(None)
