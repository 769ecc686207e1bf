"""Colours of lengths and of the Jacobian determinant, as colour tables of the scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from deepreg_engine.reporting.colours import LENGTHS
from deepreg_slicer.volumes import newNode

# From below 1 through 1 to above 1: dark where nothing changes, so that the image is visible; distinguishable with a colour deficiency.
_CHANGES = np.array([[150, 215, 255], [40, 110, 255], [10, 10, 12], [225, 60, 20], [255, 210, 90]]) / 255.0
_ROLE = "deepRegColors"
_SHADES = 256


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
    """Return the colour table of lengths: blue for 0, yellow at the end of the range."""
    return colorTable("length", _("Length"), LENGTHS)


def jacobianColors() -> Any:
    """Return colours: blue below the middle of the range, red above, dark in the middle."""
    return colorTable("jacobian", _("Jacobian"), _CHANGES)


def jacobianSpan(jacobian: np.ndarray) -> float:
    """Return the range of colours of a Jacobian map around 1: 0.1, 0.2, 0.5 or 1, so that it covers nearly all of the map."""
    step = max(1, jacobian.size // 500_000)
    most = float(np.percentile(np.abs(jacobian.ravel()[::step] - 1.0), 99.5))
    return next((span for span in (0.1, 0.2, 0.5) if most <= span), 1.0)
