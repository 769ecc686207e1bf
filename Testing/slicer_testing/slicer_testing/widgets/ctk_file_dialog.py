"""ctkFileDialog: a file dialog with a widget of its own at the bottom."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialogButtonBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QListView,
    QPushButton,
    QTreeView,
    QWidget,
)

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.ctk_values import enumeration

_BOTTOM_ROW = 4


@slicer_widget
class ctkFileDialog(QFileDialog):
    """Qt's file dialog, never the system's, with a bottom widget, a selection mode and control of the accept button."""

    fileSelectionChanged = Signal(list)

    def __init__(self, parent: QWidget | None = None, caption: str = "", directory: str = "", filters: str = "") -> None:
        super().__init__(parent, caption, directory, filters)
        # Only Qt's own dialog can be extended, and only it works without a desktop.
        self.setOption(QFileDialog.Option.DontUseNativeDialog, True)
        self._bottom: QWidget | None = None
        self._list().selectionModel().selectionChanged.connect(self._on_selection)

    def _list(self) -> QListView:
        return self.findChild(QListView, "listView")

    def _views(self) -> list[QAbstractItemView]:
        return [self._list(), self.findChild(QTreeView)]

    def _accept_button(self) -> QPushButton:
        kinds = QDialogButtonBox.StandardButton
        opens = self.acceptMode() == QFileDialog.AcceptMode.AcceptOpen
        return self.findChild(QDialogButtonBox).button(kinds.Open if opens else kinds.Save)

    def bottomWidget(self) -> QWidget | None:
        """Return the widget at the bottom; None if there is none."""
        return self._bottom

    def setBottomWidget(self, widget: QWidget | None, label: str = "") -> None:
        """Put a widget at the bottom, with a label."""
        if widget is self._bottom and widget is not None:
            return
        grid: QGridLayout = self.layout()
        if self._bottom is not None:
            grid.removeWidget(self._bottom)
            self._bottom.setParent(None)
            self._bottom.deleteLater()
        self._bottom = widget
        if widget is None:
            return
        if label:
            grid.addWidget(QLabel(label, self), _BOTTOM_ROW, 0)
            grid.addWidget(widget, _BOTTOM_ROW, 1)
        else:
            grid.addWidget(widget, _BOTTOM_ROW, 0, 1, 2)
        buttons = self.findChild(QDialogButtonBox)
        grid.removeWidget(buttons)
        grid.addWidget(buttons, 2, 2, 3, 1)

    def SelectionMode(self) -> QAbstractItemView.SelectionMode:
        """Return how many files can be selected; this is the getter of the property ``SelectionMode``."""
        return self._list().selectionMode()

    def setSelectionMode(self, mode: QAbstractItemView.SelectionMode) -> None:
        for view in self._views():
            view.setSelectionMode(enumeration(QAbstractItemView.SelectionMode, mode))

    def clearSelection(self) -> None:
        for view in self._views():
            view.clearSelection()

    def setAcceptButtonEnable(self, enable: bool) -> None:
        """Enable or disable the accept button."""
        self._accept_button().setEnabled(bool(enable))

    def _on_selection(self, *_selections: object) -> None:
        self.fileSelectionChanged.emit(self.selectedFiles())
