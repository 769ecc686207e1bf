"""Faults during a registration: each ends in a clear message, the panel can be used again, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from bench import stop_worker
from panels import applied, ended, finish, nodes, opened, quick, works_again
from world import add_linear

# Moments of a run at which the fault occurs.
EXPORT, START, COMPUTE, IMPORT = (
    "while volumes are written",
    "before the worker is ready",
    "while the worker computes",
    "while results are read",
)
SLOW = {"search_stages": 3, "mean_field_passes": 4, "refinement_iterations": 50}
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


@pytest.fixture
def widget(warm_app, pair):
    widget = opened(warm_app)
    quick(widget)
    widget.panel.client.silence = 30.0
    return widget


def begin(app, widget, moment: str) -> None:
    """Press Apply and wait for a moment of the run."""
    panel = widget.panel
    if moment == COMPUTE:
        quick(widget, **SLOW)
    panel.apply()
    if moment == COMPUTE:
        app.wait_for(lambda: widget.ui.progressBar.value > 150, 30)
    elif moment == IMPORT:
        seen = []
        panel.run.progressed.connect(lambda fraction, stage, left: seen.append(stage))
        app.wait_for(lambda: "reading the results" in seen, 60)


# ------------------------------------------------------------------------------------------------------------ the worker


@needs_signals
@pytest.mark.parametrize("fault", ["killed", "crashed", "hangs", "terminated"])
def test_the_worker_dies_while_it_computes(warm_app, hands, widget, fault):
    before = nodes()
    begin(warm_app, widget, COMPUTE)
    pid = widget.panel.client._workerPid
    widget.panel.client.silence = 1.0
    os.kill(pid, {"killed": signal.SIGKILL, "crashed": signal.SIGSEGV, "hangs": signal.SIGSTOP, "terminated": signal.SIGTERM}[fault])
    words = {"killed": "out of memory", "crashed": "crashed", "hangs": "has not answered", "terminated": "ended from outside"}[fault]
    ended(warm_app, widget, words, "apply again")
    assert nodes() == before
    works_again(warm_app, hands, widget)


@needs_signals
def test_the_worker_dies_between_two_runs(warm_app, hands, widget):
    applied(warm_app, hands, widget)
    os.kill(widget.panel.client._workerPid, signal.SIGKILL)
    warm_app.wait_for(lambda: not widget.panel.client.running, 5)
    works_again(warm_app, hands, widget)


@pytest.mark.parametrize("line", [b"Traceback: nonsense\n", b"{}\n", b"\xff\xfe\n"])
def test_the_worker_sends_nonsense(warm_app, hands, widget, line):
    before = nodes()
    begin(warm_app, widget, COMPUTE)
    widget.panel.client._process.output.emit(line)
    ended(warm_app, widget, "not its protocol", "self-test")
    assert nodes() == before
    works_again(warm_app, hands, widget)


@pytest.mark.parametrize(
    ("code", "message"),
    [("memory", "this needs about 90 GB of memory, and 8 GB are free"), ("package", "the Python package torch is not installed")],
)
def test_the_engine_refuses(warm_app, hands, widget, code, message):
    before = nodes()
    begin(warm_app, widget, COMPUTE)
    job = widget.panel.run._job
    widget.panel.client._onLine(
        json.dumps({"id": job.id, "kind": "error", "code": code, "message": message, "advice": "do something else"}).encode()
    )
    ended(warm_app, widget, message, "do something else")
    assert nodes() == before
    widget.panel.client.stop()  # the real worker still computes
    works_again(warm_app, hands, widget)


def test_too_little_memory_and_the_user_takes_the_coarser_run(warm_app, hands, widget):
    from deepreg_slicer.worker_job import Job

    quick(widget, **SLOW)
    widget.panel.apply()
    warm_app.wait_for(lambda: widget.panel.run._job is not None, 10)
    assert isinstance(widget.panel.run._job, Job)
    fields = {
        "id": widget.panel.run._job.id,
        "kind": "error",
        "code": "memory",
        "message": "this needs about 90 GB",
        "advice": "coarser",
        "changes": {"working_spacing": 8.0, "control_spacing": 24.0},
    }
    import qt

    with warm_app.messages_shown():
        warm_app.dialogs.answer(qt.QMessageBox.Yes)
        widget.panel.client._onLine(json.dumps(fields).encode())
    shown = warm_app.dialogs.shown[-1].text
    assert "90 GB" in shown
    assert "Working spacing = 8" in shown
    assert widget.panel.node.parameters.working_spacing == 8.0
    assert widget.panel.run is not None  # it has begun again
    widget.panel.cancel()
    finish(warm_app, widget, 10)


@needs_signals
def test_a_worker_that_does_not_start(warm_app, hands, widget, monkeypatch, tmp_path):
    widget.panel.client.stop()
    script = tmp_path / "PythonSlicer"
    script.write_text("#!/bin/sh\necho 'the launcher is broken' >&2\nexit 3\n")
    script.chmod(0o755)
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{path}")
    widget.panel.apply()
    ended(warm_app, widget, "could not be started", "the launcher is broken")
    monkeypatch.setenv("PATH", path)
    works_again(warm_app, hands, widget)


def test_python_slicer_is_missing(warm_app, hands, widget, monkeypatch):
    widget.panel.client.stop()
    monkeypatch.setattr("deepreg_slicer.processes.pythonExecutable", lambda: None)
    widget.panel.apply()
    ended(warm_app, widget, "PythonSlicer was not found")
    monkeypatch.undo()
    works_again(warm_app, hands, widget)


# -------------------------------------------------------------------------------------------------------------- the disk


def test_the_disk_is_full_while_volumes_are_written(warm_app, hands, widget, monkeypatch):
    from deepreg_slicer import nrrd

    def full(*_arguments):
        raise OSError(28, "No space left on device")
        yield

    before = nodes()
    monkeypatch.setattr(nrrd, "write", full)
    widget.panel.apply()
    ended(warm_app, widget, "No space left on device", "free some space")
    assert nodes() == before
    monkeypatch.undo()
    works_again(warm_app, hands, widget)


def test_the_temporary_folder_goes_while_the_worker_computes(warm_app, hands, widget):
    import shutil

    before = nodes()
    quick(widget, refinement_iterations=12)
    widget.panel.apply()
    warm_app.wait_for(lambda: widget.ui.progressBar.value > 100, 30)
    shutil.rmtree(widget.panel.run.folder)
    text = ended(warm_app, widget)
    assert "folder" in text or "does not exist" in text or "cannot" in text, text
    assert nodes() == before
    works_again(warm_app, hands, widget)


@pytest.mark.parametrize("fault", ["cut short", "gone", "another file"])
def test_a_result_file_is_damaged(warm_app, hands, widget, fault):
    before = nodes()
    widget.panel.apply()
    run = widget.panel.run
    proceed = run._onComputed

    def damage(report):
        path = Path(run.folder) / "warped_out.nrrd"
        if fault == "cut short":
            path.write_bytes(path.read_bytes()[:-1000])
        elif fault == "gone":
            path.unlink()
        else:
            path.write_text("hello")
        proceed(report)

    warm_app.wait_for(lambda: run._job is not None, 10)
    run._job.finished.clear()
    run._job.finished.connect(damage)
    ended(warm_app, widget, "apply again")
    assert nodes() == before
    works_again(warm_app, hands, widget)


# ------------------------------------------------------------------------------------------------------------- the scene


@pytest.mark.parametrize("moment", [EXPORT, COMPUTE, IMPORT])
def test_the_scene_is_closed(warm_app, hands, widget, phantom_folder, moment):
    import slicer

    begin(warm_app, widget, moment)
    slicer.mrmlScene.Clear()
    ended(warm_app, widget)
    assert nodes() == {}
    for side in ("fixed", "moving"):
        slicer.util.loadVolume(str(phantom_folder / f"{side}.nii.gz"))
    widget.panel.initialize()
    works_again(warm_app, hands, widget)


@pytest.mark.parametrize("moment", [EXPORT, COMPUTE, IMPORT])
@pytest.mark.parametrize("which", ["fixed", "moving", "both"])
def test_an_input_is_deleted(warm_app, widget, pair, moment, which):
    import slicer

    quick(widget)
    if moment == COMPUTE:
        quick(widget, refinement_iterations=10)
        widget.panel.apply()
        warm_app.wait_for(lambda: widget.ui.progressBar.value > 100, 30)
    else:
        begin(warm_app, widget, moment)
    for node in {"fixed": pair[:1], "moving": pair[1:], "both": pair}[which]:
        slicer.mrmlScene.RemoveNode(node)
    text = ended(warm_app, widget)
    # Either the result exists, computed from the inputs at the beginning, or the message names what is missing.
    transforms = [node for node in slicer.util.getNodesByClass("vtkMRMLGridTransformNode") if not node.GetHideFromEditors()]
    assert len(transforms) == 1, text
    assert transforms[0].GetAttribute("DeepReg.Fixed") == "fixed"
    assert transforms[0].GetAttribute("DeepReg.Moving") == "moving"


@pytest.mark.parametrize("which", ["transform", "volume"])
def test_a_chosen_output_is_deleted(warm_app, widget, which):
    import slicer

    className = {"transform": "vtkMRMLGridTransformNode", "volume": "vtkMRMLScalarVolumeNode"}[which]
    output = slicer.mrmlScene.AddNewNodeByClass(className, "chosen")
    setattr(widget.panel.node, f"{which}Output", output)
    begin(warm_app, widget, EXPORT)
    warm_app.process_events(0.1)
    slicer.mrmlScene.RemoveNode(output)
    assert "folding" in ended(warm_app, widget)
    assert getattr(widget.panel.node, f"result{which.capitalize()}") is not None


def test_the_parameter_set_is_deleted(warm_app, hands, widget):
    import slicer

    begin(warm_app, widget, COMPUTE)
    slicer.mrmlScene.RemoveNode(widget.panel.node.parameterNode)
    warm_app.process_events()
    widget.panel.cancel()
    ended(warm_app, widget, "stopped")
    widget.panel.initialize()
    works_again(warm_app, hands, widget)


def test_what_the_user_changes_meanwhile_does_not_change_the_run(warm_app, widget, pair):
    import slicer

    quick(widget, smoothness=10.0)
    widget.panel.apply()
    widget.panel.node.parameters.smoothness = 99.0
    widget.panel.node.movingVolume = None
    pair[1].SetAndObserveTransformNodeID(add_linear("late", np.diag([1.0, 1.0, 1.0, 1.0])).GetID())
    finish(warm_app, widget, 40)
    transform = slicer.util.getNodesByClass("vtkMRMLGridTransformNode")[0]
    assert json.loads(transform.GetAttribute("DeepReg.Parameters"))["smoothness"] == 10.0


def test_making_a_node_fails(warm_app, hands, widget, monkeypatch):
    from deepreg_slicer import registration

    before = nodes()

    def broken(*_arguments):
        raise RuntimeError("no more nodes")

    monkeypatch.setattr(registration, "record", broken)
    widget.panel.apply()
    ended(warm_app, widget, "internal error", "no more nodes")
    assert nodes() == before  # the node that was made first is gone again
    monkeypatch.undo()
    works_again(warm_app, hands, widget)


def test_closing_the_application_in_the_midst_of_a_run_leaves_nothing(warm_app, widget):
    import psutil

    begin(warm_app, widget, COMPUTE)
    pids, scratch = widget.panel.client.pids, widget.panel.client.scratch()
    widget.cleanup()
    stop_worker()
    assert not os.path.exists(scratch)
    for pid in pids:
        warm_app.wait_for(lambda pid=pid: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, 5)
