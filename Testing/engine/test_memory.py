"""Memory that a run keeps while it computes."""

from __future__ import annotations

import platform

import numpy as np
import psutil
import pytest

from deepreg_engine.jobs.memory import kept_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory")
def test_memory_is_kept_within_and_given_back_afterwards():
    process, size = psutil.Process(), 200_000_000
    before = process.memory_info().rss
    with kept_memory():
        block = np.ones(size, dtype=np.uint8)
        del block
        within = process.memory_info().rss
    assert within - before > 0.8 * size
    assert process.memory_info().rss - before < 0.2 * size


def test_what_fails_within_fails(monkeypatch):
    with pytest.raises(ZeroDivisionError), kept_memory():
        raise ZeroDivisionError
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))  # with another library nothing is set
    with pytest.raises(ZeroDivisionError), kept_memory():
        raise ZeroDivisionError
