"""The expected error of a result as a map in the colours of confidence: blue is reliable, white uncertain, orange unreliable."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.volumes import newNode

#: Colours from an error of 0 to one that is unreliable.
RELIABILITIES = np.array([[40, 115, 240], [247, 247, 247], [230, 115, 10]]) / 255.0
#: Errors, mm, from which the orange end of the colours is chosen: the smallest one that is above nearly all values of the map, so that a
#: map with small errors has contrast too.
_UNRELIABLE = (1.0, 2.0, 5.0)
_NEARLY_ALL = 95.0
_SAMPLE = 500_000
_SHADES = 256
_ROLE = "deepRegColors"


def expectedErrorOf(transform: Any) -> Any:
    """Return the map of the expected error that was made in the run of a transform; None without one."""
    created = transform.GetAttribute(f"{PREFIX}Created") if transform is not None else None
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if created else ():
        if node.GetAttribute(f"{PREFIX}Created") == created and node.GetAttribute(f"{PREFIX}Output") == "expectedError":
            return node
    return None


def unreliable(node: Any) -> float:
    """Return the error, mm, at the orange end of the colours of a map."""
    values = vtk_to_numpy(node.GetImageData().GetPointData().GetScalars())
    most = float(np.percentile(values[:: max(1, values.size // _SAMPLE)], _NEARLY_ALL))
    return next((limit for limit in _UNRELIABLE if most <= limit), _UNRELIABLE[-1])


def colorConfidence(node: Any) -> float:
    """Display a map of the expected error in the colours of confidence; returns the error at their orange end, mm."""
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    display, end = node.GetDisplayNode(), unreliable(node)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0.0, end)
    display.SetAndObserveColorNodeID(confidenceColors().GetID())
    return end


def confidenceColors() -> Any:
    """Return the colour table of the confidence; created once in each scene."""
    for node in slicer.util.getNodesByClass("vtkMRMLColorTableNode"):
        if node.GetAttribute(_ROLE) == "confidence":
            return node

    def fill(node: Any) -> None:
        node.SetAttribute(_ROLE, "confidence")
        node.SetTypeToUser()
        node.SetNumberOfColors(_SHADES)
        places = np.linspace(0, len(RELIABILITIES) - 1, _SHADES)
        for number, place in enumerate(places):
            node.SetColor(number, str(number), *(float(np.interp(place, range(len(RELIABILITIES)), part)) for part in RELIABILITIES.T), 1.0)
        node.SetHideFromEditors(True)

    return newNode("vtkMRMLColorTableNode", _("Confidence"), fill)
