"""Moving points taken to fixed points through any transform, with the error of the inversion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.beyond import usable
from deepreg_engine.geometry.composition import linear_matrix
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.inversion import inverse_points
from deepreg_engine.geometry.transform_files import field_grid


@dataclass(frozen=True)
class Inverted:
    """Fixed points of moving points.

    Args:
        points: (N, 3), LPS mm.
        errors: (N,), mm: distances between the moving points and those to which the transform takes the fixed points.
        outside: (N,), bool: fixed points outside the transform's grid, where it continues with the displacement at the nearest face.
    """

    points: np.ndarray
    errors: np.ndarray
    outside: np.ndarray


def to_fixed_points(transform: sitk.Transform, moving: np.ndarray, grid: ImageGrid | None) -> Inverted:
    """Return the fixed points that a transform takes to moving points.

    Args:
        transform: from fixed to moving points: linear, a displacement field, or any other that is sampled on the grid.
        moving: (N, 3), LPS mm.
        grid: of the fixed image; needed for a transform that is neither linear nor a displacement field.

    Raises:
        InputError: if the transform cannot be inverted, or such a grid is missing.
    """
    moving = np.asarray(moving, dtype=np.float64).reshape(-1, 3)
    matrix = linear_matrix(transform)
    if matrix is not None:
        if usable(matrix) is None:
            raise InputError("the transform maps all points onto a plane, and cannot be inverted", "compute it again", "transform")
        found = (moving - matrix[:3, 3]) @ np.linalg.inv(matrix[:3, :3]).T
        errors = np.linalg.norm(found @ matrix[:3, :3].T + matrix[:3, 3] - moving, axis=1)
        return Inverted(found, errors, np.zeros(len(moving), dtype=bool))
    where = field_grid(transform) or grid
    if where is None:
        raise InputError("the transform has no grid of its own", "give the reference image whose grid to use", "reference")
    found, errors = inverse_points(DisplacementField.from_transform(transform, where), moving)
    return Inverted(found, errors, ~where.contains(found))
