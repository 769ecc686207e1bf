"""The command line: ``python -m deepreg_engine ...`` or ``deepreg-engine ...``.

Exit code 0, or 2 with one line on stderr that says what is wrong and what to do.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import NoReturn

from deepreg_engine import __version__
from deepreg_engine.commands.parsing import Parser, UsageError, paragraph
from deepreg_engine.errors import EngineError, explain

_NAME = "deepreg-engine"
_DEBUG = "DEEPREG_DEBUG"
# A second Ctrl-C within so many seconds is the same wish; it must not stop what the first one set going, the cleaning up.
_SAME_WISH = 1.0


def console(run: Callable[[list[str] | None], int] | None = None) -> NoReturn:
    """The command line as a process of its own, which ends with its exit code.

    Args:
        run: what to run instead of :func:`main`.
    """
    _own_streams()
    code = (run or main)(None)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # main has said so already
            stream.flush()
    # At once: all is written, or nothing is. While Python takes itself apart, what was stopped halfway would go on and crash in
    # the middle of it: an alignment on its thread, a file that the disk refused.
    os._exit(code)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # Read when torch loads its thread pool. Threads that spin for long while they wait for each other make a run many times slower
    # where another program wants one of the cores; those that never spin, three times slower where none does.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    with _signals():
        return _run(arguments)


def _run(arguments: list[str] | None) -> int:
    parser: Parser | None = None
    try:
        try:
            options = make_parser().parse_args(arguments)
        except SystemExit:  # argparse has printed a help page or the version
            options = None
        if options is not None:
            parser = options.parser
            options.run(options)
        sys.stdout.flush()
        return 0
    except BrokenPipeError:  # "| head": the reader has seen enough
        return 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - one line instead of a page
        return _fail(parser, explain(error, f"please report it with the output that {_DEBUG}=1 adds"))


def make_parser() -> Parser:
    """The parser of all commands."""
    # Here, where main looks after errors: they bring SimpleITK, and Ctrl-C may come while it loads.
    from deepreg_engine.commands import (
        cross_validate,
        demo,
        evaluate,
        features,
        keypoints,
        models,
        phantom,
        register,
        report,
        train,
        warp,
        worker,
    )

    parser = Parser(
        prog=_NAME,
        description=paragraph(
            "Deformable registration of 3D medical images. Features say what looks alike; discrete optimisation finds the deformation; "
            "every step can be looked at."
        ),
        epilog="\n".join(
            (
                "To see it work:              deepreg-engine demo",
                "Each command has its page:   deepreg-engine COMMAND --help",
                f"If something goes wrong:     with {_DEBUG}=1 it says where",
            )
        ),
    )
    parser.add_argument("--version", action="version", version=f"{_NAME} {__version__}", help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="<command>", dest="command", required=True)
    for module in (register, warp, evaluate, report, features, keypoints, phantom, models, train, cross_validate, demo, worker):
        module.add(commands)
    return parser


def _fail(parser: Parser | None, error: EngineError) -> int:
    program, line = parser.prog if parser else _NAME, error.line()
    if isinstance(error, UsageError):
        program = error.program
    elif parser and (typed := parser.typed(error)):
        line += f" ({typed})"
    with contextlib.suppress(OSError):  # nobody may be there to read it
        if os.environ.get(_DEBUG):
            traceback.print_exc()
        print(f"{program}: {line}", file=sys.stderr, flush=True)
    return 2


# ---------------------------------------------------------------------------------------------------------------- streams


def _own_streams() -> None:
    """Make stdout and stderr take every text, and hold nothing but what a command says.

    ITK, HDF5 and others print warnings and pages of error stacks straight to stderr, in the midst of the progress bar and of
    the one line that a user needs. With DEEPREG_DEBUG they may.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started this
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for the rest of the process
        elif hasattr(stream, "reconfigure"):  # a name may hold letters that the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    if os.environ.get(_DEBUG):
        return
    with contextlib.suppress(OSError):
        kept = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = kept
        faulthandler.enable(kept)  # a crash is not silent
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


# ---------------------------------------------------------------------------------------------------------------- signals


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Let polite requests to end (SIGTERM, a closed terminal) take the way of Ctrl-C, which removes half-written files."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        handler = _interrupter()
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):  # not every system has all
            number = getattr(signal, name, None)
            # What is ignored stays ignored: nohup asks for that.
            if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupter():  # noqa: ANN202 - a signal handler
    last = -_SAME_WISH

    def interrupt(*_: object) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SAME_WISH:
            last = now
            raise KeyboardInterrupt

    return interrupt
