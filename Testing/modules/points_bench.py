"""Helpers of the Points panel's tests."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from panels import finish
from vtk.util.numpy_support import vtk_to_numpy
from world import FLIP, through

RAS = FLIP[:3, :3]
MODELS = ("correspondences", "fixedCloud", "movingCloud", "movedCloud")


def warped(points: np.ndarray) -> np.ndarray:
    """A known affine and smooth deformation, some centimetres (N, 3)."""
    linear = np.array([[1.05, 0.06, -0.02], [-0.05, 0.94, 0.04], [0.03, -0.02, 1.08]])
    waves = 6.0 * np.sin(points[:, [1, 2, 0]] / 45.0 + (0.3, 1.1, 2.0))
    return points @ linear.T + (18.0, -12.0, 25.0) + waves


def scattered(count: int = 60) -> np.ndarray:
    """Points no two of which are near (count, 3)."""
    generator, found = np.random.default_rng(3), []
    while len(found) < count:
        point = generator.uniform((-70, -50, -80), (70, 50, 80))
        if all(np.linalg.norm(point - other) > 14.0 for other in found):
            found.append(point)
    return np.array(found)


def add_points(name: str, world: np.ndarray, parent=None):
    """A point list with these world positions (RAS mm)."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    own = world if parent is None else through(parent, world, inverse=True)
    slicer.util.updateMarkupsControlPointsFromArray(node, np.ascontiguousarray(own))
    if parent is not None:
        node.SetAndObserveTransformNodeID(parent.GetID())
    return node


def models() -> list[str]:
    import slicer

    return sorted(node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLModelNode") if not node.GetHideFromEditors())


def made(widget, name: str):
    """A result of the last run."""
    node = widget.panel.node
    return getattr(node, f"{name}Result") if name in MODELS else getattr(node, f"result{name.capitalize()}")


def line_ends(widget) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fixed points, their mapped positions and their confidence, from the model of correspondences."""
    data = made(widget, "correspondences").GetPolyData()
    points = vtk_to_numpy(data.GetPoints().GetData())
    return points[0::2], points[1::2], vtk_to_numpy(data.GetPointData().GetArray("Confidence"))[0::2]


def centres(node) -> np.ndarray:
    from DeepRegPointsLib.clouds import centres

    return centres(node.GetPolyData())


def saved(transform) -> sitk.Transform:
    """A transform node as SimpleITK reads its file."""
    import slicer

    path = f"{slicer.app.temporaryPath}/checked.h5"
    assert slicer.util.saveNode(transform, path)
    return sitk.ReadTransform(path)


def apply(app, hands, widget, seconds: float = 60.0) -> str:
    hands.click(widget.ui.applyButton)
    finish(app, widget, seconds)
    return widget.ui.resultLabel.text
