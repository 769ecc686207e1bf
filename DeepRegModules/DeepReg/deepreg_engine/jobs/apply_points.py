"""Points that are brought along: in which direction they go, and with what error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.inverse_points import Inverted, to_fixed_points
from deepreg_engine.geometry.transform_files import field_grid
from deepreg_engine.metrics.mapping import map_points, outside_field

# A larger error of the inversion is noted, mm.
_CLEAR_ERROR = 0.1


class PointMap:
    """The mapping of points by a transform in both directions.

    Args:
        transform: takes fixed points to moving points.
        inverse: takes moving points to fixed points; None if it is to be computed.
        grid: of the fixed image; None if it is not known.
    """

    def __init__(self, transform: sitk.Transform, inverse: sitk.Transform | None, grid: ImageGrid | None) -> None:
        self._transform, self._inverse, self._grid = transform, inverse, grid

    def measured(self, side: str) -> MeasuredMap:
        """Return the mapping of the points of a side, which measures what it does."""
        return MeasuredMap(self, side)

    def forward(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the moving points (N, 3) of fixed points (N, 3), mm, and which lie outside the transform's grid (N,), bool."""
        return _mapped(self._transform, points), outside_field(self._transform, points)

    def backward(self, points: np.ndarray) -> Inverted:
        """Return the fixed points of moving points (N, 3), mm, and the errors of the inversion."""
        if self._inverse is None:
            return to_fixed_points(self._transform, points, self._grid)
        found, outside = _mapped(self._inverse, points), outside_field(self._inverse, points)
        errors = np.linalg.norm(_mapped(self._transform, found) - points, axis=1)
        known = ~(outside | outside_field(self._transform, found))
        return Inverted(found, np.where(known, errors, 0.0), ~known)


class MeasuredMap:
    """Maps points of one side, LPS mm, and measures what it does.

    Args:
        mapping: of both directions.
        side: "moving", whose points go to the fixed side, or "fixed".

    Attributes:
        outside: number of points outside the transform's grid.
    """

    def __init__(self, mapping: PointMap, side: str) -> None:
        self._mapping, self._side = mapping, side
        self.outside = 0
        self._errors: list[np.ndarray] = []

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the points (N, 3) on the other side."""
        if self._side == "fixed":
            found, outside = self._mapping.forward(points)
            self.outside += int(outside.sum())
            return found
        inverted = self._mapping.backward(points)
        self.outside += int(inverted.outside.sum())
        self._errors.append(inverted.errors)
        return inverted.points

    def errors(self) -> dict[str, float]:
        """Return the largest and the mean error of the inversion, mm. Points of the fixed side need no inversion, and have no errors."""
        if not self._errors:
            return {}
        errors = np.concatenate(self._errors)
        return {"round_trip_mm": float(errors.max(initial=0.0)), "mean_round_trip_mm": float(errors.mean()) if len(errors) else 0.0}

    def note(self, path: str, count: int) -> str:
        """Return a note on points outside the field and on a clear error of the inversion, "" without either."""
        notes = []
        if self.outside and self._side == "fixed":
            notes.append(
                f"{self.outside} of {count} points of {Path(path).name} lie outside the displacement field and stay where they are"
            )
        elif self.outside:
            notes.append(
                f"{self.outside} of {count} points of {Path(path).name} are mapped to points outside the displacement field, whose "
                "nearest displacement was used"
            )
        worst = self.errors().get("round_trip_mm", 0.0)
        if worst > _CLEAR_ERROR:
            notes.append(f"the inverse is exact only to {worst:.2g} mm for points of {Path(path).name}")
        return "; ".join(notes)


def _mapped(transform: sitk.Transform, points: np.ndarray) -> np.ndarray:
    """Map points (N, 3), mm; those of a displacement field all at once."""
    grid = field_grid(transform)
    if grid is None:
        return map_points(transform, points)
    return DisplacementField.from_transform(transform, grid).map_points(points)
