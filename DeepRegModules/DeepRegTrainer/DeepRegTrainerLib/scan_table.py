"""The table of scans: a row for each scan, with a tick to use it, its role and its problem."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from deepreg_slicer.appearance import BAD, keepHeading, setColumnWidths, setRowHeight, toneColor
from deepreg_slicer.signals import Signal
from DeepRegTrainerLib.scans import LEARN, NONE, VALIDATE, Row

_NAME, _ROLE, _LABELS, _PROBLEM = range(4)
_ROLES = (
    (LEARN, _("learn"), _("The training learns from it.")),
    (VALIDATE, _("validate"), _("It is held out for validation, which measures the model and chooses the best one.")),
    (NONE, _("leave out"), _("It is not used at all.")),
)


class _Unwheeled(qt.QObject):
    """An event filter that lets the mouse wheel scroll the table instead of changing roles."""

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        if event.type() == qt.QEvent.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False


class ScanTable:
    """Fills a QTableWidget.

    Args:
        widget: the table.

    Signals: ``changed(roles)``, key to role, when the user has given scans another role.
    """

    def __init__(self, widget: Any) -> None:
        self.changed = Signal()
        self.widget = widget
        self._rows: list[Row] = []
        self._filling = False
        self._guard = _Unwheeled(widget)
        widget.setColumnCount(4)
        widget.setHorizontalHeaderLabels([_("Scan"), _("Role"), _("Labels"), _("Problem")])
        widget.verticalHeader().setVisible(False)
        setRowHeight(widget, boxes=True)
        header = widget.horizontalHeader()
        for column, mode in enumerate((qt.QHeaderView.Stretch, qt.QHeaderView.Fixed, qt.QHeaderView.Interactive, qt.QHeaderView.Stretch)):
            header.setSectionResizeMode(column, mode)
        setColumnWidths(widget, {_ROLE: max((title for _value, title, _about in _ROLES), key=len), _LABELS: ""}, (_ROLE,))
        keepHeading(widget, _PROBLEM)
        widget.connect("cellChanged(int,int)", self._onChanged)

    @property
    def rows(self) -> list[Row]:
        """The rows that are shown."""
        return list(self._rows)

    def selected(self) -> list[str]:
        """Return the keys of the rows that are selected; without any, of the current one."""
        numbers = sorted({index.row() for index in self.widget.selectionModel().selectedRows()})
        if not numbers and self.widget.currentRow() >= 0:
            numbers = [self.widget.currentRow()]
        return [self._rows[number].key for number in numbers if number < len(self._rows)]

    def show(self, rows: list[Row]) -> None:
        """Show rows; widgets of rows that have not changed stay."""
        if rows == self._rows:
            return
        self._filling = True
        blocked = self.widget.blockSignals(True)  # removing rows changes the selection, which would call this again
        try:
            fresh = [row.key for row in rows] != [row.key for row in self._rows]
            if fresh:
                self.widget.setRowCount(0)
                self.widget.setRowCount(len(rows))
            for number, row in enumerate(rows):
                if fresh:
                    self._make(number, row.key)
                if fresh or row != self._rows[number]:
                    self._fill(number, row)
            self._rows = list(rows)
        finally:
            self.widget.blockSignals(blocked)
            self._filling = False

    def _make(self, number: int, key: str) -> None:
        for column in (_NAME, _LABELS, _PROBLEM):
            item = qt.QTableWidgetItem("")
            self.widget.setItem(number, column, item)
        box = qt.QComboBox()
        for value, title, about in _ROLES:
            box.addItem(title, value)
            box.setItemData(box.count - 1, about, qt.Qt.ToolTipRole)
        box.setFocusPolicy(qt.Qt.StrongFocus)
        box.installEventFilter(self._guard)
        box.connect("activated(int)", lambda index, key=key, box=box: self._change(key, box.itemData(index)))
        self.widget.setCellWidget(number, _ROLE, box)

    def _fill(self, number: int, row: Row) -> None:
        for column, text in ((_NAME, row.name), (_LABELS, row.labels), (_PROBLEM, row.problem)):
            item = self.widget.item(number, column)
            item.setText(text)
            item.setToolTip(text)
        self.widget.item(number, _NAME).setCheckState(qt.Qt.Unchecked if row.role == NONE else qt.Qt.Checked)
        self.widget.item(number, _PROBLEM).setForeground(qt.QBrush(qt.QColor(toneColor(self.widget, BAD))))
        box = self.widget.cellWidget(number, _ROLE)
        box.setCurrentIndex(box.findData(row.role))
        box.toolTip = box.itemData(box.currentIndex, qt.Qt.ToolTipRole)
        box.setAccessibleName(_("Role of {name}").format(name=row.name))

    def _onChanged(self, number: int, column: int) -> None:
        if self._filling or column != _NAME or number >= len(self._rows):
            return
        row = self._rows[number]
        on = self.widget.item(number, _NAME).checkState() == qt.Qt.Checked
        if on != (row.role != NONE):
            self._change(row.key, LEARN if on else NONE)

    def _change(self, key: str, role: str) -> None:
        if not self._filling and any(row.key == key and row.role != role for row in self._rows):
            self.changed.emit({key: role})
