"""Processes by their numbers, and the worker's command line and end: the decisions for Windows, macOS and Linux."""

from __future__ import annotations

import ntpath
import os
import signal
import subprocess
import sys
import time

import pytest


@pytest.mark.parametrize(
    ("opened", "error", "exit_code", "runs"),
    [
        (True, 0, 259, True),
        (True, 0, 0, False),
        (True, 0, 1, False),
        (False, 5, 0, True),  # another user's
        (False, 87, 0, False),  # no such process
        (False, 6, 0, False),
    ],
)
def test_processes_on_windows(opened, error, exit_code, runs):
    from deepreg_slicer.process_numbers import windowsRuns

    assert windowsRuns(opened, error, exit_code) is runs


@pytest.mark.parametrize("environment", [{"SystemRoot": r"D:\Windows"}, {"SYSTEMROOT": r"D:\Windows"}])
def test_the_end_of_a_tree_on_windows(environment):
    from deepreg_slicer.process_numbers import windowsEnd

    assert windowsEnd(4711, environment) == [r"D:\Windows\System32\taskkill.exe", "/T", "/F", "/PID", "4711"]
    assert windowsEnd(1, {})[0] == r"C:\Windows\System32\taskkill.exe"


def test_the_end_of_a_tree_on_windows_is_not_waited_for(monkeypatch):
    from deepreg_slicer import process_numbers

    begun = []
    monkeypatch.setattr(process_numbers.sys, "platform", "win32")
    monkeypatch.setattr(process_numbers.subprocess, "Popen", lambda command, **_named: begun.append(command[-1]))
    monkeypatch.setattr(process_numbers.subprocess, "run", lambda *_given, **_named: pytest.fail("the window would wait"))
    process_numbers.endTree(0, 11, 12)
    assert begun == ["11", "12"]

    def refuse(*_given, **_named):
        raise FileNotFoundError

    monkeypatch.setattr(process_numbers.subprocess, "Popen", refuse)
    process_numbers.endTree(11)


@pytest.mark.parametrize(("pid", "group", "own", "with_group"), [(7, 7, 1, True), (7, 1, 1, False), (7, 7, 7, False), (7, 3, 1, False)])
def test_groups_on_linux_and_macos(pid, group, own, with_group):
    from deepreg_slicer.process_numbers import endsWithGroup

    assert endsWithGroup(pid, group, own) is with_group


@pytest.mark.parametrize(
    ("name", "left"),
    [("deepreg-12-abc", True), ("deepreg-34-abc", False), ("deepreg-x-abc", False), ("deepreg-", False), ("other-12-abc", False)],
)
def test_folders_that_ended_processes_left(name, left):
    from deepreg_slicer.process_numbers import isLeft

    assert isLeft(name, "deepreg-", lambda pid: pid == 34) is left


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_process_of_this_system():
    from deepreg_slicer.process_numbers import endTree, processRuns

    assert processRuns(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert processRuns(child.pid)
    begun = time.monotonic()
    endTree(child.pid)
    assert child.wait(10) == -signal.SIGKILL
    assert time.monotonic() - begun < 5.0
    assert not processRuns(child.pid)
    assert not processRuns(10**12)


def test_cleaning_up_never_stops_a_run(tmp_path, monkeypatch):
    from deepreg_slicer import process_numbers

    (tmp_path / "deepreg-12-abc").mkdir()

    def broken(_pid):
        raise UnicodeDecodeError("utf-8", b"\x81", 0, 1, "the system speaks another language")

    monkeypatch.setattr(process_numbers, "processRuns", broken)
    folder = process_numbers.ownFolder(tmp_path, "deepreg-")
    assert os.path.isdir(folder)
    assert os.path.basename(folder).startswith(f"deepreg-{os.getpid()}-")


@pytest.mark.usefixtures("app")
def test_the_command_line_of_the_worker_is_ascii(monkeypatch):
    from deepreg_slicer import processes

    monkeypatch.setattr(processes.os, "path", ntpath)
    arguments = processes.workerArguments(r"C:\Users\Müller\AppData\Local\Temp\deepreg-12-abc", "running-1")
    assert arguments == ["-m", "deepreg_engine", "worker", "--scratch", "deepreg-12-abc", "--mark", "deepreg-12-abc/running-1"]


@pytest.mark.parametrize(
    ("exit_code", "crashed", "ready", "marked", "log", "kind"),
    [
        (9, True, True, True, [], "killed"),  # Linux and macOS, the worker itself
        (15, True, True, True, [], "crash"),  # by another signal than that of a system out of memory
        (1, False, True, True, [], "killed"),  # behind a launcher
        (1, False, True, True, ["[python] exit abnormally - Report the problem."], "killed"),
        (1, False, True, True, ["Fatal Python error: Segmentation fault", "Thread 0x1"], "crash"),
        (1, False, True, True, ["Windows fatal exception: access violation"], "crash"),
        (11, True, True, False, [], "crash"),
        (0, False, True, False, [], "crash"),  # it ended by itself in the midst of a job
        (1, False, False, True, ["ImportError: no deepreg_engine"], "start"),
        (9, True, False, True, [], "killed"),
    ],
)
@pytest.mark.usefixtures("app")
def test_how_a_worker_ended(exit_code, crashed, ready, marked, log, kind):
    from deepreg_slicer.worker_end import endError, kindOfEnd, showsCrash

    assert kindOfEnd(exit_code, crashed, ready, marked, any(map(showsCrash, log))) == kind
    error = endError(kind, exit_code, log)
    assert error.code == kind
    assert ("memory" in error.message) is (kind == "killed")
    assert error.advice
