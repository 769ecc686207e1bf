"""Memory of a linear registration. No torch."""

from __future__ import annotations

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.resolution import bytes_of
from deepreg_engine.methods.linear.parameters import LinearParameters

# Values of 4 bytes: per voxel of the fixed image (its copy without outliers, its displacements in the outputs), of the moving image, and
# of the finest images of the search (images, gradients and samples).
_FIXED, _MOVING, _FINEST = 14.0, 4.0, 30.0


def estimate_memory(fixed: ImageGrid, moving: ImageGrid, parameters: LinearParameters) -> float:
    """Return the peak memory of a run, bytes."""
    finest = min(1e6 * parameters.working_voxels, float(fixed.voxels))
    return bytes_of(_FIXED * fixed.voxels + _MOVING * moving.voxels + _FINEST * finest)
