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
    """A run that would need more memory than there is.

    Args:
        message, advice: see :class:`EngineError`.
        changes: parameters with which it would fit, name to value; empty if none are known.
    """

    code = "memory"

    def __init__(self, message: str, advice: str = "", changes: dict[str, float] | None = None) -> None:
        super().__init__(message, advice)
        self.changes = dict(changes or {})


class MissingPackageError(EngineError):
    """A Python package that the work needs and this Python lacks."""

    code = "package"


class Cancelled(EngineError):
    """The user stopped the run."""

    code = "cancelled"

    def __init__(self) -> None:
        super().__init__("stopped by the user", "nothing was written")


def explain(error: BaseException, report: str) -> EngineError:
    """Whatever went wrong, as an error that a user can act on.

    Args:
        error: what was raised.
        report: how to report what should not have happened, for the advice.
    """
    if isinstance(error, EngineError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Cancelled()
    if isinstance(error, MemoryError) or _is_out_of_memory(error):
        if "cuda" in str(error).lower():
            advice = "close other programs that use it, compute on the CPU, or use a coarser working_spacing"
            return NotEnoughMemoryError("the graphics card ran out of memory", advice)
        return NotEnoughMemoryError("the computer ran out of memory", "close other programs, or use a coarser working_spacing")
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("deepreg_engine"):
        package = error.name.partition(".")[0]
        return MissingPackageError(f"the Python package {package} is not installed", "install it, then try again")
    if isinstance(error, OSError):
        what = f"{error.filename}: " if error.filename else ""
        return EngineError(f"{what}{error.strerror or error}", "check the disk, and where the output goes")
    return EngineError(f"internal error ({type(error).__name__}: {error})", report)


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return "can't allocate memory" in text or "out of memory" in text or "bad_alloc" in text or "failed to allocate" in text
