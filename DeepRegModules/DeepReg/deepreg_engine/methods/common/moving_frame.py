"""The frame of the moving image: the part of the fixed image's frame into which the moving image is resampled."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.arrays import array_of
from deepreg_engine.geometry.composition import followed_by
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.volume import covered

# A transform that is not linear is sampled with at least this number of points across the moving image's shortest side.
_SAMPLES_ACROSS = 8


def moving_frame(moving: ImageGrid, grid: ImageGrid, alignment: sitk.Transform, reach: float, fixed: ImageGrid) -> ImageGrid:
    """Return the grid, aligned with ``grid``, of all voxels that the alignment takes into the moving image.

    Args:
        moving: grid of the moving image.
        grid: of the resolution.
        alignment: takes fixed points to moving points.
        reach: how far the frame may extend beyond ``grid``, mm.
        fixed: grid of the fixed image, the domain of an alignment that is not linear.
    """
    frame = grid.padded(int(np.ceil(reach / grid.spacing[0])) + 1)
    box = _covered_box(moving, frame, alignment, fixed)
    if box is None:
        return grid
    low = np.clip(np.floor(box[0]).astype(int) - 1, 0, np.array(frame.size))
    high = np.clip(np.ceil(box[1]).astype(int) + 2, 0, np.array(frame.size))
    return grid if np.any(high <= low) else frame.cropped(low, high)


def extrapolated(alignment: sitk.Transform, frame: ImageGrid, fixed: ImageGrid) -> sitk.Transform:
    """Return the alignment on a frame that exceeds the fixed image, see :func:`followed_by`."""
    if alignment.IsLinear():
        return alignment
    return followed_by(DisplacementField.zeros(frame), alignment, fixed).to_transform()


def _covered_box(moving: ImageGrid, frame: ImageGrid, alignment: sitk.Transform, fixed: ImageGrid) -> tuple[np.ndarray, np.ndarray] | None:
    """Return lowest and highest index (x, y, z) of the frame that an alignment takes into the moving image; None if there is none."""
    if alignment.IsLinear():
        inverse = alignment.GetInverse()
        ends = np.stack(np.meshgrid(*((-0.5, n - 0.5) for n in moving.size), indexing="ij"), axis=-1).reshape(-1, 3)
        corners = [inverse.TransformPoint(point) for point in moving.index_to_physical(ends).tolist()]
        index = frame.physical_to_index(np.array(corners))
        return index.min(axis=0), index.max(axis=0)
    coarse = frame.resampled(max(frame.spacing[0], float(min(moving.extent)) / _SAMPLES_ACROSS))
    found = np.argwhere(array_of(covered(moving, coarse, extrapolated(alignment, coarse, fixed))) > 0)[:, ::-1]
    if not len(found):
        return None
    ends = coarse.index_to_physical(np.stack([found.min(axis=0) - 1.0, found.max(axis=0) + 1.0]))
    index = frame.physical_to_index(ends)
    return index[0], index[1]
