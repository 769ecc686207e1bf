"""Checks of output files before a run, so that no work is lost to a wrong name."""

from __future__ import annotations

import os
from collections.abc import Iterable

from deepreg_engine.errors import OutputError
from deepreg_engine.geometry.files import check_writable, suffix


def check_outputs(outputs: dict[str, str | None], inputs: Iterable[str | None]) -> None:
    """Make sure that every output can be written, none twice, and none over an input.

    Args:
        outputs: name of the output to path; None is an output that is not wanted.
        inputs: paths of the input files; None is left out.

    Raises:
        OutputError: if one cannot be used.
    """
    read = {_identity(path) for path in inputs if path}
    written: set[object] = set()
    for option, path in outputs.items():
        if not path:
            continue
        option = _name(option)
        check_writable(path)
        identity = _identity(path)
        if identity in read:
            raise OutputError(f"{path} would overwrite an input", "choose another name", option)
        if identity in written:
            raise OutputError(f"two outputs would be written to {path}", "give each its own name", option)
        written.add(identity)


def _identity(path: str) -> object:
    """What two paths of one file have in common, be it a link or, on some systems, written in other letters."""
    try:
        status = os.stat(path)
    except OSError:
        status = None
    if status is None or status.st_ino == 0:  # not there yet, or on a file system that does not number its files
        return os.path.normcase(os.path.realpath(path))
    return status.st_dev, status.st_ino


def check_suffix(option: str, path: str | None, endings: tuple[str, ...]) -> None:
    """Raise OutputError if a wanted output does not have one of the endings."""
    if path and suffix(path) not in endings:
        raise OutputError(f"{path} needs another ending", f"use {' or '.join(endings)}", _name(option))


def _name(option: str) -> str:
    """Name of an output in Python's form; ``--fixed-mask`` is accepted as well."""
    return option.lstrip("-").replace("-", "_")
