"""The result of a registration of points: the map, and the partners of the points."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deepreg_engine.arrays import array_of, tensor_of
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.solvers.kernel import SmoothMap
from deepreg_engine.solvers.thin_plate import ThinPlate


@dataclass
class PointsResult:
    """The result of a registration of points.

    Args:
        map: from fixed to moving points, LPS mm.
        moved: the mapped fixed points (N, 3), mm.
        partners: index of the most probable moving point of each fixed point (N,).
        confidence: probability (N,) that a fixed point's partner lies within 5 mm, times the length scale, of the mapped point.
        spread: standard deviation (N,) of the partner's position under the marginals of belief propagation, else sigma, mm.
        alignment: matrix (4, 4) of the alignment before the deformation.
        sigma: standard deviation of the partners around the map in coherent point drift, mm; None if it was not used.
        stages: one entry for each stage of the computation.
        seconds: duration of the parts, and "total".
        notes: remarks for the user.
        device: description of the device.
        features: name of the compared features.
        plate: spline that replaces the map between the points, with the interpolation "thin-plate".
        stopped: what was done last in a run that was ended early; "" for a run to the end.
    """

    map: SmoothMap
    moved: np.ndarray
    partners: np.ndarray
    confidence: np.ndarray
    spread: np.ndarray
    alignment: np.ndarray
    sigma: float | None
    stages: list[dict]
    seconds: dict[str, float]
    notes: list[str]
    device: str
    features: str
    plate: ThinPlate | None = None
    stopped: str = ""

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Map any fixed points (M, 3), LPS mm, to moving points (M, 3)."""
        tensor = tensor_of(np.asarray(points, dtype=np.float64).reshape(-1, 3))
        if self.plate is not None:
            return array_of(tensor + self.plate(tensor))
        return array_of(self.map(tensor))

    def field(self, grid: ImageGrid) -> DisplacementField:
        """Return the displacement field on a grid, mm."""
        if self.plate is not None:
            return self.plate.field(grid)
        return DisplacementField(self.map.displacements(grid), grid)

    def scaled(self, factor: float) -> PointsResult:
        """Return the result of the same registration with all positions multiplied by a factor."""
        alignment = self.alignment.copy()
        alignment[:3, 3] *= factor
        return replace(
            self,
            map=self.map.scaled(factor),
            moved=self.moved * factor,
            spread=self.spread * factor,
            alignment=alignment,
            sigma=None if self.sigma is None else self.sigma * factor,
            stages=[
                {name: _multiplied(value, factor) if name.endswith("_mm") else value for name, value in s.items()} for s in self.stages
            ],
            plate=None if self.plate is None else self.plate.scaled(factor),
        )


def _multiplied(value: float | list[float], factor: float) -> float | list[float]:
    return [each * factor for each in value] if isinstance(value, list) else value * factor
