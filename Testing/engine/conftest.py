"""Fixtures of the engine's tests."""

from __future__ import annotations

import os
from pathlib import Path

# Read when torch is loaded: threads that spin for long while they wait make tests ten times slower on a busy machine.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import pytest
import torch

# Beside the checkout; tests that need it are skipped elsewhere.
SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; a test that uses it is skipped if it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data is not in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="module")
def one_thread():
    """Run torch in one thread: small volumes are computed faster so than by two threads on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Each available device: the solvers have different code for CPU and GPU."""
    return torch.device(request.param)


@pytest.fixture(scope="session")
def phantom_pair():
    """A small abdomen, which is registered in a second."""
    from deepreg_engine.phantoms import make_pair

    return make_pair("abdomen", detail=0.35)


@pytest.fixture(scope="session")
def phantom_folder(phantom_pair, tmp_path_factory) -> Path:
    """The files of the small abdomen."""
    from deepreg_engine.phantoms import write_pair

    folder = tmp_path_factory.mktemp("phantom")
    write_pair(phantom_pair, folder)
    return folder


@pytest.fixture(scope="session")
def wrong_files(phantom_pair, tmp_path_factory) -> Path:
    """A folder with files that have every possible defect."""
    from wrong_files import write_all

    folder = tmp_path_factory.mktemp("wrong")
    write_all(folder, phantom_pair)
    return folder


@pytest.fixture
def among_wrong_files(wrong_files, monkeypatch):
    """Run in that folder, for short command lines; no file in it may change."""
    from command_line import listing

    monkeypatch.chdir(wrong_files)
    monkeypatch.setenv("DEEPREG_MODELS", str(wrong_files))
    before = listing(wrong_files)
    yield
    assert listing(wrong_files) == before


@pytest.fixture
def no_models(tmp_path, monkeypatch):
    """A folder without models instead of the user's."""
    monkeypatch.setenv("DEEPREG_MODELS", str(tmp_path / "models"))


@pytest.fixture
def worker(tmp_path):
    """A running worker process with a scratch folder."""
    from worker_process import Process

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    started = Process("--scratch", str(scratch))
    started.scratch = scratch
    ready = started.next()
    assert ready["kind"] == "ready"
    assert ready["protocol"] == 1
    assert ready["pid"] == started.process.pid
    yield started
    started.process.kill()
    started.process.wait(10)
