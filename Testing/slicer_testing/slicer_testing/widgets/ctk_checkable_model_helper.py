"""ctkCheckableModelHelper: keeps the check marks of a model's header, items and their children consistent."""

from __future__ import annotations

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, Qt
from PySide6.QtGui import QStandardItemModel

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import enumeration, integer

_ROLE = Qt.ItemDataRole.CheckStateRole
_STATE = Qt.CheckState


def state_of(model: QAbstractItemModel, index: QModelIndex) -> Qt.CheckState | None:
    """Return the check state of an item; None if it has none."""
    value = model.data(index, _ROLE)
    return None if value is None else enumeration(Qt.CheckState, value)


@slicer_widget
class ctkCheckableModelHelper(QObject):
    """Gives the items of a model check marks, and their parents a mark that summarises their children."""

    def __init__(self, orientation: Qt.Orientation = Qt.Orientation.Horizontal, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._orientation = enumeration(Qt.Orientation, orientation)
        self._model: QAbstractItemModel | None = None
        self._force = False
        self._depth = -1
        self._default = _STATE.Unchecked
        self._updating = False

    # Properties

    def forceCheckability(self) -> bool:
        return self._force

    def setForceCheckability(self, force: bool) -> None:
        """Give a check mark to items that have none."""
        self._force = bool(force)

    def propagateDepth(self) -> int:
        return self._depth

    def setPropagateDepth(self, depth: int) -> None:
        """Set the number of levels that marks are propagated to: -1 for all, 0 for none."""
        self._depth = int(depth)

    def defaultCheckState(self) -> Qt.CheckState:
        return self._default

    def setDefaultCheckState(self, state: Qt.CheckState) -> None:
        self._default = enumeration(Qt.CheckState, state)

    # Marks

    def setCheckState(self, index: QModelIndex, state: Qt.CheckState) -> None:
        if self._model is not None:
            self._model.setData(index, integer(state), _ROLE)

    def toggleCheckState(self, index: QModelIndex) -> None:
        """Check or uncheck an item that has a mark."""
        if self._model is not None and index.isValid():
            state = state_of(self._model, index)
            if state is not None:
                self.setCheckState(index, _STATE.Unchecked if state == _STATE.Checked else _STATE.Checked)

    def setHeaderCheckState(self, section: int, state: Qt.CheckState) -> None:
        if self._model is not None:
            self._model.setHeaderData(section, self._orientation, integer(state), _ROLE)

    def toggleHeaderCheckState(self, section: int) -> None:
        """Check or uncheck a section of the header that has a mark."""
        value = None if self._model is None else self._model.headerData(section, self._orientation, _ROLE)
        if value is not None:
            self.setHeaderCheckState(section, _STATE.Unchecked if integer(value) == _STATE.Checked.value else _STATE.Checked)

    # Model

    def _set_model(self, model: QAbstractItemModel | None) -> None:
        if model is self._model:
            return
        if self._model is not None:
            self._model.rowsInserted.disconnect(self._on_rows)
            self._model.dataChanged.disconnect(self._on_data)
            self._model.headerDataChanged.disconnect(self._on_header)
        self._model = model
        if model is None:
            return
        model.rowsInserted.connect(self._on_rows)
        model.dataChanged.connect(self._on_data)
        model.headerDataChanged.connect(self._on_header)
        if model.rowCount() > 0:
            self._on_rows(QModelIndex(), 0, model.rowCount() - 1)

    def _on_rows(self, parent: QModelIndex, first: int, last: int) -> None:
        if not self._force:
            return
        state = None if not parent.isValid() else state_of(self._model, parent)
        for row in range(first, last + 1):
            index = self._model.index(row, 0, parent)
            if state_of(self._model, index) is None:
                start = state if state in (_STATE.Checked, _STATE.Unchecked) else self._default
                self._model.setData(index, start.value, _ROLE)
            if isinstance(self._model, QStandardItemModel):
                self._model.itemFromIndex(index).setCheckable(True)
            if self._model.rowCount(index) > 0:
                self._on_rows(index, 0, self._model.rowCount(index) - 1)

    def _on_data(self, first: QModelIndex, _last: QModelIndex, *_roles: object) -> None:
        if self._updating or self._depth == 0:
            return
        self._updating = True
        try:
            self._pass_down(first)
            self._pass_up(first.parent())
        finally:
            self._updating = False

    def _on_header(self, orientation: Qt.Orientation, first: int, _last: int) -> None:
        if self._updating or orientation != self._orientation:
            return
        value = self._model.headerData(first, orientation, _ROLE)
        if value is None or integer(value) == _STATE.PartiallyChecked.value:
            return
        self._updating = True
        try:
            for row in range(self._model.rowCount()):
                index = self._model.index(row, first)
                if state_of(self._model, index) is not None or self._force:
                    self._model.setData(index, integer(value), _ROLE)
                    self._pass_down(index)
        finally:
            self._updating = False

    def _level(self, index: QModelIndex) -> int:
        level = -1
        while index.isValid():
            level, index = level + 1, index.parent()
        return level

    def _pass_down(self, index: QModelIndex) -> None:
        state = state_of(self._model, index)
        if state not in (_STATE.Checked, _STATE.Unchecked) or not (self._depth == -1 or self._level(index) < self._depth):
            return
        for row in range(self._model.rowCount(index)):
            child = self._model.index(row, 0, index)
            old = state_of(self._model, child)
            if old is None and not self._force:
                continue
            if old != state:
                self._model.setData(child, state.value, _ROLE)
            self._pass_down(child)

    def _pass_up(self, index: QModelIndex) -> None:
        """Update the mark of a parent, or of the header, from its children."""
        children = {state_of(self._model, self._model.index(row, 0, index)) for row in range(self._model.rowCount(index))} - {None}
        if not children:
            return
        state = children.pop() if len(children) == 1 else _STATE.PartiallyChecked
        if index.isValid():
            if state_of(self._model, index) not in (None, state):
                self._model.setData(index, state.value, _ROLE)
            self._pass_up(index.parent())
        elif self._model.headerData(0, self._orientation, _ROLE) is not None:
            self.setHeaderCheckState(0, state)
