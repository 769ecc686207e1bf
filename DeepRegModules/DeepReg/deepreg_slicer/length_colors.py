"""Colours of lengths, and the colour bars of nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

#: From blue through yellow to red; all are bright, so that they are visible on black and on grey.
LENGTHS = np.array([[80, 120, 255], [60, 190, 235], [130, 220, 120], [245, 225, 70], [250, 150, 50], [235, 70, 50]]) / 255.0
# Largest number of vectors among which the longest one is searched; a sample suffices, because fields are smooth.
_SAMPLE = 200_000


def lengthRamp(longest: float) -> vtk.vtkColorTransferFunction:
    """Return the colours from 0 to ``longest`` mm."""
    ramp = vtk.vtkColorTransferFunction()
    for share, color in zip(np.linspace(0.0, 1.0, len(LENGTHS)), LENGTHS, strict=True):
        ramp.AddRGBPoint(share * longest, *color.tolist())
    return ramp


def longestOf(transform: Any) -> float:
    """Return the longest displacement of a transform's own grid, mm, of a sample of its vectors; 0 without a grid."""
    grid = transform.GetTransformFromParentAs("vtkOrientedGridTransform", False)
    scalars = grid.GetDisplacementGrid().GetPointData().GetScalars() if grid is not None else None
    if scalars is None or not scalars.GetNumberOfTuples():
        return 0.0
    vectors = vtk_to_numpy(scalars)
    return float(np.linalg.norm(vectors[:: max(1, len(vectors) // _SAMPLE)], axis=1).max())


def barOf(display: Any, create: bool = False) -> Any:
    """Return the colour bar of a display node; None if there is none, or the application has no colour bars.

    Args:
        display: of a volume, a model or a transform, or None.
        create: whether to make one if there is none.
    """
    logic = getattr(slicer, "vtkSlicerColorLogic", None) or slicer.modules.colors.logic()
    if display is None or not hasattr(logic, "AddDefaultColorLegendDisplayNode"):
        return None
    bar = logic.GetColorLegendDisplayNode(display)
    return logic.AddDefaultColorLegendDisplayNode(display) if bar is None and create else bar


def hideBar(display: Any) -> None:
    """Hide the colour bar of a display node, if it has one."""
    bar = barOf(display)
    if bar is not None and bar.GetVisibility():
        bar.SetVisibility(False)
