"""The Dask cluster on which rows are computed: one of this machine that fits its cores and memory, or any other by its address."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deepreg_engine.cohort.rows import Row
from deepreg_engine.errors import EngineError, InputError, PackageError

if TYPE_CHECKING:
    from distributed import Client

# Share of the available memory that the workers of this machine may use.
_SHARE = 0.9
# Memory of a process with torch and SimpleITK loaded, bytes, beside what a registration needs.
_PROCESS = 4e8
# Estimate for a row whose images cannot be described, or which registers points, bytes.
_UNKNOWN = 1.5e9
_CONNECT_SECONDS = 20


@dataclass(frozen=True)
class Layout:
    """How this machine is divided.

    Args:
        workers: processes.
        threads: of each.
        memory: limit of each, bytes; a worker that exceeds it is ended and its row fails.
    """

    workers: int
    threads: int
    memory: float


def check_installed() -> None:
    """Raise PackageError if Dask is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise PackageError(
            "a cohort needs the Python package distributed", "install it with pip install deepreg-engine[cohort]", "distributed"
        ) from error


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def divided(needed: float, rows: int, workers: int = 0, memory: float | None = None, processors: int | None = None) -> Layout:
    """Return how a machine is divided for rows.

    Args:
        needed: largest memory of a row, bytes.
        rows: number of rows to compute.
        workers: number of processes that the user wants; 0 chooses.
        memory: that is available, bytes; None asks the system.
        processors: number of cores; None asks the system.
    """
    import psutil

    available = _SHARE * (psutil.virtual_memory().available if memory is None else memory)
    processors = processors or cores()
    fitting = max(1, int(available / (needed + _PROCESS)))
    count = workers or max(1, min(processors, fitting, rows))
    return Layout(count, max(1, processors // count), available / count)


def memory_of(rows: Sequence[Row]) -> float:
    """Return the largest estimated memory of the rows, bytes. Grids are read from the headers of the images, each file once."""
    from deepreg_engine.geometry.image_grid import ImageGrid

    grids: dict[str, ImageGrid | None] = {}

    def grid(path: str) -> ImageGrid | None:
        if path not in grids:
            grids[path] = _grid(path)
        return grids[path]

    largest, known = 0.0, set()
    for row in rows:
        fixed, moving = grid(row.files.get("fixed", "")), grid(row.files.get("moving", ""))
        key = (row.method, row.preset, str(row.parameters), fixed and fixed.size, moving and moving.size, fixed and fixed.spacing)
        if key not in known:
            known.add(key)
            largest = max(largest, _estimate(row, fixed, moving))
    return largest


def _grid(path: str) -> Any:
    from deepreg_engine.geometry.image_grid import ImageGrid
    from deepreg_engine.geometry.itk_files import read_header

    try:
        reader = read_header(path)
        size, spacing = reader.GetSize()[:3], reader.GetSpacing()[:3]
        return ImageGrid(tuple(size), tuple(spacing), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    except (RuntimeError, ValueError, EngineError):  # a DICOM folder, or a file that the row itself will report
        return None


def _estimate(row: Row, fixed: Any, moving: Any) -> float:
    from deepreg_engine.cohort.requests import request_of
    from deepreg_engine.jobs.automatic import possible_parameters

    if fixed is None or moving is None:
        return _UNKNOWN
    try:
        possible = possible_parameters(request_of(row))
        return max(method.memory(fixed, moving, method.fitted(parameters, fixed)[0]) for method, parameters in possible)
    except EngineError:  # the row itself reports it
        return 0.0


@contextmanager
def connected(address: str, layout: Layout) -> Iterator[Client]:
    """Yield a client of the cluster at an address, or of a new one of this machine, which ends with the block.

    Raises:
        PackageError: if Dask is not installed.
        InputError: if there is no scheduler at the address.
    """
    check_installed()
    import dask.config
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # rows and their errors are reported by the run itself
    if address:
        with _client(address) as client:
            yield client
        return
    settings = {
        # A registration leaves blocks of memory to its process; the limit below is for a row that needs far more than estimated.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": 0.95,
        # Rows of a worker that ended are computed once more, alone.
        "distributed.scheduler.allowed-failures": 0,
        "distributed.scheduler.work-stealing": True,
    }
    local: dict[str, Any] = {"n_workers": layout.workers, "threads_per_worker": 1, "memory_limit": int(layout.memory)}
    local.update(dashboard_address="127.0.0.1:0" if has_dashboard() else None, silence_logs=logging.CRITICAL)
    with dask.config.set(settings), LocalCluster(**local) as cluster, Client(cluster) as client:
        yield client


def has_dashboard() -> bool:
    """Return whether the package that draws Dask's dashboard is installed."""
    import importlib.util

    return importlib.util.find_spec("bokeh") is not None


@contextmanager
def _client(address: str) -> Iterator[Client]:
    from distributed import Client

    try:
        client = Client(address, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        advice = "start one with dask scheduler, or leave the address out to use this machine"
        raise InputError(f"there is no scheduler at {address} ({error})", advice, "cluster") from error
    try:
        yield client
    finally:
        client.close(timeout=2)
