"""Colours of lengths and confidences, and the colour bars of nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from deepreg_engine.reporting.colours import LENGTHS

#: Colours of confidences from 0 to 1: orange is unreliable, white uncertain, blue reliable.
CONFIDENCES = np.array([[230, 115, 10], [247, 247, 247], [40, 115, 240]]) / 255.0
#: Positions of colour bars, as shares of a view's width and height, so that two can be shown at once.
PLACES = {"left": (0.04, 0.88), "right": (0.96, 0.88), "right, below": (0.96, 0.08)}
_FONT = 11
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


def showBar(display: Any, on: bool, title: str = "", place: str = "right", digits: int = 1, in2D: bool = True) -> None:
    """Show a colour bar for a display node in the views that show it, or hide it.

    Args:
        display: of a volume, a model or a transform; None does nothing.
        on: whether to show it.
        title: above the bar, with the unit.
        place: a name of :data:`PLACES`.
        digits: after the decimal point.
        in2D: whether to show it in slice views as well.
    """
    isNew = barOf(display) is None
    bar = barOf(display, create=on)
    if bar is None:
        return
    state = bar.StartModify()
    if on:
        bar.SetTitleText(title)
        bar.SetLabelFormat(f"%.{digits}f")
        bar.SetNumberOfLabels(5)
        bar.SetMaxNumberOfColors(256)
        bar.SetSize(0.1, 0.32)
        bar.SetPosition(*PLACES[place])
        for text in (bar.GetTitleTextProperty(), bar.GetLabelTextProperty()):
            text.SetFontSize(_FONT)
    bar.SetVisibility2D(on and in2D)
    bar.SetVisibility3D(on)
    bar.SetVisibility(on)
    bar.EndModify(state)
    if isNew and display.IsA("vtkMRMLVolumeDisplayNode"):
        # Slice views find the volumes that they show at the end of a batch; volumes that were made since the last one are not found yet.
        slicer.mrmlScene.StartState(slicer.vtkMRMLScene.BatchProcessState)
        slicer.mrmlScene.EndState(slicer.vtkMRMLScene.BatchProcessState)
    else:
        bar.Modified()  # views check whether they show its display node


def hideBar(display: Any) -> None:
    """Hide the colour bar of a display node, if it has one."""
    bar = barOf(display)
    if bar is not None and bar.GetVisibility():
        bar.SetVisibility(False)
