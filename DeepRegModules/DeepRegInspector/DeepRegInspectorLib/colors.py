"""Colours of lengths and of the Jacobian determinant, and the colour bars that say what they mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.volumes import newNode

# Blue over yellow to red, all bright: they are seen on black and on grey.
_STOPS = np.array([[80, 120, 255], [60, 190, 235], [130, 220, 120], [245, 225, 70], [250, 150, 50], [235, 70, 50]]) / 255.0
# Below 1, at 1, above 1. What changes little is left as the image below shows it.
_SMALLER, _SAME, _LARGER = np.array([[60, 120, 255, 255], [255, 255, 255, 0], [255, 80, 50, 255]]) / 255.0
_ROLE = "deepRegColors"
_FONT = 12
#: Where colour bars stand, as shares of a view's width and height: two kinds can be seen at once without covering each other.
PLACES = {"left": (0.04, 0.88), "right": (0.96, 0.88), "right, below": (0.96, 0.08)}


def _made(role: str, name: str, colors: np.ndarray) -> Any:
    """A colour table with a role; made once a scene, from colours (N, 4)."""
    for node in slicer.util.getNodesByClass("vtkMRMLColorTableNode"):
        if node.GetAttribute(_ROLE) == role:
            return node
    node = newNode("vtkMRMLColorTableNode", name)
    node.SetAttribute(_ROLE, role)
    node.SetTypeToUser()
    node.SetNumberOfColors(len(colors))
    for number, color in enumerate(colors):
        node.SetColor(number, str(number), *color.tolist())
    node.SetHideFromEditors(True)
    return node


def lengthColors() -> Any:
    """The colours of lengths: blue for none, red at the end of the range."""
    place = np.linspace(0, len(_STOPS) - 1, 256)
    colors = [np.interp(place, range(len(_STOPS)), _STOPS[:, channel]) for channel in range(3)]
    return _made("length", _("Length"), np.stack([*colors, np.ones(256)], axis=1))


def lengthRamp(longest: float) -> vtk.vtkColorTransferFunction:
    """The same colours from 0 to ``longest`` mm."""
    ramp = vtk.vtkColorTransferFunction()
    for share, color in zip(np.linspace(0.0, 1.0, len(_STOPS)), _STOPS):
        ramp.AddRGBPoint(share * longest, *color.tolist())
    return ramp


def jacobianColors() -> Any:
    """Blue below the middle of the range, red above, and nothing of either in the middle."""
    place = np.linspace(-1.0, 1.0, 257)
    colors = [np.interp(place, (-1.0, -0.04, 0.04, 1.0), (_SMALLER[channel], _SMALLER[channel], _LARGER[channel], _LARGER[channel])) for channel in range(3)]
    return _made("jacobian", _("Jacobian"), np.stack([*colors, np.clip(1.25 * np.abs(place), 0.0, 1.0)], axis=1))


def jacobianSpan(jacobian: np.ndarray) -> float:
    """How far from 1 the colours of a Jacobian map reach: 0.1, 0.2, 0.5 or 1, so that nearly all of the map is within."""
    step = max(1, jacobian.size // 500_000)
    most = float(np.percentile(np.abs(jacobian.ravel()[::step] - 1.0), 99.5))
    return next((span for span in (0.1, 0.2, 0.5) if most <= span), 1.0)


def showBar(display: Any, on: bool, title: str = "", place: str = "right", digits: int = 1) -> None:
    """Show a colour bar for what a display node draws, in the views in which it is drawn.

    Args:
        display: of a volume, a model or a transform; None does nothing.
        on: whether to show it.
        title: above the bar, with the unit.
        place: a name of :data:`PLACES`.
        digits: behind the point.
    """
    logic = getattr(slicer, "vtkSlicerColorLogic", None)
    if display is None or not hasattr(logic, "AddDefaultColorLegendDisplayNode"):
        return
    bar = logic.GetColorLegendDisplayNode(display)
    if bar is None:
        bar = logic.AddDefaultColorLegendDisplayNode(display) if on else None
    if bar is None:
        return
    state = bar.StartModify()
    if on:
        bar.SetTitleText(title)
        bar.SetLabelFormat(f"%.{digits}f")
        bar.SetNumberOfLabels(5)
        bar.SetMaxNumberOfColors(256)
        bar.SetSize(0.12, 0.36)
        bar.SetPosition(*PLACES[place])
        for text in (bar.GetTitleTextProperty(), bar.GetLabelTextProperty()):
            text.SetFontSize(_FONT)
    bar.SetVisibility2D(on)
    bar.SetVisibility3D(on)
    bar.SetVisibility(on)
    bar.EndModify(state)
