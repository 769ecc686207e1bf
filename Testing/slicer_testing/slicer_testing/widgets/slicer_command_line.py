"""The panel of a command-line module, and its progress bar."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QGridLayout, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.mrml_node_combo_box import qMRMLNodeComboBox
from slicer_testing.widgets.mrml_observation import Observations
from slicer_testing.widgets.mrml_widget import qSlicerWidget


@slicer_widget
class qSlicerCLIProgressBar(QWidget):
    """Status and progress of the run of a command-line module's node."""

    AlwaysHidden, AlwaysVisible, HiddenWhenIdle, VisibleAfterCompletion = range(4)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._observations = Observations(self)
        self._visibility = {"name": self.AlwaysHidden, "status": self.AlwaysVisible, "progress": self.VisibleAfterCompletion}
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._name = QLabel(self)
        self._name.setObjectName("NameLabel")
        self._title = QLabel("Status:", self)
        self._title.setObjectName("StatusLabelLabel")
        self._status = QLabel(self)
        self._status.setObjectName("StatusLabel")
        self._status.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._bar = QProgressBar(self)
        self._bar.setObjectName("ProgressBar")
        layout.addWidget(self._name, 0, 0)
        layout.addWidget(self._title, 1, 0)
        layout.addWidget(self._status, 1, 1)
        layout.addWidget(self._bar, 2, 0, 1, 2)
        self._update()

    def commandLineModuleNode(self) -> Any:
        """Return the node whose run is shown, or None."""
        return self._node

    def setCommandLineModuleNode(self, node: Any) -> None:
        """Show the run of another node."""
        self._observations.drop_all()
        self._node = node
        self._observations.add(node, vtk.vtkCommand.ModifiedEvent, self._update)
        self._observations.add(node, slicer.vtkMRMLCommandLineModuleNode.StatusModifiedEvent, self._update)
        self._update()

    def nameVisibility(self) -> int:
        return self._visibility["name"]

    def setNameVisibility(self, visibility: int) -> None:
        self._set_visibility("name", visibility)

    def statusVisibility(self) -> int:
        return self._visibility["status"]

    def setStatusVisibility(self, visibility: int) -> None:
        self._set_visibility("status", visibility)

    def progressVisibility(self) -> int:
        return self._visibility["progress"]

    def setProgressVisibility(self, visibility: int) -> None:
        self._set_visibility("progress", visibility)

    def _set_visibility(self, part: str, visibility: int) -> None:
        self._visibility[part] = int(visibility)
        self._update()

    def _shows(self, part: str) -> bool:
        visibility = self._visibility[part]
        if self._node is None:
            return visibility == self.AlwaysVisible and part != "progress"
        busy, completed = self._node.IsBusy(), bool(self._node.GetStatus() & self._node.Completed)
        return (
            visibility == self.AlwaysVisible
            or busy
            and visibility != self.AlwaysHidden
            or completed
            and visibility == self.VisibleAfterCompletion
        )

    def _update(self) -> None:
        node = self._node
        self._name.setText("" if node is None else node.GetName() or "")
        self._status.setText("Idle" if node is None else node.GetStatusString())
        self._name.setVisible(self._shows("name"))
        self._title.setVisible(self._shows("status"))
        self._status.setVisible(self._shows("status"))
        self._bar.setVisible(self._shows("progress"))
        if node is None:
            return
        if node.GetStatus() & node.Completed:
            self._bar.setRange(0, 100)
            self._bar.setValue(100)
        else:
            # As long as the progress is unknown, the bar only shows that the module runs.
            self._bar.setRange(0, 100 if node.GetProgress() else 0)
            self._bar.setValue(node.GetProgress())


@slicer_widget
class qSlicerCLIModuleWidget(qSlicerWidget):
    """Parameter set, progress and buttons of a command-line module, without its parameters."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # Scripted modules find the progress bar by its index among the children: layout, label, selector, bar.
        layout = QVBoxLayout(self)
        label = QLabel("Parameter set:", self)
        self._selector = qMRMLNodeComboBox(self)
        self._selector.setObjectName("MRMLCommandLineModuleNodeSelector")
        self._selector.setNodeTypes(["vtkMRMLCommandLineModuleNode"])
        self._selector.setNoneEnabled(True)
        self._progress = qSlicerCLIProgressBar(self)
        self._progress.setObjectName("CLIProgressBar")
        form = QFormLayout()
        form.addRow(label, self._selector)
        layout.addLayout(form)
        layout.addWidget(self._progress)
        buttons = QHBoxLayout()
        for name, text in (("DefaultPushButton", "Restore Defaults"), ("CancelPushButton", "Cancel"), ("ApplyPushButton", "Apply")):
            button = QPushButton(text, self)
            button.setObjectName(name)
            button.setEnabled(False)
            buttons.addWidget(button)
        layout.addLayout(buttons)
        self.mrmlSceneChanged.connect(self._selector.setMRMLScene)
        self._selector.currentNodeChanged.connect(self._progress.setCommandLineModuleNode)

    def currentCommandLineModuleNode(self) -> Any:
        """Return the selected parameter set, or None."""
        return self._progress.commandLineModuleNode()

    def setCurrentCommandLineModuleNode(self, node: Any) -> None:
        """Select a parameter set."""
        self._selector.setCurrentNode(node)
        self._progress.setCommandLineModuleNode(node)
