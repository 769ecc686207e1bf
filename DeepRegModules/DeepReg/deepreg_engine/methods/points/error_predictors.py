"""Measures from which the error of a run of the Points method is predicted at any point, by the fixed points around it.

The eight nearest fixed points have Gaussian weights, whose width is half the distance of the eighth.

| predictor | what |
|---|---|
| nearest, eighth | distance to the nearest and to the eighth fixed point, mm |
| doubt | 1 - mean confidence |
| partner_distance | root mean square distance of the moved points from their partners, mm |
| disagreement | standard deviation of the vectors to the partners, mm: large where neighbours contradict each other |
| spread | mean standard deviation of the partner under the marginals, mm |
| moving_distance | mean distance of the moved points from the nearest moving point, mm |
| motion | mean length of the displacement beyond the alignment, mm |
| strain | change of the displacement beyond the alignment between the points, relative to their distances |
| doubt_of_all | 1 - mean confidence of all points |
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.methods.common.error_model import Predictors, error_model
from deepreg_engine.methods.common.expected_error import ENDED_EARLY, ExpectedError
from deepreg_engine.methods.points.parameters import PointsParameters
from deepreg_engine.methods.points.result import PointsResult

Clouds = tuple[np.ndarray, np.ndarray]

# Its model was fitted to few landmarks only, and no other pair has confirmed it, surfaces least of all.
_DRIFT_ALONE = "the expected error was not calibrated for coherent point drift alone"
# Points around a point, and the least width of their weights, mm for a length scale of 1.
_AROUND, _NARROWEST = 8, 1.0
# The map has this spacing, mm for a length scale of 1, or a larger one with at most this number of voxels.
_STEP, _VOXELS = 4.0, 150_000


def predictors(points: np.ndarray, clouds: Clouds, found: PointsResult, scale: float) -> Predictors:
    """Return the predictors at points (M, 3), LPS mm.

    Args:
        points: of the fixed side.
        clouds: fixed and moving points that were registered, mm.
        found: their registration.
        scale: length scale.
    """
    fixed, moving = clouds
    distance, index = KDTree(fixed).query(points, min(_AROUND, len(fixed)))
    distance, index = distance.reshape(len(points), -1), index.reshape(len(points), -1)
    width = np.maximum(0.5 * distance[:, -1:], scale * _NARROWEST)
    weights = np.exp(-0.5 * (distance / width) ** 2)
    weights /= weights.sum(1, keepdims=True)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.einsum("mk,mk...->m...", weights, values[index])

    def deviation(values: np.ndarray) -> np.ndarray:
        square = mean((values**2).sum(1)) - (mean(values) ** 2).sum(1)
        return np.sqrt(np.maximum(square, 0.0))

    gaps = moving[found.partners] - found.moved
    beyond = found.moved - fixed @ found.alignment[:3, :3].T - found.alignment[:3, 3]
    doubt = 1.0 - found.confidence
    values = {
        "nearest": distance[:, 0],
        "eighth": distance[:, -1],
        "doubt": mean(doubt),
        "partner_distance": np.sqrt(mean((gaps**2).sum(1))),
        "disagreement": deviation(gaps),
        "spread": mean(found.spread),
        "moving_distance": mean(KDTree(moving).query(found.moved)[0]),
        "motion": mean(np.linalg.norm(beyond, axis=1)),
        "strain": deviation(beyond) / np.maximum(deviation(fixed - fixed.mean(0)), 1e-3 * scale),
        "doubt_of_all": np.full(len(points), float(doubt.mean())),
    }
    return Predictors(values, scale)


def expected_error(
    clouds: Clouds, found: PointsResult, parameters: PointsParameters, grid: ImageGrid, inside: np.ndarray | None = None
) -> ExpectedError:
    """Return the expected error of a registration of points.

    Args:
        clouds, found: as of :func:`predictors`.
        parameters: of the run, with their length scale.
        grid: of the map, see :func:`map_grid`.
        inside: points of the grid that belong to the body (z, y, x); None for the surroundings of the fixed points.
    """
    scale = parameters.length_scale
    at = predictors(grid.points().reshape(-1, 3), clouds, found, scale)
    values = {name: value.reshape(grid.shape) for name, value in at.values.items()}
    if inside is None:
        eighth = KDTree(clouds[0]).query(clouds[0], min(_AROUND, len(clouds[0])))[0]
        inside = values["nearest"] <= float(np.median(eighth.reshape(len(clouds[0]), -1)[:, -1]))
    model = error_model("points, drift" if parameters.solver == "drift" else "points, belief")
    expected = ExpectedError.of(model, Predictors(values, scale), grid, inside, (found.features,))
    reason = ENDED_EARLY if found.stopped else _DRIFT_ALONE if parameters.solver == "drift" else ""
    return expected.moved(np.zeros(grid.shape), reason) if reason else expected


def map_grid(grid: ImageGrid, scale: float) -> ImageGrid:
    """Return the coarse grid on which the expected error is computed; the grid of the field if that is coarser still."""
    step = max(scale * _STEP, (float(np.prod(grid.extent)) / _VOXELS) ** (1 / 3))
    return grid.resampled(np.maximum(step, grid.spacing))
