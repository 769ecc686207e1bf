"""Fixed and moving views side by side, and positions and volumes of views."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

_LAYOUT = 8190
_GROUP = 17  # of the moving views, so that links of the fixed views do not include them
MOVING = ("InspectorMovingAxial", "InspectorMovingCoronal")
_FIXED = ("Red", "Green")
_ORIENTATIONS = ("Axial", "Coronal")
_FORMER = "deepRegInspectorFormerLayout"


def _view(tag: str, orientation: str, name: str, color: str, group: int | None) -> str:
    more = f'<property name="viewgroup" action="default">{group}</property>' if group is not None else ""
    return (
        f'<item><view class="vtkMRMLSliceNode" singletontag="{tag}"><property name="orientation" action="default">{orientation}</property>'
        f'<property name="viewlabel" action="default">{name}</property><property name="viewcolor" action="default">{color}</property>'
        f"{more}</view></item>"
    )


def _description() -> str:
    fixed = _view("Red", "Axial", "R", "#F34A33", None) + _view("Green", "Coronal", "G", "#6EB04B", None)
    moving = _view(MOVING[0], "Axial", "MA", "#B45F06", _GROUP) + _view(MOVING[1], "Coronal", "MC", "#B45F06", _GROUP)
    right = (
        '<item><view class="vtkMRMLViewNode" singletontag="1"><property name="viewlabel" action="default">1</property></view></item>'
        '<item><view class="vtkMRMLPlotViewNode" singletontag="PlotView1">'
        '<property name="viewlabel" action="default">P</property></view></item>'
    )
    columns = "".join(f'<item><layout type="vertical" split="true">{column}</layout></item>' for column in (fixed, moving, right))
    return f'<layout type="horizontal" split="true">{columns}</layout>'


def layoutNode() -> Any:
    return slicer.app.layoutManager().layoutLogic().GetLayoutNode()


def isSideBySide() -> bool:
    """Return whether fixed and moving views are side by side."""
    node = layoutNode()
    return node is not None and node.GetViewArrangement() == _LAYOUT


def movingNodes() -> list[Any]:
    """Return the slice nodes of the moving views, if they are visible."""
    if not isSideBySide():
        return []
    manager = slicer.app.layoutManager()
    return [manager.sliceWidget(name).mrmlSliceNode() for name in MOVING if manager.sliceWidget(name) is not None]


def fixedNodes() -> list[Any]:
    """Return the slice nodes of all other views."""
    manager = slicer.app.layoutManager()
    return [manager.sliceWidget(name).mrmlSliceNode() for name in manager.sliceViewNames() if name not in MOVING]


def setSideBySide(on: bool, fixed: Any, moving: Any) -> None:
    """Show fixed and moving views side by side, or the former layout.

    Args:
        on: whether side by side.
        fixed, moving: volumes in the two columns; either may be None.
    """
    node = layoutNode()
    if on == isSideBySide():
        if on:
            _fill(fixed, moving)
        return
    if on:
        description = _description()
        describe = node.SetLayoutDescription if node.IsLayoutDescription(_LAYOUT) else node.AddLayoutDescription
        describe(_LAYOUT, description)
        node.SetAttribute(_FORMER, str(node.GetViewArrangement()))
        node.SetViewArrangement(_LAYOUT)
        _fill(fixed, moving)
    else:
        former = node.GetAttribute(_FORMER)
        node.SetViewArrangement(int(former) if former else slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)


def _fill(fixed: Any, moving: Any) -> None:
    manager = slicer.app.layoutManager()
    columns = ((fixed, _FIXED, _("fixed")), (moving, MOVING, _("moving")))
    for volume, names, _title in columns:
        for name, orientation in zip(names, _ORIENTATIONS, strict=True):
            logic = manager.sliceWidget(name).sliceLogic()
            composite = logic.GetSliceCompositeNode()
            before = composite.GetBackgroundVolumeID()
            wanted = volume.GetID() if volume is not None else None
            if volume is moving:
                logic.GetSliceNode().SetViewGroup(_GROUP)
                composite.SetForegroundVolumeID(None)
                composite.SetLabelVolumeID(None)
            if wanted and before != wanted:
                composite.SetBackgroundVolumeID(wanted)
            if volume is moving or before != wanted or logic.GetSliceNode().GetOrientation() != orientation:
                logic.GetSliceNode().SetOrientation(orientation)
                logic.FitSliceToAll()
    _zoomAlike(manager)


def _zoomAlike(manager: Any) -> None:
    """Set the zoom of the moving volume's views to that of the fixed volume's views."""
    for ours, theirs in zip(_FIXED, MOVING, strict=True):
        here, there = (manager.sliceWidget(name).sliceLogic().GetSliceNode() for name in (ours, theirs))
        if there.GetDimensions()[0] and here.GetDimensions()[0]:
            scale = here.GetFieldOfView()[0] / here.GetDimensions()[0]
            width, height = (scale * number for number in there.GetDimensions()[:2])
            there.SetFieldOfView(width, height, there.GetFieldOfView()[2])


def jump(fixed: Any, moving: Any) -> None:
    """Move the views of the fixed volume to a position, and those of the moving volume to another; RAS mm.

    Without moving views all move to the fixed position.
    """
    for node in fixedNodes():
        node.JumpSliceByCentering(*fixed)
    jumpMoving(moving)


def jumpMoving(moving: Any) -> None:
    """Move the moving views to a position."""
    for node in movingNodes():
        node.JumpSliceByCentering(*moving)


def assign(fixedPoints: Any, movingPoints: Any, vectors: Any) -> None:
    """Show fixed landmarks and error vectors not in the moving views, and moving landmarks only there.

    Without views side by side all are shown everywhere.
    """
    theirs = [node.GetID() for node in movingNodes()]
    ours = [node.GetID() for node in fixedNodes()]
    ours += [node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLViewNode")]
    for data, ids in ((fixedPoints, ours), (movingPoints, theirs), (vectors, ours)):
        display = data.GetDisplayNode() if data is not None else None
        if display is None:
            continue
        wanted = ids if theirs else []
        if list(display.GetViewNodeIDs()) == wanted:
            continue
        display.RemoveAllViewNodeIDs()
        for identifier in wanted:
            display.AddViewNodeID(identifier)


def setLayers(background: Any, foreground: Any, opacity: float, label: Any = None) -> None:
    """Show volumes in the fixed views; views without a volume are fitted."""
    manager = slicer.app.layoutManager()
    for name in manager.sliceViewNames():
        if name in MOVING:
            continue
        logic = manager.sliceWidget(name).sliceLogic()
        composite = logic.GetSliceCompositeNode()
        fit = composite.GetBackgroundVolumeID() is None and background is not None
        composite.SetBackgroundVolumeID(background.GetID() if background is not None else None)
        composite.SetForegroundVolumeID(foreground.GetID() if foreground is not None else None)
        composite.SetForegroundOpacity(opacity)
        composite.SetLabelVolumeID(label.GetID() if label is not None else None)
        composite.SetLabelOpacity(1.0)
        if fit:
            logic.FitSliceToAll()


def setOpacity(opacity: float) -> None:
    """Set the opacity of the foreground volume in the fixed views."""
    manager = slicer.app.layoutManager()
    for name in manager.sliceViewNames():
        if name not in MOVING:
            manager.sliceWidget(name).sliceLogic().GetSliceCompositeNode().SetForegroundOpacity(opacity)
