"""The selector of colour tables."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.mrml_node_combo_box import qMRMLNodeComboBox


@slicer_widget
class qMRMLColorTableComboBox(qMRMLNodeComboBox):
    """Selects a colour table or a procedural colour node, hidden ones included."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setShowHidden(True)
        self.setNodeTypes(["vtkMRMLColorTableNode", "vtkMRMLProceduralColorNode"])
        self.setAddEnabled(False)
        self.setRemoveEnabled(False)
