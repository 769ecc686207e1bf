"""Volumes and label maps between the scene and files for the engine.

Files are in world coordinates: parent transforms are applied. A rigid parent only changes the geometry in the header; under any other
one (a shear, unequal scales, a warp) the volume is resampled in the world.

Everything is a generator that yields often, see :mod:`cooperative`. It works on the image data that the node had at the beginning: a
node may be removed meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import vtk_to_numpy

from deepreg_slicer import nrrd
from deepreg_slicer.errors import NodeError
from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.parents import parentTransform

# Approximate number of voxels of a slab that is resampled in one step: a few milliseconds of work.
_SLAB_VOXELS = 200_000


@dataclass
class Snapshot:
    """The state of a volume at one moment.

    Args:
        name: of its node.
        image: voxels; shared with the node.
        ijkToRas: 4x4, indices to the node's own coordinates.
        toWorld: from the node's own coordinates to the world, both RAS; None for the identity.
    """

    name: str
    image: vtk.vtkImageData
    ijkToRas: np.ndarray
    toWorld: vtk.vtkAbstractTransform | None

    @property
    def size(self) -> tuple[int, int, int]:
        return tuple(self.image.GetDimensions())

    def values(self) -> np.ndarray:
        """Return all voxels, flat, i fastest; a view, not a copy."""
        return vtk_to_numpy(self.image.GetPointData().GetScalars())


def snapshot(node: Any, without: Any = None) -> Snapshot:
    """Return the present state of a volume node.

    Args:
        node: the volume.
        without: a transform above it that is left out.

    Raises:
        NodeError: if it has no voxels, is not a scalar volume, or has an invalid geometry.
    """
    name = node.GetName()
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None or min(image.GetDimensions()) < 1:
        raise NodeError(_("the volume {name} is empty").format(name=name), _("load or choose another"))
    components = image.GetNumberOfScalarComponents()
    if components != 1:
        raise NodeError(
            _("the volume {name} has {components} components a voxel").format(name=name, components=components), _("choose a scalar volume")
        )
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    copy = vtk.vtkImageData()
    copy.ShallowCopy(image)  # later changes of the node must not change the snapshot
    return Snapshot(name, copy, fromVtkMatrix(matrix), parentTransform(node, without))


def worldGeometry(shot: Snapshot) -> tuple[Geometry, bool]:
    """Return the geometry of a volume in the world, and whether it has to be resampled there.

    Raises:
        NodeError: if its axes are degenerate.
    """
    linear = shot.toWorld is None or isinstance(shot.toWorld, vtk.vtkTransform)
    if linear:
        toWorld = np.eye(4) if shot.toWorld is None else fromVtkMatrix(shot.toWorld.GetMatrix())
        matrix = toWorld @ shot.ijkToRas
        try:
            return Geometry.fromIjkToRas(shot.size, matrix), False
        except ValueError as error:
            lengths = np.linalg.norm(matrix[:3, :3], axis=0)
            if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-6 * np.prod(lengths):
                advice = _("correct its transform") if shot.toWorld is not None else _("correct its geometry in the module Volumes")
                raise NodeError(_("the axes of the volume {name} are degenerate").format(name=shot.name), advice) from error
    return _boundingGeometry(shot), True


def _boundingGeometry(shot: Snapshot) -> Geometry:
    """Return a grid in the world around a volume, with the rotation and the resolution of the volume."""
    last = np.array(shot.size, dtype=np.float64) - 1.0
    steps = [np.linspace(0.0, n, 9) for n in last]
    lattice = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    points = mapPoints(shot.toWorld, lattice @ shot.ijkToRas[:3, :3].T + shot.ijkToRas[:3, 3])
    middle = last / 2.0
    ends = np.concatenate([middle + 0.5 * np.eye(3), middle - 0.5 * np.eye(3)])
    world = mapPoints(shot.toWorld, ends @ shot.ijkToRas[:3, :3].T + shot.ijkToRas[:3, 3])
    columns = (world[:3] - world[3:]).T
    spacing = np.linalg.norm(columns, axis=0)
    if not np.isfinite(points).all() or spacing.min() < 1e-9:
        raise NodeError(_("the transform above the volume {name} is degenerate").format(name=shot.name), _("correct it, or remove it"))
    left, _lengths, right = np.linalg.svd(columns / spacing)
    axes = left @ right  # the rotation (or reflection) nearest to the volume's axes
    inside = points @ axes
    lower, upper = inside.min(axis=0), inside.max(axis=0)
    size = np.maximum(1, np.ceil((upper - lower) / spacing - 1e-6).astype(int) + 1)
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing
    matrix[:3, 3] = axes @ ((lower + upper) / 2.0 - spacing * (size - 1) / 2.0)
    return Geometry.fromIjkToRas(tuple(size.tolist()), matrix)


def writeVolume(
    shot: Snapshot,
    path: str,
    labels: bool = False,
    change: Callable[[np.ndarray], np.ndarray] | None = None,
    write: Callable[[str, np.ndarray, Geometry], Iterator[float]] | None = None,
) -> Generator[float, None, Geometry]:
    """Write a volume in world coordinates; returns its geometry there.

    Args:
        shot: the volume.
        path: of the file.
        labels: resample it, should that be needed, by the nearest neighbour.
        change: applied to pieces of the voxels, such as to choose one label.
        write: writes flat voxels with a geometry, in pieces; as NRRD by default.

    Raises:
        NodeError: if it has no geometry.
    """
    geometry, changed = worldGeometry(shot)
    values = shot.values()
    if changed:
        values = yield from resampled(shot, geometry, labels)
    if change is not None:
        sample = change(values[:1])
        result = np.empty(values.size, dtype=sample.dtype)
        step = nrrd.PIECE_BYTES // values.itemsize
        for start in range(0, values.size, step):
            result[start : start + step] = change(values[start : start + step])
            yield 0.0
        values = result
    yield from (write or nrrd.write)(path, values, geometry)
    return geometry


def resampled(shot: Snapshot, geometry: Geometry, labels: bool) -> Generator[float, None, np.ndarray]:
    """Return the voxels of a volume on a grid of the world, flat, slab by slab."""
    source = vtk.vtkImageData()
    source.ShallowCopy(shot.image)
    source.SetOrigin(0.0, 0.0, 0.0)
    source.SetSpacing(1.0, 1.0, 1.0)
    chain = vtk.vtkGeneralTransform()
    chain.PostMultiply()
    chain.Concatenate(toVtkMatrix(geometry.ijkToRas()))
    if shot.toWorld is not None:
        chain.Concatenate(shot.toWorld.GetInverse())
    chain.Concatenate(toVtkMatrix(np.linalg.inv(shot.ijkToRas)))
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(source)
    reslice.SetResliceTransform(chain)
    reslice.SetOutputOrigin(0.0, 0.0, 0.0)
    reslice.SetOutputSpacing(1.0, 1.0, 1.0)
    reslice.SetInterpolationModeToNearestNeighbor() if labels else reslice.SetInterpolationModeToLinear()
    reslice.SetBackgroundLevel(0.0 if labels else float(shot.image.GetScalarRange()[0]))
    pieces = []
    across, depth = geometry.size[0] * geometry.size[1], geometry.size[2]
    step = max(1, _SLAB_VOXELS // across)
    for start in range(0, depth, step):
        stop = min(depth, start + step)
        reslice.SetOutputExtent(0, geometry.size[0] - 1, 0, geometry.size[1] - 1, start, stop - 1)
        reslice.Update()
        pieces.append(vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars()).copy())
        yield stop / depth
    return np.concatenate(pieces)


def readImage(path: str) -> Generator[float, None, tuple[vtk.vtkImageData, Geometry]]:
    """Read a file of the worker's; returns image data without geometry, and the geometry.

    Raises:
        nrrd.NrrdError: if it is damaged.
    """
    header = nrrd.readHeader(path)
    image = vtk.vtkImageData()
    image.SetDimensions(*header.geometry.size)
    image.AllocateScalars(vtk.util.numpy_support.get_vtk_array_type(header.dtype.newbyteorder("=")), header.components)
    target = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(-1)
    yield from nrrd.read(path, header, target)
    return image, header.geometry


def setVolume(node: Any, image: vtk.vtkImageData, geometry: Geometry) -> None:
    """Set voxels and world geometry of a volume node; its parent transform is removed."""
    node.SetAndObserveTransformNodeID(None)
    node.SetIJKToRASMatrix(toVtkMatrix(geometry.ijkToRas()))
    node.SetAndObserveImageData(image)


def showLike(node: Any, other: Any) -> None:
    """Show a volume with the window, level and colours of another, so that they can be compared by eye."""
    display, like = node.GetDisplayNode(), other.GetDisplayNode()
    if like is None or not like.IsA("vtkMRMLScalarVolumeDisplayNode"):
        return
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(like.GetWindow(), like.GetLevel())
    if like.GetColorNodeID():
        display.SetAndObserveColorNodeID(like.GetColorNodeID())


def mapPoints(transform: vtk.vtkAbstractTransform | None, points: np.ndarray) -> np.ndarray:
    """Map points (N, 3) through a VTK transform."""
    points = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3)
    if transform is None:
        return points
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    source.SetDataTypeToDouble()
    target.SetDataTypeToDouble()
    source.SetData(vtk.util.numpy_support.numpy_to_vtk(points, deep=True))
    transform.TransformPoints(source, target)
    return vtk_to_numpy(target.GetData()).astype(np.float64).reshape(-1, 3)


def toVtkMatrix(matrix: np.ndarray) -> vtk.vtkMatrix4x4:
    """Return a 4x4 array as a VTK matrix."""
    result = vtk.vtkMatrix4x4()
    result.DeepCopy(np.asarray(matrix, dtype=np.float64).ravel().tolist())
    return result


def fromVtkMatrix(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """Return a VTK matrix as a 4x4 array."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def uniqueName(name: str, node: Any = None) -> str:
    """Return a name that no other node of the scene has: the name itself, or with a number as in "name (2)".

    Args:
        name: that is wanted.
        node: that may have it already.
    """
    number, found = 1, name
    while any(other is not node for other in _named(found)):
        number += 1
        found = f"{name} ({number})"
    return found


def _named(name: str) -> list[Any]:
    found = slicer.mrmlScene.GetNodesByName(name)
    found.UnRegister(slicer.mrmlScene)
    return [found.GetItemAsObject(number) for number in range(found.GetNumberOfItems())]


def newNode(className: str, name: str, prepare: Callable[[Any], Any] | None = None) -> Any:
    """Return a new node in the scene, with a unique name, that undo can remove.

    Args:
        className: of the node.
        name: of the node; a number is appended, as in "name (2)", if there is one of that name.
        prepare: fills the node before it is added; views and trees see it complete.
    """
    node = slicer.mrmlScene.CreateNodeByClass(className)
    node.UnRegister(None)
    node.SetName(uniqueName(name))
    node.SetUndoEnabled(True)
    if prepare is not None:
        prepare(node)
    return slicer.mrmlScene.AddNode(node)
