"""The process of the worker: its Python, its environment, its folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import qt
from slicer.i18n import tr as _

from deepreg_slicer.process_numbers import ownFolder
from deepreg_slicer.signals import Signal

_FOLDER = "deepreg-"


def pythonExecutable() -> str | None:
    """Return the path of the application's Python executable; None if there is none."""
    return shutil.which("PythonSlicer")


def engineFolder() -> str:
    """Return the folder of the package ``deepreg_engine``, beside this one."""
    return str(Path(__file__).resolve().parent.parent)


def makeScratch(parent: str) -> str:
    """Return a new folder for the worker's files of this process; folders of ended processes are removed."""
    return ownFolder(parent, _FOLDER)


def workerArguments(scratch: str, mark: str) -> list[str]:
    """Return the arguments of the worker's Python. Paths are ASCII, relative to the parent of the scratch folder, where it runs."""
    own = os.path.basename(scratch)
    return ["-m", "deepreg_engine", "worker", "--scratch", own, "--mark", f"{own}/{mark}"]


class WorkerProcess:
    """The worker as a process: ``PythonSlicer -m deepreg_engine worker``.

    Tests replace it by an object with the same methods and signals.

    Signals: ``output(bytes)``, ``errorOutput(bytes)``, ``finished(exitCode, crashed)``, ``failedToStart(text)``.
    """

    def __init__(self) -> None:
        self.output = Signal()
        self.errorOutput = Signal()
        self.finished = Signal()
        self.failedToStart = Signal()
        self._process: qt.QProcess | None = None

    def start(self, scratch: str, mark: str) -> None:
        """Start the process; ``failedToStart`` is emitted if that is not possible.

        Args:
            scratch: folder for exchanged files.
            mark: name of the file in it that the worker removes when it ends by itself.
        """
        program = pythonExecutable()
        if program is None:
            self.failedToStart.emit(_("the program PythonSlicer was not found"))
            return
        process = qt.QProcess()
        environment = qt.QProcessEnvironment.systemEnvironment()
        before = environment.value("PYTHONPATH", "")
        environment.insert("PYTHONPATH", os.pathsep.join(path for path in (engineFolder(), before) if path))
        environment.insert("PYTHONIOENCODING", "utf-8")
        process.setProcessEnvironment(environment)
        # Beside its folder, which it could not remove on Windows while it is in it. Names of files that are relative to this place are
        # short and ASCII, whatever the user is called: launchers and readers of files on Windows do not get all letters right.
        process.setWorkingDirectory(os.path.dirname(scratch))
        self._process = process
        for signal_, slot in self._connections():
            process.connect(signal_, slot)
        process.start(program, workerArguments(scratch, mark))

    def write(self, data: bytes) -> None:
        """Send bytes to its input."""
        if self.isRunning():
            self._process.write(data)

    def isRunning(self) -> bool:
        """Return whether it has been started and has not ended."""
        return self._process is not None and self._process.state() != qt.QProcess.NotRunning

    def pid(self) -> int:
        """Return its number, 0 if it does not run. It may be the number of a launcher whose child is the worker."""
        return int(self._process.processId()) if self.isRunning() else 0

    def closeInput(self) -> None:
        """Close its input: the worker ends then."""
        if self.isRunning():
            self._process.closeWriteChannel()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the process without running the event loop; used when the application ends."""
        return not self.isRunning() or bool(self._process.waitForFinished(int(1000 * seconds)))

    def forget(self) -> None:
        """Stop emitting signals."""
        for signal_ in (self.output, self.errorOutput, self.finished, self.failedToStart):
            signal_.clear()

    def _onOutput(self) -> None:
        if self._process is not None:
            self.output.emit(_bytes(self._process.readAllStandardOutput()))

    def _onErrorOutput(self) -> None:
        if self._process is not None:
            self.errorOutput.emit(_bytes(self._process.readAllStandardError()))

    def _onFinished(self, exitCode: int, exitStatus: int) -> None:
        if self._process is None:
            return
        # Its last output comes before its end.
        self._onOutput()
        self._onErrorOutput()
        self._release()
        self.finished.emit(int(exitCode), exitStatus == qt.QProcess.CrashExit)

    def _onError(self, error: int) -> None:
        if error == qt.QProcess.FailedToStart:
            text = self._process.errorString()
            self._release()
            self.failedToStart.emit(text)

    def _release(self) -> None:
        """Let go of the process, which has ended: its connections would keep this object and the client alive."""
        process, self._process = self._process, None
        for signal_, slot in self._connections():
            process.disconnect(signal_, slot)
        process.deleteLater()

    def _connections(self) -> tuple[tuple[str, Callable[..., None]], ...]:
        """Return the signals of the process, and what they call."""
        return (
            ("readyReadStandardOutput()", self._onOutput),
            ("readyReadStandardError()", self._onErrorOutput),
            ("finished(int,QProcess::ExitStatus)", self._onFinished),
            ("errorOccurred(QProcess::ProcessError)", self._onError),
        )


def _bytes(data: object) -> bytes:
    """Return PythonQt's QByteArray as bytes."""
    data = data.data() if hasattr(data, "data") else data
    return data.encode("utf-8", "replace") if isinstance(data, str) else bytes(data)
