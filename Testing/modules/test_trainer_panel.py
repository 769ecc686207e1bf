"""The trainer under a user's hands: scans, estimate, training, pause and resume, models; with an engine that a test speaks for.

That the engine really learns is shown in test_trainer_learning.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from panels import opened
from trainer_bench import FakeEngine, FakeProcess, add_scan

LINES = [
    {"step": 10, "steps": 100, "loss": 2.0},
    {"step": 20, "steps": 100, "loss": 1.5, "validation_dice": 0.4},
    {"step": 30, "steps": 100, "loss": 1.2, "validation_dice": 0.3},
]


@pytest.fixture
def engine(app, tmp_path, monkeypatch):
    """The training's worker in the hands of the test; own models and trainings in a folder of the test."""
    from DeepRegTrainerLib import running
    from deepreg_slicer.worker_client import WorkerClient

    monkeypatch.setenv("DEEPREG_MODELS", str(tmp_path / "models"))
    FakeProcess.made, FakeEngine.refuse, FakeEngine.bad, FakeEngine.estimate = [], "", {}, {}
    client = WorkerClient(FakeEngine, silence=30.0, startup=5.0, grace=0.3)
    monkeypatch.setattr(running, "_client", client)
    monkeypatch.setattr(running, "_INTERVAL", 50)  # nobody watches
    yield lambda: FakeProcess.made[-1]
    client.stop()


@pytest.fixture
def app(app):
    """The application with the trainer's library on the path."""
    app.load_module("DeepRegTrainer")
    return app


@pytest.fixture
def widget(app, engine):
    """The panel, with three scans in the scene."""
    for number, name in enumerate(("anna", "bert", "carl")):
        add_scan(name, number)
    widget = opened(app, "DeepRegTrainer")
    widget.ui.modelsCollapsibleButton.collapsed = widget.ui.evaluationCollapsibleButton.collapsed = False
    return widget


@pytest.fixture
def estimated(app, hands, widget):
    """All three are chosen, one of them to validate with, and the estimate is there."""
    hands.click(widget.ui.addAllButton)
    hands.click(widget.ui.splitButton)
    estimate(app, hands, widget)
    return widget


def estimate(app, hands, widget) -> None:
    hands.click(widget.ui.estimateButton)
    app.wait_for(lambda: not widget.panel.training.preparing, 20, "the estimate")


def begun(app, hands, widget, engine):
    """A training that the engine has begun; the engine."""
    hands.click(widget.ui.startButton)
    app.wait_for(lambda: any(request["op"] == "train" for request in engine().written), 5)
    return engine()


def idle(app, widget) -> None:
    app.wait_for(lambda: widget.panel.run is None and not widget.panel.client.busy, 5, "the end")
    app.process_events()


def cells(table, column: int) -> list[str]:
    return [table.item(row, column).text() for row in range(table.rowCount)]


def select(widget, name: str) -> None:
    table = widget.ui.trainingsTable
    table.setCurrentCell(cells(table, 0).index(name), 0)


def learned_nodes() -> dict[str, int]:
    import slicer

    kinds = (
        "vtkMRMLTableNode",
        "vtkMRMLPlotChartNode",
        "vtkMRMLPlotSeriesNode",
        "vtkMRMLVolumeNode",
        "vtkMRMLTransformNode",
        "vtkMRMLSegmentationNode",
    )
    return {kind: len(slicer.util.getNodesByClass(kind)) for kind in kinds}


# ------------------------------------------------------------------------------------------------------------------ scans


def test_scans_are_added_all_at_once_or_one_by_one(app, hands, widget):
    ui, panel = widget.ui, widget.panel
    assert "at least 2 scans" in ui.estimateButton.toolTip and not ui.estimateButton.enabled
    lone, other = add_scan("dora", 1, reference=False)
    hands.click(ui.addAllButton)
    assert cells(ui.scansTable, 0) == ["anna", "bert", "carl"] and cells(ui.scansTable, 2) == ["liver, spleen"] * 3
    hands.choose(ui.volumeSelector, lone)
    hands.choose(ui.labelsSelector, other)
    hands.click(ui.addButton)
    assert cells(ui.scansTable, 0)[-1] == "dora" and ui.estimateButton.enabled
    # Choosing a volume chooses its segmentation; adding it again adds nothing.
    hands.choose(ui.volumeSelector, "anna")
    assert ui.labelsSelector.currentNode().GetName() == "anna organs"
    hands.click(ui.addButton)
    assert ui.scansTable.rowCount == 4
    # The tick and the role say the same.
    import qt

    box = ui.scansTable.cellWidget(1, 1)
    hands.choose(box, "leave out")
    assert ui.scansTable.item(1, 0).checkState() == qt.Qt.Unchecked and panel.scans.rows()[1].role == "none"
    ui.scansTable.item(1, 0).setCheckState(qt.Qt.Checked)
    assert box.currentText == "learn"
    ui.splitSpinBox.value = 2
    hands.click(ui.splitButton)
    assert [row.role for row in panel.scans.rows()] == ["learn", "validate", "learn", "validate"]
    ui.scansTable.selectRow(3)
    hands.click(ui.removeButton)
    assert cells(ui.scansTable, 0) == ["anna", "bert", "carl"] and lone.GetScene() is not None


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
    assert [(row.name, row.role) for row in widget.panel.scans.rows()] == [("anna", "learn"), ("bert", "learn"), ("carl", "validate")]
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("bert"))
    app.process_events()
    assert widget.ui.scansTable.item(1, 3).text() == "its volume is not in the scene any more"


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
    assert "is empty" in ui.scansTable.item(3, 3).text() and "none of its segments" in ui.scansTable.item(4, 3).text()
    assert ui.scansTable.item(1, 3).text() == FakeEngine.bad["bert"] and ui.scansTable.item(0, 3).text() == ""
    assert not ui.startButton.enabled and "bert, dora, emil" in ui.startButton.toolTip
    assert "bert: scan bert: voxels that are not numbers" in ui.problemsLabel.text and "emil: none of its" in ui.problemsLabel.text
    if how == "skipped":
        hands.click(ui.skipBadCheckBox)
    else:
        for row in (1, 3, 4):
            hands.choose(ui.scansTable.cellWidget(row, 1), "leave out")
        assert "Estimate first" in ui.startButton.toolTip
        estimate(app, hands, widget)
        assert [path.name for path in sorted(Path(widget.panel.prepared.data[0], "images").iterdir())] == ["anna.nii.gz", "carl.nii.gz"]
    assert ui.startButton.enabled, ui.startButton.toolTip
    running = begun(app, hands, widget, engine)
    assert running.asked["arguments"]["skip_bad"] is (how == "skipped")
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
    assert "choose the folder" in ui.estimateButton.toolTip.lower() and ui.folderWidget.visible and not ui.sceneWidget.visible
    ui.folderPathLineEdit.currentPath = str(tmp_path / "nowhere")
    assert "does not exist" in ui.estimateButton.toolTip
    ui.folderPathLineEdit.currentPath = str(tmp_path / "data")
    FakeEngine.bad = {"p3": "no label inside"}
    estimate(app, hands, widget)
    assert cells(ui.scansTable, 0) == ["p1", "p2", "p4", "p3"] and ui.scansTable.item(3, 3).text() == "no label inside"
    hands.choose(ui.scansTable.cellWidget(1, 1), "validate")
    hands.choose(ui.scansTable.cellWidget(3, 1), "leave out")
    estimate(app, hands, widget)
    assert cells(ui.scansTable, 0) == ["p1", "p2", "p4", "p3"]
    hands.choose(ui.modalityComboBox, "CT")
    estimate(app, hands, widget)
    arguments = begun(app, hands, widget, engine).asked["arguments"]
    assert arguments["data"] == [str(tmp_path / "data")] and arguments["validation"] == ["p2"] and arguments["leave_out"] == ["p3"]
    assert (arguments["modality"], arguments["moving_modality"], arguments["method"]) == ("ct", "other", "descent")
    engine().ends("paused", 1)
    idle(app, widget)


def test_points_learn_from_files_with_three_voxel_sizes(app, hands, widget, engine, tmp_path):
    ui = widget.ui
    hands.choose(ui.methodComboBox, "Points")
    assert (
        not ui.sourceComboBox.visible and ui.pointsWidget.visible and not ui.spacingWidget.visible and widget.panel.node.name == "my-points"
    )
    ui.folderPathLineEdit.currentPath = str(tmp_path)
    ui.pointSpacingXSpinBox.value = 1.75
    estimate(app, hands, widget)
    arguments = begun(app, hands, widget, engine).asked["arguments"]
    assert arguments["spacing"] == [1.75, 1.0, 1.0] and "modality" not in arguments and "neighbours" in arguments["parameters"]
    engine().ends("paused", 1)
    idle(app, widget)


# --------------------------------------------------------------------------------------------------------------- estimate


def test_the_estimate_comes_first_and_only_for_what_was_chosen(app, hands, estimated):
    ui, panel = estimated.ui, estimated.panel
    for words in ("2 scans to learn from, 1 to validate with", "12:34 min", "0.5 s a step", "2.1 GB", "8.0 GB"):
        assert words in ui.estimateLabel.text, ui.estimateLabel.text
    assert ui.startButton.enabled
    # Another voxel size needs another estimate; what a scan is for and the model's name do not.
    ui.spacingSpinBox.value = 3.0
    assert not ui.startButton.enabled and "Estimate first" in ui.startButton.toolTip and not ui.estimateLabel.visible
    ui.spacingSpinBox.value = 2.0
    assert ui.startButton.enabled
    hands.choose(ui.scansTable.cellWidget(0, 1), "validate")
    panel.node.name = "other"
    assert ui.startButton.enabled and "1 scans to learn from, 2" in ui.estimateLabel.text
    # A segmentation that was painted on since is looked at again.
    import slicer

    segmentation, volume = slicer.util.getNode("anna organs"), slicer.util.getNode("anna")
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        np.ones((14, 18, 22), dtype=np.uint8), segmentation, segmentation.GetSegmentation().GetNthSegmentID(0), volume
    )
    app.process_events()
    panel.training._onStart()
    assert panel.run is None and "Estimate first" in ui.startButton.toolTip and not ui.startButton.enabled


def test_too_little_memory_is_refused(app, hands, widget):
    FakeEngine.estimate = {"memory": 90e9}
    hands.click(widget.ui.addAllButton)
    estimate(app, hands, widget)
    assert not widget.ui.startButton.enabled and "90.0 GB of memory, and 8.0 GB are free" in widget.ui.startButton.toolTip


def test_memory_of_a_gpu_is_told_and_too_little_of_it_is_refused(app, hands, widget):
    ui = widget.ui
    FakeEngine.estimate = {"device": "Some GPU", "device_memory": 0.4e9, "free_device_memory": 7.6e9}
    hands.click(ui.addAllButton)
    estimate(app, hands, widget)
    assert "On Some GPU: about 0.4 GB of its memory, 7.6 GB are free." in ui.estimateLabel.text and ui.startButton.enabled
    FakeEngine.estimate = {"device": "Some GPU", "device_memory": 9e9, "free_device_memory": 7.6e9}
    estimate(app, hands, widget)
    assert not ui.startButton.enabled and "9.0 GB of the GPU's memory, and 7.6 GB are free" in ui.startButton.toolTip


def test_an_estimate_that_is_cancelled_or_belongs_to_nothing_leaves_nothing(app, hands, widget, tmp_path):
    ui = widget.ui
    hands.click(ui.addAllButton)
    before = learned_nodes()
    hands.click(ui.estimateButton)
    assert ui.estimateButton.text == "Cancel"
    hands.click(ui.estimateButton)
    app.wait_for(lambda: not widget.panel.training.preparing, 5)
    root = tmp_path / "models" / "trainings"
    assert list(root.iterdir()) == [] and ui.estimateButton.text == "Estimate"
    estimate(app, hands, widget)
    (folder,) = root.iterdir()
    assert folder.name.startswith(".") and learned_nodes() == before
    import slicer

    slicer.mrmlScene.Clear()
    assert list(root.iterdir()) == []


# --------------------------------------------------------------------------------------------------------------- training


def test_a_training_from_start_to_the_model_in_the_other_panels(app, hands, estimated, engine, tmp_path):
    ui, panel = estimated.ui, estimated.panel
    others = [opened(app, f"DeepReg{name}") for name in ("Descent", "Dense")]
    estimated.parent.raise_()
    before = learned_nodes()
    panel.node.name, panel.node.licence = "liver net", "CC0"
    running = begun(app, hands, estimated, engine)
    home = tmp_path / "models" / "trainings" / "liver net"
    arguments = running.asked["arguments"]
    assert arguments["folder"] == str(home / "training") and arguments["data"] == [str(home / "scans")] and arguments["licence"] == "CC0"
    assert arguments["validation"] == ["bert"] and arguments["parameters"]["steps"] == panel.values()["steps"]
    assert json.loads((home / "scans" / "label_names.json").read_text())["label_names"] == {"1": "liver", "2": "spleen"}
    assert learned_nodes() == before and not ui.startButton.visible and ui.pauseButton.visible
    # Registrations go on meanwhile: their worker is another one.
    assert panel.client.busy and not others[0].panel.client.busy and others[0].panel.client is not panel.client
    running.learns(*LINES)
    app.wait_for(lambda: panel.node.curveChart is not None, 5)
    assert (
        "Step 30, loss 1.2, validation Dice 0.300, best Dice 0.400 at step 20." == ui.figuresLabel.text
        and "70 s left" not in ui.stageLabel.text
    )
    assert "step 30 of 100" in ui.stageLabel.text and "1:10 min left" in ui.stageLabel.text and ui.progressBar.value == 300
    assert panel.node.name and "running" in cells(ui.trainingsTable, 2)
    running.ends("finished", 100, best={"step": 20, "figure": "dice", "value": 0.4}, notes=["bert was small"])
    idle(app, estimated)
    assert (
        "100 of 100 steps in 1:01 min; best in validation: Dice 0.400 at step 20" in ui.resultLabel.text
        and "liver net" in ui.resultLabel.text
    )
    assert "bert was small" in ui.logTextEdit.toPlainText()
    assert others[0].ui.advancedCollapsibleButton.findChild(type(ui.methodComboBox), "featuresParameter").findData("liver net") >= 0
    assert others[1].panel.features.widget.findData("liver net") < 0  # that is no model of the Dense method
    assert cells(ui.trainingsTable, 2) == ["finished, kept"] and not ui.resumeButton.enabled
    assert not ui.startButton.enabled and "a training of that name already" in ui.startButton.toolTip


def test_the_curve_shows_loss_and_validation_while_it_runs(app, hands, estimated, engine):
    import slicer

    ui, panel = estimated.ui, estimated.panel
    running = begun(app, hands, estimated, engine)
    slicer.app.layoutManager()
    running.learns(*LINES[:1])
    app.wait_for(lambda: ui.figuresLabel.visible, 5)
    assert panel.node.curveChart is None and "no curve yet" in ui.curveButton.toolTip
    running.learns(*LINES[1:2])
    app.wait_for(lambda: ui.curveButton.enabled, 5)
    hands.click(ui.curveButton)
    chart, table = panel.node.curveChart, panel.node.curveTable
    assert slicer.app.layoutManager().plotWidget(0).mrmlPlotViewNode().GetPlotChartNodeID() == chart.GetID()
    drawn = [table.GetTable().GetColumnByName("validation Dice (%)").GetValue(row) for row in range(2)]
    assert drawn == [40.0, 40.0]  # a point alone would not be drawn
    running.learns(*LINES[2:])
    app.wait_for(lambda: table.GetNumberOfRows() == 3, 5)
    columns = {
        table.GetColumnName(n): [table.GetTable().GetColumn(n).GetValue(row) for row in range(3)] for n in range(table.GetNumberOfColumns())
    }
    assert columns["step"] == [10, 20, 30] and columns["loss (% of the first)"] == [100.0, 75.0, 60.0]
    assert columns["loss"] == [2.0, 1.5, 1.2] and columns["validation step"][:2] == [20, 30]
    assert columns["validation Dice"][:2] == [0.4, 0.3] and columns["validation Dice (%)"][:2] == [40.0, 30.0]
    assert np.isnan(columns["validation Dice (%)"][2])
    assert chart.GetNthPlotSeriesNode(1).GetXColumnName() == "validation step"
    assert [chart.GetNthPlotSeriesNode(n).GetYColumnName() for n in range(chart.GetNumberOfPlotSeriesNodes())] == [
        "loss (% of the first)",
        "validation Dice (%)",
    ]
    # The scene may be closed: the training goes on, and its curve is drawn in the next one.
    slicer.mrmlScene.Clear()
    app.process_events()
    running.learns({"step": 40, "steps": 100, "loss": 1.0})
    app.wait_for(lambda: panel.node is not None and panel.node.curveTable is not None and panel.node.curveTable.GetNumberOfRows() == 4, 5)
    running.ends("paused", 40)
    idle(app, estimated)


def test_pause_resume_and_stop_with_the_best(app, hands, estimated, engine):
    ui = estimated.ui
    running = begun(app, hands, estimated, engine)
    first = running.asked["arguments"]
    running.learns(*LINES)
    hands.click(ui.pauseButton)
    assert (running.folder / "control").read_text() == "pause" and not ui.pauseButton.enabled and "pausing" in ui.stageLabel.text
    running.ends("paused", 30)
    idle(app, estimated)
    assert "paused at step 30 of 100" in ui.resultLabel.text and not (running.folder / "control").exists()
    assert (
        cells(ui.trainingsTable, 2) == ["paused"]
        and cells(ui.trainingsTable, 3) == ["30 / 100"]
        and "my-descent" in ui.unfinishedLabel.text
    )
    hands.click(ui.resumeButton)
    app.wait_for(lambda: sum(request["op"] == "train" for request in running.written) == 2, 5)
    assert running.asked["arguments"] == first  # so that the engine goes on exactly
    hands.click(ui.stopButton)
    assert (running.folder / "control").read_text() == "stop"
    running.ends("stopped", 31)
    idle(app, estimated)
    assert "The model my-descent is among your own" in ui.resultLabel.text and not ui.unfinishedLabel.visible


def test_a_name_that_is_taken_gets_a_number(app, hands, estimated, engine):
    estimated.panel.node.name = "any-contrast"  # a model that is shipped
    running = begun(app, hands, estimated, engine)
    running.ends("finished", 100)
    idle(app, estimated)
    assert "any-contrast-2" in estimated.ui.resultLabel.text and cells(estimated.ui.trainingsTable, 2) == ["finished, kept"]


def test_a_training_survives_the_worker_and_is_offered_when_the_user_comes_back(app, hands, estimated, engine):
    ui, panel = estimated.ui, estimated.panel
    running = begun(app, hands, estimated, engine)
    running.learns(*LINES)
    running.dies(9, True)
    idle(app, estimated)
    assert "out of memory" in ui.resultLabel.text and "can go on" in ui.resultLabel.text and ui.startButton.visible
    arguments = running.asked["arguments"]
    # Somebody else, tomorrow: only the folder is left.
    import slicer

    slicer.mrmlScene.Clear()
    app.process_events()
    panel.trainings.refresh()
    assert cells(ui.trainingsTable, 0) == ["my-descent"] and "my-descent" in ui.unfinishedLabel.text and "step" not in ui.resultLabel.text
    hands.click(ui.resumeButton)
    app.wait_for(lambda: len(FakeProcess.made) == 2 and engine().written, 5)
    assert engine().asked["arguments"] == arguments
    engine().ends("finished", 100)
    idle(app, estimated)


def test_the_engine_refuses(app, hands, estimated, engine):
    running = begun(app, hands, estimated, engine)
    running.says(
        {"id": running.asked["id"], "kind": "error", "code": "input", "message": "2 scans are too few", "advice": "give at least 4"}
    )
    idle(app, estimated)
    assert estimated.ui.resultLabel.text == "2 scans are too few. Give at least 4." and cells(estimated.ui.trainingsTable, 2) == ["failed"]


def test_a_training_is_deleted_after_asking(app, hands, estimated, engine, tmp_path):
    import qt

    running = begun(app, hands, estimated, engine)
    assert not estimated.ui.deleteButton.enabled
    running.ends("paused", 5)
    idle(app, estimated)
    app.app.commandOptions().testingEnabled = False
    for answer, left in ((qt.QMessageBox.Cancel, 1), (qt.QMessageBox.Ok, 0)):
        app.dialogs.answer(answer)
        hands.click(estimated.ui.deleteButton)
        assert len(list((tmp_path / "models" / "trainings").iterdir())) == left
    app.app.commandOptions().testingEnabled = True
    assert estimated.ui.trainingsTable.rowCount == 0 and "Estimate first" in estimated.ui.startButton.toolTip


def test_trainings_can_lie_elsewhere(app, hands, estimated, tmp_path):
    ui = estimated.ui
    (tmp_path / "there").mkdir()
    app.dialogs.answer(str(tmp_path / "there"))
    ui.rootDirectoryButton.browse()
    assert "Estimate first" in ui.startButton.toolTip  # what was written lies in the other folder, and is gone
    assert list((tmp_path / "models" / "trainings").iterdir()) == []
    estimate(app, hands, estimated)
    assert len(list((tmp_path / "there").iterdir())) == 1
    import qt

    qt.QSettings().remove("DeepReg/TrainingsFolder")


def test_a_folder_that_cannot_be_made_is_said(app, hands, widget, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "trainings").write_text("a file")
    hands.click(widget.ui.addAllButton)
    estimate(app, hands, widget)
    assert widget.ui.resultLabel.text and not widget.ui.startButton.enabled and widget.ui.estimateButton.enabled


# ----------------------------------------------------------------------------------------------------------- evaluation


ROWS = [
    {"pair": "anna - bert", "label": "liver", "before": 0.3, "aligned": 0.4, "mind": 0.5, "learned": 0.6},
    {"pair": "anna - bert", "label": "spleen", "before": 0.1, "aligned": 0.2, "mind": 0.3, "learned": None},
    {"pair": "bert - anna", "label": 1, "before": 0.5, "aligned": 0.6, "mind": 0.7, "learned": 0.8},
]


def test_cross_validation_gives_a_table_and_a_csv(app, hands, estimated, engine, tmp_path):
    import slicer

    ui, panel = estimated.ui, estimated.panel
    assert "5 folds need as many scans" in ui.evaluateButton.toolTip and "no results" in ui.csvButton.toolTip
    ui.foldsSpinBox.value = 3
    hands.click(ui.evaluateButton)
    app.wait_for(lambda: any(request["op"] == "cross-validate" for request in engine().written), 5)
    arguments = engine().asked["arguments"]
    assert arguments["folds"] == 3 and arguments["folder"].endswith("cross-validation") and "validation" not in arguments
    assert ui.evaluateButton.text == "Pause" and not ui.startButton.enabled
    assert ui.evaluateButton.text == "Pause" and "pausing" not in ui.evaluationLabel.text.lower()
    hands.click(ui.evaluateButton)
    control = Path(arguments["folder"]) / "control"
    assert control.read_text() == "pause" and ui.evaluateButton.text == "Pause now"
    control.unlink()  # the engine does not know a word that came before it began to learn
    app.wait_for(control.exists, 5)
    hands.click(ui.evaluateButton)
    app.wait_for(lambda: panel.run is None, 5)
    assert not control.exists() and cells(ui.trainingsTable, 2) == ["paused"] and cells(ui.trainingsTable, 1) == ["folds"]
    hands.click(ui.resumeButton)
    app.wait_for(lambda: panel.run is not None and sum(request["op"] == "cross-validate" for request in engine().written) == 2, 5)
    engine().result(engine().asked["id"], {"state": "paused", "rows": ROWS[:1], "summary": {}, "csv": ""})
    idle(app, estimated)
    assert panel.node.evaluationTable is None and "Paused" in ui.evaluationLabel.text
    hands.click(ui.resumeButton)
    app.wait_for(lambda: sum(request["op"] == "cross-validate" for request in engine().written) == 3, 5)
    engine().result(engine().asked["id"], {"state": "finished", "rows": ROWS, "summary": {}, "csv": ""})
    idle(app, estimated)
    table = panel.node.evaluationTable
    found = [[table.GetTable().GetValue(row, column).ToString() for column in range(6)] for row in range(table.GetNumberOfRows())]
    assert [table.GetColumnName(n) for n in range(6)] == ["pair", "label", "before", "aligned", "MIND", "learned"]
    assert found[3:] == [
        ["mean of all pairs", "liver", "0.4", "0.5", "0.6", "0.7"],
        ["mean of all pairs", "spleen", "0.1", "0.2", "0.3", "nan"],
        ["mean of all pairs", "all", "0.3", "0.4", "0.5", "0.7"],
    ]
    assert (
        "0.300 before, 0.400 aligned, 0.500 with MIND, 0.700 with what was learned" in ui.evaluationLabel.text
        and "2 pairs" in ui.evaluationLabel.text
    )
    assert slicer.app.applicationLogic().GetSelectionNode().GetActiveTableID() == table.GetID()
    app.dialogs.answer(str(tmp_path / "result.csv"))
    hands.click(ui.csvButton)
    lines = (tmp_path / "result.csv").read_text().splitlines()
    assert lines[0] == "pair,label,before (Dice),aligned (Dice),MIND (Dice),learned (Dice)"
    assert lines[2] == "anna - bert,spleen,0.1,0.2,0.3," and len(lines) == 7
    # The same scans can be trained on under that name without being written again.
    assert ui.startButton.enabled, ui.startButton.toolTip
    arguments = begun(app, hands, estimated, engine).asked["arguments"]
    assert arguments["data"] == [str(tmp_path / "models" / "trainings" / "my-descent" / "scans")]
    engine().ends("paused", 1)
    idle(app, estimated)


def points_row(pair, keypoints, points, *errors):
    ways = ("before", "aligned", "positions", "learned")
    named = {f"{way}{end}": error * factor for end, factor in (("", 1.0), ("_95", 2.0)) for way, error in zip(ways, errors)}
    return {"pair": pair, "keypoints": keypoints, "points": points, **named}


POINT_ROWS = [
    points_row("case_001", "partners", 1322, 16.0, 8.0, 4.0, 2.0),
    points_row("l2r_exp001", "independent", 1322, 16.0, 8.0, 5.0, 4.0),
    points_row("case_002", "partners", 2191, 10.0, 6.0, 3.0, 1.5),
]


def test_cross_validation_of_keypoints_gives_errors_in_mm(app, hands, widget, engine, tmp_path):
    ui, panel = widget.ui, widget.panel
    FakeEngine.estimate = {"scans": [{"name": row["pair"], "voxels": row["points"], "labels": []} for row in POINT_ROWS]}
    hands.choose(ui.methodComboBox, "Points")
    ui.folderPathLineEdit.currentPath = str(tmp_path)
    estimate(app, hands, widget)
    # The first and the second pair are of one patient.
    ui.foldsSpinBox.value = 3
    assert not ui.evaluateButton.enabled and "as many patients" in ui.evaluateButton.toolTip and "there are 2" in ui.evaluateButton.toolTip
    ui.foldsSpinBox.value = 2
    assert ui.evaluateButton.enabled, ui.evaluateButton.toolTip
    hands.click(ui.evaluateButton)
    app.wait_for(lambda: any(request["op"] == "cross-validate" for request in engine().written), 5)
    arguments = engine().asked["arguments"]
    assert (arguments["method"], arguments["folds"], arguments["spacing"]) == ("points", 2, [1.0, 1.0, 1.0]) and "validation" not in arguments
    engine().result(engine().asked["id"], {"state": "finished", "figure": "tre", "rows": POINT_ROWS, "summary": {}, "csv": ""})
    idle(app, widget)
    table = panel.node.evaluationTable
    names = [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())]
    assert names[:7] == ["pair", "keypoints", "points", "before", "aligned", "positions alone", "learned"]
    assert names[7:] == ["before, 95 %", "aligned, 95 %", "positions alone, 95 %", "learned, 95 %"]
    assert {table.GetColumnUnitLabel(name) for name in names[3:]} == {"mm"}
    found = [[table.GetTable().GetValue(row, column).ToString() for column in range(8)] for row in range(table.GetNumberOfRows())]
    assert found[0] == ["case_001", "partners", "1322", "16", "8", "4", "2", "32"]
    assert found[3:] == [
        ["mean of all pairs", "partners", "", "13", "7", "3.5", "1.75", "26"],
        ["mean of all pairs", "independent", "", "16", "8", "5", "4", "32"],
        ["mean of all pairs", "all", "", "14", "7.33", "4", "2.5", "28"],
    ]
    said = ui.evaluationLabel.text
    assert "over 3 pairs: 14.00 mm before, 7.33 mm aligned, 4.00 mm by positions alone, 2.50 mm with what was learned. Less is better" in said
    assert "Dice" not in said and "MIND" not in said
    app.dialogs.answer(str(tmp_path / "result.csv"))
    hands.click(ui.csvButton)
    lines = (tmp_path / "result.csv").read_text().splitlines()
    assert lines[0].startswith("pair,keypoints,points,before (mm),aligned (mm),positions alone (mm),learned (mm),\"before, 95 % (mm)\"")
    assert lines[2].startswith("l2r_exp001,independent,1322,16.0,8.0,5.0,4.0,32.0") and len(lines) == 7


# ---------------------------------------------------------------------------------------------------------------- models


def test_models_are_exported_with_their_card_and_imported(app, hands, estimated, engine, tmp_path):
    from deepreg_slicer.feature_chooser import readCard

    ui = estimated.ui
    assert not ui.exportButton.enabled
    begun(app, hands, estimated, engine).ends("finished", 100)
    idle(app, estimated)
    assert ui.modelComboBox.currentText == "my-descent" and "a test" in ui.cardLabel.text
    app.dialogs.answer(str(tmp_path / "given"))
    hands.click(ui.exportButton)
    assert readCard(tmp_path / "given.safetensors")["name"] == "my-descent"
    app.dialogs.answer(str(tmp_path / "given.safetensors"))
    hands.click(ui.importButton)
    app.wait_for(lambda: ui.modelComboBox.count == 2, 5)
    assert (
        ui.modelComboBox.currentText == "my-descent-2"
        and readCard(tmp_path / "models" / "my-descent-2.safetensors")["intended_use"] == "a test"
    )
    # A training can begin with one of them.
    assert [ui.startComboBox.itemText(n) for n in range(ui.startComboBox.count)][0] == "a new network" and ui.startComboBox.findData(
        "my-descent-2"
    ) > 0
    # Of those that are what learns: the numbers of a self-similarity are no weights of a network.
    assert ui.startComboBox.findData("any-contrast") > 0 and ui.startComboBox.findData("self-similarity") < 0
    estimated.panel.node.descent.network = "similarity"
    app.wait_for(lambda: ui.startComboBox.findData("self-similarity") > 0, 5)
    assert ui.startComboBox.findData("any-contrast") < 0
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    app.app.commandOptions().testingEnabled = False
    import qt

    app.dialogs.answer(str(tmp_path / "bad.safetensors"), qt.QMessageBox.Ok)
    hands.click(ui.importButton)
    app.wait_for(lambda: "not a safetensors file" in (app.dialogs.shown[-1].text or ""), 5)
    app.app.commandOptions().testingEnabled = True


# ---------------------------------------------------------------------------------------------------------------- panel


def test_recipes_fill_the_options_and_say_what_was_changed(app, hands, widget):
    ui, panel = widget.ui, widget.panel
    ui.advancedCollapsibleButton.collapsed = False
    titles = [ui.presetComboBox.itemText(n) for n in range(ui.presetComboBox.count)]
    hands.choose(ui.presetComboBox, titles[0])
    recipe = panel.method.recipes()[0]
    assert panel.values() == recipe.values and "Changed" not in ui.presetHelpLabel.text
    panel.forms["descent"].widgets["steps"].value = 77
    assert panel.node.descent.steps == 77 and "Changed under Advanced: steps." in ui.presetHelpLabel.text
    for name, method in (("Dense", "dense"), ("Points", "points"), ("Descent", "descent")):
        hands.choose(ui.methodComboBox, name)
        shown = [page for page in ("dense", "descent", "points") if getattr(ui, f"{page}ParametersWidget").visible]
        assert shown == [method] and panel.values() == panel.method.recipe(panel.node.preset).values
        for description in panel.method.options.describe():
            assert description.help[:20].lower() in panel.forms[method].widgets[description.name].toolTip.lower()


def test_only_options_that_count_with_what_learns_are_shown(app, hands, widget):
    ui, panel = widget.ui, widget.panel
    ui.advancedCollapsibleButton.collapsed = False
    hands.choose(ui.methodComboBox, "Dense")
    widgets = panel.forms["dense"].widgets
    for network, shown, hidden in (("label", "size", "radius"), ("context", "radius", "size"), ("label", "size", "radius")):
        panel.node.dense.network = network
        app.process_events()
        assert widgets[shown].visible and not widgets[hidden].visible and widgets["steps"].visible
    # One that does not count is not called changed.
    panel.node.dense.radius = 3
    assert "radius" not in ui.presetHelpLabel.text
    panel.node.dense.size = 48
    assert ui.presetHelpLabel.text.endswith("Changed under Advanced: size.")


def test_no_text_is_cut_off_and_everything_says_what_it_is(app, hands, estimated, engine):
    import qt

    width = 380

    running = begun(app, hands, estimated, engine)
    running.learns(*LINES)
    app.wait_for(lambda: estimated.ui.figuresLabel.visible, 5)
    for name in ("advanced", "models", "log"):
        getattr(estimated.ui, f"{name}CollapsibleButton").collapsed = False
    panel = estimated.parent
    panel.resize(width, 2200)
    app.process_events()
    for label in panel.findChildren(qt.QLabel):
        if label.visible and label.text and not label.wordWrap:
            assert label.width >= label.sizeHint.width(), label.text
    for button in [*panel.findChildren(qt.QPushButton), *panel.findChildren(qt.QCheckBox)]:
        if button.visible and button.text and not os.path.isabs(button.text):  # a path is shortened in its middle
            assert button.width >= button.sizeHint.width() - 2, button.text
            assert button.toolTip, button.text
    assert panel.width == width
    running.ends("paused", 1)
    idle(app, estimated)


def test_the_keyboard_goes_through_the_panel_as_it_is_seen(app, widget):
    import qt

    for name in ("advanced", "evaluation", "models"):
        getattr(widget.ui, f"{name}CollapsibleButton").collapsed = False
    app.process_events()
    chain, at = [], widget.ui.parameterNodeSelector
    for _ in range(600):
        at = at.nextInFocusChain()
        if at.focusPolicy != qt.Qt.NoFocus and at.visible:
            chain.append(at.objectName)
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
    positions = [chain.index(name) for name in wanted]
    assert positions == sorted(positions), chain


def test_the_scene_can_be_closed_and_the_modules_own_test_runs(app, estimated):
    import slicer

    from DeepRegTrainer import DeepRegTrainerTest

    slicer.mrmlScene.Clear()
    app.process_events()
    assert estimated.panel.node is not None and estimated.ui.scansTable.rowCount == 0
    DeepRegTrainerTest().runTest()
