"""Chooses a mask: a segmentation and one of its segments, or a label map."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.labels import segmentNames
from deepreg_slicer.signals import Signal


class SegmentChooser:
    """Lets a combo box offer the segments of the node that a node selector shows.

    Args:
        nodeSelector: a qMRMLNodeComboBox with segmentations and label maps.
        segmentBox: a QComboBox.

    Signals: ``changed()``, when another segment is chosen.
    """

    def __init__(self, nodeSelector: Any, segmentBox: Any) -> None:
        self.changed = Signal()
        self._nodeSelector, self._box = nodeSelector, segmentBox
        self._observed: Any = None
        self._tags: list[int] = []
        self._filling = False
        nodeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onNode)
        segmentBox.connect("currentIndexChanged(int)", self._onIndex)
        self._onNode(nodeSelector.currentNode())

    @property
    def segmentId(self) -> str:
        """The chosen segment; "" for all."""
        return str(self._box.itemData(self._box.currentIndex) or "") if self._box.currentIndex >= 0 else ""

    @segmentId.setter
    def segmentId(self, segmentId: str) -> None:
        index = self._box.findData(segmentId)
        self._box.setCurrentIndex(index if index >= 0 else 0)

    def offered(self, node: Any) -> list[tuple[str, str]]:
        """Return the choices and their titles."""
        return [("", _("all segments")), *segmentNames(node)]

    def cleanup(self) -> None:
        """Remove all observers."""
        if self._observed is not None:
            for tag in self._tags:
                self._observed.RemoveObserver(tag)
        self._observed, self._tags = None, []

    def _onNode(self, node: Any) -> None:
        self.cleanup()
        if node is not None and node.IsA("vtkMRMLSegmentationNode"):
            self._observed = node
            events = (slicer.vtkSegmentation.SegmentAdded, slicer.vtkSegmentation.SegmentRemoved, slicer.vtkSegmentation.SegmentModified)
            self._tags = [node.AddObserver(event, self._onSegments) for event in (*events, vtk.vtkCommand.ModifiedEvent)]
        self._fill(node)

    def _onSegments(self, *_arguments: Any) -> None:
        self._fill(self._observed)

    def _fill(self, node: Any) -> None:
        offered = self.offered(node)
        present = [(str(self._box.itemData(number) or ""), self._box.itemText(number)) for number in range(self._box.count)]
        self._box.setVisible(node is not None and node.IsA("vtkMRMLSegmentationNode"))
        if present == offered:
            return
        before = self.segmentId
        self._filling = True
        try:
            self._box.clear()
            for segmentId, name in offered:
                self._box.addItem(name, segmentId)
            self.segmentId = before
        finally:
            self._filling = False
        if self.segmentId != before:
            self.changed.emit()

    def _onIndex(self, _index: int) -> None:
        if not self._filling:
            self.changed.emit()
