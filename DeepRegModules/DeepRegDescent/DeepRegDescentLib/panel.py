"""The Descent method's panel."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_engine.methods.descent.parameters import SHIPPED_NETWORK, DescentParameters
from deepreg_engine.methods.descent.presets import DEFAULT_DESCENT_PRESET, DESCENT_PRESETS
from deepreg_slicer import result_view
from deepreg_slicer.choice_box import ChoiceBox
from deepreg_slicer.estimate import descentMemory
from deepreg_slicer.feature_chooser import FORMULAS, FeatureChooser
from deepreg_slicer.method_panel import MethodPanel
from deepreg_slicer.registration import Registration, Request, Result, inScene
from DeepRegDescentLib import energy, iterations
from DeepRegDescentLib.parameters import descentInputs, descentOutputs
from DeepRegDescentLib.registration import FEATURES, DescentRegistration, DescentRequest

# Pixels, of the box with the speed.
_LEAST_WIDTH = 70
_MODALITIES = (
    ("auto", _("Automatic"), _("Told from the intensities: Hounsfield units with air in sight are CT, all else is taken for MR.")),
    ("ct", _("CT"), _("Computed tomography, in Hounsfield units.")),
    ("mr", _("MR"), _("Magnetic resonance, of any weighting.")),
    ("other", _("Other"), _("Cone-beam CT, ultrasound, PET, and whatever has intensities of its own.")),
)


class DescentPanel(MethodPanel):
    """Says what is special to the Descent method."""

    operation = "descent"
    title = "Descent registration"
    parametersClass = DescentParameters
    presets = DESCENT_PRESETS
    defaultPreset = DEFAULT_DESCENT_PRESET
    optionalOutputs = ("volume", "inverse", "labels", "jacobian", "features", "iterations")
    inputParameters = ("fixed_modality", "moving_modality")

    # ------------------------------------------------------------------- build

    def _build(self) -> None:
        ui = self.ui
        ui.iterationsOutputSelector.addAttribute("vtkMRMLSequenceNode", "DeepReg.Output", "iterations")
        super()._build()
        self.modalities = {
            name: ChoiceBox(getattr(ui, f"{name.split('_')[0]}ModalityComboBox"), _MODALITIES) for name in self.inputParameters
        }
        self._players = self._makePlayers()
        self._shows = {"features": ui.showFeaturesCheckBox, "iterations": ui.showIterationsCheckBox}
        self._showHelp = {what: box.toolTip for what, box in self._shows.items()}
        if not iterations.available():
            ui.iterationsWantedCheckBox.setEnabled(False)
            ui.iterationsWantedCheckBox.toolTip = _("This application has no sequences.")

    def outputWidgets(self, name: str) -> list[Any]:
        if name == "features":
            return [getattr(self.ui, f"{feature}OutputSelector") for feature in FEATURES]
        if name == "iterations":
            return [self.ui.iterationsOutputSelector, self.ui.keptIterationsSpinBox]
        return super().outputWidgets(name)

    def _featureChooser(self) -> FeatureChooser:
        *formulas, intensity = FORMULAS
        return FeatureChooser(self.operation, (*formulas, (SHIPPED_NETWORK, _("any-contrast (network)")), intensity))

    def _makePlayers(self) -> list[Any]:
        """The application's own widgets for sequences: a slider, and buttons to play."""
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
                setattr(players[1], name, "")  # they belong to the application's own widget
            rate = players[1].findChild(qt.QDoubleSpinBox)
            if rate is not None:  # a narrow panel has room for it, if it need not be wide
                rate.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Fixed)
                rate.setMinimumWidth(_LEAST_WIDTH)
        return players

    def _connect(self) -> None:
        super()._connect()
        ui = self.ui
        for name, box in self.modalities.items():
            box.changed.connect(lambda value, name=name: self._onModality(name, value))
        for what, box in self._shows.items():
            box.connect("toggled(bool)", lambda on, what=what: self._onShow(what, on))
        ui.energyButton.connect("clicked(bool)", self._onEnergy)

    # ------------------------------------------------------------------ inputs

    def _onNodeModified(self, *arguments: Any) -> None:
        if self.node is None or self._updating:
            return
        network = self.node.parameters.features not in dict(FORMULAS)
        for name, box in self.modalities.items():
            box.show(getattr(self.node.parameters, name))
            box.widget.setEnabled(network)
        super()._onNodeModified(*arguments)

    def _onModality(self, name: str, value: str) -> None:
        if self.node is not None and not self._updating:
            setattr(self.node.parameters, name, value)

    def request(self) -> Request:
        node = self.node
        return DescentRequest(
            self.operation,
            self.title,
            descentInputs(node),
            descentOutputs(node),
            self.values(),
            node.preset,
            node.device,
            keptIterations=node.keptIterations,
            chart=node.energyChart,
        )

    def makeRun(self, request: Request) -> Registration:
        return DescentRegistration(request, self.client)

    def memory(self, fixed: Any, moving: Any) -> float:
        return descentMemory(fixed, moving, DescentParameters(**self.values()))

    def initialize(self) -> None:
        iterations.restore()  # a scene may have been loaded while another module was open
        super().initialize()

    def onImported(self) -> None:
        iterations.restore()
        super().onImported()

    # ------------------------------------------------------------------ result

    def keepResult(self, node: Any, result: Result) -> None:
        self._stop()
        super().keepResult(node, result)
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
        """What is shown below and above: the volumes, their features, or an iteration."""
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
        if self._updating or self.node is None:
            return
        transform = self.shownTransform()
        grid = self.ui.gridCheckBox.checked
        below, above = self._layers(what if on else "images")
        if below is not None:
            alike = tuple(self._layers(other)[0] for other in ("images", "features"))
            result_view.showOver(below, above, self.ui.fadeSlider.value / 100.0, alike)
        if grid and transform is not self.shownTransform():  # the grid is that of what is seen
            result_view.showGrid(transform, None, False)
            result_view.showGrid(self.shownTransform(), self.node.fixedVolume, True)
        if not on and what == "iterations":
            self._stop()
        self._showResult()

    def _stop(self) -> None:
        """Let the iterations rest."""
        browser = iterations.browserOf(self._sequence())
        if browser is not None:
            browser.SetPlaybackActive(False)

    def _showResult(self) -> None:
        super()._showResult()
        ui = self.ui
        browser = iterations.browserOf(self._sequence())
        self._updating = True
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
            self._updating = False

    def _onEnergy(self, *_arguments: Any) -> None:
        if self.node is not None and inScene(self.node.energyChart):
            energy.show(self.node.energyChart)

    # --------------------------------------------------------------------- end

    def cleanup(self) -> None:
        for player in self._players:
            player.setMRMLSequenceBrowserNode(None)
        super().cleanup()
