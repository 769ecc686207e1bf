"""The segments of a segmentation in a table: visibility, colour, opacity, name, status."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QRegularExpression, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QColor, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QLabel, QLineEdit, QTableView, QVBoxLayout, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.mrml_icons import icon
from slicer_testing.widgets.mrml_widget import qMRMLWidget

VISIBILITY, COLOR, OPACITY, NAME, STATUS = range(5)
_HEADERS = ["", "", "Opacity", "Name", ""]
_ID = Qt.ItemDataRole.UserRole + 1


@slicer_widget
class qMRMLSegmentsTableView(qMRMLWidget):
    """Shows and edits segments; follows the segmentation and its display."""

    selectionChanged = Signal(QItemSelection, QItemSelection)
    segmentAboutToBeModified = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = None
        self._filling = False
        self._hidden_segments: list[str] = []
        self._read_only = False
        self._filter_bar_visible = False
        self._model = QStandardItemModel(self)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self._model)
        self._sorted.setFilterKeyColumn(NAME)
        self._filter = QLineEdit(self)
        self._filter.setPlaceholderText("Filter segments by name")
        self._filter.setObjectName("FilterLineEdit")
        self._message = QLabel(self)
        self._table = QTableView(self)
        self._table.setObjectName("SegmentsTable")
        self._table.setModel(self._sorted)
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.verticalHeader().hide()
        self._table.verticalHeader().setDefaultSectionSize(24)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._filter, self._message, self._table):
            layout.addWidget(widget)
        self._filter.setVisible(False)
        self._filter.textChanged.connect(self._on_filter)
        self._model.itemChanged.connect(self._on_item_changed)
        self._table.clicked.connect(self._on_clicked)
        self._table.doubleClicked.connect(self._on_double_clicked)
        self._table.selectionModel().selectionChanged.connect(self._on_selection)
        self._model.setColumnCount(len(_HEADERS))
        self._model.setHorizontalHeaderLabels(_HEADERS)
        self.setStatusColumnVisible(False)
        self.setReadOnly(False)
        self._fill()

    # -- segmentation

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene; a segmentation of another scene is released."""
        if scene is self._scene:
            return
        if self._scene is not None:
            self._observations.drop(self._scene)
        if self._node is not None and self._node.GetScene() is not scene:
            self.setSegmentationNode(None)
        if scene is not None:
            self._observations.add(scene, slicer.vtkMRMLScene.EndBatchProcessEvent, self._fill)
            self._observations.add(scene, slicer.vtkMRMLScene.NodeRemovedEvent, self._on_node_removed, give="data")
            self._observations.add(scene, slicer.vtkMRMLScene.EndCloseEvent, self._on_scene_closed)
        super().setMRMLScene(scene)

    def _on_node_removed(self, node: Any) -> None:
        if node is not None and node is self._node:
            self.setSegmentationNode(None)

    def _on_scene_closed(self) -> None:
        if self._node is not None and self._node.GetScene() is None:
            self.setSegmentationNode(None)

    def segmentationNode(self) -> Any:
        """Return the shown node, or None."""
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        """Show the segments of a node."""
        if node is not None and not node.IsA("vtkMRMLSegmentationNode"):
            node = None
        if self._node is not None:
            self._observations.drop(self._node)
        self._node = node
        if node is not None:
            at = slicer.vtkSegmentation
            for event in (
                at.SegmentAdded,
                at.SegmentRemoved,
                at.SegmentModified,
                at.SegmentsOrderModified,
                slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent,
            ):
                self._observations.add(node, event, self._fill)
        self._fill()

    def _segmentation(self) -> Any:
        return self._node.GetSegmentation() if self._node is not None else None

    def _display(self) -> Any:
        return self._node.GetDisplayNode() if self._node is not None else None

    # -- table

    def _fill(self) -> None:
        """Show the current segments and keep the selection."""
        if self._filling:
            return
        self._filling = True
        selected = self.selectedSegmentIDs()
        ids = self.displayedSegmentIDs()
        segmentation, display = self._segmentation(), self._display()
        if segmentation is None:
            self._message.setText("No node is selected")
        else:
            self._message.setText("" if segmentation.GetNumberOfSegments() else "Empty segmentation")
        self._message.setVisible(bool(self._message.text()))
        if [self._model.item(row, NAME).data(_ID) for row in range(self._model.rowCount())] != ids:
            self._model.removeRows(0, self._model.rowCount())
            for segment_id in ids:
                self._model.appendRow([self._new_item(segment_id) for _ in _HEADERS])
            self._model.setHorizontalHeaderLabels(_HEADERS)
            self._size_columns()
        for row, segment_id in enumerate(ids):
            self._fill_row(row, segmentation.GetSegment(segment_id), display)
        self._select(selected)
        self._filling = False
        if selected != self.selectedSegmentIDs():
            self.selectionChanged.emit(QItemSelection(), QItemSelection())

    def _new_item(self, segment_id: str) -> QStandardItem:
        item = QStandardItem()
        item.setData(segment_id, _ID)
        return item

    def _fill_row(self, row: int, segment: Any, display: Any) -> None:
        segment_id = self._model.item(row, NAME).data(_ID)
        visible = display is not None and display.GetVisibility() and display.GetSegmentVisibility(segment_id)
        color = QColor.fromRgbF(*segment.GetColor())
        self._model.item(row, VISIBILITY).setIcon(icon("visible" if visible else "invisible"))
        self._model.item(row, VISIBILITY).setToolTip("Show or hide the segment")
        self._model.item(row, COLOR).setData(color, Qt.ItemDataRole.DecorationRole)
        self._model.item(row, COLOR).setToolTip(color.name())
        self._model.item(row, OPACITY).setText(f"{display.GetSegmentOpacity3D(segment_id):.2f}" if display is not None else "")
        self._model.item(row, NAME).setText(segment.GetName() or "")
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        self._model.item(row, STATUS).setToolTip(logic.GetSegmentStatusAsHumanReadableString(logic.GetSegmentStatus(segment)))
        for column in (VISIBILITY, COLOR, STATUS):
            self._model.item(row, column).setEditable(False)

    def _size_columns(self) -> None:
        header = self._table.horizontalHeader()
        for column in range(len(_HEADERS)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)

    def _on_item_changed(self, item: QStandardItem) -> None:
        """Write a changed name or opacity to the segmentation."""
        if self._filling or self._node is None:
            return
        segment_id, text = item.data(_ID), item.text()
        if item.column() == NAME:
            self.segmentAboutToBeModified.emit(segment_id)
            segment = self._segmentation().GetSegment(segment_id)
            segment.SetName(text)
            segment.SetNameAutoGenerated(False)
        elif item.column() == OPACITY and self._display() is not None:
            try:
                self._display().SetSegmentOpacity3D(segment_id, min(max(float(text), 0.0), 1.0))
            except ValueError:
                self._fill()  # no number: restore the old one

    def _on_clicked(self, index: QModelIndex) -> None:
        if index.column() == VISIBILITY and self._display() is not None:
            self._set_visible(index.data(_ID), not self._display().GetSegmentVisibility(index.data(_ID)))

    def _on_double_clicked(self, index: QModelIndex) -> None:
        if index.column() == COLOR and not self._read_only:
            # The application opens its terminology selector here.
            raise NotImplementedError("the color selector of qMRMLSegmentsTableView is not implemented by slicer_testing")

    def _set_visible(self, segment_id: str, visible: bool) -> None:
        display = self._display()
        kinds = (display.GetSegmentVisibility3D, display.GetSegmentVisibility2DFill, display.GetSegmentVisibility2DOutline)
        if visible and not any(shown(segment_id) for shown in kinds):
            # Otherwise nothing would be visible, though the segment is marked as visible.
            display.SetSegmentVisibility3D(segment_id, True)
            display.SetSegmentVisibility2DFill(segment_id, True)
            display.SetSegmentVisibility2DOutline(segment_id, True)
        display.SetSegmentVisibility(segment_id, visible)

    def _on_selection(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        if not self._filling:
            self.selectionChanged.emit(selected, deselected)

    def _on_filter(self, text: str) -> None:
        pattern = QRegularExpression(QRegularExpression.escape(text), QRegularExpression.PatternOption.CaseInsensitiveOption)
        self._sorted.setFilterRegularExpression(pattern)

    # -- segments and rows

    def segmentCount(self) -> int:
        """Return the number of segments in the table."""
        return self._sorted.rowCount()

    def displayedSegmentIDs(self) -> list[str]:
        """Return the IDs of the segments that are in the table."""
        segmentation = self._segmentation()
        count = segmentation.GetNumberOfSegments() if segmentation is not None else 0
        ids = [segmentation.GetNthSegmentID(index) for index in range(count)]
        return [segment_id for segment_id in ids if segment_id not in self._hidden_segments]

    def hideSegments(self) -> list[str]:
        """Return the IDs of hidden segments."""
        return list(self._hidden_segments)

    def setHideSegments(self, segmentIDs: list[str]) -> None:
        """Hide segments from the table."""
        self._hidden_segments = list(segmentIDs)
        self._fill()

    def rowForSegmentID(self, segmentID: str) -> int:
        """Return the row of a segment, -1 if it is not shown."""
        return next((row for row in range(self._sorted.rowCount()) if self.segmentIDForRow(row) == segmentID), -1)

    def segmentIDForRow(self, row: int) -> str:
        """Return the ID of the segment in a row, "" if there is none."""
        return self._sorted.index(row, NAME).data(_ID) or ""

    def selectedSegmentIDs(self) -> list[str]:
        """Return the IDs of the selected segments."""
        rows = sorted({index.row() for index in self._table.selectionModel().selectedIndexes()})
        return [self.segmentIDForRow(row) for row in rows]

    def setSelectedSegmentIDs(self, segmentIDs: list[str]) -> None:
        """Select these segments and no others."""
        if list(segmentIDs) != self.selectedSegmentIDs():
            self._select(list(segmentIDs))

    def _select(self, segment_ids: list[str]) -> None:
        selection = QItemSelection()
        for segment_id in segment_ids:
            row = self.rowForSegmentID(segment_id)
            if row >= 0:
                selection.select(self._sorted.index(row, 0), self._sorted.index(row, len(_HEADERS) - 1))
        self._table.selectionModel().select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def clearSelection(self) -> None:
        """Select nothing."""
        self._table.clearSelection()

    def showOnlySelectedSegments(self) -> None:
        """Show the selected segments in the views and hide the others."""
        selected = self.selectedSegmentIDs()
        for segment_id in self.displayedSegmentIDs() if selected and self._display() is not None else ():
            self._set_visible(segment_id, segment_id in selected)

    def toggleSelectedSegmentsVisibility(self) -> None:
        """Show the selected segments where they are hidden, and hide them where they are shown."""
        for segment_id in self.selectedSegmentIDs() if self._display() is not None else ():
            self._set_visible(segment_id, not self._display().GetSegmentVisibility(segment_id))

    def moveSelectedSegmentsUp(self) -> None:
        """Move the selected segments one place towards the start."""
        self._move(-1)

    def moveSelectedSegmentsDown(self) -> None:
        """Move the selected segments one place towards the end."""
        self._move(1)

    def _move(self, by: int) -> None:
        segmentation, selected = self._segmentation(), self.selectedSegmentIDs()
        places = sorted((segmentation.GetSegmentIndex(segment_id) for segment_id in selected), reverse=by > 0) if selected else []
        if not places or not 0 <= places[0] + by < segmentation.GetNumberOfSegments():
            return
        for segment_id in [segmentation.GetNthSegmentID(place) for place in places]:
            segmentation.SetSegmentIndex(segment_id, segmentation.GetSegmentIndex(segment_id) + by)

    # -- appearance

    def tableWidget(self) -> QTableView:
        """Return the table."""
        return self._table

    def readOnly(self) -> bool:
        """Return whether names and opacities cannot be edited."""
        return self._read_only

    def setReadOnly(self, readOnly: bool) -> None:
        """Forbid or allow to edit names and opacities."""
        self._read_only = bool(readOnly)
        triggers = QAbstractItemView.EditTrigger
        self._table.setEditTriggers(triggers.NoEditTriggers if readOnly else triggers.DoubleClicked | triggers.EditKeyPressed)

    def selectionMode(self) -> int:
        """Return Qt's selection mode of the table."""
        return self._table.selectionMode().value

    def setSelectionMode(self, mode: int) -> None:
        """Set Qt's selection mode of the table."""
        self._table.setSelectionMode(QAbstractItemView.SelectionMode(mode))

    def headerVisible(self) -> bool:
        """Return whether the header is shown."""
        return not self._table.horizontalHeader().isHidden()

    def setHeaderVisible(self, visible: bool) -> None:
        """Show the header."""
        self._table.horizontalHeader().setVisible(bool(visible))

    def filterBarVisible(self) -> bool:
        """Return whether the filter by name is shown."""
        return self._filter_bar_visible

    def setFilterBarVisible(self, visible: bool) -> None:
        """Show the filter by name."""
        self._filter_bar_visible = bool(visible)
        self._filter.setVisible(self._filter_bar_visible)

    def textFilter(self) -> str:
        """Return the text that the names of the shown segments contain."""
        return self._filter.text()

    def setTextFilter(self, text: str) -> None:
        """Show only segments whose names contain a text."""
        self._filter.setText(text)

    def visibilityColumnVisible(self) -> bool:
        """Return whether visibility is shown."""
        return not self._table.isColumnHidden(VISIBILITY)

    def setVisibilityColumnVisible(self, visible: bool) -> None:
        """Show visibility."""
        self._table.setColumnHidden(VISIBILITY, not visible)

    def colorColumnVisible(self) -> bool:
        """Return whether colours are shown."""
        return not self._table.isColumnHidden(COLOR)

    def setColorColumnVisible(self, visible: bool) -> None:
        """Show colours."""
        self._table.setColumnHidden(COLOR, not visible)

    def opacityColumnVisible(self) -> bool:
        """Return whether opacities are shown."""
        return not self._table.isColumnHidden(OPACITY)

    def setOpacityColumnVisible(self, visible: bool) -> None:
        """Show opacities."""
        self._table.setColumnHidden(OPACITY, not visible)

    def statusColumnVisible(self) -> bool:
        """Return whether the status is shown."""
        return not self._table.isColumnHidden(STATUS)

    def setStatusColumnVisible(self, visible: bool) -> None:
        """Show the status."""
        self._table.setColumnHidden(STATUS, not visible)
