"""Processes by their numbers: check whether one runs, end it with its children, and remove the folders of ended ones. Nothing waits."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

# Windows: what GetExitCodeProcess gives while a process runs, the right to ask for it, and the error of a process of another user.
_STILL_ACTIVE, _QUERY, _ACCESS_DENIED = 259, 0x1000, 5
_NO_WINDOW = 0x08000000


def windowsRuns(opened: bool, error: int, exitCode: int) -> bool:
    """Return whether a process runs on Windows.

    Args:
        opened: whether the system gave access to the process.
        error: of the system if it did not.
        exitCode: of the process if it did.
    """
    return exitCode == _STILL_ACTIVE if opened else error == _ACCESS_DENIED


def windowsEnd(pid: int, environment: Mapping[str, str]) -> list[str]:
    """Return the command that ends a process with its children on Windows, with its full path: the search path may hold another one."""
    root = environment.get("SystemRoot") or environment.get("SYSTEMROOT") or r"C:\Windows"
    return [rf"{root}\System32\taskkill.exe", "/T", "/F", "/PID", str(pid)]


def endsWithGroup(pid: int, group: int, own: int) -> bool:
    """Return whether a process is ended with its group on Linux and macOS: if it leads one that is not the application's."""
    return group == pid and group != own


def isLeft(name: str, prefix: str, runs: Callable[[int], bool]) -> bool:
    """Return whether a folder of that name, the prefix and the number of a process, was left by a process that has ended."""
    number = name[len(prefix) :].partition("-")[0] if name.startswith(prefix) else ""
    return number.isdigit() and not runs(int(number))


def processRuns(pid: int) -> bool:
    """Return whether there is a process of that number."""
    if sys.platform == "win32":
        return _runsOnWindows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _runsOnWindows(pid: int) -> bool:
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle, code = kernel.OpenProcess(_QUERY, False, pid), ctypes.c_ulong(0)
    error = ctypes.get_last_error()
    if handle:
        try:
            kernel.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(code))
        finally:
            kernel.CloseHandle(ctypes.c_void_p(handle))
    return windowsRuns(bool(handle), error, code.value)


def endTree(*pids: int) -> None:
    """End processes and all that they have started; processes that have ended are ignored. It does not wait for their end."""
    for pid in pids:
        if not pid or pid <= 0:
            continue
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                nothing = subprocess.DEVNULL
                command = windowsEnd(pid, os.environ)
                subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, creationflags=_NO_WINDOW)
            elif endsWithGroup(pid, os.getpgid(pid), os.getpgid(0)):
                os.killpg(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)


def ownFolder(parent: str | os.PathLike, prefix: str) -> str:
    """Make a folder of this process's own, and remove those that ended processes left behind, as far as that is possible.

    Raises:
        OSError: if it cannot be made.
    """
    try:
        for folder in Path(parent).glob(f"{prefix}*-*"):
            if isLeft(folder.name, prefix, processRuns):
                shutil.rmtree(folder, ignore_errors=True)
    except Exception:  # a folder that is not removed must not stop a run
        logging.exception("DeepReg: folders of ended processes were not removed")
    return tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent)
