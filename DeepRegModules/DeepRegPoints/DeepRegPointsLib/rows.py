"""The row of the panel for the moved points, an output of this method that the engine does not declare."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from deepreg_slicer.node_rows import NodeRow, addRow
from deepreg_slicer.sections import rowOf


def addMovedCloud(panel: Any) -> None:
    """Add the row for the moved points below that for the moving points."""
    text = _("A model of the moving points, mapped by the transform. They should lie on the fixed points.")
    row = NodeRow(
        "movedCloudOutput", "movedCloudOutput", _("Moved points"), text, ("vtkMRMLModelNode",), _("new"), wanted="movedCloudWanted"
    )
    form = panel.findChild(qt.QFormLayout, "outputsLayout")
    addRow(form, rowOf(form, "movingCloudOutputSelector") + 1, row)
