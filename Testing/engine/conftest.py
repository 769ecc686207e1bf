"""What several tests share."""

from __future__ import annotations

import os
from pathlib import Path

# Threads that wait shall sleep. Spinning, they make everything many times slower on a machine that is busy with other things.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest  # noqa: E402
import torch  # noqa: E402

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
