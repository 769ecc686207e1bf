"""The matrix of a linear transform."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_matrix_widget import ctkMatrixWidget
from slicer_testing.widgets.mrml_linear_transform import GLOBAL, LOCAL, matrix_to_parent
from slicer_testing.widgets.mrml_observation import Observations


@slicer_widget
class ctkVTKAbstractMatrixWidget(ctkMatrixWidget):
    """A matrix widget of four rows and columns."""


@slicer_widget
class qMRMLMatrixWidget(ctkVTKAbstractMatrixWidget):
    """Shows and edits the matrix to the parent of a linear transform; disabled for any other node."""

    GLOBAL, LOCAL = GLOBAL, LOCAL

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = None
        self._reference = GLOBAL
        self._updating = False
        self._observations = Observations(self)
        self.matrixChanged.connect(self._update_node)
        self.setEnabled(False)

    def coordinateReference(self) -> int:
        """Return GLOBAL or LOCAL."""
        return self._reference

    def setCoordinateReference(self, reference: int) -> None:
        """Set GLOBAL or LOCAL; the displayed matrix is the same for both."""
        self._reference = int(reference)
        self._update_matrix()

    def setMRMLTransformNode(self, node: Any) -> None:
        """Show another transform."""
        if node is not None and not node.IsA("vtkMRMLTransformNode"):
            node = None
        if node is self._node:
            return
        self._observations.drop_all()
        self._node = node
        self._observations.add(node, slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._update_matrix)
        self._update_matrix()

    def _update_matrix(self) -> None:
        linear = self._node is not None and self._node.IsLinear()
        self.setEnabled(linear)
        if self._updating:
            return
        self._updating = True
        if self._node is None:
            self.identity()
        elif linear:
            matrix = matrix_to_parent(self._node)
            self.setValues([matrix.GetElement(row, column) for row in range(4) for column in range(4)])
        self._updating = False

    def _update_node(self) -> None:
        if self._updating or self._node is None or not self._node.IsLinear():
            return
        matrix = vtk.vtkMatrix4x4()
        for row in range(4):
            for column in range(4):
                matrix.SetElement(row, column, self.value(row, column))
        self._node.SetMatrixTransformToParent(matrix)
