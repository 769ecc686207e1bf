"""The ratings of a report: which figures are rated, and the limits of green, amber and red.

The default limits follow the tolerances of AAPM TG-132 (Brock, Mutic, McNutt, Li and Kessler, "Use of image registration and fusion
algorithms and techniques in radiotherapy", Medical Physics 44, 2017) where it has one: an error of 2 to 3 mm or the largest voxel
dimension, at most 5 mm; a Dice coefficient of 0.8 to 0.9; no negative Jacobian determinant. They are a starting point and not clinical
limits: each task has its own.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from deepreg_engine.errors import ParameterError
from deepreg_engine.metrics.regularity import MOST_FOLDED

#: Ratings, from good to bad, and their meanings.
WORDS = {"green": "within limits", "amber": "review", "red": "outside limits"}
#: Light of each level of the verdict.
LIGHTS = {"good": "green", "check": "amber", "bad": "red"}
SOURCE = "The limits follow AAPM TG-132 (2017) where it has one; they are a starting point, not clinical limits."


@dataclass(frozen=True)
class Limit:
    """The rating of one figure.

    Args:
        key: its identifier.
        title: its name for readers.
        where: path of the figure in the nested dictionaries of figures, its names separated by dots.
        before: path of the same figure before the registration; "" if there is none.
        unit: of the figure and of both limits.
        green: the figure is green up to this limit (from this limit on, if ``higher``).
        amber: it is amber up to this limit (from this limit on), and red beyond.
        higher: whether higher figures are better.
        digits: number of digits after the decimal point.
    """

    key: str
    title: str
    where: str
    before: str
    unit: str
    green: float
    amber: float
    higher: bool
    digits: int

    def rate(self, value: float) -> str:
        """Return "green", "amber" or "red". Figures are compared unrounded; one that is not finite is red."""
        if not math.isfinite(value):
            return "red"
        for rating, limit in (("green", self.green), ("amber", self.amber)):
            if (value >= limit) if self.higher else (value <= limit):
                return rating
        return "red"

    def rule(self) -> dict[str, str]:
        """Return the range of each rating as text."""
        sign, other = ("\u2265", "<") if self.higher else ("\u2264", ">")
        unit = f" {self.unit}" if self.unit else ""
        return {"green": f"{sign} {self.green:g}{unit}", "amber": f"{sign} {self.amber:g}{unit}", "red": f"{other} {self.amber:g}{unit}"}


LIMITS = (
    Limit("tre_median", "Landmark error, median", "landmarks.after.median", "landmarks.before.median", "mm", 2.0, 3.0, False, 2),
    Limit("tre_95", "Landmark error, 95 %", "landmarks.after.percentile95", "landmarks.before.percentile95", "mm", 3.0, 5.0, False, 2),
    Limit("dice", "Dice, mean of structures", "overlap.mean_after.dice", "overlap.mean_before.dice", "", 0.8, 0.7, True, 3),
    Limit("folding", "Folded voxels", "deformation.regularity.folding_percent", "", "%", 0.0, MOST_FOLDED, False, 4),
    Limit("jacobian_min", "Smallest Jacobian", "deformation.regularity.min_jacobian", "", "", 0.2, 0.02, True, 3),
    Limit("jacobian_max", "Largest Jacobian", "deformation.regularity.max_jacobian", "", "", 3.0, 12.0, False, 3),
    Limit("inverse_95", "Inverse consistency, 95 %", "inverse_consistency.percentile95", "", "mm", 2.0, 3.0, False, 3),
)


def limits_with(changes: Mapping[str, Iterable[float]]) -> tuple[Limit, ...]:
    """Return all limits, some of them changed.

    Args:
        changes: key to the limits of green and amber.

    Raises:
        ParameterError: on an unknown key, a value that is not a pair of numbers, or an amber limit that is stricter than the green one.
    """
    known = {limit.key: limit for limit in LIMITS}
    for key, pair in changes.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise ParameterError(f"there is no limit {key!r}", advice, "limit")
        try:
            green, amber = (float(number) for number in pair)
        except (TypeError, ValueError) as error:
            raise ParameterError(f"the limit {key} needs two numbers", "give one for green and one for amber", "limit") from error
        if not (math.isfinite(green) and math.isfinite(amber)):
            raise ParameterError(f"the limit {key} is not finite", "give two numbers", "limit")
        if (amber > green) if known[key].higher else (amber < green):
            order = "at least as high as" if known[key].higher else "at most as high as"
            raise ParameterError(
                f"the limits of {key}, {green:g} and {amber:g}, are in the wrong order", f"green has to be {order} amber", "limit"
            )
        known[key] = replace(known[key], green=green, amber=amber)
    return tuple(known.values())


def rate(figures: Mapping[str, Any], limits: Iterable[Limit]) -> list[dict[str, Any]]:
    """Rate the figures that exist.

    Returns:
        For each: "key", "title", "unit", "value", "before" (None if there is none), "rating", "green" and "amber" (the limits), "higher",
        "rule".
    """
    found = []
    for limit in limits:
        value = _at(figures, limit.where)
        if value is None:
            continue
        found.append(
            {
                "key": limit.key,
                "title": limit.title,
                "unit": limit.unit,
                "value": value,
                "before": _at(figures, limit.before),
                "rating": limit.rate(value),
                "green": limit.green,
                "amber": limit.amber,
                "higher": limit.higher,
                "rule": limit.rule(),
            }
        )
    return found


def _at(figures: Mapping[str, Any], where: str) -> float | None:
    value: Any = figures if where else None
    for name in where.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
