"""What the tests of the command line share: to call it in this process or in one of its own, and what a refusal must look like."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import deepreg_engine
from deepreg_engine.cli import main

_PROGRESS = re.compile(r"^ *\d+ %  +\d+\.\d s  ")
# As a terminal of a user has it: buffered, and not talkative.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in ("PYTHONUNBUFFERED", "DEEPREG_DEBUG", "PYTHONWARNINGS")},
    "PYTHONPATH": str(Path(deepreg_engine.__file__).parents[1]),
    "COLUMNS": "100",
}


@dataclass(frozen=True)
class Outcome:
    """What one command did: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def progress(self) -> list[str]:
        """The lines on stderr that tell how far it is."""
        return [line for line in self.err.splitlines() if _PROGRESS.match(line)]

    @property
    def said(self) -> list[str]:
        """The other lines on stderr."""
        return [line for line in self.err.splitlines() if not _PROGRESS.match(line)]


def call(*arguments: object) -> Outcome:
    """One command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Outcome(code, out.getvalue(), err.getvalue())


def succeed(*arguments: object) -> str:
    """One command that must do what it is told; returns what it printed."""
    outcome = call(*arguments)
    assert outcome.code == 0 and outcome.said == [], outcome
    return outcome.out


def check_refusal(outcome: Outcome, *words: str) -> str:
    """Exit code 2, nothing on stdout, and one line on stderr that is not a page, with all these words; returns it."""
    assert outcome.code == 2 and outcome.out == "", outcome
    assert len(outcome.said) == 1, outcome.err
    line = outcome.said[0]
    assert line.startswith("deepreg-engine") and "internal error" not in line and "Traceback" not in line, line
    for word in words:
        assert word in line, line
    return line


def process(*arguments: object, **settings: object) -> subprocess.Popen:
    """One command in a process of its own, stdout and stderr piped unless the settings say otherwise."""
    command = [sys.executable, "-m", "deepreg_engine", *(str(argument) for argument in arguments)]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "env": ENVIRONMENT, **settings}
    return subprocess.Popen(command, **settings)


def finish(running: subprocess.Popen, seconds: float = 120.0) -> Outcome:
    """Wait for a process."""
    out, err = running.communicate(timeout=seconds)
    return Outcome(running.returncode, (out or b"").decode(), (err or b"").decode())


def listing(folder: Path) -> dict[str, tuple[int, ...]]:
    """Everything below a folder, hidden files as well: another size, time or place on the disk is another file."""
    found = {}
    for path in Path(folder).rglob("*"):
        status = path.lstat()
        found[path.relative_to(folder).as_posix()] = () if path.is_dir() else (status.st_size, status.st_mtime_ns, status.st_ino)
    return found


def cut(stage: str, number: int, *arguments: object, **settings: object) -> Outcome:
    """A run that gets a signal when it tells of a stage; its outcome."""
    running = process(*arguments, bufsize=0, **settings)  # no line is read ahead
    before = b""
    for line in running.stderr:
        before += line
        if stage.encode() in line:
            running.send_signal(number)
            break
    outcome = finish(running)
    return type(outcome)(outcome.code, outcome.out, before.decode() + outcome.err)
