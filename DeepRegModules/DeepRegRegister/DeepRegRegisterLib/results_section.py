"""The history of results: show again, compare, review, report, rename, delete, undo."""

from __future__ import annotations

import contextlib
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from deepreg_engine.verdict.line import verdict_in
from deepreg_slicer import result_view, results
from deepreg_slicer.appearance import toneColor
from deepreg_slicer.provenance import readReport, summaryOf
from deepreg_slicer.request import inScene
from deepreg_slicer.result_history import ResultHistory
from deepreg_slicer.verdict_line import SIGNS, TONES, verdictText
from DeepRegRegisterLib.bring_section import fitRows

# Rows that are visible without scrolling.
_MOST_ROWS = 5


class ResultsSection:
    """The widgets below Results.

    Args:
        panel: of the module.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        self.history = ResultHistory()
        self._listed: list[Any] = []
        self._filling = False
        #: Whether a result is still being added to the views.
        self.showing = False
        ui = panel.ui
        ui.resultsList.connect("itemSelectionChanged()", self._onSelected)
        ui.resultsList.connect("itemChanged(QListWidgetItem*)", self._onEdited)
        ui.compareButton.connect("clicked(bool)", lambda *_args: self.compare())
        ui.renameButton.connect("clicked(bool)", lambda *_args: self._edit())
        ui.deleteButton.connect("clicked(bool)", lambda *_args: self.delete())
        ui.undoButton.connect("clicked(bool)", lambda *_args: self.undo())
        ui.reviewButton.connect("clicked(bool)", lambda *_args: self.review())
        ui.reportButton.connect("clicked(bool)", lambda *_args: self.report())

    # -------------------------------------------------------------------- list

    def forget(self) -> None:
        """Forget the results of a scene that is closed."""
        self._filling = True
        self._ui.resultsList.clear()
        self._listed, self._filling = [], False

    def selected(self) -> list[Any]:
        """Return the transforms of the selected results, the latest first."""
        box = self._ui.resultsList
        return [transform for number, transform in enumerate(self._listed) if box.item(number).isSelected()]

    def update(self) -> None:
        """List the results of the scene, and enable what can be done with those that are selected."""
        found = results.results()[::-1]
        titles = [results.titleOf(transform) for transform in found]
        box, shown = self._ui.resultsList, self._panel.node.result
        if found != self._listed or titles != [box.item(number).text() for number in range(box.count)]:
            self._fill(found, titles, [shown] if len(self.selected()) < 2 else self.selected())
        elif shown is not None and not self.selected():
            self._select([shown])
        self._ui.resultsCollapsibleButton.setVisible(bool(found) or bool(self.history.next))
        self._enable()

    def _fill(self, found: list[Any], titles: list[str], selected: list[Any]) -> None:
        box = self._ui.resultsList
        self._filling = True
        try:
            box.clear()
            self._listed = found
            for transform, title in zip(found, titles, strict=True):
                item = qt.QListWidgetItem(title)
                item.setIcon(verdictIcon(box, readReport(transform)))
                item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEditable)
                item.setToolTip(describe(transform))
                box.addItem(item)
        finally:
            self._filling = False
        self._select(selected)
        fitRows(box, _MOST_ROWS)

    def _select(self, transforms: list[Any]) -> None:
        self._filling = True
        try:
            for number, transform in enumerate(self._listed):
                self._ui.resultsList.item(number).setSelected(any(transform is each for each in transforms))
        finally:
            self._filling = False

    def _enable(self) -> None:
        ui, chosen = self._ui, self.selected()
        one = len(chosen) == 1
        for button in (ui.renameButton, ui.reviewButton, ui.reportButton):
            button.setEnabled(one)
        ui.compareButton.setEnabled(len(chosen) == 2)
        ui.deleteButton.setEnabled(bool(chosen))
        ui.undoButton.setEnabled(bool(self.history.next))
        ui.undoButton.toolTip = _("Undo: {step}.").format(step=self.history.next) if self.history.next else _("There is nothing to undo.")
        installed = hasattr(slicer.modules, "deepreginspector")
        for button in (ui.reviewButton, ui.reportButton):
            button.setEnabled(button.enabled and installed)
        ui.structuresButton.setEnabled(one and results.nodeOf(chosen[0], "structures") is not None)

    def _onSelected(self) -> None:
        if self._filling or self._panel.node is None:
            return
        chosen = self.selected()
        if len(chosen) == 1 and chosen[0] is not self._panel.node.result:
            self._panel.node.result = chosen[0]
            self.show(chosen[0])
        self._enable()

    # -------------------------------------------------------------------- show

    def take(self, transform: Any) -> None:
        """Note and show the result of a run that has just ended."""
        self.history.ran(transform)
        self._panel.node.result = transform
        self._ui.resultsCollapsibleButton.collapsed = False
        self.update()
        self._select([transform])
        self._enable()
        self.show(transform)

    def show(self, transform: Any) -> None:
        """Show a result in the views, and its verdict."""
        self.showing = True
        self._panel.showOutcome(transform)
        result_view.hideOthers([transform])
        qt.QTimer.singleShot(0, lambda: self._showVolume(transform))

    def _showVolume(self, transform: Any) -> None:
        self.showing = False
        if not inScene(transform) or self._panel.node is None:
            return
        self._panel.showResult(transform)

    def compare(self) -> None:
        """Show two results side by side over the fixed volume."""
        chosen = self.selected()
        if len(chosen) == 2:
            older, newer = chosen[::-1]
            volumes = [results.nodeOf(transform, "volume") for transform in (older, newer)]
            self._panel.compare(results.endsOf(newer)[0], volumes)

    # ------------------------------------------------------------------ change

    def _edit(self) -> None:
        chosen = self.selected()
        if len(chosen) == 1:
            self._ui.resultsList.editItem(self._ui.resultsList.item(self._listed.index(chosen[0])))

    def _onEdited(self, item: Any) -> None:
        if self._filling:
            return
        transform = self._listed[self._ui.resultsList.row(item)]
        with contextlib.suppress(ValueError):  # an empty name: the former one stays
            self.history.rename(transform, item.text())
        self.update()

    def delete(self) -> None:
        """Remove the selected results."""
        chosen = self.selected()
        if chosen:
            self._leave(chosen)
            self.history.delete(chosen)
            self._panel.refresh()

    def undo(self) -> None:
        """Undo the last step."""
        before = results.results()
        self.history.undo()
        left = results.results()
        if self._panel.node.result is None and left:
            back = [transform for transform in left if not any(transform is each for each in before)]
            self._panel.node.result = (back or left)[-1]
            self.show(self._panel.node.result)
        elif self._panel.node.result is None:
            self._panel.showOutcome(None)
            self._panel.showPair()
        self._panel.refresh()

    def _leave(self, transforms: list[Any]) -> None:
        """Show another result, or the images, if the shown one is about to be removed."""
        node = self._panel.node
        if not any(node.result is each for each in transforms):
            return
        left = [each for each in results.results() if not any(each is other for other in transforms)]
        node.result = left[-1] if left else None
        if left:
            self.show(left[-1])
        else:
            self._panel.showOutcome(None)
            self._panel.showPair()

    # -------------------------------------------------------------- elsewhere

    def review(self) -> Any:
        """Open the selected result in the Inspector; returns its panel's widget."""
        transform = self.selected()[0]
        fixed, moving = results.endsOf(transform)
        slicer.util.selectModule("DeepRegInspector")
        widget = slicer.modules.deepreginspector.widgetRepresentation().self()
        volumes = {"fixedVolume": fixed, "movingVolume": moving} if _areVolumes(fixed, moving) else {}
        widget.inspect(transform, inverseTransform=results.nodeOf(transform, "inverse"), **volumes)
        return widget

    def report(self) -> None:
        """Write the report of the selected result."""
        self._panel.reportButton.write(self.selected()[0])


def _areVolumes(*nodes: Any) -> bool:
    return all(node is not None and node.IsA("vtkMRMLScalarVolumeNode") for node in nodes)


def verdictIcon(widget: Any, report: Any) -> Any:
    """Return the sign of a report's verdict, in its colour on the background of a widget; an empty icon without one."""
    level = verdict_in(report).get("level", "")
    side = widget.fontMetrics().height()
    picture = qt.QPixmap(side, side)
    picture.fill(qt.QColor(0, 0, 0, 0))
    if level:
        painter = qt.QPainter(picture)
        painter.setFont(widget.font)
        painter.setPen(qt.QColor(toneColor(widget, TONES[level])))
        painter.drawText(0, 0, side, side, int(qt.Qt.AlignCenter), SIGNS[level])
        painter.end()
    return qt.QIcon(picture)


def describe(transform: Any) -> str:
    """Return a line about a result, for a tool tip."""
    report = readReport(transform)
    fixed, moving = results.endsOf(transform)
    names = _("{moving} to {fixed}").format(
        moving=moving.GetName() if moving else transform.GetAttribute("DeepReg.Moving") or "-",
        fixed=fixed.GetName() if fixed else transform.GetAttribute("DeepReg.Fixed") or "-",
    )
    if report is None:
        return names
    lines = (names, verdictText(report), summaryOf(report, (report.get("seconds") or {}).get("total", 0.0)))
    return "\n".join(line for line in lines if line)
