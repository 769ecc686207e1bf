"""The command line: ``python -m deepreg_engine ...`` or ``deepreg-engine ...``.

Exit code 0, or 2 with one line on stderr that describes the error and gives advice.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from deepreg_engine import __version__
from deepreg_engine.commands.console import DEBUG, NAME, end_process, interruptible, report_error
from deepreg_engine.commands.parsing import Parser, paragraph


def console() -> NoReturn:
    """Run the command line and exit the process with its exit code."""
    end_process(main)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # torch reads it when it loads its thread pool. Threads that spin for long while they wait for each other make a run many times
    # slower if another program needs one of the cores; threads that never spin make it three times slower if none does.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    parser: Parser | None = None
    with interruptible():
        try:
            try:
                options = make_parser().parse(arguments)
            except SystemExit:  # argparse has printed a help page or the version
                options = None
            if options is not None:
                parser = options.parser
                options.run(options)
            sys.stdout.flush()
            return 0
        except BrokenPipeError:  # the reader of the pipe has ended, as in "| head"
            return 0
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - one line instead of a page
            return report_error(error, parser)


def make_parser() -> Parser:
    """Return the parser of all commands."""
    # Here, where main catches errors: they import SimpleITK, and Ctrl-C may come while it loads.
    from deepreg_engine.commands import (
        cohort,
        content,
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
        prog=NAME,
        description=paragraph(
            "Deformable registration of 3D medical images. Features describe what corresponds; discrete optimisation finds the "
            "deformation; every step can be inspected."
        ),
        epilog="\n".join(
            (
                "To try it:                   deepreg-engine demo",
                "Each command has its page:   deepreg-engine COMMAND --help",
                f"If something goes wrong:     {DEBUG}=1 shows where",
            )
        ),
    )
    parser.add_argument("--version", action="version", version=f"{NAME} {__version__}", help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="<command>", dest="command", required=True)
    for module in (
        register,
        content,
        warp,
        evaluate,
        report,
        features,
        keypoints,
        phantom,
        models,
        train,
        cross_validate,
        cohort,
        demo,
        worker,
    ):
        module.add(commands)
    return parser
