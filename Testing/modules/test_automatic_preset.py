"""The preset Automatic: the first and the default one in each panel, replaced by the engine's choice in the run."""

from __future__ import annotations

import json

import pytest
from panels import applied, opened, quick


@pytest.mark.parametrize("module", ["DeepRegDense", "DeepRegPoints", "DeepRegDescent"])
def test_automatic_is_the_first_preset_and_the_default(app, module):
    widget = opened(app, module)
    box = widget.ui.presetComboBox
    assert (box.itemText(0), box.itemData(0)) == ("Automatic", "auto")
    assert box.currentIndex == 0
    assert widget.panel.node.preset == "auto"
    assert "what both images show" in widget.ui.presetHelpLabel.text
    request = widget.panel.request()
    assert (request.preset, request.parameters) == ("auto", {})


def test_a_run_states_the_preset_that_was_chosen(warm_app, hands, dense_widget):
    panel = dense_widget.panel
    quick(dense_widget)
    assert panel.node.preset == "auto"
    changed = panel.request().parameters
    assert 0 < len(changed) < len(panel.values())
    applied(warm_app, hands, dense_widget)
    assert "Chosen automatically: Dense registration, preset " in panel.node.resultSummary
    transform = panel.node.resultTransform
    report = json.loads(transform.GetAttribute("DeepReg.Report"))
    assert report["suggestion"]["preset"] == report["preset"] == transform.GetAttribute("DeepReg.Preset")
    assert report["preset"] in ("follow-up-ct", "abdomen-ct")
    parameters = json.loads(transform.GetAttribute("DeepReg.Parameters"))
    assert set(parameters) == set(panel.values())
    assert changed.items() <= parameters.items()


def test_a_scene_of_an_earlier_version_keeps_its_preset(app, hands, pair, tmp_path):
    import slicer

    widget = opened(app, "DeepRegDense")
    hands.choose(widget.ui.presetComboBox, "Thorax CT")
    hands.choose(widget.ui.presetComboBox, "Abdomen CT")  # the former default
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear()
    app.process_events()
    slicer.util.loadScene(path)
    app.process_events()
    assert widget.panel.node.preset == "abdomen-ct"
    request = widget.panel.request()
    assert request.preset == "abdomen-ct"
    assert request.parameters == widget.panel.values()


def test_scripts_may_leave_the_preset_out(app):
    from deepreg_slicer.scripting import parametersOf

    assert parametersOf("dense", "auto", {}) == {}
    assert parametersOf("dense", "auto", {"smoothness": "20"}) == {"smoothness": 20.0}
    with pytest.raises(RuntimeError, match="no parameter 'smoothnes'"):
        parametersOf("dense", "auto", {"smoothnes": 1})
