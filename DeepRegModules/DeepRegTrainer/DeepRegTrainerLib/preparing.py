"""The estimate before a training: the scans that can be read, and the required time and memory."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.errors import NodeError
from deepreg_slicer.worker_client import WorkerClient
from deepreg_slicer.worker_task import WorkerTask
from DeepRegTrainerLib.export import Exported, writeScans
from DeepRegTrainerLib.scans import VALIDATE, SceneScan
from DeepRegTrainerLib.trainings import folderName, newFolder

_SCANS = "scans"


@dataclass
class Prepared:
    """Usable scans of a training, and their estimate.

    Args:
        choices: on which the estimate depends; see :func:`choicesOf`.
        home: the folder in which the training will be; hidden until it begins.
        data: folders of the training.
        exported: the scans of the scene; None for those of a folder.
        estimate: of the engine: seconds, memory, free_memory, scans, bad.
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
        """Return the name of each scan that cannot be used, and its problem."""
        return {str(scan["name"]): engineText(str(scan["problem"])) for scan in self.estimate.get("bad") or []}

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
        """Delete the exported files, unless a training has begun with them."""
        if not self.begun:
            shutil.rmtree(self.home, ignore_errors=True)


class EstimateTask(WorkerTask):
    """Writes scans of the scene, and asks the engine for an estimate; the result is a :class:`Prepared`.

    Args:
        choices: see :class:`Prepared`.
        root: folder of all trainings.
        scans: of the scene; None for those of a folder.
        arguments: of the operation, without folder, and for scans of the scene without data.
        client: of the worker.
    """

    operation = "train-estimate"
    exported = 0.5
    exporting, reading = _("writing the scans"), _("reading the estimate")
    queued = True

    def __init__(self, choices: str, root: Path, scans: list[SceneScan] | None, arguments: dict[str, Any], client: WorkerClient) -> None:
        super().__init__(client)
        self._root, self._scans, self._arguments = root, scans, arguments
        self._prepared = Prepared(choices, root, list(arguments.get("data") or []))

    @property
    def written(self) -> Exported | None:
        """The scans that were written so far."""
        return self._prepared.exported

    def makeFolder(self) -> str:
        self._prepared.home = newFolder(self._root)
        return str(self._prepared.home)

    def export(self) -> Generator[float, None, dict[str, Any]]:
        prepared, arguments = self._prepared, dict(self._arguments)
        if self._scans is not None:
            folder = self.file(_SCANS)
            prepared.exported = yield from writeScans(self._scans, folder)
            prepared.data = [folder]
            if not prepared.exported.files:
                names = {scan.key: scan.name for scan in self._scans}
                problems = "; ".join(f"{names[key]}: {problem}" for key, problem in prepared.exported.problems.items())
                raise NodeError(_("no scan can be used ({problems})").format(problems=problems), _("correct them, or choose others"))
            # The engine names scans of the scene by their files.
            arguments.update(rolesOf(prepared.exported, self._scans))
        return {**arguments, "data": prepared.data, "folder": self.file("training"), "skip_bad": True}

    def accept(self, value: dict[str, Any]) -> Prepared:
        self._prepared.estimate = value
        return self._prepared

    def cleanUp(self) -> None:
        if self.error is not None and self.folder:
            self._prepared.discard()


def rolesOf(exported: Exported, scans: list[SceneScan]) -> dict[str, list[str]]:
    """Return the argument that names the scans to validate with."""
    return {"validation": [exported.files[scan.key] for scan in scans if scan.role == VALIDATE and scan.key in exported.files]}


def choicesOf(arguments: dict[str, Any], scans: list[SceneScan] | None) -> str:
    """Return the choices on which an estimate depends: the scans that are used, and arguments."""
    about = {
        key: value for key, value in arguments.items() if key not in ("name", "about", "licence", "validation", "leave_out", "skip_bad")
    }
    return json.dumps([about, None if scans is None else [scan.stamp() for scan in scans]], sort_keys=True)
