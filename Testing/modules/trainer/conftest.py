"""Fixtures of the trainer's tests."""

from __future__ import annotations

import pytest
from panels import opened
from test_worker_client import FakeProcess
from trainer_bench import FakeEngine, add_scan, estimate


@pytest.fixture
def engine(app, tmp_path, monkeypatch):
    """The training's worker, controlled by the test; own models and trainings are in a folder of the test."""
    from DeepRegTrainerLib import running

    from deepreg_slicer.worker_client import WorkerClient

    monkeypatch.setenv("DEEPREG_MODELS", str(tmp_path / "models"))
    FakeProcess.made, FakeEngine.refuse, FakeEngine.bad, FakeEngine.estimate = [], "", {}, {}
    client = WorkerClient(FakeEngine, silence=30.0, startup=5.0, grace=0.3)
    monkeypatch.setattr(running, "_client", client)
    monkeypatch.setattr(running, "_INTERVAL", 50)  # without the event loop
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
