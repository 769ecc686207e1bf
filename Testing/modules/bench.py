"""Paths of the modules and the data, and the end of the worker."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "DeepRegModules"
SHARED_DATA = ROOT.parent / "shared" / "data"
# The user of the worker that several tests share.
KEEPER = object()
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


def stop_worker() -> None:
    """End the worker, also a shared one, and check that it leaves nothing."""
    from deepreg_slicer import worker_client

    client = worker_client._client
    if client is None:
        return
    scratch = client._scratch
    client._users.discard(id(KEEPER))
    client.stop()
    client.silence, client.startup, client.grace = worker_client.SILENCE, worker_client.STARTUP, worker_client.GRACE
    assert not client.running
    assert not client.busy
    assert scratch is None or not os.path.exists(scratch)
