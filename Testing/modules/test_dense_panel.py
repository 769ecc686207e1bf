"""The Dense panel: choosing inputs and presets, scenes, scripts, layout and keyboard."""

from __future__ import annotations

import json

import numpy as np
import pytest
from panels import applied, check_focus_order, check_texts, opened
from world import through


@pytest.fixture
def widget(dense_widget):
    return dense_widget


def made(widget, name: str = "transform"):
    """A result of the last run."""
    return getattr(widget.panel.node, f"result{name.capitalize()}")


# ---------------------------------------------------------------------------------------------------------------- choose


def test_two_volumes_are_chosen_by_themselves(warm_app, pair):
    widget = opened(warm_app)
    assert (widget.ui.fixedSelector.currentNode(), widget.ui.movingSelector.currentNode()) == tuple(pair)
    assert widget.ui.applyButton.enabled
    assert widget.ui.applyButton.text == "Apply"
    assert "about" in widget.ui.memoryLabel.text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("no fixed", 'choose "Fixed volume"'),
        ("no moving", 'choose "Moving volume"'),
        ("the same", "are the same"),
        ("empty", "is empty"),
        ("one landmark list", 'choose "Moving guide landmarks" too'),
        ("unequal landmarks", "each needs its partner"),
        ("warp nothing", 'choose "Moving segmentation"'),
        ("output is input", "is an input"),
        ("outputs are the same", "have the same output"),
    ],
)
def test_apply_says_why_it_cannot(warm_app, widget, pair, wrong, words):
    import slicer

    node, ui = widget.panel.node, widget.ui
    assert ui.applyButton.enabled
    if wrong == "no fixed":
        ui.fixedSelector.setCurrentNode(None)
    elif wrong == "no moving":
        ui.movingSelector.setCurrentNode(None)
    elif wrong == "the same":
        ui.movingSelector.setCurrentNode(pair[0])
    elif wrong == "empty":
        ui.movingSelector.setCurrentNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))
    elif wrong in ("one landmark list", "unequal landmarks"):
        first, second = (slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name) for name in "ab")
        first.AddControlPoint([0, 0, 0])
        node.guideFixed = first
        node.guideMoving = second if wrong == "unequal landmarks" else None
    elif wrong == "warp nothing":
        node.labelsWanted = True
    elif wrong == "output is input":
        node.volumeOutput = pair[1]
    else:
        output = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "output")
        node.volumeOutput = node.jacobianOutput = output
        node.jacobianWanted = True
    warm_app.process_events()
    assert not ui.applyButton.enabled
    assert words.lower() in ui.applyButton.toolTip.lower(), ui.applyButton.toolTip


@pytest.mark.host_only("PyTorchUtils cannot pretend there")
def test_without_pytorch_the_panel_opens_and_says_what_to_do(slicer_app, warm_worker, pair):
    import PyTorchUtils

    PyTorchUtils.pretend("missing")
    try:
        widget = opened(slicer_app)
        assert not widget.ui.applyButton.enabled
        assert "Not installed: torch" in widget.ui.applyButton.toolTip
        assert widget.ui.setUpButton.visible
    finally:
        PyTorchUtils.pretend("actual")
    widget.panel.checkCanApply()
    assert widget.ui.applyButton.enabled
    assert not widget.ui.setUpButton.visible


def test_every_parameter_has_its_widget_with_unit_range_and_help(warm_app, widget):
    from deepreg_engine.methods.dense.parameters import DenseParameters

    for description in DenseParameters.describe():
        control = widget.panel.form.widgets[description.name]
        assert description.help[:20].lower() in control.toolTip.lower().replace("&#x27;", "'")
        if description.minimum is not None:
            assert (control.minimum, control.maximum) == (description.minimum, description.maximum)
        if description.unit:
            unit = "voxel" if (description.unit, control.value) == ("voxels", 1) else description.unit
            assert control.suffix.strip().replace("\u00b2", "^2") == unit
    values = widget.panel.values()
    assert DenseParameters(**values).to_dict() == values


def test_widgets_and_scene_follow_each_other(warm_app, hands, widget):
    node, form = widget.panel.node, widget.panel.form.widgets
    widget.ui.advancedCollapsibleButton.collapsed = False
    warm_app.process_events()
    hands.type(form["smoothness"], "25")
    assert node.parameters.smoothness == 25.0
    node.parameters.capture_range = 44.0
    assert form["capture_range"].value == 44.0
    hands.choose(form["instance_optimisation"], "adam")
    assert node.parameters.instance_optimisation == "adam"


def test_scrolling_the_panel_changes_no_value(warm_app, hands, widget):
    import qt

    widget.ui.advancedCollapsibleButton.collapsed = False
    warm_app.process_events()
    widget.ui.fixedSelector.setFocus()
    before = (widget.panel.node.preset, widget.panel.values())
    for kind in (qt.QComboBox, qt.QAbstractSpinBox):
        for control in widget.parent.findChildren(kind):
            if control.visible and control.enabled:
                hands.wheel(control, -1)
                hands.wheel(control, -1)
    assert (widget.panel.node.preset, widget.panel.values()) == before
    smoothness = widget.panel.form.widgets["smoothness"]
    smoothness.setFocus()  # who has chosen it may turn the wheel
    hands.wheel(smoothness, 1)
    assert widget.panel.node.parameters.smoothness > before[1]["smoothness"]


# --------------------------------------------------------------------------------------------------------------- presets


def test_presets_set_all_parameters_and_changes_are_shown(warm_app, hands, widget):
    from deepreg_engine.methods.dense.presets import DENSE_PRESETS

    for preset in DENSE_PRESETS:
        hands.choose(widget.ui.presetComboBox, preset.title)
        assert widget.panel.values() == preset.parameters.to_dict()
        assert widget.panel.node.preset == preset.name
        assert "Changed" not in widget.ui.presetHelpLabel.text
    widget.panel.node.parameters.smoothness = 77.0
    assert "Changed under Advanced: smoothness" in widget.ui.presetHelpLabel.text


def test_own_presets_are_saved_found_again_and_removed(warm_app, hands, widget):
    widget.panel.node.parameters.smoothness = 33.0
    warm_app.dialogs.answer("My liver")
    widget.panel.presetSection.saveAction.trigger()
    assert widget.ui.presetComboBox.currentText == "My liver"
    hands.choose(widget.ui.presetComboBox, "Quick preview")
    assert widget.panel.node.parameters.smoothness != 33.0
    hands.choose(widget.ui.presetComboBox, "My liver")
    assert widget.panel.node.parameters.smoothness == 33.0
    widget.panel.presetSection.save("Quick preview")  # belongs to a shipped one
    assert widget.panel.presetSection.library.find("quick").own is False
    assert [preset.title for preset in widget.panel.presetSection.library.all() if preset.own] == ["My liver"]
    widget.panel.presetSection.remove()
    assert [preset for preset in widget.panel.presetSection.library.all() if preset.own] == []
    assert widget.panel.node.parameters.smoothness == 33.0


# ----------------------------------------------------------------------------------------------------------------- scene


def test_scene_saved_loaded_and_gone_on_with(warm_app, hands, widget, pair, tmp_path):
    import slicer

    widget.panel.node.parameters.smoothness = 12.5
    summary = applied(warm_app, hands, widget)
    name = made(widget).GetName()
    points = np.array([[0.0, 0.0, 0.0], [25.0, -15.0, 30.0], [-40.0, 10.0, -20.0]])
    expected = through(made(widget), points)
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    slicer.mrmlScene.Clear()
    warm_app.process_events()
    assert not widget.ui.applyButton.enabled
    slicer.util.loadScene(str(path))
    warm_app.process_events()
    node = widget.panel.node
    assert node.fixedVolume.GetName() == "fixed"
    assert node.movingVolume.GetName() == "moving"
    assert node.parameters.smoothness == 12.5
    assert widget.ui.resultLabel.text == summary
    assert node.resultTransform.GetName() == name
    assert np.allclose(through(node.resultTransform, points), expected, atol=1e-3)
    assert json.loads(node.resultTransform.GetAttribute("DeepReg.Report"))["method"] == "dense"
    assert "folding" in applied(warm_app, hands, widget)


def test_parameter_sets_keep_their_own(warm_app, hands, widget, pair):
    import slicer

    first = widget.panel.node
    first.parameters.smoothness = 11.0
    second = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "second")
    second.SetAttribute("ModuleName", "DeepRegDense")
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "of another module")
    other.SetAttribute("ModuleName", "Another")
    offered = [widget.ui.parameterNodeSelector.nodeFromIndex(n).GetName() for n in range(widget.ui.parameterNodeSelector.nodeCount())]
    assert "second" in offered
    assert "of another module" not in offered
    widget.ui.parameterNodeSelector.setCurrentNode(second)
    node = widget.panel.node
    assert node.parameterNode is second
    assert node.parameters.smoothness != 11.0
    node.parameters.smoothness = 22.0
    node.fixedVolume, node.movingVolume = pair[1], pair[0]
    widget.ui.parameterNodeSelector.setCurrentNode(first.parameterNode)
    assert widget.panel.form.widgets["smoothness"].value == 11.0
    assert widget.ui.fixedSelector.currentNode() is pair[0]
    widget.ui.parameterNodeSelector.setCurrentNode(second)
    assert widget.panel.form.widgets["smoothness"].value == 22.0
    assert widget.ui.fixedSelector.currentNode() is pair[1]
    # The chosen set is removed: another takes its place.
    slicer.mrmlScene.RemoveNode(second)
    warm_app.process_events()
    assert widget.panel.node.parameterNode is first.parameterNode


def test_a_closed_scene_gives_a_fresh_panel(warm_app, hands, widget):
    import slicer

    applied(warm_app, hands, widget)
    slicer.mrmlScene.Clear()
    warm_app.process_events()
    assert widget.panel.node is not None
    assert widget.panel.node.fixedVolume is None
    assert not widget.ui.applyButton.enabled
    assert not widget.ui.gridCheckBox.enabled


# --------------------------------------------------------------------------------------------------------------- scripts


def test_a_script_registers_without_a_panel(warm_app, pair):
    from DeepRegDense import DeepRegDenseLogic

    logic = DeepRegDenseLogic()
    result = logic.register(*pair, preset="quick", parameters={"working_spacing": 6.0}, outputs=("transform", "jacobian"))
    assert set(result.nodes) == {"transform", "jacobian"}
    assert result.report["preset"] == "quick"
    assert "folding" in result.summary
    for arguments, words in (
        ({"preset": "quik"}, "did you mean quick"),
        ({"parameters": {"smothness": 1}}, "did you mean smoothness"),
        ({"outputs": ("transfrom",)}, "there is no output"),
    ):
        with pytest.raises(RuntimeError, match=words):
            logic.register(*pair, **arguments)


def test_the_modules_own_test(warm_app):
    warm_app.load_module("DeepRegDense")
    from DeepRegDense import DeepRegDenseTest

    DeepRegDenseTest().runTest()


# ---------------------------------------------------------------------------------------------------------------- layout


@pytest.mark.parametrize("width", [350, 420, 600])
def test_no_text_is_cut_off(warm_app, widget, width):
    check_texts(warm_app, widget, width, 1800)


def test_the_panel_can_be_used_with_the_keyboard_alone(warm_app, hands, widget):
    widget.ui.advancedCollapsibleButton.collapsed = False
    warm_app.process_events()
    wanted = [
        "fixedSelector",
        "movingSelector",
        "presetComboBox",
        "deviceComboBox",
        *(f"{name}Parameter" for name in widget.panel.values()),
        "resultCollapsibleButton",
        "applyButton",
    ]
    check_focus_order(widget, wanted)
