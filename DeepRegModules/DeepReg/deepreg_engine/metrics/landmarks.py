"""Target registration error: the distance of corresponding landmarks after a registration.

For a pair of landmarks p (fixed) and q (moving) and a transform T from fixed to moving points the error is the vector
``T(p) - q`` in the moving image, and its length the target registration error (Fitzpatrick, West and Maurer, "Predicting error in
rigid-body point-based registration", IEEE TMI 1998). Before the registration it is ``p - q``.

Outside the grid of a displacement field T(p) is not known: libraries continue a field there in different ways. Such pairs have no error
after the registration, and no statistic includes them. This is the only place where errors of landmarks are computed: for reports, for
the command line, and for the tables and drawings of the panels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deepreg_engine.errors import InputError
from deepreg_engine.geometry.point_readings import FEWEST, Grids, Reading, readings
from deepreg_engine.geometry.points import PointSet
from deepreg_engine.metrics.mapping import Mapping, map_points, outside_field

# Digits of the figures of single pairs, mm: a tenth of a micrometre is below any measurement.
_DIGITS = 4
# The standard deviation of a normal distribution is its median absolute deviation times this.
_MAD_TO_SD = 1.4826
# Another reading of the landmarks is reported if its mean error is below this share of the present one; of at least so many pairs a larger
# share suffices, if the error of most of them, by this share, is smaller.
_BETTER, _BETTER_OF_MANY, _MANY, _WINS = 0.5, 0.7, 8, 0.75
# Errors that differ by less are equal, mm: without this, rounding would make outliers of equal errors.
_SAME = 1e-6


def outlier_limit(distances: np.ndarray) -> float:
    """Return the error above which a pair is an outlier: median + 3 x 1.4826 x median absolute deviation, in mm.

    Infinite for fewer than three errors.
    """
    distances = np.asarray(distances, dtype=np.float64)
    if len(distances) < 3:
        return float("inf")
    median = np.median(distances)
    return float(median + 3.0 * _MAD_TO_SD * np.median(np.abs(distances - median)) + _SAME)


def summarize(vectors: np.ndarray) -> dict:
    """Summarize error vectors (N, 3), mm.

    Returns:
        "count" and, in mm, "mean", "median", "sd", "percentile95" and "max" of their lengths, and "mean_absolute_per_axis" (x, y, z).
        "sd" is the sample standard deviation (N - 1 in the denominator), 0 for one vector. Without any vector all but the count
        are None.
    """
    distances = np.linalg.norm(vectors, axis=1)
    if not len(distances):
        return {"count": 0, **dict.fromkeys(("mean", "median", "sd", "percentile95", "max", "mean_absolute_per_axis"))}
    median, percentile95 = np.percentile(distances, [50, 95])
    per_axis = np.abs(vectors).mean(axis=0)
    return {
        "count": len(distances),
        "mean": float(distances.mean()),
        "median": float(median),
        "sd": float(distances.std(ddof=1)) if len(distances) > 1 else 0.0,
        "percentile95": float(percentile95),
        "max": float(distances.max()),
        "mean_absolute_per_axis": {axis: float(value) for axis, value in zip("xyz", per_axis, strict=True)},
    }


@dataclass(frozen=True)
class LandmarkErrors:
    """Errors of landmark pairs before and after a registration.

    Args:
        fixed, moving: (N, 3), mm; the n-th fixed landmark corresponds to the n-th moving landmark. Any one coordinate system.
        mapped: (N, 3): the fixed landmarks through the transform.
        outside: (N,), bool: pairs whose displacement is not known, see :func:`outside_field`.
        used: (N,), bool: pairs that the user has not excluded.
    """

    fixed: np.ndarray
    moving: np.ndarray
    mapped: np.ndarray
    outside: np.ndarray
    used: np.ndarray

    def __len__(self) -> int:
        return len(self.fixed)

    @property
    def counted(self) -> np.ndarray:
        """Mask (N,) of the pairs that the statistics include, before and after the registration: used, and not outside."""
        return self.used & ~self.outside

    @property
    def before(self) -> np.ndarray:
        """Error vectors before the registration (N, 3): fixed minus moving."""
        return self.fixed - self.moving

    @property
    def after(self) -> np.ndarray:
        """Error vectors after the registration (N, 3): mapped minus moving; NaN outside."""
        return np.where(self.outside[:, None], np.nan, self.mapped - self.moving)

    @property
    def distances_before(self) -> np.ndarray:
        """Lengths of the errors before (N,), mm."""
        return np.linalg.norm(self.before, axis=1)

    @property
    def distances(self) -> np.ndarray:
        """Lengths of the errors after (N,), mm; NaN outside."""
        return np.linalg.norm(self.after, axis=1)

    @property
    def outlier_limit(self) -> float:
        """The limit of :func:`outlier_limit` over the pairs that count, from their errors as they are reported."""
        return outlier_limit(np.round(self.distances[self.counted], _DIGITS))

    @property
    def outliers(self) -> np.ndarray:
        """Mask (N,) of the pairs with an error above the limit, including pairs that are not used."""
        return np.round(self.distances, _DIGITS) > self.outlier_limit

    def summary(self) -> dict:
        """Return "before" and "after" of the pairs that count, see :func:`summarize`."""
        return {stage: summarize(vectors[self.counted]) for stage, vectors in (("before", self.before), ("after", self.after))}


#: Returns the errors of fixed and moving landmarks, each (N, 3), LPS mm.
Errors = Callable[[np.ndarray, np.ndarray], LandmarkErrors]


def landmark_errors(transform: Mapping, fixed: np.ndarray, moving: np.ndarray) -> LandmarkErrors:
    """Compute the errors of landmark pairs under a transform.

    Args:
        transform: from fixed to moving points; None is the identity.
        fixed: (N, 3), LPS mm.
        moving: (N, 3), LPS mm; the n-th corresponds to the n-th fixed one.

    Raises:
        InputError: if there are no pairs, or not as many fixed as moving landmarks.
    """
    fixed, moving = (np.asarray(points, dtype=np.float64).reshape(-1, 3) for points in (fixed, moving))
    if len(fixed) != len(moving):
        raise InputError(
            f"the numbers of landmarks differ: {len(fixed)} fixed, {len(moving)} moving", "each needs its partner, in the same order"
        )
    if len(fixed) == 0:
        raise InputError("there are no landmarks", "give at least one pair")
    return LandmarkErrors(fixed, moving, map_points(transform, fixed), outside_field(transform, fixed), np.ones(len(fixed), dtype=bool))


def check_reached(transform: Mapping, fixed: PointSet) -> None:
    """Raise InputError if no fixed landmark lies inside the displacement field."""
    if outside_field(transform, fixed.positions).all():
        raise InputError("no fixed landmark lies in the displacement field", "check that they belong to it and to its coordinate system")


def misread_note(errors: Errors, fixed: np.ndarray, moving: np.ndarray, grids: Grids = (None, None)) -> str:
    """Return a note if the errors after the registration are much smaller when the landmarks are read in another way; else "".

    Args:
        errors: returns the errors of landmark pairs, each (N, 3), LPS mm.
        fixed, moving: corresponding landmarks (N, 3), LPS mm.
        grids: of the fixed and the moving image, see :func:`deepreg_engine.geometry.point_readings.readings`.
    """
    given = errors(fixed, moving)
    if given.counted.sum() < FEWEST:
        return ""
    best: tuple[float, Reading | None] = (np.inf, None)
    for reading in readings(fixed, moving, grids):
        ratio = _improvement(given, errors(reading.fixed, reading.moving))
        if ratio < best[0]:
            best = ratio, reading
    if best[1] is None:
        return ""
    means = [found.distances[found.counted].mean() for found in (errors(best[1].fixed, best[1].moving), given)]
    why = f"{best[1].why}, or the transform to map in the other direction" if "exchanged" in best[1].why else best[1].why
    return f"with {best[1].how} their mean error would be {means[0]:.1f} mm instead of {means[1]:.1f} mm: {why}"


def _improvement(given: LandmarkErrors, other: LandmarkErrors) -> float:
    """Return the ratio of the mean errors after the registration, of another reading to the given one; infinite if it is no better.

    The other reading is better if the registration reduces its errors, and they are smaller than those of the given reading: by half on
    average, or, if there are many pairs, by less but in nearly all of them.
    """
    both = other.counted & given.counted
    if 2 * other.counted.sum() < given.counted.sum() or both.sum() < FEWEST:
        return np.inf
    before, after = other.distances_before[other.counted].mean(), other.distances[other.counted].mean()
    ratio = float(after / max(given.distances[given.counted].mean(), _SAME))
    wins = (other.distances < given.distances)[both].mean()
    limit = _BETTER_OF_MANY if both.sum() >= _MANY and wins >= _WINS else _BETTER
    return ratio if ratio <= limit and after <= limit * before else np.inf


def landmark_report(transform: Mapping, fixed: PointSet, moving: PointSet) -> dict:
    """Compute the errors of landmark pairs as plain data.

    Returns:
        "before" and "after": see :meth:`LandmarkErrors.summary`; "outside_field": the number of landmarks outside the displacement
        field, which no statistic includes; "each": for each pair label, fixed, moving and mapped point (LPS mm), before_mm, after_mm and
        error_mm (mapped minus moving along x, y, z). Outside the field mapped, after_mm and error_mm are None.

    Raises:
        InputError: see :func:`landmark_errors`.
    """
    errors = landmark_errors(transform, fixed.positions, moving.positions)
    before, after, vectors = errors.distances_before, errors.distances, errors.after
    each = []
    for n, label in enumerate(fixed.labels):
        known = not errors.outside[n]
        each.append(
            {
                "label": label,
                "fixed": _plain(errors.fixed[n]),
                "moving": _plain(errors.moving[n]),
                "mapped": _plain(errors.mapped[n]) if known else None,
                "before_mm": round(float(before[n]), _DIGITS),
                "after_mm": round(float(after[n]), _DIGITS) if known else None,
                "error_mm": _plain(vectors[n]) if known else None,
            }
        )
    return {**errors.summary(), "outside_field": int(errors.outside.sum()), "each": each}


def _plain(vector: np.ndarray) -> list[float]:
    return [round(float(value), _DIGITS) for value in vector]
