"""The client of the worker: one warm process, and a clear end of each job whatever happens to the process."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest


class FakeProcess:
    """A replacement of WorkerProcess that the test controls."""

    made: list[FakeProcess] = []
    refuse = ""

    def __init__(self) -> None:
        from deepreg_slicer.signals import Signal

        self.output, self.errorOutput, self.finished, self.failedToStart = Signal(), Signal(), Signal(), Signal()
        self.written: list[dict] = []
        self.running = False
        self.made.append(self)

    def start(self, scratch: str, mark: str) -> None:
        self.scratch, self.mark = scratch, os.path.join(scratch, mark)
        if self.refuse:
            self.failedToStart.emit(self.refuse)
            return
        self.running = True

    def write(self, data: bytes) -> None:
        assert data.endswith(b"\n")
        assert data.count(b"\n") == 1
        self.written.append(json.loads(data))

    def isRunning(self) -> bool:
        return self.running

    def pid(self) -> int:
        return 0

    def closeInput(self) -> None:
        self.running = False

    def wait(self, seconds: float) -> bool:
        return True

    def forget(self) -> None:
        for signal_ in (self.output, self.errorOutput, self.finished, self.failedToStart):
            signal_.clear()

    def says(self, *events: dict | bytes) -> None:
        for event in events:
            self.output.emit(event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n")

    def ready(self) -> None:
        self.says({"id": None, "kind": "ready", "protocol": 1, "engine": "0", "pid": 0})

    def dies(self, code: int, crashed: bool, marked: bool = False) -> None:
        self.running = False
        if not marked:
            os.unlink(self.mark)
        self.finished.emit(code, crashed)


class Ending:
    """The signals of a job: results, errors, progress and log."""

    def __init__(self, job) -> None:
        self.results, self.errors, self.progress, self.log = [], [], [], []
        job.finished.connect(self.results.append)
        job.failed.connect(self.errors.append)
        job.progressed.connect(lambda *what: self.progress.append(what))
        job.logged.connect(self.log.append)

    @property
    def over(self) -> bool:
        return bool(self.results or self.errors)


@pytest.fixture(name="fake")
def fake_fixture(app):
    """A client with a process that the test controls."""
    from deepreg_slicer.worker_client import WorkerClient

    FakeProcess.made, FakeProcess.refuse = [], ""
    client = WorkerClient(FakeProcess, silence=0.5, startup=0.8, grace=0.2)
    yield client
    client.stop()


@pytest.fixture
def clock(monkeypatch):
    """The client's clock, which only the test moves: ``now`` in seconds."""
    from deepreg_slicer import worker_client

    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(worker_client, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def begun(app, client):
    """A job that the worker has begun."""
    job = client.submit("dense", {"a": 1})
    ending = Ending(job)
    app.wait_for(lambda: FakeProcess.made)
    process = FakeProcess.made[-1]
    process.ready()
    process.says({"id": job.id, "kind": "started"})
    return job, ending, process


def test_a_job_from_submit_to_result(app, fake):
    busy = []
    fake.busyChanged.connect(busy.append)
    job, ending, process = begun(app, fake)
    assert process.written == [{"id": job.id, "op": "dense", "arguments": {"a": 1}}]
    assert os.path.isdir(process.scratch)
    assert fake.busy
    process.says(
        {"id": job.id, "kind": "progress", "fraction": 0.5, "stage": "search", "eta": 2.5}, {"id": job.id, "kind": "log", "text": "hm"}
    )
    # Lines arrive in any pieces.
    line = json.dumps({"id": job.id, "kind": "result", "result": {"x": "\u00e9"}}).encode() + b"\n"
    process.says(line[:7], line[7:30], line[30:])
    assert ending.results == [{"x": "\u00e9"}]
    assert ending.errors == []
    assert ending.progress == [(0.5, "search", 2.5)]
    assert ending.log == ["hm"]
    assert not fake.busy
    assert busy == [True, False]
    assert process.written[-1]["op"] == "dense"
    # Jobs wait for each other; one that waits can be taken back.
    first, second, third = (fake.submit(name, {}) for name in ("info", "phantom", "info"))
    endings = [Ending(each) for each in (first, second, third)]
    assert process.written[-1]["op"] == "info"
    assert fake.computing
    fake.cancel(second)
    assert endings[1].errors[0].code == "cancelled"
    assert not fake.computing
    process.says({"id": first.id, "kind": "result", "result": {"n": 1}})
    app.wait_for(lambda: process.written[-1]["id"] == third.id)
    process.says({"id": third.id, "kind": "result", "result": {"n": 3}})
    assert [ending.results for ending in endings] == [[{"n": 1}], [], [{"n": 3}]]
    # The next job goes to the same process at once.
    again = fake.submit("info", {})
    assert process.written[-1]["op"] == "info"
    assert len(FakeProcess.made) == 1
    process.says({"id": job.id, "kind": "result", "result": {}})  # a late event of the first job
    assert fake.busy
    process.says({"id": again.id, "kind": "result", "result": {}})
    assert not fake.busy


def test_an_error_of_the_engine_arrives_with_its_fields(app, fake):
    job, ending, process = begun(app, fake)
    fields = {"message": "this needs 30 GB", "advice": "a coarser spacing would fit", "option": "a", "changes": {"a": 1}}
    process.says({"id": job.id, "kind": "error", "code": "memory", **fields})
    error = ending.errors[0]
    assert (error.code, error.option, error.changes) == ("memory", "a", {"a": 1})
    assert error.text == "This needs 30 GB. A coarser spacing would fit."
    assert fake.running  # not an error of the worker


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("crash", "crash", "crashed (11)"),
        ("kill", "killed", "ran out of memory"),
        ("exit", "crash", "crashed (1)"),
        ("kill behind a launcher", "killed", "ran out of memory"),
        ("nonsense", "protocol", "not its protocol"),
        ("endless", "protocol", "not its protocol"),
        ("silence", "hang", "has not answered"),
    ],
)
def test_whatever_becomes_of_the_process_the_job_ends_and_the_next_one_runs(app, fake, what, code, words, monkeypatch):
    from deepreg_slicer import worker_client

    monkeypatch.setattr(worker_client, "_LONGEST_LINE", 1000)
    job, ending, process = begun(app, fake)
    if "launcher" in what:
        process.errorOutput.emit(b"error: [python] exit abnormally - Report the problem.\n")
        process.dies(1, False, marked=True)
    elif what in ("crash", "kill", "exit"):
        process.errorOutput.emit(b"Segmentation fault\n")
        process.dies({"crash": 11, "kill": 9, "exit": 1}[what], what != "exit")
    elif what == "nonsense":
        process.says(b"Welcome to Python\n")
    elif what == "endless":
        process.says(b"x" * 2000)
    app.wait_for(lambda: ending.over, 3)
    error = ending.errors[0]
    assert error.code == code
    assert words in error.text
    assert error.advice
    assert not fake.busy
    assert not process.running
    if what == "crash":
        assert "Segmentation fault" in ending.log
    _, ending, second = begun(app, fake)
    assert second is not process
    second.says({"id": fake._job.id, "kind": "result", "result": {"ok": 1}})
    assert ending.results == [{"ok": 1}]


def test_a_slow_job_that_reports_progress_continues(app, clock, fake):
    job, ending, process = begun(app, fake)
    for _ in range(5):
        process.says({"id": job.id, "kind": "progress", "fraction": 0.1, "stage": "long"})
        clock.now += 0.9 * fake.silence
        fake._onWatch()
    assert not ending.over
    clock.now += 0.2 * fake.silence
    fake._onWatch()
    assert ending.errors[0].code == "hang"


def test_a_worker_that_does_not_come_up(app, fake):
    job = fake.submit("info", {})
    ending = Ending(job)
    app.wait_for(lambda: ending.over, 3)
    assert ending.errors[0].code == "hang"
    assert not fake.running


def test_a_worker_that_cannot_be_started(app, fake):
    FakeProcess.refuse = "no such program"
    ending = Ending(fake.submit("info", {}))
    app.wait_for(lambda: ending.over)
    assert ending.errors[0].code == "start"
    assert "no such program" in ending.errors[0].text
    # A process that ends before it is ready reports the reason.
    FakeProcess.refuse = ""
    ending = Ending(fake.submit("info", {}))
    app.wait_for(lambda: len(FakeProcess.made) == 2)
    FakeProcess.made[-1].errorOutput.emit(b"ImportError: no deepreg_engine\n")
    FakeProcess.made[-1].dies(1, False)
    assert ending.errors[0].code == "start"
    assert "no deepreg_engine" in ending.errors[0].text


def test_a_launcher_may_print_before_the_worker_is_there(app, fake):
    job = fake.submit("info", {})
    ending = Ending(job)
    app.wait_for(lambda: FakeProcess.made)
    FakeProcess.made[-1].says(b"Welcome\n")
    FakeProcess.made[-1].ready()
    FakeProcess.made[-1].says({"id": job.id, "kind": "result", "result": {}})
    assert ending.results == [{}]


@pytest.mark.parametrize("when", ["before the start", "before it is ready", "answered", "result comes first", "ignored"])
def test_cancel(app, clock, fake, when):
    if when.startswith("before"):
        job = fake.submit("dense", {})
        ending = Ending(job)
        if when == "before it is ready":
            app.wait_for(lambda: FakeProcess.made)
        fake.cancel()
        assert ending.errors[0].code == "cancelled"
        app.process_events(0.05)
        assert all(not process.written for process in FakeProcess.made)  # a cancelled job is not started
        return
    job, ending, process = begun(app, fake)
    fake.cancel()
    fake.cancel()
    assert [request["op"] for request in process.written] == ["dense", "cancel"]
    assert process.written[1]["arguments"] == {"job": job.id}
    if when == "answered":
        process.says({"id": job.id, "kind": "error", "code": "cancelled", "message": "stopped by the user"})
    elif when == "result comes first":
        process.says({"id": job.id, "kind": "result", "result": {}})
    else:
        clock.now += 0.9 * fake.grace
        fake._onWatch()
        assert not ending.over
        clock.now += 0.2 * fake.grace
        fake._onWatch()
    assert ending.errors[0].code == "cancelled"
    assert ending.results == []
    assert process.running == (when != "ignored")


def test_without_users_it_stops(app, fake):
    first, second = object(), object()
    fake.acquire(first)
    fake.acquire(second)
    begun(app, fake)
    fake.release(first)
    assert fake.running
    scratch = fake.scratch()
    fake.release(second)
    assert not fake.running
    assert not os.path.exists(scratch)


def test_folders_of_dead_processes_are_swept(app, fake):
    import slicer

    parent = slicer.app.temporaryPath
    dead = os.path.join(parent, "deepreg-999999999-abc")
    alive = os.path.join(parent, f"deepreg-{os.getppid()}-abc")
    for folder in (dead, alive):
        os.makedirs(folder, exist_ok=True)
    fake.scratch()
    assert not os.path.exists(dead)
    assert os.path.exists(alive)
    os.rmdir(alive)
