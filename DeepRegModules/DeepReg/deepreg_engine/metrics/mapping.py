"""The mapping whose quality is measured, from fixed to moving points, and where it is defined."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.transform_files import field_grid

# Takes fixed LPS points to moving LPS points, mm; None is the identity.
Mapping = sitk.Transform | DisplacementField | None


def map_points(mapping: Mapping, points: np.ndarray) -> np.ndarray:
    """Map fixed LPS points (N, 3), mm, to moving LPS points (N, 3), mm.

    A point outside the grid of a displacement field stays where it is, as in ITK; see :func:`outside_field`.
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    if mapping is None:
        return points.copy()
    if isinstance(mapping, DisplacementField):
        return mapping.map_points(points)
    return np.array([mapping.TransformPoint(point) for point in points.tolist()], dtype=np.float64).reshape(-1, 3)


def outside_field(mapping: Mapping, points: np.ndarray) -> np.ndarray:
    """Return which fixed LPS points (N, 3) lie outside the grid of a displacement field or B-spline (N,), bool.

    Their displacement is not known. The parts of a composite transform are followed in the order in which they are applied.
    Other transforms, such as an affine one, are defined everywhere.
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    if mapping is None:
        return np.zeros(len(points), dtype=bool)
    if isinstance(mapping, DisplacementField):
        return ~mapping.grid.contains(points)
    outside = np.zeros(len(points), dtype=bool)
    if mapping.GetName() == "CompositeTransform":
        composite = sitk.CompositeTransform(mapping)
        for number in reversed(range(composite.GetNumberOfTransforms())):  # the last one that was added is applied first
            part = composite.GetNthTransform(number)
            outside |= outside_field(part, points)
            points = map_points(part, points)
        return outside
    if mapping.GetName() == "BSplineTransform":
        spline = sitk.BSplineTransform(mapping)
        axes = np.reshape(spline.GetTransformDomainDirection(), (3, 3))
        place = (points - spline.GetTransformDomainOrigin()) @ axes  # the axes are orthonormal
        return ~np.all((place >= 0.0) & (place <= spline.GetTransformDomainPhysicalDimensions()), axis=1)
    grid = field_grid(mapping)
    return outside if grid is None else ~grid.contains(points)


def to_transform(mapping: Mapping) -> sitk.Transform:
    """Return the same mapping as a SimpleITK transform."""
    if mapping is None:
        return sitk.Transform(3, sitk.sitkIdentity)
    return mapping.to_transform() if isinstance(mapping, DisplacementField) else mapping
