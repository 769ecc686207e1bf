"""The choices of the trainer's panel, the result of an estimate, and the running task; the sections of the panel share them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from deepreg_slicer.parameter_pack import valuesOf
from deepreg_slicer.signals import Signal
from deepreg_slicer.torch_state import knownMissing
from deepreg_slicer.worker_client import WorkerClient
from DeepRegTrainerLib.chosen_scans import ChosenScans
from DeepRegTrainerLib.methods import METHODS, Method
from DeepRegTrainerLib.preparing import Prepared, choicesOf, rolesOf
from DeepRegTrainerLib.running import Run
from DeepRegTrainerLib.scans import LEARN, NONE, VALIDATE
from DeepRegTrainerLib.trainings import Training, folderName, rootFolder

# The least number of scans: one is compared with another.
_LEAST_SCANS = 2
_TOO_LARGE = (
    (
        "memory",
        _(
            "this needs about {needed:.1f} GB of memory, and {free:.1f} GB are free:"
            " choose larger voxels, or smaller parameters under Advanced"
        ),
    ),
    (
        "device_memory",
        _(
            "this needs about {needed:.1f} GB of the GPU's memory, and {free:.1f} GB are free:"
            " close other programs that use it, or choose smaller parameters under Advanced"
        ),
    ),
)


class TrainerSession:
    """The choices of a parameter set, and whether a training can begin with them.

    Args:
        client: of the worker that trains.

    Attributes:
        node: the parameter set; None if none is shown.
        prepared: the result of the last estimate; None without one.
        run: the training or cross-validation that runs; None if none does.
        preparing: whether an estimate is being made.

    Signals: ``changed()`` when choices have changed and widgets have to show them, ``checked()`` when buttons have to be enabled or
    disabled, ``listed()`` when trainings were added or removed, or changed their state, ``stepped(training, step, steps)``,
    ``logged(text)``, ``reported(text, bad)`` for the line under the buttons, and ``resumed(training)`` and ``kept(training)`` when the user
    resumes a training or keeps its model.
    """

    def __init__(self, client: WorkerClient) -> None:
        self.client = client
        self.node: Any = None
        self.prepared: Prepared | None = None
        self.run: Run | None = None
        self.preparing = False
        self.scans = ChosenScans(self)
        self.changed, self.checked, self.listed, self.stepped = Signal(), Signal(), Signal(), Signal()
        self.logged, self.reported, self.resumed, self.kept = Signal(), Signal(), Signal(), Signal()

    @property
    def method(self) -> Method:
        """The chosen method."""
        return METHODS[self.node.method]

    @property
    def inFolder(self) -> bool:
        """Whether the scans are in a folder, not in the scene; keypoints always are."""
        return self.method.ofPoints or self.node.source == "folder"

    def values(self) -> dict[str, Any]:
        """Return all parameters of the chosen method."""
        return valuesOf(getattr(self.node, self.node.method), self.method.options)

    def running(self, operation: str) -> Run | None:
        """Return the running task, if it is that operation."""
        return self.run if self.run is not None and self.run.training.operation == operation else None

    def end(self) -> Training:
        """Clear the task that has ended; returns its training."""
        training, self.run = self.run.training, None
        return training

    def refreshed(self) -> None:
        """Report that trainings, or their possible actions, have changed."""
        self.listed.emit()
        self.checked.emit()

    # ---------------------------------------------------------------- estimate

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the worker's operation, apart from folders and the scene's scans."""
        node, method = self.node, self.method
        found: dict[str, Any] = {
            "method": node.method,
            "name": node.name.strip(),
            "parameters": self.values(),
            "device": node.device,
            "skip_bad": node.skipBad,
        }
        if method.ofPoints:
            found["spacing"] = [node.pointSpacingX, node.pointSpacingY, node.pointSpacingZ]
        else:
            found.update(modality=node.modality, moving_modality=node.movingModality)
            if not method.hasSpacing:
                found["spacing"] = node.spacing
        found.update({name: getattr(node, name).strip() for name in ("about", "licence", "start") if getattr(node, name).strip()})
        if self.inFolder:
            rows = self.scans.rows()
            found["data"] = [node.folder]
            found["validation"] = [row.name for row in rows if row.role == VALIDATE]
            found["leave_out"] = [row.name for row in rows if row.role == NONE]
        elif self.prepared is not None and self.prepared.exported is not None:
            found["data"] = list(self.prepared.data)
            found.update(rolesOf(self.prepared.exported, self.scans.used()))
        return found

    def choices(self) -> str:
        """Return the choices on which an estimate depends."""
        arguments = self.arguments()
        if not self.inFolder:
            arguments.pop("data", None)
        return choicesOf(arguments, None if self.inFolder else self.scans.used())

    def prepare(self, prepared: Prepared | None) -> None:
        """Keep the result of an estimate, and discard the one before."""
        if self.prepared is not None and self.prepared is not prepared:
            self.prepared.discard()
        self.prepared = prepared
        if prepared is not None:
            self.scans.take(prepared)
            if prepared.exported is None:
                prepared.choices = self.choices()  # the estimate has shown which names are left out

    def refuse(self, problems: dict[str, str]) -> None:
        """Keep the problems of scans that were not written, key to text; there is no estimate."""
        self.scans.problems = problems
        self.prepare(None)

    # ---------------------------------------------------------------- problems

    def estimateProblem(self) -> str:
        """Return the reason why an estimate is not possible now; "" if it is possible."""
        if self.node is None:
            return _("there is no parameter set")
        missing = knownMissing()
        if missing:
            return _("not installed: {names}; press the button below").format(names=", ".join(missing))
        if self.run is not None:
            return _("a training is running: wait for its end, pause it or stop it")
        if self.inFolder:
            if not self.node.folder:
                return _("choose the file or folder with the keypoints") if self.method.ofPoints else _("choose the folder with the scans")
            if not Path(self.node.folder).exists():
                return _("{path} does not exist: choose another").format(path=self.node.folder)
        elif len(self.scans.used()) < _LEAST_SCANS:
            return _("add at least {count} scans, each a volume with its segmentation").format(count=_LEAST_SCANS)
        rows = self.scans.rows()
        if rows and not any(row.role == LEARN for row in rows):
            return _("no scan is left to learn from: change their roles in the table")
        return ""

    def beginProblem(self, folder: str) -> str:
        """Return the reason why neither a training nor a cross-validation can begin now; "" if one can.

        Args:
            folder: in the training's home, which must not exist yet.
        """
        problem = self.estimateProblem()
        if problem:
            return problem
        if self.preparing:
            return _("the estimate is being made")
        if self.prepared is None or self.prepared.choices != self.choices():
            return _("press Estimate first: it reads the scans, and estimates time and memory of the training")
        bad = [row.name for row in self.scans.rows() if row.problem and row.role != NONE]
        if bad and not self.node.skipBad:
            return _("scans have problems ({names}): untick them, or tick Skip scans with problems").format(names=", ".join(bad))
        return self._memoryProblem() or self._nameProblem(self.prepared, self.node.name.strip(), folder)

    def _memoryProblem(self) -> str:
        for kind, text in _TOO_LARGE:
            needed, free = self.prepared.estimate.get(kind), self.prepared.estimate.get(f"free_{kind}")
            if needed and free and needed > free:
                return text.format(needed=needed / 1e9, free=free / 1e9)
        return ""

    @staticmethod
    def _nameProblem(prepared: Prepared, name: str, folder: str) -> str:
        if not name:
            return _("give the model a name")
        if prepared.begun and prepared.home.name != folderName(name):
            return _("press Estimate first: the exported scans belong to the training {name}").format(name=prepared.home.name)
        if not prepared.begun and (rootFolder() / folderName(name)).exists():
            return _("there is a training of that name already: choose another name, or resume it under Trainings")
        if prepared.begun and (prepared.home / folder).exists():
            return _("there is a {kind} of that name already: choose another name, or resume it under Trainings").format(
                kind=_("training") if folder == "training" else _("cross-validation")
            )
        return ""
