"""A slider with the unit of its quantity."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_slider_widget import ctkSliderWidget
from slicer_testing.widgets.mrml_unit_aware import UnitAware, closest_power_of_ten


@slicer_widget
class qMRMLSliderWidget(UnitAware, ctkSliderWidget):
    """A slider that shows the unit of its quantity; its step is about a hundredth of its range, rounded to a power of ten."""

    def setMinimum(self, minimum: float) -> None:
        """Set the minimum and adapt the step to the range."""
        super().setMinimum(minimum)
        if self._follows(self.Precision):
            self._update_from_unit()

    def setMaximum(self, maximum: float) -> None:
        """Set the maximum and adapt the step to the range."""
        super().setMaximum(maximum)
        if self._follows(self.Precision):
            self._update_from_unit()

    def _update_step(self, unit: Any) -> None:
        power = closest_power_of_ten(self.maximum() - self.minimum())
        if power:
            self.setSingleStep(power / 100)

    def orientation(self) -> Qt.Orientation:
        """Return the direction of the slider."""
        return self._slider.orientation()
