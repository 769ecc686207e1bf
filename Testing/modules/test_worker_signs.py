"""Signs of life and of the end of the worker: a silent import, and the mark in the folder that panels share."""

from __future__ import annotations

import os
import signal

from bench import POSIX
from test_worker_client import Ending, FakeProcess, begun, fake_fixture  # noqa: F401 - a fixture


def test_the_first_import_of_pytorch_may_be_silent_for_longer(app, fake):
    fake.silence, fake.startup = 0.2, 30.0
    job, ending, process = begun(app, fake)
    process.says({"id": job.id, "kind": "progress", "fraction": 0.0, "stage": "loading PyTorch", "loading": True})
    app.process_events(0.6)
    assert not ending.over
    assert ending.progress[-1][1] == "loading PyTorch"
    process.says({"id": job.id, "kind": "progress", "fraction": 0.1, "stage": "search"})
    app.wait_for(lambda: ending.over, 3)
    assert ending.errors[0].code == "hang"


def test_a_worker_that_is_ended_does_not_take_the_folder_of_others(app, fake, monkeypatch):
    from deepreg_slicer import worker_client

    order = []
    monkeypatch.setattr(FakeProcess, "closeInput", lambda self: order.append(("input", os.path.exists(self.mark))))
    monkeypatch.setattr(worker_client, "endTree", lambda *_pids: order.append("end"))
    _job, ending, process = begun(app, fake)
    assert os.path.exists(process.mark)
    fake.cancel()
    app.wait_for(lambda: ending.over, 3)
    # Without its mark the worker keeps the folder, whatever it sees first.
    assert order == [("input", False), "end"]
    assert os.path.isdir(process.scratch)


@POSIX
def test_a_worker_that_is_killed_behind_a_launcher(app):
    """PythonSlicer is a launcher: if its child is killed, it exits with code 1, as after any error."""
    from deepreg_slicer.worker_client import WorkerClient

    client = WorkerClient()
    try:
        ending = Ending(client.submit("self-test", {}))
        app.wait_for(lambda: len(client.pids) == 2 and ending.progress, 30)
        os.kill(client._workerPid, signal.SIGKILL)
        app.wait_for(lambda: ending.over, 10)
        assert ending.errors[0].code == "killed"
        assert "ran out of memory" in ending.errors[0].text
        assert os.listdir(client.scratch()) == []
    finally:
        client.stop()
