"""Apply in a method's panel: start a run, show its progress and messages, and report its end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_engine.methods.slots import slot as slotNamed
from deepreg_slicer.appearance import BAD, PLAIN, setTone
from deepreg_slicer.errors import JobError, NodeError
from deepreg_slicer.parameter_form import title
from deepreg_slicer.parameter_pack import setValues
from deepreg_slicer.preview import Preview
from deepreg_slicer.registration import Registration
from deepreg_slicer.request import Result
from deepreg_slicer.signals import Signal
from deepreg_slicer.verdict_line import showVerdict
from deepreg_slicer.wording import capitalized, sentence


class RunSection:
    """The run of a panel.

    Args:
        panel: the method's panel.

    Signals: ``finished(Result)``; ``messageShown()``, when a line above Apply has changed.
    """

    def __init__(self, panel: Any) -> None:
        self.finished, self.messageShown = Signal(), Signal()
        self.run: Registration | None = None
        self._preview: Preview | None = None
        self._panel, self._ui = panel, panel.ui
        self._ui.progressBar.setRange(0, 1000)
        self._ui.logTextEdit.setReadOnly(True)
        self._showRunning(False)
        self.showMessage("", bad=False)
        self.showVerdict(None)
        self._ui.applyButton.connect("clicked(bool)", self._onApply)
        self._ui.keepButton.connect("clicked(bool)", lambda *_arguments: self.finish())

    def _onApply(self, *_arguments: Any) -> None:
        if self.run is not None:
            self.cancel()
        else:
            self.apply()

    def apply(self) -> None:
        """Start a run."""
        run = self._panel.makeRun(self._panel.request())
        run.progressed.connect(self._onProgress)
        run.previewed.connect(self._onPreview)
        run.logged.connect(self.log)
        run.finished.connect(self._onFinished)
        run.failed.connect(self._onFailed)
        self._ui.logTextEdit.clear()
        self.showMessage("", bad=False)
        self.showVerdict(None)
        self.run = run
        if self._look() is not None:
            self._look().rest()
        self._showRunning(True)
        try:
            run.start()
        except NodeError as error:
            self._over()
            self.showMessage(str(error), bad=True)

    def applyByKey(self) -> None:
        """Start a run, as the key of Apply does: not while it is disabled or a run goes on."""
        if self.run is None and self._ui.applyButton.enabled:
            self._ui.applyButton.setFocus()
            self.apply()

    def cancel(self) -> None:
        """Stop the run."""
        if self.run is not None:
            self._ui.stageLabel.text = _("stopping...")
            self._ui.applyButton.setEnabled(False)
            self._ui.keepButton.setEnabled(False)
            self.run.cancel()

    def finish(self) -> None:
        """End the run early, and take its result so far."""
        if self.run is not None:
            self._finishing = True
            self._ui.stageLabel.text = _("Stopping; the result so far is kept...")
            self._ui.keepButton.setEnabled(False)
            self.run.finish()

    def drop(self) -> None:
        """Stop the run without a message: the widgets may not exist any more when it ends."""
        if self.run is not None:
            self.run.drop()
            self.run = None
        self._dropPreview()

    def log(self, text: str) -> None:
        """Append a line to the log."""
        self._ui.logTextEdit.appendPlainText(f"{time.strftime('%H:%M:%S')}  {text}")

    def showMessage(self, text: str, bad: bool) -> None:
        """Show a line above Apply, in the colour of errors for one; "" hides it."""
        label = self._ui.resultLabel
        label.text = capitalized(text)
        setTone(label, BAD if bad else PLAIN)
        label.setVisible(bool(text))
        self.messageShown.emit()

    def showVerdict(self, report: Mapping[str, Any] | None) -> None:
        """Show the verdict of a report above its line; None hides it."""
        showVerdict(self._ui.verdictLabel, report)
        self.messageShown.emit()

    def showReason(self, problem: str) -> None:
        """Show why Apply is disabled; "" hides the line."""
        label = self._ui.reasonLabel
        label.text = sentence(problem)
        label.setVisible(bool(problem))
        self.messageShown.emit()

    def _showRunning(self, running: bool) -> None:
        ui = self._ui
        ui.applyButton.text = _("Cancel") if running else _("Apply")
        if running:
            ui.applyButton.setEnabled(True)
            ui.applyButton.toolTip = _("Stop; nothing in the scene will have changed.")
            ui.progressBar.setValue(0)
            self.showReason("")
        self._finishing = False
        ui.keepButton.setVisible(running)
        ui.keepButton.setEnabled(False)
        ui.progressBar.setVisible(running)
        ui.stageLabel.setVisible(running)

    def _onProgress(self, fraction: float, stage: str, left: float | None) -> None:
        self._ui.progressBar.setValue(round(1000 * fraction))
        if (self.run is None or not self.run.over) and not self._finishing:
            self._ui.stageLabel.text = stage if left is None else _("{stage} \u2013 {time} left").format(stage=stage, time=_duration(left))

    def _onPreview(self, transform: Any) -> None:
        """Show the result so far."""
        run = self.run
        if run is None:
            return
        inputs, look = run.request.inputs, self._look()
        self._ui.keepButton.setEnabled(not self._finishing)
        if inputs.fixed is None or inputs.moving is None:  # points without volumes
            return
        if self._preview is None:
            without = run.request.leftOut(slotNamed("moving"), inputs.moving)
            self._preview = Preview(inputs.fixed, inputs.moving, without, look.opacity if look is not None else 0.5)
        self._preview.show(transform)

    def _look(self) -> Any:
        """Return the section Look of the panel, None without one."""
        return getattr(self._panel, "look", None)

    def _dropPreview(self) -> None:
        if self._preview is not None:
            self._preview.remove()
            self._preview = None

    def _onFinished(self, result: Result) -> None:
        self._over()
        self.log(result.summary)
        self.finished.emit(result)

    def _onFailed(self, error: JobError) -> None:
        self._over()
        if self._look() is not None:
            self._look().resume()
        self.log(error.text)
        if error.code == "memory" and error.changes and self._offerSmaller(error):
            return
        self.showMessage(error.text, bad=error.code != "cancelled")

    def _offerSmaller(self, error: JobError) -> bool:
        """Ask whether to compute with the parameters that would fit into memory; return whether such a run has started."""
        panel = self._panel
        changes = "\n".join(f"{title(name)} = {value:g}" for name, value in error.changes.items())
        question = _("{problem}\n\nIt would fit with\n\n{changes}\n\nCompute with these?").format(problem=error.message, changes=changes)
        if panel.node is None or not slicer.util.confirmYesNoDisplay(question, windowTitle=panel.title):
            return False
        self.takeParameters(error.changes)
        if panel.problem():
            return False
        self.apply()
        return True

    def takeParameters(self, changes: Mapping[str, Any]) -> None:
        """Use parameters, name to value, in the next run."""
        setValues(self._panel.node.parameters, self._panel.engine.parameters, dict(changes))

    def _over(self) -> None:
        self.run = None
        self._dropPreview()
        self._showRunning(False)
        self._panel.checkCanApply()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    return _("{minutes}:{seconds:02d} min").format(minutes=minutes, seconds=rest) if minutes else _("{seconds} s").format(seconds=rest)
