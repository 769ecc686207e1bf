"""Surfaces of the body in volumes, for 3D views: coarse, so that they are there at once."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from deepreg_slicer.volumes import Snapshot, mapPoints, snapshot

# Largest number of voxels along an axis.
_MOST = 72
# Values below the first are those of Hounsfield units; the second separates the body from air there.
_AIR, _SKIN = -500.0, -300.0
_BINS = 128


def bodySurface(node: Any, without: Any = None) -> Generator[float, None, vtk.vtkPolyData]:
    """Return the surface of what a volume shows, in the world, RAS mm.

    Args:
        node: the volume.
        without: a transform above it that is left out.
    """
    shot = snapshot(node, without)
    coarse, steps = _coarse(shot)
    yield 0.2
    level = skinLevel(coarse)
    image = _padded(coarse, level)
    yield 0.4
    smooth = vtk.vtkImageGaussianSmooth()
    smooth.SetInputData(image)
    smooth.SetStandardDeviations(0.8, 0.8, 0.8)
    smooth.Update()
    yield 0.5
    edges = vtk.vtkFlyingEdges3D()
    edges.SetInputData(smooth.GetOutput())
    edges.SetValue(0, level)
    edges.ComputeScalarsOff()
    edges.Update()
    yield 0.6
    largest = vtk.vtkPolyDataConnectivityFilter()
    largest.SetInputData(edges.GetOutput())
    largest.SetExtractionModeToLargestRegion()
    largest.Update()
    yield 0.8
    clean = vtk.vtkCleanPolyData()
    clean.SetInputData(largest.GetOutput())
    clean.PointMergingOff()
    clean.Update()
    surface = vtk.vtkPolyData()
    surface.DeepCopy(clean.GetOutput())
    surface.GetPointData().Initialize()
    if surface.GetNumberOfPoints():
        index = (vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64) - 1.0) * steps  # without the voxels around
        world = mapPoints(shot.toWorld, index @ shot.ijkToRas[:3, :3].T + shot.ijkToRas[:3, 3])
        surface.GetPoints().SetData(numpy_to_vtk(world.astype(np.float32), deep=True))
    yield 0.9
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputData(surface)
    normals.SplittingOff()
    normals.Update()
    return normals.GetOutput()


def _coarse(shot: Snapshot) -> tuple[np.ndarray, np.ndarray]:
    """Return some of the voxels (z, y, x) of a volume, and the steps (3,) between them along i, j and k."""
    values = shot.values().reshape(shot.size[::-1])
    steps = [max(1, -(-count // _MOST)) for count in shot.size]
    chosen = values[:: steps[2], :: steps[1], :: steps[0]].astype(np.float32)
    return np.nan_to_num(chosen), np.array(steps, dtype=np.float64)


def skinLevel(values: np.ndarray) -> float:
    """Return the value that separates a body from air: of Hounsfield units, else by Otsu's method."""
    low, high = float(values.min()), float(np.percentile(values, 99.5))
    if low < _AIR:
        return _SKIN
    if high <= low:
        return low + 0.5
    counts, edges = np.histogram(np.clip(values, low, high), bins=_BINS)
    middles = (edges[1:] + edges[:-1]) / 2.0
    below = np.cumsum(counts)
    sums = np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    # The skin is darker than most of the body: the level is below the one that separates dark from bright tissue.
    return low + 0.6 * (float(edges[1:][np.nanargmax(between[:-1])]) - low)


def _padded(values: np.ndarray, level: float) -> vtk.vtkImageData:
    """Return an image of an array (z, y, x) with a voxel of air all around, which closes the surface at the faces."""
    image = vtk.vtkImageData()
    image.SetDimensions(*(count + 2 for count in values.shape[::-1]))
    image.AllocateScalars(vtk.VTK_FLOAT, 1)
    target = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(tuple(count + 2 for count in values.shape))
    target[:] = min(float(values.min()), level - 1.0)
    target[1:-1, 1:-1, 1:-1] = values
    return image
