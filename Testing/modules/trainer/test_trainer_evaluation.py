"""The trainer's cross-validation as a table and as CSV, of labelled scans and of keypoints; with an engine whose answers the test gives."""

from __future__ import annotations

from pathlib import Path

from trainer_bench import FakeEngine, begun, cells, estimate, idle

ROWS = [
    {"pair": "anna - bert", "label": "liver", "before": 0.3, "aligned": 0.4, "mind": 0.5, "learned": 0.6},
    {"pair": "anna - bert", "label": "spleen", "before": 0.1, "aligned": 0.2, "mind": 0.3, "learned": None},
    {"pair": "bert - anna", "label": 1, "before": 0.5, "aligned": 0.6, "mind": 0.7, "learned": 0.8},
]


def test_cross_validation_gives_a_table_and_a_csv(app, hands, estimated, engine, tmp_path):
    import slicer

    ui, panel = estimated.ui, estimated.panel
    assert "5 folds need as many scans" in ui.evaluateButton.toolTip
    assert "no results" in ui.csvButton.toolTip
    ui.foldsSpinBox.value = 3
    hands.click(ui.evaluateButton)
    app.wait_for(lambda: any(request["op"] == "cross-validate" for request in engine().written), 5)
    arguments = engine().request["arguments"]
    assert arguments["folds"] == 3
    assert arguments["folder"].endswith("cross-validation")
    assert "validation" not in arguments
    assert ui.evaluateButton.text == "Pause"
    assert not ui.startButton.enabled
    assert ui.evaluateButton.text == "Pause"
    assert "pausing" not in ui.evaluationLabel.text.lower()
    hands.click(ui.evaluateButton)
    control = Path(arguments["folder"]) / "control"
    assert control.read_text() == "pause"
    assert ui.evaluateButton.text == "Pause now"
    control.unlink()  # the engine ignores a command that was given before the training began
    app.wait_for(control.exists, 5)
    hands.click(ui.evaluateButton)
    app.wait_for(lambda: panel.run is None, 5)
    assert not control.exists()
    assert cells(ui.trainingsTable, 2) == ["paused"]
    assert cells(ui.trainingsTable, 1) == ["folds"]
    hands.click(ui.resumeButton)
    app.wait_for(lambda: panel.run is not None and sum(request["op"] == "cross-validate" for request in engine().written) == 2, 5)
    engine().result(engine().request["id"], {"state": "paused", "rows": ROWS[:1], "summary": {}, "csv": ""})
    idle(app, estimated)
    assert panel.node.evaluationTable is None
    assert "Paused" in ui.evaluationLabel.text
    hands.click(ui.resumeButton)
    app.wait_for(lambda: sum(request["op"] == "cross-validate" for request in engine().written) == 3, 5)
    engine().result(engine().request["id"], {"state": "finished", "rows": ROWS, "summary": {}, "csv": ""})
    idle(app, estimated)
    table = panel.node.evaluationTable
    found = [[table.GetTable().GetValue(row, column).ToString() for column in range(6)] for row in range(table.GetNumberOfRows())]
    assert [table.GetColumnName(n) for n in range(6)] == ["pair", "label", "before", "aligned", "MIND", "learned"]
    assert found[3:] == [
        ["mean of all pairs", "liver", "0.4", "0.5", "0.6", "0.7"],
        ["mean of all pairs", "spleen", "0.1", "0.2", "0.3", "nan"],
        ["mean of all pairs", "all", "0.3", "0.4", "0.5", "0.7"],
    ]
    assert "0.300 before, 0.400 aligned, 0.500 with MIND, 0.700 with the learned features" in ui.evaluationLabel.text
    assert "(pairs: 2)" in ui.evaluationLabel.text
    assert slicer.app.applicationLogic().GetSelectionNode().GetActiveTableID() == table.GetID()
    app.dialogs.answer(str(tmp_path / "result.csv"))
    hands.click(ui.csvButton)
    lines = (tmp_path / "result.csv").read_text().splitlines()
    assert lines[0] == "pair,label,before (Dice),aligned (Dice),MIND (Dice),learned (Dice)"
    assert lines[2] == "anna - bert,spleen,0.1,0.2,0.3,"
    assert len(lines) == 7
    # The same scans can be trained on under that name without being written again.
    assert ui.startButton.enabled, ui.startButton.toolTip
    arguments = begun(app, hands, estimated, engine).request["arguments"]
    assert arguments["data"] == [str(tmp_path / "models" / "trainings" / "my-descent" / "scans")]
    engine().ends("paused", 1)
    idle(app, estimated)


def points_row(pair, keypoints, points, *errors):
    ways = ("before", "aligned", "positions", "learned")
    named = {f"{way}{end}": error * factor for end, factor in (("", 1.0), ("_95", 2.0)) for way, error in zip(ways, errors, strict=True)}
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
    assert not ui.evaluateButton.enabled
    assert "as many patients" in ui.evaluateButton.toolTip
    assert "there are 2" in ui.evaluateButton.toolTip
    ui.foldsSpinBox.value = 2
    assert ui.evaluateButton.enabled, ui.evaluateButton.toolTip
    hands.click(ui.evaluateButton)
    app.wait_for(lambda: any(request["op"] == "cross-validate" for request in engine().written), 5)
    arguments = engine().request["arguments"]
    assert (arguments["method"], arguments["folds"], arguments["spacing"]) == ("points", 2, [1.0, 1.0, 1.0])
    assert "validation" not in arguments
    engine().result(engine().request["id"], {"state": "finished", "figure": "tre", "rows": POINT_ROWS, "summary": {}, "csv": ""})
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
    assert (
        "(pairs: 3): 14.00 mm before, 7.33 mm aligned, 4.00 mm by positions alone, 2.50 mm with the learned features. Less is better"
        in said
    )
    assert "Dice" not in said
    assert "MIND" not in said
    app.dialogs.answer(str(tmp_path / "result.csv"))
    hands.click(ui.csvButton)
    lines = (tmp_path / "result.csv").read_text().splitlines()
    assert lines[0].startswith('pair,keypoints,points,before (mm),aligned (mm),positions alone (mm),learned (mm),"before, 95 % (mm)"')
    assert lines[2].startswith("l2r_exp001,independent,1322,16.0,8.0,5.0,4.0,32.0")
    assert len(lines) == 7
