"""Checks of output files before a run, so that no work is lost to a wrong name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from deepreg_engine.errors import OutputError
from deepreg_engine.geometry.files import check_writable, suffix


def check_outputs(outputs: dict[str, str | None], inputs: Iterable[str | None]) -> None:
    """Make sure that every output can be written, none twice, and none over an input.

    Args:
        outputs: option name to path; None is an output that is not wanted.
        inputs: paths of the input files; None is left out.

    Raises:
        OutputError: if one cannot be used.
    """
    read = {os.path.realpath(path): path for path in inputs if path}
    written: dict[str, str] = {}
    for option, path in outputs.items():
        if not path:
            continue
        check_writable(path)
        real = os.path.realpath(path)
        if real in read:
            raise OutputError(f"{option} {path} would overwrite an input", "choose another name")
        if real in written:
            raise OutputError(f"{written[real]} and {option} both write {path}", "give each its own name")
        written[real] = option


def check_suffix(option: str, path: str | None, endings: tuple[str, ...]) -> None:
    """Raise OutputError if a wanted output does not have one of the endings."""
    if path and suffix(path) not in endings:
        raise OutputError(f"{option} {path} needs another ending", f"use {' or '.join(endings)}")


def names(paths: Iterable[str | Path | None]) -> str:
    """The files that were written, for a summary."""
    return "  ".join(str(path) for path in paths if path)
