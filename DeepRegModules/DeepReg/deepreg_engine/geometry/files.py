"""Atomic writing of files: a half-written file never appears.

A file is written under a temporary name in its own folder and renamed once it is complete; a group of files is renamed only when
all of them are complete.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from deepreg_engine.errors import OutputError

# Bytes that must be free on the disk after a file.
_SPARE = 1 << 16
# Longest first: "a.nii.gz" ends in ".nii.gz", not in ".gz".
_DOUBLE_SUFFIXES = (".nii.gz", ".mrk.json", ".seg.nrrd")


def suffix(path: str | os.PathLike) -> str:
    """Return the ending of a file name in lower case, including double endings such as ".nii.gz"."""
    name = Path(path).name.lower()
    return next((s for s in _DOUBLE_SUFFIXES if name.endswith(s)), Path(name).suffix)


def check_writable(path: str | os.PathLike) -> Path:
    """Check that a file can be written, before its content is computed; returns the path.

    Raises:
        OutputError: if its folder is missing or read-only, or the path is a folder or a read-only file.
    """
    path = Path(path)
    folder = path.parent
    if path.is_dir():
        raise OutputError(f"{path} is a folder", "give the name of a file")
    if not folder.is_dir():
        raise OutputError(f"the folder {folder} does not exist", "make it first or choose another")
    probe = folder / f".{uuid.uuid4().hex}.tmp"
    try:
        try:
            probe.touch(exist_ok=False)  # mode bits are no answer for root or on a network share
        finally:  # also on Ctrl-C
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {folder} ({error.strerror or error})", "choose a folder you may write to") from error
    if path.exists() and not os.access(path, os.W_OK):
        raise OutputError(f"{path} is read-only", "choose another name")
    return path


class FileGroup:
    """Files that appear together or not at all.

    Example::

        with FileGroup() as files:
            files.add("warped.nii.gz", lambda path: write_image(image, path))
            files.add_text("report.json", text)

    Leaving the block renames all of them; an exception removes all of them.
    """

    def __init__(self) -> None:
        self._pending: list[tuple[Path, Path]] = []

    def add(self, path: str | os.PathLike, write: Callable[[str], object]) -> None:
        """Write one file under a temporary name with the same ending.

        Args:
            path: its final name.
            write: a function that writes the content to the path it is given.

        Raises:
            OutputError: if the disk is full or the file cannot be written.
        """
        path = check_writable(path)
        temporary = path.parent / f".{uuid.uuid4().hex}{suffix(path)}"
        self._pending.append((temporary, path))
        try:
            write(str(temporary))
            _check_disk(temporary)
        except (OSError, RuntimeError) as error:
            raise OutputError(f"cannot write {path} ({_reason(error)})", "free some space or choose another folder") from error

    def add_text(self, path: str | os.PathLike, text: str) -> None:
        """Write a text file, UTF-8; see :meth:`add`."""
        self.add(path, lambda name: Path(name).write_text(text, encoding="utf-8"))

    def __enter__(self) -> FileGroup:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        try:
            if kind is None:
                self._rename()
        finally:
            for temporary, _target in self._pending:
                temporary.unlink(missing_ok=True)

    def _rename(self) -> None:
        """Rename all files; if one cannot be renamed, restore all files that were there before."""
        started: list[tuple[Path, Path, Path]] = []
        group = len(self._pending) > 1  # a single file is simply replaced
        try:
            for temporary, path in self._pending:
                kept = path.parent / f".{uuid.uuid4().hex}.old"
                started.append((temporary, path, kept))
                if group and path.is_file():
                    os.replace(path, kept)
                os.replace(temporary, path)
        except BaseException as error:  # Ctrl-C as well
            for temporary, target, kept in reversed(started):
                if kept.exists():
                    os.replace(kept, target)
                elif group and not temporary.exists():  # renamed already, and there was no file before
                    target.unlink(missing_ok=True)
            if not isinstance(error, OSError):
                raise
            raise OutputError(f"cannot write {started[-1][1]} ({_reason(error)})", "choose another name") from error
        for *_, kept in started:
            kept.unlink(missing_ok=True)


def _check_disk(path: Path) -> None:
    """Raise OSError if the disk could not hold a whole file.

    ITK's writers of NIfTI and of text transforms report no error on a full disk. After that, no further block fits on the disk. Therefore a
    block is written and removed; it is flushed, because a network share reports errors late.
    """
    with open(path, "rb+") as stream:
        end = stream.seek(0, os.SEEK_END)
        stream.write(bytes(_SPARE))
        stream.flush()
        os.fsync(stream.fileno())
        stream.truncate(end)
        os.fsync(stream.fileno())


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write one text file, completely or not at all."""
    with FileGroup() as files:
        files.add(path, lambda name: Path(name).write_text(text, encoding="utf-8"))
