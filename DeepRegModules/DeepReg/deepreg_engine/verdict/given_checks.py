"""Checks of the landmarks and structures that were given to measure a result, which must not get worse; and of the matches of points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepreg_engine.verdict.checks import Check, Limits

# Errors of landmarks, mm, and Dice coefficients count as equal if they differ by less than this share, or by less than this difference.
_LANDMARK_SHARE, _LANDMARK_MM = 0.02, 0.05
_DICE_MEAN, _DICE_ONE = 0.005, 0.05
# Share of the points with a confident partner, where partners are matched by belief propagation. Coherent point drift rates a partner by
# the spread of all of them, so that a good and a bad result have nearly the same share.
CONFIDENT = Limits(0.42, 0.3, higher=True)
# Median distance of the mapped points to their partners, in distances of the moving points to each other.
APART = Limits(0.75, 1.2)
# The same of coherent point drift alone, for instance of surfaces: a point between those of the other surface is half a distance away.
APART_IN_DRIFT = Limits(1.0, 2.0)
_ADVICE = "compare the result with the alignment alone, and check that the points or structures belong together"


def landmark_check(landmarks: Mapping[str, Any]) -> Check | None:
    """Return whether the check landmarks came nearer to each other, from the section "landmarks" of a report; None if it is not known."""
    before, after = (landmarks.get(stage, {}).get("mean") for stage in ("before", "after"))
    if before is None or after is None:
        return None
    if after > before * (1.0 + _LANDMARK_SHARE) + _LANDMARK_MM:
        reason = f"the error of the check landmarks is larger than before the registration: {after:.1f} instead of {before:.1f} mm"
        return Check("landmarks", "bad", reason, _ADVICE, after, "mm")
    reason = f"the mean error of the check landmarks is {after:.1f} mm, and was {before:.1f} mm before"
    return Check("landmarks", "good", reason, "", after, "mm")


def structure_check(overlap: Mapping[str, Any]) -> Check | None:
    """Return whether the structures overlap better than before, from the section "overlap" of a report; None if it is not known."""
    before, after = (overlap.get(f"mean_{stage}", {}).get("dice") for stage in ("before", "after"))
    if before is None or after is None:
        return None
    if after < before - _DICE_MEAN:
        reason = f"the structures overlap less than before: mean Dice {after:.2f} instead of {before:.2f}"
        return Check("structures", "bad", reason, _ADVICE, after)
    if after <= 0.0:
        reason = "no structure overlaps its partner"
        return Check("structures", "bad", reason, _ADVICE, after)
    for row in overlap.get("labels", ()):
        one, two = row["before"]["dice"], row["after"]["dice"]
        if two < one - _DICE_ONE:
            name = row.get("name", row["label"])
            reason = f"the structure {name} overlaps less than before: Dice {two:.2f} instead of {one:.2f}"
            return Check("structures", "bad", reason, _ADVICE, two)
    reason = f"the mean Dice of the structures is {after:.2f}, and was {before:.2f} before"
    return Check("structures", "good", reason, "", after)


def point_checks(points: Mapping[str, Any], drift: bool = False) -> list[Check]:
    """Return whether enough points have a confident partner, and whether these are near, from the section "points" of a report.

    Args:
        points: the section.
        drift: whether the registration was coherent point drift alone.
    """
    found, advice = [], "check that both sets of points show the same structure, and their orientation and unit"
    share, distance, spacing = (points.get(name) for name in ("confident_share", "median_distance_to_partner_mm", "moving_spacing_mm"))
    if share is not None and not drift:
        level = CONFIDENT.level(share)
        reason = f"{100 * share:.0f} % of the points have a confident partner"
        if level != "good":
            reason = f"only {100 * share:.0f} % of the points have a confident partner"
        found.append(Check("points", level, reason, "" if level == "good" else advice, share, "", CONFIDENT))
    if distance is not None and spacing:
        limits = APART_IN_DRIFT if drift else APART
        level = limits.level(distance / spacing)
        reason = "the points lie near their partners"
        if level != "good":
            reason = f"the points lie {distance:.1f} mm from their partners"
        found.append(Check("distances", level, reason, "" if level == "good" else advice, distance / spacing, "", limits))
    return found


def rating_checks(ratings: list[Mapping[str, Any]]) -> list[Check]:
    """Return one check for each figure of a report that is outside its limits, so that no red light stands beside a good verdict.

    Args:
        ratings: see :func:`deepreg_engine.reporting.limits.rate`.
    """
    found = []
    for entry in ratings:
        if entry["rating"] == "red":
            reason = f"{entry['title']} is outside its limits"
            next_step = "look at this region, or raise the smoothness and register again"
            found.append(
                Check(f"limit {entry['key']}", "check", reason, next_step, entry["value"], entry["unit"], title=str(entry["title"]))
            )
    return found
