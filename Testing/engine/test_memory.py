"""Memory that a run keeps while it computes."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

import deepreg_engine
from deepreg_engine.jobs.memory import first_import_of_torch, kept_memory

# In a separate process: after other tests, a block may come from memory that is already free.
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has a setting to keep memory")
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


_IMPORT = """
import gc, sys
from deepreg_engine.jobs.memory import first_import_of_torch
try:
    with first_import_of_torch():
        assert not gc.isenabled()
        import torch
        raise KeyError
except KeyError:
    pass
first = gc.isenabled(), gc.get_freeze_count()
kept = []
with first_import_of_torch():
    assert gc.isenabled()
    kept.append([])
print(*first, gc.get_freeze_count())
"""


def test_what_torch_makes_at_its_first_import_is_not_searched_for_garbage():
    folder = Path(deepreg_engine.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", _IMPORT], env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=True)
    enabled, frozen, later = done.stdout.split()
    assert enabled == "True"
    assert int(frozen) > 100_000
    assert int(later) <= int(frozen)  # once torch is loaded it has no effect, because later objects may be garbage


def test_who_collects_no_garbage_goes_on_so(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr("gc.isenabled", lambda: False)
    monkeypatch.setattr("gc.freeze", lambda: pytest.fail("it was frozen"))
    with first_import_of_torch():
        pass
