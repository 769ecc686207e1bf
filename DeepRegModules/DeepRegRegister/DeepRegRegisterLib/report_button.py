"""The report of a result, written from the panel and opened in the browser."""

from __future__ import annotations

import os
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_slicer import results
from deepreg_slicer.errors import JobError, NodeError
from deepreg_slicer.labels import isSegmentation
from deepreg_slicer.moving_side import partnerOf


class ReportButton:
    """Writes the report of the chosen result.

    Args:
        panel: of the module.
    """

    def __init__(self, panel: Any) -> None:
        self._panel = panel
        #: The report that is being written.
        self.task: Any = None
        #: Path of the last page, "" before.
        self.written = ""

    def write(self, transform: Any) -> None:
        """Ask for a file, and write the report of a result."""
        path = qt.QFileDialog.getSaveFileName(None, _("Write report"), "registration_report.html", _("Web pages (*.html)"))
        if not path:
            return
        complete = path if path.lower().endswith((".html", ".htm")) else f"{path}.html"
        if complete != path and os.path.exists(complete):
            question = _("{name} already exists. Replace it?").format(name=os.path.basename(complete))
            if not slicer.util.confirmOkCancelDisplay(question):
                return
        task = self._makeTask(transform, complete)
        task.finished.connect(lambda _content: self._onWritten(complete))
        task.failed.connect(self._onFailed)
        self.task = task
        self._say(_("Writing the report..."))
        try:
            task.start()
        except NodeError as error:
            self.task = None
            self._say(str(error), bad=True)
        self._panel.checkCanApply()

    def _makeTask(self, transform: Any, path: str) -> Any:
        from DeepRegInspectorLib.report import ReportInputs, ReportTask

        fixed, moving = results.endsOf(transform)
        originals = [node.GetNodeReference("deepRegOriginal") for node in results.brought(transform)]
        segmentations = [node for node in originals if isSegmentation(node)]
        partner = partnerOf(segmentations, fixed)
        more = {"fixedLabels": partner, "movingLabels": segmentations[0]} if partner is not None else {}
        more.update(inverse=results.nodeOf(transform, "inverse"), title=results.titleOf(transform))
        inputs = ReportInputs(transform, fixed, moving, **more)
        return ReportTask(inputs, path, False)

    def _onWritten(self, path: str) -> None:
        self.task, self.written = None, path
        self._say(_("The report is written: {path}").format(path=path))
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(path))
        self._panel.refresh()

    def _onFailed(self, error: JobError) -> None:
        self.task = None
        self._say(error.text, bad=True)
        self._panel.refresh()

    def _say(self, text: str, bad: bool = False) -> None:
        self._panel.runSection.showMessage(text, bad=bad)

    def cleanup(self) -> None:
        """Stop without a message."""
        if self.task is not None:
            self.task.drop()
            self.task = None
