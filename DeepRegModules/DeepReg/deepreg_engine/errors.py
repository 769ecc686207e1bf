"""Errors that a user can act on.

Every error that the engine raises for its user is an :class:`EngineError`. Its text uses the words of the field and no option of the
command line. The command line prints it on one line, adds the options concerned, and exits with 2; the worker sends its fields.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from deepreg_engine.packages import OLDEST, damaged_package, missing_packages, outdated_packages, title


class EngineError(Exception):
    """Something is wrong that the user can correct.

    Args:
        message: what is wrong, naming the file, value or parameter; no full stop at its end.
        advice: what to do about it; may be empty if the message is sufficient.
        option: name of the input, output, parameter or package concerned, as in Python ("fixed_mask", "working_spacing"); "" if there is
            none.
        changes: parameters with which it would work, name to value.
    """

    code = "error"

    def __init__(self, message: str, advice: str = "", option: str = "", changes: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.option = option
        self.changes = dict(changes or {})

    def line(self) -> str:
        """Return message and advice on one line."""
        text = f"{self.message}: {self.advice}" if self.advice else self.message
        return " ".join(text.split())

    def about(self, what: str) -> EngineError:
        """Return the same error with the name of the file or scan in front of its message."""
        return type(self)(f"{what}: {self.message}", self.advice, self.option, self.changes)


@contextlib.contextmanager
def concerning(option: str) -> Iterator[None]:
    """Within, errors that name no input, output or parameter get this one."""
    try:
        yield
    except EngineError as error:
        error.option = error.option or option
        raise


class InputError(EngineError):
    """A file, image, point set or mask that cannot be used as it is."""

    code = "input"


class ParameterError(EngineError):
    """A parameter that does not exist, or whose value is outside its range."""

    code = "parameter"


class OutputError(EngineError):
    """A result that cannot be written to the given path."""

    code = "output"


class DeviceError(EngineError):
    """A computing device that is not available."""

    code = "device"


class NotEnoughMemoryError(EngineError):
    """A run that needs more memory than is available; ``changes`` are parameters with which it would fit."""

    code = "memory"


class PackageError(EngineError):
    """A required Python package that is not installed, or is damaged; ``option`` is its name."""

    code = "package"


class Cancelled(EngineError):
    """The user stopped the run."""

    code = "cancelled"

    def __init__(self) -> None:
        super().__init__("stopped by the user", "nothing was written")


def not_installed(package: str) -> PackageError:
    """Return the error of a package that is missing."""
    return PackageError(f"the Python package {package} is not installed", "install it, then try again", package)


def check_packages() -> None:
    """Check that all packages that the engine needs are installed, and new enough.

    Raises:
        PackageError: naming the first that is not.
    """
    if missing := missing_packages():
        raise not_installed(missing[0])
    check_versions()


def check_versions() -> None:
    """Check that the installed packages are new enough for the engine.

    Raises:
        PackageError: naming the first that is not.
    """
    for name, version in outdated_packages().items():
        raise PackageError(f"{title(name)} {version} is too old, {OLDEST[name]} or newer is needed", "install a newer version", name)


def explain(error: BaseException, report: str) -> EngineError:
    """Convert any exception to an error that a user can act on.

    Args:
        error: what was raised.
        report: how to report an internal error, for the advice.
    """
    if isinstance(error, EngineError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Cancelled()
    if isinstance(error, MemoryError) or _is_out_of_memory(error):
        return _out_of_memory(error)
    if damaged := damaged_package(error):
        name, reason = damaged
        return PackageError(f"{title(name)} is damaged ({reason})", "reinstall it", name)
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("deepreg_engine"):
        return not_installed(error.name.partition(".")[0])
    if isinstance(error, OSError):
        what = f"{error.filename}: " if error.filename else ""
        return EngineError(f"{what}{error.strerror or error}", "check the disk, and where the output goes")
    return EngineError(f"internal error ({type(error).__name__}: {error})", report)


def _out_of_memory(error: BaseException) -> NotEnoughMemoryError:
    if "cuda" in str(error).lower():
        advice = "close other programs that use it, compute on the CPU, or use a coarser working_spacing"
        return NotEnoughMemoryError("the graphics card ran out of memory", advice)
    return NotEnoughMemoryError("the computer ran out of memory", "close other programs, or use a coarser working_spacing")


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    # The last one: Windows cannot load a library because there is not enough memory.
    signs = ("can't allocate memory", "out of memory", "bad_alloc", "failed to allocate", "winerror 1455")
    return any(sign in text for sign in signs)
