"""The worker as a process of its own: its protocol, what it survives, and how it ends."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from command_line import ENVIRONMENT

from deepreg_engine.errors import Cancelled, NotEnoughMemoryError, explain
from deepreg_engine.geometry.transform_files import read_field
from deepreg_engine.jobs import operations
from deepreg_engine.jobs.job import Job
from deepreg_engine.methods.dense.presets import dense_preset
from deepreg_engine.worker import Worker

posix = pytest.mark.skipif(sys.platform == "win32", reason="process groups and signals are POSIX")
QUICK = dense_preset("quick").parameters.to_dict()


class Process:
    """A worker process and the events that it has sent."""

    def __init__(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "deepreg_engine", "worker", *arguments]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment or ENVIRONMENT
        )
        self.events: queue.Queue = queue.Queue()
        self.log: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_log, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.events.put(json.loads(line))  # every line of stdout is the protocol's

    def _read_log(self) -> None:
        for line in self.process.stderr:
            self.log.append(line.decode())

    def send(self, line: object) -> None:
        data = line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def next(self, seconds: float = 60.0) -> dict:
        return self.events.get(timeout=seconds)

    def until(self, *kinds: str, number: object = None, seconds: float = 120.0) -> list[dict]:
        """All events up to the first of some kinds, of one request if a number is given."""
        found = []
        end = time.monotonic() + seconds
        while True:
            event = self.next(max(0.01, end - time.monotonic()))
            if number is None or event["id"] == number:
                found.append(event)
                if event["kind"] in kinds:
                    return found

    def ask(self, operation: str, number: object = 1, **arguments: object) -> dict:
        self.send({"id": number, "op": operation, "arguments": arguments})
        return self.until("result", "error", number=number)[-1]


@pytest.fixture
def worker(tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    started = Process("--scratch", str(scratch))
    started.scratch = scratch
    ready = started.next()
    assert ready["kind"] == "ready"
    assert ready["protocol"] == 1
    assert ready["pid"] == started.process.pid
    yield started
    started.process.kill()
    started.process.wait(10)


def dense_arguments(folder: Path, output: Path, **more: object) -> dict:
    return {
        "fixed": str(folder / "fixed.nii.gz"),
        "moving": str(folder / "moving.nii.gz"),
        "transform": str(output / "t.nrrd"),
        "parameters": QUICK,
        "preset": "quick",
        **more,
    }


# ------------------------------------------------------------------------------------------------------------------- jobs


def test_a_registration_with_progress_and_result(worker, phantom_folder, tmp_path):
    labels = [[str(phantom_folder / "moving_labels.nii.gz"), str(tmp_path / "labels.nrrd")]]
    arguments = dense_arguments(phantom_folder, tmp_path, warped=str(tmp_path / "w.nrrd"), warp_labels=labels, compress=False)
    worker.send({"id": "a", "op": "dense", "arguments": arguments})
    events = worker.until("result", "error")
    assert events[0] == {"id": "a", "kind": "started"}
    assert {event["id"] for event in events} == {"a"}
    progress = [event for event in events if event["kind"] == "progress"]
    fractions = [event["fraction"] for event in progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] > 0.9
    assert {"alignment (affine)", "displacement field", "writing the results"} <= {event["stage"] for event in progress}
    assert any(event["eta"] is not None and event["eta"] >= 0 for event in progress)
    report = events[-1]["result"]
    assert events[-1]["kind"] == "result"
    assert report["preset"] == "quick"
    assert report["parameters"]["working_spacing"] == 5.0
    field = read_field(tmp_path / "t.nrrd")
    assert report["displacement"]["mean"] == pytest.approx(field.statistics().mean, rel=1e-5)
    # The label map follows the same field, in the same grid; not compressed, so that whoever waits need not unpack it.
    expected = field.warp_image(sitk.ReadImage(labels[0][0]), "nearest")
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(labels[0][1])), sitk.GetArrayFromImage(expected))
    assert b"encoding: raw" in (tmp_path / "labels.nrrd").read_bytes()[:800]
    assert b"encoding: raw" in (tmp_path / "w.nrrd").read_bytes()[:800]


def test_the_second_job_starts_at_once(worker, phantom_folder, tmp_path):
    for number in (1, 2):
        worker.send({"id": number, "op": "dense", "arguments": dense_arguments(phantom_folder, tmp_path)})
        sent = time.monotonic()
        worker.until("started", number=number)
        assert time.monotonic() - sent < 4.0
        assert worker.until("result", "error", number=number)[-1]["kind"] == "result"
    assert worker.ask("ping", 3)["result"] == {"busy": False}


def test_a_cancelled_job_leaves_nothing_and_the_worker_stays(worker, phantom_folder, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    slow = {**QUICK, "search_stages": 3, "mean_field_passes": 4, "refinement_iterations": 50}
    worker.send({"id": 1, "op": "dense", "arguments": dense_arguments(phantom_folder, output, parameters=slow)})
    while not any(event["kind"] == "progress" and event["fraction"] > 0.1 for event in [worker.next()]):
        pass
    assert worker.ask("cancel", 2, job="another")["result"] == {"cancelled": False}
    worker.send({"id": 3, "op": "cancel", "arguments": {"job": 1}})
    cancelled = time.monotonic()
    ending = worker.until("result", "error", number=1)[-1]
    assert ending["code"] == "cancelled"
    assert time.monotonic() - cancelled < 5
    assert list(output.iterdir()) == []
    assert worker.ask("ping", 4)["result"] == {"busy": False}


def test_a_job_meanwhile_is_refused_and_a_ping_answered(worker):
    worker.send({"id": 1, "op": "info", "arguments": {}})  # loads torch: a second
    worker.send({"id": 2, "op": "info", "arguments": {}})
    worker.send({"id": 3, "op": "ping"})
    refused = worker.until("error", number=2)[-1]
    assert refused["code"] == "request"
    assert "another job is running" in refused["message"]
    info = worker.until("result", number=1)[-1]["result"]
    assert info["torch"]["version"]
    assert info["missing"] == []
    assert info["devices"][0]["name"] == "cpu"
    assert info["memory"]["total"] > info["memory"]["available"] > 0


def test_the_heart_beats_while_a_job_says_nothing():
    events = []

    def silent(arguments, job):
        job.progress(0.5, "thinking")
        time.sleep(1.3)
        return {}

    job = Job(1, lambda event: events.append((time.monotonic(), event)))
    job.run(silent, {})
    times = [at for at, event in events if event["kind"] == "progress" and event["stage"] == "thinking"]
    assert len(times) >= 3
    assert max(np.diff(times)) < 1.0


# --------------------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("line", "number", "words"),
    [
        (b"nonsense\n", None, "not JSON"),
        (b'{"id": 1, "op": "info"\n', None, "not JSON"),
        (b"\xff\xfe\x00\n", None, "not JSON"),
        (b"[1, 2]\n", None, "needs an id and an op"),
        ({"id": 1}, None, "needs an id and an op"),
        ({"op": "info"}, None, "needs an id and an op"),
        ({"id": 1, "op": "dens"}, 1, "did you mean dense"),
        ({"id": 1, "op": "info", "arguments": [1]}, None, "not an object"),
        ({"id": 1, "op": "dense", "arguments": {"fixed": "a"}}, 1, "the fixed volume cannot be used without the moving volume"),
        ({"id": 1, "op": "dense", "arguments": {"fixed": "a", "moving": "b", "transfrom": "c"}}, 1, "did you mean transform"),
        (
            {"id": 1, "op": "dense", "arguments": {"fixed": "a", "moving": "b", "parameters": {"smothness": 1}}},
            1,
            "did you mean smoothness",
        ),
        ({"id": 1, "op": "dense", "arguments": {"fixed": "a.nrrd", "moving": "b.nrrd"}}, 1, "a.nrrd does not exist"),
        (b'{"id": 1, "op": "' + b"x" * 5_000_000 + b'"}\n', None, "too long"),
    ],
)
def test_it_survives_a_wrong_request(worker, line, number, words):
    worker.send(line)
    event = worker.until("error")[-1]
    assert event["id"] == number
    assert words in f"{event['message']}: {event['advice']}", event
    assert worker.ask("ping", 9)["kind"] == "result"


def test_what_libraries_print_is_no_event():
    program = (
        "import os, sys, subprocess\n"
        "from deepreg_engine import worker\n"
        "def noisy(arguments, job):\n"
        "    print('from Python'); sys.stdout.flush(); os.write(1, b'from C\\n'); subprocess.run(['echo', 'from a child'])\n"
        "    assert sys.stdin.read() == ''\n"
        "    return {'value': 1}\n"
        "worker.OPERATIONS['noisy'] = noisy\n"
        "worker.serve()\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as done:
        done.stdin.write(b'{"id": 1, "op": "noisy"}\n')
        done.stdin.flush()
        events = [json.loads(done.stdout.readline())]
        while events[-1]["kind"] not in ("result", "error"):
            events.append(json.loads(done.stdout.readline()))
        rest, log = done.communicate(timeout=30)
    assert [event["kind"] for event in events if event["kind"] != "progress"] == ["ready", "started", "result"]
    assert rest == b""
    assert events[-1]["result"] == {"value": 1}
    for words in (b"from Python", b"from C", b"from a child"):
        assert words in log


class Stream:
    """Requests that are there at once, then a silence until the end is wanted."""

    def __init__(self, *lines: bytes) -> None:
        self._lines, self.over = list(lines), threading.Event()

    def readline(self, _limit: int = -1) -> bytes:
        if self._lines:
            return self._lines.pop(0)
        self.over.wait(30)
        return b""


class Events:
    """What was sent."""

    def __init__(self, stream: Stream, ends: int) -> None:
        self.all, self._stream, self._ends = [], stream, ends

    def write(self, data: bytes) -> None:
        self.all.append(json.loads(data))
        self._ends -= self.all[-1]["kind"] in ("result", "error")
        if self._ends == 0:
            self._stream.over.set()

    def flush(self) -> None:
        pass


@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [
        (MemoryError(), "memory", "ran out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "memory", "the computer ran out"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "memory", "the graphics card ran out"),
        (ModuleNotFoundError("No module named 'safetensors'", name="safetensors"), "package", "safetensors is not installed"),
        (OSError(28, "No space left on device", "x.nrrd"), "error", "x.nrrd: No space left on device"),
        (ZeroDivisionError("division by zero"), "error", "internal error (ZeroDivisionError"),
        (Cancelled(), "cancelled", "stopped by the user"),
        (KeyboardInterrupt(), "cancelled", "stopped by the user"),
        (SystemExit(3), "error", "internal error (SystemExit"),
    ],
)
def test_whatever_an_operation_raises_is_told(raised, code, words, capsys):
    def broken(arguments, job):
        raise raised

    stream = Stream(b'{"id": 1, "op": "broken"}\n')
    events = Events(stream, 1)
    Worker(stream, events, operations={"broken": broken}).run()
    assert events.all[-1]["code"] == code
    assert words in events.all[-1]["message"]


def test_a_run_that_does_not_fit_names_what_would(capsys):
    def large(arguments, job):
        raise NotEnoughMemoryError("this needs 30 GB", "less would fit", changes={"working_spacing": 5.0})

    stream = Stream(b'{"id": 1, "op": "large"}\n')
    events = Events(stream, 1)
    Worker(stream, events, operations={"large": large}).run()
    assert events.all[-1] == {
        "id": 1,
        "kind": "error",
        "code": "memory",
        "message": "this needs 30 GB",
        "advice": "less would fit",
        "option": "",
        "changes": {"working_spacing": 5.0},
    }
    assert explain(ValueError("x"), "report it").advice == "report it"


# -------------------------------------------------------------------------------------------------------------------- end


def test_it_leaves_when_the_requests_end(worker):
    assert worker.ask("ping")["kind"] == "result"
    (worker.scratch / "left.nrrd").write_text("x")
    worker.process.stdin.close()
    assert worker.process.wait(5) == 0
    assert not worker.scratch.exists()


def test_it_leaves_when_told_to(worker):
    worker.send({"id": 1, "op": "shutdown"})
    assert worker.process.wait(5) == 0


@posix
def test_it_leaves_in_the_midst_of_a_job_with_all_it_has_started(worker, phantom_folder, tmp_path):
    slow = {**QUICK, "search_stages": 3, "mean_field_passes": 4, "refinement_iterations": 50}
    worker.send({"id": 1, "op": "dense", "arguments": dense_arguments(phantom_folder, tmp_path, parameters=slow)})
    worker.until("progress")
    worker.process.stdin.close()  # as when the other program was killed
    assert worker.process.wait(5) == -signal.SIGKILL
    assert not worker.scratch.exists()
    assert [path for path in tmp_path.iterdir() if path != worker.scratch] == []


@posix
def test_it_leads_a_process_group_of_its_own(worker):
    assert worker.ask("ping")["kind"] == "result"
    assert os.getpgid(worker.process.pid) == worker.process.pid != os.getpgid(0)


def test_it_starts_where_packages_are_missing(tmp_path):
    # A Python without torch, safetensors and psutil, as Slicer's is at first.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'safetensors', 'psutil'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
    )
    path = os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])
    bare = Process(environment={**ENVIRONMENT, "PYTHONPATH": path})
    try:
        assert bare.next()["kind"] == "ready"
        error = bare.ask("dense", fixed="a.nrrd", moving="b.nrrd")
        assert error["code"] == "package"
        assert "is not installed" in error["message"]
        phantom = bare.ask("phantom", 2, anatomy="abdomen", folder=str(tmp_path / "pair"), detail=0.25)
        assert phantom["kind"] == "result"
        assert Path(phantom["result"]["files"]["fixed"]).is_file()
    finally:
        bare.process.kill()
        bare.process.wait(10)


def test_the_scratch_folder_must_be_there(tmp_path):
    command = [sys.executable, "-m", "deepreg_engine", "worker", "--scratch", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 2
    assert "does not exist" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


# ------------------------------------------------------------------------------------------------------------- operations


class Quiet:
    """A job that nobody watches."""

    def __init__(self) -> None:
        self.told: list[float] = []

    def progress(self, share: float, stage: str) -> None:
        self.told.append(share)

    def log(self, text: str) -> None:
        pass


def test_the_self_test_passes_and_would_fail(monkeypatch):
    job = Quiet()
    result = operations.self_test({"device": "cpu"}, job)
    assert result["passed"]
    assert result["problems"] == []
    assert "landmark error" in result["summary"]
    assert job.told == sorted(job.told)
    # A registration that finds nothing is noticed.
    from deepreg_engine.methods.common.presets import Preset
    from deepreg_engine.methods.dense import presets

    idle = presets.dense_preset("quick").parameters.replaced({"initial": "none", "search_stages": 0, "refinement_iterations": 0})
    monkeypatch.setattr(presets, "dense_preset", lambda name: Preset(name, "", "", idle))
    result = operations.self_test({"device": "cpu"}, Quiet())
    assert not result["passed"]
    assert "landmark error fell only" in result["problems"][0]


def test_models_are_listed_and_adopted(shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPREG_MODELS", str(tmp_path / "models"))
    weights = shared_data / "weights" / "dense_reg_feat_v01.pth"
    adopted = operations.import_model({"file": str(weights), "name": "obelisk 16"}, Quiet())
    assert Path(adopted["path"]).parent == tmp_path / "models"
    listed = operations.models({}, Quiet())
    own = [model for model in listed["models"] if not model["shipped"]]
    assert [model["card"]["name"] for model in own] == ["obelisk 16"]
    assert own[0]["problem"] == ""
    # Whole again under another name; refused under the same; damaged weights are named.
    again = operations.import_model({"file": adopted["path"], "name": "copy"}, Quiet())
    assert again["card"]["sha256"] == adopted["card"]["sha256"]
    with pytest.raises(Exception, match="there is a model 'copy' already"):
        operations.import_model({"file": adopted["path"], "name": "copy"}, Quiet())
    data = bytearray(Path(again["path"]).read_bytes())
    data[-1] ^= 255
    Path(again["path"]).write_bytes(bytes(data))
    problems = {model["card"]["name"]: model["problem"] for model in operations.models({}, Quiet())["models"] if not model["shipped"]}
    assert problems["obelisk 16"] == ""
    assert "checksum" in problems["copy"]
