"""The section of the panel in which scans are chosen."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from deepreg_slicer.appearance import BAD, setTone
from DeepRegTrainerLib.scan_table import ScanTable
from DeepRegTrainerLib.scans import LEARN, NONE, VALIDATE, SceneScans, labelledVolumes, split
from DeepRegTrainerLib.session import TrainerSession


class ScansSection:
    """Adds scans of the scene, lists those of a folder, and gives them their roles.

    Args:
        ui: the widgets of the ``.ui`` file.
        session: choices of the panel.
    """

    def __init__(self, ui: Any, session: TrainerSession) -> None:
        self.ui, self._session = ui, session
        self.table = ScanTable(ui.scansTable)
        ui.volumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onVolume)
        ui.labelsSelector.connect("currentNodeChanged(vtkMRMLNode*)", lambda _node: session.checked.emit())
        ui.addButton.connect("clicked(bool)", self._onAdd)
        ui.addAllButton.connect("clicked(bool)", self._onAddAll)
        ui.removeButton.connect("clicked(bool)", self._onRemove)
        ui.splitButton.connect("clicked(bool)", self._onSplit)
        ui.scansTable.connect("itemSelectionChanged()", session.checked.emit)
        self.table.changed.connect(self._setRoles)
        setTone(ui.problemsLabel, BAD)

    def onVolume(self, volume: Any) -> None:
        """Choose the segmentation that belongs to a volume."""
        labels = next((labels for other, labels in labelledVolumes() if other is volume), None)
        if labels is not None:
            self.ui.labelsSelector.setCurrentNode(labels)
        self._session.checked.emit()

    def _sceneScans(self) -> SceneScans:
        return SceneScans(self._session.node.parameterNode)

    def _onAdd(self, *_arguments: Any) -> None:
        self._sceneScans().add(self.ui.volumeSelector.currentNode(), self.ui.labelsSelector.currentNode())
        self._session.changed.emit()

    def _onAddAll(self, *_arguments: Any) -> None:
        scans = self._sceneScans()
        present = {scan.volume.GetID() for scan in scans.all() if scan.volume is not None}
        new = [pair for pair in labelledVolumes() if pair[0].GetID() not in present]
        for volume, labels in new:
            scans.add(volume, labels)
        self._session.changed.emit()
        if not new:
            self._session.reported.emit(
                _("No volume was added: no other volume of the scene is the reference volume of a segmentation. Add them one by one."),
                False,
            )

    def _onRemove(self, *_arguments: Any) -> None:
        self._sceneScans().remove(set(self.table.selected()))
        self._session.changed.emit()

    def _onSplit(self, *_arguments: Any) -> None:
        used = [row.key for row in self.table.rows if row.role != NONE]
        chosen = split(used, self.ui.splitSpinBox.value)
        self._setRoles({key: VALIDATE if key in chosen else LEARN for key in used})

    def _setRoles(self, roles: dict[str, str]) -> None:
        self._session.scans.setRoles(roles)
        self._session.changed.emit()

    def check(self) -> None:
        """Show the scans, and enable the buttons that can be used."""
        ui, rows = self.ui, self._session.scans.rows()
        self.table.show(rows)
        problems = [f"{row.name}: {row.problem}" for row in rows if row.problem and row.role != NONE]
        ui.problemsLabel.text = "\n".join(problems)
        ui.problemsLabel.setVisible(bool(problems))
        ui.addButton.setEnabled(ui.volumeSelector.currentNode() is not None and ui.labelsSelector.currentNode() is not None)
        ui.removeButton.setEnabled(bool(self.table.selected()))
        ui.splitButton.setEnabled(sum(row.role != NONE for row in rows) > 1)
