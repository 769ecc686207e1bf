"""How a worker has ended: by itself, by a crash, or from outside. The exit code, the log and the mark show it."""

from __future__ import annotations

from collections.abc import Sequence

from slicer.i18n import tr as _

from deepreg_slicer.errors import JobError

# Python prints one of these to the log when it crashes.
_CRASHED = ("Fatal Python error", "Windows fatal exception")
_SIGKILL = 9


def showsCrash(line: str) -> bool:
    """Return whether a line of the log begins Python's description of a crash, which may be longer than what is kept of the log."""
    return any(sign in line for sign in _CRASHED)


def kindOfEnd(exitCode: int, crashed: bool, ready: bool, marked: bool, described: bool) -> str:
    """Return the code of the error with which a worker's job ends: "killed", "crash" or "start".

    Args:
        exitCode: of the process; of the signal that ended it if it crashed. A launcher reports any crash of the worker as its exit code 1.
        crashed: whether a signal or an exception of the system ended the process.
        ready: whether the worker had started.
        marked: whether it has left its mark, which it removes when it ends by itself.
        described: whether its log describes a crash, see :func:`showsCrash`.
    """
    if crashed and exitCode == _SIGKILL:
        return "killed"
    if not crashed and ready and marked and not described:
        return "killed"
    return "crash" if crashed or ready else "start"


def endError(kind: str, exitCode: int, log: Sequence[str]) -> JobError:
    """Return the error of a job whose worker has ended.

    Args:
        kind: see :func:`kindOfEnd`.
        exitCode: of the process.
        log: the last lines of its log.
    """
    if kind == "killed":
        return JobError(
            kind,
            _("the computing process was ended from outside, most likely because the computer ran out of memory"),
            _("close other programs or choose a coarser working spacing, then apply again"),
        )
    if kind == "crash":
        return JobError(kind, _("the computing process crashed ({code})").format(code=exitCode), _("apply again; the log has more details"))
    last = log[-1] if log else _("exit code {code}").format(code=exitCode)
    return JobError(
        kind,
        _("the computing process could not be started: {reason}").format(reason=last),
        _("see the log; the module DeepReg shows what is missing"),
    )
