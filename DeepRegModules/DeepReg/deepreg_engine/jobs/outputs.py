"""Checks of output files before a run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from deepreg_engine.errors import OutputError
from deepreg_engine.geometry.files import check_writable, suffix


def check_outputs(outputs: Mapping[str, str | None], inputs: Iterable[str | None]) -> None:
    """Check that every output can be written, that no two have the same path, and that none would overwrite an input.

    Args:
        outputs: name to path of each output; None if it is not wanted.
        inputs: paths of the input files; None if there is none.

    Raises:
        OutputError: if a path cannot be used.
    """
    read = {_identity(path) for path in inputs if path}
    written: set[object] = set()
    for name, path in outputs.items():
        if not path:
            continue
        check_writable(path)
        identity = _identity(path)
        if identity in read:
            raise OutputError(f"{path} would overwrite an input", "choose another name", name)
        if identity in written:
            raise OutputError(f"two outputs would be written to {path}", "give each its own name", name)
        written.add(identity)


def _identity(path: str) -> object:
    """Return a key that is equal for two paths of the same file, such as links or names in other case on some systems."""
    try:
        status = os.stat(path)
    except OSError:
        status = None
    if status is None or status.st_ino == 0:  # it does not exist yet, or the file system has no inode numbers
        return os.path.normcase(os.path.realpath(path))
    return status.st_dev, status.st_ino


def check_suffix(name: str, path: str | None, endings: tuple[str, ...]) -> None:
    """Raise OutputError if the path of an output has none of the endings; None is accepted."""
    if path and suffix(path) not in endings:
        raise OutputError(f"{path} needs another ending", f"use {' or '.join(endings)}", name)
