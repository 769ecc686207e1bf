"""ctkTreeComboBox: a combo box whose list is a tree."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QComboBox, QTreeView, QWidget

from slicer_testing.registry import slicer_widget


@slicer_widget
class ctkTreeComboBox(QComboBox):
    """A combo box with a tree; a click on a branch opens the branch and keeps the list open."""

    popupShow = Signal()
    popupHide = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._visible_column = -1
        self._skip_next_hide = False
        tree = QTreeView(self)
        tree.setHeaderHidden(True)
        self.setView(tree)
        tree.viewport().installEventFilter(self)

    def visibleModelColumn(self) -> int:
        return self._visible_column

    def setVisibleModelColumn(self, column: int) -> None:
        """Set the only column to show; -1 shows all."""
        self._visible_column = int(column)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonRelease and watched is self.view().viewport():
            point = event.position().toPoint()
            index = self.view().indexAt(point)
            if self.view().model().hasChildren(index) and not self.view().visualRect(index).contains(point):
                if not index.flags() & Qt.ItemFlag.ItemIsSelectable:
                    return True
                self._skip_next_hide = True
        return False

    def showPopup(self) -> None:
        header = self.view().header()
        for column in range(header.count()):
            header.setSectionHidden(column, self._visible_column not in (-1, column))
        super().showPopup()
        self.popupShow.emit()

    def hidePopup(self) -> None:
        if self._skip_next_hide:
            self._skip_next_hide = False
            return
        super().hidePopup()
        self.popupHide.emit()
