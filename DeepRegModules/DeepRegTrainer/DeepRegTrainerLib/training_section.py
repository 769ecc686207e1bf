"""The section of the panel that estimates, starts and follows a training."""

from __future__ import annotations

import time
from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_slicer.appearance import BAD, PLAIN, setTone
from deepreg_slicer.worker_client import JobError
from DeepRegTrainerLib import curve, models
from DeepRegTrainerLib.preparing import EstimateTask, Prepared
from DeepRegTrainerLib.running import Run
from DeepRegTrainerLib.scans import LEARN, VALIDATE, Row
from DeepRegTrainerLib.session import TrainerSession
from DeepRegTrainerLib.trainings import FOLDERS, TRAIN, Training, begin, rootFolder
from DeepRegTrainerLib.words import clock, sentence, short

_BAR = 1000
# Time for which the status bar of the application shows the end of a training, ms.
_SHOWN = 10_000


class TrainingSection:
    """Estimate, start, pause, stop; progress, figures and curve.

    Args:
        ui: the widgets of the ``.ui`` file.
        session: choices of the panel.
    """

    def __init__(self, ui: Any, session: TrainerSession) -> None:
        self.ui, self._session = ui, session
        self._estimate: EstimateTask | None = None
        self._lines: list[dict[str, Any]] = []
        self._help = {name: getattr(self.ui, f"{name}Button").toolTip for name in ("estimate", "start", "curve")}
        ui.progressBar.setRange(0, _BAR)
        ui.estimateButton.connect("clicked(bool)", self._onEstimate)
        ui.startButton.connect("clicked(bool)", self._onStart)
        ui.pauseButton.connect("clicked(bool)", lambda *_args: self._ask("pause"))
        ui.stopButton.connect("clicked(bool)", lambda *_args: self._ask("stop"))
        ui.curveButton.connect("clicked(bool)", self._onCurve)
        session.logged.connect(self.log)
        session.reported.connect(self.report)
        session.kept.connect(self.keep)
        self.report("", bad=False)
        for label in (ui.estimateLabel, ui.figuresLabel, ui.stageLabel):
            _show(label, "")
        self._showRunning()

    @property
    def running(self) -> Run | None:
        """The training that runs, None if none does."""
        return self._session.running(TRAIN)

    # ---------------------------------------------------------------- estimate

    def _onEstimate(self, *_arguments: Any) -> None:
        if self._estimate is not None:
            self.cancelEstimate()
        else:
            self.estimate()

    def estimate(self) -> None:
        """Write the scans of the scene, read all scans, and estimate time and memory of the training."""
        session = self._session
        session.refuse({})
        scans = None if session.inFolder else session.scans.used()
        self._estimate = task = EstimateTask(session.choices(), rootFolder(), scans, session.arguments(), session.client)
        session.preparing = True
        task.progressed.connect(self._onProgress)
        task.finished.connect(self._onEstimated)
        task.failed.connect(self._onNotEstimated)
        self.report("", bad=False)
        self._showRunning()
        session.checked.emit()
        task.start()

    def cancelEstimate(self) -> None:
        """Cancel the estimate; what was written is removed."""
        if self._estimate is not None:
            self._estimate.cancel()

    def _onEstimated(self, prepared: Prepared) -> None:
        self._endEstimate()
        self._session.prepare(prepared)
        if prepared.exported is not None:
            for note in prepared.exported.notes:
                self.log(note)
        self._session.checked.emit()

    def _onNotEstimated(self, error: JobError) -> None:
        written = self._estimate.written if self._estimate is not None else None
        self._endEstimate()
        self._session.refuse(written.problems if written is not None else {})
        self.report(error.text, bad=error.code != "cancelled")
        self._session.checked.emit()

    def _endEstimate(self) -> None:
        self._estimate, self._session.preparing = None, False
        self._showRunning()

    def _estimated(self) -> str:
        """Return the estimate as text; "" if there is none for the present choices."""
        session = self._session
        prepared = session.prepared
        if prepared is None or self.running is not None or prepared.choices != session.choices():
            return ""
        return " ".join([*_counts(session.scans.rows()), *_costs(prepared.estimate)])

    # ----------------------------------------------------------------- training

    def _onStart(self, *_arguments: Any) -> None:
        session = self._session
        if session.beginProblem(FOLDERS[TRAIN]):  # the scene may have changed
            session.checked.emit()
            return
        try:
            name = session.node.name.strip()
            home = session.prepared.keepAs(rootFolder(), name)
            training = begin(home, TRAIN, name, session.arguments())
        except OSError as error:
            self.report(_("The training cannot begin: {reason}.").format(reason=error.strerror or error), bad=True)
            return
        self.go(training)

    def go(self, training: Training) -> None:
        """Begin a training, or resume one."""
        session = self._session
        session.run = run = Run(training, session.client)
        self._lines = []
        run.progressed.connect(self._onProgress)
        run.figures.connect(self._onFigures)
        run.logged.connect(self.log)
        run.finished.connect(self._onFinished)
        run.failed.connect(self._onFailed)
        self.report("", bad=False)
        _show(self.ui.figuresLabel, "")
        self.log(_("{name}: training").format(name=training.name))
        self._showRunning()
        run.start()
        session.refreshed()

    def _ask(self, word: str) -> None:
        run = self.running
        if run is None:
            return
        try:
            run.pause() if word == "pause" else run.stop()
        except OSError as error:
            self.report(_("The command cannot be given: {reason}.").format(reason=error.strerror or error), bad=True)
            return
        _show(self.ui.stageLabel, _("pausing after this step...") if word == "pause" else _("stopping after this step..."))
        self._showRunning()

    def _onProgress(self, share: float, stage: str, left: float | None) -> None:
        self.ui.progressBar.setValue(round(_BAR * share))
        run = self.running
        if run is None or not run.command:
            stage = stage.partition(":")[0]  # the figures are shown below
            _show(self.ui.stageLabel, stage + ("" if left is None else " \u2013 " + _("{time} left").format(time=clock(left))))

    def _onFigures(self, lines: list[dict[str, Any]]) -> None:
        self._lines = lines
        self.showCurve()
        best, last, run = curve.best(lines), lines[-1], self.running
        if run is not None:
            self._session.stepped.emit(run.training, last["step"], int(last.get("steps") or 0))
        texts = [_("step {step}").format(step=last["step"])]
        if isinstance(last.get("loss"), (int, float)):
            texts.append(_("loss {loss:.4g}").format(loss=last["loss"]))
        if best is not None:
            latest = next(line[best[1]] for line in reversed(lines) if line.get(best[1]) is not None)
            texts.append(
                _("validation {latest}, best {best} at step {step}").format(
                    latest=curve.inWords(best[1], latest), best=curve.inWords(best[1], best[2]), step=best[0]
                )
            )
        _show(self.ui.figuresLabel, sentence(", ".join(texts)))
        self._session.checked.emit()

    def showCurve(self) -> None:
        """Update the chart from the log."""
        run, node = self.running, self._session.node
        if self._lines and run is not None and node is not None and not slicer.mrmlScene.IsClosing():
            curve.fill(node, self._lines, _("Training {name}").format(name=run.training.name))

    def _onCurve(self, *_arguments: Any) -> None:
        node = self._session.node
        if node is not None and node.curveChart is not None:
            curve.show(node.curveChart)

    # --------------------------------------------------------------------- end

    def _onFinished(self, result: dict[str, Any]) -> None:
        training = self._over()
        for note in result.get("notes") or []:
            self.log(str(note))
        text = self._ended(training, result)
        if result.get("notes"):
            text = f"{text} {_('Notes in the log: {count}.').format(count=len(result['notes']))}"
        self.report(text, bad=False)
        self.log(text)
        slicer.util.showStatusMessage(text, _SHOWN)  # another module may be open
        if training.state in ("finished", "stopped") and training.model is not None:
            self.keep(training, text)
        self._session.refreshed()

    def _ended(self, training: Training, result: dict[str, Any]) -> str:
        step, steps = result.get("step"), result.get("steps")
        if training.state == "paused":
            return _("{name} is paused at step {step} of {steps}. Select it under Trainings and press Resume to continue.").format(
                name=training.name, step=step, steps=steps
            )
        text = _("{name}: {step} of {steps} steps").format(name=training.name, step=step, steps=steps)
        if result.get("seconds"):
            text += _(" in {time}").format(time=clock(result["seconds"]))
        best = result.get("best")
        if best:
            figure = str(best.get("figure") or "")
            key = figure if figure.startswith("validation_") else f"validation_{figure}"
            value = curve.inWords(key, best["value"]) if key in (curve.DICE, curve.TRE, curve.LOSS) else f"{figure} {best['value']:.4g}"
            text += _("; best in validation: {value} at step {step}").format(value=value, step=best.get("step"))
        return f"{text}."

    def keep(self, training: Training, text: str = "") -> None:
        """Add a training's model to the user's own models.

        Args:
            training: with a model.
            text: shown in front of the result.
        """
        job = models.adopt(self._session.client, str(training.model), training.name)
        job.finished.connect(lambda result: self._onKept(training, result, text))
        job.failed.connect(lambda error: self.report(f"{text} {error.text}".strip(), bad=True))

    def _onKept(self, training: Training, result: dict[str, Any], before: str) -> None:
        training.added = str(result["card"]["name"])
        training.save()
        text = _("The model {name} is among your own; the panel of the method offers it under Features.").format(name=training.added)
        self.log(text)
        self.report(f"{before} {text}".strip(), bad=False)
        self._session.refreshed()

    def _onFailed(self, error: JobError) -> None:
        training = self._over()
        text = error.text
        if error.code not in ("input", "parameter") and training.state != "finished":
            text += " " + _("The training is saved up to the last checkpoint: it can be resumed under Trainings.")
        self.report(text, bad=error.code != "cancelled")
        self.log(text)
        self._session.refreshed()

    def _over(self) -> Training:
        training = self._session.end()
        self._showRunning()
        return training

    # ------------------------------------------------------------------- show

    def check(self) -> None:
        """Enable the possible actions."""
        session, ui = self._session, self.ui
        estimateProblem = "" if session.preparing else session.estimateProblem()
        for name, problem in (("estimate", estimateProblem), ("start", session.beginProblem(FOLDERS[TRAIN]))):
            button = getattr(ui, f"{name}Button")
            button.setEnabled(not problem)
            button.toolTip = sentence(problem) or self._help[name]
        exists = session.node.curveChart is not None
        ui.curveButton.setEnabled(exists)
        ui.curveButton.toolTip = self._help["curve"] if exists else _("There is no curve yet: it begins with the training.")
        _show(ui.estimateLabel, self._estimated())

    def _showRunning(self) -> None:
        """Show the buttons and the progress bar of the running task."""
        ui, run = self.ui, self.running
        ui.estimateButton.text = _("Cancel") if self._session.preparing else _("Estimate")
        ui.estimateButton.setVisible(run is None)
        ui.startButton.setVisible(run is None)
        for button in (ui.pauseButton, ui.stopButton):
            button.setVisible(run is not None)
            button.setEnabled(run is not None and not run.command)
        busy = run is not None or self._session.preparing
        ui.progressBar.setVisible(busy)
        if not busy or run is None or not run.command:
            _show(ui.stageLabel, _("starting...") if busy else "")
            ui.progressBar.setValue(0)

    def report(self, text: str, bad: bool) -> None:
        """Show the result of an action under the buttons."""
        setTone(self.ui.resultLabel, BAD if bad else PLAIN)
        _show(self.ui.resultLabel, text[:1].upper() + text[1:])

    def log(self, text: str) -> None:
        """Add a line to the log."""
        self.ui.logTextEdit.appendPlainText(f"{time.strftime('%H:%M:%S')}  {text}")


def _show(label: Any, text: str) -> None:
    label.text = text
    label.setVisible(bool(text))


def _counts(rows: list[Row]) -> list[str]:
    """Return sentences with the number of scans for training and validation, and the scans with problems."""
    good = [row for row in rows if not row.problem]
    counts = {role: sum(row.role == role for row in good) for role in (LEARN, VALIDATE)}
    bad = [row.name for row in rows if row.problem and row.role in (LEARN, VALIDATE)]
    lines = [_("Scans to learn from: {learn}; to validate with: {validate}.").format(**counts)]
    if bad:
        lines.append(_("With problems: {names}.").format(names=", ".join(bad)))
    if not counts[VALIDATE]:
        lines.append(_("No scan is held out: the accuracy on other scans will not be measured."))
    return lines


def _costs(estimate: dict[str, Any]) -> list[str]:
    """Return sentences with the time and the memory of an estimate."""
    lines = []
    seconds, step = estimate.get("seconds"), estimate.get("step_seconds")
    if seconds:
        each = _(" ({step} a step)").format(step=short(step)) if step else ""
        lines.append(_("Training: about {time}{each}.").format(time=clock(seconds), each=each))
    memory, free = estimate.get("memory"), estimate.get("free_memory")
    if memory:
        there = _(", {free:.1f} GB are free").format(free=free / 1e9) if free else ""
        lines.append(_("Memory: about {needed:.1f} GB{there}.").format(needed=memory / 1e9, there=there))
    memory, free = estimate.get("device_memory"), estimate.get("free_device_memory")
    if memory and free:
        text = _("On {device}: about {needed:.1f} GB of its memory, {free:.1f} GB are free.")
        lines.append(text.format(device=estimate.get("device", "GPU"), needed=memory / 1e9, free=free / 1e9))
    return lines
