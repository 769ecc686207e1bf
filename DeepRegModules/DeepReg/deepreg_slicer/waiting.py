"""Waiting for the worker with the event loop running, for scripts and for what the application expects at once."""

from __future__ import annotations

import time
from typing import Any

import slicer

from deepreg_slicer.worker_client import Job, JobError


def waitForJob(job: Job) -> dict[str, Any]:
    """The result of a job.

    Raises:
        RuntimeError: with a text that says what is wrong and what to do.
    """
    ended: list[Any] = []
    job.finished.connect(ended.append)
    job.failed.connect(ended.append)
    while not ended:
        slicer.app.processEvents()
        time.sleep(0.002)
    if isinstance(ended[0], JobError):
        raise RuntimeError(ended[0].text)
    return ended[0]
