"""The warped moving volume and the fixed volume on the grid of the fixed volume in the world."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import vtk

from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.volumes import resampled, setVolume, showLike, snapshot, worldGeometry
from DeepRegInspectorLib.fields import asImage
from DeepRegInspectorLib.mapping import belowTransform, checkNotBelow


def warped(transform: Any, fixed: Any, moving: Any) -> Generator[float, None, tuple[np.ndarray, Geometry]]:
    """Resample the moving volume through a transform (z, y, x) to the grid of the fixed volume; returns that grid as well."""
    checkNotBelow(fixed, [transform], "fixed")
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
    values = yield from resampled(shot, geometry, False)
    return values.reshape(geometry.size[::-1]), geometry


def onOwnGrid(fixed: Any) -> Generator[float, None, np.ndarray]:
    """Return the fixed volume (z, y, x) on its grid in the world."""
    shot = snapshot(fixed)
    geometry, needsResampling = worldGeometry(shot)
    values = (yield from resampled(shot, geometry, False)) if needsResampling else shot.values()
    return values.reshape(geometry.size[::-1])


def checkerboard(first: np.ndarray, second: np.ndarray, spacing: tuple[float, ...], side: float) -> np.ndarray:
    """Alternate fields of ``side`` mm of two arrays."""
    z, y, x = (np.floor(np.arange(n) * step / side).astype(int) for n, step in zip(first.shape, spacing[::-1], strict=True))
    odd = (z[:, None, None] + y[None, :, None] + x[None, None, :]) % 2 == 1
    return np.where(odd, second, first)


def put(node: Any, array: np.ndarray, geometry: Geometry, like: Any) -> None:
    """Set a volume to an array, with the window of another volume."""
    setVolume(node, asImage(array), geometry)
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    showLike(node, like)


def showDifference(node: Any, difference: np.ndarray) -> None:
    """Display a difference: grey for 0, darker where the fixed volume is brighter, brighter where the warped one is."""
    most = max(float(np.percentile(np.abs(difference[::2, ::2, ::2]), 99)), 1e-6)
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(-most, most)
