"""Colours of lengths and of the Jacobian determinant, and their colour bars."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from deepreg_slicer.length_colors import LENGTHS, barOf
from deepreg_slicer.volumes import newNode

# From below 1 through 1 to above 1: dark where nothing changes, so that the image is visible; distinguishable with a colour deficiency.
_CHANGES = np.array([[150, 215, 255], [40, 110, 255], [10, 10, 12], [225, 60, 20], [255, 210, 90]]) / 255.0
_ROLE = "deepRegColors"
_SHADES = 256
_FONT = 11
#: Positions of colour bars, as shares of a view's width and height, so that two can be shown at once.
PLACES = {"left": (0.04, 0.88), "right": (0.96, 0.88), "right, below": (0.96, 0.08)}


def colorTable(role: str, name: str, stops: np.ndarray) -> Any:
    """Return the colour table of a role, from evenly spaced colours (N, 3), or (N, 4) with opacity; created once in each scene."""
    for node in slicer.util.getNodesByClass("vtkMRMLColorTableNode"):
        if node.GetAttribute(_ROLE) == role:
            return node

    def fill(node: Any) -> None:
        node.SetAttribute(_ROLE, role)
        node.SetTypeToUser()
        node.SetNumberOfColors(_SHADES)
        for number, place in enumerate(np.linspace(0, len(stops) - 1, _SHADES)):
            node.SetColor(number, str(number), *(float(np.interp(place, range(len(stops)), channel)) for channel in stops.T))
        node.SetHideFromEditors(True)

    return newNode("vtkMRMLColorTableNode", name, fill)


def lengthColors() -> Any:
    """Return the colour table of lengths: blue for 0, red at the end of the range."""
    return colorTable("length", _("Length"), LENGTHS)


def jacobianColors() -> Any:
    """Return colours: blue below the middle of the range, red above, dark in the middle."""
    return colorTable("jacobian", _("Jacobian"), _CHANGES)


def jacobianSpan(jacobian: np.ndarray) -> float:
    """Return the range of colours of a Jacobian map around 1: 0.1, 0.2, 0.5 or 1, so that it covers nearly all of the map."""
    step = max(1, jacobian.size // 500_000)
    most = float(np.percentile(np.abs(jacobian.ravel()[::step] - 1.0), 99.5))
    return next((span for span in (0.1, 0.2, 0.5) if most <= span), 1.0)


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
