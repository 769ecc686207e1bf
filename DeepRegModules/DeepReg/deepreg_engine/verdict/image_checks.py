"""Checks of the images: how much of the patient is in both, whether they agree, and whether they were aligned already."""

from __future__ import annotations

import math
from collections.abc import Mapping

from deepreg_engine.verdict.checks import Check, Limits

# Share of the fixed image's body that lies in the moving one.
COVERED = Limits(0.5, 0.1, higher=True)
#: Weights by which measures of the result are combined to its agreement, and the constant (""): a logistic regression of results that
#: are known to be right or wrong, see docs/benchmarks.md.
AGREEMENT = {"information": 4.3, "mismatch": -4.7, "best": 6.3, "": -2.2}
# Agreement, 0 to 1. With less than the first a result is to be checked, with less than the second it is bad.
AGREES = Limits(0.5, 0.2, higher=True)
#: The same of a linear result: without a deformation, images of two people agree less.
AGREES_LINEAR = Limits(0.1, 0.04, higher=True)
# The result has to be checked if the images agree less than the first value after the alignment, unless they agree at least as much as the
# second value after the registration.
_ALIGNED, _EXCELLENT = 0.08, 0.95
# Median standard deviation of the displacement in the last search, in its steps.
UNCERTAIN = Limits(2.2, 3.2)
# Increase of the mismatch of self-similarities above which a result is worse than none; mismatch below which images are aligned.
_LOST, _SAME = 0.1, 0.03
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


def agreement(measures: Mapping[str, float], stage: str = "result") -> float | None:
    """Return the agreement of the images under the "alignment" or the "result", 0 to 1, or None if it is not known.

    It is the estimated probability that a result with these measures is right, where as many results are wrong as are right.
    """
    terms = {name: measures.get(f"{name}_{stage}") if name else 1.0 for name in AGREEMENT}
    known = {name: value for name, value in terms.items() if value is not None}
    if len(known) < len(terms):
        return None
    return 1.0 / (1.0 + math.exp(-sum(weight * known[name] for name, weight in AGREEMENT.items())))


def alignment_check(measures: Mapping[str, float]) -> Check | None:
    """Return a failed check if the images agree so little after the alignment that a deformation seldom finds the right position.

    None if it did, if it is not known, or if the images agree very well after the deformation.
    """
    before, after = agreement(measures, "alignment"), agreement(measures)
    if before is None or before >= _ALIGNED or (after is not None and after >= _EXCELLENT):
        return None
    reason = "the images agreed very little after the initial alignment"
    return Check("alignment", "check", reason, "check the orientation of both images and the initial alignment", before)


def loss_check(measures: Mapping[str, float]) -> Check | None:
    """Return a failed check if the images agree less than without a transform; None if not, or if they overlapped too little to know."""
    start, result = measures.get("mismatch_start"), measures.get("mismatch_result")
    if start is None or result is None or measures.get("covered_start", 0.0) < COVERED.check or result - start <= _LOST:
        return None
    reason = "the images agree less than before the registration"
    return Check("loss", "bad", reason, "check the initial alignment or transform, and register again", result - start)


def search_check(measures: Mapping[str, float]) -> Check | None:
    """Return whether the search was certain; None without a search."""
    value = measures.get("uncertainty_steps")
    if value is None:
        return None
    level = UNCERTAIN.level(value)
    reason, next_step = "the search was certain", "" if level == "good" else _ADVICE
    if level != "good":
        reason = "the search found many positions equally likely"
    return Check("search", level, reason, next_step, value, "steps", UNCERTAIN)


def aligned_already(measures: Mapping[str, float]) -> bool:
    """Return whether the images agreed nearly everywhere without a transform, and the result moves them by less than a coarse voxel."""
    return measures.get("mismatch_start", 1.0) < _SAME and measures.get("moved_mm", math.inf) < measures.get("voxel_mm", 0.0)


def agreement_check(measures: Mapping[str, float], linear: bool = False) -> Check | None:
    """Return whether the images agree at the position that was found; None if it is not known. ``linear`` results agree less."""
    value = agreement(measures)
    if value is None:
        return None
    limits = AGREES_LINEAR if linear else AGREES
    level = limits.level(value)
    reason, next_step = "the images agree", "" if level == "good" else _ADVICE
    if level != "good":
        reason = "the images agree only in part" if level == "check" else "the images do not agree"
    return Check("agreement", level, reason, next_step, value, "", limits)
