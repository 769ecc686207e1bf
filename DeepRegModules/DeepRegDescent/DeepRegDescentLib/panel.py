"""The Descent method's panel."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from deepreg_engine.methods.descent.parameters import SHIPPED_NETWORK
from deepreg_slicer.choice_box import ChoiceBox
from deepreg_slicer.feature_chooser import FeatureChooser, generalFeatures
from deepreg_slicer.method_panel import MethodPanel
from deepreg_slicer.parameter_node import inputsOf
from deepreg_slicer.registration import Registration
from deepreg_slicer.request import Request
from DeepRegDescentLib import iterations
from DeepRegDescentLib.parameters import descentOutputs
from DeepRegDescentLib.registration import METHOD, DescentRegistration, DescentRequest
from DeepRegDescentLib.result_section import DescentResultSection

_MODALITIES = (
    ("auto", _("Automatic"), _("Selected by the intensities: CT if they are Hounsfield units with air, else MR.")),
    ("ct", _("CT"), _("Computed tomography, in Hounsfield units.")),
    ("mr", _("MR"), _("Magnetic resonance, of any weighting.")),
    ("other", _("Other"), _("Cone-beam CT, ultrasound, PET, and any other modality.")),
)


class DescentPanel(MethodPanel):
    """Parts of the panel that only the Descent method has."""

    method = METHOD
    inputParameters = ("fixed_modality", "moving_modality")
    resultSectionClass = DescentResultSection

    # ------------------------------------------------------------------- build

    def build(self) -> None:
        ui = self.ui
        ui.iterationsOutputSelector.addAttribute("vtkMRMLSequenceNode", "DeepReg.Output", "iterations")
        super().build()
        self.modalities = {
            name: ChoiceBox(getattr(ui, f"{name.split('_')[0]}ModalityComboBox"), _MODALITIES) for name in self.inputParameters
        }
        if not iterations.available():
            ui.iterationsWantedCheckBox.setEnabled(False)
            ui.iterationsWantedCheckBox.toolTip = _("This application has no sequences.")

    def outputWidgets(self) -> dict[str, list[Any]]:
        widgets = super().outputWidgets()
        widgets["iterationsWanted"].append(self.ui.keptIterationsSpinBox)
        return widgets

    def featureChooser(self) -> FeatureChooser:
        *formulas, intensity = generalFeatures()
        return FeatureChooser(self.method, (*formulas, (SHIPPED_NETWORK, _("any-contrast (network)")), intensity))

    def connect(self) -> None:
        super().connect()
        for name, box in self.modalities.items():
            box.changed.connect(lambda value, name=name: self._onModality(name, value))

    # ------------------------------------------------------------------ inputs

    def update(self) -> None:
        if self.node is None or self.updating:
            return
        network = self.node.parameters.features not in dict(generalFeatures())
        for name, box in self.modalities.items():
            box.show(getattr(self.node.parameters, name))
            box.widget.setEnabled(network)
        super().update()

    def _onModality(self, name: str, value: str) -> None:
        if self.node is not None and not self.updating:
            setattr(self.node.parameters, name, value)

    def request(self) -> Request:
        node = self.node
        return DescentRequest(
            self.method,
            inputsOf(node, self.method),
            descentOutputs(node),
            self.presetSection.values(),
            node.preset,
            node.device,
            keptIterations=node.keptIterations,
            chart=node.energyChart,
        )

    def makeRun(self, request: Request) -> Registration:
        return DescentRegistration(request, self.client)

    def initialize(self) -> None:
        iterations.restore()  # a scene may have been loaded while another module was open
        super().initialize()

    def onImported(self) -> None:
        iterations.restore()
        super().onImported()
