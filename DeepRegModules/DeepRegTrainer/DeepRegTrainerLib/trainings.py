"""Trainings as folders: the request, the state and the result of each.

A folder holds ``request.json`` (written by the panel), ``scans`` (exported from the scene), ``training`` (the engine's folder) and
``cross-validation`` (the engine's folders of folds). A training is completely in its folder, so it can be resumed after a crash of the
application.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import qt

from deepreg_slicer.process_numbers import ownFolder, processRuns

TRAIN, EVALUATE = "train", "cross-validate"
PAUSE, STOP = "pause", "stop"
_SETTING = "DeepReg/TrainingsFolder"
_REQUEST, _STATE, _MODEL = "request.json", "training.json", "model.safetensors"
FOLDERS = {TRAIN: "training", EVALUATE: "cross-validation"}
_NEW = ".new-"
# A training writes its log at least this often, seconds; one that has written nothing for longer ended with its application.
_LATELY = 600.0


def rootFolder() -> Path:
    """Return the folder for trainings: the one that the user chose, or else the folder ``trainings`` beside the user's models."""
    chosen = qt.QSettings().value(_SETTING)
    if chosen:
        return Path(str(chosen))
    from deepreg_engine.models.folders import own_folder

    return own_folder() / "trainings" if os.environ.get("DEEPREG_MODELS") else own_folder().parent / "trainings"


def setRootFolder(folder: str | os.PathLike) -> None:
    """Choose another folder for trainings; existing trainings stay where they are."""
    qt.QSettings().setValue(_SETTING, str(folder))


def folderName(name: str) -> str:
    """Return the folder of a training of that name."""
    plain = "".join(letter if letter.isalnum() or letter in "-_ ." else "_" for letter in name).strip(" .")
    return plain or "training"


@dataclass
class Training:
    """One training, or one cross-validation.

    Args:
        folder: of the engine: with control, log and model.
        operation: :data:`TRAIN` or :data:`EVALUATE`.
        name: of the model.
        arguments: of the operation.
        state: "running", "paused", "stopped", "finished", "failed", as the engine wrote it last; "" before it began. step, steps: number of
        steps done, and in all; 0 if that is not known. added: name of the model among the user's own, "" until it is added. changed: when
        it was last written, seconds since 1970. request: the file in which the panel keeps this; None for a training that the command line
        has begun. known: content of that file when it was read.
    """

    folder: Path
    operation: str
    name: str
    arguments: dict[str, Any]
    state: str = ""
    step: int = 0
    steps: int = 0
    added: str = ""
    changed: float = 0.0
    request: Path | None = None
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return str(self.arguments.get("method") or "")

    @property
    def model(self) -> Path | None:
        """The file of its model; None if there is none yet."""
        path = self.folder / _MODEL
        return path if self.operation == TRAIN and path.is_file() else None

    @property
    def unfinished(self) -> bool:
        """Whether it can be resumed."""
        return self.state not in ("finished", "stopped")

    @property
    def isElsewhere(self) -> bool:
        """Whether another application probably runs it: the process that began it runs, and its files changed recently."""
        other = int(self.known.get("process") or 0)
        return self.state == "running" and other not in (0, os.getpid()) and processRuns(other) and time.time() - self.changed < _LATELY

    @property
    def log(self) -> Path:
        return self.folder / "log.jsonl"

    def give(self, command: str) -> None:
        """Give a command: "pause" or "stop" after the present step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self.folder / "control", command)

    @property
    def isCommanded(self) -> bool:
        """Whether a command waits for the end of the present step."""
        return (self.folder / "control").exists()

    def withdraw(self) -> None:
        """Withdraw a command."""
        with contextlib.suppress(OSError):
            (self.folder / "control").unlink()

    def save(self) -> None:
        """Write the panel's file."""
        if self.request is not None:
            self.known = _read(self.request)  # the file also holds the entry of a cross-validation of the same folder
            self.known["process"] = os.getpid()
            self.known[self.operation] = {"name": self.name, "arguments": self.arguments, "added": self.added, "state": self.state}
            self.request.parent.mkdir(parents=True, exist_ok=True)
            _write(self.request, json.dumps(self.known, indent=1))

    def refresh(self) -> None:
        """Read state and steps again."""
        written = _read(self.folder / _STATE)
        if self.operation == TRAIN or written:
            self.state = str(written.get("state") or self.state)
        result = written.get("result") if isinstance(written.get("result"), dict) else {}
        self.step, self.steps = (int(result.get(key) or 0) for key in ("step", "steps"))
        self.changed = _latest([self.folder / _STATE, self.log, self.request])
        last = Log(self.log).read()
        if last and last[-1]["step"] > self.step:
            self.step, self.steps = last[-1]["step"], int(last[-1].get("steps") or 0)


def begin(home: Path, operation: str, name: str, arguments: dict[str, Any]) -> Training:
    """Begin a training, or cross-validation, in its home; the other one may be there already.

    Args:
        home: the training's folder under the root.
        operation: see :class:`Training`.
        name: of the model.
        arguments: of the operation, without the folder.
    """
    folder = home / FOLDERS[operation]
    training = Training(
        folder, operation, name, {**arguments, "folder": str(folder)}, request=home / _REQUEST, known=_read(home / _REQUEST)
    )
    training.save()
    return training


def _latest(files: list[Path | None]) -> float:
    """Return the time at which one of the files was written last, seconds since 1970; 0 if none exists."""
    return max((file.stat().st_mtime for file in files if file is not None and file.is_file()), default=0.0)


def findTrainings(root: Path) -> list[Training]:
    """Return all trainings in a folder, the latest first."""
    found = []
    for home in sorted(root.iterdir()) if root.is_dir() else []:
        if not home.is_dir() or home.name.startswith("."):
            continue
        known = _read(home / _REQUEST)
        found += _ofPanel(home, known) if known else _ofCommandLine(home)
    for training in found:
        training.refresh()
    return sorted(found, key=lambda training: -training.changed)


def _ofPanel(home: Path, known: dict[str, Any]) -> list[Training]:
    """Return the training and the cross-validation of a folder that a panel has made.

    Args:
        home: the folder.
        known: content of its file of requests.
    """
    found = []
    for operation in (TRAIN, EVALUATE):
        entry = known.get(operation)
        if isinstance(entry, dict) and isinstance(entry.get("arguments"), dict):
            folder = home / FOLDERS[operation]
            found.append(
                Training(
                    folder,
                    operation,
                    str(entry.get("name") or home.name),
                    _moved(entry["arguments"], folder),  # the folder may have been moved since then
                    str(entry.get("state") or ""),
                    added=str(entry.get("added") or ""),
                    request=home / _REQUEST,
                    known=known,
                )
            )
    return found


def _ofCommandLine(home: Path) -> list[Training]:
    """Return the training of a folder that the command line has made; none if it holds something else."""
    written = _read(home / _STATE)
    if not isinstance(written.get("request"), dict):
        return []
    arguments = {**written["request"], "folder": str(home)}
    return [Training(home, TRAIN, str(arguments.get("name") or home.name), arguments)]


def remove(training: Training) -> None:
    """Delete a training with its scans, its log and its model; a cross-validation alone if a training is beside it.

    Raises:
        OSError: if files cannot be deleted.
    """
    if training.request is None:
        shutil.rmtree(training.folder)
        return
    known = {key: value for key, value in _read(training.request).items() if key != training.operation}
    if TRAIN in known or EVALUATE in known:
        _write(training.request, json.dumps(known, indent=1))
        shutil.rmtree(training.folder, ignore_errors=True)
    else:
        shutil.rmtree(training.request.parent)


def newFolder(root: Path) -> Path:
    """Make a folder for scans of a training that has not begun; such folders of processes that have ended are removed.

    Raises:
        OSError: if it cannot be made.
    """
    root.mkdir(parents=True, exist_ok=True)
    return Path(ownFolder(root, _NEW))


class Log:
    """Reads a training's log while it is written.

    Args:
        path: of the file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._lines: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """Return all lines so far. Lines of steps that a resumed training repeats replace the earlier ones."""
        try:
            if self._path.stat().st_size < self._offset:  # the log was replaced by a shorter one
                self._offset, self._lines = 0, []
            with open(self._path, "rb") as stream:
                stream.seek(self._offset)
                new = stream.read()
        except OSError:
            return list(self._lines)
        whole = new.rfind(b"\n") + 1
        self._offset += whole
        for text in new[:whole].splitlines():
            try:
                line = json.loads(text)
                step = int(line["step"])
            except (ValueError, TypeError, KeyError):
                continue
            while self._lines and self._lines[-1]["step"] >= step:
                self._lines.pop()
            self._lines.append(line)
        return list(self._lines)


def _moved(arguments: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return arguments with paths inside a training's home that has been moved."""
    before = Path(str(arguments.get("folder") or folder)).parent

    def now(path: str) -> str:
        return str(folder.parent / Path(path).relative_to(before)) if Path(path).is_relative_to(before) else path

    return {**arguments, "folder": str(folder), "data": [now(str(path)) for path in arguments.get("data") or []]}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, text: str) -> None:
    """Write a file, completely or not at all."""
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
