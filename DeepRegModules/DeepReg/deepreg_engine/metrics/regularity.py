"""Regularity of a deformation: folding, and the spread of local changes of volume."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid

#: Largest share of folded voxels, %, of a usable deformation.
MOST_FOLDED = 0.5


def regularity(field: DisplacementField, mask: sitk.Image | None = None) -> dict:
    """Compute statistics of the Jacobian determinant of x + u(x) over the grid of a displacement field.

    Args:
        field: the deformation.
        mask: scalar image on the field's grid; only voxels where it is not 0 are included.

    Returns:
        "folding_percent": percentage of voxels with a determinant of 0 or less.
        "sd_log_jacobian": standard deviation (population) of the natural logarithm of the determinant over the voxels where it is
        positive; None without any. Folded voxels have no logarithm and are excluded; the Learn2Reg challenge shifts and clips the
        determinant to include them.
        "min_jacobian", "max_jacobian", "mean_jacobian": minimum, maximum and mean of the determinant; 1 is no change of volume.
        "voxels": number of voxels.

    Raises:
        InputError: if the mask is on another grid, or empty.
    """
    return regularity_of(field.jacobian_determinant(), field.grid, mask)


def regularity_of(jacobian: np.ndarray, grid: ImageGrid, mask: sitk.Image | None = None) -> dict:
    """Return the statistics of :func:`regularity` of a Jacobian determinant (z, y, x) on a grid.

    Raises:
        InputError: if the mask is on another grid, or empty.
    """
    determinant = jacobian.ravel()
    if mask is not None:
        determinant = determinant[_inside(mask, grid)]
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


def folding_note(found: dict) -> str:
    """Return a note if more than :data:`MOST_FOLDED` of the voxels are folded, from what :func:`regularity` returns; else ""."""
    share = found["folding_percent"]
    if share <= MOST_FOLDED:
        return ""
    return f"{share:.1f} % of the voxels are folded: the deformation is not invertible there, and the result is not valid"


def _inside(mask: sitk.Image, grid: ImageGrid) -> np.ndarray:
    if not ImageGrid.of(mask).same_as(grid):
        raise InputError(
            f"the mask ({ImageGrid.of(mask).describe()}) is not on the grid of the displacement field ({grid.describe()})",
            "resample the mask to that grid",
            "mask",
        )
    inside = sitk.GetArrayViewFromImage(mask).ravel() != 0
    if not inside.any():
        raise InputError("the mask is empty", "give a mask with voxels that are not 0", "mask")
    return inside
