"""Errors between the scene and the worker: message, advice, and the input or option concerned."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_slicer.nrrd import NrrdError


class NodeError(RuntimeError):
    """A node, or a choice of nodes, that cannot be used as it is.

    Args:
        message: what is wrong.
        advice: what to do.
        option: name of the input or output concerned, "" if there is none.
    """

    def __init__(self, message: str, advice: str = "", option: str = "") -> None:
        super().__init__(f"{message}: {advice}" if advice else message)
        self.message, self.advice, self.option = message, advice, option


@dataclass(frozen=True)
class JobError:
    """The reason why a job has no result.

    Args:
        code: "cancelled", "input", "parameter", "memory", "device", "package", ... from the engine; "crash", "killed", "hang", "start",
            "protocol" from this side.
        message: what is wrong.
        advice: what to do.
        changes: parameters with which it would work, name to value.
        option: name of the input, output or parameter concerned, "" if there is none.
    """

    code: str
    message: str
    advice: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    option: str = ""

    @property
    def text(self) -> str:
        """Message and advice as sentences."""
        message = self.message[:1].upper() + self.message[1:]
        advice = self.advice[:1].upper() + self.advice[1:]
        return f"{message}. {advice}." if advice else f"{message}."


def cancelled() -> JobError:
    """Return the error of a job that the user has stopped."""
    return JobError("cancelled", _("stopped by the user"), _("nothing was changed"))


def jobError(error: BaseException) -> JobError:
    """Return the error for an exception while files were written or read; unexpected ones are logged."""
    if isinstance(error, NodeError):
        return JobError("input", error.message, error.advice, option=error.option)
    if isinstance(error, OSError):
        return JobError(
            "disk",
            _("a temporary file cannot be written ({reason})").format(reason=error.strerror or error),
            _("free some space in {folder}, then apply again").format(folder=slicer.app.temporaryPath),
        )
    if isinstance(error, MemoryError):
        return JobError("memory", _("the computer ran out of memory"), _("close other programs, or crop the volumes"))
    if isinstance(error, NrrdError):
        return JobError("protocol", _("a result cannot be read ({reason})").format(reason=error), _("apply again"))
    logging.error("DeepReg: %s", error, exc_info=error)
    return JobError(
        "error", _("internal error ({kind}: {reason})").format(kind=type(error).__name__, reason=error), _("please report it with the log")
    )
