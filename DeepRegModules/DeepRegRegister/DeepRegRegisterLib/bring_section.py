"""What comes along: data of the moving side, chosen before or after a run."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from deepreg_slicer import results
from deepreg_slicer.appearance import BAD, PLAIN, setTone
from deepreg_slicer.bring_along import BringAlong, Brought
from deepreg_slicer.errors import JobError, NodeError
from deepreg_slicer.labels import isSegmentation
from deepreg_slicer.moving_side import candidates, liesWith, partnerOf
from deepreg_slicer.signals import Signal
from deepreg_slicer.wording import sentence

#: References of the parameter node to the nodes that the user has ticked, and to those whose ticks the user has removed.
TICKED, CLEARED = "bring", "bringNot"
_NODE = qt.Qt.UserRole
# Rows that are visible without scrolling.
_MOST_ROWS = 5
_KINDS = {
    "vtkMRMLScalarVolumeNode": _("volume"),
    "vtkMRMLLabelMapVolumeNode": _("label map"),
    "vtkMRMLSegmentationNode": _("segmentation"),
    "vtkMRMLModelNode": _("model"),
    "vtkMRMLMarkupsFiducialNode": _("points"),
}


class BringSection:
    """The widgets below Bring along.

    Args:
        panel: of the module.

    Signals: ``finished(Brought)``.
    """

    def __init__(self, panel: Any) -> None:
        self.finished = Signal()
        self._panel, self._ui = panel, panel.ui
        self._offered: list[Any] = []
        self._filling = False
        self.task: BringAlong | None = None
        ui = panel.ui
        ui.bringList.connect("itemChanged(QListWidgetItem*)", self._onTicked)
        ui.bringAllCheckBox.connect("clicked(bool)", self._onAll)
        ui.applyToButton.connect("clicked(bool)", self._onApply)
        self.showMessage("", PLAIN)

    # ------------------------------------------------------------------ choice

    def ticked(self) -> list[Any]:
        """Return the nodes that come along."""
        node = self._panel.node
        if node is None:
            return []
        chosen, cleared = (_referenced(node.parameterNode, role) for role in (TICKED, CLEARED))
        return [each for each in self._offered if _among(each, chosen) or (self._lies(each) and not _among(each, cleared))]

    def _lies(self, each: Any) -> bool:
        return liesWith(each, self._panel.node.movingVolume, self._panel.node.fixedVolume)

    def _set(self, each: Any, on: bool) -> None:
        mrml = self._panel.node.parameterNode
        for role, wanted in ((TICKED, on), (CLEARED, not on)):
            kept = [other for other in _referenced(mrml, role) if other is not each]
            mrml.RemoveNodeReferenceIDs(role)
            for other in (*kept, each) if wanted else kept:
                mrml.AddNodeReferenceID(role, other.GetID())

    def _onTicked(self, item: Any) -> None:
        if not self._filling and self._panel.node is not None:
            number = self._ui.bringList.row(item)
            self._set(self._offered[number], item.checkState() == qt.Qt.Checked)
            self.update()

    def _onAll(self, on: bool) -> None:
        if self._panel.node is not None:
            for each in self._offered:
                self._set(each, bool(on))
            self.update()

    def update(self) -> None:
        """Offer what is in the scene now."""
        node, ui = self._panel.node, self._ui
        self._offered = candidates(node.fixedVolume, node.movingVolume) if node.movingVolume is not None else []
        ui.bringCollapsibleButton.setVisible(bool(self._offered))
        ticked = self.ticked()
        rows = [(_("{name} ({kind})").format(name=each.GetName(), kind=kindOf(each)), _among(each, ticked)) for each in self._offered]
        self._fill(rows)
        ui.bringAllCheckBox.setChecked(bool(rows) and len(ticked) == len(rows))
        ui.bringCollapsibleButton.text = (
            _("Bring along: {count} of {all}").format(count=len(ticked), all=len(rows)) if ticked else _("Bring along")
        )
        problem = self._problem(ticked)
        ui.applyToButton.setEnabled(not problem)
        ui.applyToButton.toolTip = sentence(problem) or _("Apply the chosen result to what is ticked, without registering again.")

    def _problem(self, ticked: list[Any]) -> str:
        """Return why the shown result cannot be applied now; "" if it can."""
        if self._panel.node.result is None:
            return _("there is no result yet: the next one will be applied to the ticked data")
        if not ticked:
            return _("tick the data to bring along")
        return _("another computation is running: wait for its end") if self._panel.busy else ""

    def _fill(self, rows: list[tuple[str, bool]]) -> None:
        box = self._ui.bringList
        present = [(box.item(number).text(), box.item(number).checkState() == qt.Qt.Checked) for number in range(box.count)]
        if present == rows:
            return
        self._filling = True
        try:
            row = box.currentRow
            box.clear()
            for text, on in rows:
                item = qt.QListWidgetItem(text)
                item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsUserCheckable)
                item.setCheckState(qt.Qt.Checked if on else qt.Qt.Unchecked)
                box.addItem(item)
            box.setCurrentRow(min(row, len(rows) - 1))
        finally:
            self._filling = False
        fitRows(box, _MOST_ROWS)

    # ------------------------------------------------------------------- apply

    def _onApply(self, *_arguments: Any) -> None:
        if self._panel.node is not None and self._panel.node.result is not None:
            self.start(self._panel.node.result, self.ticked())

    def start(self, transform: Any, nodes: list[Any]) -> None:
        """Apply a result to nodes; the rest comes by signals."""
        fixed, _moving = results.endsOf(transform)
        task = makeTask(transform, fixed or self._panel.node.fixedVolume, nodes)
        task.finished.connect(lambda brought: self._onFinished(transform, brought))
        task.failed.connect(self._onFailed)
        task.progressed.connect(self._onProgress)
        self.task = task
        self.showMessage(_("Bringing along..."), PLAIN)
        try:
            task.start()
        except NodeError as error:
            self.task = None
            self.showMessage(str(error), BAD)
        self._panel.checkCanApply()

    def _onProgress(self, fraction: float, _stage: str, _left: float | None) -> None:
        if self.task is not None:
            self.showMessage(_("Bringing along: {percent:.0f} %").format(percent=100.0 * fraction), PLAIN)

    def _onFinished(self, transform: Any, brought: Brought) -> None:
        self.task = None
        made = [node for node in (*brought.nodes.values(), brought.structures) if node is not None]
        results.mark(transform, made)
        self._panel.results.history.brought(transform, made)
        names = ", ".join(node.GetName() for node in brought.nodes)
        self.showMessage(" ".join([_("Brought along: {names}.").format(names=names), *map(sentence, brought.notes)]), PLAIN)
        for note in brought.notes:
            self._panel.runSection.log(note)
        self.finished.emit(brought)
        self._panel.refresh()

    def _onFailed(self, error: JobError) -> None:
        self.task = None
        self.showMessage(error.text, BAD if error.code != "cancelled" else PLAIN)
        self._panel.refresh()

    def showMessage(self, text: str, tone: str) -> None:
        """Show a line below the list; "" hides it."""
        label = self._ui.bringLabel
        label.text = text
        setTone(label, tone)
        label.setVisible(bool(text))

    def cancel(self) -> None:
        """Stop what is being applied."""
        if self.task is not None:
            self.task.cancel()

    def cleanup(self) -> None:
        """Stop without a message: the widgets may not exist any more."""
        if self.task is not None:
            self.task.drop()
            self.task = None


def makeTask(transform: Any, fixed: Any, nodes: list[Any]) -> BringAlong:
    """Return the task that applies a result to nodes, not yet started; its new nodes are named after the result."""
    partner = partnerOf(nodes, fixed) if any(isSegmentation(node) for node in nodes) else None
    return BringAlong(transform, fixed, nodes, partner, f"({results.titleOf(transform)})")


def kindOf(node: Any) -> str:
    """Return what a node is, for users."""
    return _KINDS.get(node.GetClassName(), _("curve"))


def fitRows(box: Any, most: int) -> None:
    """Give a list the height of its rows, at least one and at most some."""
    height = max(box.sizeHintForRow(0), box.fontMetrics().height()) + 2
    box.setFixedHeight(min(max(box.count, 1), most) * height + 2 * box.frameWidth + 2)


def _referenced(mrml: Any, role: str) -> list[Any]:
    nodes = [mrml.GetNthNodeReference(role, number) for number in range(mrml.GetNumberOfNodeReferences(role))]
    return [node for node in nodes if node is not None]


def _among(node: Any, nodes: list[Any]) -> bool:
    return any(node is each for each in nodes)
