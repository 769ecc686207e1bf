"""A markups node with its control points in a table."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QMenu, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.mrml_markups_place import markups_logic, qSlicerMarkupsPlaceWidget
from slicer_testing.widgets.mrml_node_combo_box import qMRMLNodeComboBox
from slicer_testing.widgets.mrml_widget import qSlicerWidget

_LABEL, _R, _A, _S, _STATUS = range(5)
_HEADERS = ["Label", "R", "A", "S", ""]


@slicer_widget
class qSlicerSimpleMarkupsWidget(qSlicerWidget):
    """Selector, place buttons and table of control points.

    Choosing a node in the selector starts placing its points (``enterPlaceModeOnNodeChange``); ``setCurrentNode`` does not.
    """

    markupsNodeChanged = Signal()
    markupsFiducialNodeChanged = Signal()
    activeMarkupsPlaceModeChanged = Signal(bool)
    activeMarkupsFiducialPlaceModeChanged = Signal(bool)
    currentMarkupsControlPointSelectionChanged = Signal(int)
    currentMarkupsFiducialSelectionChanged = Signal(int)
    updateFinished = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = None
        self._place_on_change = True
        self._jump = False
        self._view_group = -1
        self._status_visible = False
        self._selector_visible = True
        self._options_visible = True
        self._selector = qMRMLNodeComboBox(self)
        self._selector.setObjectName("MarkupsNodeComboBox")
        self._selector.setNodeTypes(["vtkMRMLMarkupsFiducialNode"])
        self._selector.setShowHidden(True)
        self._selector.setNoneEnabled(True)
        self._selector.setRenameEnabled(True)
        self._place = qSlicerMarkupsPlaceWidget(self)
        self._place.setObjectName("MarkupsPlaceWidget")
        self._table = QTableWidget(0, 0, self)
        self._table.setObjectName("MarkupsControlPointsTableWidget")
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._table.verticalHeader().setDefaultSectionSize(24)
        top = QHBoxLayout()
        top.addWidget(self._selector, 1)
        top.addWidget(self._place)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self._table)
        self._selector.currentNodeChanged.connect(self._on_node_chosen)
        self._selector.nodeAddedByUser.connect(self._on_node_added)
        self._place.activeMarkupsPlaceModeChanged.connect(self.activeMarkupsPlaceModeChanged)
        self._place.activeMarkupsFiducialPlaceModeChanged.connect(self.activeMarkupsFiducialPlaceModeChanged)
        self._table.cellChanged.connect(self._on_edited)
        self._table.cellClicked.connect(self._on_selected)
        self._table.currentCellChanged.connect(self._on_selected)
        self._table.customContextMenuRequested.connect(self._open_menu)
        self._update()

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene with the markups."""
        super().setMRMLScene(scene)
        self._place.setMRMLScene(scene)
        self._selector.setMRMLScene(scene)
        self._update()

    # -- node

    def currentNode(self) -> Any:
        """Return the shown markups node, or None."""
        return self._selector.currentNode()

    def getCurrentNode(self) -> Any:
        """Old name of ``currentNode``."""
        return self.currentNode()

    def setCurrentNode(self, node: Any) -> None:
        """Show another node without changing place mode."""
        if node is not None and not node.IsA("vtkMRMLMarkupsNode"):
            node = None
        if node is self._node:
            return
        blocked = self._selector.blockSignals(True)
        self._selector.setCurrentNode(node)
        self._selector.blockSignals(blocked)
        self._place.setCurrentNode(node)
        if self._node is not None:
            self._observations.drop(self._node)
        self._node = node
        if node is not None:
            at = slicer.vtkMRMLMarkupsNode
            for event in ("ModifiedEvent", at.PointRemovedEvent, at.PointModifiedEvent):
                self._observations.add(node, event, self._update)
            self._observations.add(node, at.PointAddedEvent, self._on_point_added)
        self._update()
        self.markupsNodeChanged.emit()
        self.markupsFiducialNodeChanged.emit()

    def _on_node_chosen(self, node: Any) -> None:
        self.setCurrentNode(node)
        if self._place_on_change:
            self._place.setPlaceModeEnabled(self._node is not None)

    def _on_node_added(self, node: Any) -> None:
        if markups_logic() is not None and node.GetDisplayNode() is None:
            markups_logic().AddNewDisplayNodeForMarkupsNode(node)
        self._selector.setCurrentNode(node)
        self.setNodeColor(self.defaultNodeColor())
        self._on_node_chosen(node)

    def setNodeBaseName(self, name: str) -> None:
        """Set the beginning of the names of nodes that are created here."""
        self._selector.setBaseName(name)

    # -- table

    def _update(self) -> None:
        """Show the current points; keep the selection if their number has not changed."""
        node = self.currentNode()
        if node is None:
            self._table.clear()
            self._table.setRowCount(0)
            self._table.setColumnCount(0)
            self._place.setEnabled(False)
            self.updateFinished.emit()
            return
        self._place.setEnabled(True)
        blocked = self._table.blockSignals(True)
        self._set_up_columns()
        count = node.GetNumberOfControlPoints()
        if self._table.rowCount() != count:
            self._table.clearContents()
            self._table.setRowCount(count)
        for row in range(count):
            for column, text in enumerate(self._texts(node, row)):
                if self._table.item(row, column) is None:
                    self._table.setItem(row, column, QTableWidgetItem())
                self._table.item(row, column).setText(text)
            self._table.item(row, _STATUS).setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
        self._table.blockSignals(blocked)
        self.updateFinished.emit()

    def _set_up_columns(self) -> None:
        if self._table.columnCount() != len(_HEADERS):
            self._table.setColumnCount(len(_HEADERS))
            self._table.setHorizontalHeaderLabels(_HEADERS)
            self._table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            self._table.horizontalHeader().setSectionResizeMode(_LABEL, QHeaderView.ResizeMode.Stretch)
        self._table.setColumnHidden(_STATUS, not self._status_visible)

    @staticmethod
    def _texts(node: Any, row: int) -> list[str]:
        status = node.GetNthControlPointPositionStatus(row)
        placed = status == slicer.vtkMRMLMarkupsNode.PositionDefined
        position = [f"{value:.3f}" for value in node.GetNthControlPointPosition(row)] if placed else ["", "", ""]
        return [node.GetNthControlPointLabel(row), *position, "" if placed else node.GetPositionStatusAsString(status)]

    def _on_point_added(self) -> None:
        self._update()
        self._table.scrollToBottom()

    def _on_edited(self, row: int, column: int) -> None:
        """Write a changed label or coordinate to the node."""
        node = self.currentNode()
        if node is None:
            return
        text = self._table.item(row, column).text()
        if column == _LABEL:
            node.SetNthControlPointLabel(row, text)
        elif column in (_R, _A, _S):
            position = list(node.GetNthControlPointPosition(row))
            try:
                position[column - _R] = float(text)
            except ValueError:
                position[column - _R] = 0.0  # as Qt converts a text that is no number
            node.SetNthControlPointPosition(row, *position)
        self._update()

    def _on_selected(self, row: int, *_: int) -> None:
        node = self.currentNode()
        if self._jump and node is not None and row >= 0:
            markups_logic().JumpSlicesToNthPointInMarkup(node.GetID(), row, True, self._view_group)
        self.currentMarkupsControlPointSelectionChanged.emit(row)
        self.currentMarkupsFiducialSelectionChanged.emit(row)

    def _open_menu(self, position: QPoint) -> None:
        if self.currentNode() is None:
            return
        menu = QMenu(self._table)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, do in (
            ("Delete highlighted control points", self._delete_selected),
            ("Move current control point up", lambda: self._move(-1)),
            ("Move current control point down", lambda: self._move(1)),
            ("Jump slices to control point", self._jump_to_current),
        ):
            menu.addAction(text).triggered.connect(lambda *_, do=do: do())
        menu.popup(self._table.viewport().mapToGlobal(position))

    def _delete_selected(self) -> None:
        node = self.currentNode()
        rows = {index.row() for index in self._table.selectedIndexes()}
        was_modifying = node.StartModify()
        for row in sorted(rows, reverse=True):
            node.RemoveNthControlPoint(row)
        node.EndModify(was_modifying)
        self._update()

    def _move(self, by: int) -> None:
        node, row = self.currentNode(), self._table.currentRow()
        if row >= 0 and 0 <= row + by < node.GetNumberOfControlPoints():
            node.SwapControlPoints(row, row + by)
            self._update()

    def _jump_to_current(self) -> None:
        markups_logic().JumpSlicesToNthPointInMarkup(self.currentNode().GetID(), self._table.currentRow(), True, self._view_group)

    def highlightNthControlPoint(self, n: int) -> None:
        """Select the row of a point; an invalid index selects none."""
        if 0 <= n < self._table.rowCount():
            self._table.selectRow(n)
            self._table.setCurrentCell(n, 0)
            self._table.scrollTo(self._table.currentIndex())
        else:
            self._table.clearSelection()

    def highlightNthFiducial(self, n: int) -> None:
        """Old name of ``highlightNthControlPoint``."""
        self.highlightNthControlPoint(n)

    # -- parts

    def tableWidget(self) -> QTableWidget:
        """Return the table of points."""
        return self._table

    def markupsPlaceWidget(self) -> qSlicerMarkupsPlaceWidget:
        """Return the place buttons."""
        return self._place

    def markupsSelectorComboBox(self) -> qMRMLNodeComboBox:
        """Return the selector of nodes."""
        return self._selector

    def interactionNode(self) -> Any:
        """Return the node with the interaction mode of the views."""
        return self._place.interactionNode()

    def setInteractionNode(self, node: Any) -> None:
        """Set the node with the interaction mode of the views."""
        self._place.setInteractionNode(node)

    def activate(self) -> None:
        """Make the current node the active one."""
        self._place.setCurrentNodeActive(True)

    def placeActive(self, place: bool) -> None:
        """Start or end placing points."""
        self._place.setPlaceModeEnabled(place)

    # -- properties

    def defaultNodeColor(self) -> QColor:
        """Return the colour of nodes created here."""
        return self._place.defaultNodeColor()

    def setDefaultNodeColor(self, color: QColor) -> None:
        """Set the colour of nodes created here."""
        self._place.setDefaultNodeColor(color)

    def nodeColor(self) -> QColor:
        """Return the colour of the current node's points."""
        return self._place.nodeColor()

    def setNodeColor(self, color: QColor) -> None:
        """Set the colour of the current node's points."""
        self._place.setNodeColor(color)

    def enterPlaceModeOnNodeChange(self) -> bool:
        """Return whether a selection in the selector starts placing."""
        return self._place_on_change

    def setEnterPlaceModeOnNodeChange(self, enter: bool) -> None:
        """Set whether a selection in the selector starts placing."""
        self._place_on_change = bool(enter)

    def jumpToSliceEnabled(self) -> bool:
        """Return whether slices jump to a point that is selected in the table."""
        return self._jump

    def setJumpToSliceEnabled(self, enabled: bool) -> None:
        """Let slices jump to a point that is selected in the table."""
        self._jump = bool(enabled)

    def viewGroup(self) -> int:
        """Return the group of views that jump; -1 for all."""
        return self._view_group

    def setViewGroup(self, group: int) -> None:
        """Set the group of views that jump; -1 for all."""
        self._view_group = int(group)

    def nodeSelectorVisible(self) -> bool:
        """Return whether the selector is shown."""
        return self._selector_visible

    def setNodeSelectorVisible(self, visible: bool) -> None:
        """Show or hide the selector."""
        self._selector_visible = bool(visible)
        self._selector.setVisible(self._selector_visible)

    def optionsVisible(self) -> bool:
        """Return whether the place buttons are shown."""
        return self._options_visible

    def setOptionsVisible(self, visible: bool) -> None:
        """Show or hide the place buttons."""
        self._options_visible = bool(visible)
        self._place.setVisible(self._options_visible)

    def positionStatusColumnVisible(self) -> bool:
        """Return whether the table marks points without a position."""
        return self._status_visible

    def setPositionStatusColumnVisible(self, visible: bool) -> None:
        """Mark points without a position in the table."""
        self._status_visible = bool(visible)
        self._update()
