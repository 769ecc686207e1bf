"""The running training or cross-validation, which has a separate worker, so that registrations can run at the same time."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Generator
from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_slicer.signals import Signal
from deepreg_slicer.timers import makeTimer, releaseTimer
from deepreg_slicer.worker_client import WorkerClient
from deepreg_slicer.worker_task import WorkerTask
from DeepRegTrainerLib.trainings import PAUSE, STOP, TRAIN, Log, Training

# Interval at which the log is read, ms; a plot need not change more often.
_INTERVAL = 700
# Seconds in which a training has to end its step and write its checkpoint when the application closes.
_FAREWELL = 4.0
# The process has a lower priority than the application, so that registrations do not wait for a training.
_NICE = 10
_client: WorkerClient | None = None
_running: list[Run] = []


def trainingClient() -> WorkerClient:
    """Return the client of the worker that trains."""
    global _client
    if _client is None:
        _client = WorkerClient()
        slicer.app.connect("aboutToQuit()", leave)
    return _client


def leave() -> None:
    """Pause the running task and end the worker when the application closes."""
    suspendAll()
    if _client is not None:
        _client.stop()


class Run(WorkerTask):
    """One training while it runs; the result is that of the worker.

    Args:
        training: to start or to resume.
        client: of the worker.

    Signals: besides those of :class:`WorkerTask`, ``figures(lines)`` of the log so far.
    """

    exporting = reading = _("starting")
    queued, needsScene = True, False

    def __init__(self, training: Training, client: WorkerClient | None = None) -> None:
        super().__init__(client or trainingClient())
        self.training, self.operation = training, training.operation
        self.figures = Signal()
        #: The command that was given: "", "pause" or "stop".
        self.command = ""
        self._log = Log(training.log)
        self._known = -1
        self._yielding = False
        self._timer: Any = None

    def makeFolder(self) -> str:
        self.training.withdraw()
        self.training.state = "running"
        self.training.save()
        return str(self.training.folder)

    def export(self) -> Generator[float, None, dict[str, Any]]:
        return self.training.arguments
        yield

    def accept(self, value: dict[str, Any]) -> dict[str, Any]:
        self.training.refresh()
        self.training.state = str(value.get("state") or "finished")
        return value

    def cleanUp(self) -> None:
        """Write the training's state; its folder stays."""
        self._leaveList()
        self.training.withdraw()
        if self.error is not None:
            self.training.state = "paused" if self.error.code == "cancelled" else "failed"
        try:
            self.training.save()
        except OSError:  # the disk is full; the state on it is that of the engine
            logging.exception("DeepReg: the state of the training cannot be written")
        self.look()

    def start(self) -> None:
        _running.append(self)
        self._timer = makeTimer(_INTERVAL, self.look)
        self._timer.start()
        super().start()
        self.look()

    def pause(self) -> None:
        """Stop after the present step, to resume later."""
        self._give(PAUSE)

    def stop(self) -> None:
        """Stop after the present step, with the best model so far."""
        self._give(STOP)

    def _give(self, command: str) -> None:
        if not self.over:
            self.command = command
            self.training.give(command)

    def suspend(self) -> None:
        """Pause now, without the event loop, as the application closes. No signals are sent."""
        self.disconnectAll()
        computing = self._job is not None and not self._job.over and self._client.running
        self.over = True
        self._dropWork()
        self._leaveList()
        if computing and self.operation == TRAIN:
            try:
                self.training.give(PAUSE)
            except OSError:
                logging.exception("DeepReg: the training cannot be paused")
                return
            end = time.monotonic() + _FAREWELL
            while time.monotonic() < end:
                self.training.refresh()
                if self.training.state != "running":
                    break
                time.sleep(0.05)
        # Remove the command, or the resumed training would pause at once.
        self.training.withdraw()
        if self.training.state == "running":
            self.training.state = "paused"
        self.training.save()

    def disconnectAll(self) -> None:
        super().disconnectAll()
        self.figures.clear()

    def _leaveList(self) -> None:
        """Leave the list of running tasks, and look at the log no more."""
        if self._timer is not None:
            releaseTimer(self._timer)
            self._timer = None
        if self in _running:
            _running.remove(self)

    def look(self) -> None:
        """Emit the lines of the log if there are new ones."""
        if self.command and not self.over and not self.training.isCommanded:
            self.training.give(self.command)  # a command that came before the training began is lost
        lines = self._log.read()
        if len(lines) and lines[-1]["step"] != self._known:
            self._known = lines[-1]["step"]
            self.figures.emit(lines)

    def _onProgress(self, fraction: float, stage: str, left: float | None) -> None:
        if not self._yielding:
            self._yielding = True
            _lowerPriority(self._client.pids[-1] if self._client.pids else 0)
        super()._onProgress(fraction, stage, left)


def _lowerPriority(pid: int) -> None:
    """Give a process a lower priority than others."""
    if pid and hasattr(os, "setpriority"):
        try:
            os.setpriority(os.PRIO_PROCESS, pid, _NICE)
        except OSError:
            logging.info("DeepReg: the priority of the training stays as it is")


def suspendAll() -> None:
    """Pause all running tasks."""
    for run in list(_running):
        run.suspend()
