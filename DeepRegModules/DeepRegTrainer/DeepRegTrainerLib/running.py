"""A training, or a cross-validation, while it runs: in a worker of its own, so that registrations go on meanwhile."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import qt
import slicer

from deepreg_slicer.signals import Signal
from deepreg_slicer.worker_client import Job, JobError, WorkerClient
from DeepRegTrainerLib.trainings import PAUSE, STOP, TRAIN, Log, Training

# How often the log is looked into, ms; a plot that changes oftener keeps nobody informed.
_INTERVAL = 700
# So long a training gets to reach the end of its step and to write its checkpoint when the application closes, seconds.
_FAREWELL = 4.0
# Of the process, above that of the application: whoever registers meanwhile does not wait for a training.
_NICE = 10
_client: WorkerClient | None = None
_running: list[Run] = []


def trainingClient() -> WorkerClient:
    """The client of the worker that trains."""
    global _client
    if _client is None:
        _client = WorkerClient()
        slicer.app.connect("aboutToQuit()", leave)
    return _client


def leave() -> None:
    """The application closes: what runs is paused, and goes on when the user wants it to. Then the worker ends."""
    suspendAll()
    if _client is not None:
        _client.stop()


class Run:
    """One training on its way.

    Args:
        training: what to do; it goes on from where it was left.
        client: of the worker.

    Signals: ``progressed(share, stage, secondsLeft)``, ``figures(lines)`` of the log so far, ``logged(text)``, and at the end one of
    ``finished(result)`` and ``failed(JobError)``.
    """

    def __init__(self, training: Training, client: WorkerClient | None = None) -> None:
        self.training = training
        self.progressed, self.figures, self.logged = Signal(), Signal(), Signal()
        self.finished, self.failed = Signal(), Signal()
        self.over = False
        #: What it was asked to do: "", "pause" or "stop".
        self.asked = ""
        self._client = client or trainingClient()
        self._log = Log(training.log)
        self._job: Job | None = None
        self._known = -1
        self._nice = False
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL)
        self._timer.connect("timeout()", self.look)

    def start(self) -> None:
        """Begin, or go on."""
        self.training.unsay()
        self.training.state = "running"
        self.training.save()
        self._job = self._client.submit(self.training.operation, self.training.arguments)
        self._job.progressed.connect(self._onProgress)
        self._job.logged.connect(self.logged.emit)
        self._job.finished.connect(self._onFinished)
        self._job.failed.connect(self._onFailed)
        _running.append(self)
        self._timer.start()
        self.look()

    def pause(self) -> None:
        """Stop after the present step, to go on at another time."""
        self._ask(PAUSE)

    def stop(self) -> None:
        """Stop after the present step, with the best model so far."""
        self._ask(STOP)

    def _ask(self, word: str) -> None:
        if self.over:
            return
        self.asked = word
        self.training.say(word)

    def cancel(self) -> None:
        """Stop at once; what was done since the last checkpoint is done again."""
        if not self.over:
            self._client.cancel(self._job)

    def suspend(self) -> None:
        """Pause now, without the event loop: the application closes. Nobody hears of it."""
        self._end()
        for signal in (self.progressed, self.figures, self.logged, self.finished, self.failed):
            signal.clear()
        if self._job is not None and not self._job.over and self.training.operation == TRAIN and self._client.running:
            try:
                self.training.say(PAUSE)
            except OSError:
                logging.exception("DeepReg: the training cannot be paused")
                return
            end = time.monotonic() + _FAREWELL
            while time.monotonic() < end:
                self.training.refresh()
                if self.training.state != "running":
                    break
                time.sleep(0.05)
        # It shall not be paused again as soon as it goes on.
        self.training.unsay()
        if self.training.state == "running":
            self.training.state = "paused"
        self.training.save()

    def look(self) -> None:
        """Tell what the log says, if that is news."""
        if self.asked and not self.over and not self.training.isTold:
            self.training.say(self.asked)  # a word that came before it began to learn is lost
        lines = self._log.read()
        if len(lines) and lines[-1]["step"] != self._known:
            self._known = lines[-1]["step"]
            self.figures.emit(lines)

    # ------------------------------------------------------------------- events

    def _onProgress(self, share: float, stage: str, left: float | None) -> None:
        if not self._nice:
            self._nice = True
            _yieldTo(self._client.pids[-1] if self._client.pids else 0)
        self.progressed.emit(share, stage, left)

    def _onFinished(self, result: dict[str, Any]) -> None:
        self._end()
        self.training.refresh()
        self.training.state = str(result.get("state") or "finished")
        self.training.unsay()
        self.training.save()
        self.look()
        self.finished.emit(result)

    def _onFailed(self, error: JobError) -> None:
        self._end()
        self.training.unsay()
        self.training.state = "paused" if error.code == "cancelled" else "failed"
        self.training.save()
        self.look()
        self.failed.emit(error)

    def _end(self) -> None:
        self.over = True
        self._timer.stop()
        if self in _running:
            _running.remove(self)


def _yieldTo(pid: int) -> None:
    """Let a process wait for others that want to compute."""
    if pid and hasattr(os, "setpriority"):
        try:
            os.setpriority(os.PRIO_PROCESS, pid, _NICE)
        except OSError:
            logging.info("DeepReg: the priority of the training stays as it is")


def suspendAll() -> None:
    """Pause whatever runs."""
    for run in list(_running):
        run.suspend()
