"""Checks of the transform itself: folding, changes of volume, the stretch of the alignment, and the inverse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepreg_engine.metrics.regularity import MOST_FOLDED
from deepreg_engine.verdict.checks import Check, Limits

# Share of folded voxels, %.
FOLDED = Limits(0.0, MOST_FOLDED)
# Stretch of an alignment along one direction, a factor. Of one person it is below 1.15, of two people below 1.4.
STRETCH = Limits(1.45, 1.8)
# Largest error of the inverse, mm.
INVERSE = Limits(3.0, 10.0)
_ADVICE = "raise the smoothness and register again, or use the alignment alone"


def folding_check(regularity: Mapping[str, Any]) -> Check | None:
    """Return whether the deformation folds, from the section "regularity" of a report; None if it is not known."""
    share = regularity.get("folding_percent")
    if share is None:
        return None
    level = FOLDED.level(share)
    reason = "the deformation does not fold" if level == "good" else f"{share:.2g} % of the voxels are folded"
    return Check("folding", level, reason, "" if level == "good" else _ADVICE, share, "%", FOLDED)


def stretch_check(measures: Mapping[str, float]) -> Check | None:
    """Return whether the stretch of the alignment is plausible; None if it is not known."""
    stretch = measures.get("stretch")
    if stretch is None:
        return None
    level = STRETCH.level(stretch)
    reason, next_step = "the scale of both images is plausible", ""
    if level != "good":
        reason = f"the alignment stretches the image by a factor of {stretch:.2f}"
        next_step = "check the voxel spacing of both images, and that they show the same part of the body"
    return Check("stretch", level, reason, next_step, stretch, "", STRETCH)


def inverse_check(report: Mapping[str, Any]) -> Check | None:
    """Return whether the inverse belongs to the transform, from the sections of a report; None without an inverse."""
    inverse, consistency = report.get("inverse") or {}, report.get("inverse_consistency") or {}
    error = consistency.get("percentile95", inverse.get("mean_round_trip_mm"))
    if error is None:
        return None
    level = INVERSE.level(error)
    reason = f"points that are mapped forward and back return within {error:.2g} mm"
    next_step = ""
    if level != "good":
        reason = f"points that are mapped forward and back miss their starting point by {error:.1f} mm"
        next_step = "give the inverse that belongs to the transform, or raise the smoothness"
    return Check("inverse", level, reason, next_step, error, "mm", INVERSE)
