"""How well-behaved a deformation is: folding, and how unevenly it changes volumes."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid


def regularity(field: DisplacementField, mask: sitk.Image | None = None) -> dict:
    """Statistics of the Jacobian determinant of x + u(x) over the field's grid.

    Args:
        field: the deformation.
        mask: scalar image on the field's grid; only its voxels that are not 0 count.

    Returns:
        folding_percent: share of the voxels with a determinant of 0 or less, in percent.
        sd_log_jacobian: standard deviation (population) of the determinant's natural logarithm over the voxels where
            it is positive; None if there is none. Folded voxels have no logarithm: they are counted above and left
            out here, where the Learn2Reg challenge shifts and clips the determinant so as to include them.
        min_jacobian, max_jacobian, mean_jacobian: of the determinant itself; 1 is no change of volume.
        voxels: how many were measured.

    Raises:
        InputError: if the mask is on another grid, or empty.
    """
    determinant = field.jacobian_determinant().ravel()
    if mask is not None:
        determinant = determinant[_inside(mask, field.grid)]
    determinant = determinant.astype(np.float64)
    positive = determinant[determinant > 0]
    return {
        "folding_percent": 100.0 * (determinant.size - positive.size) / determinant.size,
        "sd_log_jacobian": float(np.log(positive).std()) if positive.size else None,
        "min_jacobian": float(determinant.min()),
        "max_jacobian": float(determinant.max()),
        "mean_jacobian": float(determinant.mean()),
        "voxels": int(determinant.size),
    }


def _inside(mask: sitk.Image, grid: ImageGrid) -> np.ndarray:
    if not ImageGrid.of(mask).same_as(grid):
        raise InputError(
            f"the mask ({ImageGrid.of(mask).describe()}) is not on the grid of the displacement field ({grid.describe()})",
            "resample it there",
        )
    inside = sitk.GetArrayViewFromImage(mask).ravel() != 0
    if not inside.any():
        raise InputError("the mask is empty", "give a mask with voxels that are not 0")
    return inside
