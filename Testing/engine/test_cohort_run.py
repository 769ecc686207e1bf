"""The run of a cohort: only what is missing or changed is computed, and nothing is lost when a process ends."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cohort_computations
import pytest

from deepreg_engine.cohort.cluster import divided
from deepreg_engine.cohort.folder import CohortFolder
from deepreg_engine.cohort.rows import Row
from deepreg_engine.cohort.run import CohortRun, run_cohort
from deepreg_engine.cohort.status import status
from deepreg_engine.errors import EngineError, OutputError

NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def cluster():
    """The address of a cluster with two workers, as a user starts one."""
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(2, threads_per_worker=1, dashboard_address=None) as one,
    ):
        yield one.scheduler_address


@pytest.fixture
def cohort(tmp_path):
    """A cohort of four rows, whose inputs are small texts."""
    for name in NAMES:
        (tmp_path / f"{name}.txt").write_text(f"text {name}")
    folder = CohortFolder(tmp_path / "cohort")
    folder.write_plan([Row(name, {"fixed": str(tmp_path / f"{name}.txt")}) for name in NAMES])
    return folder


def computed(folder: CohortFolder) -> list[str]:
    file = folder.path / "computed.txt"
    names = sorted(file.read_text().split()) if file.exists() else []
    file.unlink(missing_ok=True)
    return names


def run(folder: CohortFolder, cluster: str, **changes):
    return run_cohort(CohortRun(str(folder.path), cluster, **{"compute": cohort_computations.store, **changes}))


def table(folder: CohortFolder) -> dict[str, dict[str, str]]:
    with folder.table.open(newline="") as stream:
        return {line["row"]: line for line in csv.DictReader(stream)}


def test_a_second_run_computes_only_what_has_changed(cohort, cluster, tmp_path):
    assert run(cohort, cluster) == {"rows": 4, "computed": 4, "failed": 0, "kept": 0}
    assert computed(cohort) == list(NAMES)
    assert {(cohort.row_folder(name) / "result.txt").read_text() for name in NAMES} == {f"text {name}" for name in NAMES}
    assert run(cohort, cluster)["computed"] == 0
    (tmp_path / "c.txt").write_text("another text")
    assert run(cohort, cluster)["computed"] == 1
    assert computed(cohort) == ["c"]
    assert (cohort.row_folder("c") / "result.txt").read_text() == "another text"


def test_changed_parameters_are_computed_and_a_renamed_file_is_not(cohort, cluster, tmp_path):
    run(cohort, cluster)
    computed(cohort)
    (tmp_path / "a.txt").rename(tmp_path / "moved.txt")
    rows = [Row("a", {"fixed": str(tmp_path / "moved.txt")}), Row("b", {"fixed": str(tmp_path / "b.txt")}, parameters={"smoothness": 2})]
    cohort.write_plan(rows, replaced=True)
    run(cohort, cluster)
    assert computed(cohort) == ["b"]


def test_rows_that_were_stored_but_not_recorded_are_kept(cohort, cluster):
    run(cohort, cluster)
    computed(cohort)
    lines = (cohort.path / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (cohort.path / "journal.jsonl").write_bytes(lines[0] + lines[1][:20])  # killed while it wrote the second line
    assert run(cohort, cluster) == {"rows": 4, "computed": 0, "failed": 0, "kept": 4}
    assert {line["state"] for line in table(cohort).values()} == {"done"}


def test_an_incomplete_folder_of_results_does_not_count(cohort, cluster):
    run(cohort, cluster)
    computed(cohort)
    (cohort.row_folder("d") / "row.json").unlink()
    (cohort.path / "journal.jsonl").unlink()
    rest = cohort.rows_folder / ".0123.new"
    rest.mkdir()
    run(cohort, cluster)
    assert computed(cohort) == ["d"]
    assert not rest.exists()


def test_a_row_whose_file_is_missing_costs_one_row(cohort, cluster, tmp_path):
    (tmp_path / "b.txt").unlink()
    lines = []
    counts = run_cohort(CohortRun(str(cohort.path), cluster, compute=cohort_computations.store), log=lines.append)
    assert counts == {"rows": 4, "computed": 3, "failed": 1, "kept": 0}
    assert "b.txt" in table(cohort)["b"]["message"]
    assert any("b.txt" in line for line in lines)
    (tmp_path / "b.txt").write_text("text b")
    assert run(cohort, cluster)["failed"] == 0


def test_a_row_that_ends_its_worker_costs_one_row_and_is_tried_again(cohort, cluster):
    counts = run(cohort, cluster, compute=cohort_computations.die_on_b)
    assert (counts["computed"], counts["failed"]) == (4, 1)
    assert "memory" in table(cohort)["b"]["message"]
    assert {table(cohort)[name]["state"] for name in "acd"} == {"done"}
    computed(cohort)
    assert run(cohort, cluster)["failed"] == 0
    assert computed(cohort) == ["b"]


def test_failed_rows_are_computed_again_only_if_asked(cohort, cluster):
    run(cohort, cluster, compute=_raises)
    assert status(cohort).failed == 4
    assert run(cohort, cluster)["computed"] == 0
    assert run(cohort, cluster, retry_failed=True)["computed"] == 4
    assert status(cohort).done == 4


def _raises(row, folder, identity, threads, device):
    return {"row": row.name, "id": identity, "state": "failed", "message": "the images have no point in common", "seconds": 0.0}


def test_two_runs_in_one_folder_are_refused(cohort, cluster):
    with cohort.claimed(), pytest.raises(OutputError, match="another run"):
        run(cohort, cluster)


def test_another_plan_is_not_overwritten_unasked(cohort):
    with pytest.raises(OutputError, match="another plan"):
        cohort.write_plan([Row("z", {"fixed": "z.txt"})])


def test_an_address_without_a_scheduler(cohort, monkeypatch):
    monkeypatch.setattr("deepreg_engine.cohort.cluster._CONNECT_SECONDS", 1)
    with pytest.raises(EngineError, match="no scheduler"):
        run(cohort, "tcp://127.0.0.1:9")


_SCRIPT = """
import sys
import cohort_computations
from deepreg_engine.cohort.run import CohortRun, run_cohort
run_cohort(CohortRun(sys.argv[1], sys.argv[2], compute=cohort_computations.slow))
"""


def test_a_killed_client_loses_no_row(cohort, cluster):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", _SCRIPT, str(cohort.path), cluster], env=environment)
    try:
        until = time.monotonic() + 30
        while not any((cohort.row_folder(name)).exists() for name in NAMES) and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    counts = run(cohort, cluster)
    assert counts["kept"] >= 1
    assert counts["failed"] == 0
    assert all((cohort.row_folder(name) / "result.txt").read_text() == f"text {name}" for name in NAMES)


@pytest.mark.parametrize(
    ("needed", "rows", "workers", "memory", "processors", "expected"),
    [(1e9, 100, 0, 20e9, 8, (8, 1)), (5e9, 100, 0, 20e9, 8, (3, 2)), (100e9, 100, 0, 20e9, 8, (1, 8)), (1e9, 2, 0, 20e9, 8, (2, 4))],
)
def test_a_machine_is_divided_by_cores_memory_and_rows(needed, rows, workers, memory, processors, expected):
    layout = divided(needed, rows, workers, memory, processors)
    assert (layout.workers, layout.threads) == expected
    assert layout.workers * layout.memory <= memory


def test_folders_appear_complete(tmp_path):
    folder = CohortFolder(tmp_path)

    def fail() -> None:
        with folder.new_results("a", {"row": "a"}) as results:
            Path(results / "half.txt").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert os.listdir(folder.rows_folder) == []
