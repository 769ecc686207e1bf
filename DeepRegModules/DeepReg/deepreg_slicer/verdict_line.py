"""The verdict on a result as a line of a panel: icon, colour, reason and next step; its checks in the tool tip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slicer.i18n import tr as _

from deepreg_engine.verdict.line import WORDS, verdict_in
from deepreg_slicer.appearance import BAD, CAUTION, GOOD, setTone
from deepreg_slicer.engine_texts import engineText
from deepreg_slicer.engine_texts import sentence as engineSentence

#: Tone of each level, and a sign of another shape for each, so that levels differ without colours too.
TONES = {"good": GOOD, "check": CAUTION, "bad": BAD}
SIGNS = {"good": "\u25cf", "check": "\u25b2", "bad": "\u25a0"}


def verdictText(report: Mapping[str, Any] | None) -> str:
    """Return the verdict of a report as one line in the user's language, with its sign; "" without one."""
    verdict = verdict_in(report)
    if not verdict:
        return ""
    level = verdict["level"]
    sentences = [engineSentence(str(verdict.get(part) or "")) for part in ("reason", "next_step")]
    return f"{SIGNS[level]} {engineText(WORDS[level])}: {' '.join(text for text in sentences if text)}"


def verdictDetails(report: Mapping[str, Any] | None) -> str:
    """Return the checks of a verdict in the user's language, one a line, each with its sign; "" without one."""
    checks = verdict_in(report).get("checks") or []
    lines = [f"{SIGNS.get(each['level'], '')} {engineText(each['title'])}: {engineSentence(each['reason'])}" for each in checks]
    if not lines:
        return ""
    return "\n".join((*lines, "", _("The verdict is an estimate. It does not replace looking at the result.")))


def showVerdict(label: Any, report: Mapping[str, Any] | None) -> None:
    """Show the verdict of a report in a label; without one the label is hidden."""
    text = verdictText(report)
    label.text = text
    label.toolTip = verdictDetails(report)
    if text:
        setTone(label, TONES[verdict_in(report)["level"]])
    label.setVisible(bool(text))
