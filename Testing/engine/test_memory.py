"""Memory that a run keeps while it computes."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

import deepreg_engine
from deepreg_engine.jobs.memory import kept_memory

# In a process of its own: in one that has run other tests, a block may come from what lies free already.
_MEASURE = """
import numpy, psutil
from deepreg_engine.jobs.memory import kept_memory
process = psutil.Process()
before = process.memory_info().rss
with kept_memory():
    block = numpy.ones(200_000_000, dtype=numpy.uint8)
    del block
    within = process.memory_info().rss
print(within - before, process.memory_info().rss - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory")
def test_memory_is_kept_within_and_given_back_afterwards():
    folder = Path(deepreg_engine.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", _MEASURE], env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=True)
    within, afterwards = map(int, done.stdout.split())
    assert within > 160_000_000
    assert afterwards < 40_000_000


def test_what_fails_within_fails(monkeypatch):
    with pytest.raises(ZeroDivisionError), kept_memory():
        raise ZeroDivisionError
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))  # with another library nothing is set
    with pytest.raises(ZeroDivisionError), kept_memory():
        raise ZeroDivisionError
