"""Display of a result of points."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from deepreg_slicer.length_colors import barOf, showBar
from deepreg_slicer.slice_views import sliceWidgets


def isShown(node: Any) -> bool:
    """Return whether a node is visible."""
    display = node.GetDisplayNode() if node is not None else None
    return bool(display is not None and display.GetVisibility())


def show(node: Any, on: bool) -> None:
    """Show or hide a model in all views."""
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetVisibility(on)
    display.SetVisibility2D(on)
    bar = barOf(display)
    if bar is not None:
        showBar(display, on, bar.GetTitleText(), "left", 2)


def hideBelow(node: Any, confidence: float) -> None:
    """Show only correspondences with at least this confidence."""
    display = node.GetDisplayNode()
    if display is not None:
        display.SetThresholdEnabled(confidence > 0.0)
        display.SetThresholdRange(confidence, 1.0)


def goTo(nodes: list[Any]) -> None:
    """Centre all views on models, and fit their zoom; for scenes without a volume."""
    bounds = np.array(
        [node.GetPolyData().GetBounds() for node in nodes if node.GetPolyData() is not None and node.GetPolyData().GetNumberOfPoints()]
    )
    if not len(bounds):
        return
    low, high = bounds[:, ::2].min(axis=0), bounds[:, 1::2].max(axis=0)
    extent = 1.15 * float(np.linalg.norm(high - low)) / np.sqrt(2.0)
    if slicer.app.layoutManager() is not None:
        slicer.app.layoutManager().resetThreeDViews()
    for widget in sliceWidgets().values():
        logic = widget.sliceLogic()
        if logic.GetSliceCompositeNode().GetBackgroundVolumeID():
            continue
        view = logic.GetSliceNode()
        view.JumpSliceByCentering(*((low + high) / 2.0))
        width, height = view.GetDimensions()[:2]
        scale = extent / max(1, min(width, height))
        view.SetFieldOfView(width * scale, height * scale, view.GetFieldOfView()[2])
