"""Threshold of a volume's display."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_range_widget import ctkRangeWidget
from slicer_testing.widgets.mrml_volume_widget import qMRMLVolumeWidget


@slicer_widget
class qMRMLVolumeThresholdWidget(qMRMLVolumeWidget):
    """Automatic, manual or no threshold, and its range; a change of the range makes it manual."""

    Auto, Manual, Off = range(3)

    autoThresholdValueChanged = Signal(int)
    thresholdValuesChanged = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mode = QComboBox(self)
        self._mode.setObjectName("AutoManualComboBox")
        self._mode.addItems(["Auto", "Manual", "Off"])
        self._mode.setCurrentIndex(self.Off)
        self._range = ctkRangeWidget(self)
        self._range.setObjectName("VolumeThresholdRangeWidget")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Threshold:", self))
        layout.addWidget(self._mode)
        layout.addWidget(self._range, 1)
        self._mode.currentIndexChanged.connect(self._on_mode)
        self._range.valuesChanged.connect(self._on_range)

    def _on_mode(self, mode: int) -> None:
        if not self._updating:
            self.setAutoThreshold(mode)

    def _on_range(self, low: float, high: float) -> None:
        if not self._updating:
            self.setThreshold(low, high)

    def _set_decimals_and_step(self, decimals: int, step: float) -> None:
        self._range.setDecimals(decimals)
        self._range.setSingleStep(step)

    def _set_range(self, low: float, high: float) -> None:
        self._range.setRange(low, high)

    def _mode_of_display(self) -> int:
        if not self._display.GetApplyThreshold():
            return self.Off
        return self.Auto if self._display.GetAutoThreshold() else self.Manual

    def _update_from_display(self) -> None:
        self._mode.setCurrentIndex(self._mode_of_display())
        self._range.setValues(self._display.GetLowerThreshold(), self._display.GetUpperThreshold())

    def autoThreshold(self) -> int:
        """Return Auto, Manual or Off."""
        return self._mode.currentIndex()

    def setAutoThreshold(self, mode: int) -> None:
        """Set Auto, Manual or Off."""
        if self._display is None:
            return
        before = self._mode_of_display()
        was_modifying = self._display.StartModify()
        self._display.SetApplyThreshold(int(mode) != self.Off)
        if int(mode) != self.Off:
            self._display.SetAutoThreshold(int(mode) == self.Auto)
        self._display.EndModify(was_modifying)
        if self._mode_of_display() != before:
            self.autoThresholdValueChanged.emit(int(mode))

    def lowerThreshold(self) -> float:
        """Return the lowest value that is shown."""
        return self._range.minimumValue()

    def upperThreshold(self) -> float:
        """Return the highest value that is shown."""
        return self._range.maximumValue()

    def setThreshold(self, lowerThreshold: float, upperThreshold: float) -> None:
        """Show values in a range; this makes the threshold manual."""
        display = self._display
        if display is None or (display.GetLowerThreshold(), display.GetUpperThreshold()) == (lowerThreshold, upperThreshold):
            return
        was_modifying = display.StartModify()
        self.setAutoThreshold(self.Manual)
        display.SetLowerThreshold(lowerThreshold)
        display.SetUpperThreshold(upperThreshold)
        self.thresholdValuesChanged.emit(lowerThreshold, upperThreshold)
        display.EndModify(was_modifying)

    def setLowerThreshold(self, threshold: float) -> None:
        """Set the lowest value that is shown."""
        if self._display is not None:
            self.setThreshold(threshold, self._display.GetUpperThreshold())

    def setUpperThreshold(self, threshold: float) -> None:
        """Set the highest value that is shown."""
        if self._display is not None:
            self.setThreshold(self._display.GetLowerThreshold(), threshold)

    def lowerThresholdBound(self) -> float:
        """Return the minimum of the slider."""
        return self._range.minimum()

    def setLowerThresholdBound(self, bound: float) -> None:
        """Set the minimum of the slider."""
        self._range.setMinimum(bound)

    def upperThresholdBound(self) -> float:
        """Return the maximum of the slider."""
        return self._range.maximum()

    def setUpperThresholdBound(self, bound: float) -> None:
        """Set the maximum of the slider."""
        self._range.setMaximum(bound)

    def setThresholdBounds(self, lower: float, upper: float) -> None:
        """Set the range of the slider."""
        self._range.setRange(lower, upper)
