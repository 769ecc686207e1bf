"""Transforms between the scene and files for the engine.

The engine's field takes a fixed point x to its moving point x + u(x), LPS mm, ITK's resampling direction. A Slicer transform that takes
the moving image onto the fixed one has the same mapping as its *transform from parent*. It is stored as that, never inverted, as a
``vtkOrientedGridTransform`` of float vectors in RAS.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from deepreg_slicer import nrrd
from deepreg_slicer.nrrd import Geometry, NrrdError
from deepreg_slicer.volumes import NodeError, fromVtkMatrix, mapPoints, readImage, toVtkMatrix

_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
# A transform that is not linear is sampled on a grid of about this number of points for the worker.
_SAMPLES = 400_000
# Points that are mapped at a time.
_PIECE = 4096


def writeFromParent(node: Any, region: Geometry, path: str) -> Generator[float, None, str]:
    """Write the mapping of fixed points by a transform node, in world coordinates: the inverse of its effect on a volume below it.

    Args:
        node: a transform node; it takes moving to fixed as Slicer applies it.
        region: of the fixed points.
        path: of the file, without its ending.

    Returns:
        The file: ``.tfm`` of a linear transform, ``.nrrd`` of any other.

    Raises:
        NodeError: if it cannot be inverted.
    """
    if node.IsTransformToWorldLinear():
        matrix = vtk.vtkMatrix4x4()
        node.GetMatrixTransformToWorld(matrix)
        return _writeLinear(fromVtkMatrix(matrix), node.GetName(), f"{path}.tfm")
    general, fromWorld = vtk.vtkGeneralTransform(), vtk.vtkGeneralTransform()
    node.GetTransformFromWorld(general)
    fromWorld.DeepCopy(general)
    grid = sampling(region)
    matrix = grid.ijkToRas()
    vectors = np.empty((grid.voxels, 3), dtype=np.float32)
    across = grid.size[0] * grid.size[1]
    for start in range(0, grid.voxels, _PIECE):
        number = np.arange(start, min(start + _PIECE, grid.voxels))
        index = np.stack([number % grid.size[0], number % across // grid.size[0], number // across], axis=1)
        points = index @ matrix[:3, :3].T + matrix[:3, 3]
        vectors[number] = mapPoints(fromWorld, points) - points
        yield start / grid.voxels
    if not np.isfinite(vectors).all():
        raise NodeError(
            _("the transform {name} cannot be evaluated everywhere in the fixed volume").format(name=node.GetName()), _("choose another")
        )
    vectors[:, :2] *= -1.0
    yield from writeVectors(f"{path}.nrrd", vectors, grid)
    return f"{path}.nrrd"


def sampling(region: Geometry) -> Geometry:
    """Return a grid over a region and a little around it, of about :data:`_SAMPLES` points, no finer than the region's."""
    spacing = np.array(region.spacing)
    extent = spacing * (np.array(region.size) - 1)
    step = np.maximum(spacing, (np.prod(np.maximum(extent, spacing)) / _SAMPLES) ** (1.0 / 3.0))
    size = np.ceil(extent / step).astype(int) + 5
    middle = np.array(region.origin) + region.direction @ (extent / 2.0)
    origin = middle - region.direction @ (step * (size - 1) / 2.0)
    return Geometry(tuple(size.tolist()), tuple(step.tolist()), tuple(origin.tolist()), region.direction)


def _writeLinear(toParent: np.ndarray, name: str, path: str) -> str:
    if abs(np.linalg.det(toParent[:3, :3])) < 1e-9 or not np.isfinite(toParent).all():
        raise NodeError(_("the transform {name} cannot be inverted").format(name=name), _("choose another"))
    matrix = _FLIP @ np.linalg.inv(toParent) @ _FLIP
    numbers = " ".join(repr(float(number)) for number in (*matrix[:3, :3].ravel(), *matrix[:3, 3]))
    lines = (
        "#Insight Transform File V1.0",
        "#Transform 0",
        "Transform: AffineTransform_double_3_3",
        f"Parameters: {numbers}",
        "FixedParameters: 0 0 0",
        "",
    )
    with open(path, "w", encoding="ascii") as stream:
        stream.write("\n".join(lines))
    return path


def writeVectors(path: str, vectors: np.ndarray, grid: Geometry) -> Generator[float, None, None]:
    """Write a displacement field, vectors (N, 3) float32 in LPS mm, i fastest."""
    directions = " ".join(f"({x!r},{y!r},{z!r})" for x, y, z in (grid.direction * np.array(grid.spacing)).T.tolist())
    origin = ",".join(repr(float(o)) for o in grid.origin)
    header = (
        "NRRD0004",
        "type: float",
        "dimension: 4",
        "space: left-posterior-superior",
        "sizes: 3 " + " ".join(str(n) for n in grid.size),
        f"space directions: none {directions}",
        "kinds: vector domain domain domain",
        "endian: little",
        "encoding: raw",
        f"space origin: ({origin})",
        "intent_code:=1006",
    )
    with open(path, "wb") as stream:
        stream.write(("\n".join(header) + "\n\n").encode("ascii"))
        step = nrrd.PIECE_BYTES // 12
        for start in range(0, len(vectors), step):
            stream.write(np.ascontiguousarray(vectors[start : start + step], dtype="<f4").data)
            yield min(1.0, (start + step) / len(vectors))


def readField(path: str) -> Generator[float, None, vtk.vtkAbstractTransform]:
    """Read a displacement field of the engine; return it as a transform from parent.

    Raises:
        NrrdError: if it is damaged.
    """
    image, geometry = yield from readImage(path)
    if image.GetNumberOfScalarComponents() != 3:
        raise NrrdError(f"{path} is not a displacement field")
    vectors = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(-1, 3)
    step = nrrd.PIECE_BYTES // 12
    for start in range(0, len(vectors), step):
        vectors[start : start + step, :2] *= -1.0
        yield min(1.0, (start + step) / len(vectors))
    return gridTransform(image, geometry)


def readLinear(path: str) -> np.ndarray:
    """Read a linear transform of the engine (``.tfm``); return its matrix (4, 4), from parent, RAS mm.

    Raises:
        NrrdError: if it is damaged.
    """
    with open(path, encoding="ascii") as stream:
        lines = dict(line.rstrip().split(": ", 1) for line in stream if ": " in line)
    try:
        numbers, centre = (np.array([float(number) for number in lines[key].split()]) for key in ("Parameters", "FixedParameters"))
        linear, shift = numbers[:9].reshape(3, 3), numbers[9:]
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = linear, shift + centre - linear @ centre
    except (KeyError, ValueError) as error:
        raise NrrdError(f"{path} is not a linear transform") from error
    return _FLIP @ matrix @ _FLIP


def gridTransform(image: vtk.vtkImageData, geometry: Geometry) -> vtk.vtkAbstractTransform:
    """Return a transform from vectors in RAS mm on a grid, with linear interpolation as in ITK."""
    import slicer

    matrix = geometry.ijkToRas()
    direction = np.eye(4)
    direction[:3, :3] = matrix[:3, :3] / np.array(geometry.spacing)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(matrix[:3, 3])
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(image)
    transform.SetGridDirectionMatrix(toVtkMatrix(direction))
    transform.SetInterpolationModeToLinear()
    return transform


def interpolateLinearly(node: Any) -> None:
    """Restore a grid transform from a file to its state before saving: files do not contain the interpolation, and the application sets
    cubic splines."""
    transform = node.GetTransformFromParentAs("vtkOrientedGridTransform", False)
    if transform is not None and transform.GetInterpolationModeAsString() != "Linear":
        transform.SetInterpolationModeToLinear()


def setFromParent(node: Any, transform: vtk.vtkAbstractTransform | np.ndarray, fixed: Any, moving: Any) -> None:
    """Set a transform node to the result of a registration, with references to its fixed and moving node.

    Args:
        node: the transform node.
        transform: from parent; the matrix (4, 4), RAS mm, of a linear one. The node gets the inverse of a matrix as its transform to
            parent, which the application shows and edits.
        fixed, moving: the nodes, or None.
    """
    node.SetAndObserveTransformNodeID(None)
    if isinstance(transform, np.ndarray):
        node.SetMatrixTransformToParent(toVtkMatrix(np.linalg.inv(transform)))
    else:
        node.SetAndObserveTransformFromParent(transform)
    for role, other in ((node.GetFixedNodeReferenceRole(), fixed), (node.GetMovingNodeReferenceRole(), moving)):
        node.SetNodeReferenceID(role, other.GetID() if other is not None and other.GetScene() is not None else None)
