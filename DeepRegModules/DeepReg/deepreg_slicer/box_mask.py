"""The mask of a box: the voxels of a volume whose centres lie in a region of interest, also one that is rotated or below transforms."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from deepreg_slicer import nrrd
from deepreg_slicer.errors import NodeError
from deepreg_slicer.nrrd import Geometry
from deepreg_slicer.parents import parentTransform
from deepreg_slicer.volumes import fromVtkMatrix, mapPoints

# Number of voxels that are tested in one step: some milliseconds of work.
_PIECE = 200_000


def isBox(node: Any) -> bool:
    """Return whether a node is a region of interest."""
    return node is not None and node.IsA("vtkMRMLMarkupsROINode")


def insideBox(roi: Any, points: np.ndarray) -> np.ndarray:
    """Return which points (N, 3), RAS mm in the world, lie in a region of interest (N,), bool."""
    toWorld = parentTransform(roi)
    own = mapPoints(toWorld.GetInverse(), points) if toWorld is not None else np.asarray(points, dtype=np.float64)
    toObject = np.linalg.inv(fromVtkMatrix(roi.GetObjectToNodeMatrix()))
    inObject = own @ toObject[:3, :3].T + toObject[:3, 3]
    return (np.abs(inObject) <= np.array(roi.GetSize()) / 2.0 + 1e-9).all(axis=1)


def checkBox(roi: Any) -> None:
    """Check that a region of interest is placed and has a size.

    Raises:
        NodeError: if not.
    """
    if min(roi.GetSize()) <= 0.0:
        raise NodeError(_("the box {name} is not placed yet").format(name=roi.GetName()), _("draw it in the slice views"), "fixed_mask")


def writeBox(roi: Any, geometry: Geometry, path: str) -> Generator[float, None, None]:
    """Write the mask of a region of interest on a grid: 1 inside, 0 elsewhere.

    Raises:
        NodeError: if no voxel of the grid lies in it.
    """
    checkBox(roi)
    matrix = geometry.ijkToRas()
    mask = np.empty(geometry.voxels, dtype=np.uint8)
    for start in range(0, geometry.voxels, _PIECE):
        number = np.arange(start, min(start + _PIECE, geometry.voxels))
        index = np.stack(np.unravel_index(number, geometry.size, order="F"), axis=1)
        mask[number] = insideBox(roi, index @ matrix[:3, :3].T + matrix[:3, 3])
        yield start / geometry.voxels
    if not mask.any():
        text = _("the box {name} lies outside the fixed volume").format(name=roi.GetName())
        raise NodeError(text, _("move it onto the volume, or register the whole volume"), "fixed_mask")
    yield from nrrd.write(path, mask, geometry)
