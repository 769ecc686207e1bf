"""ctkCoordinatesWidget: the coordinates of a point or vector."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_double_spin_box import ctkDoubleSpinBox
from slicer_testing.widgets.ctk_values import integer, significant_decimals

_UNKNOWN_DECIMALS = 16


@slicer_widget
class ctkCoordinatesWidget(QWidget):
    """Spin boxes in a row. With ``normalized``, an edit of one changes another so that the length stays 1."""

    coordinatesChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._boxes: list[ctkDoubleSpinBox] = []
        self._coordinates: list[float] = []
        self._edited: list[int] = []  # the last edited one first
        self._decimals = 3
        self._decimals_option = ctkDoubleSpinBox.DecimalsByShortcuts | ctkDoubleSpinBox.InsertDecimals
        self._single_step = 1.0
        self._minimum, self._maximum = -sys.float_info.max, sys.float_info.max
        self._normalized = False
        self._read_only = False
        self._frame = True
        self._hint_policy = ctkDoubleSpinBox.SizeHintByValue
        self._changing_decimals = False
        QHBoxLayout(self).setContentsMargins(0, 0, 0, 0)
        self.setDimension(3)

    # Coordinates

    def coordinates(self) -> str:
        """Return the coordinates, separated by commas."""
        return ",".join(f"{value:g}" for value in self._coordinates)

    def getCoordinate(self, index: int) -> float:
        """Return a coordinate; 0 for an invalid index."""
        return self._coordinates[index] if 0 <= index < len(self._coordinates) else 0.0

    def setCoordinates(self, *coordinates: object) -> None:
        """Set the coordinates: as a text with commas, a sequence, or up to four numbers."""
        first = coordinates[0]
        if isinstance(first, str):
            parts = first.split(",")
            if len(parts) == len(self._coordinates):
                self._set([_number(part) for part in parts])
        elif isinstance(first, (int, float)):
            given = [float(one) for one in coordinates]
            given += [0.0] * (4 - len(given))
            self._set((given + self._coordinates[4:])[: len(self._coordinates)])
        else:
            self._set([float(one) for one in first])

    def _set(self, new: Sequence[float]) -> None:
        values = list(new)
        if self._normalized:
            values = _unit(values)
        self._coordinates = values
        modified = False
        for box, value in zip(self._boxes, values, strict=True):
            with QSignalBlocker(box):
                modified = modified or box.value() != value
                box.setValue(value)
        self._update_decimals()
        if modified:
            self._update_coordinates()

    def _update_coordinates(self) -> None:
        self._coordinates = [box.value() for box in self._boxes]
        self.coordinatesChanged.emit(list(self._coordinates))

    def _on_box(self, value: float) -> None:
        element = self._boxes.index(self.sender())
        self._coordinates[element] = value
        self._edited.remove(element)
        self._edited.insert(0, element)
        if self._normalized:
            self._set(self._renormalized(element, value))
        else:
            self.coordinatesChanged.emit(list(self._coordinates))

    def _renormalized(self, element: int, value: float) -> list[float]:
        """Return the vector with length 1 after an edit: the coordinate that was edited the longest ago is changed, or else all others."""
        vector = list(self._coordinates)
        square = sum(one * one for one in vector)
        oldest = self._edited[-1]
        if vector[oldest] != 0.0:
            left = (1.0 - (square - vector[oldest] ** 2)) / vector[oldest] ** 2
            if left > 0.0:
                vector[oldest] *= math.sqrt(left)
                return vector
        rest = square - value * value
        left = max(0.0, 1.0 - value * value)
        if rest != 0.0:
            factor = math.sqrt(left / rest)
            return [one if index == element else one * factor for index, one in enumerate(vector)]
        if len(vector) > 1:
            share = math.sqrt(left / (len(vector) - 1))
            return [one if index == element else share for index, one in enumerate(vector)]
        return vector

    def normalize(self) -> None:
        """Scale the vector to length 1."""
        self._set(_unit(self._coordinates))

    def isNormalized(self) -> bool:
        return self._normalized

    def setNormalized(self, normalized: bool) -> None:
        """Keep the length at 1; the limits become -1 and 1."""
        self._normalized = bool(normalized)
        if self._normalized:
            values = _unit(self._coordinates)
            self.setMinimum(-1.0)
            self.setMaximum(1.0)
            self._set(values)

    def dimension(self) -> int:
        return len(self._boxes)

    def setDimension(self, dimension: int) -> None:
        """Set the number of coordinates."""
        if dimension < 1:
            return
        while len(self._boxes) < dimension:
            self._edited.append(len(self._boxes))
            self._coordinates.append(0.0)
            self._add_box()
        while len(self._boxes) > dimension:
            box = self._boxes.pop()
            self._coordinates.pop()
            self._edited.remove(len(self._boxes))
            self.layout().removeWidget(box)
            box.setParent(None)
            box.deleteLater()
        self.updateGeometry()
        self._update_coordinates()

    def _add_box(self) -> None:
        box = ctkDoubleSpinBox(self)
        box.setDecimals(self._decimals)
        box.setDecimalsOption(self._decimals_option)
        box.setSingleStep(self._single_step)
        box._set_range(self._minimum, self._maximum)
        box.setSizeHintPolicy(self._hint_policy)
        box.setReadOnly(self._read_only)
        box.setFrame(self._frame)
        self._boxes.append(box)
        box.valueChanged.connect(self._on_box)
        box.decimalsChanged.connect(self._update_other_decimals)
        self.layout().addWidget(box, 1)

    # Range, steps and decimals

    def minimum(self) -> float:
        return self._minimum

    def setMinimum(self, minimum: float) -> None:
        for box in self._boxes:
            box.setMinimum(minimum)
        self._minimum = float(minimum)

    def maximum(self) -> float:
        return self._maximum

    def setMaximum(self, maximum: float) -> None:
        for box in self._boxes:
            box.setMaximum(maximum)
        self._maximum = float(maximum)

    def singleStep(self) -> float:
        return self._single_step

    def setSingleStep(self, step: float) -> None:
        for box in self._boxes:
            box.setSingleStep(step)
        self._single_step = float(step)

    def decimals(self) -> int:
        return self._decimals

    def setDecimals(self, decimals: int) -> None:
        self._decimals = int(decimals)
        for box in self._boxes:
            box.setDecimals(decimals)

    def decimalsOption(self) -> int:
        return self._decimals_option

    def setDecimalsOption(self, option: int) -> None:
        for box in self._boxes:
            box.setDecimalsOption(option)
        self._decimals_option = integer(option)

    def _update_decimals(self) -> None:
        """Show all coordinates with as many decimals as the one that needs the most."""
        if self._changing_decimals:
            return
        most = 0
        for box in self._boxes:
            decimals = self._decimals
            if self._decimals_option & (ctkDoubleSpinBox.DecimalsByKey | ctkDoubleSpinBox.DecimalsByShortcuts):
                decimals = box.decimals()
            if self._decimals_option & ctkDoubleSpinBox.DecimalsByValue:
                decimals = significant_decimals(box.value())
                if decimals == _UNKNOWN_DECIMALS:
                    decimals = box.decimals()
            most = max(most, decimals)
        self._show_decimals(most, None)

    def _update_other_decimals(self, decimals: int) -> None:
        if self._changing_decimals:
            return
        sender = self.sender()
        sender_unknown = significant_decimals(sender.value()) == _UNKNOWN_DECIMALS
        most = decimals
        for box in self._boxes:
            if box is sender:
                continue
            needed = most
            if self._decimals_option & ctkDoubleSpinBox.DecimalsByKey:
                needed = box.decimals()
            if self._decimals_option & ctkDoubleSpinBox.DecimalsByValue:
                needed = significant_decimals(box.value())
                if needed == _UNKNOWN_DECIMALS:
                    needed = decimals if sender_unknown else box.decimals()
            most = max(most, needed)
        self._show_decimals(most, sender)

    def _show_decimals(self, decimals: int, but_not: object) -> None:
        self._changing_decimals = True
        for box in self._boxes:
            if box is not but_not:
                box._show(box.value(), decimals)
        self._changing_decimals = False

    # Appearance

    def frame(self) -> bool:
        return self._frame

    def setFrame(self, frame: bool) -> None:
        self._frame = bool(frame)
        for box in self._boxes:
            box.setFrame(frame)

    def isReadOnly(self) -> bool:
        return self._read_only

    def setReadOnly(self, read_only: bool) -> None:
        self._read_only = bool(read_only)
        for box in self._boxes:
            box.setReadOnly(read_only)

    def sizeHintPolicy(self) -> int:
        return self._hint_policy

    def setSizeHintPolicy(self, policy: int) -> None:
        self._hint_policy = integer(policy)
        for box in self._boxes:
            box.setSizeHintPolicy(policy)


def _unit(vector: Sequence[float]) -> list[float]:
    length = math.sqrt(sum(one * one for one in vector))
    return [one / length for one in vector] if length else list(vector)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
