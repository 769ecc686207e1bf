"""The warped moving volume together with the fixed volume, on the fixed volume's grid in the world."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import vtk

from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.volumes import drawnAnew, setVolume, showLike, snapshot, worldGeometry
from DeepRegInspectorLib.fields import asImage
from DeepRegInspectorLib.mapping import belowTransform


def warped(transform: Any, fixed: Any, moving: Any) -> Generator[float, None, tuple[np.ndarray, Geometry]]:
    """The moving volume through a transform (z, y, x), on the fixed volume's grid, and that grid."""
    geometry, _ = worldGeometry(snapshot(fixed))
    shot = snapshot(moving)
    whole = vtk.vtkGeneralTransform()
    whole.PostMultiply()
    below = belowTransform(moving, transform)
    if below is not None:
        whole.Concatenate(below)
    toWorld = vtk.vtkGeneralTransform()
    transform.GetTransformToWorld(toWorld)
    frozen = vtk.vtkGeneralTransform()
    frozen.DeepCopy(toWorld)
    whole.Concatenate(frozen)
    shot.toWorld = whole
    values = yield from drawnAnew(shot, geometry, False)
    return values.reshape(geometry.size[::-1]), geometry


def onOwnGrid(fixed: Any) -> Generator[float, None, np.ndarray]:
    """The fixed volume (z, y, x) on its grid in the world."""
    shot = snapshot(fixed)
    geometry, anew = worldGeometry(shot)
    values = (yield from drawnAnew(shot, geometry, False)) if anew else shot.values()
    return values.reshape(geometry.size[::-1])


def checkerboard(first: np.ndarray, second: np.ndarray, spacing: tuple[float, ...], side: float) -> np.ndarray:
    """Fields of ``side`` mm of one array and of the other in turn."""
    z, y, x = (np.floor(np.arange(n) * step / side).astype(int) for n, step in zip(first.shape, spacing[::-1]))
    odd = (z[:, None, None] + y[None, :, None] + x[None, None, :]) % 2 == 1
    return np.where(odd, second, first)


def put(node: Any, array: np.ndarray, geometry: Geometry, like: Any) -> None:
    """Show an array as a volume, in the window of another."""
    setVolume(node, asImage(array), geometry)
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    showLike(node, like)


def showDifference(node: Any, difference: np.ndarray) -> None:
    """Grey where there is no difference, darker where the fixed volume is brighter, brighter where the warped one is."""
    most = max(float(np.percentile(np.abs(difference[::2, ::2, ::2]), 99)), 1e-6)
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(-most, most)
