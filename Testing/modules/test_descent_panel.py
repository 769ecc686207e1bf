"""The Descent panel: modalities, parameters, cancel, failure, undo, scenes, scripts and layout."""

from __future__ import annotations

import json

import numpy as np
import pytest
from descent_bench import FEATURES, QUICK, SHOWN, browser, everything, layers, moved, proxy, quick
from panels import applied, check_focus_order, check_texts, finish, load_points, nodes
from world import through


@pytest.fixture
def widget(descent_widget):
    return descent_widget


# ---------------------------------------------------------------------------------------------------------------- choose


def test_modalities_stand_beside_their_volumes(warm_app, hands, widget):
    ui, node = widget.ui, widget.panel.node
    assert "fixed_modality" not in widget.panel.form.widgets
    assert "moving_modality" not in widget.panel.form.widgets
    assert not ui.fixedModalityComboBox.enabled  # a formula is the same for all
    hands.choose(ui.presetComboBox, "CT with cone-beam CT")
    node.parameters.features = "any-contrast"
    assert ui.fixedModalityComboBox.enabled
    assert ui.fixedModalityComboBox.currentText == "Other"
    hands.choose(ui.fixedModalityComboBox, "CT")
    assert node.parameters.fixed_modality == "ct"
    assert ui.presetHelpLabel.text.endswith("Changed under Advanced: features.")
    node.parameters.moving_modality = "mr"
    assert ui.movingModalityComboBox.currentText == "MR"
    # The user's choice of a modality stays; that of a preset changes with the preset.
    node.parameters.moving_modality = "other"
    hands.choose(ui.presetComboBox, "MR with CT, abdomen")
    assert (ui.fixedModalityComboBox.currentText, ui.movingModalityComboBox.currentText) == ("CT", "Automatic")
    request = widget.panel.request()
    assert request.parameters["fixed_modality"] == "ct"
    assert request.parameters["moving_modality"] == "auto"


def test_every_other_parameter_has_its_widget_and_presets_set_them(warm_app, hands, widget):
    from deepreg_engine.methods.descent.parameters import DescentParameters
    from deepreg_engine.methods.descent.presets import DESCENT_PRESETS

    names = {description.name for description in DescentParameters.describe()}
    assert set(widget.panel.form.widgets) == names - {"fixed_modality", "moving_modality"}
    for preset in DESCENT_PRESETS:
        hands.choose(widget.ui.presetComboBox, preset.title)
        assert widget.panel.values() == preset.parameters.to_dict()
        assert "about" in widget.ui.memoryLabel.text
    widget.panel.node.parameters.fluid = 3.0
    assert "Changed under Advanced: fluid" in widget.ui.presetHelpLabel.text


@pytest.mark.parametrize(
    ("wrong", "words"), [("the same", "are the same"), ("two outputs", '"Fixed features" and "Warped features" have the same output')]
)
def test_apply_says_why_it_cannot(warm_app, widget, pair, wrong, words):
    import slicer

    node = widget.panel.node
    if wrong == "the same":
        node.movingVolume = pair[0]
    else:
        node.featuresWanted = True
        node.fixedFeaturesOutput = node.warpedFeaturesOutput = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "output")
    assert not widget.ui.applyButton.enabled
    assert words.lower() in widget.ui.applyButton.toolTip.lower()


# ------------------------------------------------------------------------------------------------------- nothing is left


def test_cancel_leaves_nothing(warm_app, hands, all_outputs):
    quick(all_outputs, iterations=1000)
    before = everything()
    hands.click(all_outputs.ui.applyButton)
    warm_app.wait_for(lambda: all_outputs.ui.progressBar.value > 100, 20)
    hands.click(all_outputs.ui.applyButton)
    finish(warm_app, all_outputs)
    assert everything() == before
    assert "Stopped by the user" in all_outputs.ui.resultLabel.text


def test_failure_leaves_nothing(warm_app, hands, all_outputs, monkeypatch):
    from DeepRegDescentLib import energy

    def fails(*_arguments):
        raise MemoryError

    before = everything()
    with monkeypatch.context() as patch:
        patch.setattr(energy, "fillChart", fails)
        line = applied(warm_app, hands, all_outputs)
        assert "ran out of memory" in line
        assert "\n" not in line
    assert everything() == before
    assert "folding" in applied(warm_app, hands, all_outputs)


def test_one_step_of_undo_takes_all_away(warm_app, hands, all_outputs):
    import slicer

    slicer.mrmlScene.SetUndoOn()
    before = {kind: everything()[kind] for kind in (*SHOWN, "vtkMRMLVolumeNode")}
    names = nodes()
    applied(warm_app, hands, all_outputs)
    slicer.mrmlScene.Undo()
    warm_app.process_events()
    assert nodes() == names
    assert {kind: everything()[kind] for kind in before} == before
    assert all_outputs.ui.applyButton.enabled


# ----------------------------------------------------------------------------------------------------------------- scene


def test_scene_saved_and_loaded_plays_on(warm_app, hands, all_outputs, tmp_path):
    import slicer

    widget = all_outputs
    summary = applied(warm_app, hands, widget)
    points = np.array([[0.0, 0.0, 0.0], [25.0, -15.0, 10.0], [-20.0, 10.0, -12.0]])
    count = browser(widget).GetNumberOfItems()
    expected = []
    for item in range(count):
        browser(widget).SetSelectedItemNumber(item)
        expected.append(through(proxy(widget), points, inverse=True))
    colours = slicer.util.arrayFromVolume(widget.panel.node.warpedFeaturesResult).copy()
    text = [widget.panel.node.energyTable.GetCellText(row, 2) for row in range(widget.panel.node.energyTable.GetNumberOfRows())]
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear()
    warm_app.process_events()
    assert not widget.ui.showIterationsCheckBox.enabled
    assert not widget.ui.energyButton.enabled
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    warm_app.process_events()
    node = widget.panel.node
    assert widget.ui.resultLabel.text == summary
    assert browser(widget).GetNumberOfItems() == count
    for item in range(count):
        browser(widget).SetSelectedItemNumber(item)
        assert np.allclose(through(proxy(widget), points, inverse=True), expected[item], atol=2e-3), item
    assert moved(widget).GetParentTransformNode() is proxy(widget)
    assert np.array_equal(slicer.util.arrayFromVolume(node.warpedFeaturesResult), colours)
    loaded = [node.energyTable.GetCellText(row, 2) for row in range(node.energyTable.GetNumberOfRows())]
    assert [float(a) for a in loaded] == pytest.approx([float(a) for a in text], nan_ok=True, rel=1e-4)
    hands.click(widget.ui.showIterationsCheckBox)
    assert layers() == ("fixed", "moving at iteration")
    hands.click(widget.ui.showFeaturesCheckBox)
    assert layers()[0] == "Features of fixed"
    assert not widget.ui.showIterationsCheckBox.checked
    hands.click(widget.ui.energyButton)
    assert "folding" in applied(warm_app, hands, widget)


# --------------------------------------------------------------------------------------------------------------- scripts


def test_a_script_registers_mr_to_ct_without_a_panel(warm_app, tmp_path):
    import slicer

    from deepreg_engine.phantoms import make_pair, write_pair

    warm_app.load_module("DeepRegDescent")
    from DeepRegDescent import DeepRegDescentLogic

    write_pair(make_pair("abdomen", detail=0.35, modality_pair="mr-ct"), tmp_path)
    pair = [slicer.util.loadVolume(str(tmp_path / f"{side}.nii.gz")) for side in ("fixed", "moving")]
    landmarks = [load_points(tmp_path / f"{side}_landmarks.csv", side) for side in ("fixed", "moving")]
    logic = DeepRegDescentLogic()
    wanted = ("transform", "features", "iterations", "energy")
    changes = {**QUICK, "fixed_modality": "mr", "moving_modality": "ct"}
    result = logic.register(
        *pair, preset="quick", parameters=changes, outputs=wanted, keptIterations=4, testFixed=landmarks[0], testMoving=landmarks[1]
    )
    assert set(result.nodes) == {"transform", *FEATURES, "iterations", "browser", "iterationTransform", "moved", "energy", "chart"}
    assert result.report["landmarks"]["after"]["mean"] < 0.9 * result.report["landmarks"]["before"]["mean"]
    assert json.loads(result.nodes["iterations"].GetAttribute("DeepReg.Parameters"))["moving_modality"] == "ct"
    for arguments, words in (
        ({"preset": "quik"}, "did you mean quick"),
        ({"parameters": {"fluit": 1}}, "did you mean fluid"),
        ({"outputs": ("uncertainty",)}, "there is no output"),
        ({"outputs": ("fixedFeatures",)}, "there is no output"),
        ({"guideFixed": landmarks[0], "guideMoving": landmarks[1]}, "there is no input guideFixed"),
    ):
        with pytest.raises(RuntimeError, match=words):
            logic.register(*pair, **arguments)


def test_the_modules_own_test(warm_app):
    warm_app.load_module("DeepRegDescent")
    from DeepRegDescent import DeepRegDescentTest

    DeepRegDescentTest().runTest()


# ---------------------------------------------------------------------------------------------------------------- layout


@pytest.mark.parametrize("width", [350, 600])
def test_no_text_is_cut_off(warm_app, hands, all_outputs, width):
    applied(warm_app, hands, all_outputs)
    hands.click(all_outputs.ui.showIterationsCheckBox)
    check_texts(warm_app, all_outputs, width, 1900)


def test_the_player_has_its_place_in_the_order_of_the_keyboard(warm_app, hands, all_outputs):
    applied(warm_app, hands, all_outputs)
    hands.click(all_outputs.ui.showIterationsCheckBox)
    wanted = [
        "fixedModalityComboBox",
        "movingModalityComboBox",
        "presetComboBox",
        "showIterationsCheckBox",
        "slider_IndexValue",
        "pushButton_VcrFirst",
        "pushButton_VcrPlayPause",
        "energyButton",
        "applyButton",
    ]
    check_focus_order(all_outputs, wanted)
