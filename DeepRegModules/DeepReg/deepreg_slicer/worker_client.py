"""The client of the worker: one process for all DeepReg modules, started when it is first needed and kept running.

The window never waits for it. Whatever happens to the worker (it crashes, is killed, hangs, runs out of memory, sends invalid output),
its job ends with a message and advice, and the next job starts a new process.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.errors import JobError, cancelled
from deepreg_slicer.process_numbers import endTree
from deepreg_slicer.processes import WorkerProcess, makeScratch
from deepreg_slicer.signals import Signal
from deepreg_slicer.torch_state import forgetDamage, withAdvice
from deepreg_slicer.worker_end import endError, kindOfEnd, showsCrash
from deepreg_slicer.worker_job import Job

#: Seconds without a message after which a worker is ended: during a job; and during its start or its first import of PyTorch, which may
#: block it for long.
SILENCE, STARTUP = 30.0, 120.0
#: Time that a cancelled job has to stop by itself before its process is ended, in seconds.
GRACE = 0.6
# Longest line of the protocol; a longer one comes from something else.
_LONGEST_LINE = 50_000_000
_TAIL_LINES = 40
# Operations that import all packages; then those that take a second or two: other jobs wait for their end, without a message.
_IMPORTING = ("info", "warm", "register", "self-test", "train")
_SHORT = ("info", "models", "warm", "import-model", "explain-open", "explain")


class WorkerClient:
    """Starts the worker, submits one job after the other, and monitors it.

    Args:
        makeProcess: makes a :class:`WorkerProcess` or an equivalent object.
        silence, startup, grace: see :data:`SILENCE`, :data:`STARTUP`, :data:`GRACE`.
    """

    def __init__(
        self, makeProcess: Callable[[], Any] = WorkerProcess, silence: float = SILENCE, startup: float = STARTUP, grace: float = GRACE
    ) -> None:
        self.logged = Signal()
        self.busyChanged = Signal()
        self.silence, self.startup, self.grace = silence, startup, grace
        self._makeProcess = makeProcess
        self._process: Any = None
        self._workerPid = 0
        self._ready = self._loading = self._crashed = False
        self._buffer = bytearray()
        self._errorTail: list[str] = []
        self._numbers = itertools.count(1)
        self._job: Job | None = None
        self._request: bytes | None = None
        self._waiting: collections.deque[tuple[Job, bytes]] = collections.deque()
        self._heard = self._cancelledAt = 0.0
        self._scratch: str | None = None
        # File that the worker removes when it ends by itself.
        self._mark = ""
        self._users: set[int] = set()
        self._watch = qt.QTimer()
        self._watch.setInterval(100)
        self._watch.connect("timeout()", self._onWatch)

    # ------------------------------------------------------------------- users

    def acquire(self, user: object) -> None:
        """Register a user of the worker, which runs as long as it has users."""
        self._users.add(id(user))

    def release(self, user: object) -> None:
        """Remove a user; without users the worker is stopped."""
        self._users.discard(id(user))
        if not self._users:
            self.stop()

    # ------------------------------------------------------------------- state

    @property
    def busy(self) -> bool:
        """Whether it has a job of any duration."""
        return self._job is not None

    @property
    def computing(self) -> bool:
        """Whether it has a job that takes long."""
        jobs = [self._job, *(job for job, _request in self._waiting)]
        return any(job is not None and job.operation not in _SHORT for job in jobs)

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    @property
    def pids(self) -> tuple[int, ...]:
        """Numbers of its processes: launcher and worker, which may be the same."""
        pids = (self._process.pid() if self._process is not None else 0, self._workerPid)
        return tuple(sorted({pid for pid in pids if pid}))

    def scratch(self) -> str:
        """Return the folder for exchanged files; it is removed with the worker."""
        if self._scratch is None or not os.path.isdir(self._scratch):
            self._scratch = makeScratch(slicer.app.temporaryPath)
        return self._scratch

    # -------------------------------------------------------------------- jobs

    def submit(self, operation: str, arguments: dict[str, Any]) -> Job:
        """Give the worker a job, to be done after those that it has. Its signals come later, never from within this call."""
        job = Job(str(next(self._numbers)), operation)
        request = {"id": job.id, "op": operation, "arguments": arguments}
        self._waiting.append((job, json.dumps(request, allow_nan=False).encode("utf-8") + b"\n"))
        if self._job is None:
            self._next()
        return job

    def _next(self) -> None:
        """Begin the job that has waited longest."""
        if not self._waiting or self._job is not None:
            return
        self._job, self._request = self._waiting.popleft()
        self._heard = time.monotonic()
        self._watch.start()
        if self._process is None:
            # When the event loop runs next, so that the caller has connected to the job even if it fails at once.
            qt.QTimer.singleShot(0, self._startProcess)
        elif self._ready:
            self._send()
        self.busyChanged.emit(True)

    def cancel(self, job: Job | None = None) -> None:
        """Stop a job, by default the present one: by a request, and if it does not stop soon, by ending the process."""
        waiting = next((pair for pair in self._waiting if pair[0] is job), None) if job is not None else None
        if waiting is not None:
            self._waiting.remove(waiting)
            job.end(job.failed, cancelled())
            return
        if job is not None and job is not self._job:
            return
        job = self._job
        if job is None or job.cancelling:
            return
        job.cancelling = True
        self._cancelledAt = time.monotonic()
        if self._request is not None or not self._ready:  # the job is still waiting
            self._fail(cancelled())
            return
        request = {"id": f"cancel-{job.id}", "op": "cancel", "arguments": {"job": job.id}}
        self._process.write(json.dumps(request).encode("utf-8") + b"\n")

    def finish(self, job: Job) -> None:
        """Let a running job end early with its result so far; jobs that cannot go on."""
        if job is self._job and self._request is None and self._ready and not job.cancelling:
            request = {"id": f"finish-{job.id}", "op": "finish", "arguments": {"job": job.id}}
            self._process.write(json.dumps(request).encode("utf-8") + b"\n")

    def stop(self) -> None:
        """End the worker at once and remove its files; its jobs are cancelled."""
        for job, _request in list(self._waiting):
            self.cancel(job)
        if self._job is not None:
            self._fail(cancelled())
        process, pids = self._process, self.pids
        self._drop()
        if process is not None:
            process.forget()
            process.closeInput()  # an idle worker ends when its input is closed
            if not process.wait(0.5):
                endTree(*pids)
                process.wait(2.0)
        self._removeScratch()

    # ----------------------------------------------------------------- process

    def _startProcess(self) -> None:
        if self._process is not None or self._job is None:
            return
        self._process = process = self._makeProcess()
        self._ready, self._loading, self._crashed, self._workerPid = False, False, False, 0
        self._buffer.clear()
        self._errorTail.clear()
        process.output.connect(self._onOutput)
        process.errorOutput.connect(self._onErrorOutput)
        process.finished.connect(self._onFinished)
        process.failedToStart.connect(self._onFailedToStart)
        try:
            self._mark = os.path.join(self.scratch(), f"running-{next(self._numbers)}")
            open(self._mark, "wb").close()
            process.start(self.scratch(), os.path.basename(self._mark))
        except OSError as error:
            self._onFailedToStart(str(error))

    def _send(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            self._heard = time.monotonic()
            self._process.write(request)

    def _drop(self) -> None:
        self._process, self._ready, self._workerPid = None, False, 0
        self._buffer.clear()

    def _end(self) -> None:
        """End the process at once."""
        process, pids = self._process, self.pids
        self._drop()
        if process is not None:
            process.forget()
            self._removeMark()  # or a worker that finds its input closed would remove the folder into which other panels may write now
            process.closeInput()
            endTree(*pids)
            _dying.append(process)  # keeps the object until the process has ended
            _dying[:] = [other for other in _dying if other.isRunning()]

    def _removeMark(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._mark)

    def _removeScratch(self) -> None:
        scratch, self._scratch = self._scratch, None
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)

    # ------------------------------------------------------------------ events

    def _onOutput(self, data: bytes) -> None:
        self._buffer += data
        while True:
            end = self._buffer.find(b"\n")
            if end < 0:
                break
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            if line.strip():
                self._onLine(line)
        if len(self._buffer) > _LONGEST_LINE:
            self._onInvalid(bytes(self._buffer[:80]))

    def _onLine(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kind = event["kind"]
        except (ValueError, TypeError, KeyError):
            self._onInvalid(line)
            return
        self._heard = time.monotonic()
        if kind == "ready":
            self._workerPid, self._ready = int(event.get("pid") or 0), True
            self._send()
            return
        job = self._job
        if job is None or event.get("id") != job.id:
            return  # an answer to a cancel request, or from a job that the client has given up
        if kind == "progress":
            self._loading = bool(event.get("loading"))
            job.progressed.emit(float(event.get("fraction") or 0.0), engineText(str(event.get("stage") or "")), event.get("eta"))
        elif kind == "preview":
            job.previewed.emit(str(event.get("transform") or ""))
        elif kind == "log":
            job.logged.emit(engineText(str(event.get("text") or "")))
        elif kind in ("result", "error"):
            self._onEnd(job, event)

    def _onEnd(self, job: Job, event: dict[str, Any]) -> None:
        """Take the result or the error with which the running job has ended."""
        if job.cancelling:
            self._fail(cancelled())
        elif event["kind"] == "error":
            self._fail(withAdvice(_errorIn(event)))
        else:
            if job.operation in _IMPORTING:
                forgetDamage()
            self._over(job)
            job.end(job.finished, event.get("result") or {})

    def _onInvalid(self, line: bytes) -> None:
        text = line[:80].decode("utf-8", "replace")
        self._log(_("unexpected output: {text}").format(text=text))
        if not self._ready:  # output of a launcher before the worker starts
            return
        self._end()
        self._fail(
            JobError(
                "protocol",
                _('the computing process sent something that is not its protocol ("{text}")').format(text=text),
                _("apply again; if it happens again, run the self-test of the module DeepReg"),
            )
        )

    def _onErrorOutput(self, data: bytes) -> None:
        for line in data.decode("utf-8", "replace").splitlines():
            if line.strip():
                self._errorTail.append(line)
                self._crashed = self._crashed or showsCrash(line)
                self._log(line)
        del self._errorTail[:-_TAIL_LINES]

    def _onFailedToStart(self, text: str) -> None:
        self._drop()
        self._fail(
            JobError(
                "start",
                _("the computing process could not be started: {reason}").format(reason=text),
                _("reinstall the application, or see the log"),
            )
        )

    def _onFinished(self, exitCode: int, crashed: bool) -> None:
        ready, marked = self._ready, os.path.exists(self._mark)
        self._removeMark()
        self._drop()
        if self._job is None:
            self._log(_("the computing process has ended ({code})").format(code=exitCode))
            return
        kind = kindOfEnd(exitCode, crashed, ready, marked, self._crashed)
        self._fail(endError(kind, exitCode, self._errorTail))

    def _onWatch(self) -> None:
        job, now = self._job, time.monotonic()
        if job is None:
            self._watch.stop()
            return
        if job.cancelling:
            if now - self._cancelledAt > self.grace:
                self._end()
                self._fail(cancelled())
        elif now - self._heard > (self.silence if self._ready and not self._loading else self.startup):
            self._end()
            message = _("the computing process has not answered for {seconds:.0f} s and was ended").format(seconds=now - self._heard)
            self._fail(JobError("hang", message, _("apply again; if it happens again, run the self-test of the module DeepReg")))

    def _fail(self, error: JobError) -> None:
        job = self._job
        if job is not None:
            self._over(job)
            job.end(job.failed, error)

    def _over(self, job: Job) -> None:
        self._job = self._request = None
        job.over = True
        self._watch.stop()
        if self._waiting:
            # When the event loop runs next, so that the end of this job is reported first.
            qt.QTimer.singleShot(0, self._next)
        self.busyChanged.emit(False)

    def _log(self, text: str) -> None:
        logging.info("DeepReg worker: %s", text)
        self.logged.emit(text)
        if self._job is not None:
            self._job.logged.emit(text)


# Processes that have been asked to end and still run.
_dying: list[Any] = []
_client: WorkerClient | None = None


def _errorIn(event: dict[str, Any]) -> JobError:
    """Return the error that an event of the worker reports, in the user's language."""
    return JobError(
        str(event.get("code") or "error"),
        engineText(str(event.get("message") or "")),
        engineText(str(event.get("advice") or "")),
        event.get("changes") or {},
        str(event.get("option") or ""),
    )


def workerClient() -> WorkerClient:
    """Return the one client of this application."""
    global _client
    if _client is None:
        _client = WorkerClient()
        slicer.app.connect("aboutToQuit()", _client.stop)
    return _client
