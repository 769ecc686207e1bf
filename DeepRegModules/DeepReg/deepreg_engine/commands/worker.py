"""``worker``: compute for another program, such as 3D Slicer."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from deepreg_engine.commands.console import NAME, end_process, report_error
from deepreg_engine.commands.parsing import Parser, paragraph
from deepreg_engine.errors import EngineError

_ABOUT = """
Compute for another program, such as 3D Slicer: requests come as lines of JSON on stdin, events go out as lines of JSON on stdout, large
data travels in files. The worker stays, with its libraries loaded, until stdin ends. The module deepreg_engine.worker describes the
protocol.
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    _fill(commands.add_parser("worker", help="compute for another program", description=paragraph(_ABOUT)))


def _fill(parser: Parser) -> None:
    parser.add_argument("--scratch", metavar="DIR", help="folder of the other program, removed if that program ends")
    parser.add_argument("--mark", metavar="FILE", help="file that the worker removes when it ends by itself; if it is gone, DIR is kept")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> None:
    """Serve requests until stdin ends."""
    from deepreg_engine.worker import serve

    serve(options.scratch, options.mark)


def console() -> NoReturn:
    """Run the worker and end the process; the modules of the other commands are not imported."""
    end_process(_main)


def _main() -> int:
    parser = Parser(prog=f"{NAME} worker")
    _fill(parser)
    try:
        run(parser.parse(sys.argv[2:]))
    except EngineError as error:
        return report_error(error, parser)
    return 0
