"""Coordinates with the unit of their quantity."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_coordinates_widget import ctkCoordinatesWidget
from slicer_testing.widgets.mrml_unit_aware import UnitAware


@slicer_widget
class qMRMLCoordinatesWidget(UnitAware, ctkCoordinatesWidget):
    """Spin boxes with prefix, suffix, decimals and range of the unit of their quantity."""

    mrmlSceneChanged = Signal(object)
    quantityChanged = Signal(str)

    _default_flags = UnitAware.Prefix | UnitAware.Suffix | UnitAware.Precision | UnitAware.Range
    _disabled_without_scene = False

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene that the units are taken from."""
        if scene is not self._scene:
            super().setMRMLScene(scene)
            self.mrmlSceneChanged.emit(scene)

    def setQuantity(self, quantity: str) -> None:
        """Set the quantity of the coordinates."""
        if quantity != self._quantity:
            super().setQuantity(quantity)
            self.quantityChanged.emit(quantity)

    def _set_unit_prefix(self, prefix: str) -> None:
        for box in self._boxes:
            box.setPrefix(prefix)

    def _set_unit_suffix(self, suffix: str) -> None:
        for box in self._boxes:
            box.setSuffix(suffix)
