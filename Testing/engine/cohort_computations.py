"""Computations of rows for tests of a cohort's run, in the place of registrations. Workers import this file."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from deepreg_engine.cohort.folder import CohortFolder


def store(row, folder, identity, threads=0, device="auto"):
    """Store the text of the fixed file, and count how often the row was computed."""
    entry = {"row": row.name, "id": identity, "state": "done", "message": "", "seconds": 0.0}
    with CohortFolder(folder).new_results(row.name, entry) as results:
        (results / "result.txt").write_text(Path(row.files["fixed"]).read_text())
    with (Path(folder) / "computed.txt").open("a") as stream:
        stream.write(f"{row.name}\n")
    return entry


def die_on_b(row, folder, identity, threads=0, device="auto"):
    """End the process of the worker, as the system does if memory is short, for the row "b"."""
    if row.name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
    return store(row, folder, identity)


def slow(row, folder, identity, threads=0, device="auto"):
    """As :func:`store`, after a while."""
    time.sleep(0.2)
    return store(row, folder, identity)
