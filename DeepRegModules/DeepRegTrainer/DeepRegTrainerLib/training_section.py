"""The part of the panel that estimates, starts and follows a training."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from deepreg_slicer.worker_client import JobError
from DeepRegTrainerLib import curve, models
from DeepRegTrainerLib.preparing import Preparation, Prepared
from DeepRegTrainerLib.running import Run
from DeepRegTrainerLib.scans import LEARN, VALIDATE
from DeepRegTrainerLib.trainings import TRAIN, Training, begin, rootFolder
from DeepRegTrainerLib.words import clock, sentence, short

if TYPE_CHECKING:
    from DeepRegTrainerLib.panel import TrainerPanel

_BAR = 1000
# So long the end of a training stands in the application's status bar, ms.
_SHOWN = 10_000


class TrainingSection:
    """Estimate, start, pause, stop; progress, figures and curve.

    Args:
        panel: whose part it is.
    """

    def __init__(self, panel: TrainerPanel) -> None:
        self._panel, self.ui = panel, panel.ui
        self._preparation: Preparation | None = None
        self._lines: list[dict[str, Any]] = []
        self._help = {name: getattr(self.ui, f"{name}Button").toolTip for name in ("estimate", "start", "curve")}
        ui = self.ui
        ui.progressBar.setRange(0, _BAR)
        ui.estimateButton.connect("clicked(bool)", self._onEstimate)
        ui.startButton.connect("clicked(bool)", self._onStart)
        ui.pauseButton.connect("clicked(bool)", lambda *_args: self._ask("pause"))
        ui.stopButton.connect("clicked(bool)", lambda *_args: self._ask("stop"))
        ui.curveButton.connect("clicked(bool)", self._onCurve)
        self.say("", bad=False)
        for label in (ui.estimateLabel, ui.figuresLabel, ui.stageLabel):
            _show(label, "")
        self._showRunning()

    @property
    def preparing(self) -> bool:
        """Whether an estimate is being made."""
        return self._preparation is not None

    @property
    def running(self) -> Run | None:
        """The training that runs, None if none does."""
        run = self._panel.run
        return run if run is not None and run.training.operation == TRAIN else None

    # ---------------------------------------------------------------- estimate

    def _onEstimate(self, *_arguments: Any) -> None:
        if self._preparation is not None:
            self.cancelEstimate()
        else:
            self.estimate()

    def estimate(self) -> None:
        """Write the scans of the scene, look at all of them, and say what a training will take."""
        panel = self._panel
        panel.refuse({})
        scans = panel.scans.used() if panel.source == "scene" else None
        self._preparation = preparation = Preparation(panel.choices(), rootFolder(), scans, panel.arguments(), panel.client)
        preparation.progressed.connect(self._onProgress)
        preparation.finished.connect(self._onEstimated)
        preparation.failed.connect(self._onNotEstimated)
        self.say("", bad=False)
        self._showRunning()
        panel.check()
        preparation.start()

    def cancelEstimate(self) -> None:
        """Make no estimate; what was written goes."""
        if self._preparation is not None:
            self._preparation.cancel()

    def _onEstimated(self, prepared: Prepared) -> None:
        self._preparation = None
        self._panel.prepare(prepared)
        if prepared.exported is not None:
            for note in prepared.exported.notes:
                self.log(note)
        self._showRunning()
        self._panel.check()

    def _onNotEstimated(self, error: JobError) -> None:
        exported = self._preparation.exported if self._preparation is not None else None
        self._preparation = None
        self._panel.refuse(exported.problems if exported is not None else {})
        self._showRunning()
        self.say(error.text, bad=error.code != "cancelled")
        self._panel.check()

    def _estimated(self) -> str:
        """The estimate in words, "" if there is none for the present choices."""
        panel = self._panel
        prepared = panel.prepared
        if prepared is None or self.running is not None or prepared.choices != panel.choices():
            return ""
        estimate, rows = prepared.estimate, panel.scans.rows()
        good = [row for row in rows if not row.problem]
        counts = {role: sum(row.role == role for row in good) for role in (LEARN, VALIDATE)}
        bad = [row.name for row in rows if row.problem and row.role in (LEARN, VALIDATE)]
        lines = [_("{learn} scans to learn from, {validate} to validate with.").format(**counts)]
        if bad:
            lines.append(_("With problems: {names}.").format(names=", ".join(bad)))
        if not counts[VALIDATE]:
            lines.append(_("Nothing is held out: nobody will know how good the model is on scans that it has not seen."))
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
        return " ".join(lines)

    # ----------------------------------------------------------------- training

    def problem(self) -> str:
        """Why no training can begin now, "" if one can."""
        panel = self._panel
        problem = panel.beginProblem()
        if problem:
            return problem
        if panel.prepared.begun and (panel.prepared.home / "training").exists():
            return _("there is a training of that name already: choose another name, or go on with it under Trainings")
        return ""

    def _onStart(self, *_arguments: Any) -> None:
        panel = self._panel
        if self.problem():  # something may have changed in the scene
            panel.check()
            return
        try:
            name = panel.node.name.strip()
            home = panel.prepared.keepAs(rootFolder(), name)
            training = begin(home, TRAIN, name, panel.arguments())
        except OSError as error:
            self.say(_("The training cannot begin: {reason}.").format(reason=error.strerror or error), bad=True)
            return
        self.go(training)

    def go(self, training: Training) -> None:
        """Begin a training, or go on with one."""
        run = Run(training, self._panel.client)
        self._panel.run = run
        self._lines = []
        run.progressed.connect(self._onProgress)
        run.figures.connect(self._onFigures)
        run.logged.connect(self.log)
        run.finished.connect(self._onFinished)
        run.failed.connect(self._onFailed)
        self.say("", bad=False)
        _show(self.ui.figuresLabel, "")
        self.log(_("{name}: training").format(name=training.name))
        self._showRunning()
        run.start()
        self._panel.trainings.refresh()
        self._panel.check()

    def _ask(self, word: str) -> None:
        run = self.running
        if run is None:
            return
        try:
            run.pause() if word == "pause" else run.stop()
        except OSError as error:
            self.say(_("The training cannot be told: {reason}.").format(reason=error.strerror or error), bad=True)
            return
        _show(self.ui.stageLabel, _("pausing after this step...") if word == "pause" else _("stopping after this step..."))
        self._showRunning()

    def _onProgress(self, share: float, stage: str, left: float | None) -> None:
        self.ui.progressBar.setValue(round(_BAR * share))
        run = self.running
        if run is None or not run.asked:
            stage = stage.partition(":")[0]  # the figures stand below
            _show(self.ui.stageLabel, stage + ("" if left is None else " \u2013 " + _("{time} left").format(time=clock(left))))

    def _onFigures(self, lines: list[dict[str, Any]]) -> None:
        self._lines = lines
        self.showCurve()
        best, last, run = curve.best(lines), lines[-1], self._panel.run
        if run is not None:
            self._panel.trainings.showStep(run.training, last["step"], int(last.get("steps") or 0))
        texts = [_("step {step}").format(step=last["step"])]
        if isinstance(last.get("loss"), (int, float)):
            texts.append(_("loss {loss:.4g}").format(loss=last["loss"]))
        if best is not None:
            latest = next(line[best[1]] for line in reversed(lines) if line.get(best[1]) is not None)
            texts.append(
                _("validation {latest}, best {best} at step {step}").format(
                    latest=curve.said(best[1], latest), best=curve.said(best[1], best[2]), step=best[0]
                )
            )
        _show(self.ui.figuresLabel, sentence(", ".join(texts)))
        self._panel.check()

    def showCurve(self) -> None:
        """Bring the chart in line with the log."""
        run, node = self.running, self._panel.node
        if self._lines and run is not None and node is not None and not slicer.mrmlScene.IsClosing():
            curve.fill(node, self._lines, _("Training {name}").format(name=run.training.name))

    def _onCurve(self, *_arguments: Any) -> None:
        if self._panel.node is not None and self._panel.node.curveChart is not None:
            curve.show(self._panel.node.curveChart)

    # --------------------------------------------------------------------- end

    def _onFinished(self, result: dict[str, Any]) -> None:
        training = self._over()
        for note in result.get("notes") or []:
            self.log(str(note))
        text = self._ended(training, result)
        self.say(text, bad=False)
        self.log(text)
        slicer.util.showStatusMessage(text, _SHOWN)  # the user may be in another module
        if training.state in ("finished", "stopped") and training.model is not None:
            self.keep(training, text)
        self._panel.trainings.refresh()
        self._panel.check()

    def _ended(self, training: Training, result: dict[str, Any]) -> str:
        step, steps = result.get("step"), result.get("steps")
        if training.state == "paused":
            return _("{name} is paused at step {step} of {steps}. Select it under Trainings and press Resume to go on.").format(
                name=training.name, step=step, steps=steps
            )
        text = _("{name}: {step} of {steps} steps").format(name=training.name, step=step, steps=steps)
        if result.get("seconds"):
            text += _(" in {time}").format(time=clock(result["seconds"]))
        best = result.get("best")
        if best:
            figure = str(best.get("figure") or "")
            key = figure if figure.startswith("validation_") else f"validation_{figure}"
            value = curve.said(key, best["value"]) if key in (curve.DICE, curve.TRE, curve.LOSS) else f"{figure} {best['value']:.4g}"
            text += _("; best in validation: {value} at step {step}").format(value=value, step=best.get("step"))
        return f"{text}."

    def keep(self, training: Training, said: str = "") -> None:
        """Put a training's model among the user's own.

        Args:
            training: with a model.
            said: what stands in front of the answer.
        """
        job = models.adopt(self._panel.client, str(training.model), training.name)
        job.finished.connect(lambda result: self._onKept(training, result, said))
        job.failed.connect(lambda error: self.say(f"{said} {error.text}".strip(), bad=True))

    def _onKept(self, training: Training, result: dict[str, Any], said: str) -> None:
        training.added = str(result["card"]["name"])
        training.save()
        text = _("The model {name} is among your own; the panel of the method offers it under Features.").format(name=training.added)
        self.log(text)
        self.say(f"{said} {text}".strip(), bad=False)
        self._panel.trainings.refresh()
        self._panel.check()

    def _onFailed(self, error: JobError) -> None:
        training = self._over()
        text = error.text
        if error.code not in ("input", "parameter") and training.state != "finished":
            text += " " + _("Nothing that was trained is lost up to the last checkpoint: it can go on under Trainings.")
        self.say(text, bad=error.code != "cancelled")
        self.log(text)
        self._panel.trainings.refresh()
        self._panel.check()

    def _over(self) -> Training:
        training = self._panel.run.training
        self._panel.run = None
        self._showRunning()
        return training

    # ------------------------------------------------------------------- show

    def check(self) -> None:
        """Enable what can be done."""
        panel, ui = self._panel, self.ui
        for name, problem in (("estimate", panel.estimateProblem() if not self.preparing else ""), ("start", self.problem())):
            button = getattr(ui, f"{name}Button")
            button.setEnabled(not problem)
            button.toolTip = sentence(problem) or self._help[name]
        there = panel.node.curveChart is not None
        ui.curveButton.setEnabled(there)
        ui.curveButton.toolTip = self._help["curve"] if there else _("There is no curve yet: it begins with the training.")
        _show(ui.estimateLabel, self._estimated())

    def _showRunning(self) -> None:
        """Buttons and bar for what goes on."""
        ui, run = self.ui, self.running
        ui.estimateButton.text = _("Cancel") if self.preparing else _("Estimate")
        ui.estimateButton.setVisible(run is None)
        ui.startButton.setVisible(run is None)
        for button in (ui.pauseButton, ui.stopButton):
            button.setVisible(run is not None)
            button.setEnabled(run is not None and not run.asked)
        busy = run is not None or self.preparing
        ui.progressBar.setVisible(busy)
        if not busy or run is None or not run.asked:
            _show(ui.stageLabel, _("starting...") if busy else "")
            ui.progressBar.setValue(0)

    def say(self, text: str, bad: bool) -> None:
        """Tell how something ended."""
        self.ui.resultLabel.setStyleSheet("color: #c03020;" if bad else "")
        _show(self.ui.resultLabel, text[:1].upper() + text[1:])

    def log(self, text: str) -> None:
        """Keep something that may be of use."""
        self.ui.logTextEdit.appendPlainText(f"{time.strftime('%H:%M:%S')}  {text}")


def _show(label: Any, text: str) -> None:
    label.text = text
    label.setVisible(bool(text))
