"""Parameter sets in the panels: which one is shown, what entering a module costs, and scenes that another version has saved."""

from __future__ import annotations

import sys

import pytest
from panels import opened

MODULES = ("DeepRegDense", "DeepRegDescent", "DeepRegPoints", "DeepRegInspector", "DeepRegTrainer")


@pytest.mark.parametrize("name", MODULES)
def test_entering_a_module_connects_nothing_again_and_keeps_the_parameter_set(warm_app, name, monkeypatch):
    """The application of version 5.10 keeps the observers of a connection after it was removed."""
    import slicer

    widget = opened(warm_app, name)
    panel = widget.panel
    first = panel.node
    second = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "second")
    second.SetModuleName(name)
    second.SetAttribute("ModuleName", name)
    panel.setParameterNode(panel.logic.wrap(second))
    assert panel.node.parameterNode is second
    connected = []
    original = type(first).connectParametersToGui
    monkeypatch.setattr(type(first), "connectParametersToGui", lambda self, mapping: connected.append(name) or original(self, mapping))
    shown = panel.node
    for _ in range(5):
        widget.exit()
        widget.enter()
    warm_app.process_events()
    assert panel.node is shown
    assert connected == []


@pytest.mark.parametrize(
    ("name", "parameter"), [("DeepRegDense", "parameters.initial"), ("DeepRegPoints", "source"), ("DeepRegTrainer", "method")]
)
def test_a_choice_of_another_version_becomes_the_default_and_is_named(warm_app, name, parameter):
    widget = opened(warm_app, name)
    panel = widget.panel
    mrml, wrap = panel.node.parameterNode, panel.logic.wrap
    default = panel.node.getValue(parameter)
    panel.setParameterNode(None)
    mrml.SetParameter(parameter, "spline")
    mrml.SetParameter("device", "quantum")
    panel.setParameterNode(wrap(mrml))
    assert panel.node.getValue(parameter) == default
    assert panel.node.device == "auto"
    assert f"{parameter.split('.')[-1]} = spline" in widget.ui.resultLabel.text
    assert "device = quantum" in widget.ui.resultLabel.text
    panel.node.device = "cpu"
    assert widget.ui.deviceComboBox.currentText == "cpu"


@pytest.mark.host_only("modules of the application cannot be removed")
def test_descent_opens_without_sequences(warm_app, pair, monkeypatch):
    """As in an application without the core module Sequences."""
    import slicer

    monkeypatch.delattr(slicer.modules, "sequences")
    monkeypatch.delattr(slicer, "vtkMRMLSequenceNode")
    monkeypatch.delattr(slicer, "vtkMRMLSequenceBrowserNode")
    for module in [module for module in sys.modules if module.startswith("DeepRegDescentLib")]:
        monkeypatch.delitem(sys.modules, module)
    widget = opened(warm_app, "DeepRegDescent")
    assert widget.ui.applyButton.enabled, widget.ui.applyButton.toolTip
    assert not widget.ui.iterationsOutputSelector.enabled
    assert not widget.ui.iterationsWantedCheckBox.enabled
    for module in [module for module in sys.modules if module.startswith("DeepRegDescentLib")]:
        del sys.modules[module]


def test_missing_packages_are_not_looked_for_at_each_change(warm_app, pair, monkeypatch):
    from deepreg_slicer import torch_state

    widget = opened(warm_app)
    looked = []
    original = torch_state.is_installed
    monkeypatch.setattr(torch_state, "is_installed", lambda name: looked.append(name) or original(name))
    for value in (21.0, 22.0, 23.0):
        widget.panel.node.parameters.smoothness = value
    assert looked == []
    widget.exit()
    widget.enter()
    assert looked != []
