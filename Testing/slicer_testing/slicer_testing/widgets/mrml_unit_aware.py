"""Number widgets that follow the unit node of their quantity: prefix, suffix, decimals, step and range."""

from __future__ import annotations

import math
from typing import Any

import slicer

from slicer_testing.widgets.mrml_observation import Observations


class FollowsUnit:
    """Mixin of a number widget, before its Qt base class; it calls ``setPrefix``, ``setDecimals`` and so on."""

    Prefix, Suffix, Precision, MinimumValue, MaximumValue, Scaling = 1, 2, 4, 8, 16, 32
    Range = MinimumValue | MaximumValue
    All = Prefix | Suffix | Precision | Range | Scaling
    _default_flags = Prefix | Suffix | Precision | Scaling
    _disabled_without_scene = True

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene = None
        self._quantity = ""
        self._flags = self._default_flags
        self._observations = Observations(self)

    def mrmlScene(self) -> Any:
        """Return the scene, None at first."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene with the units."""
        if scene is self._scene:
            return
        self._observations.drop_all()
        self._scene = scene
        if scene is not None:
            selection = self._selection_node()
            self._observations.add(selection, slicer.vtkMRMLSelectionNode.UnitModifiedEvent, self._update_from_unit)
        self._update_from_unit()
        if self._disabled_without_scene:
            self.setEnabled(scene is not None)

    def quantity(self) -> str:
        """Return the quantity: "length", "time" ...; "" for a number without a unit."""
        return self._quantity

    def setQuantity(self, quantity: str) -> None:
        """Set the quantity."""
        if quantity != self._quantity:
            self._quantity = quantity
            self._update_from_unit()

    def _selection_node(self) -> Any:
        return self._scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")

    def _unit_node(self) -> Any:
        selection = self._selection_node() if self._scene is not None else None
        unit_id = selection.GetUnitNodeID(self._quantity) if selection is not None and self._quantity else None
        return self._scene.GetNodeByID(unit_id) if unit_id else None

    def _follows(self, flag: int) -> bool:
        return bool(self._flags & flag)

    def _update_from_unit(self) -> None:
        unit = self._unit_node()
        if unit is None:
            return
        if self._follows(self.Scaling) and (unit.GetDisplayCoefficient(), unit.GetDisplayOffset()) != (1.0, 0.0):
            raise NotImplementedError(f"{type(self).__name__} with a scaled unit ({self._quantity}) is not implemented by slicer_testing")
        # Setting the decimals rounds the value, so they are set only if they differ.
        if self._follows(self.Precision) and self.decimals() != unit.GetPrecision():
            self.setDecimals(unit.GetPrecision())
        if self._follows(self.Prefix):
            self._set_unit_prefix(unit.GetPrefix() or "")
        if self._follows(self.Suffix):
            self._set_unit_suffix(unit.GetSuffix() or "")
        if self._follows(self.MinimumValue):
            super().setMinimum(unit.GetMinimumValue())
        if self._follows(self.MaximumValue):
            super().setMaximum(unit.GetMaximumValue())
        if self._follows(self.Precision):
            self._update_step(unit)

    def _set_unit_prefix(self, prefix: str) -> None:
        self.setPrefix(prefix)

    def _set_unit_suffix(self, suffix: str) -> None:
        self.setSuffix(suffix)

    def _update_step(self, unit: Any) -> None:
        """Set the step to one unit of the last decimal."""
        self.setSingleStep(10.0 ** -unit.GetPrecision())


class UnitAware(FollowsUnit):
    """Mixin with a choice of the properties that follow the unit."""

    def unitAwareProperties(self) -> int:
        """Return the properties that follow the unit, as a sum of flags."""
        return self._flags

    def setUnitAwareProperties(self, properties: int | str) -> None:
        """Set the properties that follow the unit; effective at the next change of unit or quantity, as in the application.

        Args:
            properties: sum of flags, or their names as in a ``.ui`` file, such as ``qMRMLSliderWidget::Prefix|qMRMLSliderWidget::Suffix``.
        """
        if isinstance(properties, str):
            names = [name.rpartition("::")[2].strip() for name in properties.split("|")]
            properties = sum({getattr(self, name) for name in names if name and name != "None"})
        self._flags = int(properties)


def closest_power_of_ten(value: float) -> float:
    """Return the power of ten that is nearest to a positive number; 0 for 0."""
    if value == 0.0 or math.isinf(value):
        return value
    below = 10.0 ** math.floor(math.log10(value))
    return below if value - below <= 10.0 * below - value else 10.0 * below
