"""The process around a command: its streams, its signals, its exit code, and the line that it prints for an error."""

from __future__ import annotations

import contextlib
import faulthandler
import locale
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn, TextIO, cast

from deepreg_engine.commands.parsing import Parser, UsageError
from deepreg_engine.errors import explain

NAME = "deepreg-engine"
#: Environment variable: if it is set, errors come with a traceback and libraries may print to stderr.
DEBUG = "DEEPREG_DEBUG"
# Terminals and shells may send one Ctrl-C twice. A second signal within this number of seconds must not interrupt the cleaning up.
_REPEATED = 1.0
_NOTICE = "A module that was compiled using NumPy 1.x cannot be run in"


def end_process(main: Callable[[], int]) -> NoReturn:
    """Call ``main`` and end the process with the exit code that ``main`` returns."""
    _prepare_streams()
    _prepare_libraries()
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # main has reported it already
            stream.flush()
    # Without the interpreter's shutdown, in which threads that a signal left behind (an alignment, a write that failed) would crash.
    os._exit(code)


def report_error(error: BaseException, parser: Parser | None = None) -> int:
    """Print an error on one line of stderr; returns the exit code 2.

    Args:
        error: what was raised.
        parser: of the command, which names the options concerned; None if it is not known yet.
    """
    explained = explain(error, f"please report it with the output that {DEBUG}=1 adds")
    program, line = parser.prog if parser else NAME, explained.line()
    if isinstance(explained, UsageError):
        program = explained.program
    elif parser and (typed := parser.typed(explained)):
        line += f" ({typed})"
    with contextlib.suppress(OSError):  # the reader of stderr may have ended
        if os.environ.get(DEBUG):
            traceback.print_exception(error)
        print(f"{program}: {line}", file=sys.stderr, flush=True)
    return 2


def _prepare_streams() -> None:
    """Make stdout and stderr accept every character, and keep libraries from printing to stderr.

    ITK, HDF5 and others print warnings and error stacks to the file descriptor of stderr, between the progress bar and the one line
    that a user needs. With DEEPREG_DEBUG they may.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the program that started this one
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for the rest of the process
        elif hasattr(stream, "reconfigure"):  # a file name may hold letters that the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    if os.environ.get(DEBUG):
        return
    with contextlib.suppress(OSError):
        kept = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = cast(TextIO, _WithoutNotice(kept))
        faulthandler.enable(kept)  # a crash is not silent
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


class _WithoutNotice:
    """A stream without numpy's notice that a PyTorch was built for numpy 1.

    The notice is a page long and could be taken for an error, but the engine does not use what is missing.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text to the stream."""
        return len(text) if _NOTICE in text else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def c_locale(system: str) -> str:
    """Return the locale by which the C library takes names of files as UTF-8 on a system (``sys.platform``); "" if it does so anyway."""
    return ".UTF8" if system == "win32" else ""


def _prepare_libraries() -> None:
    """Set the locale that the C library uses, and the environment of ITK."""
    if name := c_locale(sys.platform):
        with contextlib.suppress(locale.Error):  # Windows before 1803
            locale.setlocale(locale.LC_CTYPE, name)
    # The launcher of 3D Slicer sets it for Slicer's ITK: SimpleITK's would load plugins of another version.
    os.environ.pop("ITK_AUTOLOAD_PATH", None)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within, SIGTERM and a closed terminal raise KeyboardInterrupt as Ctrl-C does, so that half-written files are removed."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        handler = _interrupter()
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):  # not every system has all
            number = getattr(signal, name, None)
            # Ignored signals stay ignored, as nohup requires.
            if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _interrupter() -> Callable[[int, FrameType | None], None]:
    """Return a signal handler that raises KeyboardInterrupt, but not twice within :data:`_REPEATED` seconds."""
    last = -_REPEATED

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _REPEATED:
            last = now
            raise KeyboardInterrupt

    return interrupt
