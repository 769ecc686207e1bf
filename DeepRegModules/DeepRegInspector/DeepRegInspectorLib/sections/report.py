"""The report: a page that is written to a file and opened in the browser."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from deepreg_engine.errors import EngineError
from deepreg_engine.reporting.limits import LIMITS, WORDS, limits_with
from deepreg_slicer.appearance import setColumnWidths, setRowHeight
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.errors import NodeError
from deepreg_slicer.provenance import notesOf
from deepreg_slicer.torch_state import knownMissing
from deepreg_slicer.wording import counted
from DeepRegInspectorLib.report import ReportInputs, ReportTask, figuresFiles, patientsOf
from DeepRegInspectorLib.sections.base import Section

_FIGURE, _GREEN, _AMBER = 0, 1, 2


class ReportSection(Section):
    """The part *Report*.

    Attributes:
        written: path of the last page, "" before.
    """

    name = "report"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.written = ""
        self._task: ReportTask | None = None
        self._knownName = ""
        ui = self.loadUi("DeepRegReport.ui")
        ui.reportProgressBar.setVisible(False)
        ui.reportOpenButton.setVisible(False)
        self._buildLimits()
        ui.reportButton.connect("clicked(bool)", lambda _checked: self._onButton())
        ui.reportOpenButton.connect("clicked(bool)", lambda _checked: self.openPage(self.written))
        ui.reportDefaultsButton.connect("clicked(bool)", lambda _checked: self.context.set("reportLimits", ""))
        ui.reportPatientCheckBox.connect("toggled(bool)", lambda _checked: self.enable())

    @property
    def busy(self) -> bool:
        return self._task is not None

    # ------------------------------------------------------------------- hooks

    def forget(self) -> None:
        self._stop()
        self._showResult("")

    def cleanup(self) -> None:
        self.forget()

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        if changed:
            self.forget()
        if changed & {"fixedVolume", "movingVolume"}:
            self.ui.reportPatientCheckBox.checked = False  # the volumes may show another patient

    def onModified(self, name: str) -> None:
        self.forget()

    def showParameters(self) -> None:
        self._showLimits()

    def enable(self) -> None:
        ui, running = self.ui, self._task is not None
        problem = self.problem()
        ui.reportButton.text = _("Cancel") if running else _("Write report...")
        self.allow(ui.reportButton, not problem or running, problem[:1].upper() + problem[1:] + ".")
        known, self._knownName = self._knownName, patientsOf(self.node.fixedVolume, self.node.movingVolume)[0]
        if ui.reportPatientLineEdit.text in ("", known):
            ui.reportPatientLineEdit.text = self._knownName
        ui.reportPatientLineEdit.setEnabled(ui.reportPatientCheckBox.checked)
        ui.reportPartsLabel.text = self._parts()

    def problem(self) -> str:
        """Return the reason why no report can be written; "" if it can be written."""
        node = self.node
        if node is None or node.transform is None:
            return _("choose a transform")
        if not self.context.volumes():
            return _("choose the fixed and the moving volume")
        if knownMissing():
            return _("not installed: {names}; open the module DeepReg Setup").format(names=", ".join(knownMissing()))
        if self.context.client.computing and self._task is None:
            return _("another computation is running: wait for its end")
        try:
            self.limits()
        except EngineError as error:
            return engineText(error.line())
        return ""

    def _parts(self) -> str:
        """Return the inputs that the report measures."""
        node = self.node
        pairs = self.context.sections["landmarks"].pairs
        parts = []
        if len(pairs) and pairs.used.any():
            parts.append(counted(int(pairs.used.sum()), _("{count} landmark pair"), _("{count} landmark pairs")))
        if node.fixedLabels is not None and node.movingLabels is not None:
            parts.append(_("structures"))
        if node.inverseTransform is not None:
            parts.append(_("inverse transform"))
        return (
            _("Measured with: {parts}.").format(parts=", ".join(parts))
            if parts
            else _(
                "Without landmarks and structures the figures of the report describe the regularity of the deformation, not its accuracy."
            )
        )

    # ------------------------------------------------------------------ limits

    def _buildLimits(self) -> None:
        table = self.ui.reportLimitsTable
        table.setColumnCount(3)
        table.setRowCount(len(LIMITS))
        table.setHorizontalHeaderLabels([_("Figure"), _("Green"), _("Amber")])
        table.verticalHeader().setVisible(False)
        setRowHeight(table)
        for row, limit in enumerate(LIMITS):
            unit = f" ({limit.unit})" if limit.unit else ""
            sign = "\u2265" if limit.higher else "\u2264"
            title = qt.QTableWidgetItem(f"{engineText(limit.title)}{unit} {sign}")
            title.setFlags(qt.Qt.ItemIsEnabled)
            table.setItem(row, _FIGURE, title)
            for column in (_GREEN, _AMBER):
                item = qt.QTableWidgetItem("")
                item.setData(qt.Qt.TextAlignmentRole, int(qt.Qt.AlignRight | qt.Qt.AlignVCenter))
                table.setItem(row, column, item)
        table.horizontalHeader().setSectionResizeMode(_FIGURE, qt.QHeaderView.Stretch)
        setColumnWidths(table, dict.fromkeys((_GREEN, _AMBER), "0.888"))
        table.connect("cellChanged(int,int)", self._onLimit)

    def limits(self) -> dict[str, list[Any]]:
        """Return the limits that were changed: key to green and amber.

        Raises: EngineError: if they contradict each other.
        """
        changed = self._changedLimits()
        limits_with(changed)
        return changed

    def _changedLimits(self) -> dict[str, list[Any]]:
        try:
            found = json.loads(self.node.reportLimits or "{}")
        except ValueError:
            return {}
        known = {limit.key for limit in LIMITS}
        return {key: pair for key, pair in found.items() if key in known and isinstance(pair, list)} if isinstance(found, dict) else {}

    def _showLimits(self) -> None:
        changed, table = self._changedLimits(), self.ui.reportLimitsTable
        for row, limit in enumerate(LIMITS):
            for column, value in zip((_GREEN, _AMBER), changed.get(limit.key, (limit.green, limit.amber)), strict=False):
                text = f"{value:g}" if isinstance(value, int | float) else str(value)
                if table.item(row, column).text() != text:
                    table.item(row, column).setText(text)

    def _onLimit(self, row: int, column: int) -> None:
        if self.context.updating or self.node is None or column == _FIGURE:
            return
        texts = [self.ui.reportLimitsTable.item(row, number).text().strip() for number in (_GREEN, _AMBER)]
        changed = self._changedLimits()
        changed[LIMITS[row].key] = [_number(text) for text in texts]
        if changed[LIMITS[row].key] == [LIMITS[row].green, LIMITS[row].amber]:
            del changed[LIMITS[row].key]
        self.context.set("reportLimits", json.dumps(changed) if changed else "")

    # ------------------------------------------------------------------- write

    def cancel(self) -> None:
        """Stop the writing of a report."""
        if self._task is not None:
            self._stop()
            self._showResult(_("Cancelled. Nothing was written."))
            self.enable()

    def _onButton(self) -> None:
        if self._task is not None:
            self.cancel()
            return
        path = qt.QFileDialog.getSaveFileName(None, _("Write report"), "registration_report.html", _("Web pages (*.html)"))
        if path:
            self.write(path)

    def write(self, path: str) -> None:
        """Start to write a report; the page is opened when it is finished.

        Args:
            path: of the page; ".html" is added if it is missing.
        """
        node, ui = self.node, self.ui
        complete = path if path.lower().endswith((".html", ".htm")) else f"{path}.html"
        # The dialog has confirmed the page itself if the name was complete.
        files = [] if complete == path else [complete]
        if node.reportFigures and not os.path.exists(path):
            files += figuresFiles(complete)
        there = [os.path.basename(file) for file in files if os.path.exists(file)]
        if there and not slicer.util.confirmOkCancelDisplay(_("{names} already exists. Replace it?").format(names=", ".join(there))):
            return
        position = None
        if node.reportCrosshair:
            position = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").GetCrosshairRAS()
        inputs = ReportInputs(
            node.transform,
            node.fixedVolume,
            node.movingVolume,
            node.fixedPoints,
            node.movingPoints,
            node.fixedLabels,
            node.movingLabels,
            node.inverseTransform,
            title=ui.reportTitleLineEdit.text.strip(),
            position=position,
            limits=self.limits(),
            patientName=ui.reportPatientLineEdit.text.strip() if ui.reportPatientCheckBox.checked else "",
        )
        self._showResult("")
        self._task = ReportTask(inputs, complete, bool(node.reportFigures))
        self._task.progressed.connect(lambda fraction, *_: setattr(ui.reportProgressBar, "value", int(1000 * fraction)))
        self._task.finished.connect(lambda content: self._onWritten(complete, content))
        self._task.failed.connect(lambda error: self._onFailed(error.text))
        ui.reportProgressBar.value = 0
        ui.reportProgressBar.setVisible(True)
        try:
            self._task.start()
        except NodeError as error:
            self._onFailed(str(error))
        self.enable()

    def _onWritten(self, path: str, content: dict[str, Any]) -> None:
        self._task = None
        self.ui.reportProgressBar.setVisible(False)
        self.written = path
        ratings = [entry["rating"] for entry in content["ratings"]]
        counts = ", ".join(f"{ratings.count(rating)} {WORDS[rating]}" for rating in ("red", "amber", "green") if rating in ratings)
        lines = [_("{name} is written: {counts}.").format(name=os.path.basename(path), counts=counts), *notesOf(content)]
        self._showResult("\n".join(lines))
        self.ui.reportOpenButton.setVisible(True)
        self.enable()
        self.openPage(path)

    def _onFailed(self, text: str) -> None:
        self._task = None
        self.ui.reportProgressBar.setVisible(False)
        self._showResult(text)
        self.enable()

    def openPage(self, path: str) -> None:
        """Show a page in the browser."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(path))

    def _stop(self) -> None:
        if self._task is not None:
            self._task.drop()
            self._task = None
        self.ui.reportProgressBar.setVisible(False)

    def _showResult(self, text: str) -> None:
        self.ui.reportResultLabel.text = text
        if not text:
            self.ui.reportOpenButton.setVisible(False)


def _number(text: str) -> Any:
    try:
        value = float(text)
    except ValueError:
        return text
    return value if np.isfinite(value) else text
