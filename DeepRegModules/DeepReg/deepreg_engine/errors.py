"""Errors that a user can act on.

Every error the engine raises for the sake of its user is an :class:`EngineError`: one sentence that says what is wrong
with *this* input, and one that says what to do next. The command line prints both on one line and exits with 2; the
worker sends them as ``message`` and ``advice``.
"""

from __future__ import annotations


class EngineError(Exception):
    """Something is wrong that the user can put right.

    Args:
        message: what is wrong, naming the file, value or parameter; no full stop at its end.
        advice: what to do about it; may be empty where the message says it all.
    """

    code = "error"

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def line(self) -> str:
        """Message and advice on one line."""
        text = f"{self.message}: {self.advice}" if self.advice else self.message
        return " ".join(text.split())


class InputError(EngineError):
    """A file, image, point set or mask that cannot be used as it is."""

    code = "input"


class ParameterError(EngineError):
    """A parameter that does not exist, or whose value is outside its range."""

    code = "parameter"


class OutputError(EngineError):
    """A result that cannot be written where it was asked for."""

    code = "output"


class DeviceError(EngineError):
    """A computing device that is not there."""

    code = "device"


class NotEnoughMemoryError(EngineError):
    """A run that would need more memory than there is."""

    code = "memory"


class Cancelled(EngineError):
    """The user stopped the run."""

    code = "cancelled"

    def __init__(self) -> None:
        super().__init__("stopped by the user", "nothing was written")
