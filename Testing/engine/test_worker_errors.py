"""The worker survives wrong requests, output of libraries and exceptions of operations."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
from command_line import ENVIRONMENT

from deepreg_engine.errors import Cancelled, NotEnoughMemoryError, explain
from deepreg_engine.worker import Worker


@pytest.mark.parametrize(
    ("line", "number", "words"),
    [
        (b"nonsense\n", None, "not JSON"),
        (b'{"id": NaN, "op": "ping"}\n', None, "not JSON"),
        (b'{"id": 1e999, "op": "nothing"}\n', None, "not JSON"),
        (b"[" * 200_000 + b"\n", None, "not JSON"),
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


def test_output_of_libraries_is_no_event():
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
    """An input with all requests at once, which ends when ``over`` is set."""

    def __init__(self, *lines: bytes) -> None:
        self._lines, self.over = list(lines), threading.Event()

    def readline(self, _limit: int = -1) -> bytes:
        if self._lines:
            return self._lines.pop(0)
        self.over.wait(30)
        return b""


class Events:
    """An output that keeps the events and ends the input after a number of results."""

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
def test_any_exception_of_an_operation_is_reported(raised, code, words, capsys):
    def broken(arguments, job):
        raise raised

    stream = Stream(b'{"id": 1, "op": "broken"}\n')
    events = Events(stream, 1)
    Worker(stream, events, operations={"broken": broken}).run()
    assert events.all[-1]["code"] == code
    assert words in events.all[-1]["message"]


def test_a_run_without_enough_memory_names_changes_that_would_fit(capsys):
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
