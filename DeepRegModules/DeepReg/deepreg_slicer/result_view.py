"""Display of a result: the warped volume over the fixed one, the deformation grid, the moving volume through the transform."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.beyond import SHOWN_OF, deformationNode, shownNode
from deepreg_slicer.errors import NodeError
from deepreg_slicer.length_colors import hideBar, lengthRamp, longestOf, showBar
from deepreg_slicer.parents import FORMER_PARENT, SHOWN_THROUGH, STAND_IN, isBelow, isMoved, isStandIn, ownParent, shownThrough, toWorld
from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.slice_views import composites, setLayers
from deepreg_slicer.volumes import newNode, snapshot, worldGeometry


def showOver(fixed: Any, warped: Any, opacity: float, alike: tuple[Any, ...] = ()) -> None:
    """Show one volume over the other in all slice views.

    Args:
        fixed, warped: the volume below and the one above.
        opacity: of the one above.
        alike: volumes on the grid of the one below. Views that showed it or one of these keep their place and zoom.
    """
    known = {volume.GetID() for volume in (fixed, *alike) if volume is not None}
    there = any(composite.GetBackgroundVolumeID() in known for composite in composites())
    setLayers(fixed, warped, opacity, fit=not there)


def isOver(fixed: Any, warped: Any) -> bool:
    """Return whether slice views show one volume over the other."""
    if fixed is None or warped is None:
        return False
    wanted = fixed.GetID(), warped.GetID()
    return any((composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()) == wanted for composite in composites())


def fade(opacity: float) -> None:
    """Set the opacity of the foreground volume in all slice views."""
    for composite in composites():
        composite.SetForegroundOpacity(opacity)


def showJacobian(node: Any) -> None:
    """Show a map in the colours of expansion, compression and folds: blue below 1, white at 1, red above."""
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0.0, 2.0)
    colors = slicer.util.getFirstNodeByClassByName("vtkMRMLColorNode", "DivergingBlueRed")
    if colors is not None:
        display.SetAndObserveColorNodeID(colors.GetID())


# Attribute of a transform whose grid is shown: what is drawn is not saved, and is drawn again when the scene is loaded.
_GRID = f"{PREFIX}GridShown"
#: How a transform can be drawn: name, the display node's mode.
MODES = {"grid": "VIS_MODE_GRID", "glyphs": "VIS_MODE_GLYPH", "contours": "VIS_MODE_CONTOUR"}


def showGrid(transform: Any, region: Any, visible: bool) -> None:
    """Show or hide the deformation of a transform beyond its alignment as a grid in slice views, its lines spaced by the size of the field.

    Args:
        transform: the node.
        region: a volume within which it is shown; None takes the field's own.
        visible: whether to show it.
    """
    if visible:
        shown = deformationOf(transform, region)
        # In 3D a grid takes a second to draw, and hides everything else.
        showDeformation(shown, region, "grid", gridSpacing(shown, region), False)
        transform.SetAttribute(_GRID, "1")
        shown.GetDisplayNode().SetColorMap(lengthRamp(max(longestOf(shown), 0.1)))
        showBar(shown.GetDisplayNode(), True, _("deformation (mm)"), "right")
        return
    (transform.GetNodeReference(SHOWN_OF) or transform).RemoveAttribute(_GRID)
    for node in (transform, shownNode(transform)):
        display = node.GetDisplayNode() if node is not None else None
        if display is not None:
            display.SetVisibility2D(False)
            display.SetVisibility3D(False)
            display.SetVisibility(False)
            hideBar(display)


def drawLoadedGrids() -> None:
    """Show the grids that a loaded scene showed when it was saved."""
    for transform in slicer.util.getNodesByClass("vtkMRMLTransformNode"):
        if transform.GetAttribute(_GRID) and shownNode(transform) is None:
            fixed = transform.GetNodeReference("deepRegFixed")  # of Points it may be a list of points
            showGrid(transform, fixed if fixed is not None and fixed.IsA("vtkMRMLVolumeNode") else None, True)


def deformationOf(transform: Any, region: Any) -> Any:
    """Return the node that shows the deformation of a transform beyond its linear part; a ``region`` is a volume of the fixed side, or
    None."""
    try:
        return deformationNode(transform, worldGeometry(snapshot(region))[0] if region is not None else None)
    except NodeError:  # a volume without a usable grid
        return deformationNode(transform, None)


def displayOf(transform: Any) -> Any:
    """Return the display node of the drawn deformation of a transform, None if it was not drawn."""
    shown = shownNode(transform) or transform
    return shown.GetDisplayNode() if shown is not None else None


def hideOthers(nodes: Any) -> None:
    """Hide the grids, lines, points and colour bars of all results but the given nodes: two results at a time cannot be distinguished."""
    present = {node.GetID() for node in nodes if node is not None}
    for kind in ("vtkMRMLTransformNode", "vtkMRMLModelNode"):
        for node in slicer.util.getNodesByClass(kind):
            shownOf = node.GetNodeReferenceID(SHOWN_OF)
            result = node.GetAttribute(f"{PREFIX}Output") or shownOf
            display = node.GetDisplayNode() if result and (shownOf or node.GetID()) not in present else None
            if display is None:
                continue
            hideBar(display)
            if kind == "vtkMRMLTransformNode":
                showGrid(node, None, False)
            elif display.GetVisibility():
                display.SetVisibility(False)
                display.SetVisibility2D(False)


def hideBeforeUndo() -> None:
    """Hide the drawings of all transforms that undo may change: a slice view that draws one while undo copies it ends the application."""
    for transform in slicer.util.getNodesByClass("vtkMRMLTransformNode"):
        display = displayOf(transform)
        if transform.GetUndoEnabled() and display is not None and display.GetVisibility():
            showGrid(transform, None, False)
            hideBar(display)


def showDeformation(transform: Any, region: Any, mode: str, spacing: float, in3D: bool, longest: float = 0.0) -> None:
    """Draw a transform in slice views, and in 3D views if wanted.

    Args:
        transform: the node.
        region: a volume within which it is shown; None takes the field's own.
        mode: a name of :data:`MODES`.
        spacing: of lines or arrows, or between contour levels, mm.
        in3D: whether to draw it in 3D views too.
        longest: displacement, mm; the last contour level and the end of the range of colours. 0 leaves them.
    """
    if transform.GetDisplayNode() is None:
        transform.CreateDefaultDisplayNodes()
        transform.GetDisplayNode().SetSaveWithScene(transform.GetSaveWithScene())
    (transform.GetNodeReference(SHOWN_OF) or transform).RemoveAttribute(_GRID)
    display = transform.GetDisplayNode()
    state = display.StartModify()
    try:
        if region is not None:
            display.SetAndObserveRegionNode(region)
        display.SetVisualizationMode(getattr(display, MODES[mode]))
        if mode == "grid":
            display.SetGridSpacingMm(spacing)
            display.SetGridResolutionMm(spacing / 4.0)
            display.SetGridScalePercent(100.0)
            display.SetGridShowNonWarped(False)
        elif mode == "glyphs":
            display.SetGlyphSpacingMm(spacing)
            display.SetGlyphScalePercent(100.0)
            display.SetGlyphDisplayRangeMinMm(0.0)
            display.SetGlyphDisplayRangeMaxMm(max(1000.0, 2.0 * longest))
            display.SetGlyphDiameterMm(spacing / 3.0)
        else:
            levels = np.arange(spacing, max(longest, spacing) + 0.5 * spacing, spacing)[:30]
            display.SetContourLevelsMmFromString(" ".join(f"{level:g}" for level in levels))
            display.SetContourResolutionMm(max(1.0, _extent(transform, region) / 100.0))
            display.SetContourOpacity(0.8)
        display.SetVisibility2D(True)
        display.SetVisibility3D(in3D)
        display.SetVisibility(True)
    finally:
        display.EndModify(state)


def gridSpacing(transform: Any, region: Any) -> float:
    """Return a distance of lines, mm, that suits the size of a field."""
    return plainLength(_extent(transform, region) / 24.0)


def _extent(transform: Any, region: Any) -> float:
    """Return the longest side of the region in which a transform is shown, mm."""
    bounds = np.zeros(6)
    if region is not None:
        region.GetRASBounds(bounds)
    elif transform.GetTransformFromParentAs("vtkOrientedGridTransform", False) is not None:
        bounds[:] = transform.GetTransformFromParentAs("vtkOrientedGridTransform", False).GetDisplacementGrid().GetBounds()
    return float(np.max(bounds[1::2] - bounds[::2])) or 200.0


def plainLength(length: float) -> float:
    """Return the length of the form 1, 2 or 5 times a power of ten that is nearest to another."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(power * min((1.0, 2.0, 5.0, 10.0), key=lambda factor: abs(factor * power - length)))


def moveThrough(moving: Any, transform: Any, on: bool) -> None:
    """Put the moving volume below a result's transform, or remove it from there; a former result through which it is shown is replaced.

    The transform is in world coordinates, so it has to be applied after the present parent transforms of the volume. A copy of these is put
    below the transform, so that other nodes below the originals, such as the fixed volume, do not move.
    """
    if on == isMoved(moving, transform) or (on and isBelow(moving, transform)):
        return
    former = shownThrough(moving)
    if on and former is not None:
        moveThrough(moving, former, False)
    moving.SetNodeReferenceID(SHOWN_THROUGH, transform.GetID() if on else None)
    parent = moving.GetParentTransformNode()
    if not on:
        own = ownParent(moving, transform)
        moving.SetAndObserveTransformNodeID(own.GetID() if own is not None else None)
        if isStandIn(parent) and not _hasChildren(parent):
            slicer.mrmlScene.RemoveNode(parent)
        return
    if parent is None:
        moving.SetAndObserveTransformNodeID(transform.GetID())
        return
    standIn = newNode("vtkMRMLTransformNode", f"{parent.GetName()} below {transform.GetName()}")
    standIn.SetAndObserveTransformToParent(toWorld(parent))
    standIn.SetAttribute(STAND_IN, "1")
    standIn.SetNodeReferenceID(FORMER_PARENT, parent.GetID())
    standIn.SetAndObserveTransformNodeID(transform.GetID())
    moving.SetAndObserveTransformNodeID(standIn.GetID())


def followParents(moving: Any) -> None:
    """Update the copy of the parent transforms through which a node is shown."""
    standIn = moving.GetParentTransformNode()
    if isStandIn(standIn):
        standIn.SetAndObserveTransformToParent(toWorld(standIn.GetNodeReference(FORMER_PARENT)) or vtk.vtkTransform())


def _hasChildren(transform: Any) -> bool:
    return any(node.GetTransformNodeID() == transform.GetID() for node in slicer.util.getNodesByClass("vtkMRMLTransformableNode"))
