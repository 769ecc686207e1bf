"""Ticks and orientation of the sliders that contain a slider of integers."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSlider

from slicer_testing.widgets.ctk_values import enumeration


class SliderAppearance:
    """Mixin of ``ctkDoubleSlider`` and ``ctkDoubleRangeSlider``, whose inner slider is ``self._slider``."""

    def tickInterval(self) -> float:
        return self._single_step * self._slider.tickInterval()

    def setTickInterval(self, interval: float) -> None:
        self._slider.setTickInterval(self._steps(interval))

    def tickPosition(self) -> QSlider.TickPosition:
        return self._slider.tickPosition()

    def setTickPosition(self, position: QSlider.TickPosition) -> None:
        self._slider.setTickPosition(enumeration(QSlider.TickPosition, position))

    def orientation(self) -> Qt.Orientation:
        return self._slider.orientation()

    def setOrientation(self, orientation: Qt.Orientation) -> None:
        orientation = enumeration(Qt.Orientation, orientation)
        if orientation == self.orientation():
            return
        if not self.testAttribute(Qt.WidgetAttribute.WA_WState_OwnSizePolicy):
            policy = self.sizePolicy()
            policy.transpose()
            self.setSizePolicy(policy)
            self.setAttribute(Qt.WidgetAttribute.WA_WState_OwnSizePolicy, False)
        self._slider.setOrientation(orientation)
