"""What an application runs by ``--python-script``: pytest. The file named in SLICER_TESTING_RUN says what to test and where results go.

A result file with the exit status and the counts is written at the end; without it, the application has crashed. Until then another file
has the name of the running test.
"""

from __future__ import annotations

import collections
import faulthandler
import json
import os
import site
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO


class Record:
    """pytest's outcomes, counted; the reasons of the skipped tests.

    Args:
        running: file with the name of the running test.
    """

    def __init__(self, running: Path) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.skipped: collections.Counter[str] = collections.Counter()
        self._running = running

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._running.write_text(nodeid, encoding="utf-8")

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when != "call" and report.passed:
            return
        self.counts["errors" if report.when != "call" and report.failed else report.outcome] += 1
        if report.skipped and isinstance(report.longrepr, tuple):
            self.skipped[report.longrepr[2].removeprefix("Skipped: ")] += 1


def run(wanted: dict[str, Any], output: TextIO) -> dict[str, Any]:
    """Run the tests of a request, and return exit status, counts and reasons of skipped tests."""
    # Appended, so that packages of the application precede those that were installed for the tests.
    site.addsitedir(wanted["packages"])
    # Children too: the worker needs packages that the application lacks.
    os.environ["PYTHONPATH"] = wanted["packages"]
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    sys.path.insert(0, wanted["slicer_testing"])
    import pytest

    from slicer_testing import backend

    backend.use_application()
    faulthandler.enable(file=output)
    os.chdir(wanted["root"])
    record = Record(Path(wanted["running"]))
    # The application's streams write to its console; pytest's captured ones replace these.
    streams, (sys.stdout, sys.stderr) = (sys.stdout, sys.stderr), (output, output)
    try:
        code = pytest.main(
            ["-p", "no:cacheprovider", "--capture=sys", "-o", f"faulthandler_timeout={wanted['silence'] * 0.8}", *wanted["arguments"]],
            plugins=[record],
        )
    finally:
        sys.stdout, sys.stderr = streams
    return {"status": int(code), "counts": dict(record.counts), "skipped": dict(record.skipped)}


def main() -> None:
    """Run the tests, write the result file, and end the application."""
    import slicer

    # Processes that the tests start are not counted as another run of the tests.
    wanted = json.loads(Path(os.environ.pop("SLICER_TESTING_RUN")).read_text(encoding="utf-8"))
    slicer.app.processEvents()
    with open(wanted["output"], "w", encoding="utf-8", errors="backslashreplace", buffering=1) as output:
        try:
            result = run(wanted, output)
        except BaseException as error:
            traceback.print_exc(file=output)
            result = {"status": 3, "counts": {}, "skipped": {}, "error": f"{type(error).__name__}: {error}"}
        faulthandler.disable()
    finished = Path(wanted["result"])
    written = finished.with_suffix(".part")
    written.write_text(json.dumps(result), encoding="utf-8")
    written.replace(finished)
    slicer.util.exit(result["status"])


if "SLICER_TESTING_RUN" in os.environ:
    main()
