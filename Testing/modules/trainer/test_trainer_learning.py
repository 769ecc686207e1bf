"""The trainer with the real engine: small scans and few steps, from the training to a registration with its model."""

from __future__ import annotations

import csv
import os

import pytest
from bench import MODULES
from keypoint_files import SPACING, TINY, write
from panels import opened, quick
from trainer_bench import add_scan, cells

SMALL = {"steps": 400, "controls": 4, "width": 4, "channels": 3, "radius": 2, "initial": "geometry"}
NAMES = ("anna", "bert", "carl", "dora")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Own models and trainings in a folder of the test; the worker that trains ends with it."""
    monkeypatch.setenv("DEEPREG_MODELS", str(tmp_path / "models"))
    yield tmp_path / "models"
    from DeepRegTrainerLib import running

    if running._client is not None:
        running._client.stop()
        assert not running._client.pids


def chosen(app, hands):
    """The panel with four scans and few small steps, one scan to validate with; the estimate is there."""
    for number, name in enumerate(NAMES):
        add_scan(name, number)
    widget = opened(app, "DeepRegTrainer")
    hands.choose(widget.ui.methodComboBox, "Dense")
    hands.click(widget.ui.addAllButton)
    hands.click(widget.ui.splitButton)
    for name, value in SMALL.items():
        setattr(widget.panel.node.dense, name, value)
    widget.panel.node.name = "small"
    hands.click(widget.ui.estimateButton)
    app.wait_for(lambda: not widget.panel.session.preparing, 60, "the estimate")
    assert widget.ui.startButton.enabled, widget.ui.startButton.toolTip + widget.ui.resultLabel.text
    return widget


def over(app, widget, seconds: float = 60.0) -> None:
    app.wait_for(lambda: widget.panel.run is None and not widget.panel.client.busy, seconds, "the end")
    app.process_events()


def test_a_training_is_left_with_the_application_resumed_in_another_and_its_model_registers(app, hands, home, monkeypatch):
    """Estimate, start, close the application; come back, resume, stop with the best; register with the model."""
    import slicer

    from deepreg_slicer.waiting import waitUntilFree

    widget = chosen(app, hands)
    assert "Scans to learn from: 3; to validate with: 1" in widget.ui.estimateLabel.text
    assert "GB are free" in widget.ui.estimateLabel.text
    hands.click(widget.ui.startButton)
    app.wait_for(lambda: "step 2" in widget.ui.stageLabel.text, 60, "the second step")
    pid = widget.panel.client.pids[-1]
    # The user registers meanwhile: nothing waits for the training.
    other = opened(app, "DeepRegDense")
    waitUntilFree(1.0)
    assert widget.panel.client.busy
    assert not other.panel.client.computing
    if hasattr(os, "getpriority"):
        assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, os.getpid())
    from DeepRegTrainerLib import running

    # A step may take long on a busy machine; the application waits for its end.
    monkeypatch.setattr(running, "_FAREWELL", 60.0)
    running.leave()  # what the end of the application does
    assert not running._client.running
    assert not os.path.exists(f"/proc/{pid}")
    app.fresh()
    app.add_module_path(MODULES)
    widget = opened(app, "DeepRegTrainer")
    ui = widget.ui
    assert cells(ui.trainingsTable, 2) == ["paused"]
    assert "small" in ui.unfinishedLabel.text
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []
    done = int(cells(ui.trainingsTable, 3)[0].split(" / ")[0])
    assert 2 <= done < SMALL["steps"]
    hands.click(ui.resumeButton)
    app.wait_for(lambda: f"step {done + 2} of" in ui.stageLabel.text, 60, "the next step")
    hands.click(ui.stopButton)
    over(app, widget)
    assert "The model small is among your own" in ui.resultLabel.text, ui.resultLabel.text
    assert cells(ui.trainingsTable, 2) == ["stopped, kept"]
    assert (home / "small.safetensors").is_file()
    first, second = (add_scan(name, number)[0] for number, name in enumerate(NAMES[:2]))
    dense = opened(app, "DeepRegDense")
    quick(dense, features="small", working_spacing=3.0, control_spacing=9.0)
    dense.panel.node.fixedVolume, dense.panel.node.movingVolume = first, second
    assert dense.panel.features.widget.findData("small") >= 0
    hands.click(dense.ui.applyButton)
    app.wait_for(lambda: dense.panel.run is None and not dense.panel.showing, 60, "the registration")
    assert "folding" in dense.ui.resultLabel.text, dense.ui.resultLabel.text


def test_cross_validation_from_a_script(app, home):
    """The same from Python: a row for each pair and structure, and the figures of the file."""
    from DeepRegTrainer import DeepRegTrainerLogic

    app.load_module("DeepRegTrainer")
    scans = [add_scan(name, number) for number, name in enumerate(NAMES)]
    logic = DeepRegTrainerLogic()
    with pytest.raises(RuntimeError, match="no preset 'nothing'"):
        logic.crossValidate(scans, "dense", "x", preset="nothing")
    shares = []
    few = {**SMALL, "steps": 3, "size": 16}
    result = logic.crossValidate(
        scans, "dense", "checked", folds=2, parameters=few, device="cpu", progress=lambda share, _: shares.append(share)
    )
    rows = result["rows"]
    assert {row["label"] for row in rows} <= {"liver", "spleen", "1", "2", 1, 2}
    assert all(0.0 <= row["before"] <= 1.0 for row in rows)
    assert all(0.0 <= row[name] <= 1.0 for row in rows for name in ("mind", "learned"))
    assert shares == sorted(shares)
    with open(result["csv"], newline="", encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) >= len(rows)


def test_cross_validation_of_keypoints_from_a_script(app, home, tmp_path):
    """Pairs of keypoints in files: errors in mm, and no patient on both sides."""
    app.load_module("DeepRegTrainer")
    from DeepRegTrainer import DeepRegTrainerLogic

    folder = write(tmp_path / "lungs", 1, 2, 3, scans=(2,))
    result = DeepRegTrainerLogic().crossValidate(
        str(folder), "points", "lungs", folds=3, parameters=TINY, spacing=list(SPACING), device="cpu"
    )
    assert (result["state"], result["figure"]) == ("finished", "tre")
    assert result["folds"] == [["case_001"], ["case_002", "scan_exp002"], ["case_003"]]
    assert all(row["positions"] < row["aligned"] < row["before"] for row in result["rows"])
    assert len(result["rows"]) == 4
    with open(result["csv"], newline="", encoding="utf-8") as stream:
        assert [float(row["learned"]) for row in csv.DictReader(stream)] == [row["learned"] for row in result["rows"]]
