"""Volumes for the comparison of a fixed with a registered volume: parts of the registered one without voxels are transparent.

Everything is a generator that yields often, see :mod:`cooperative`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.volumes import Snapshot, resampled, snapshot, worldGeometry

Steps = Generator[float, None, Any]
# Approximate number of voxels of one step: a few milliseconds of work.
_SLAB_VOXELS = 500_000
# Distance of the value of hidden voxels from the others, in ranges of these.
_FAR = 2000.0


@dataclass
class Overlap:
    """Where a registered volume shows the moving one.

    Args:
        inside: (z, y, x), whether a voxel shows it; None if all do.
        middle: centre of these voxels, RAS mm.
    """

    inside: np.ndarray | None
    middle: np.ndarray


def overlap(registered: Any, moving: Any, transform: Any, without: Any) -> Generator[float, None, Overlap]:
    """Return where a registered volume shows the moving one.

    Args:
        registered: volume on the grid of the fixed one.
        moving: volume.
        transform: node of the result, which takes the moving to the fixed volume.
        without: a transform above the moving volume through which it is only shown, or None.
    """
    shot = snapshot(moving, without)
    geometry, _resampled = worldGeometry(snapshot(registered))
    whole = vtk.vtkGeneralTransform()
    whole.PostMultiply()
    if shot.toWorld is not None:
        whole.Concatenate(shot.toWorld)
    toWorld, frozen = vtk.vtkGeneralTransform(), vtk.vtkGeneralTransform()
    transform.GetTransformToWorld(toWorld)
    frozen.DeepCopy(toWorld)
    whole.Concatenate(frozen)
    values = yield from resampled(Snapshot(shot.name, *_block(shot), whole), geometry, True)
    inside = values.reshape(geometry.size[::-1]) > 0
    middle = yield from _middle(inside, geometry)
    return Overlap(None if bool(inside.all()) else inside, middle)


def _block(shot: Snapshot) -> tuple[vtk.vtkImageData, np.ndarray]:
    """Return an image of two voxels an axis, all 1, that ends where a volume does; and its matrix from indices to coordinates."""
    image = vtk.vtkImageData()
    image.SetDimensions(2, 2, 2)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    image.GetPointData().GetScalars().Fill(1)
    scale = np.array(shot.size) / 2.0
    matrix = np.diag([*scale, 1.0])
    matrix[:3, 3] = 0.5 * scale - 0.5
    return image, shot.ijkToRas @ matrix


def _middle(inside: np.ndarray, geometry: Geometry) -> Generator[float, None, np.ndarray]:
    """Return the centre of the voxels of a mask (z, y, x), RAS mm; the centre of the grid if the mask is empty."""
    counts, total = np.zeros(3), 0
    for start in _slabs(inside.shape):
        part = inside[start]
        number = int(np.count_nonzero(part))
        total += number
        if number:
            planes = np.arange(inside.shape[0])[start]
            counts += [
                float(part.sum(axis=(0, 1)) @ np.arange(part.shape[2])),
                float(part.sum(axis=(0, 2)) @ np.arange(part.shape[1])),
                float(part.sum(axis=(1, 2)) @ planes),
            ]
        yield 0.0
    index = counts / total if total else (np.array(geometry.size) - 1) / 2.0
    matrix = geometry.ijkToRas()
    return matrix[:3, :3] @ index + matrix[:3, 3]


def without(registered: Any, hidden: np.ndarray | None, board: float = 0.0) -> Generator[float, None, tuple[vtk.vtkImageData, float]]:
    """Return float voxels of a volume in which some have a value far below all others; and the least value that is shown.

    Args:
        registered: the volume.
        hidden: (z, y, x), voxels that are not shown; None for none.
        board: length, mm, of the cubes of a checkerboard, every other of which is not shown; 0 for no checkerboard.
    """
    shot = snapshot(registered)
    values = shot.values().reshape(shot.size[::-1])
    low, high = float(values[0, 0, 0]), float(values[0, 0, 0])
    image, target = _newImage(shot.size)
    for start in _slabs(values.shape):
        target[start] = values[start]
        low, high = min(low, float(target[start].min())), max(high, float(target[start].max()))
        yield 0.0
    spacing = np.linalg.norm(shot.ijkToRas[:3, :3], axis=0)
    odd = [np.floor(np.arange(n) * step / board).astype(int) % 2 if board else None for n, step in zip(shot.size, spacing, strict=True)]
    for start in _slabs(values.shape):
        if hidden is not None:
            target[start][hidden[start]] = _hiddenValue(low, high)
        if board:
            x, y, z = odd
            target[start][(z[start][:, None, None] + y[None, :, None] + x[None, None, :]) % 2 == 0] = _hiddenValue(low, high)
        yield 0.0
    return image, low


def _hiddenValue(low: float, high: float) -> float:
    """Return a value for voxels that are not shown. Between them and others a view interpolates: only a value that is far from all others
    makes the interpolated ones fall below the least value as well."""
    return low - _FAR * max(high - low, 1.0)


def difference(fixed: Any, registered: Any, hidden: np.ndarray | None) -> Generator[float, None, tuple[vtk.vtkImageData, float, float]]:
    """Return registered minus fixed on the grid of the registered volume, the least value that is shown, and the end of the range of grey
    values: 99 % of the lengths of the differences."""
    shot, other = snapshot(registered), snapshot(fixed)
    geometry, _resampled = worldGeometry(shot)
    grid, changed = worldGeometry(other)
    same = not changed and grid.size == geometry.size and np.allclose(grid.ijkToRas(), geometry.ijkToRas(), atol=1e-3)
    flat = other.values() if same else (yield from resampled(other, geometry, False))
    first, second = flat.reshape(geometry.size[::-1]), shot.values().reshape(geometry.size[::-1])
    image, target = _newImage(shot.size)
    low, high, samples = 0.0, 0.0, []
    for start in _slabs(target.shape):
        part = second[start].astype(np.float32) - first[start]
        shown = part if hidden is None else part[~hidden[start]]
        target[start] = part
        if shown.size:
            low, high = min(low, float(shown.min())), max(high, float(shown.max()))
            samples.append(np.abs(shown.reshape(-1)[:: max(1, shown.size // 20_000)]))
        yield 0.0
    if hidden is not None:
        for start in _slabs(target.shape):
            target[start][hidden[start]] = _hiddenValue(low, high)
            yield 0.0
    most = float(np.percentile(np.concatenate(samples), 99.0)) if samples else 0.0
    return image, low, max(most, 1e-6)


def _newImage(size: tuple[int, ...]) -> tuple[vtk.vtkImageData, np.ndarray]:
    """Return a float image of one component, and a view (z, y, x) of its voxels."""
    image = vtk.vtkImageData()
    image.SetDimensions(*size)
    image.AllocateScalars(vtk.VTK_FLOAT, 1)
    return image, vtk_to_numpy(image.GetPointData().GetScalars()).reshape(size[::-1])


def _slabs(shape: tuple[int, ...]) -> list[slice]:
    """Return slices of the first axis of an array, each of a few milliseconds of work."""
    step = max(1, _SLAB_VOXELS // max(1, shape[1] * shape[2]))
    return [slice(start, start + step) for start in range(0, shape[0], step)]
