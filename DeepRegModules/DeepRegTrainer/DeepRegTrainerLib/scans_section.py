"""The part of the panel in which scans are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from DeepRegTrainerLib.preparing import Prepared
from DeepRegTrainerLib.scan_table import Row, ScanTable
from DeepRegTrainerLib.scans import LEARN, NONE, VALIDATE, FolderRoles, SceneScan, SceneScans, labelledVolumes, split, structures

if TYPE_CHECKING:
    from DeepRegTrainerLib.panel import TrainerPanel


# What the engine puts behind the name of a pair, for its second scan: the pair is used as a whole.
_MOVING = " moving"


class ScansSection:
    """Adds scans of the scene, lists those of a folder, and keeps what each is for.

    Args:
        panel: whose part it is.

    Attributes:
        problems: key of a scan to what is wrong with it, as the last estimate found.
    """

    def __init__(self, panel: TrainerPanel) -> None:
        self._panel, self.ui = panel, panel.ui
        self.table = ScanTable(self.ui.scansTable)
        self.problems: dict[str, str] = {}
        self._listed: tuple[str, dict[str, str]] = ("", {})
        ui = self.ui
        ui.volumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onVolume)
        ui.labelsSelector.connect("currentNodeChanged(vtkMRMLNode*)", lambda _node: self._panel.check())
        ui.addButton.connect("clicked(bool)", self._onAdd)
        ui.addAllButton.connect("clicked(bool)", self._onAddAll)
        ui.removeButton.connect("clicked(bool)", self._onRemove)
        ui.splitButton.connect("clicked(bool)", self._onSplit)
        ui.scansTable.connect("itemSelectionChanged()", self._panel.check)
        self.table.changed.connect(self._setRoles)
        ui.problemsLabel.setStyleSheet("color: #c03020;")

    def used(self) -> list[SceneScan]:
        """The scans of the scene that are used."""
        return [scan for scan in SceneScans(self._panel.node.parameterNode).all() if scan.role != NONE]

    def onVolume(self, volume: Any) -> None:
        """Choose the segmentation that belongs to a volume."""
        labels = next((labels for other, labels in labelledVolumes() if other is volume), None)
        if labels is not None:
            self.ui.labelsSelector.setCurrentNode(labels)
        self._panel.check()

    def _onAdd(self, *_arguments: Any) -> None:
        SceneScans(self._panel.node.parameterNode).add(self.ui.volumeSelector.currentNode(), self.ui.labelsSelector.currentNode())
        self._panel.refresh()

    def _onAddAll(self, *_arguments: Any) -> None:
        scans = SceneScans(self._panel.node.parameterNode)
        there = {scan.volume.GetID() for scan in scans.all() if scan.volume is not None}
        new = [pair for pair in labelledVolumes() if pair[0].GetID() not in there]
        for volume, labels in new:
            scans.add(volume, labels)
        self._panel.refresh()
        if not new:
            self._panel.training.say(
                _("No volume was added: no other volume of the scene is the reference volume of a segmentation. Add them one by one."),
                bad=False,
            )

    def _onRemove(self, *_arguments: Any) -> None:
        SceneScans(self._panel.node.parameterNode).remove(set(self.table.selected()))
        self._panel.refresh()

    def _onSplit(self, *_arguments: Any) -> None:
        used = [row.key for row in self.table.rows if row.role != NONE]
        chosen = split(used, self.ui.splitSpinBox.value)
        self._setRoles({key: VALIDATE if key in chosen else LEARN for key in used})

    def _setRoles(self, roles: dict[str, str]) -> None:
        mrml = self._panel.node.parameterNode
        (FolderRoles(mrml).set if self._panel.source == "folder" else SceneScans(mrml).setRoles)(roles)
        self._panel.refresh()

    def rows(self) -> list[Row]:
        """The scans as they are shown."""
        mrml = self._panel.node.parameterNode
        if self._panel.source == "folder":
            roles = FolderRoles(mrml)
            return [Row(name, name, roles.of(name), labels, self.problems.get(name, "")) for name, labels in self._known().items()]
        return [
            Row(scan.key, scan.name, scan.role, structures(scan.labels), scan.problem or self.problems.get(scan.key, ""))
            for scan in SceneScans(mrml).all()
        ]

    def _known(self) -> dict[str, str]:
        """Scans of the chosen folder that were seen in it, with their labels."""
        folder, known = self._listed
        return known if folder == self._panel.node.folder else {}

    def take(self, prepared: Prepared) -> None:
        """Keep what an estimate has found: names of scans in a folder, and what is wrong with which."""
        bad = prepared.bad()
        if prepared.exported is not None:
            keys = {name: key for key, name in prepared.exported.files.items()}
            self.problems = {**prepared.exported.problems, **{keys[name]: problem for name, problem in bad.items() if name in keys}}
            return
        known = self._known()
        names = {str(scan["name"]) for scan in prepared.estimate.get("scans") or []}
        seen = {
            str(scan["name"]): ", ".join(map(str, scan.get("labels") or []))
            for scan in prepared.estimate.get("scans") or []
            if str(scan["name"]).removesuffix(_MOVING) not in names or not str(scan["name"]).endswith(_MOVING)
        }
        self._listed = (self._panel.node.folder, {**known, **seen, **{name: known.get(name, "") for name in bad}})
        self.problems = bad

    def check(self) -> None:
        """Show the scans, and enable what can be done with them."""
        ui, rows = self.ui, self.rows()
        self.table.show(rows)
        problems = [f"{row.name}: {row.problem}" for row in rows if row.problem and row.role != NONE]
        ui.problemsLabel.text = "\n".join(problems)
        ui.problemsLabel.setVisible(bool(problems))
        ui.addButton.setEnabled(ui.volumeSelector.currentNode() is not None and ui.labelsSelector.currentNode() is not None)
        ui.removeButton.setEnabled(bool(self.table.selected()))
        ui.splitButton.setEnabled(sum(row.role != NONE for row in rows) > 1)
