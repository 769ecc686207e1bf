"""The verdict on a registration: all checks, the most important first."""

from __future__ import annotations

from typing import Any

from deepreg_engine.verdict.checks import Check, summary
from deepreg_engine.verdict.evidence import Evidence
from deepreg_engine.verdict.given_checks import landmark_check, point_checks, rating_checks, structure_check
from deepreg_engine.verdict.image_checks import agreement_check, aligned_already, alignment_check, coverage_check, loss_check, search_check
from deepreg_engine.verdict.remarks import remark_checks
from deepreg_engine.verdict.shape_checks import folding_check, inverse_check, stretch_check


def conclude(evidence: Evidence) -> dict[str, Any]:
    """Return the verdict on a registration, plain data: "level", "line", "reason", "next_step", "checks", and "measures"."""
    report, measures = evidence.report, evidence.measures
    found = [
        landmark_check(report.get("landmarks") or {}),
        structure_check(report.get("overlap") or {}),
        *remark_checks(report.get("notes") or ()),
        coverage_check(measures),
        loss_check(measures),
        agreement_check(measures, evidence.linear),
        alignment_check(measures),
        search_check(measures),
        *point_checks(report.get("points") or {}, (report.get("parameters") or {}).get("solver") == "drift"),
        stretch_check(measures),
        folding_check(report.get("regularity") or {}),
        inverse_check(report),
        stopped_check(str(report.get("stopped") or "")),
        *rating_checks(list(evidence.ratings)),
    ]
    checks = [check for check in found if check is not None]
    reason = _good(checks)
    if aligned_already(measures):
        reason = "the images were aligned already, and hardly anything was moved"
    return {**summary(checks, reason), "measures": measures}


def _good(checks: list[Check]) -> str:
    """Return the reason of a good verdict: what was measured of it, the most telling first."""
    known = {check.name: check.reason for check in checks}
    for name in ("landmarks", "structures", "agreement", "points", "distances"):
        if name in known:
            return known[name]
    reason = "nothing that was checked is out of the ordinary"
    return reason


def stopped_check(stage: str) -> Check | None:
    """Return a failed check if a run was stopped before its end; None if it was not."""
    if not stage:
        return None
    reason, next_step = f"the run was stopped after {stage}", "register again to the end for a final result"
    return Check("stopped", "check", reason, next_step)
