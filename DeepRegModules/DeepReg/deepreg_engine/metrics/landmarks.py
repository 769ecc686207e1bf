"""Target registration error: how far corresponding landmarks still are from each other.

Source: Fitzpatrick, West and Maurer, "Predicting error in rigid-body point-based registration", IEEE TMI 1998; the name
and its use for any registration. Here the error of a pair is ``T(fixed) - moving`` in the moving image, LPS mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.points import PointSet
from deepreg_engine.metrics.mapping import Mapping, map_points, outside_field

# Tenths of a micrometre: below any measurement, and short in a file.
_DIGITS = 4
# The median absolute deviation of a normal distribution, times this, is its standard deviation.
_MAD_TO_SD = 1.4826
# Errors closer together than this are the same, mm: without it rounding makes outliers of equal errors.
_SAME = 1e-6


def outlier_limit(distances: np.ndarray) -> float:
    """Errors (mm) above this are outliers: median + 3 x 1.4826 x median absolute deviation. Infinite for fewer than three."""
    distances = np.asarray(distances, dtype=np.float64)
    if len(distances) < 3:
        return float("inf")
    median = np.median(distances)
    return float(median + 3.0 * _MAD_TO_SD * np.median(np.abs(distances - median)) + _SAME)


@dataclass(frozen=True)
class LandmarkErrors:
    """Errors of landmark pairs.

    Args:
        vectors: (N, 3), LPS mm: mapped fixed point minus moving point; N is 1 or more.
    """

    vectors: np.ndarray

    @property
    def distances(self) -> np.ndarray:
        """Lengths of the errors (N,), mm."""
        return np.linalg.norm(self.vectors, axis=1)

    def summary(self) -> dict:
        """Count and, in mm: mean, median, sd, percentile95, max, and the mean absolute error along each LPS axis.

        ``sd`` is the sample standard deviation (N - 1 in the denominator), as papers give it; 0 for one landmark.
        """
        distances = self.distances
        median, percentile95 = np.percentile(distances, [50, 95])
        per_axis = np.abs(self.vectors).mean(axis=0)
        return {
            "count": len(distances),
            "mean": float(distances.mean()),
            "median": float(median),
            "sd": float(distances.std(ddof=1)) if len(distances) > 1 else 0.0,
            "percentile95": float(percentile95),
            "max": float(distances.max()),
            "mean_absolute_per_axis": {axis: float(value) for axis, value in zip("xyz", per_axis)},
        }


def landmark_errors(transform: Mapping, fixed: np.ndarray, moving: np.ndarray) -> LandmarkErrors:
    """Errors of landmark pairs under a transform.

    Args:
        transform: takes fixed points to moving points; None is the identity. A landmark outside the grid of a
            displacement field stays where it is, as in ITK.
        fixed: (N, 3), LPS mm.
        moving: (N, 3), LPS mm; the n-th belongs to the n-th fixed one.

    Raises:
        InputError: if there are no pairs, or not as many fixed as moving landmarks.
    """
    fixed, moving = (np.asarray(points, dtype=np.float64).reshape(-1, 3) for points in (fixed, moving))
    if len(fixed) != len(moving):
        raise InputError(
            f"there are {len(fixed)} fixed landmarks but {len(moving)} moving landmarks", "each needs its partner, in the same order"
        )
    if len(fixed) == 0:
        raise InputError("there are no landmarks", "give at least one pair")
    return LandmarkErrors(map_points(transform, fixed) - moving)


def landmark_report(transform: Mapping, fixed: PointSet, moving: PointSet) -> dict:
    """Errors before and after, and those of each pair, in plain numbers.

    Returns:
        "before" and "after": see :meth:`LandmarkErrors.summary`; "outside_field": how many landmarks the displacement
        field does not reach, so that for them after is before; "each": a list of label, fixed, moving and mapped point
        (LPS mm), before_mm, after_mm and error_mm (mapped minus moving along x, y, z).

    Raises:
        InputError: see :func:`landmark_errors`.
    """
    before = landmark_errors(None, fixed.positions, moving.positions)
    after = landmark_errors(transform, fixed.positions, moving.positions)
    each = [
        {
            "label": label,
            "fixed": _plain(source),
            "moving": _plain(target),
            "mapped": _plain(target + error),
            "before_mm": round(float(old), _DIGITS),
            "after_mm": round(float(new), _DIGITS),
            "error_mm": _plain(error),
        }
        for label, source, target, error, old, new in zip(
            fixed.labels, fixed.positions, moving.positions, after.vectors, before.distances, after.distances
        )
    ]
    return {
        "before": before.summary(),
        "after": after.summary(),
        "outside_field": int(outside_field(transform, fixed.positions).sum()),
        "each": each,
    }


def _plain(vector: np.ndarray) -> list[float]:
    return [round(float(value), _DIGITS) for value in vector]
