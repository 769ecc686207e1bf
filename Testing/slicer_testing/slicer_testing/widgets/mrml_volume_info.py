"""Geometry and scalars of a volume."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtWidgets import QFormLayout, QLabel, QLineEdit, QListWidget, QListWidgetItem, QPushButton, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_coordinates_widget import ctkCoordinatesWidget
from slicer_testing.widgets.ctk_matrix_widget import ctkMatrixWidget
from slicer_testing.widgets.mrml_widget import qMRMLWidget

_SCAN_ORDERS = {"LR": "Sagittal LR", "RL": "Sagittal RL", "PA": "Coronal PA", "AP": "Coronal AP", "IS": "Axial IS", "SI": "Axial SI"}


@slicer_widget
class qMRMLVolumeInfoWidget(qMRMLWidget):
    """Shows the properties of a volume; spacing and origin can be edited."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._volume = None
        self._updating = False
        self._dimensions, self._spacing, self._origin = (
            self._make_coordinates(name, decimals) for name, decimals in (("ImageDimensions", 0), ("ImageSpacing", 4), ("ImageOrigin", 4))
        )
        self._dimensions.setEnabled(False)
        self._spacing.setMinimum(1e-4)
        self._directions = ctkMatrixWidget(self)
        self._directions.setObjectName("IJKToRASDirectionMatrixWidget")
        self._directions.setRowCount(3)
        self._directions.setColumnCount(3)
        self._directions.setDecimals(4)
        self._directions.setEnabled(False)
        self._center = QPushButton("Center Volume", self)
        self._center.setObjectName("CenterVolumePushButton")
        self._order, self._components, self._type, self._scalars, self._kind = (QLabel(self) for _ in range(5))
        self._file = QLineEdit(self)
        self._file.setReadOnly(True)
        self._presets = QListWidget(self)
        self._presets.setMaximumHeight(80)
        form = QFormLayout(self)
        for label, field in (
            ("Image Dimensions:", self._dimensions),
            ("Image Spacing:", self._spacing),
            ("Image Origin:", self._origin),
            ("IJK to RAS Direction Matrix:", self._directions),
            ("", self._center),
            ("Scan Order:", self._order),
            ("Number of Scalars:", self._components),
            ("Scalar Type:", self._type),
            ("Scalar Range:", self._scalars),
            ("File Name:", self._file),
            ("Volume type:", self._kind),
            ("Window/Level Presets:", self._presets),
        ):
            form.addRow(label, field)
        self._spacing.coordinatesChanged.connect(lambda values: None if self._updating else self.setImageSpacing(values))
        self._origin.coordinatesChanged.connect(lambda values: None if self._updating else self.setImageOrigin(values))
        self._center.clicked.connect(lambda: self.center())
        self._presets.itemDoubleClicked.connect(self.setWindowLevelFromPreset)
        self._update()

    def _make_coordinates(self, name: str, decimals: int) -> ctkCoordinatesWidget:
        widget = ctkCoordinatesWidget(self)
        widget.setObjectName(f"{name}Widget")
        widget.setDecimals(decimals)
        widget.setMinimum(-1e6)
        widget.setMaximum(1e6)
        return widget

    def setVolumeNode(self, node: Any) -> None:
        """Show another volume."""
        if node is not None and not node.IsA("vtkMRMLVolumeNode"):
            node = None
        self._observations.drop_all()
        self._volume = node
        if node is not None:
            self._observations.add(node, "ModifiedEvent", self._update)
            self._observations.add(node, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, self._update)
        self._update()

    def _update(self) -> None:
        self.setEnabled(self._volume is not None)
        self._updating = True
        self._presets.clear()
        for label in (self._order, self._components, self._type, self._scalars, self._kind):
            label.setText("")
        self._file.setText("")
        if self._volume is None:
            self._dimensions.setCoordinates([0.0] * 3)
            self._spacing.setCoordinates([1.0] * 3)
            self._origin.setCoordinates([0.0] * 3)
        else:
            self._show_geometry()
            self._show_scalars()
        self._updating = False

    def _show_geometry(self) -> None:
        volume, image = self._volume, self._volume.GetImageData()
        self._dimensions.setCoordinates([float(size) for size in image.GetDimensions()] if image is not None else [0.0] * 3)
        self._spacing.setCoordinates(volume.GetSpacing())
        self._origin.setCoordinates(volume.GetOrigin())
        directions = vtk.vtkMatrix4x4()
        volume.GetIJKToRASDirectionMatrix(directions)
        self._directions.setValues([directions.GetElement(row, column) for row in range(3) for column in range(3)])
        matrix = vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(matrix)
        self._order.setText(_SCAN_ORDERS.get(slicer.vtkMRMLVolumeNode.ComputeScanOrderFromIJKToRAS(matrix), ""))
        centered = self._centered_origin()
        self._center.setEnabled(centered is not None and any(abs(a - b) > 1e-9 for a, b in zip(centered, volume.GetOrigin(), strict=True)))

    def _show_scalars(self) -> None:
        volume, image = self._volume, self._volume.GetImageData()
        if image is not None:
            self._components.setText(str(image.GetNumberOfScalarComponents()))
            self._type.setText(image.GetScalarTypeAsString())
            self._scalars.setText("{:g} to {:g}".format(*image.GetScalarRange()))
        storage = volume.GetStorageNode()
        self._file.setText((storage.GetFileName() or "") if storage is not None else "")
        self._kind.setText(volume.GetNodeTagName().removesuffix("Volume") or "Scalar")
        display = volume.GetDisplayNode()
        for preset in range(display.GetNumberOfWindowLevelPresets()) if hasattr(display, "GetNumberOfWindowLevelPresets") else ():
            self._presets.addItem(f"{display.GetWindowPreset(preset):g} | {display.GetLevelPreset(preset):g}")

    def _centered_origin(self) -> list[float] | None:
        image = self._volume.GetImageData() if self._volume is not None else None
        if image is None:
            return None
        matrix = vtk.vtkMatrix4x4()
        self._volume.GetIJKToRASMatrix(matrix)
        corner = matrix.MultiplyPoint([*(size - 1.0 for size in image.GetDimensions()), 0.0])
        return [-0.5 * part for part in corner[:3]]

    def center(self) -> None:
        """Move the origin so that the centre of the volume is at 0."""
        origin = self._centered_origin()
        if origin is not None:
            self._volume.SetOrigin(origin)

    def setImageSpacing(self, spacing: list[float]) -> None:
        """Set the spacing of the volume."""
        if self._volume is not None:
            self._volume.SetSpacing(list(spacing))

    def setImageOrigin(self, origin: list[float]) -> None:
        """Set the origin of the volume."""
        if self._volume is not None:
            self._volume.SetOrigin(list(origin))

    def setWindowLevelFromPreset(self, preset: QListWidgetItem) -> None:
        """Set window and level to those of a preset in the list."""
        display = self._volume.GetDisplayNode() if self._volume is not None else None
        if display is not None:
            display.SetWindowLevelFromPreset(self._presets.row(preset))
