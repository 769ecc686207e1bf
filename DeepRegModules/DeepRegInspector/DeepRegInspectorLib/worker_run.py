"""What a measurement by the worker has in common: nodes to files, a job, a result; and waiting for it from a script."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Generator
from typing import Any

import slicer

from deepreg_slicer.cooperative import Cooperative
from deepreg_slicer.signals import Signal
from deepreg_slicer.waiting import waitUntilFree
from deepreg_slicer.worker_client import workerClient


class WorkerRun:
    """One job of the worker, from nodes in the scene to what it found. A subclass names its operation and writes its files.

    Signals: ``progressed(fraction)``; at the end one of ``finished(result)`` and ``failed(text)``.
    """

    #: What the worker is asked for.
    operation = ""
    #: Of the time: until the files are written.
    exportShare = 0.0

    def __init__(self) -> None:
        self.progressed, self.finished, self.failed = Signal(), Signal(), Signal()
        self._folder = ""
        self._job: Any = None
        self._work: Cooperative | None = None
        self._client = workerClient()

    # -------------------------------------------------------------- of a subclass

    def export(self) -> Generator[float, None, dict[str, Any]]:
        """Write the files; returns the arguments of the operation.

        Raises:
            NodeError: if a node cannot be used.
        """
        raise NotImplementedError

    def result(self, found: dict[str, Any]) -> Any:
        """What is handed on of the worker's result."""
        return found

    # ------------------------------------------------------------------- run

    def file(self, name: str) -> str:
        """A file for the worker; it goes with the run."""
        return os.path.join(self._folder, name)

    def start(self) -> None:
        self._client.acquire(self)
        self._folder = tempfile.mkdtemp(prefix=f"{self.operation}-", dir=self._client.scratch())
        self._work = Cooperative(self.export())
        self._work.finished.connect(self._submit)
        self._work.failed.connect(lambda error: self._fail(str(error)))
        self._work.start()

    def cancel(self) -> None:
        """End without a result."""
        if self._work is not None:
            self._work.stop()
        if self._job is not None and not self._job.over:
            self._client.cancel(self._job)
        self._close()

    def _submit(self, arguments: dict[str, Any]) -> None:
        try:
            self._job = self._client.submit(self.operation, arguments)
        except Exception as error:  # noqa: BLE001 - said in the panel
            self._fail(str(error))
            return
        self._job.progressed.connect(lambda share, *_: self.progressed.emit(self.exportShare + (1.0 - self.exportShare) * share))
        self._job.finished.connect(self._finish)
        self._job.failed.connect(lambda error: self._fail(error.text))

    def _finish(self, found: dict[str, Any]) -> None:
        self._close()
        self.finished.emit(self.result(found))

    def _fail(self, text: str) -> None:
        self._close()
        self.failed.emit(text)

    def _close(self) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""
            self._client.release(self)


def waitForRun(run: WorkerRun) -> Any:
    """Start a run when the worker is free, and wait for its result with the event loop running.

    Raises:
        RuntimeError: with a text that says what to do.
    """
    waitUntilFree()
    ended: list[tuple[bool, Any]] = []
    run.finished.connect(lambda result: ended.append((True, result)))
    run.failed.connect(lambda text: ended.append((False, text)))
    run.start()
    while not ended:
        slicer.app.processEvents()
        time.sleep(0.002)
    done, what = ended[0]
    if not done:
        raise RuntimeError(what)
    return what
