"""Helpers of the Descent panel's tests."""

from __future__ import annotations

from world import TURN, matrix4

QUICK = {"features": "mind", "working_spacing": 6.0, "levels": 2, "iterations": 6}
FEATURES = ("fixedFeatures", "movingFeatures", "warpedFeatures")
SHOWN = ("vtkMRMLSequenceNode", "vtkMRMLSequenceBrowserNode", "vtkMRMLTableNode", "vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode")
# A rotation and a shift of the parent transform.
ABOVE = matrix4(TURN, (20.0, -30.0, 40.0))


def quick(widget, **changes) -> None:
    """Parameters with which a small phantom takes a second."""
    for name, value in {**QUICK, **changes}.items():
        setattr(widget.panel.node.parameters, name, value)


def everything() -> dict[str, int]:
    """How many nodes of each kind there are."""
    import slicer

    kinds = (*SHOWN, "vtkMRMLVolumeNode", "vtkMRMLTransformNode", "vtkMRMLStorageNode")
    return {kind: len(slicer.util.getNodesByClass(kind)) for kind in kinds}


def layers() -> tuple[str, str]:
    """Names of what the red view shows below and above."""
    import slicer

    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    found = [
        slicer.mrmlScene.GetNodeByID(name) if name else None
        for name in (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
    ]
    return tuple(node.GetName() if node is not None else "" for node in found)


def browser(widget):
    from DeepRegDescentLib.iterations import browserOf

    return browserOf(widget.panel.node.resultIterations)


def moved(widget):
    from DeepRegDescentLib.iterations import movedOf

    return movedOf(widget.panel.node.resultIterations)


def proxy(widget):
    return browser(widget).GetProxyNode(widget.panel.node.resultIterations)
