"""One check of the verdict: a measure, its limits, and a sentence with the next step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from deepreg_engine.verdict.line import LEVELS, line

#: Titles of the checks for readers, by name; those of notes and figures have titles of their own.
TITLES = {
    "landmarks": "Check landmarks",
    "structures": "Structures",
    "points": "Partners of points",
    "distances": "Distances to partners",
    "search": "Certainty of the search",
    "coverage": "Common part",
    "agreement": "Agreement of the images",
    "alignment": "Initial alignment",
    "loss": "Agreement before and after",
    "stretch": "Alignment",
    "folding": "Folding",
    "inverse": "Inverse",
    "stopped": "Run",
}


@dataclass(frozen=True)
class Limits:
    """The limits of a measure.

    Args:
        check: the result is to be checked beyond this.
        bad: it is bad beyond this.
        higher: whether higher values are better.
    """

    check: float
    bad: float
    higher: bool = False

    def level(self, value: float) -> str:
        """Return "good", "check" or "bad"; a value that is not finite is to be checked."""
        if not math.isfinite(value):
            return "check"
        for level, limit in (("bad", self.bad), ("check", self.check)):
            if (value < limit) if self.higher else (value > limit):
                return level
        return "good"


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Args:
        name: its identifier.
        level: "good", "check" or "bad".
        reason: what was found, a clause with a small first letter and no full stop.
        next_step: what to do about it, likewise; "" for a good outcome.
        value: the measure; None without a number.
        unit: of the measure.
        limits: of the measure.
        title: its name for readers; "" for that of :data:`TITLES`.
    """

    name: str
    level: str
    reason: str
    next_step: str = ""
    value: float | None = None
    unit: str = ""
    limits: Limits | None = None
    title: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain data."""
        limits = None if self.limits is None else dict(vars(self.limits))
        return {**vars(self), "title": self.title or TITLES[self.name], "limits": limits}


def worst(checks: Iterable[Check]) -> Check | None:
    """Return the first check of the worst level; None without any."""
    return max(checks, key=lambda check: LEVELS.index(check.level), default=None)


def summary(checks: list[Check], good: str) -> dict[str, Any]:
    """Return the verdict of several checks, which are in the order of their importance.

    Args:
        checks: their outcomes.
        good: reason of a good verdict.
    """
    found = worst(checks)
    level = found.level if found is not None else "good"
    reason, next_step = (good, "") if found is None or level == "good" else (found.reason, found.next_step)
    return {
        "level": level,
        "line": line(level, reason, next_step),
        "reason": reason,
        "next_step": next_step,
        "checks": [check.to_dict() for check in checks],
    }
