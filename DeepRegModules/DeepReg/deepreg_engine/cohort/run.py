"""The run of a cohort: what is missing or changed is computed on a cluster, and each row that ends is recorded."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from deepreg_engine.cohort.cluster import check_installed, connected, divided, has_dashboard, memory_of
from deepreg_engine.cohort.compute import compute_row
from deepreg_engine.cohort.folder import DONE, FAILED, CohortFolder
from deepreg_engine.cohort.identity import identity
from deepreg_engine.cohort.rows import Row
from deepreg_engine.cohort.tables import write_tables
from deepreg_engine.errors import Cancelled, EngineError, InputError
from deepreg_engine.methods.common.parameters import DEVICES
from deepreg_engine.progress import Progress, no_progress

Computation = Callable[..., dict[str, Any]]
_DIED = "the worker ended while it computed this row, which often means too little memory: use fewer workers or a coarser working_spacing"


@dataclass(frozen=True)
class CohortRun:
    """What to run, and where.

    Args:
        folder: of the cohort, with a plan.
        cluster: address of a Dask scheduler; "" uses this machine.
        workers: processes of this machine; 0 chooses by cores and memory.
        threads: of the CPU for each row; 0 divides the cores among the workers of this machine, and uses all elsewhere.
        device: see ``choose_device``.
        retry_failed: compute rows again that failed.
        compute: the computation of a row, for tests of the run itself.
    """

    folder: str
    cluster: str = ""
    workers: int = 0
    threads: int = 0
    device: str = "auto"
    retry_failed: bool = False
    compute: Computation = compute_row


def run_cohort(request: CohortRun, progress: Progress = no_progress, log: Callable[[str], None] = lambda _line: None) -> dict[str, int]:
    """Compute all rows that are missing or changed, and write the tables.

    Args:
        request: what to run.
        progress: callback, receives the share of rows that have ended and a text; it may raise to stop the run.
        log: receives a line for each row that fails, and on what the cluster is.

    Returns:
        Numbers of rows: "rows", "computed", "failed" (all rows of the plan that have failed), "kept" (ended before, not computed again).

    Raises:
        EngineError: if the run itself is not possible. Rows that have ended are kept.
    """
    if request.device not in DEVICES:
        raise InputError(f"there is no device {request.device!r}", f"there are {', '.join(DEVICES)}", "device")
    check_installed()
    folder = CohortFolder(request.folder)
    rows = folder.rows()
    with folder.claimed():
        folder.remove_rests()
        progress(0.0, f"checking {len(rows)} rows")
        with folder.appending() as append:
            pending, failed = _pending(folder, rows, request.retry_failed, append)
            for entry in failed:
                log(f"{entry['row']}: {entry['message']}")
            done = len(rows) - len(pending)
            if pending:
                _compute(request, folder, pending, _Recorder(append, progress, log, len(rows), done))
        progress(0.99, "writing the tables")
        entries = write_tables(folder, rows)
    ended = [entry["state"] for entry in entries if entry]
    return {"rows": len(rows), "computed": len(pending), "failed": ended.count(FAILED), "kept": done - len(failed)}


def _pending(
    folder: CohortFolder, rows: list[Row], retry_failed: bool, append: Callable[[dict], None]
) -> tuple[list[tuple[Row, str]], list[dict[str, Any]]]:
    """Return the rows to compute with their hashes, and new entries of rows whose inputs cannot be read."""
    journal, digests = folder.journal(), folder.digests()
    folder.rows_folder.mkdir(parents=True, exist_ok=True)
    stored = set(os.listdir(folder.rows_folder))
    pending, failed = [], []
    for row in rows:
        try:
            own = identity(row, digests)
        except EngineError as error:
            entry = {"row": row.name, "id": "", "state": FAILED, "message": error.line()}
            if journal.get(row.name) != entry:
                append(entry)
            failed.append(entry)
            continue
        known = journal.get(row.name, {})
        if known.get("id") == own and known.get("state") == FAILED and not retry_failed and not known.get("died"):
            continue
        if row.name in stored:
            if known.get("id") == own and known.get("state") == DONE:
                continue
            entry = folder.entry(row.name) or {}
            if entry.get("id") == own:
                append(entry)  # a run that was killed had stored the results, but not recorded them
                continue
        pending.append((row, own))
    digests.save()
    return pending, failed


class _Recorder:
    """Records rows that end, and reports them.

    Args:
        append: writes to the journal.
        progress, log: callbacks of the run.
        rows: number of rows of the plan.
        ended: number of those that need no computation.
    """

    def __init__(self, append: Callable[[dict], None], progress: Progress, log: Callable[[str], None], rows: int, ended: int) -> None:
        self._append, self._progress, self._log, self._rows, self._ended = append, progress, log, rows, ended

    def __call__(self, entry: dict[str, Any]) -> None:
        self._append(entry)
        self._ended += 1
        if entry["state"] == FAILED:
            self._log(f"{entry['row']}: {entry['message']}")
        self._progress(0.98 * self._ended / self._rows, f"{self._ended} of {self._rows} rows, last {entry['row']}")

    def log(self, line: str) -> None:
        """Pass a line on."""
        self._log(line)


def _compute(request: CohortRun, folder: CohortFolder, pending: list[tuple[Row, str]], record: _Recorder) -> None:
    """Compute rows on the cluster and record each as it ends.

    Raises:
        EngineError: if the cluster has gone.
    """
    layout = divided(memory_of([row for row, _ in pending]), len(pending), request.workers)
    threads = request.threads or (0 if request.cluster else layout.threads)
    with connected(request.cluster, layout) as client:
        record.log(_described(client, request.cluster))
        resources = _resources(client, request.device)

        def submit(row: Row, own: str) -> Any:
            arguments = row, str(folder.path.absolute()), own, threads, request.device
            return client.submit(request.compute, *arguments, key=f"{row.name}-{uuid.uuid4().hex}", pure=False, resources=resources)

        suspects = []
        for row, own, entry in _ended(client, {submit(row, own): (row, own) for row, own in pending}):
            entry = _stored(folder, row, own) or entry if entry.get("died") else entry
            if entry.get("died"):
                suspects.append((row, own))
            else:
                record(entry)
        # When a worker process ends, Dask also reports the rows that were waiting in it. Each of them is computed again, alone, so
        # that only the row that ends its worker fails.
        for row, own in suspects:
            for *_, entry in _ended(client, {submit(row, own): (row, own)}):
                record(_stored(folder, row, own) or entry if entry.get("died") else entry)


def _stored(folder: CohortFolder, row: Row, own: str) -> dict[str, Any] | None:
    """Return the entry of a row that was stored before its worker ended; None if there is none."""
    entry = folder.entry(row.name)
    return entry if entry is not None and entry.get("id") == own else None


def _described(client: Any, address: str) -> str:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    where = f"the cluster at {address}" if address else "this machine"
    if not workers:
        return f"{where} has no workers yet: the rows wait for them"
    link = f"; dashboard: {client.dashboard_link}" if address or has_dashboard() else ""
    return f"computing on {len(workers)} workers of {where}{link}"


def _resources(client: Any, device: str) -> dict[str, float] | None:
    """Return what a row needs of a worker: one GPU where the workers state that they have some."""
    if device == "cpu":
        return None
    stated = [worker.get("resources", {}) for worker in client.scheduler_info(n_workers=-1)["workers"].values()]
    return {"GPU": 1} if stated and all("GPU" in each for each in stated) else None


def _ended(client: Any, futures: dict[Any, tuple[Row, str]]) -> Iterator[tuple[Row, str, dict[str, Any]]]:
    """Yield each row with its hash and its entry when it ends; the entry of a row whose worker ended has "died".

    Raises:
        EngineError: if the scheduler has gone.
    """
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    for future in as_completed(futures):
        row, own = futures[future]
        entry: dict[str, Any] = {"row": row.name, "id": own, "state": FAILED}
        if future.status == "finished":
            try:
                entry = future.result()
            except (OSError, TimeoutError) as error:
                raise _gone() from error
        elif future.status == "error":
            error = future.exception()
            died = isinstance(error, KilledWorker)
            entry.update(message=_DIED if died else f"internal error ({type(error).__name__}: {error})", died=died)
        elif client.status != "running":
            raise _gone()
        else:
            raise Cancelled()
        future.release()
        yield row, own, entry


def _gone() -> EngineError:
    return EngineError("the scheduler of the cluster has ended", "start it again, and run the cohort again: rows that have ended are kept")
