"""Icon, colour, tool tip and visibility of the items of the subject hierarchy, by the kind of their data."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import slicer
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap

from slicer_testing.application.subject_hierarchy import children, segment_of, shown_volumes

HIDDEN, SHOWN, PARTLY, UNKNOWN = 0, 1, 2, -1
_SIZE = 32
_INK = QColor(70, 70, 70)


def is_group(hierarchy: Any, item: int) -> bool:
    """Return whether an item only groups others: a folder, patient or study."""
    node = hierarchy.GetItemDataNode(item)
    return (node is None or node.IsA("vtkMRMLFolderDisplayNode")) and not segment_of(hierarchy, item)[1]


def visibility(hierarchy: Any, item: int) -> int:
    """Return HIDDEN, SHOWN or PARTLY; UNKNOWN for an item without visibility, such as a table."""
    segmentation, segment_id = segment_of(hierarchy, item)
    if segmentation is not None:
        display = segmentation.GetDisplayNode()
        return UNKNOWN if display is None else int(bool(display.GetSegmentVisibility(segment_id)))
    if is_group(hierarchy, item):
        below = {visibility(hierarchy, child) for child in children(hierarchy, item)} - {UNKNOWN}
        return (below or {SHOWN}).pop() if len(below) < 2 else PARTLY
    node = hierarchy.GetItemDataNode(item)
    if node.IsA("vtkMRMLVolumeNode"):
        return int(node.GetID() in shown_volumes(node.GetScene()))
    if not node.IsA("vtkMRMLDisplayableNode"):
        return UNKNOWN
    if node.GetDisplayNode() is None:
        return HIDDEN if node.IsA("vtkMRMLTransformNode") else UNKNOWN
    return int(hierarchy.GetItemDisplayVisibility(item))


def set_visibility(hierarchy: Any, item: int, visible: bool) -> None:
    """Show or hide an item; for an item that groups others, all items below it."""
    segmentation, segment_id = segment_of(hierarchy, item)
    if segmentation is not None:
        if segmentation.GetDisplayNode() is not None:
            segmentation.GetDisplayNode().SetSegmentVisibility(segment_id, visible)
    elif is_group(hierarchy, item):
        for child in children(hierarchy, item):
            set_visibility(hierarchy, child, visible)
    else:
        _set_node_visibility(hierarchy, item, visible)
    hierarchy.ItemModified(item)


def _set_node_visibility(hierarchy: Any, item: int, visible: bool) -> None:
    node = hierarchy.GetItemDataNode(item)
    if node.IsA("vtkMRMLVolumeNode"):
        _set_volume_visibility(node, visible)
        return
    if visible and node.IsA("vtkMRMLTransformNode") and node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    if node.IsA("vtkMRMLDisplayableNode") and node.GetDisplayNode() is not None:
        hierarchy.SetItemDisplayVisibility(item, int(visible))


def _set_volume_visibility(node: Any, visible: bool) -> None:
    """Show a volume in all slice views, a label map above the others, or remove it from them."""
    composites = node.GetScene().GetNodesByClass("vtkMRMLSliceCompositeNode")
    composites.UnRegister(None)  # the caller owns a reference
    for composite in composites:
        if visible and node.IsA("vtkMRMLLabelMapVolumeNode"):
            composite.SetLabelVolumeID(node.GetID())
        elif visible:
            composite.SetBackgroundVolumeID(node.GetID())
        else:
            for layer in ("Background", "Foreground", "Label"):
                if getattr(composite, f"Get{layer}VolumeID")() == node.GetID():
                    getattr(composite, f"Set{layer}VolumeID")(None)


def color(hierarchy: Any, item: int) -> QColor | None:
    """Return the display colour of an item; None if it has none."""
    segmentation, segment_id = segment_of(hierarchy, item)
    if segmentation is not None:
        segment = segmentation.GetSegmentation().GetSegment(segment_id)
        return QColor.fromRgbF(*segment.GetColor()) if segment is not None else None
    node = hierarchy.GetItemDataNode(item)
    if node is None or not (node.IsA("vtkMRMLModelNode") or node.IsA("vtkMRMLMarkupsNode")) or node.GetDisplayNode() is None:
        return None
    display = node.GetDisplayNode()
    return QColor.fromRgbF(*(display.GetSelectedColor() if node.IsA("vtkMRMLMarkupsNode") else display.GetColor()))


def transform_name(hierarchy: Any, item: int) -> str:
    """Return the name of the transform that an item is under; "" if none."""
    node = hierarchy.GetItemDataNode(item)
    parent = node.GetParentTransformNode() if node is not None and node.IsA("vtkMRMLTransformableNode") else None
    return parent.GetName() if parent is not None else ""


def tool_tip(hierarchy: Any, item: int) -> str:
    """Return a description of an item."""
    node = hierarchy.GetItemDataNode(item)
    if segment_of(hierarchy, item)[1]:
        return "Segment"
    return (
        (hierarchy.GetItemLevel(item) or "Item")
        if node is None
        else slicer.mrmlScene.GetTypeDisplayNameByClassName(node.GetClassName())
        if hasattr(slicer, "mrmlScene")
        else node.GetNodeTagName()
    )


# -- icons


def item_icon(hierarchy: Any, item: int) -> QIcon:
    """Return the icon of an item."""
    if is_group(hierarchy, item):
        return drawn("Folder")
    name = hierarchy.GetItemOwnerPluginName(item)
    return drawn(name if name in _DRAWINGS else "Default")


@functools.cache
def swatch(name: str) -> QIcon:
    """Return a square of a colour, by its name such as ``#ff0000``."""
    pixmap = QPixmap(_SIZE, _SIZE)
    pixmap.fill(QColor(name))
    return QIcon(pixmap)


@functools.cache
def drawn(name: str) -> QIcon:
    """Return an icon by the name of the owner of an item, or by PARTLY."""
    pixmap = QPixmap(_SIZE, _SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(_INK, 2))
    _DRAWINGS[name](painter)
    painter.end()
    return QIcon(pixmap)


def _box(painter: QPainter, front: QColor, side: QColor) -> None:
    painter.setBrush(side)
    painter.drawPolygon([QPointF(4, 10), QPointF(12, 4), QPointF(29, 4), QPointF(29, 20), QPointF(21, 28), QPointF(4, 28)])
    painter.setBrush(front)
    painter.drawRect(QRectF(4, 11, 17, 17))
    painter.drawLine(QPointF(21, 11), QPointF(29, 4))


def _blob(painter: QPainter, fill: QColor) -> None:
    painter.setBrush(fill)
    painter.drawEllipse(QRectF(4, 7, 24, 19))


def _segmentation(painter: QPainter) -> None:
    for at, fill in ((QRectF(3, 4, 17, 17), QColor(130, 175, 100)), (QRectF(12, 11, 17, 17), QColor(215, 165, 90))):
        painter.setBrush(fill)
        painter.drawEllipse(at)


def _markups(painter: QPainter) -> None:
    painter.setBrush(QColor(200, 50, 60))
    for x, y in ((9, 22), (16, 9), (24, 20)):
        painter.drawEllipse(QPointF(x, y), 4, 4)


def _transform(painter: QPainter) -> None:
    painter.drawRect(QRectF(4, 12, 15, 15))
    painter.setPen(QPen(QColor(40, 100, 190), 3))
    painter.drawLine(14, 18, 27, 5)
    painter.drawPolyline([QPointF(18, 5), QPointF(27, 5), QPointF(27, 14)])


def _table(painter: QPainter) -> None:
    painter.setBrush(QColor(245, 245, 245))
    painter.drawRect(QRectF(4, 6, 24, 20))
    for y in (13, 19):
        painter.drawLine(4, y, 28, y)
    painter.drawLine(13, 6, 13, 26)


def _text(painter: QPainter) -> None:
    painter.setBrush(QColor(245, 245, 245))
    painter.drawRect(QRectF(7, 3, 18, 26))
    for y in (10, 16, 22):
        painter.drawLine(11, y, 21, y)


def _plot(painter: QPainter) -> None:
    painter.drawPolyline([QPointF(5, 4), QPointF(5, 27), QPointF(28, 27)])
    painter.setPen(QPen(QColor(40, 100, 190), 3))
    painter.drawPolyline([QPointF(7, 22), QPointF(13, 12), QPointF(19, 18), QPointF(27, 6)])


def _folder(painter: QPainter) -> None:
    painter.setBrush(QColor(235, 195, 95))
    painter.drawPolygon([QPointF(3, 27), QPointF(3, 7), QPointF(12, 7), QPointF(15, 11), QPointF(29, 11), QPointF(29, 27)])


def _half_eye(painter: QPainter) -> None:
    painter.setPen(QPen(QColor(150, 150, 150), 2.5))
    painter.drawEllipse(QRectF(3, 8, 26, 16))
    painter.setBrush(QColor(150, 150, 150))
    painter.drawPie(QRectF(11, 11, 10, 10), 90 * 16, 180 * 16)


_DRAWINGS: dict[str, Callable[[QPainter], None]] = {
    "Volumes": lambda painter: _box(painter, QColor(200, 200, 200), QColor(150, 150, 150)),
    "DiffusionTensorVolumes": lambda painter: _box(painter, QColor(170, 190, 220), QColor(120, 140, 180)),
    "LabelMaps": lambda painter: _box(painter, QColor(130, 175, 100), QColor(215, 165, 90)),
    "Models": lambda painter: _blob(painter, QColor(130, 160, 215)),
    "Segmentations": _segmentation,
    "Segments": lambda painter: _blob(painter, QColor(130, 175, 100)),
    "Markups": _markups,
    "Transforms": _transform,
    "Tables": _table,
    "Texts": _text,
    "Plots": _plot,
    "Folder": _folder,
    "Default": lambda painter: painter.drawEllipse(QRectF(8, 8, 16, 16)),
    "Partly": _half_eye,
}
