"""What the result of a row depends on, as a hash: contents of files, method, parameters, outputs, version of the engine. No torch."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from deepreg_engine import __version__
from deepreg_engine.cohort.rows import Row
from deepreg_engine.errors import InputError

_BLOCK = 1 << 20


class Digests:
    """Hashes of files, which are read again only if size or time of a file has changed.

    Args:
        file: where they are kept between runs.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, list] = {}
        self._changed = False
        try:
            known = json.loads(file.read_text(encoding="utf-8"))
            self._known = known if isinstance(known, dict) else {}
        except (OSError, ValueError):  # without it, or with a damaged one, all files are read again
            pass

    def of(self, path: str) -> str:
        """Return the hash of a file, or of all files of a folder with their names.

        Raises:
            InputError: if it cannot be read.
        """
        try:
            files = _files(Path(path))
            signs = [[str(each.relative_to(path)) if each != Path(path) else "", *_sign(each)] for each in files]
            known = self._known.get(path)
            if known and known[0] == signs:
                return known[1]
            found = hashlib.blake2b(digest_size=16)
            for each, sign in zip(files, signs, strict=True):
                found.update(f"{sign[0]}\0".encode())
                _add(found, each)
        except OSError as error:
            raise InputError(f"cannot read {path} ({error.strerror or error})", "check the path in the plan") from error
        self._known[path] = [signs, found.hexdigest()]
        self._changed = True
        return found.hexdigest()

    def save(self) -> None:
        """Keep the hashes for the next run."""
        if self._changed:
            temporary = self._file.with_name(f".{self._file.name}.{os.getpid()}")
            temporary.write_text(json.dumps(self._known), encoding="utf-8")
            os.replace(temporary, self._file)
            self._changed = False


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))


def _sign(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _add(found: hashlib.blake2b, path: Path) -> None:
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            found.update(block)


def identity(row: Row, digests: Digests) -> str:
    """Return the hash of a row. Files count by their contents, so that a data set may be moved; the row's name does not count.

    Raises:
        InputError: if a file cannot be read.
    """
    model = str(row.parameters.get("features", ""))
    content = {
        "engine": __version__.partition("+")[0],
        "method": row.method,
        "preset": row.preset,
        "parameters": {name: str(value) for name, value in row.parameters.items()},
        "outputs": sorted(row.outputs),
        "files": {name: digests.of(path) for name, path in row.files.items()},
        "label_names": digests.of(row.label_names) if row.label_names else "",
        "initial": digests.of(row.initial) if Path(row.initial).suffix else row.initial,
        "model": digests.of(model) if model.endswith(".safetensors") else "",
    }
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()
