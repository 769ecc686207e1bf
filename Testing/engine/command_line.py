"""Calls of the command line, in this process or another, and checks of their outcome."""

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
# A verdict that is not good is noted on stderr; the command succeeds.
_VERDICT = re.compile(r"^deepreg-engine (register \w+|report): (Check|Do not use): ")
# Environment of a user's terminal: buffered streams, no debugging.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in ("PYTHONUNBUFFERED", "DEEPREG_DEBUG", "PYTHONWARNINGS")},
    "PYTHONPATH": str(Path(deepreg_engine.__file__).parents[1]),
    "COLUMNS": "100",
}


@dataclass(frozen=True)
class Outcome:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def progress(self) -> list[str]:
        """The lines of progress on stderr."""
        return [line for line in self.err.splitlines() if _PROGRESS.match(line)]

    @property
    def messages(self) -> list[str]:
        """The lines on stderr that are neither progress nor a verdict."""
        return [line for line in self.err.splitlines() if not _PROGRESS.match(line) and not _VERDICT.match(line)]


def call(*arguments: object) -> Outcome:
    """Run one command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Outcome(code, out.getvalue(), err.getvalue())


def succeed(*arguments: object) -> str:
    """Run one command that must succeed; returns what it printed."""
    outcome = call(*arguments)
    assert outcome.code == 0, outcome
    assert outcome.messages == [], outcome
    return outcome.out


def check_refusal(outcome: Outcome, *words: str) -> str:
    """Check for exit code 2, no output, and one line on stderr that contains all these words; returns the line."""
    assert outcome.code == 2, outcome
    assert outcome.out == "", outcome
    assert len(outcome.messages) == 1, outcome.err
    line = outcome.messages[0]
    assert line.startswith("deepreg-engine"), line
    assert not any(word in line for word in ("internal error", "Traceback")), line
    for word in words:
        assert word in line, line
    return line


def process(*arguments: object, **settings: object) -> subprocess.Popen:
    """Start one command in a process of its own, with stdout and stderr piped unless the settings differ."""
    command = [sys.executable, "-m", "deepreg_engine", *(str(argument) for argument in arguments)]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "env": ENVIRONMENT, **settings}
    return subprocess.Popen(command, **settings)


def finish(running: subprocess.Popen, seconds: float = 120.0) -> Outcome:
    """Wait for the end of a process; returns its outcome."""
    out, err = running.communicate(timeout=seconds)
    return Outcome(running.returncode, (out or b"").decode(), (err or b"").decode())


def listing(folder: Path) -> dict[str, tuple[int, ...]]:
    """All files below a folder with size, time and inode, by which a changed file is recognised."""
    found = {}
    for path in Path(folder).rglob("*"):
        status = path.lstat()
        found[path.relative_to(folder).as_posix()] = () if path.is_dir() else (status.st_size, status.st_mtime_ns, status.st_ino)
    return found


def cut(stage: str, number: int, *arguments: object, **settings: object) -> Outcome:
    """Run a command, send it a signal when it reports a stage; returns its outcome."""
    running = process(*arguments, bufsize=0, **settings)  # no line is read ahead
    before = b""
    for line in running.stderr:
        before += line
        if stage.encode() in line:
            running.send_signal(number)
            break
    outcome = finish(running)
    return type(outcome)(outcome.code, outcome.out, before.decode() + outcome.err)


def register_dense(folder: Path, *arguments: object) -> str:
    """A quick registration of the pair in a folder; returns what it printed."""
    images = ("--fixed", folder / "fixed.nii.gz", "--moving", folder / "moving.nii.gz", "--preset", "quick", "--device", "cpu")
    return succeed("register", "dense", *images, *arguments)
