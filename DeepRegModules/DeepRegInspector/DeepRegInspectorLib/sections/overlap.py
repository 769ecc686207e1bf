"""Overlap of structures before and after, and inverse consistency."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from deepreg_slicer.appearance import setColumnWidths, setRowHeight
from deepreg_slicer.errors import NodeError
from deepreg_slicer.torch_state import knownMissing
from DeepRegInspectorLib import fields
from DeepRegInspectorLib.overlap import OverlapTask
from DeepRegInspectorLib.sections.base import Section, showText

# Letters of the longest name that a column has room for; the user can widen it.
_LONGEST_NAME = 18


class OverlapSection(Section):
    """The button Measure and its results.

    Attributes:
        reports: of overlap, one for each transform; empty before they are measured.
        inverse: figures of inverse consistency; None before.
    """

    name = "overlap"

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._task: OverlapTask | None = None
        self.reports: list[dict[str, Any]] = []
        self.inverse: dict[str, Any] | None = None
        self._text = ""
        ui = self.ui
        ui.progressBar.setVisible(False)
        ui.overlapTable.verticalHeader().setVisible(False)
        setRowHeight(ui.overlapTable)
        ui.overlapTable.setVisible(False)
        ui.compareButton.connect("clicked(bool)", self._onMeasure)

    @property
    def busy(self) -> bool:
        return self._task is not None

    def forget(self) -> None:
        if self._task is not None:
            self._task.drop()
            self._task = None
            self.ui.progressBar.setVisible(False)
        self.reports, self.inverse, self._text = [], None, ""

    def onInputs(self, changed: set[str], former: dict[str, Any]) -> None:
        if changed & {"transform", "otherTransform", "inverseTransform", "fixedLabels", "movingLabels"}:
            self.forget()

    def onParameters(self, changed: set[str]) -> None:
        self._show()

    def onModified(self, name: str) -> None:
        self.forget()
        self._show()

    def cleanup(self) -> None:
        self.forget()

    def problem(self) -> str:
        """Return the reason why a measurement is not possible; "" if it is possible."""
        node = self.node
        if node.transform is None:
            return _("choose a transform")
        labels = node.fixedLabels is not None and node.movingLabels is not None
        if not labels and node.inverseTransform is None:
            return _("choose two segmentations, or an inverse transform")
        if labels and knownMissing():
            return _("not installed: {names}; open the module DeepReg Setup").format(names=", ".join(knownMissing()))
        if labels and self.context.client.computing:
            return _("another computation is running: wait for its end")
        if node.inverseTransform is not None and node.fixedVolume is None:
            return _("choose the fixed volume")
        return ""

    def enable(self) -> None:
        if self._task is not None:
            return
        problem = self.problem()
        self.ui.compareButton.setEnabled(not problem)
        self.ui.compareButton.toolTip = (
            problem[:1].upper() + problem[1:] + "."
            if problem
            else _("Dice, 95 % Hausdorff distance and mean surface distance of each structure, before and after; and inverse consistency.")
        )

    # ----------------------------------------------------------------- measure

    def _onMeasure(self, *_arguments: Any) -> None:
        node, ui = self.node, self.ui
        self.inverse, self._text = None, ""
        if node.inverseTransform is not None:
            try:
                self.inverse = fields.inverseConsistency(node.transform, node.inverseTransform, node.fixedVolume)
                self._text = _(
                    "Inverse consistency: mean {mean:.3f}, 95 % {percentile95:.3f}, maximum {max:.3f} mm ({points:,}"
                    " points; outside the grid of the inverse: {outside:,})."
                ).format(**self.inverse)
            except (NodeError, RuntimeError) as error:
                self._text = str(error)[:1].upper() + str(error)[1:]
        if node.fixedLabels is not None and node.movingLabels is not None:
            self._task = OverlapTask(self.context.transforms(), node.fixedLabels, node.movingLabels, node.fixedVolume)
            self._task.progressed.connect(lambda fraction, *_: setattr(ui.progressBar, "value", int(1000 * fraction)))
            self._task.finished.connect(self._onOverlap)
            self._task.failed.connect(lambda error: self._onFailed(error.text))
            ui.progressBar.setVisible(True)
            ui.compareButton.setEnabled(False)
            try:
                self._task.start()
            except NodeError as error:
                self._onFailed(str(error))
        self._show()

    def _onOverlap(self, reports: list[dict[str, Any]]) -> None:
        self._task = None
        self.reports = reports
        self._text = "\n".join(
            [*([self._text] if self._text else []), *(_("Note: {note}.").format(note=note) for note in reports[0]["notes"])]
        )
        self.ui.progressBar.setVisible(False)
        self._show()
        self.enable()

    def _onFailed(self, text: str) -> None:
        self._task = None
        self.ui.progressBar.setVisible(False)
        self._text = "\n".join(line for line in (self._text, text[:1].upper() + text[1:]) if line)
        self._show()
        self.enable()

    def _stages(self) -> list[tuple[str, list[dict[str, Any]], dict[str, Any]]]:
        """Return name, figures of each structure and their means: before, after, and under the second transform."""
        first = self.reports[0]
        stages = [(_("before"), [row["before"] for row in first["labels"]], first["mean_before"])]
        for name, report in zip((_("after"), _("second")), self.reports, strict=False):
            stages.append((name, [row["after"] for row in report["labels"]], report["mean_after"]))
        return stages

    def _show(self) -> None:
        ui = self.ui
        showText(ui.consistencyLabel, self._text)
        ui.overlapTable.setVisible(bool(self.reports))
        if not self.reports:
            return
        first, stages = self.reports[0], self._stages()
        measures = (("Dice", "dice"), ("HD95 (mm)", "hd95"), ("MSD (mm)", "mean_surface_distance"))
        columns = [(measure, key, name, rows, mean) for measure, key in measures for name, rows, mean in stages]
        table = ui.overlapTable
        table.setColumnCount(1 + len(columns))
        table.setRowCount(len(first["labels"]) + 1)
        table.setHorizontalHeaderLabels([_("Structure"), *(f"{measure}\n{name}" for measure, _key, name, _rows, _mean in columns)])
        names = [_("mean"), *(row.get("name", str(row["label"])) for row in first["labels"])]
        for row, name in enumerate(names):
            table.setItem(row, 0, qt.QTableWidgetItem(name))
            for column, (_measure, key, _name, rows, mean) in enumerate(columns, start=1):
                table.setItem(row, column, _figure((rows[row - 1] if row else mean)[key], 3 if key == "dice" else 2))
        longest = max(names, key=len)[:_LONGEST_NAME]
        setColumnWidths(table, {0: longest, **dict.fromkeys(range(1, 1 + len(columns)), "88.88")})


def _figure(value: float | None, digits: int) -> Any:
    """Return a table's item with a figure, or a dash for None."""
    item = qt.QTableWidgetItem("-" if value is None else f"{value:.{digits}f}")
    item.setData(qt.Qt.TextAlignmentRole, int(qt.Qt.AlignRight | qt.Qt.AlignVCenter))
    return item
