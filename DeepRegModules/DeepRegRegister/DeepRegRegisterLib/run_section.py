"""Apply of the module Register: its plan decides the method, so that parameters that fit into memory belong to the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepreg_slicer.provenance import notesOf, summaryOf
from deepreg_slicer.run_section import RunSection


class RegisterRunSection(RunSection):
    """The run of the panel."""

    def apply(self) -> None:
        """Start a run; its result so far is shown over the fixed volume."""
        self._panel.sides.leave()
        super().apply()
        self._panel.task.fitting = {}  # another run may fit without them

    def takeParameters(self, changes: Mapping[str, Any]) -> None:
        """Use parameters, name to value, in the next run."""
        self._panel.task.fitting = dict(changes)

    def showOutcome(self, report: dict[str, Any] | None) -> None:
        """Show the verdict and the lines of a result; None shows none."""
        self.showVerdict(report)
        if report is None:
            self.showMessage("", bad=False)
            return
        seconds = (report.get("seconds") or {}).get("total", 0.0)
        self.showMessage("\n".join((summaryOf(report, seconds), *notesOf(report))), bad=False)
