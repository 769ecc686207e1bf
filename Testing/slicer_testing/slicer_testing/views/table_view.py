"""Table views: tables of the scene."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import QAbstractTableModel, QItemSelection, QModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QApplication, QTableView, QWidget

from slicer_testing.registry import slicer_widget, widget
from slicer_testing.views.view_widget import qMRMLAbstractViewWidget, qMRMLViewControllerBar
from slicer_testing.widgets.mrml_observation import Observations


@slicer_widget
class qMRMLTableModel(QAbstractTableModel):
    """The cells of a table node; edits are written to the node.

    Args:
        parent: parent object.
    """

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._node: slicer.vtkMRMLTableNode | None = None
        self._transposed = False
        self._observations = Observations(self)

    def _set_node(self, node: slicer.vtkMRMLTableNode | None) -> None:
        self._observations.drop(self._node)
        self.beginResetModel()
        self._node = node
        self.endResetModel()
        self._observations.add(node, "ModifiedEvent", self._on_modified)

    def transposed(self) -> bool:
        """Return whether rows and columns are exchanged."""
        return self._transposed

    def setTransposed(self, transposed: bool) -> None:
        """Exchange rows and columns."""
        self.beginResetModel()
        self._transposed = bool(transposed)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  (Qt's own default)
        """Return the number of rows."""
        return 0 if parent.isValid() or self._node is None else self._size()[0]

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  (Qt's own default)
        """Return the number of columns."""
        return 0 if parent.isValid() or self._node is None else self._size()[1]

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text of a cell in the format of the node."""
        if self._node is None or role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return None
        return self._node.GetCellText(*self._cell(index))

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Write a cell; a text that is invalid for the column's type is refused."""
        if self._node is None or role != Qt.ItemDataRole.EditRole:
            return False
        return bool(self._node.SetCellText(*self._cell(index), str(value)))

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the name of a column, or the number of a row."""
        if self._node is None or role != Qt.ItemDataRole.DisplayRole:
            return None
        names = (orientation == Qt.Orientation.Horizontal) != self._transposed
        # Options of the table node select the source of the headers.
        if names and self._node.GetUseColumnTitleAsColumnHeader():
            return self._node.GetColumnTitle(self._node.GetColumnName(section)) or self._node.GetColumnName(section)
        if names and self._node.GetUseColumnNameAsColumnHeader():
            return self._node.GetColumnName(section)
        if not names and self._node.GetUseFirstColumnAsRowHeader():
            return self._node.GetCellText(section, 0)
        return str(section + 1)

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Return the flags of a cell; cells of an unlocked table are editable."""
        flags = super().flags(index)
        return flags if self._node is None or self._node.GetLocked() else flags | Qt.ItemFlag.ItemIsEditable

    def _size(self) -> tuple[int, int]:
        size = (self._node.GetNumberOfRows(), self._node.GetNumberOfColumns())
        return size[::-1] if self._transposed else size

    def _cell(self, index: QModelIndex) -> tuple[int, int]:
        cell = (index.row(), index.column())
        return cell[::-1] if self._transposed else cell

    def _on_modified(self) -> None:
        self.beginResetModel()
        self.endResetModel()


@slicer_widget
class qMRMLTableView(QTableView):
    """Shows a table node, or the table of a table view node.

    Args:
        parent: parent widget.
    """

    mrmlSceneChanged = Signal(object)
    selectionChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None
        self._node: slicer.vtkMRMLTableNode | None = None
        self._view_node: slicer.vtkMRMLTableViewNode | None = None
        self._observations = Observations(self)
        self._model = qMRMLTableModel(self)
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self._model)
        self.setModel(self._proxy)
        self.selectionModel().selectionChanged.connect(self._on_selection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.horizontalHeader().setStretchLastSection(False)

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        """Return the scene."""
        return self._scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Set the scene."""
        if scene is self._scene:
            return
        self._observations.drop(self._scene)
        self._scene = scene
        if scene is not None:
            self._observations.add(scene, scene.NodeRemovedEvent, self._on_node_removed, give="data")
            self._observations.add(scene, scene.EndBatchProcessEvent, self._follow_view_node)
        if self._view_node is not None and self._view_node.GetScene() is not scene:
            self.setMRMLTableViewNode(None)
        self.mrmlSceneChanged.emit(scene)

    def mrmlTableNode(self) -> slicer.vtkMRMLTableNode | None:
        """Return the table that is shown."""
        return self._node

    def setMRMLTableNode(self, node: slicer.vtkMRMLTableNode | None) -> None:
        """Show a table."""
        if node is self._node:
            return
        self._node = node
        self._model._set_node(node)

    def mrmlTableViewNode(self) -> slicer.vtkMRMLTableViewNode | None:
        """Return the view node whose table is shown."""
        return self._view_node

    def setMRMLTableViewNode(self, node: slicer.vtkMRMLTableViewNode | None) -> None:
        """Show the table of a view node."""
        if node is self._view_node:
            return
        self._observations.drop(self._view_node)
        self._view_node = node
        self._observations.add(node, "ModifiedEvent", self._follow_view_node)
        self._follow_view_node()

    def tableModel(self) -> qMRMLTableModel:
        """Return the model of the cells."""
        return self._model

    def sortFilterProxyModel(self) -> QSortFilterProxyModel:
        """Return the proxy model that sorts and filters the cells."""
        return self._proxy

    def transposed(self) -> bool:
        """Return whether rows and columns are exchanged."""
        return self._model.transposed()

    def setTransposed(self, transposed: bool) -> None:
        """Exchange rows and columns."""
        self._model.setTransposed(transposed)

    def copySelection(self) -> None:
        """Copy the selected cells as text with tabulators between columns."""
        cells = sorted((index.row(), index.column(), index.data()) for index in self.selectedIndexes())
        lines: dict[int, list[str]] = {}
        for row, _, text in cells:
            lines.setdefault(row, []).append(text or "")
        QApplication.clipboard().setText("\n".join("\t".join(line) for line in lines.values()))

    def insertRow(self) -> None:
        """Add a row at the end."""
        if self._node is not None:
            self._node.AddEmptyRow()

    def insertColumn(self) -> None:
        """Add a column at the end."""
        if self._node is not None:
            self._node.AddColumn()

    def deleteRow(self) -> None:
        """Remove the rows of the selected cells."""
        for row in sorted({self._proxy.mapToSource(index).row() for index in self.selectedIndexes()}, reverse=True):
            self._node.RemoveRow(row)

    def deleteColumn(self) -> None:
        """Remove the columns of the selected cells."""
        for column in sorted({index.column() for index in self.selectedIndexes()}, reverse=True):
            self._node.RemoveColumn(column)

    def _follow_view_node(self) -> None:
        if self._view_node is not None:
            self.setMRMLTableNode(self._view_node.GetTableNode())

    def _on_node_removed(self, node: slicer.vtkMRMLNode) -> None:
        if node is self._node:
            self.setMRMLTableNode(None)

    def _on_selection(self, _selected: QItemSelection, _deselected: QItemSelection) -> None:
        self.selectionChanged.emit()


@slicer_widget
class qMRMLTableViewControllerWidget(qMRMLViewControllerBar):
    """The bar of a table view: a selector of the table.

    Args:
        parent: parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table: qMRMLTableView | None = None
        self._pin.setVisible(False)
        self._selector = widget("qMRMLNodeComboBox")(self._bar)
        self._selector.setNodeTypes(["vtkMRMLTableNode"])
        self._selector.setNoneEnabled(True)
        self._selector.setAddEnabled(False)
        self._selector.setRemoveEnabled(False)
        self._selector.currentNodeChanged[object].connect(self._on_table_chosen)
        self.mrmlSceneChanged.connect(self._selector.setMRMLScene)
        self._bar_layout.insertWidget(3, self._selector, 1)

    def setTableView(self, view: qMRMLTableView) -> None:
        """Set the view that the bar belongs to."""
        self._table = view

    def mrmlTableViewNode(self) -> slicer.vtkMRMLTableViewNode | None:
        """Return the view's node."""
        return self._view_node

    def setMRMLTableViewNode(self, node: slicer.vtkMRMLTableViewNode | None) -> None:
        """Control a view node."""
        self._set_view_node(node)

    def _on_table_chosen(self, node: slicer.vtkMRMLTableNode | None) -> None:
        chosen = node.GetID() if node is not None else None
        if self._view_node is not None and self._view_node.GetTableNodeID() != chosen:
            self._view_node.SetTableNodeID(chosen)

    def _update_from_node(self) -> None:
        super()._update_from_node()
        if self._view_node is not None:
            self._selector.setCurrentNode(self._view_node.GetTableNode())


@slicer_widget
class qMRMLTableWidget(qMRMLAbstractViewWidget):
    """A table view with its bar.

    Args:
        parent: parent widget.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._set_up(qMRMLTableViewControllerWidget(self), qMRMLTableView(self))
        self._controller.setTableView(self._view)

    def setMRMLTableViewNode(self, node: slicer.vtkMRMLTableViewNode | None) -> None:
        """Show a table view node."""
        self._view.setMRMLTableViewNode(node)
        self._controller.setMRMLTableViewNode(node)

    def setMRMLAbstractViewNode(self, node: slicer.vtkMRMLAbstractViewNode | None) -> None:
        """Show a table view node; a node of another class is ignored."""
        self.setMRMLTableViewNode(node if isinstance(node, slicer.vtkMRMLTableViewNode) else None)

    def mrmlTableViewNode(self) -> slicer.vtkMRMLTableViewNode | None:
        """Return the node that is shown."""
        return self._view.mrmlTableViewNode()

    def tableView(self) -> qMRMLTableView:
        """Return the view."""
        return self._view

    def tableController(self) -> qMRMLTableViewControllerWidget:
        """Return the bar."""
        return self._controller
