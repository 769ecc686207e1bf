"""The trainer's trainings and models: from start to end, paused, resumed, stopped, deleted; exported and imported.

The test gives the answers of the engine; test_trainer_learning tests a real training.
"""

from __future__ import annotations

import json

import numpy as np
from panels import opened
from trainer_bench import LINES, FakeProcess, begun, cells, estimate, idle, learned_nodes

# --------------------------------------------------------------------------------------------------------------- training


def test_a_training_from_start_to_the_model_in_the_other_panels(app, hands, estimated, engine, tmp_path):
    ui, panel = estimated.ui, estimated.panel
    others = [opened(app, f"DeepReg{name}") for name in ("Descent", "Dense")]
    estimated.parent.raise_()
    before = learned_nodes()
    panel.node.name, panel.node.licence = "liver net", "CC0"
    running = begun(app, hands, estimated, engine)
    home = tmp_path / "models" / "trainings" / "liver net"
    arguments = running.request["arguments"]
    assert arguments["folder"] == str(home / "training")
    assert arguments["data"] == [str(home / "scans")]
    assert arguments["licence"] == "CC0"
    assert arguments["validation"] == ["bert"]
    assert arguments["parameters"]["steps"] == panel.session.values()["steps"]
    assert json.loads((home / "scans" / "label_names.json").read_text())["label_names"] == {"1": "liver", "2": "spleen"}
    assert learned_nodes() == before
    assert not ui.startButton.visible
    assert ui.pauseButton.visible
    # Registrations go on meanwhile: their worker is another one.
    assert panel.client.busy
    assert not others[0].panel.client.busy
    assert others[0].panel.client is not panel.client
    running.learns(*LINES)
    app.wait_for(lambda: panel.node.curveChart is not None, 5)
    assert ui.figuresLabel.text == "Step 30, loss 1.2, validation Dice 0.300, best Dice 0.400 at step 20."
    assert "70 s left" not in ui.stageLabel.text
    assert "step 30 of 100" in ui.stageLabel.text
    assert "1:10 min left" in ui.stageLabel.text
    assert ui.progressBar.value == 300
    assert panel.node.name
    assert "running" in cells(ui.trainingsTable, 2)
    running.ends("finished", 100, best={"step": 20, "figure": "dice", "value": 0.4}, notes=["bert was small"])
    idle(app, estimated)
    assert "100 of 100 steps in 1:01 min; best in validation: Dice 0.400 at step 20" in ui.resultLabel.text
    assert "liver net" in ui.resultLabel.text
    assert "bert was small" in ui.logTextEdit.toPlainText()
    assert others[0].ui.advancedCollapsibleButton.findChild(type(ui.methodComboBox), "featuresParameter").findData("liver net") >= 0
    assert others[1].panel.features.widget.findData("liver net") < 0  # that is no model of the Dense method
    assert cells(ui.trainingsTable, 2) == ["finished, kept"]
    assert not ui.resumeButton.enabled
    assert not ui.startButton.enabled
    assert "a training of that name already" in ui.startButton.toolTip


def test_a_training_that_cannot_be_written_down_leaves_the_panel_usable(app, hands, estimated, engine, monkeypatch):
    from DeepRegTrainerLib.trainings import Training

    save = Training.save

    def full(self):
        if self.state == "running":
            raise OSError(28, "No space left on device")
        save(self)

    with monkeypatch.context() as changed:
        changed.setattr(Training, "save", full)
        hands.click(estimated.ui.startButton)
        idle(app, estimated)
    assert "No space left" in estimated.ui.resultLabel.text
    assert estimated.ui.startButton.visible
    assert not estimated.ui.pauseButton.visible


def test_the_curve_shows_loss_and_validation_while_it_runs(app, hands, estimated, engine):
    import slicer

    ui, panel = estimated.ui, estimated.panel
    running = begun(app, hands, estimated, engine)
    slicer.app.layoutManager()
    running.learns(*LINES[:1])
    app.wait_for(lambda: ui.figuresLabel.visible, 5)
    assert panel.node.curveChart is None
    assert "no curve yet" in ui.curveButton.toolTip
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
    assert columns["step"] == [10, 20, 30]
    assert columns["loss (% of the first)"] == [100.0, 75.0, 60.0]
    assert columns["loss"] == [2.0, 1.5, 1.2]
    assert columns["validation step"][:2] == [20, 30]
    assert columns["validation Dice"][:2] == [0.4, 0.3]
    assert columns["validation Dice (%)"][:2] == [40.0, 30.0]
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
    first = running.request["arguments"]
    running.learns(*LINES)
    hands.click(ui.pauseButton)
    assert (running.folder / "control").read_text() == "pause"
    assert not ui.pauseButton.enabled
    assert "pausing" in ui.stageLabel.text
    running.ends("paused", 30)
    idle(app, estimated)
    assert "paused at step 30 of 100" in ui.resultLabel.text
    assert not (running.folder / "control").exists()
    assert cells(ui.trainingsTable, 2) == ["paused"]
    assert cells(ui.trainingsTable, 3) == ["30 / 100"]
    assert "my-descent" in ui.unfinishedLabel.text
    hands.click(ui.resumeButton)
    app.wait_for(lambda: sum(request["op"] == "train" for request in running.written) == 2, 5)
    assert running.request["arguments"] == first  # so that the engine goes on exactly
    hands.click(ui.stopButton)
    assert (running.folder / "control").read_text() == "stop"
    running.ends("stopped", 31)
    idle(app, estimated)
    assert "The model my-descent is among your own" in ui.resultLabel.text
    assert not ui.unfinishedLabel.visible


def test_a_name_that_is_taken_gets_a_number(app, hands, estimated, engine):
    estimated.panel.node.name = "any-contrast"  # a model that is shipped
    running = begun(app, hands, estimated, engine)
    running.ends("finished", 100)
    idle(app, estimated)
    assert "any-contrast-2" in estimated.ui.resultLabel.text
    assert cells(estimated.ui.trainingsTable, 2) == ["finished, kept"]


def test_a_training_survives_the_worker_and_is_offered_when_the_user_comes_back(app, hands, estimated, engine):
    ui, panel = estimated.ui, estimated.panel
    running = begun(app, hands, estimated, engine)
    running.learns(*LINES)
    running.dies(9, True)
    idle(app, estimated)
    assert "out of memory" in ui.resultLabel.text
    assert "can be resumed" in ui.resultLabel.text
    assert ui.startButton.visible
    arguments = running.request["arguments"]
    # The application was started again, and only the folder is left.
    import slicer

    slicer.mrmlScene.Clear()
    app.process_events()
    panel.trainings.refresh()
    assert cells(ui.trainingsTable, 0) == ["my-descent"]
    assert "my-descent" in ui.unfinishedLabel.text
    assert "step" not in ui.resultLabel.text
    hands.click(ui.resumeButton)
    app.wait_for(lambda: len(FakeProcess.made) == 2 and engine().written, 5)
    assert engine().request["arguments"] == arguments
    engine().ends("finished", 100)
    idle(app, estimated)


def test_the_engine_refuses(app, hands, estimated, engine):
    running = begun(app, hands, estimated, engine)
    running.says(
        {"id": running.request["id"], "kind": "error", "code": "input", "message": "2 scans are too few", "advice": "give at least 4"}
    )
    idle(app, estimated)
    assert estimated.ui.resultLabel.text == "2 scans are too few. Give at least 4."
    assert cells(estimated.ui.trainingsTable, 2) == ["failed"]


def test_a_training_is_deleted_after_asking(app, hands, estimated, engine, tmp_path):
    import qt

    running = begun(app, hands, estimated, engine)
    assert not estimated.ui.deleteButton.enabled
    running.ends("paused", 5)
    idle(app, estimated)
    with app.messages_shown():
        for answer, left in ((qt.QMessageBox.Cancel, 1), (qt.QMessageBox.Ok, 0)):
            app.dialogs.answer(answer)
            hands.click(estimated.ui.deleteButton)
            assert len(list((tmp_path / "models" / "trainings").iterdir())) == left
    assert estimated.ui.trainingsTable.rowCount == 0
    assert "Estimate first" in estimated.ui.startButton.toolTip


def test_trainings_can_lie_elsewhere(app, hands, estimated, tmp_path):
    ui = estimated.ui
    (tmp_path / "there").mkdir()
    app.dialogs.answer(str(tmp_path / "there"))
    ui.rootDirectoryButton.browse()
    assert "Estimate first" in ui.startButton.toolTip  # the written files were in the other folder, and were removed
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
    assert widget.ui.resultLabel.text
    assert not widget.ui.startButton.enabled
    assert widget.ui.estimateButton.enabled


# ---------------------------------------------------------------------------------------------------------------- models


def test_models_are_exported_with_their_card_and_imported(app, hands, estimated, engine, tmp_path):
    from deepreg_engine.models.card import read_card

    ui = estimated.ui
    assert not ui.exportButton.enabled
    begun(app, hands, estimated, engine).ends("finished", 100)
    idle(app, estimated)
    assert ui.modelComboBox.currentText == "my-descent"
    assert "a test" in ui.cardLabel.text
    app.dialogs.answer(str(tmp_path / "given"))
    hands.click(ui.exportButton)
    assert read_card(tmp_path / "given.safetensors").name == "my-descent"
    app.dialogs.answer(str(tmp_path / "given.safetensors"))
    hands.click(ui.importButton)
    app.wait_for(lambda: ui.modelComboBox.count == 2, 5)
    assert ui.modelComboBox.currentText == "my-descent-2"
    assert read_card(tmp_path / "models" / "my-descent-2.safetensors").intended_use == "a test"
    # A training can begin with one of them.
    assert [ui.startComboBox.itemText(n) for n in range(ui.startComboBox.count)][0] == "a new network"
    assert ui.startComboBox.findData("my-descent-2") > 0
    # Only models of the same architecture are offered: the numbers of a self-similarity are not weights of a network.
    assert ui.startComboBox.findData("any-contrast") > 0
    assert ui.startComboBox.findData("self-similarity") < 0
    estimated.panel.node.descent.network = "similarity"
    app.wait_for(lambda: ui.startComboBox.findData("self-similarity") > 0, 5)
    assert ui.startComboBox.findData("any-contrast") < 0
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    import qt

    with app.messages_shown():
        app.dialogs.answer(str(tmp_path / "bad.safetensors"), qt.QMessageBox.Ok)
        hands.click(ui.importButton)
        app.wait_for(lambda: "not a safetensors file" in (app.dialogs.shown[-1].text or ""), 5)
