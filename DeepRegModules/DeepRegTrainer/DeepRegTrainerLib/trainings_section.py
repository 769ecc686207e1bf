"""The section of the panel that lists trainings, finished or not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_slicer.appearance import setRowHeight
from deepreg_slicer.torch_state import knownMissing
from DeepRegTrainerLib.methods import METHODS
from DeepRegTrainerLib.session import TrainerSession
from DeepRegTrainerLib.trainings import EVALUATE, Training, findTrainings, remove, rootFolder, setRootFolder
from DeepRegTrainerLib.words import sentence

_NAME, _KIND, _STATE, _STEP = range(4)
_STATES = {
    "": _("not begun"),
    "running": _("interrupted"),
    "paused": _("paused"),
    "stopped": _("stopped"),
    "finished": _("finished"),
    "failed": _("failed"),
}


class TrainingsSection:
    """Lists the trainings in the folder of all trainings.

    Args:
        ui: the widgets of the ``.ui`` file.
        session: choices of the panel.
    """

    def __init__(self, ui: Any, session: TrainerSession) -> None:
        self.ui, self._session = ui, session
        self._trainings: list[Training] = []
        self._updating = False
        session.listed.connect(self.refresh)
        session.stepped.connect(self.showStep)
        self._help = {name: getattr(ui, f"{name}Button").toolTip for name in ("resume", "keep", "delete")}
        self._help["root"] = ui.rootDirectoryButton.toolTip
        table = ui.trainingsTable
        table.setColumnCount(4)
        table.setHorizontalHeaderLabels([_("Name"), _("Method"), _("State"), _("Step")])
        table.verticalHeader().setVisible(False)
        setRowHeight(table)
        header = table.horizontalHeader()
        for column in range(4):
            header.setSectionResizeMode(column, qt.QHeaderView.Stretch if column == _NAME else qt.QHeaderView.ResizeToContents)
        table.connect("itemSelectionChanged()", self.check)
        ui.resumeButton.connect("clicked(bool)", self._onResume)
        ui.keepButton.connect("clicked(bool)", self._onKeep)
        ui.deleteButton.connect("clicked(bool)", self._onDelete)
        ui.rootDirectoryButton.connect("directoryChanged(QString)", self._onRoot)

    @property
    def selected(self) -> Training | None:
        """The training whose row is selected."""
        row = self.ui.trainingsTable.currentRow()
        return self._trainings[row] if 0 <= row < len(self._trainings) else None

    def refresh(self) -> None:
        """Read the folder, and show its trainings."""
        ui, root, kept = self.ui, rootFolder(), self.selected
        self._updating = True
        try:
            ui.rootDirectoryButton.directory = str(root)
            ui.rootDirectoryButton.text = str(root)  # it may not exist yet
            ui.rootDirectoryButton.toolTip = f"{self._help['root']}\n{root}"
        finally:
            self._updating = False
        try:
            self._trainings = findTrainings(root)
        except OSError as error:
            self._trainings = []
            self._session.logged.emit(_("{folder} cannot be read: {reason}").format(folder=root, reason=error.strerror or error))
        table = ui.trainingsTable
        blocked = table.blockSignals(True)
        table.setRowCount(len(self._trainings))
        for row, training in enumerate(self._trainings):
            for column, (text, about) in enumerate(self._cells(training)):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(about)
                table.setItem(row, column, item)
        table.blockSignals(blocked)
        row = next((row for row, training in enumerate(self._trainings) if kept is not None and training.folder == kept.folder), None)
        if row is None:
            row = next((row for row, training in enumerate(self._trainings) if training.unfinished), 0 if self._trainings else -1)
        table.setCurrentCell(row, _NAME)
        self._showUnfinished()
        self.check()

    def _cells(self, training: Training) -> tuple[tuple[str, str], ...]:
        """Return text and tool tip of each column."""
        method = METHODS[training.method].title if training.method in METHODS else training.method
        evaluates = training.operation == EVALUATE
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(training.changed)) if training.changed else "-"
        state, step = self._state(training), _steps(training.step, training.steps)
        more = _("Its model is among your own as {name}.").format(name=training.added) if training.added else ""
        return (
            (training.name, str(training.folder)),
            (_("folds") if evaluates else method, _("{method}, cross-validation").format(method=method) if evaluates else method),
            (_("{state}, kept").format(state=state) if training.added else state, f"{sentence(state)} {more}".strip()),
            (step, _("Last changed {when}.").format(when=when)),
        )

    def _isRunning(self, training: Training) -> bool:
        run = self._session.run
        return run is not None and run.training.folder == training.folder

    def _state(self, training: Training) -> str:
        if self._isRunning(training) or training.isElsewhere:
            return _("running")
        return _STATES.get(training.state, training.state)

    def showStep(self, training: Training, step: int, steps: int) -> None:
        """Show the progress of a training."""
        row = next((row for row, other in enumerate(self._trainings) if other.folder == training.folder), None)
        if row is not None:
            self.ui.trainingsTable.item(row, _STEP).setText(_steps(step, steps))

    def _showUnfinished(self) -> None:
        waiting = [
            training for training in self._trainings if training.unfinished and not self._isRunning(training) and not training.isElsewhere
        ]
        names = ", ".join(training.name for training in waiting[:3]) + (", ..." if len(waiting) > 3 else "")
        text = _("Not finished: {names}. Select one and press Resume to continue.").format(names=names) if waiting else ""
        self.ui.unfinishedLabel.text = text
        self.ui.unfinishedLabel.setVisible(bool(text))

    # ------------------------------------------------------------------ buttons

    def _problems(self) -> dict[str, str]:
        training = self.selected
        if training is None:
            return dict.fromkeys(("resume", "keep", "delete"), _("select a training first"))
        here = _("it is running") if self._isRunning(training) or training.isElsewhere else ""
        over = "" if training.unfinished or self._canShow(training) else _("it is over")
        busy, lacks = self._whyNothingRuns()
        return {"resume": here or busy or over or lacks, "keep": here or busy or _whyNotKept(training) or lacks, "delete": here}

    def _whyNothingRuns(self) -> tuple[str, str]:
        """Return the reasons why no training can run now, and why none can run on this computer; "" if it can."""
        busy = self._session.run is not None or self._session.preparing
        missing = knownMissing()
        return (
            _("a training is running: wait for its end, pause it or stop it") if busy else "",
            _("not installed: {names}").format(names=", ".join(missing)) if missing else "",
        )

    @staticmethod
    def _canShow(training: Training) -> bool:
        """Return whether resuming would only show the results again, because all folds of the cross-validation are done."""
        return training.operation == EVALUATE

    def check(self) -> None:
        """Enable the actions that are possible with the selected training."""
        if self._session.node is None:
            return
        for name, problem in self._problems().items():
            button = getattr(self.ui, f"{name}Button")
            button.setEnabled(not problem)
            button.toolTip = sentence(problem) or self._help[name]
        training = self.selected
        self.ui.resumeButton.text = (
            _("Show results") if training is not None and self._canShow(training) and not training.unfinished else _("Resume")
        )

    def _onResume(self, *_arguments: Any) -> None:
        training = self.selected
        training.refresh()
        if self._problems()["resume"]:
            self.refresh()
            return
        self._session.resumed.emit(training)

    def _onKeep(self, *_arguments: Any) -> None:
        self._session.kept.emit(self.selected)

    def _onDelete(self, *_arguments: Any) -> None:
        training = self.selected
        what = _("Delete {name} with its exported scans, its log and its checkpoint?\n\n{folder}").format(
            name=training.name, folder=training.folder
        )
        if training.model is not None and not training.added:
            what += "\n\n" + _("Its model is not among your own: it is deleted too.")
        if not slicer.util.confirmOkCancelDisplay(what, windowTitle=_("Delete training")):
            return
        prepared = self._session.prepared
        if prepared is not None and prepared.begun and Path(training.folder).is_relative_to(prepared.home):
            self._session.prepare(None)  # its scans are deleted too
        try:
            remove(training)
        except OSError as error:
            slicer.util.errorDisplay(
                _("Cannot delete {folder}: {reason}.").format(folder=training.folder, reason=error.strerror or error),
                windowTitle=_("Delete training"),
            )
        self._session.refreshed()

    def _onRoot(self, path: str) -> None:
        if self._updating or not str(path).strip() or Path(str(path)) == rootFolder():
            return
        setRootFolder(str(path).strip())
        self._session.prepare(None)
        self._session.refreshed()


def _steps(step: int, steps: int) -> str:
    return f"{step} / {steps}" if steps else ""


def _whyNotKept(training: Training) -> str:
    """Return the reason why the model of a training cannot be kept (there is none, or it was added already); "" if it can."""
    if training.added:
        return _("its model is among your own already, as {name}").format(name=training.added)
    return "" if training.model is not None else _("it has no model yet")
