"""The client of the worker with real processes: they stay warm, crash, hang, and end with their jobs."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from bench import POSIX
from test_worker_client import Ending


@pytest.fixture
def client(app):
    from deepreg_slicer.worker_client import workerClient

    return workerClient()


def run(app, client, operation: str = "info", seconds: float = 60, **arguments) -> Ending:
    ending = Ending(client.submit(operation, arguments))
    app.wait_for(lambda: ending.over, seconds)
    return ending


def test_it_stays_and_is_warm(app, client):
    assert run(app, client).results[0]["engine"]
    pids = client.pids
    assert run(app, client).results
    assert client.pids == pids
    assert client._workerPid in pids
    assert len(pids) == 2  # PythonSlicer is a launcher


@pytest.mark.host_only("it starts the host in a process of its own")
def test_the_application_imports_no_torch(app, client):
    import subprocess
    import sys
    from pathlib import Path

    from bench import MODULES, ROOT

    # In a process of its own: tests of the engine load torch into this one.
    program = (
        "import sys, slicer_testing\n"
        f"host = slicer_testing.start(({str(MODULES)!r},))\n"
        "panels = [host.load_module(name).widgetRepresentation() for name in ('DeepReg', 'DeepRegDense')]\n"
        "from deepreg_slicer.worker_client import workerClient\n"
        "ended = []\n"
        "job = workerClient().submit('info', {}); job.finished.connect(ended.append); job.failed.connect(ended.append)\n"
        "host.wait_for(lambda: ended, 60)\n"
        "assert ended[0]['torch'], ended\n"
        "loaded = [name for name in ('torch', 'safetensors', 'psutil') if name in sys.modules]\n"
        "print('loaded', loaded)\n"
    )
    path = os.pathsep.join(str(folder) for folder in (ROOT / "Testing" / "slicer_testing", MODULES / "DeepReg", Path(os.getcwd())))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, timeout=120
    )
    assert "loaded []" in done.stdout, done.stdout + done.stderr


@POSIX
@pytest.mark.parametrize("how", ["kill", "crash", "stop"])
def test_a_real_worker_that_is_killed_crashes_or_hangs(app, client, how):
    assert run(app, client).results
    client.silence = 1.0
    pid = client._workerPid
    ending = Ending(client.submit("self-test", {}))
    app.wait_for(lambda: ending.progress, 30)
    os.kill(pid, {"kill": signal.SIGKILL, "crash": signal.SIGSEGV, "stop": signal.SIGSTOP}[how])
    app.wait_for(lambda: ending.over, 10)
    assert ending.errors[0].code == {"kill": "killed", "crash": "crash", "stop": "hang"}[how]
    app.wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, 5)
    client.silence = 30.0
    assert run(app, client).results


@POSIX
def test_stopping_in_the_midst_of_a_job_leaves_nothing(app, client):
    ending = Ending(client.submit("self-test", {}))
    app.wait_for(lambda: ending.progress, 30)
    pids, scratch = client.pids, client.scratch()
    client.stop()
    assert ending.errors[0].code == "cancelled"
    assert not os.path.exists(scratch)
    for pid in pids:
        app.wait_for(lambda pid=pid: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, 5)


@POSIX
def test_a_real_job_is_cancelled_before_its_result(app, client):
    assert run(app, client, "warm").results == [{}]
    ending = Ending(client.submit("self-test", {}))
    app.wait_for(lambda: ending.progress, 30)
    client.cancel()
    app.wait_for(lambda: ending.over, 30)
    assert ending.results == []
    assert ending.errors[0].code == "cancelled"
    assert run(app, client).results
