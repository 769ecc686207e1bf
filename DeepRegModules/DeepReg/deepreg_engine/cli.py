"""The command line: ``python -m deepreg_engine ...`` or ``deepreg-engine ...``.

Exit code 0, or 2 with one line on stderr that says what is wrong and what to do.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback

from deepreg_engine import __version__
from deepreg_engine.commands import demo, evaluate, models, phantom, register, warp
from deepreg_engine.commands.parsing import Parser, paragraph
from deepreg_engine.errors import Cancelled, EngineError, NotEnoughMemoryError

_DEBUG = "DEEPREG_DEBUG"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # Read when torch loads its thread pool. Threads that spin while they wait for each other are a little faster on an idle
    # computer, and many times slower where another program wants one of the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    _end_cleanly_on_terminate()
    program = "deepreg-engine"
    try:
        options = make_parser().parse_args(arguments)
        program = options.parser.prog
        options.run(options)
        sys.stdout.flush()
        return 0
    except EngineError as error:
        return _fail(program, error)
    except KeyboardInterrupt:
        return _fail(program, Cancelled())
    except MemoryError:
        return _fail(program, _out_of_memory())
    except BrokenPipeError:  # "| head": the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last resort: one line instead of a page
        if _is_out_of_memory(error):
            return _fail(program, _out_of_memory())
        message = f"internal error ({type(error).__name__}: {error})"
        return _fail(program, EngineError(message, f"please report it with the output that {_DEBUG}=1 adds"))


def make_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(
        prog="deepreg-engine",
        description=paragraph(
            "Deformable registration of 3D medical images. Features say what looks alike; discrete optimisation finds the deformation; "
            "every step can be looked at."
        ),
        epilog="Each command has its own page: deepreg-engine COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"deepreg-engine {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="<command>", dest="command", required=True)
    for module in (register, warp, evaluate, phantom, models, demo):
        module.add(commands)
    return parser


def _fail(program: str, error: EngineError) -> int:
    if os.environ.get(_DEBUG):
        traceback.print_exc()
    print(f"{program}: {error.line()}", file=sys.stderr)
    return 2


def _end_cleanly_on_terminate() -> None:
    """Let a polite request to end (SIGTERM) take the way of Ctrl-C, which removes half-written files."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error).lower()
    return "can't allocate memory" in text or "out of memory" in text or "bad_alloc" in text or "failed to allocate" in text


def _out_of_memory() -> NotEnoughMemoryError:
    return NotEnoughMemoryError("the computer ran out of memory", "close other programs, or use a coarser --set working_spacing")
