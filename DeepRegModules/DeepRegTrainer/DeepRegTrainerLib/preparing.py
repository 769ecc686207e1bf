"""What has to be known before a training begins: which scans can be read, how long it will take, and how much memory."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from deepreg_slicer.cooperative import Cooperative
from deepreg_slicer.signals import Signal
from deepreg_slicer.worker_client import Job, JobError, WorkerClient
from DeepRegTrainerLib.export import Exported, writeScans
from DeepRegTrainerLib.scans import SceneScan
from DeepRegTrainerLib.trainings import folderName, newFolder

_SCANS = "scans"
# Of the bar, for writing; the rest is the worker's.
_WRITING = 0.5


@dataclass
class Prepared:
    """Scans that can be learned from, and what that will take.

    Args:
        choices: of what; another choice needs another estimate.
        home: the folder in which the training will be; hidden until it begins.
        data: folders to learn from.
        exported: the scans of the scene; None for those of a folder.
        estimate: what the engine says: seconds, memory, free_memory, scans, bad.
    """

    choices: str
    home: Path
    data: list[str]
    exported: Exported | None = None
    estimate: dict[str, Any] = field(default_factory=dict)

    @property
    def begun(self) -> bool:
        """Whether a training has its name and its folder."""
        return not self.home.name.startswith(".")

    def bad(self) -> dict[str, str]:
        """Name of each scan that cannot be used, and why not."""
        return {str(scan["name"]): str(scan["problem"]) for scan in self.estimate.get("bad") or []}

    def keepAs(self, root: Path, name: str) -> Path:
        """Give the folder the training's name; returns it.

        Raises:
            OSError: if that is not possible.
        """
        home = root / folderName(name)
        if self.home != home:
            if self.begun:
                raise FileExistsError(_("these scans belong to the training {name}: press Estimate again").format(name=self.home.name))
            if home.exists():
                raise FileExistsError(_("there is a training of that name already"))
            os.rename(self.home, home)
            before, self.home = self.home, home
            self.data = [str(home / Path(path).relative_to(before)) if Path(path).is_relative_to(before) else path for path in self.data]
            if self.exported is not None:
                self.exported.folder = self.data[0]
        return home

    def discard(self) -> None:
        """Delete what was written, unless a training has begun with it."""
        if not self.begun:
            shutil.rmtree(self.home, ignore_errors=True)


class Preparation:
    """Writes scans of the scene, and asks the engine for an estimate.

    Args:
        choices: see :class:`Prepared`.
        root: where trainings lie.
        scans: of the scene; None for those of a folder.
        arguments: of the operation, without folder, and for scans of the scene without data.
        client: of the worker.

    Signals: ``progressed(share, stage, secondsLeft)``, and at the end one of ``finished(Prepared)`` and ``failed(JobError)``; the problems
    of scans that could not be written are in :attr:`problems` before that.
    """

    def __init__(self, choices: str, root: Path, scans: list[SceneScan] | None, arguments: dict[str, Any], client: WorkerClient) -> None:
        self.progressed, self.finished, self.failed = Signal(), Signal(), Signal()
        self._choices, self._root, self._scans, self._arguments, self._client = choices, root, scans, arguments, client
        self._prepared: Prepared | None = None
        self._job: Job | None = None
        self._work: Cooperative | None = None

    @property
    def exported(self) -> Exported | None:
        """What was written so far."""
        return self._prepared.exported if self._prepared is not None else None

    def start(self) -> None:
        """Begin."""
        self._work = Cooperative(self._write())
        self._work.finished.connect(lambda _nothing: self._ask())
        self._work.failed.connect(lambda error: self._fail(JobError("output", _plain(error), "")))
        self._work.start()

    def cancel(self) -> None:
        """Stop; what was written goes."""
        if self._work is not None:
            self._work.stop()
        job, self._job = self._job, None
        if job is not None and not job.over:
            self._client.cancel(job)
        elif self._prepared is not None:
            self._prepared.discard()
        if job is None:
            self.failed.emit(JobError("cancelled", "stopped by the user", "nothing was changed"))

    def _write(self) -> Generator[float, None, None]:
        home = newFolder(self._root)
        self._prepared = Prepared(self._choices, home, list(self._arguments.get("data") or []))
        yield 0.0
        if self._scans is None:
            return
        folder = str(home / _SCANS)
        work = writeScans(self._scans, folder)
        self.progressed.emit(0.0, _("writing the scans"), None)
        self._prepared.exported = yield from work
        self._prepared.data = [folder]

    def _ask(self) -> None:
        self._work = None
        prepared = self._prepared
        if prepared.exported is not None and not prepared.exported.files:
            problems = "; ".join(f"{self._nameOf(key)}: {problem}" for key, problem in prepared.exported.problems.items())
            self._fail(
                JobError("input", _("no scan can be used ({problems})").format(problems=problems), _("correct them, or choose others"))
            )
            return
        self.progressed.emit(_WRITING, _("looking at the scans"), None)
        arguments = {**self._arguments, "data": prepared.data, "folder": str(prepared.home / "training"), "skip_bad": True}
        self._job = self._client.submit("train-estimate", self._named(arguments))
        self._job.progressed.connect(lambda share, stage, left: self.progressed.emit(_WRITING + (1.0 - _WRITING) * share, stage, left))
        self._job.finished.connect(self._onEstimate)
        self._job.failed.connect(self._fail)

    def _nameOf(self, key: str) -> str:
        return next((scan.name for scan in self._scans or [] if scan.key == key), key)

    def _named(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The same, with scans of the scene under the names of their files."""
        return {**arguments, **rolesOf(self._prepared.exported, self._scans)} if self._scans is not None else arguments

    def _onEstimate(self, estimate: dict[str, Any]) -> None:
        prepared = self._prepared
        prepared.estimate = estimate
        self.finished.emit(prepared)

    def _fail(self, error: JobError) -> None:
        self._work = None
        if self._prepared is not None:
            self._prepared.discard()
        self.failed.emit(error)


def rolesOf(exported: Exported, scans: list[SceneScan]) -> dict[str, list[str]]:
    """The argument that names the scans to validate with."""
    return {"validation": [exported.files[scan.key] for scan in scans if scan.role == "validate" and scan.key in exported.files]}


def choicesOf(arguments: dict[str, Any], scans: list[SceneScan] | None) -> str:
    """What an estimate is for: the scans that are used, and the arguments that it depends on."""
    about = {
        key: value for key, value in arguments.items() if key not in ("name", "about", "licence", "validation", "leave_out", "skip_bad")
    }
    return json.dumps([about, None if scans is None else [scan.stamp() for scan in scans]], sort_keys=True)


def _plain(error: Exception) -> str:
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)
