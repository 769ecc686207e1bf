"""The verdict as one line of text, from a report. Imports nothing that takes time, so that panels may use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Levels, from the best to the worst, and the word with which a line begins.
WORDS = {"good": "Good", "check": "Check", "bad": "Do not use"}
LEVELS = tuple(WORDS)


def verdict_in(report: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the section "verdict" of a report; empty without one, as in reports of earlier versions."""
    found = (report or {}).get("verdict")
    return found if isinstance(found, Mapping) and found.get("level") in WORDS else {}


def level_of(report: Mapping[str, Any] | None) -> str:
    """Return the level of a report's verdict: "good", "check" or "bad"; "" without one."""
    return str(verdict_in(report).get("level", ""))


def verdict_line(report: Mapping[str, Any] | None) -> str:
    """Return the verdict of a report as one line; "" without one."""
    return str(verdict_in(report).get("line", ""))


def line(level: str, reason: str, next_step: str) -> str:
    """Return a line of a level, a reason and the next step, which may be empty."""
    return f"{WORDS[level]}: {reason}" + (f"; {next_step}" if next_step else "")
