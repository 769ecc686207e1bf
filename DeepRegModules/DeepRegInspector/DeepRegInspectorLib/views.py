"""Fixed and moving views side by side, and positions and volumes of views."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk

from deepreg_slicer.slice_views import sliceWidgets

# Numbers of the layouts without and with a view for charts; scenes hold them.
_LAYOUT, _LAYOUT_WITH_CHART = 8190, 8191
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


def _description(chart: bool) -> str:
    fixed = _view("Red", "Axial", "R", "#F34A33", None) + _view("Green", "Coronal", "G", "#6EB04B", None)
    moving = _view(MOVING[0], "Axial", "MA", "#B45F06", _GROUP) + _view(MOVING[1], "Coronal", "MC", "#B45F06", _GROUP)
    right = '<item><view class="vtkMRMLViewNode" singletontag="1"><property name="viewlabel" action="default">1</property></view></item>'
    if chart:
        right += (
            '<item><view class="vtkMRMLPlotViewNode" singletontag="PlotView1">'
            '<property name="viewlabel" action="default">P</property></view></item>'
        )
    columns = "".join(f'<item><layout type="vertical" split="true">{column}</layout></item>' for column in (fixed, moving, right))
    return f'<layout type="horizontal" split="true">{columns}</layout>'


def layoutNode() -> Any:
    """Return the node of the layout; None without a main window."""
    manager = slicer.app.layoutManager()
    return manager.layoutLogic().GetLayoutNode() if manager is not None else None


def registerLayouts() -> None:
    """Make the layouts known to the application, which cannot show a saved scene in a layout that it does not know."""
    node = layoutNode()
    if node is None:
        return
    for number in (_LAYOUT, _LAYOUT_WITH_CHART):
        describe = node.SetLayoutDescription if node.IsLayoutDescription(number) else node.AddLayoutDescription
        describe(number, _description(number == _LAYOUT_WITH_CHART))


def isSideBySide() -> bool:
    """Return whether fixed and moving views are side by side."""
    node = layoutNode()
    return node is not None and node.GetViewArrangement() in (_LAYOUT, _LAYOUT_WITH_CHART)


def movingNodes() -> list[Any]:
    """Return the slice nodes of the moving views, if they are visible."""
    widgets = sliceWidgets() if isSideBySide() else {}
    return [widgets[name].mrmlSliceNode() for name in MOVING if name in widgets]


def fixedNodes() -> list[Any]:
    """Return the slice nodes of all other views, those of the fixed volume's column first."""
    widgets = sliceWidgets()
    others = sorted(name for name in widgets if name not in MOVING and name not in _FIXED)
    return [widgets[name].mrmlSliceNode() for name in (*_FIXED, *others) if name in widgets]


def pairs() -> list[tuple[Any, Any]]:
    """Return the slice logics of each fixed view and the moving view beside it."""
    widgets = sliceWidgets() if isSideBySide() else {}
    names = [names for names in zip(_FIXED, MOVING, strict=True) if all(name in widgets for name in names)]
    return [(widgets[fixed].sliceLogic(), widgets[moving].sliceLogic()) for fixed, moving in names]


def setSideBySide(on: bool, fixed: Any, moving: Any, chart: bool = False) -> set[str]:
    """Show fixed and moving views side by side, or the former layout; returns the names of fixed views that show another plane now.

    Args:
        on: whether side by side.
        fixed, moving: volumes in the two columns; either may be None.
        chart: whether the layout has a view for charts.
    """
    node = layoutNode()
    if node is None:
        return set()
    if not on:
        if isSideBySide():
            former = node.GetAttribute(_FORMER)
            node.SetViewArrangement(int(former) if former else slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        return set()
    registerLayouts()
    if not isSideBySide():
        node.SetAttribute(_FORMER, str(node.GetViewArrangement()))
    node.SetViewArrangement(_LAYOUT_WITH_CHART if chart else _LAYOUT)
    return _fill(fixed, moving)


def hasChart() -> bool:
    """Return whether a chart is chosen for the views of charts."""
    selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    return selection is not None and slicer.mrmlScene.GetNodeByID(selection.GetActivePlotChartID() or "") is not None


def _fill(fixed: Any, moving: Any) -> set[str]:
    """Show the volumes in their columns; returns the names of fixed views whose volume or orientation has changed."""
    changed = set()
    widgets = sliceWidgets()
    for volume, names in ((fixed, _FIXED), (moving, MOVING)):
        for name, orientation in zip(names, _ORIENTATIONS, strict=True):
            if name not in widgets:
                continue
            logic = widgets[name].sliceLogic()
            view, composite = logic.GetSliceNode(), logic.GetSliceCompositeNode()
            wanted = volume.GetID() if volume is not None else None
            if names is MOVING:
                view.SetViewGroup(_GROUP)
                composite.SetForegroundVolumeID(None)
                composite.SetLabelVolumeID(None)
            if view.GetOrientation() != orientation:
                view.SetOrientation(orientation)
                changed.add(name)
            if wanted and composite.GetBackgroundVolumeID() != wanted:
                composite.SetBackgroundVolumeID(wanted)
                changed.add(name)
    return changed - set(MOVING)


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


def showInMoving(point: Any) -> None:
    """Let the moving views show a point, RAS mm: in another slice if needed, and around another centre if it is beyond their borders."""
    for node in movingNodes():
        back = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(node.GetSliceToRAS(), back)
        beside = np.array(back.MultiplyPoint((*point, 1.0)))[:3]
        width, height = node.GetFieldOfView()[:2]
        if np.any(np.abs(beside[:2]) > 0.5 * np.array((width, height))):
            node.JumpSliceByCentering(*point)
        elif abs(beside[2]) > 1e-6:
            node.SetSliceOffset(node.GetSliceOffset() + beside[2])


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
    for logic in _fixedLogics():
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
    for logic in _fixedLogics():
        logic.GetSliceCompositeNode().SetForegroundOpacity(opacity)


def _fixedLogics() -> list[Any]:
    return [widget.sliceLogic() for name, widget in sliceWidgets().items() if name not in MOVING]
