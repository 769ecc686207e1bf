"""How far a cohort is. No torch."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deepreg_engine.cohort.folder import DONE, FAILED, CohortFolder
from deepreg_engine.verdict.line import LEVELS


@dataclass(frozen=True)
class Status:
    """How far a cohort is.

    Args:
        rows: number of rows of the plan.
        done, failed, open: numbers of rows; rows whose inputs have changed since count as done until the next run finds it.
        verdicts: number of rows by level.
        median_seconds: of the rows that are done; None without one.
        messages: of failed rows, by name.
    """

    rows: int
    done: int
    failed: int
    open: int
    verdicts: Mapping[str, int] = field(default_factory=dict)
    median_seconds: float | None = None
    messages: Mapping[str, str] = field(default_factory=dict)


def status(folder: CohortFolder) -> Status:
    """Return how far a cohort is, from its plan and its journal.

    Raises:
        InputError: if it has no plan.
    """
    names = folder.row_names()
    journal = folder.journal()
    entries: Sequence[dict[str, Any]] = [journal[name] for name in names if name in journal]
    done = [entry for entry in entries if entry["state"] == DONE]
    failed = {entry["row"]: entry["message"] for entry in entries if entry["state"] == FAILED}
    seconds = [entry["seconds"] for entry in done if "seconds" in entry]
    verdicts = [entry["verdict"] for entry in done if entry.get("verdict")]
    return Status(
        len(names),
        len(done),
        len(failed),
        len(names) - len(done) - len(failed),
        {level: verdicts.count(level) for level in LEVELS if level in verdicts},
        statistics.median(seconds) if seconds else None,
        failed,
    )
