"""ctkMatrixWidget: a table of numbers."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractItemModel, QLocale, QModelIndex, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QSizePolicy,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_double_spin_box import ctkDoubleSpinBox
from slicer_testing.widgets.ctk_values import bounded, integer

_DISPLAY = Qt.ItemDataRole.DisplayRole


class _Delegate(QStyledItemDelegate):
    """Shows elements with the matrix's decimals and edits them in a ctkDoubleSpinBox."""

    def __init__(self, matrix: ctkMatrixWidget) -> None:
        super().__init__(matrix)
        self._matrix = matrix

    def displayText(self, value: object, locale: QLocale) -> str:
        return locale.toString(float(value), "f", self._matrix.decimals())

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: QModelIndex) -> QWidget:
        matrix = self._matrix
        box = ctkDoubleSpinBox(parent)
        box._set_range(matrix.minimum(), matrix.maximum())
        box.setDecimals(matrix.decimals())
        box.setDecimalsOption(matrix.decimalsOption())
        box.setSingleStep(matrix.singleStep())
        box.decimalsChanged.connect(matrix.setDecimals)
        return box

    def setEditorData(self, editor: QWidget, index: QModelIndex) -> None:
        editor.setValue(float(index.data(_DISPLAY)))

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: QModelIndex) -> None:
        editor._spin_box.interpretText()
        model.setData(index, editor.value(), _DISPLAY)


@slicer_widget
class ctkMatrixWidget(QWidget):
    """A matrix, 4 by 4 by default; a double click edits an element. New elements are those of the identity matrix."""

    matrixChanged = Signal()
    decimalsChanged = Signal(int)

    def __init__(self, *arguments: object) -> None:
        """Make a matrix.

        Args:
            arguments: the numbers of rows and columns, which are optional, and the parent.
        """
        super().__init__(next((one for one in arguments if isinstance(one, QWidget)), None))
        rows, columns = [one for one in arguments if isinstance(one, int)] or (4, 4)
        self._minimum, self._maximum = -100.0, 100.0
        self._decimals = 2
        self._decimals_option = 0
        self._single_step = 0.01
        table = self._table = QTableWidget(rows, columns, self)
        table.setItemDelegate(_Delegate(self))
        table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        table.verticalHeader().hide()
        table.horizontalHeader().hide()
        table.verticalHeader().setMinimumSectionSize(1)
        table.horizontalHeader().setMinimumSectionSize(1)
        table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setFrameStyle(QFrame.Shape.NoFrame)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(table)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self._validate()
        table.cellChanged.connect(self._on_cell)
        self.setEditable(True)

    # Values

    def value(self, row: int, column: int) -> float:
        """Return one element."""
        return float(self._table.item(row, column).data(_DISPLAY))

    def setValue(self, row: int, column: int, value: float) -> None:
        """Set one element, within the limits."""
        self._table.item(row, column).setData(_DISPLAY, bounded(self._minimum, float(value), self._maximum))

    def values(self) -> list[float]:
        """Return all elements, row by row."""
        return [self.value(row, column) for row in range(self.rowCount()) for column in range(self.columnCount())]

    def setValues(self, values: Sequence[float]) -> None:
        """Set all elements, row by row; one signal is emitted if any has changed."""
        columns = self.columnCount()
        if len(values) != self.rowCount() * columns:
            raise ValueError(f"the matrix has {self.rowCount() * columns} elements, not {len(values)}")
        before = self.values()
        with QSignalBlocker(self):
            for index, value in enumerate(values):
                self.setValue(index // columns, index % columns, value)
        if self.values() != before:
            self.matrixChanged.emit()

    def identity(self) -> None:
        """Set the identity matrix."""
        for row in range(self.rowCount()):
            for column in range(self.columnCount()):
                self.setValue(row, column, float(row == column))

    def widgetItem(self, row: int, column: int) -> QTableWidgetItem:
        """Return the table's item of an element."""
        return self._table.item(row, column)

    def _on_cell(self, _row: int, _column: int) -> None:
        self.matrixChanged.emit()

    def _validate(self) -> None:
        """Add missing elements and clip all to the limits."""
        for row in range(self.rowCount()):
            for column in range(self.columnCount()):
                item = self._table.item(row, column)
                if item is None:
                    item = QTableWidgetItem()
                    item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                    item.setData(_DISPLAY, float(row == column))
                    self._table.setItem(row, column, item)
                self.setValue(row, column, self.value(row, column))

    # Properties

    def rowCount(self) -> int:
        return self._table.rowCount()

    def setRowCount(self, count: int) -> None:
        self._table.setRowCount(int(count))
        self._validate()
        self._fit()

    def columnCount(self) -> int:
        return self._table.columnCount()

    def setColumnCount(self, count: int) -> None:
        self._table.setColumnCount(int(count))
        self._validate()
        self._fit()

    def isEditable(self) -> bool:
        return self._table.editTriggers() != QAbstractItemView.EditTrigger.NoEditTriggers

    def setEditable(self, editable: bool) -> None:
        triggers = QAbstractItemView.EditTrigger
        self._table.setEditTriggers(triggers.DoubleClicked if editable else triggers.NoEditTriggers)

    def minimum(self) -> float:
        return self._minimum

    def setMinimum(self, minimum: float) -> None:
        self._minimum, self._maximum = float(minimum), max(float(minimum), self._maximum)
        self._validate()

    def maximum(self) -> float:
        return self._maximum

    def setMaximum(self, maximum: float) -> None:
        self._minimum, self._maximum = min(self._minimum, float(maximum)), float(maximum)
        self._validate()

    def singleStep(self) -> float:
        return self._single_step

    def setSingleStep(self, step: float) -> None:
        self._single_step = float(step)

    def decimals(self) -> int:
        return self._decimals

    def setDecimals(self, decimals: int) -> None:
        if decimals == self._decimals:
            return
        self._decimals = max(0, int(decimals))
        self._table.viewport().update()
        self.decimalsChanged.emit(self._decimals)

    def decimalsOption(self) -> int:
        return self._decimals_option

    def setDecimalsOption(self, option: int) -> None:
        self._decimals_option = integer(option)

    # Geometry

    def minimumSizeHint(self) -> QSize:
        columns, rows = self._table.horizontalHeader(), self._table.verticalHeader()
        width = max((columns.sectionSizeHint(index) for index in range(self.columnCount())), default=0)
        height = max((rows.sectionSizeHint(index) for index in range(self.rowCount())), default=0)
        return QSize(width * self.columnCount(), height * self.rowCount())

    def sizeHint(self) -> QSize:
        return self.minimumSizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        for count, extent, resize in (
            (self.columnCount(), self.width(), self._table.setColumnWidth),
            (self.rowCount(), self.height(), self._table.setRowHeight),
        ):
            for index in range(count):
                share = extent // count
                resize(index, share + (extent - share * count if index == count - 1 else 0))
