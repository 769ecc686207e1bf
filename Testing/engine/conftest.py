"""What several tests share."""

from __future__ import annotations

import os
from pathlib import Path

# Torch's threads shall spin only briefly where they wait: on a machine that is busy with other things too, spinning for long
# makes everything ten times slower, and on a quiet one this costs nothing. Read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import pytest
import torch

# Beside the project on the machines that develop it; users do not have it.
SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; a test that asks for it is skipped where there is none."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data is not in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(params=["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device that is here: the solvers do things differently on a CPU and on a GPU."""
    return torch.device(request.param)


@pytest.fixture(scope="session")
def phantom_pair():
    """A small abdomen, to be registered in a second."""
    from deepreg_engine.phantoms import make_pair

    return make_pair("abdomen", detail=0.35)


@pytest.fixture(scope="session")
def phantom_folder(phantom_pair, tmp_path_factory) -> Path:
    """Its files."""
    from deepreg_engine.phantoms import write_pair

    folder = tmp_path_factory.mktemp("phantom")
    write_pair(phantom_pair, folder)
    return folder


@pytest.fixture(scope="session")
def wrong_files(phantom_pair, tmp_path_factory) -> Path:
    """A folder with everything that can be wrong with a file."""
    from wrong_files import write_all

    folder = tmp_path_factory.mktemp("wrong")
    write_all(folder, phantom_pair)
    return folder


@pytest.fixture
def among_wrong_files(wrong_files, monkeypatch):
    """In that folder, so that lines are short; and every file in it must be the same afterwards."""
    from command_line import listing

    monkeypatch.chdir(wrong_files)
    monkeypatch.setenv("DEEPREG_MODELS", str(wrong_files))
    before = listing(wrong_files)
    yield
    assert listing(wrong_files) == before
