"""The folder of a cohort: its plan, the results of its rows, and the journal of what has been computed. No torch.

::

    plan.csv        the rows
    rows/NAME/      results of a row; the folder appears complete, with row.json
    journal.jsonl   one line for each row that has ended, appended; the last line of a row counts
    inputs.json     hashes of input files
    table.csv, structures.csv, index.html   the results of all rows

The folders of rows are the truth. The journal is a summary that is read fast, and holds the messages of rows that failed. A line that was
cut off by the end of a process is ignored.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepreg_engine.cohort.identity import Digests
from deepreg_engine.cohort.rows import Row, as_csv, read_csv
from deepreg_engine.errors import InputError, OutputError
from deepreg_engine.geometry.files import write_text

#: States of a row that has ended.
DONE, FAILED = "done", "failed"
_ROW = "row.json"


class CohortFolder:
    """The folder of a cohort.

    Args:
        path: of the folder.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.plan, self.rows_folder = self.path / "plan.csv", self.path / "rows"
        self.table, self.structures, self.page = self.path / "table.csv", self.path / "structures.csv", self.path / "index.html"
        self._journal, self._lock = self.path / "journal.jsonl", self.path / ".lock"

    # -------------------------------------------------------------------- plan

    def write_plan(self, rows: list[Row], replaced: bool = False) -> None:
        """Write the plan.

        Raises:
            OutputError: if the folder has another plan and ``replaced`` is False.
        """
        text = as_csv(rows)
        if self.plan.exists() and not replaced and self.plan.read_text(encoding="utf-8") != text:
            raise OutputError(f"{self.path} already has another plan", "choose another folder, or replace the plan", "replace")
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.plan, text)

    def rows(self) -> list[Row]:
        """Return the rows of the plan.

        Raises:
            InputError: if there is no plan, or it is damaged.
        """
        if not self.plan.is_file():
            raise self._no_plan()
        return read_csv(self.plan)

    def row_names(self) -> list[str]:
        """Return the names of the rows of the plan, without checking the rest of it; raises as :meth:`rows`."""
        if not self.plan.is_file():
            raise self._no_plan()
        with self.plan.open(encoding="utf-8", newline="") as stream:
            return [entry["row"] for entry in csv.DictReader(stream)]

    def _no_plan(self) -> InputError:
        return InputError(f"{self.path} has no plan.csv", "make one with the command plan")

    def digests(self) -> Digests:
        """Return the hashes of input files."""
        return Digests(self.path / "inputs.json")

    # ----------------------------------------------------------------- journal

    def journal(self) -> dict[str, dict[str, Any]]:
        """Return the last entry of each row in the journal, by name."""
        found: dict[str, dict[str, Any]] = {}
        try:
            with self._journal.open("rb") as stream:
                for line in stream:
                    entry = _parsed(line)
                    if entry is not None:
                        found[entry["row"]] = entry
        except FileNotFoundError:
            pass
        return found

    @contextmanager
    def appending(self) -> Iterator[Any]:
        """Yield a function that appends an entry to the journal; each is on the disk when it returns."""
        with self._journal.open("ab+") as stream:
            if stream.tell() and not _ends_with_line(stream):
                stream.write(b"\n")  # after a line that was cut off

            def append(entry: dict[str, Any]) -> None:
                stream.write(json.dumps(entry).encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())

            yield append

    # ----------------------------------------------------------------- results

    def row_folder(self, name: str) -> Path:
        """Return the folder of a row's results."""
        return self.rows_folder / name

    def entry(self, name: str) -> dict[str, Any] | None:
        """Return the entry that is stored with a row's results; None if it has none."""
        try:
            return json.loads((self.row_folder(name) / _ROW).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not computed yet, or damaged from outside: it is computed again
            return None

    @contextmanager
    def new_results(self, name: str, entry: dict[str, Any]) -> Iterator[Path]:
        """Yield an empty folder for the results of a row; it takes the row's name when the block ends, or is removed on an exception.

        Args:
            name: of the row.
            entry: stored with the results; it may be filled in until the block ends.
        """
        self.rows_folder.mkdir(parents=True, exist_ok=True)
        new, final = self.rows_folder / f".{uuid.uuid4().hex}.new", self.row_folder(name)
        new.mkdir()
        try:
            yield new
            write_text(new / _ROW, json.dumps(entry))
            _replace(new, final)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def remove_rests(self) -> None:
        """Remove what processes that were killed have left; only while no run is active."""
        if self.rows_folder.is_dir():
            for rest in os.scandir(self.rows_folder):
                if rest.name.startswith(".") and rest.name.endswith((".new", ".old")):
                    shutil.rmtree(rest.path, ignore_errors=True)

    # -------------------------------------------------------------------- lock

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep other runs out of the folder; the system ends the claim with the process.

        Raises:
            OutputError: if another run is active in it.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self._lock)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise OutputError(f"another run is active in {self.path}", "wait for its end, or stop it") from None
        try:
            yield
        finally:
            lock.release()


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:  # cut off when its process was killed
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("row"), str) else None


def _ends_with_line(stream: Any) -> bool:
    stream.seek(-1, os.SEEK_END)
    return stream.read(1) == b"\n"


def _replace(new: Path, final: Path) -> None:
    """Give a complete folder its final name; one that has the name already is removed."""
    old = new.with_suffix(".old")
    while True:
        try:
            os.rename(new, final)
            break
        except OSError:
            if not final.exists():
                raise
        try:
            os.rename(final, old)  # the results of changed inputs, or of another process that computed the same
        except FileNotFoundError:
            continue
        shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
