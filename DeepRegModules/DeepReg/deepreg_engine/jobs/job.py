"""One run of an operation in the worker: its progress, its log, and how it is cancelled."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from deepreg_engine.errors import Cancelled
from deepreg_engine.jobs.time_left import TimeLeft
from deepreg_engine.progress import RunControl

# Largest interval of events, seconds: the other program ends a job that is silent for long.
_HEARTBEAT = 0.4
# Seconds: more events than this would only keep the other program busy.
_LEAST_INTERVAL = 0.05


def torch_is_loaded() -> bool:
    """Return whether torch has been imported completely in this process: the first import may take a minute, without a sign of life."""
    torch = sys.modules.get("torch")
    return torch is not None and not getattr(torch.__spec__, "_initializing", False)


class Job:
    """A running operation: it sends progress and log events, and stops the operation when it is cancelled.

    Args:
        number: id of the request.
        send: sends an event.
        can_finish: whether the operation can end early with its result so far.
    """

    def __init__(self, number: Any, send: Callable[[dict], None], can_finish: bool = False) -> None:
        self.id = number
        #: For the operation, if it can end early.
        self.control = RunControl()
        self._can_finish = can_finish
        self._send = send
        self._cancelled = threading.Event()
        self._over = threading.Event()
        self._time = TimeLeft()
        self._share, self._stage, self._sent = 0.0, "starting" if torch_is_loaded() else "loading PyTorch", 0.0
        self._lock = threading.Lock()

    def progress(self, share: float, stage: str) -> None:
        """Report the share done, 0 to 1, and the stage.

        Raises:
            Cancelled: if the job was cancelled.
        """
        if self._cancelled.is_set():
            raise Cancelled
        with self._lock:
            changed = stage != self._stage
            self._share, self._stage = max(self._share, float(share)), stage
            self._time.update(self._share)
            due = changed or time.monotonic() - self._sent >= _LEAST_INTERVAL
        if due:
            self._send_progress()

    def log(self, text: str) -> None:
        """Send a text for the user."""
        self._send({"id": self.id, "kind": "log", "text": str(text)})

    def show(self, path: str, stage: str) -> None:
        """Send the file of a displacement field that a stage has reached."""
        self._send({"id": self.id, "kind": "preview", "stage": stage, "transform": path})

    def finish(self) -> bool:
        """Let the operation end early with its result so far; returns whether it can."""
        if self._can_finish:
            self.control.finish()
        return self._can_finish

    def cancel(self) -> None:
        """Stop at the next report of progress."""
        self._cancelled.set()

    def run(self, operation: Callable[[dict, Job], dict], arguments: dict) -> dict:
        """Carry out an operation, with a heartbeat; returns its result.

        Raises:
            Cancelled: if the job was cancelled.
        """
        if not torch_is_loaded():  # before the import, in which no thread may get to send anything
            self._send_progress()
        beat = threading.Thread(target=self._beat, daemon=True, name="heartbeat")
        beat.start()
        try:
            result = operation(arguments, self)
            if self._cancelled.is_set():  # cancelled while the last files were written; they are not needed any more
                raise Cancelled
            return result
        finally:
            self._over.set()
            beat.join()

    def _beat(self) -> None:
        while not self._over.wait(_HEARTBEAT):
            if time.monotonic() - self._sent >= _HEARTBEAT:
                self._send_progress()

    def _send_progress(self) -> None:
        with self._lock:
            self._sent = time.monotonic()
            event = {"id": self.id, "kind": "progress", "fraction": round(self._share, 4), "stage": self._stage}
            left = self._time.seconds()
        if not torch_is_loaded():
            event["loading"] = True
        self._send({**event, "eta": None if left is None else round(left, 1)})
