"""Waiting for the worker with the event loop running: for scripts, and where the application needs a result at once."""

from __future__ import annotations

import time
from typing import Any

import slicer
from slicer.i18n import tr as _

from deepreg_slicer.errors import JobError
from deepreg_slicer.worker_client import WorkerClient, workerClient
from deepreg_slicer.worker_job import Job


def waitForJob(job: Job) -> dict[str, Any]:
    """Return the result of a job.

    Raises:
        RuntimeError: with a message and advice.
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


def waitUntilFree(seconds: float = 600.0, client: WorkerClient | None = None) -> None:
    """Wait until the worker computes nothing.

    Args:
        seconds: the longest time to wait.
        client: of the worker; None for the one that all panels share.

    Raises:
        RuntimeError: if that takes longer.
    """
    end = time.monotonic() + seconds
    client = client or workerClient()
    while client.computing:
        slicer.app.processEvents()
        time.sleep(0.002)
        if time.monotonic() > end:
            raise RuntimeError(_("another computation is running: wait for its end, or cancel it"))
