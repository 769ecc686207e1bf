"""The worker: a process that computes for another program and communicates with it in lines of JSON.

Each line is one object. Requests on stdin::

    {"id": "7", "op": "register", "arguments": {"method": "dense", ...}}
    {"id": "8", "op": "cancel", "arguments": {"job": "7"}}
    {"id": "9", "op": "finish", "arguments": {"job": "7"}}

Events on stdout, each with the id of its request, or null::

    {"id": null, "kind": "ready", "protocol": 1, "engine": "0.1.0", "pid": 4711}
    {"id": "7", "kind": "started"}
    {"id": "7", "kind": "progress", "fraction": 0.4, "stage": "step 2 of 5: coarse search", "eta": 3.2}
    {"id": "7", "kind": "preview", "stage": "step 2 of 5: coarse search", "transform": "..."}
    {"id": "7", "kind": "log", "text": "..."}
    {"id": "7", "kind": "result", "result": {...}}
    {"id": "7", "kind": "error", "code": "input", "message": "...", "advice": "...", "option": "fixed_mask", "changes": {}}

Every request ends with one result or one error. One job runs at a time; ``cancel``, ``finish`` and ``ping`` are answered meanwhile. While a
job runs, progress is sent at least twice a second, so that the other program can detect a worker that hangs. Arrays are passed as files, in
folders of the other program. stderr is a log. When stdin ends, the other program has ended: the worker removes its scratch folder and ends,
even in the middle of a job.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import queue
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO, NoReturn

from deepreg_engine import __version__
from deepreg_engine.errors import Cancelled, EngineError, ParameterError, explain
from deepreg_engine.jobs.job import Job
from deepreg_engine.jobs.operations import CAN_FINISH, OPERATIONS

PROTOCOL = 1
# Longest request in bytes; a longer line is not kept in memory.
_LONGEST_LINE = 4_000_000
# Requests that are answered while a job runs.
_ANSWERED = ("cancel", "finish", "ping", "shutdown")
_REPORT = "the log has details; please report it"


class RequestError(EngineError):
    """A line that is not a valid request."""

    code = "request"


def _release_gpu() -> None:
    """Release the GPU memory that torch keeps for the next job: the other program may need it for volume rendering."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


class Worker:
    """Reads requests, carries them out one at a time, and sends events.

    Args:
        requests: stream of requests.
        events: stream of events.
        scratch: folder of the other program, removed if that program ends unexpectedly; None if there is no such folder.
        mark: file that the other program has made. The worker removes it when it ends by itself. If it is left, the worker was ended from
            outside, which a launcher between the two programs does not report. The other program removes the file if the worker shall keep
            the folder. None if there is no such file.
        operations: name to function of arguments and :class:`Job`.
    """

    def __init__(
        self,
        requests: BinaryIO,
        events: BinaryIO,
        scratch: str | None = None,
        mark: str | None = None,
        operations: dict[str, Callable[[dict, Job], dict]] | None = None,
    ) -> None:
        self._requests, self._events, self._scratch, self._mark = requests, events, scratch, mark
        self._operations = OPERATIONS if operations is None else operations
        self._waiting: queue.SimpleQueue[tuple[Job, str, dict] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._job: Job | None = None

    def run(self) -> None:
        """Serve until the requests end or ``shutdown`` comes."""
        self.send({"id": None, "kind": "ready", "protocol": PROTOCOL, "engine": __version__, "pid": os.getpid()})
        threading.Thread(target=self._read, daemon=True, name="requests").start()
        while True:
            waiting = self._waiting.get()
            if waiting is None:
                return
            self._carry_out(*waiting)

    def send(self, event: dict) -> None:
        """Send one event."""
        line = json.dumps(event, allow_nan=False).encode() + b"\n"
        with self._lock:
            try:
                self._events.write(line)
                self._events.flush()
            except (OSError, ValueError):  # the other program is gone; the end of the requests shows it too
                pass

    # ---------------------------------------------------------------- requests

    def _read(self) -> None:
        while True:
            line = self._requests.readline(_LONGEST_LINE)
            if not line:
                self._abandoned()
                return
            if len(line) == _LONGEST_LINE:
                while line and not line.endswith(b"\n"):
                    line = self._requests.readline(_LONGEST_LINE)
                self._refuse(None, RequestError("a request is too long", "pass large data as files"))
                continue
            if not line.strip():
                continue
            if not self._take(line):
                return

    def _take(self, line: bytes) -> bool:
        """Accept one request; returns False after the last."""
        number = None
        try:
            request = _parsed(line)
            number, name, arguments = request["id"], request["op"], request["arguments"]
            if name == "ping":
                self.send({"id": number, "kind": "result", "result": {"busy": self._job is not None}})
            elif name == "cancel":
                self.send({"id": number, "kind": "result", "result": {"cancelled": self._cancel(arguments.get("job"))}})
            elif name == "finish":
                job = self._running(arguments.get("job"))
                self.send({"id": number, "kind": "result", "result": {"finishing": job is not None and job.finish()}})
            elif name == "shutdown":
                self.send({"id": number, "kind": "result", "result": {}})
                if self._job is not None:
                    self._leave()
                self._waiting.put(None)
                return False
            elif name not in self._operations:
                raise RequestError(f"there is no operation {name!r}", _nearest(name, (*self._operations, *_ANSWERED)))
            elif self._job is not None:
                raise RequestError("another job is running", "wait for its end, or cancel it")
            else:
                self._job = Job(number, self.send, name in CAN_FINISH)
                self._waiting.put((self._job, name, arguments))
        except RequestError as error:
            self._refuse(number, error)
        return True

    def _running(self, number: Any) -> Job | None:
        """Return the running job if it has this id, or any for None."""
        job = self._job
        return job if number is None or (job is not None and job.id == number) else None

    def _cancel(self, number: Any) -> bool:
        job = self._running(number)
        if job is not None:
            job.cancel()
        return job is not None

    def _refuse(self, number: Any, error: EngineError) -> None:
        self.send({"id": number, **_ending(error)})

    def _carry_out(self, job: Job, name: str, arguments: dict) -> None:
        self.send({"id": job.id, "kind": "started"})
        try:
            result = job.run(self._operations[name], arguments)
            from deepreg_engine.metrics.report import plain

            ending = {"id": job.id, "kind": "result", "result": plain(result)}
        except BaseException as error:  # noqa: BLE001 - whatever it is, the next request is served
            explained = explain(error, _REPORT)
            if not isinstance(error, Cancelled):
                traceback.print_exc()
            ending = {"id": job.id, **_ending(explained)}
        self._job = None  # before the event is sent, because the next request may follow at once
        self.send(ending)
        _release_gpu()

    # --------------------------------------------------------------------- end

    def _abandoned(self) -> None:
        """Clean up when the other program has ended."""
        if self._job is not None:
            self._leave()
        self._remove_scratch()
        self._waiting.put(None)

    def _remove_scratch(self) -> None:
        if self._scratch and (self._mark is None or os.path.exists(self._mark)):
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _leave(self) -> NoReturn:
        """End the process in the middle of a job, with all processes that it has started."""
        self._remove_scratch()
        if hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(1)


def _ending(error: EngineError) -> dict:
    """Return the fields of an error's event."""
    fields = {name: getattr(error, name) for name in ("code", "message", "advice", "option", "changes")}
    return {"kind": "error", **fields}


def _parsed(line: bytes) -> dict:
    try:
        request = json.loads(line)
        json.dumps(request, allow_nan=False)  # NaN is no JSON, and an event could not repeat it
    except (ValueError, RecursionError) as error:
        raise RequestError("a line is not JSON", 'send one object a line: {"id": ..., "op": ..., "arguments": {...}}') from error
    if not isinstance(request, dict) or "id" not in request or not isinstance(request.get("op"), str):
        raise RequestError("a request needs an id and an op", 'send {"id": ..., "op": ..., "arguments": {...}}')
    arguments = request.get("arguments", {})
    if not isinstance(arguments, dict):
        raise RequestError("the arguments of a request are not an object", 'send {"id": ..., "op": ..., "arguments": {...}}')
    return {"id": request["id"], "op": request["op"], "arguments": arguments}


def _nearest(name: str, names: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"


def serve(scratch: str | None = None, mark: str | None = None) -> int:
    """Serve the program that started this process until it ends; returns the exit code. For the arguments see :class:`Worker`.

    Raises:
        ParameterError: if the scratch folder does not exist.
    """
    # See deepreg_engine.cli.main.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    if scratch is not None and not os.path.isdir(scratch):
        raise ParameterError(f"the scratch folder {scratch} does not exist", "make it first", "scratch")
    if hasattr(os, "setpgid"):  # so that the whole tree can be ended at once
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
    # stdout is reserved for events and stdin for requests: what libraries print goes to the log.
    events = os.fdopen(os.dup(1), "wb")
    requests = os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    sys.stdout = sys.stderr
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN if name == "SIGINT" else signal.SIG_DFL)
    try:
        Worker(requests, events, scratch, mark).run()
    finally:
        if mark is not None:
            with contextlib.suppress(OSError):
                os.unlink(mark)
    return 0
