"""ctkCheckableComboBox: a combo box whose items can be checked."""

from __future__ import annotations

from PySide6.QtCore import QAbstractItemModel, QEvent, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPaintEvent, QPalette
from PySide6.QtWidgets import QComboBox, QItemDelegate, QStyle, QStyleOptionComboBox, QStylePainter, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_checkable_model_helper import ctkCheckableModelHelper, state_of
from slicer_testing.widgets.ctk_values import enumeration

_STATE = Qt.CheckState


@slicer_widget
class ctkCheckableComboBox(QComboBox):
    """A list of checkable items; the box shows the names of the checked ones, "None" or "All"."""

    checkedIndexesChanged = Signal()
    returnRelease = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._checked: list[QPersistentModelIndex] = []
        self._pressed = False
        self._observed: QAbstractItemModel | None = None
        self._helper = ctkCheckableModelHelper(Qt.Orientation.Horizontal, self)
        self._helper.setForceCheckability(True)
        self.setCheckableModel(self.model())
        self.view().installEventFilter(self)
        self.view().viewport().installEventFilter(self)
        # The default delegate of some styles shows no check marks.
        self.setItemDelegate(QItemDelegate(self.view()))

    # Model

    def checkableModel(self) -> QAbstractItemModel:
        return self.model()

    def setCheckableModel(self, model: QAbstractItemModel) -> None:
        """Show the items of a model."""
        if self._observed is not None:
            for signal in (self._observed.dataChanged, self._observed.rowsRemoved, self._observed.modelReset):
                signal.disconnect(self._update_checked)
        if model is not self.model():
            self.setModel(model)
        self._observed = model
        for signal in (model.dataChanged, model.rowsRemoved, model.modelReset):
            signal.connect(self._update_checked)
        self._helper._set_model(model)
        self._update_checked()

    def checkableModelHelper(self) -> ctkCheckableModelHelper:
        return self._helper

    # Marks

    def checkState(self, index: QModelIndex) -> Qt.CheckState:
        """Return whether an item is checked."""
        state = state_of(self.model(), index)
        return _STATE.Unchecked if state is None else state

    def setCheckState(self, index: QModelIndex, state: Qt.CheckState) -> None:
        self._helper.setCheckState(index, enumeration(Qt.CheckState, state))

    def checkedIndexes(self) -> list[QModelIndex]:
        """Return the model's indexes of all checked items."""
        model = self.model()
        return [model.index(one.row(), one.column(), one.parent()) for one in self._checked if one.isValid()]

    def allChecked(self) -> bool:
        return len(self._indexes(_STATE.Checked)) == self.count()

    def allPatiallyChecked(self) -> bool:
        """Return whether all items are partially checked; the spelling is the application's."""
        return len(self._indexes(_STATE.PartiallyChecked)) == self.count()

    def noneChecked(self) -> bool:
        return len(self._indexes(_STATE.Unchecked)) == self.count()

    def _indexes(self, state: Qt.CheckState, parent: QModelIndex | None = None) -> list[QModelIndex]:
        found: list[QModelIndex] = []
        parent = self.rootModelIndex() if parent is None else parent
        for row in range(self.model().rowCount(parent)):
            index = self.model().index(row, 0, parent)
            if state_of(self.model(), index) == state:
                found.append(index)
            if self.model().rowCount(index) > 0:
                found += self._indexes(state, index)
        return found

    def _update_checked(self, *_changes: object) -> None:
        checked = [QPersistentModelIndex(index) for index in self._indexes(_STATE.Checked)]
        if checked != self._checked:
            self._checked = checked
            self.update()
            self.checkedIndexesChanged.emit()

    # Mouse and keys

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.MouseButtonPress:
            self._pressed = self._pressed or self.view().isVisible()
        elif kind == QEvent.Type.MouseButtonRelease:
            pressed, self._pressed = self._pressed, False
            current = self.view().currentIndex()
            usable = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
            inside = self.view().rect().contains(event.position().toPoint())
            if self.view().isVisible() and inside and current.isValid() and current.flags() & usable == usable:
                # The mouse button that opened the list is released over an item: this does not check it.
                if pressed:
                    self.setCurrentIndex(current.row())
                    self._helper.toggleCheckState(current)
                return True
        return super().eventFilter(watched, event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        super().keyReleaseEvent(event)
        if event.key() in (Qt.Key.Key_Enter, Qt.Key.Key_Return):
            self.returnRelease.emit()

    # Painting

    def _shown_text(self) -> str:
        if self.count() == 0 or self.noneChecked():
            return "None"
        if len(self._indexes(_STATE.Checked)) + len(self._indexes(_STATE.PartiallyChecked)) == self.count():
            return "All"
        return ", ".join(str(index.data(Qt.ItemDataRole.DisplayRole)) for index in self.checkedIndexes())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        painter.setPen(self.palette().color(QPalette.ColorRole.Text))
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self._shown_text()
        checked = self.checkedIndexes()
        icon = checked[0].data(Qt.ItemDataRole.DecorationRole) if len(checked) == 1 else None
        option.currentIcon = icon if isinstance(icon, QIcon) else QIcon()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()
