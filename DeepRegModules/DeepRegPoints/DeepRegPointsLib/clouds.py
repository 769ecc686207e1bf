"""Clouds of points and their correspondences as models.

A point is a small sphere: visible in 3D, and cut by slices. The array *Point* has the number of the point that a vertex belongs to; the
mean of its vertices is the point. A correspondence is a line from a fixed point to its mapped position.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy

from deepreg_slicer.length_colors import CONFIDENCES
from deepreg_slicer.volumes import newNode

CONFIDENCE = "Confidence"
POINT = "Point"
COLORS = "DeepReg confidence"
# Radius as a share of the distance between neighbours, and its bounds as shares of the cloud's size.
_RADIUS, _BOUNDS = 0.2, (0.002, 0.012)
_AROUND, _UP = 8, 6


def usualRadius(points: np.ndarray) -> float:
    """Return the radius of the spheres that shows a cloud without hiding it, mm."""
    sample = points[:: max(1, len(points) // 300)]
    extent = float(np.linalg.norm(np.ptp(points, axis=0))) or 100.0
    if len(points) < 2:
        return _BOUNDS[1] * extent
    apart = np.linalg.norm(sample[:, None] - points[None], axis=2)
    neighbour = float(np.median(np.partition(apart, 1, axis=1)[:, 1]))
    return float(np.clip(_RADIUS * neighbour, _BOUNDS[0] * extent, _BOUNDS[1] * extent))


def spheres(points: np.ndarray, radius: float) -> vtk.vtkPolyData:
    """Return a cloud (N, 3) as spheres."""
    source = vtk.vtkSphereSource()
    source.SetRadius(1.0)
    source.SetThetaResolution(_AROUND)
    source.SetPhiResolution(_UP)
    source.Update()
    unit = vtk_to_numpy(source.GetOutput().GetPoints().GetData()).astype(np.float64)
    unit -= unit.mean(axis=0)  # exactly symmetric
    triangles = vtk_to_numpy(source.GetOutput().GetPolys().GetConnectivityArray()).reshape(-1, 3)
    count, vertices = len(points), len(unit)
    cloud = vtk.vtkPolyData()
    cloud.SetPoints(_points((points[:, None] + radius * unit).reshape(-1, 3)))
    connectivity = (triangles[None] + vertices * np.arange(count)[:, None, None]).reshape(-1)
    polygons = vtk.vtkCellArray()
    polygons.SetData(3, numpy_to_vtkIdTypeArray(np.ascontiguousarray(connectivity, dtype=np.int64), deep=True))
    cloud.SetPolys(polygons)
    normals = numpy_to_vtk(np.tile(unit.astype(np.float32), (count, 1)), deep=True)
    normals.SetName("Normals")
    cloud.GetPointData().SetNormals(normals)
    _add(cloud, POINT, np.repeat(np.arange(count, dtype=np.int32), vertices))
    return cloud


def centres(cloud: vtk.vtkPolyData | None) -> np.ndarray:
    """Return the points of a cloud of spheres (N, 3), in the model's own coordinates."""
    numbers = cloud.GetPointData().GetArray(POINT) if cloud is not None else None
    if numbers is None or cloud.GetNumberOfPoints() == 0:
        return np.zeros((0, 3))
    numbers = vtk_to_numpy(numbers).astype(int)
    vertices = vtk_to_numpy(cloud.GetPoints().GetData()).astype(np.float64)
    counts = np.maximum(1, np.bincount(numbers))
    return np.stack([np.bincount(numbers, vertices[:, axis]) / counts for axis in range(3)], axis=1)


def resize(node: object, scale: float) -> None:
    """Replace the spheres of a model by larger or smaller ones."""
    points = centres(node.GetPolyData())
    if len(points):
        node.SetAndObservePolyData(spheres(points, scale * usualRadius(points)))


def lines(fixed: np.ndarray, moved: np.ndarray, confidence: np.ndarray, partner: np.ndarray) -> vtk.vtkPolyData:
    """Return correspondences: line n joins vertex 2n, a fixed point, with vertex 2n + 1, its mapped position.

    Both vertices have the arrays *Confidence* (0 to 1), *Displacement* (mm) and *PartnerDistance*, the distance of the most probable
    partner from there (mm).
    """
    count = len(fixed)
    result = vtk.vtkPolyData()
    result.SetPoints(_points(np.stack([fixed, moved], axis=1).reshape(-1, 3)))
    cells = vtk.vtkCellArray()
    cells.SetData(2, numpy_to_vtkIdTypeArray(np.arange(2 * count, dtype=np.int64), deep=True))
    result.SetLines(cells)
    for name, values in (
        ("Displacement", np.linalg.norm(moved - fixed, axis=1)),
        ("PartnerDistance", np.linalg.norm(partner - moved, axis=1)),
        (CONFIDENCE, confidence),
    ):
        _add(result, name, np.repeat(values, 2).astype(np.float32))
    result.GetPointData().SetActiveScalars(CONFIDENCE)
    return result


def _points(values: np.ndarray) -> vtk.vtkPoints:
    points = vtk.vtkPoints()
    points.SetDataTypeToDouble()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(values, dtype=np.float64), deep=True))
    return points


def _add(data: vtk.vtkPolyData, name: str, values: np.ndarray) -> None:
    array = numpy_to_vtk(np.ascontiguousarray(values), deep=True)
    array.SetName(name)
    data.GetPointData().AddArray(array)


def confidenceColors() -> object:
    """Return the colours of confidence: one table in the scene, which all results share."""
    node = next(
        (other for other in slicer.util.getNodesByClass("vtkMRMLColorTableNode") if other.GetAttribute("DeepReg.Colors") == CONFIDENCE),
        None,
    )
    if node is None:
        node = newNode("vtkMRMLColorTableNode", COLORS, fillColors)
    return node


def fillColors(node: object) -> None:
    """Set the colours of a colour table."""
    node.SetAttribute("DeepReg.Colors", CONFIDENCE)
    node.SetTypeToUser()
    node.SetNumberOfColors(101)
    places = np.linspace(0.0, 1.0, len(CONFIDENCES))
    for number in range(101):
        node.SetColor(number, f"{number} %", *(float(np.interp(number / 100.0, places, channel)) for channel in CONFIDENCES.T), 1.0)
