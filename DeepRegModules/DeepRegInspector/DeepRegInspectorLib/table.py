"""The table of landmark pairs: a row for each pair, sorted by any column, coloured by the error."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import qt
from slicer.i18n import tr as _

from deepreg_slicer.appearance import BAD, keepHeading, setColumnWidths, setRowHeight, toneColor
from deepreg_slicer.signals import Signal
from DeepRegInspectorLib.landmarks import PROPOSED, Pairs

_NAME, _BEFORE, _AFTER, _OTHER, _NOTE = 0, 1, 2, 3, 4
_AXES = (5, 6, 7, 8, 9, 10)  # errors along R, A, S after and before
_COLUMNS = 17
_OUTLIER, _OUTSIDE = _("outlier"), _("outside")
# No error, half, and the end of the range of colours: as other magnitudes from blue to yellow, but pale, for black letters.
_UNKNOWN = (225, 225, 225)
_COLORS = np.array([[150.0, 185.0, 255.0], [190.0, 220.0, 200.0], [255.0, 235.0, 90.0]])


class PairsTable:
    """Fills a QTableWidget.

    Args:
        widget: the table.

    Signals: ``selected(number)`` of a pair, ``ticked(number, on)``.
    """

    def __init__(self, widget: Any) -> None:
        self.selected, self.ticked = Signal(), Signal()
        self.widget = widget
        self._order: list[int] = []
        self._texts: list[list[str]] = []
        self._styles: list[tuple[Any, ...]] = []
        self._sort: tuple[int, bool] | None = None
        self._pairs: Pairs | None = None
        self._other: np.ndarray | None = None
        self._longest = 1.0
        self._filling = False
        widget.setColumnCount(_COLUMNS)
        widget.setHorizontalHeaderLabels(
            [
                _("Name"),
                _("Before\n(mm)"),
                _("After\n(mm)"),
                _("Second\n(mm)"),
                _("Note"),
                _("After R\n(mm)"),
                _("After A\n(mm)"),
                _("After S\n(mm)"),
                _("Before R\n(mm)"),
                _("Before A\n(mm)"),
                _("Before S\n(mm)"),
                _("Fixed R\n(mm)"),
                _("Fixed A\n(mm)"),
                _("Fixed S\n(mm)"),
                _("Moving R\n(mm)"),
                _("Moving A\n(mm)"),
                _("Moving S\n(mm)"),
            ]
        )
        widget.verticalHeader().setVisible(False)
        setRowHeight(widget)
        header = widget.horizontalHeader()
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(False)
        setColumnWidths(widget, {**dict.fromkeys(range(_COLUMNS), "-88.888"), _NAME: "F-18", _NOTE: _("proposed 0.88")}, (_NAME,))
        widget.setColumnHidden(_OTHER, True)
        header.setSectionResizeMode(_NOTE, qt.QHeaderView.Stretch)
        keepHeading(widget, _NOTE)
        self.showAll(False)
        header.connect("sectionClicked(int)", self._onHeader)
        widget.connect("currentCellChanged(int,int,int,int)", self._onCell)
        widget.connect("cellClicked(int,int)", self._onClicked)
        widget.connect("cellChanged(int,int)", self._onChanged)

    @property
    def current(self) -> int:
        """Number of the selected pair, -1 without one."""
        row = self.widget.currentRow()
        return self._order[row] if 0 <= row < len(self._order) else -1

    def showAll(self, on: bool) -> None:
        """Show or hide the columns of errors along the axes and of positions, with which the table is wider than most panels."""
        for column in range(_NOTE + 1, _COLUMNS):
            self.widget.setColumnHidden(column, not on)

    def select(self, number: int) -> None:
        """Select a pair, like a click."""
        if number in self._order:
            self.widget.setCurrentCell(self._order.index(number), _NAME)

    def mark(self, number: int) -> None:
        """Select a pair without a signal."""
        self._filling, filling = True, self._filling
        try:
            self.select(number)
        finally:
            self._filling = filling

    def show(self, pairs: Pairs, other: np.ndarray | None, longest: float) -> None:
        """Show pairs.

        Args:
            pairs: to show.
            other: errors under a second transform (N,), mm, or None.
            longest: error with the last colour, mm.
        """
        kept = self.current
        self._pairs, self._other, self._longest = pairs, other, longest
        self._filling = True
        try:
            if self.widget.isColumnHidden(_OTHER) != (other is None):
                self.widget.setColumnHidden(_OTHER, other is None)
            self._order = self._sorted()
            self._setRows(len(pairs))
            self._fill(longest)
            if kept >= 0:
                row = self._order.index(kept) if kept in self._order else -1
                if row != self.widget.currentRow():
                    self.widget.setCurrentCell(row, _NAME) if row >= 0 else self.widget.clearSelection()
        finally:
            self._filling = False

    def _setRows(self, count: int) -> None:
        widget, present = self.widget, len(self._texts)
        if count == present:
            return
        widget.setRowCount(count)
        del self._texts[count:], self._styles[count:]
        for row in range(present, count):
            for column in range(_COLUMNS):
                item = qt.QTableWidgetItem("")
                if column not in (_NAME, _NOTE):
                    item.setData(qt.Qt.TextAlignmentRole, int(qt.Qt.AlignRight | qt.Qt.AlignVCenter))
                if column == _NAME:
                    item.setCheckState(qt.Qt.Checked)
                widget.setItem(row, column, item)
            self._texts.append([""] * _COLUMNS)
            self._styles.append((None,) * _COLUMNS)

    def _fill(self, longest: float) -> None:
        pairs, other = self._pairs, self._other
        before, after, outliers = pairs.distances_before, pairs.distances, pairs.outliers
        second = other if other is not None else after
        numbers = np.column_stack([before, after, second, pairs.after, pairs.before, pairs.fixed, pairs.moving])
        widget = self.widget
        colors = {_BEFORE: before, _AFTER: after, _OTHER: second}
        colors.update(zip(_AXES, np.abs(np.concatenate([pairs.after, pairs.before], axis=1)).T, strict=True))
        shades = {column: _shades(values, longest) for column, values in colors.items()}
        for row, n in enumerate(self._order):
            texts = [
                pairs.names[n],
                *(_error(number) for number in numbers[n, :3]),
                self._note(n, outliers[n]),
                *(_error(number) for number in numbers[n, 3:9]),
                *(f"{number:.1f}" for number in numbers[n, 9:]),
            ]
            present = self._texts[row]
            if texts != present:
                for column in range(_COLUMNS):
                    if texts[column] != present[column]:
                        widget.item(row, column).setText(texts[column])
                self._texts[row] = texts
            styles = tuple(shades[column][n] for column in colors) + (bool(pairs.used[n]), bool(outliers[n]))
            if styles != self._styles[row]:
                self._style(row, dict(zip(colors, styles, strict=False)), bool(pairs.used[n]), bool(outliers[n]))
                self._styles[row] = styles

    def _style(self, row: int, shades: dict[int, Any], used: bool, outlier: bool) -> None:
        """Give a row its colours and its tick.

        Args:
            row: its number.
            shades: column to background.
            used: whether the pair is ticked.
            outlier: whether its note is emphasised.
        """
        for column, shade in shades.items():
            item = self.widget.item(row, column)
            item.setBackground(qt.QBrush(qt.QColor(*shade)))
            item.setForeground(qt.QBrush(qt.QColor(0, 0, 0)))
        self.widget.item(row, _NAME).setCheckState(qt.Qt.Checked if used else qt.Qt.Unchecked)
        note = self.widget.item(row, _NOTE)
        if outlier:
            note.setForeground(qt.QBrush(qt.QColor(toneColor(self.widget, BAD))))
        else:
            note.setData(qt.Qt.ForegroundRole, None)

    def _note(self, number: int, outlier: bool) -> str:
        note = self._pairs.notes[number]
        # "proposed, confidence 0.71" is shortened.
        short = note.replace(", confidence", "") if note.startswith(PROPOSED) else ""
        return ", ".join(text for text in (_OUTLIER if outlier else "", short) if text)

    # ------------------------------------------------------------------ sorting

    def _sorted(self) -> list[int]:
        pairs = self._pairs
        order = list(range(len(pairs)))
        if self._sort is None or not order:
            return order
        column, descending = self._sort
        if column in (_NAME, _NOTE):
            keys: Any = [natural(name) for name in pairs.names] if column == _NAME else [self._note(n, pairs.outliers[n]) for n in order]
        else:
            other = self._other if self._other is not None else pairs.distances
            axes = np.abs(np.concatenate([pairs.after, pairs.before], axis=1))
            columns = [pairs.distances_before, pairs.distances, other, np.zeros(len(pairs)), axes, pairs.fixed, pairs.moving]
            keys = np.nan_to_num(np.column_stack(columns)[:, column - 1], nan=-1.0)  # those without an error are below all errors
        return sorted(order, key=lambda n: keys[n], reverse=descending)

    def _onHeader(self, column: int) -> None:
        descending = column not in (_NAME,) if self._sort is None or self._sort[0] != column else not self._sort[1]
        self._sort = (column, descending)
        header = self.widget.horizontalHeader()
        header.setSortIndicatorShown(True)
        header.setSortIndicator(column, qt.Qt.DescendingOrder if descending else qt.Qt.AscendingOrder)
        if self._pairs is not None:
            self.show(self._pairs, self._other, self._longest)

    # ------------------------------------------------------------------- user

    def _onCell(self, row: int, _column: int, former: int, _formerColumn: int) -> None:
        if not self._filling and row != former and 0 <= row < len(self._order):
            self.selected.emit(self._order[row])

    def _onClicked(self, row: int, _column: int) -> None:
        if 0 <= row < len(self._order):
            self.selected.emit(self._order[row])  # jump again, because the views may have moved

    def _onChanged(self, row: int, column: int) -> None:
        if self._filling or column != _NAME or not 0 <= row < len(self._order):
            return
        on = self.widget.item(row, _NAME).checkState() == qt.Qt.Checked
        if on != bool(self._pairs.used[self._order[row]]):
            self.ticked.emit(self._order[row], on)


def natural(name: str) -> list[Any]:
    """Return a key for natural sorting: point 10 follows point 2."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part.lower()) for part in re.split(r"(\d+)", name) if part]


def _error(value: float) -> str:
    return _OUTSIDE if np.isnan(value) else f"{value:.3f}"


def _shades(values: np.ndarray, longest: float) -> list[tuple[int, int, int]]:
    place = np.clip(np.nan_to_num(values) / max(longest, 1e-9), 0.0, 1.0) * (len(_COLORS) - 1)
    channels = [np.interp(place, range(len(_COLORS)), _COLORS[:, channel]) for channel in range(3)]
    colors = np.stack(channels, axis=1).astype(int).tolist()
    return [_UNKNOWN if np.isnan(value) else tuple(color) for value, color in zip(values, colors, strict=True)]
