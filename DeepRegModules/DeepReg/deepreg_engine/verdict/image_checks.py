"""Checks of the images: how much of the patient is in both, whether they agree, and whether they were aligned already."""

from __future__ import annotations

import math
from collections.abc import Mapping

from deepreg_engine.verdict.checks import Check, Limits

# Share of the fixed image's body that lies in the moving one.
COVERED = Limits(0.5, 0.1, higher=True)
#: Weights by which measures of the result are combined to its agreement, and the constant (""): a logistic regression of results that
#: are known to be right or wrong, see docs/benchmarks.md.
AGREEMENT = {"information_result": 3.7, "mismatch_result": -5.6, "best_here": 6.1, "": -2.7}
# Agreement, 0 to 1. With less than the first a result is to be checked, with less than the second it is bad.
AGREES = Limits(0.5, 0.2, higher=True)
_ADVICE = "check that both images show the same part of the body, and look at the result before you use it"


def coverage_check(measures: Mapping[str, float]) -> Check | None:
    """Return whether enough of the fixed image's body lies in the moving image; None if it is not known."""
    share = measures.get("covered")
    if share is None:
        return None
    level = COVERED.level(share)
    reason = f"{100 * share:.0f} % of the body in the fixed image lies inside the moving image"
    next_step = "" if level == "good" else "use the result only where both images show the patient"
    if level != "good":
        reason = f"only {100 * share:.0f} % of the body in the fixed image lies inside the moving image"
    return Check("coverage", level, reason, next_step, share, "", COVERED)


def agreement(measures: Mapping[str, float]) -> float | None:
    """Return the agreement of the images under the result, 0 to 1, or None if it is not known.

    It is the estimated probability that a result with these measures is right, where as many results are wrong as are right.
    """
    if any(name and name not in measures for name in AGREEMENT):
        return None
    return 1.0 / (1.0 + math.exp(-sum(weight * (measures[name] if name else 1.0) for name, weight in AGREEMENT.items())))


def agreement_check(measures: Mapping[str, float]) -> Check | None:
    """Return whether the images agree at the position that was found; None if it is not known."""
    value = agreement(measures)
    if value is None:
        return None
    level = AGREES.level(value)
    reason, next_step = "the images agree", "" if level == "good" else _ADVICE
    if level != "good":
        reason = "the images agree only in part" if level == "check" else "the images do not agree"
    return Check("agreement", level, reason, next_step, value, "", AGREES)
