"""The computation of one row, in a process of a worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepreg_engine.cohort.figures import figures_of
from deepreg_engine.cohort.folder import DONE, FAILED, CohortFolder
from deepreg_engine.cohort.page import PICTURE
from deepreg_engine.cohort.rows import OUTPUT_FILES, Row
from deepreg_engine.errors import explain

# One registration at a time in a process: the number of threads and the reuse of freed memory are settings of the whole process.
_one_at_a_time = threading.Lock()
# Seconds between two measurements of the memory.
_TICK = 0.05
_REPORT = "repeat this row with the command register, with DEEPREG_DEBUG=1 set, which shows where"


def compute_row(row: Row, folder: str, identity: str, threads: int = 0, device: str = "auto") -> dict[str, Any]:
    """Register the pair of a row and store its results; errors become part of what is returned.

    Args:
        row: of the plan.
        folder: of the cohort.
        identity: hash of the row.
        threads: of the CPU; 0 uses all.
        device: see ``choose_device``.

    Returns:
        The entry for the journal: "row", "id", "state", "message", "seconds", "memory_mb", and the figures of :func:`figures_of`.
    """
    entry: dict[str, Any] = {"row": row.name, "id": identity, "state": DONE, "message": ""}
    with _one_at_a_time:
        begun = time.perf_counter()
        try:
            with CohortFolder(folder).new_results(row.name, entry) as results, _peak_memory(entry):
                report = register_row(row, results, threads, device)
                entry.update(figures_of(report), seconds=round(time.perf_counter() - begun, 3))
        except BaseException as error:
            if isinstance(error, (SystemExit, GeneratorExit)):
                raise  # the worker ends
            entry = {"row": row.name, "id": identity, "state": FAILED, "message": explain(error, _REPORT).line()}
            entry["seconds"] = round(time.perf_counter() - begun, 3)
    return entry


def register_row(row: Row, results: Path, threads: int, device: str) -> dict[str, Any]:
    """Register the pair of a row into a folder; returns the report of the registration.

    Raises:
        EngineError: if the registration is not possible.
    """
    from deepreg_engine.cohort.requests import request_of
    from deepreg_engine.jobs.registration import run_registration

    outputs = {name: str(results / OUTPUT_FILES[name]) for name in row.outputs if name != "page"}
    outputs["report"] = str(results / "report.json")
    if "page" in row.outputs:
        outputs.setdefault("transform", str(results / OUTPUT_FILES["transform"]))
    report = run_registration(request_of(row, threads=threads, device=device, **outputs))
    if "transform" in outputs and "fixed" in row.files:
        _write_picture(row, results, outputs["transform"])
    if "page" in row.outputs:
        _write_page(row, results, outputs)
    return report


def _write_picture(row: Row, results: Path, transform: str) -> None:
    """Write the small picture for the page of the cohort."""
    from deepreg_engine.cohort.picture import write_picture
    from deepreg_engine.geometry.transform_files import read_transform
    from deepreg_engine.jobs.pair_files import read_image_pair

    _originals, images = read_image_pair(row.files["fixed"], row.files["moving"], [])
    write_picture(*images, read_transform(transform), results / PICTURE)


def _write_page(row: Row, results: Path, outputs: dict[str, str]) -> None:
    """Write the page of a row, with its pictures. Without images, as between lists of points, there is none."""
    from deepreg_engine.jobs.report import ReportRequest, run_report

    if "fixed" not in row.files:
        return
    inputs: dict[str, Any] = {
        "fixed_landmarks": row.files.get("test_fixed_landmarks"),
        "moving_landmarks": row.files.get("test_moving_landmarks"),
        "fixed_labels": row.files.get("fixed_labels"),
        "moving_labels": row.files.get("moving_labels") if "fixed_labels" in row.files else None,
        "label_names": row.label_names or None,
        "mask": row.files.get("fixed_mask"),
    }
    run_report(
        ReportRequest(
            row.files["fixed"],
            row.files["moving"],
            outputs["transform"],
            str(results / OUTPUT_FILES["page"]),
            json=str(results / "figures.json"),
            run_report=outputs["report"],
            title=row.name,
            **inputs,
        )
    )


@contextmanager
def _peak_memory(entry: dict[str, Any]) -> Iterator[None]:
    """Store the largest memory of the process within the block as "memory_mb"."""
    import psutil

    process, over, peak = psutil.Process(), threading.Event(), [0]

    def watch() -> None:
        while True:
            peak[0] = max(peak[0], process.memory_info().rss)
            if over.wait(_TICK):
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        entry["memory_mb"] = round(peak[0] / 1e6, 1)
