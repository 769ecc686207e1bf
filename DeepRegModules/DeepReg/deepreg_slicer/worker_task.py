"""One operation of the worker, from the scene and back: export, submit, read, clean up.

1. *Export*: nodes are written into a folder of the task's own, in pieces between the events of the window.
2. *Compute*: the worker does.
3. *Read*: its files are read, in pieces as well.
4. *Accept*: the scene is changed, all at once.

The scene does not change before 4. A task that is cancelled, fails, or loses its scene leaves the scene unchanged; its folder is
removed in any case.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_slicer.cooperative import Cooperative
from deepreg_slicer.errors import JobError, NodeError, cancelled, jobError
from deepreg_slicer.signals import Signal
from deepreg_slicer.waiting import waitUntilFree
from deepreg_slicer.worker_client import WorkerClient, workerClient
from deepreg_slicer.worker_job import Job


class WorkerTask:
    """One operation of the worker. A derived class names the operation, writes its files and reads the results.

    Args:
        client: of the worker; None for the one that all panels share.

    Signals: ``progressed(fraction, stage, secondsLeft)``, ``logged(text)``, and at the end one of ``finished(result)`` and
    ``failed(JobError)``.
    """

    #: Operation of the worker.
    operation = ""
    #: Fractions of the progress at which the files are written, and at which the worker is done.
    exported, computed = 0.0, 1.0
    #: Shown while files are written and read.
    exporting, reading = _("reading the volumes"), _("reading the results")
    #: Whether the task waits if the worker computes something else; otherwise it fails.
    queued = False
    #: Whether closing the scene cancels the task.
    needsScene = True

    def __init__(self, client: WorkerClient | None = None) -> None:
        self.progressed, self.logged = Signal(), Signal()
        self.finished, self.failed = Signal(), Signal()
        #: Whether it has ended, with a result or an error.
        self.over = False
        self.result: Any = None
        self.error: JobError | None = None
        #: Folder of the task's files; "" before it begins.
        self.folder = ""
        self._client = client or workerClient()
        self._work: Cooperative | None = None
        self._job: Job | None = None
        self._observer = 0

    # ------------------------------------------------------ for derived classes

    def check(self) -> None:
        """Check whether the task is possible, before it begins.

        Raises:
            NodeError: with what is wrong and what to do.
        """

    def makeFolder(self) -> str:
        """Make the folder for the task's files; returns its path.

        Raises:
            OSError: if that is not possible.
        """
        return tempfile.mkdtemp(prefix=f"{self.operation}-", dir=self._client.scratch())

    def export(self) -> Generator[float, None, dict[str, Any]]:
        """Write the files, in pieces; returns the arguments of the operation.

        Raises:
            NodeError: if a node cannot be used.
        """
        raise NotImplementedError

    def read(self, result: dict[str, Any]) -> Generator[float, None, Any]:
        """Read the worker's files, in pieces; returns what :meth:`accept` gets.

        Args:
            result: of the operation.
        """
        return result
        yield

    def accept(self, value: Any) -> Any:
        """Apply the changes of the task to the scene, if it makes any, and return its result."""
        return value

    def onPreview(self, path: str) -> None:
        """Take the file of a result so far."""

    def cleanUp(self) -> None:
        """Remove what was written; called once at the end. ``error`` is None if there is a result."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def file(self, name: str) -> str:
        """Return the path of a file in the task's folder."""
        return os.path.join(self.folder, name)

    # --------------------------------------------------------------------- run

    def start(self) -> None:
        """Begin; everything else comes by signals.

        Raises:
            NodeError: if it cannot be done, before anything is done.
        """
        self.check()
        if self._client.computing and not self.queued:
            raise NodeError(_("another computation is running"), _("wait for its end, or cancel it"))
        if self.needsScene:
            self._observer = slicer.mrmlScene.AddObserver(slicer.vtkMRMLScene.StartCloseEvent, lambda *_args: self.cancel())
        try:
            self.folder = self.makeFolder()
        except OSError as error:
            # At the next turn of the event loop: the caller has noted the task as the one that runs by then.
            failure = jobError(error)
            qt.QTimer.singleShot(0, lambda: self._fail(failure))
            return
        self.progressed.emit(0.0, self.exporting, None)
        self._proceed(self.export(), self._submit)

    def cancel(self) -> None:
        """Stop the task within a second; the scene is unchanged."""
        if self.over:
            return
        if self._job is not None:
            self._client.cancel(self._job)
        else:
            self._fail(cancelled())

    def finish(self) -> None:
        """End the computation early, with its result so far."""
        if self._job is not None:
            self._client.finish(self._job)

    def drop(self) -> None:
        """Cancel without a further signal: connected objects may not exist any more when the task ends."""
        self.disconnectAll()
        self.cancel()

    def disconnectAll(self) -> None:
        """Disconnect all functions from the signals."""
        for signal in (self.progressed, self.logged, self.finished, self.failed):
            signal.clear()

    def wait(self, seconds: float = float("inf")) -> Any:
        """Let the event loop run until the end; returns the result.

        Raises:
            RuntimeError: if it fails, or takes longer.
        """
        end = time.monotonic() + seconds
        while not self.over:
            slicer.app.processEvents()
            time.sleep(0.002)
            if time.monotonic() > end:
                self.cancel()
                raise RuntimeError(_("the computation took longer than {seconds:g} s").format(seconds=seconds))
        if self.error is not None:
            raise RuntimeError(self.error.text)
        return self.result

    def compute(self) -> Any:
        """Start when the worker is free, and wait for the result with the event loop running; for scripts.

        Raises:
            RuntimeError: with a message and advice.
        """
        waitUntilFree(client=self._client)
        self.start()
        return self.wait()

    # ------------------------------------------------------------------- steps

    def _proceed(self, work: Generator[float, None, Any], then: Callable[[Any], None]) -> None:
        self._work = Cooperative(work)
        self._work.finished.connect(then)
        self._work.failed.connect(self._onTrouble)
        self._work.start()

    def _submit(self, arguments: dict[str, Any]) -> None:
        if self._client.computing and not self.queued:  # another panel has started a job
            self._fail(JobError("busy", _("another computation is running"), _("wait for its end, or cancel it")))
            return
        try:
            self._job = self._client.submit(self.operation, arguments)
        except ValueError as error:  # the arguments cannot be written as JSON
            self._onTrouble(error)
            return
        self._job.progressed.connect(self._onProgress)
        self._job.previewed.connect(self.onPreview)
        self._job.logged.connect(self.logged.emit)
        self._job.finished.connect(self._onComputed)
        self._job.failed.connect(self._onJobFailed)

    def _onProgress(self, fraction: float, stage: str, left: float | None) -> None:
        self.progressed.emit(self.exported + (self.computed - self.exported) * fraction, stage, left)

    def _onComputed(self, result: dict[str, Any]) -> None:
        self._job = None
        self.progressed.emit(self.computed, self.reading, None)
        self._proceed(self.read(result), self._onRead)

    def _onJobFailed(self, error: JobError) -> None:
        self._job = None
        self._fail(error)

    def _onRead(self, value: Any) -> None:
        try:
            self.result = self.accept(value)
        except Exception as error:  # noqa: BLE001 - the panel has to be usable again
            self._onTrouble(error)
            return
        self._end()
        self.progressed.emit(1.0, _("done"), 0.0)
        self.finished.emit(self.result)
        self.disconnectAll()

    def _onTrouble(self, error: Exception) -> None:
        self._fail(jobError(error))

    def _fail(self, error: JobError) -> None:
        if self.over:
            return
        self.error = error
        self._end()
        self.failed.emit(error)
        self.disconnectAll()

    def _end(self) -> None:
        self.over, self._job = True, None
        self._dropWork()
        if self._observer:
            slicer.mrmlScene.RemoveObserver(self._observer)
            self._observer = 0
        self.cleanUp()

    def _dropWork(self) -> None:
        """Stop writing or reading files."""
        if self._work is not None:
            self._work.stop()
            self._work = None
