"""The result that is explained: the transform, its method, and its inputs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from deepreg_slicer.errors import NodeError
from deepreg_slicer.provenance import PREFIX
from deepreg_slicer.volumes import mapPoints

METHODS = ("dense", "points", "descent")
#: The method by which transforms of other origin are explained.
OTHERS = "dense"
_ROLES = ("deepRegFixed", "deepRegMoving")
_CLOUDS = ("fixedCloud", "movingCloud")


@dataclass
class Subject:
    """A result and its inputs.

    Args:
        transform: the result.
        fixed, moving: volumes; None for points without any.
        method: that made it; :data:`OTHERS` for transforms of other origin.
        parameters: of the run; empty for the method's defaults.
        clouds: fixed and moving points of Point Registration, as models or lists of points.
        own: whether the transform names the method that made it.
    """

    transform: Any
    fixed: Any
    moving: Any
    method: str
    parameters: dict[str, Any] = field(default_factory=dict)
    clouds: tuple[Any, Any] = (None, None)
    own: bool = True

    def problem(self) -> str:
        """Return the reason why the result cannot be explained; "" if it can be explained."""
        if self.transform is None:
            return _("Choose a transform first.")
        if self.method == "points":
            if None in self.clouds:
                return _("The points of this result are not in the scene: register again with the outputs Fixed points and Moving points.")
            return ""
        if self.fixed is None or self.moving is None:
            return _("Choose the fixed and the moving volume first.")
        return ""


def subjectOf(transform: Any, fixed: Any, moving: Any) -> Subject:
    """Return the subject of a transform, from the attributes that a registration gives it."""
    method = transform.GetAttribute(PREFIX + "Method") if transform is not None else None
    inverse = transform is not None and transform.GetAttribute(PREFIX + "Output") == "inverse"
    if method not in METHODS or inverse:
        return Subject(transform, fixed, moving, OTHERS, own=False)
    try:
        parameters = json.loads(transform.GetAttribute(PREFIX + "Parameters") or "{}")
    except ValueError:
        parameters = {}
    clouds = (None, None)
    if method == "points":
        clouds = tuple(_cloudOf(transform, role, output) for role, output in zip(_ROLES, _CLOUDS, strict=True))
    return Subject(transform, fixed, moving, method, parameters if isinstance(parameters, dict) else {}, clouds)


def _cloudOf(transform: Any, role: str, output: str) -> Any:
    """Return the points that were registered: the output of the same run if there is one, else the list or model that was its input."""
    created = transform.GetAttribute(PREFIX + "Created")
    for model in slicer.util.getNodesByClass("vtkMRMLModelNode"):
        if model.GetAttribute(PREFIX + "Output") == output and model.GetAttribute(PREFIX + "Created") == created:
            return model
    given = transform.GetNodeReference(role)
    return given if given is not None and (given.IsA("vtkMRMLMarkupsFiducialNode") or given.IsA("vtkMRMLModelNode")) else None


def cloudPoints(node: Any, above: vtk.vtkAbstractTransform | None) -> np.ndarray:
    """Return points (N, 3), RAS mm in the world: of a list, the vertices of a model, or the centres of a model made of spheres.

    Raises:
        NodeError: if there are none.
    """
    if node.IsA("vtkMRMLMarkupsNode"):
        points = slicer.util.arrayFromMarkupsControlPoints(node).astype(np.float64).reshape(-1, 3)
    else:
        data = node.GetPolyData()
        points = np.zeros((0, 3))
        if data is not None and data.GetNumberOfPoints():
            points = vtk.util.numpy_support.vtk_to_numpy(data.GetPoints().GetData()).astype(np.float64)
            spheres = data.GetPointData().GetArray("Point")
            if spheres is not None:
                number = vtk.util.numpy_support.vtk_to_numpy(spheres).astype(int)
                count = np.maximum(1, np.bincount(number))
                points = np.stack([np.bincount(number, points[:, axis]) / count for axis in range(3)], axis=1)
    if not len(points):
        raise NodeError(_("{name} has no points").format(name=node.GetName()), _("choose another"))
    return mapPoints(above, points)
