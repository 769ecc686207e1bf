"""The trainer's panel: scans, estimate, and the panel itself; with an engine whose answers the test gives.

That the engine really learns is shown in test_trainer_learning.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from panels import check_focus_order, check_texts
from trainer_bench import LINES, FakeEngine, add_scan, begun, cells, estimate, idle, learned_nodes

# ------------------------------------------------------------------------------------------------------------------ scans


def test_scans_are_added_all_at_once_or_one_by_one(app, hands, widget):
    ui, panel = widget.ui, widget.panel
    assert "at least 2 scans" in ui.estimateButton.toolTip
    assert not ui.estimateButton.enabled
    lone, other = add_scan("dora", 1, reference=False)
    hands.click(ui.addAllButton)
    assert cells(ui.scansTable, 0) == ["anna", "bert", "carl"]
    assert cells(ui.scansTable, 2) == ["liver, spleen"] * 3
    hands.choose(ui.volumeSelector, lone)
    hands.choose(ui.labelsSelector, other)
    hands.click(ui.addButton)
    assert cells(ui.scansTable, 0)[-1] == "dora"
    assert ui.estimateButton.enabled
    # Choosing a volume chooses its segmentation; adding it again adds nothing.
    hands.choose(ui.volumeSelector, "anna")
    assert ui.labelsSelector.currentNode().GetName() == "anna organs"
    hands.click(ui.addButton)
    assert ui.scansTable.rowCount == 4
    # The tick agrees with the role.
    import qt

    box = ui.scansTable.cellWidget(1, 1)
    hands.choose(box, "leave out")
    assert ui.scansTable.item(1, 0).checkState() == qt.Qt.Unchecked
    assert panel.session.scans.rows()[1].role == "none"
    ui.scansTable.item(1, 0).setCheckState(qt.Qt.Checked)
    assert box.currentText == "learn"
    ui.splitSpinBox.value = 2
    hands.click(ui.splitButton)
    assert [row.role for row in panel.session.scans.rows()] == ["learn", "validate", "learn", "validate"]
    ui.scansTable.selectRow(3)
    hands.click(ui.removeButton)
    assert cells(ui.scansTable, 0) == ["anna", "bert", "carl"]
    assert lone.GetScene() is not None


def test_scans_are_kept_with_the_scene_and_a_missing_volume_is_named(app, hands, widget, tmp_path):
    import slicer

    hands.click(widget.ui.addAllButton)
    hands.choose(widget.ui.scansTable.cellWidget(2, 1), "validate")
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear()
    app.process_events()
    assert widget.ui.scansTable.rowCount == 0
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    app.process_events()
    assert [(row.name, row.role) for row in widget.panel.session.scans.rows()] == [
        ("anna", "learn"),
        ("bert", "learn"),
        ("carl", "validate"),
    ]
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("bert"))
    app.process_events()
    assert widget.ui.scansTable.item(1, 3).text() == "its volume is no longer in the scene"


@pytest.mark.parametrize("how", ["unticked", "skipped"])
def test_bad_scans_are_named_and_left_out_only_by_choice(app, hands, widget, engine, how):
    import slicer

    ui = widget.ui
    empty = add_scan("dora")[1]
    empty.GetSegmentation().RemoveAllSegments()
    empty.GetSegmentation().AddEmptySegment("", "liver")
    other = add_scan("emil", order=("liver",))[1]
    other.GetSegmentation().GetNthSegment(0).SetName("kidney")
    FakeEngine.bad = {"bert": "scan bert: voxels that are not numbers"}
    hands.click(ui.addAllButton)
    estimate(app, hands, widget)
    assert "is empty" in ui.scansTable.item(3, 3).text()
    assert "no segment has the same name" in ui.scansTable.item(4, 3).text()
    assert ui.scansTable.item(1, 3).text() == FakeEngine.bad["bert"]
    assert ui.scansTable.item(0, 3).text() == ""
    assert not ui.startButton.enabled
    assert "bert, dora, emil" in ui.startButton.toolTip
    assert "bert: scan bert: voxels that are not numbers" in ui.problemsLabel.text
    assert "emil: no segment has the same name" in ui.problemsLabel.text
    if how == "skipped":
        hands.click(ui.skipBadCheckBox)
    else:
        for row in (1, 3, 4):
            hands.choose(ui.scansTable.cellWidget(row, 1), "leave out")
        assert "Estimate first" in ui.startButton.toolTip
        estimate(app, hands, widget)
        assert [path.name for path in sorted(Path(widget.panel.session.prepared.data[0], "images").iterdir())] == [
            "anna.nii.gz",
            "carl.nii.gz",
        ]
    assert ui.startButton.enabled, ui.startButton.toolTip
    running = begun(app, hands, widget, engine)
    assert running.request["arguments"]["skip_bad"] is (how == "skipped")
    running.ends("paused", 0)
    idle(app, widget)
    assert slicer.util.getNode("dora") is not None


def test_a_folder_is_listed_and_roles_go_by_name(app, hands, widget, engine, tmp_path):
    ui = widget.ui
    for what in ("images", "labels"):
        (tmp_path / "data" / what).mkdir(parents=True)
        for name in ("p1", "p2", "p3", "p4"):
            (tmp_path / "data" / what / f"{name}.nii.gz").write_bytes(b"")
    hands.choose(ui.sourceComboBox, "in a folder")
    assert "choose the folder" in ui.estimateButton.toolTip.lower()
    assert ui.folderWidget.visible
    assert not ui.sceneWidget.visible
    ui.folderPathLineEdit.currentPath = str(tmp_path / "nowhere")
    assert "does not exist" in ui.estimateButton.toolTip
    ui.folderPathLineEdit.currentPath = str(tmp_path / "data")
    FakeEngine.bad = {"p3": "no label inside"}
    estimate(app, hands, widget)
    assert cells(ui.scansTable, 0) == ["p1", "p2", "p4", "p3"]
    assert ui.scansTable.item(3, 3).text() == "no label inside"
    hands.choose(ui.scansTable.cellWidget(1, 1), "validate")
    hands.choose(ui.scansTable.cellWidget(3, 1), "leave out")
    estimate(app, hands, widget)
    assert cells(ui.scansTable, 0) == ["p1", "p2", "p4", "p3"]
    hands.choose(ui.modalityComboBox, "CT")
    estimate(app, hands, widget)
    arguments = begun(app, hands, widget, engine).request["arguments"]
    assert arguments["data"] == [str(tmp_path / "data")]
    assert arguments["validation"] == ["p2"]
    assert arguments["leave_out"] == ["p3"]
    assert (arguments["modality"], arguments["moving_modality"], arguments["method"]) == ("ct", "other", "descent")
    engine().ends("paused", 1)
    idle(app, widget)


def test_points_learn_from_files_with_three_voxel_sizes(app, hands, widget, engine, tmp_path):
    ui = widget.ui
    hands.choose(ui.methodComboBox, "Points")
    assert not ui.sourceComboBox.visible
    assert ui.pointsWidget.visible
    assert not ui.spacingWidget.visible
    assert widget.panel.node.name == "my-points"
    ui.folderPathLineEdit.currentPath = str(tmp_path)
    ui.pointSpacingXSpinBox.value = 1.75
    estimate(app, hands, widget)
    arguments = begun(app, hands, widget, engine).request["arguments"]
    assert arguments["spacing"] == [1.75, 1.0, 1.0]
    assert "modality" not in arguments
    assert "neighbours" in arguments["parameters"]
    engine().ends("paused", 1)
    idle(app, widget)


# --------------------------------------------------------------------------------------------------------------- estimate


def test_the_estimate_comes_first_and_only_for_what_was_chosen(app, hands, estimated):
    ui, panel = estimated.ui, estimated.panel
    for words in ("Scans to learn from: 2; to validate with: 1", "12:34 min", "0.5 s a step", "2.1 GB", "8.0 GB"):
        assert words in ui.estimateLabel.text, ui.estimateLabel.text
    assert ui.startButton.enabled
    # Another voxel size needs another estimate; another role of a scan or name of the model does not.
    ui.spacingSpinBox.value = 3.0
    assert not ui.startButton.enabled
    assert "Estimate first" in ui.startButton.toolTip
    assert not ui.estimateLabel.visible
    ui.spacingSpinBox.value = 2.0
    assert ui.startButton.enabled
    hands.choose(ui.scansTable.cellWidget(0, 1), "validate")
    panel.node.name = "other"
    assert ui.startButton.enabled
    assert "Scans to learn from: 1; to validate with: 2" in ui.estimateLabel.text
    # A segmentation that was painted on since is looked at again.
    import slicer

    segmentation, volume = slicer.util.getNode("anna organs"), slicer.util.getNode("anna")
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        np.ones((14, 18, 22), dtype=np.uint8), segmentation, segmentation.GetSegmentation().GetNthSegmentID(0), volume
    )
    app.process_events()
    panel.training._onStart()
    assert panel.run is None
    assert "Estimate first" in ui.startButton.toolTip
    assert not ui.startButton.enabled


def test_too_little_memory_is_refused(app, hands, widget):
    FakeEngine.estimate = {"memory": 90e9}
    hands.click(widget.ui.addAllButton)
    estimate(app, hands, widget)
    assert not widget.ui.startButton.enabled
    assert "90.0 GB of memory, and 8.0 GB are free" in widget.ui.startButton.toolTip


def test_memory_of_a_gpu_is_shown_and_too_little_of_it_is_refused(app, hands, widget):
    ui = widget.ui
    FakeEngine.estimate = {"device": "Some GPU", "device_memory": 0.4e9, "free_device_memory": 7.6e9}
    hands.click(ui.addAllButton)
    estimate(app, hands, widget)
    assert "On Some GPU: about 0.4 GB of its memory, 7.6 GB are free." in ui.estimateLabel.text
    assert ui.startButton.enabled
    FakeEngine.estimate = {"device": "Some GPU", "device_memory": 9e9, "free_device_memory": 7.6e9}
    estimate(app, hands, widget)
    assert not ui.startButton.enabled
    assert "9.0 GB of the GPU's memory, and 7.6 GB are free" in ui.startButton.toolTip


def test_an_estimate_that_is_cancelled_or_belongs_to_nothing_leaves_nothing(app, hands, widget, tmp_path):
    ui = widget.ui
    hands.click(ui.addAllButton)
    before = learned_nodes()
    hands.click(ui.estimateButton)
    assert ui.estimateButton.text == "Cancel"
    hands.click(ui.estimateButton)
    app.wait_for(lambda: not widget.panel.session.preparing, 5)
    root = tmp_path / "models" / "trainings"
    assert list(root.iterdir()) == []
    assert ui.estimateButton.text == "Estimate"
    estimate(app, hands, widget)
    (folder,) = root.iterdir()
    assert folder.name.startswith(".")
    assert learned_nodes() == before
    import slicer

    slicer.mrmlScene.Clear()
    assert list(root.iterdir()) == []


# ---------------------------------------------------------------------------------------------------------------- panel


def test_presets_fill_the_options_and_say_what_was_changed(app, hands, widget):
    ui, panel = widget.ui, widget.panel
    ui.advancedCollapsibleButton.collapsed = False
    titles = [ui.presetComboBox.itemText(n) for n in range(ui.presetComboBox.count)]
    hands.choose(ui.presetComboBox, titles[0])
    preset = panel.session.method.presets()[0]
    assert panel.session.values() == panel.session.method.values(preset)
    assert "Changed" not in ui.presetHelpLabel.text
    panel.forms["descent"].widgets["steps"].value = 77
    assert panel.node.descent.steps == 77
    assert "Changed under Advanced: steps." in ui.presetHelpLabel.text
    for name, method in (("Dense", "dense"), ("Points", "points"), ("Descent", "descent")):
        hands.choose(ui.methodComboBox, name)
        shown = [page for page in ("dense", "descent", "points") if getattr(ui, f"{page}ParametersWidget").visible]
        assert shown == [method]
        assert panel.session.values() == panel.session.method.values(panel.session.method.preset(panel.node.preset))
        for description in panel.session.method.options.describe():
            assert description.help[:20].lower() in panel.forms[method].widgets[description.name].toolTip.lower()


def test_only_options_that_count_with_what_learns_are_shown(app, hands, widget):
    ui, panel = widget.ui, widget.panel
    ui.advancedCollapsibleButton.collapsed = False
    hands.choose(ui.methodComboBox, "Dense")
    widgets = panel.forms["dense"].widgets
    for network, shown, hidden in (("label", "size", "radius"), ("context", "radius", "size"), ("label", "size", "radius")):
        panel.node.dense.network = network
        app.process_events()
        assert widgets[shown].visible
        assert not widgets[hidden].visible
        assert widgets["steps"].visible
    # One that does not count is not called changed.
    panel.node.dense.radius = 3
    assert "radius" not in ui.presetHelpLabel.text
    panel.node.dense.size = 48
    assert ui.presetHelpLabel.text.endswith("Changed under Advanced: size.")


def test_no_text_is_cut_off_and_everything_says_what_it_is(app, hands, estimated, engine):
    running = begun(app, hands, estimated, engine)
    running.learns(*LINES)
    app.wait_for(lambda: estimated.ui.figuresLabel.visible, 5)
    for button in check_texts(app, estimated, 380, 2200, ("advanced", "models", "log")):
        assert button.toolTip or os.path.isabs(button.text), button.text
    running.ends("paused", 1)
    idle(app, estimated)


def test_the_keyboard_follows_the_order_of_the_panel(app, widget):
    for name in ("advanced", "evaluation", "models"):
        getattr(widget.ui, f"{name}CollapsibleButton").collapsed = False
    app.process_events()
    wanted = [
        "methodComboBox",
        "presetComboBox",
        "nameLineEdit",
        "sourceComboBox",
        "addButton",
        "scansTable",
        "splitSpinBox",
        "modalityComboBox",
        "startComboBox",
        "licenceLineEdit",
        "stepsParameter",
        "seedParameter",
        "estimateButton",
        "startButton",
        "trainingsTable",
        "resumeButton",
        "foldsSpinBox",
        "evaluateButton",
        "modelComboBox",
        "importButton",
    ]
    check_focus_order(widget, wanted)


def test_the_scene_can_be_closed_and_the_modules_own_test_runs(app, estimated):
    import slicer
    from DeepRegTrainer import DeepRegTrainerTest

    slicer.mrmlScene.Clear()
    app.process_events()
    assert estimated.panel.node is not None
    assert estimated.ui.scansTable.rowCount == 0
    DeepRegTrainerTest().runTest()
