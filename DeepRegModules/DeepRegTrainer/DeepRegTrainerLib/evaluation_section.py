"""The section of the panel that cross-validates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_engine.training.points.pairs import patient_of
from deepreg_slicer.appearance import BAD, PLAIN, setTone
from deepreg_slicer.volumes import newNode
from deepreg_slicer.worker_client import JobError
from DeepRegTrainerLib import evaluation
from DeepRegTrainerLib.running import Run
from DeepRegTrainerLib.scans import NONE
from DeepRegTrainerLib.session import TrainerSession
from DeepRegTrainerLib.trainings import EVALUATE, FOLDERS, Training, begin, rootFolder
from DeepRegTrainerLib.words import clock, sentence

_BAR = 1000
_PAUSED = _("Paused. The results so far are kept: select it under Trainings and press Resume to continue.")


class EvaluationSection:
    """Runs a cross-validation, and shows it as a table.

    Args:
        ui: the widgets of the ``.ui`` file.
        session: choices of the panel.
    """

    def __init__(self, ui: Any, session: TrainerSession) -> None:
        self.ui, self._session = ui, session
        self._help = {name: getattr(ui, f"{name}Button").toolTip for name in ("evaluate", "table", "csv")}
        ui.evaluationProgressBar.setRange(0, _BAR)
        ui.evaluateButton.connect("clicked(bool)", self._onEvaluate)
        ui.tableButton.connect("clicked(bool)", self._onTable)
        ui.csvButton.connect("clicked(bool)", self._onCsv)
        self._report("", bad=False)
        self._showRunning()

    @property
    def running(self) -> Run | None:
        """The cross-validation that runs, None if none does."""
        return self._session.running(EVALUATE)

    def problem(self) -> str:
        """Return the reason why no cross-validation can begin now; "" if one can."""
        session = self._session
        problem = session.beginProblem(FOLDERS[EVALUATE])
        if problem:
            return problem
        folds = session.node.folds
        used = [row.name for row in session.scans.rows() if row.role != NONE and not row.problem]
        if session.method.ofPoints:  # no patient is both in the training and held out
            patients = len({patient_of(name) for name in used})
            if folds > patients:
                return _(
                    "{folds} folds need pairs of as many patients, and by the first number in their files' names there are {patients}:"
                    " choose fewer folds"
                ).format(folds=folds, patients=patients)
        elif folds > len(used):
            return _("{folds} folds need as many scans, and {used} are used: choose fewer folds").format(folds=folds, used=len(used))
        return ""

    def _onEvaluate(self, *_arguments: Any) -> None:
        run = self.running
        if run is not None:
            if run.command:
                run.cancel()
            else:
                run.pause()
                self._report(_("pausing after this step; press again to pause at once and repeat the last steps later"), bad=False)
                self.ui.evaluateButton.text = _("Pause now")
            return
        session = self._session
        if self.problem():
            session.checked.emit()
            return
        try:
            name = session.node.name.strip()
            home = session.prepared.keepAs(rootFolder(), name)
            arguments = {**session.arguments(), "folds": session.node.folds}
            arguments.pop("validation", None)  # each scan is held out once
            training = begin(home, EVALUATE, name, arguments)
        except OSError as error:
            self._report(_("The cross-validation cannot begin: {reason}.").format(reason=error.strerror or error), bad=True)
            return
        self.go(training)

    def go(self, training: Training) -> None:
        """Begin a cross-validation, or resume one."""
        self.ui.evaluationCollapsibleButton.collapsed = False
        session = self._session
        session.run = run = Run(training, session.client)
        run.progressed.connect(self._onProgress)
        run.logged.connect(session.logged.emit)
        run.finished.connect(self._onFinished)
        run.failed.connect(self._onFailed)
        self._showRunning()
        self._report(_("starting..."), bad=False)
        run.start()
        session.refreshed()

    def _onProgress(self, share: float, stage: str, left: float | None) -> None:
        self.ui.evaluationProgressBar.setValue(round(_BAR * share))
        if self.running is not None and self.running.command:
            return
        self._report(stage + ("" if left is None else " \u2013 " + _("{time} left").format(time=clock(left))), bad=False)

    def _onFinished(self, result: dict[str, Any]) -> None:
        training = self._over()
        rows, node = evaluation.named(result.get("rows") or [], training.arguments.get("data") or []), self._session.node
        done = training.state != "paused" and bool(rows)
        figure = result.get("figure") or evaluation.DICE
        self._report(evaluation.summary(rows, figure) if done else _PAUSED, bad=False)
        if done and node is not None:
            if node.evaluationTable is None:
                node.evaluationTable = newNode("vtkMRMLTableNode", _("Cross-validation {name}").format(name=training.name))
            evaluation.fillTable(node.evaluationTable, rows, figure)
            evaluation.show(node.evaluationTable)
        self._session.logged.emit(self.ui.evaluationLabel.text)
        self._session.refreshed()

    def _onFailed(self, error: JobError) -> None:
        self._over()
        if error.code == "cancelled":
            self._report(_PAUSED, bad=False)
        else:
            self._report(error.text, bad=True)
        self._session.logged.emit(self.ui.evaluationLabel.text)
        self._session.refreshed()

    def _over(self) -> Training:
        training = self._session.end()
        self._showRunning()
        return training

    # ------------------------------------------------------------------ result

    def _onTable(self, *_arguments: Any) -> None:
        evaluation.show(self._session.node.evaluationTable)

    def _onCsv(self, *_arguments: Any) -> None:
        path = qt.QFileDialog.getSaveFileName(
            None, _("Export cross-validation"), f"{self._session.node.evaluationTable.GetName()}.csv", "CSV (*.csv)"
        )
        if not path:
            return
        try:
            Path(path).write_text(evaluation.asCsv(self._session.node.evaluationTable), encoding="utf-8", newline="")
        except OSError as error:
            slicer.util.errorDisplay(
                _("Cannot write {path}: {reason}.").format(path=path, reason=error.strerror or error),
                windowTitle=_("Export cross-validation"),
            )

    # -------------------------------------------------------------------- show

    def check(self) -> None:
        """Enable the possible actions."""
        ui, problem = self.ui, "" if self.running is not None else self.problem()
        ui.evaluateButton.setEnabled(not problem)
        ui.evaluateButton.toolTip = sentence(problem) or f"{self._help['evaluate']} {self._time()}".strip()
        exists = self._session.node.evaluationTable is not None
        for name in ("table", "csv"):
            button = getattr(ui, f"{name}Button")
            button.setEnabled(exists)
            button.toolTip = self._help[name] if exists else _("There are no results yet.")

    def _time(self) -> str:
        """Return the time of all folds as text; "" if it is not known."""
        prepared = self._session.prepared
        seconds = prepared.estimate.get("seconds") if prepared is not None else None
        return _("The trainings take about {time}.").format(time=clock(seconds * self._session.node.folds)) if seconds else ""

    def _showRunning(self) -> None:
        running = self.running is not None
        self.ui.evaluateButton.text = _("Pause") if running else _("Cross-validate")
        self.ui.evaluationProgressBar.setVisible(running)
        self.ui.evaluationProgressBar.setValue(0)

    def _report(self, text: str, bad: bool) -> None:
        label = self.ui.evaluationLabel
        setTone(label, BAD if bad else PLAIN)
        label.text = text[:1].upper() + text[1:]
        label.setVisible(bool(text))
