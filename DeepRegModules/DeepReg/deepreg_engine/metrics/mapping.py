"""What is measured: a transform from fixed to moving points, whatever it comes as."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.transform_files import field_grid

# Takes fixed LPS points to moving LPS points, mm; None leaves them where they are.
Mapping = sitk.Transform | DisplacementField | None


def map_points(mapping: Mapping, points: np.ndarray) -> np.ndarray:
    """Fixed LPS points (N, 3), mm, to moving LPS points (N, 3), mm."""
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    if mapping is None:
        return points.copy()
    if isinstance(mapping, DisplacementField):
        return mapping.map_points(points)
    return np.array([mapping.TransformPoint(point) for point in points.tolist()], dtype=np.float64).reshape(-1, 3)


def outside_field(mapping: Mapping, points: np.ndarray) -> np.ndarray:
    """Which LPS points (N, 3) a displacement field does not reach (N,): it leaves them where they are.

    A mapping without a grid of its own, such as an affine transform, reaches every point.
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    if mapping is None:
        return np.zeros(len(points), dtype=bool)
    grid = mapping.grid if isinstance(mapping, DisplacementField) else field_grid(mapping)
    return ~grid.contains(points) if grid is not None else np.zeros(len(points), dtype=bool)


def to_transform(mapping: Mapping) -> sitk.Transform:
    """The same mapping for SimpleITK's filters."""
    if mapping is None:
        return sitk.Transform(3, sitk.sitkIdentity)
    return mapping.to_transform() if isinstance(mapping, DisplacementField) else mapping
