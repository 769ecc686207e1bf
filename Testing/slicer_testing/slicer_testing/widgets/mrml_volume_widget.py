"""The base class of the widgets that edit the display of a scalar volume."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtWidgets import QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.mrml_observation import Observations


@slicer_widget
class qMRMLVolumeWidget(QWidget):
    """Follows a scalar volume and its display node; disabled without them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._volume = None
        self._display = None
        self._range_shown: tuple[float, float] | None = None
        self._updating = False
        self._observations = Observations(self)
        self.setEnabled(False)

    def mrmlVolumeNode(self) -> Any:
        """Return the volume, or None."""
        return self._volume

    def setMRMLVolumeNode(self, node: Any) -> None:
        """Set the volume; one that is not scalar counts as None."""
        if node is not None and not node.IsA("vtkMRMLScalarVolumeNode"):
            node = None
        if node is self._volume:
            return
        self._observations.drop_all()
        self._volume, self._display, self._range_shown = node, None, None
        if node is not None:
            self._observations.add(node, "ModifiedEvent", self._on_volume)
            self._observations.add(node, node.ImageDataModifiedEvent, self._on_display)
        self._on_volume()

    def _on_volume(self) -> None:
        display = self._volume.GetDisplayNode() if self._volume is not None else None
        if display is not None and not display.IsA("vtkMRMLScalarVolumeDisplayNode"):
            display = None
        if display is not self._display:
            if self._display is not None:
                self._observations.drop(self._display)
            self._display = display
            self._observations.add(display, "ModifiedEvent", self._on_display)
        self._on_display()

    def _on_display(self) -> None:
        self.setEnabled(self._display is not None)
        if self._display is None or self._updating:
            return
        self._updating = True
        scalars = self._scalar_range()
        if scalars != self._range_shown:
            self._range_shown = scalars
            self._fit_range(*scalars)
        self._update_from_display()
        self._updating = False

    def _scalar_range(self) -> tuple[float, float]:
        image = self._volume.GetImageData()
        return image.GetScalarRange() if image is not None else (0.0, 0.0)

    def _fit_range(self, low: float, high: float) -> None:
        interval = high - low
        if interval < 10:
            low, high = low - 0.1 * interval, high + 0.1 * interval
        else:
            low, high = min(-600.0, low - 0.1 * interval), max(600.0, high + 0.1 * interval)
        order = math.floor(math.log10(high - low)) if high > low else -2
        self._set_decimals_and_step(max(0, 2 - order), 10.0 ** (order - 2))
        self._set_range(low, high)

    def _set_decimals_and_step(self, decimals: int, step: float) -> None:
        """Set decimals and step of the numbers; widgets with numbers override it."""

    def _set_range(self, low: float, high: float) -> None:
        """Set the range of the sliders; widgets with sliders override it."""

    def _update_from_display(self) -> None:
        """Update the widget from the display node; subclasses override it."""
