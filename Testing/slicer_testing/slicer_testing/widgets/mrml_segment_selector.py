"""A selector of segments of a segmentation."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QWidget

from slicer_testing.registry import slicer_widget
from slicer_testing.widgets.mrml_check_list import CheckListBox
from slicer_testing.widgets.mrml_node_combo_box import qMRMLNodeComboBox
from slicer_testing.widgets.mrml_widget import qMRMLWidget


@slicer_widget
class qMRMLSegmentSelectorWidget(qMRMLWidget):
    """A selector of segmentation nodes above a selector of one segment or, with ``multiSelection``, of several segments."""

    currentNodeChanged = Signal(object)
    currentSegmentChanged = Signal(str)
    segmentSelectionChanged = Signal(list)
    nodeAboutToBeEdited = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node = None
        self._segment_id = ""
        self._none_enabled = False
        self._multiple = False
        self._horizontal = False
        self._nodes_visible = True
        self._filling = False
        self._nodes = qMRMLNodeComboBox(self)
        self._nodes.setObjectName("MRMLNodeComboBox_Segmentation")
        self._nodes.setNodeTypes(["vtkMRMLSegmentationNode"])
        self._nodes.setAddEnabled(False)
        self._nodes.setRemoveEnabled(False)
        self._segments = QComboBox(self)
        self._segments.setObjectName("comboBox_Segment")
        self._several = _SegmentChecks(self)
        self._several.setObjectName("CheckableComboBox_Segment")
        self._message = QLabel(self)
        self._message.setObjectName("label_Message")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        self._lay_out()
        self._nodes.currentNodeChanged.connect(self._onCurrentNodeChanged)
        self._nodes.currentNodeChanged.connect(self.currentNodeChanged)
        self._nodes.nodeAboutToBeEdited.connect(self.nodeAboutToBeEdited)
        self._segments.currentIndexChanged.connect(self._on_segment)
        self._several.changed.connect(self._on_checked)
        self._fill()

    def _lay_out(self) -> None:
        grid = self.layout()
        row = QWidget(self)
        segments = QHBoxLayout(row)
        segments.setContentsMargins(0, 0, 0, 0)
        for widget in (self._segments, self._several, self._message):
            segments.addWidget(widget)
        grid.addWidget(self._nodes, 0, 0)
        grid.addWidget(row, *((0, 1) if self._horizontal else (1, 0)))
        old, self._row = getattr(self, "_row", None), row
        if old is not None:
            old.deleteLater()

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene with the segmentations."""
        super().setMRMLScene(scene)
        self._nodes.setMRMLScene(scene)

    # -- segmentation

    def currentNode(self) -> Any:
        """Return the selected segmentation node, or None."""
        return self._nodes.currentNode()

    def currentNodeID(self) -> str:
        """Return the ID of the selected segmentation node, or ""."""
        return self._nodes.currentNodeID()

    def setCurrentNode(self, node: Any) -> None:
        """Select a segmentation node."""
        self._nodes.setCurrentNode(node)

    def setCurrentNodeID(self, nodeID: str) -> None:
        """Select a segmentation node by its ID."""
        self._nodes.setCurrentNodeID(nodeID)

    def _onCurrentNodeChanged(self, node: Any) -> None:
        """Show the segments of another node."""
        if node is self._node:
            return
        if self._node is not None:
            self._observations.drop(self._node)
        self._node = node
        if node is not None:
            events = slicer.vtkSegmentation
            for event in (events.SegmentAdded, events.SegmentRemoved, events.SegmentModified, events.SegmentsOrderModified):
                self._observations.add(node, event, self._fill)
        self._segment_id = ""
        self._fill()

    # -- segments

    def segmentIDs(self) -> list[str]:
        """Return the IDs of all segments of the selected node."""
        segmentation = self._node.GetSegmentation() if self._node is not None else None
        return [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())] if segmentation else []

    def _fill(self) -> None:
        """List the segments and keep the selection if it still exists; otherwise select the first segment."""
        ids = self.segmentIDs()
        name = [self._node.GetSegmentation().GetSegment(segment_id).GetName() or "" for segment_id in ids]
        if self._node is None:
            self._message.setText("No node is selected")
        else:
            self._message.setText("" if ids else "No segments in segmentation")
        self._message.setVisible(not ids)
        self._segments.setVisible(bool(ids) and not self._multiple)
        self._several.setVisible(bool(ids) and self._multiple)
        before, self._filling = self._segment_id, True
        was_none = self._segments.currentIndex() == 0 and self._none_enabled
        self._segments.clear()
        if ids and self._none_enabled:
            self._segments.addItem("None", "")
        for segment_id, text in zip(ids, name, strict=True):
            self._segments.addItem(text, segment_id)
        if before in ids:
            self._segments.setCurrentIndex(self._segments.findData(before))
        elif ids:
            self._segments.setCurrentIndex(0 if was_none or not self._none_enabled else 1)
        checked = self._several._checked()
        self._several._fill(list(zip(ids, name, strict=True)), checked)
        self._filling = False
        self._on_segment(self._segments.currentIndex())
        if checked != self._several._checked():
            self._on_checked()

    def _on_segment(self, index: int) -> None:
        if self._filling:
            return
        segment_id = (self._segments.itemData(index) or "") if index >= 0 else ""
        if segment_id != self._segment_id:
            self._segment_id = segment_id
            self.currentSegmentChanged.emit(segment_id)

    def _on_checked(self) -> None:
        if not self._filling:
            self.segmentSelectionChanged.emit(self.selectedSegmentIDs())

    def currentSegmentID(self) -> str:
        """Return the ID of the selected segment, or ""; with ``multiSelection``, of the first checked one."""
        if self._multiple:
            return next(iter(self._several._checked()), "")
        return self._segment_id

    def setCurrentSegmentID(self, segmentID: str) -> None:
        """Select a segment; "" selects None if that is enabled."""
        if self._multiple:
            self.setSelectedSegmentIDs([segmentID] if segmentID else [])
            return
        index = self._segments.findData(segmentID or "")
        if index >= 0:
            self._segments.setCurrentIndex(index)

    def selectedSegmentIDs(self) -> list[str]:
        """Return the IDs of the checked segments, or of the selected one without ``multiSelection``."""
        if self._multiple:
            return self._several._checked()
        return [self._segment_id] if self._segment_id else []

    def setSelectedSegmentIDs(self, segmentIDs: list[str]) -> None:
        """Check these segments and no others."""
        if not self._multiple:
            self.setCurrentSegmentID(segmentIDs[0] if segmentIDs else "")
        elif set(segmentIDs) != set(self._several._checked()):
            self._several._check(segmentIDs)
            self._on_checked()

    # -- properties

    def multiSelection(self) -> bool:
        """Return whether several segments can be selected."""
        return self._multiple

    def setMultiSelection(self, multiple: bool) -> None:
        """Allow the selection of several segments, or of one."""
        self._multiple = bool(multiple)
        self._fill()

    def noneEnabled(self) -> bool:
        """Return whether the lists of segmentations and segments have the entry None."""
        return self._none_enabled

    def setNoneEnabled(self, enabled: bool) -> None:
        """Add or remove the entry None in the lists of segmentations and segments."""
        self._none_enabled = bool(enabled)
        self._nodes.setNoneEnabled(enabled)
        self._fill()

    def editEnabled(self) -> bool:
        """Return whether the segmentation can be edited from here."""
        return self._nodes.editEnabled()

    def setEditEnabled(self, enabled: bool) -> None:
        """Offer to edit the segmentation."""
        self._nodes.setEditEnabled(enabled)

    def selectNodeUponCreation(self) -> bool:
        """Return whether new segmentations are selected."""
        return self._nodes.selectNodeUponCreation()

    def setSelectNodeUponCreation(self, select: bool) -> None:
        """Set whether new segmentations are selected."""
        self._nodes.setSelectNodeUponCreation(select)

    def segmentationNodeSelectorVisible(self) -> bool:
        """Return whether the selector of nodes is shown."""
        return self._nodes_visible

    def setSegmentationNodeSelectorVisible(self, visible: bool) -> None:
        """Show the selector of nodes."""
        self._nodes_visible = bool(visible)
        self._nodes.setVisible(self._nodes_visible)

    def horizontalLayout(self) -> bool:
        """Return whether segments are beside the node and not below it."""
        return self._horizontal

    def setHorizontalLayout(self, horizontal: bool) -> None:
        """Show the segments beside the node, or below it."""
        self._horizontal = bool(horizontal)
        self._lay_out()
        self._fill()


class _SegmentChecks(CheckListBox):
    """A list of segments with check boxes."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(self._on_click, parent)
        self.setModel(QStandardItemModel(self))
        self._show()

    def _fill(self, segments: list[tuple[str, str]], checked: list[str]) -> None:
        self.model().clear()
        for segment_id, name in segments:
            item = QStandardItem(name)
            item.setData(segment_id, Qt.ItemDataRole.UserRole)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if segment_id in checked else Qt.CheckState.Unchecked)
            self.model().appendRow(item)
        self._show()

    def _items(self) -> list[QStandardItem]:
        return [self.model().item(row) for row in range(self.model().rowCount())]

    def _checked_items(self) -> list[QStandardItem]:
        return [item for item in self._items() if item.checkState() == Qt.CheckState.Checked]

    def _checked(self) -> list[str]:
        return [item.data(Qt.ItemDataRole.UserRole) for item in self._checked_items()]

    def _check(self, segment_ids: list[str]) -> None:
        for item in self._items():
            on = item.data(Qt.ItemDataRole.UserRole) in segment_ids
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
        self._show()

    def _show(self) -> None:
        self.show_text(", ".join(item.text() for item in self._checked_items()) or "Select segments")

    def _on_click(self, index: QModelIndex) -> bool:
        item = self.model().itemFromIndex(index)
        if item is None:
            return False
        on = item.checkState() == Qt.CheckState.Checked
        item.setCheckState(Qt.CheckState.Unchecked if on else Qt.CheckState.Checked)
        self._show()
        self.changed.emit()
        return True
