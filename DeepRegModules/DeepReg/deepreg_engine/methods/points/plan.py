"""The grid on which keypoints are detected, and the memory of a registration of points. No torch."""

from __future__ import annotations

import numpy as np

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.lengths import with_factor
from deepreg_engine.methods.common.resolution import bytes_of
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.points.presets import POINTS_PRESETS

# Largest number of voxels of the grid of keypoints; larger images increase its voxel size.
_VOXELS = 60_000_000
# All numbers count values of 4 bytes. The first three: per voxel of the fixed image and of the moving image while the field is written, and
# per voxel of both while keypoints are detected.
_FIELD, _MOVING, _IMAGES = 10.0, 3.0, 3.0
# Per voxel of the grid of keypoints; per voxel of a slab whose structure tensors are in memory; and the number of voxels of a slab.
_WORK, _TENSORS, _SLAB = 8.7, 26.0, 1_500_000
# Per pair of a fixed and a moving keypoint: two matrices in double precision.
_PAIRS = 4.0


def keypoint_grid(image: ImageGrid, parameters: PointsParameters) -> ImageGrid:
    """Return the grid of cubic voxels on which the keypoints of an image are detected."""
    scale = with_factor(parameters, POINTS_PRESETS, image).length_scale
    extent = np.array(image.size) * image.spacing
    return image.resampled(max(scale * parameters.keypoint_spacing, float((np.prod(extent) / _VOXELS) ** (1 / 3))))


def estimate_memory(fixed: ImageGrid, moving: ImageGrid, parameters: PointsParameters) -> float:
    """Return the peak memory of a registration by the keypoints of two images, bytes, without a refinement."""
    parameters = with_factor(parameters, POINTS_PRESETS, fixed)
    work = float(max(keypoint_grid(image, parameters).voxels for image in (fixed, moving)))
    detection = _IMAGES * (fixed.voxels + moving.voxels) + _WORK * work + _TENSORS * min(work, _SLAB)
    writing = _FIELD * fixed.voxels + _MOVING * moving.voxels
    matching = _IMAGES * (fixed.voxels + moving.voxels) + _PAIRS * float(parameters.keypoint_count) ** 2
    return bytes_of(max(detection, matching, writing))
