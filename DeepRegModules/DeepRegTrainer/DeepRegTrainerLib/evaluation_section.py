"""The part of the panel that cross-validates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_engine.training.points.pairs import patient_of
from deepreg_slicer.volumes import newNode
from deepreg_slicer.worker_client import JobError
from DeepRegTrainerLib import evaluation
from DeepRegTrainerLib.running import Run
from DeepRegTrainerLib.scans import NONE
from DeepRegTrainerLib.trainings import EVALUATE, Training, begin, rootFolder
from DeepRegTrainerLib.words import clock, sentence

if TYPE_CHECKING:
    from DeepRegTrainerLib.panel import TrainerPanel

_BAR = 1000
_PAUSED = _("Paused. What is done stays done: select it under Trainings and press Resume to go on.")


class EvaluationSection:
    """Runs a cross-validation, and shows it as a table.

    Args:
        panel: whose part it is.
    """

    def __init__(self, panel: TrainerPanel) -> None:
        self._panel, self.ui = panel, panel.ui
        ui = self.ui
        self._help = {name: getattr(ui, f"{name}Button").toolTip for name in ("evaluate", "table", "csv")}
        ui.evaluationProgressBar.setRange(0, _BAR)
        ui.evaluateButton.connect("clicked(bool)", self._onEvaluate)
        ui.tableButton.connect("clicked(bool)", self._onTable)
        ui.csvButton.connect("clicked(bool)", self._onCsv)
        self._say("", bad=False)
        self._showRunning()

    @property
    def running(self) -> Run | None:
        """The cross-validation that runs, None if none does."""
        run = self._panel.run
        return run if run is not None and run.training.operation == EVALUATE else None

    def problem(self) -> str:
        """Why none can begin now, "" if one can."""
        panel = self._panel
        problem = panel.beginProblem()
        if problem:
            return problem
        used = [row.name for row in panel.scans.rows() if row.role != NONE and not row.problem]
        if panel.method.ofPoints:  # no patient is both learned from and judged by
            patients = len({patient_of(name) for name in used})
            if panel.node.folds > patients:
                return _(
                    "{folds} folds need pairs of as many patients, and by the first number in their files' names there are {patients}:"
                    " choose fewer folds"
                ).format(folds=panel.node.folds, patients=patients)
        elif panel.node.folds > len(used):
            return _("{folds} folds need as many scans, and {used} are used: choose fewer folds").format(
                folds=panel.node.folds, used=len(used)
            )
        if panel.prepared.begun and (panel.prepared.home / "cross-validation").exists():
            return _("there is a cross-validation of that name already: go on with it under Trainings, or choose another name")
        return ""

    def _onEvaluate(self, *_arguments: Any) -> None:
        run = self.running
        if run is not None:
            if run.asked:
                run.cancel()
            else:
                run.pause()
                self._say(_("pausing; press again to pause at once and to do the last steps again later"), bad=False)
                self.ui.evaluateButton.text = _("Pause now")
            return
        panel = self._panel
        if self.problem():
            panel.check()
            return
        try:
            name = panel.node.name.strip()
            home = panel.prepared.keepAs(rootFolder(), name)
            arguments = {**panel.arguments(), "folds": panel.node.folds}
            arguments.pop("validation", None)  # each scan is held out once
            training = begin(home, EVALUATE, name, arguments)
        except OSError as error:
            self._say(_("The cross-validation cannot begin: {reason}.").format(reason=error.strerror or error), bad=True)
            return
        self.go(training)

    def go(self, training: Training) -> None:
        """Begin a cross-validation, or go on with one."""
        self.ui.evaluationCollapsibleButton.collapsed = False
        run = Run(training, self._panel.client)
        self._panel.run = run
        run.progressed.connect(self._onProgress)
        run.logged.connect(self._panel.training.log)
        run.finished.connect(self._onFinished)
        run.failed.connect(self._onFailed)
        self._showRunning()
        self._say(_("starting..."), bad=False)
        run.start()
        self._panel.trainings.refresh()
        self._panel.check()

    def _onProgress(self, share: float, stage: str, left: float | None) -> None:
        self.ui.evaluationProgressBar.setValue(round(_BAR * share))
        if self.running is not None and self.running.asked:
            return
        self._say(stage + ("" if left is None else " \u2013 " + _("{time} left").format(time=clock(left))), bad=False)

    def _onFinished(self, result: dict[str, Any]) -> None:
        training = self._over()
        rows, node = evaluation.named(result.get("rows") or [], training.arguments.get("data") or []), self._panel.node
        done = training.state != "paused" and bool(rows)
        figure = result.get("figure") or evaluation.DICE
        self._say(evaluation.summary(rows, figure) if done else _PAUSED, bad=False)
        if done and node is not None:
            if node.evaluationTable is None:
                node.evaluationTable = newNode("vtkMRMLTableNode", _("Cross-validation {name}").format(name=training.name))
            evaluation.fillTable(node.evaluationTable, rows, figure)
            evaluation.show(node.evaluationTable)
        self._panel.training.log(self.ui.evaluationLabel.text)
        self._panel.trainings.refresh()
        self._panel.check()

    def _onFailed(self, error: JobError) -> None:
        self._over()
        if error.code == "cancelled":
            self._say(_PAUSED, bad=False)
        else:
            self._say(error.text, bad=True)
        self._panel.training.log(self.ui.evaluationLabel.text)
        self._panel.trainings.refresh()
        self._panel.check()

    def _over(self) -> Training:
        training = self._panel.run.training
        self._panel.run = None
        self._showRunning()
        return training

    # ------------------------------------------------------------------ result

    def _onTable(self, *_arguments: Any) -> None:
        evaluation.show(self._panel.node.evaluationTable)

    def _onCsv(self, *_arguments: Any) -> None:
        path = qt.QFileDialog.getSaveFileName(
            None, _("Export cross-validation"), f"{self._panel.node.evaluationTable.GetName()}.csv", "CSV (*.csv)"
        )
        if not path:
            return
        try:
            Path(path).write_text(evaluation.asCsv(self._panel.node.evaluationTable), encoding="utf-8", newline="")
        except OSError as error:
            slicer.util.errorDisplay(
                _("Cannot write {path}: {reason}.").format(path=path, reason=error.strerror or error),
                windowTitle=_("Export cross-validation"),
            )

    # -------------------------------------------------------------------- show

    def check(self) -> None:
        """Enable what can be done."""
        ui, problem = self.ui, "" if self.running is not None else self.problem()
        ui.evaluateButton.setEnabled(not problem)
        ui.evaluateButton.toolTip = sentence(problem) or f"{self._help['evaluate']} {self._time()}".strip()
        there = self._panel.node.evaluationTable is not None
        for name in ("table", "csv"):
            button = getattr(ui, f"{name}Button")
            button.setEnabled(there)
            button.toolTip = self._help[name] if there else _("There are no results yet.")

    def _time(self) -> str:
        """How long it will take, in words; "" if that is not known."""
        prepared = self._panel.prepared
        seconds = prepared.estimate.get("seconds") if prepared is not None else None
        return _("The trainings take about {time}.").format(time=clock(seconds * self._panel.node.folds)) if seconds else ""

    def _showRunning(self) -> None:
        running = self.running is not None
        self.ui.evaluateButton.text = _("Pause") if running else _("Cross-validate")
        self.ui.evaluationProgressBar.setVisible(running)
        self.ui.evaluationProgressBar.setValue(0)

    def _say(self, text: str, bad: bool) -> None:
        label = self.ui.evaluationLabel
        label.setStyleSheet("color: #c03020;" if bad else "")
        label.text = text[:1].upper() + text[1:]
        label.setVisible(bool(text))
