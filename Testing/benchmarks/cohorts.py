"""Cohorts: overhead of a row, throughput against single commands, results after random kills, and memory over many rows.

    python Testing/benchmarks/cohorts.py overhead [--rows 10000]
    python Testing/benchmarks/cohorts.py throughput --data DATA [--pairs 60] [--peer ants]
    python Testing/benchmarks/cohorts.py kills [--kills 20]
    python Testing/benchmarks/cohorts.py memory [--rows 500]

DATA has the folder hippocampus with images and labels (Medical Segmentation Decathlon, task 4, CC BY-SA 4.0).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

ENGINE = Path(__file__).resolve().parents[2] / "DeepRegModules" / "DeepReg"
sys.path.insert(0, str(ENGINE))

import psutil  # noqa: E402

from deepreg_engine.cohort.folder import CohortFolder  # noqa: E402
from deepreg_engine.cohort.rows import Row, as_csv, read_csv  # noqa: E402
from deepreg_engine.cohort.run import CohortRun, run_cohort  # noqa: E402
from deepreg_engine.cohort.sources import pair, scans_of  # noqa: E402
from deepreg_engine.cohort.status import status  # noqa: E402

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ENGINE), os.environ.get("PYTHONPATH", "")])}
COMMAND = [sys.executable, "-m", "deepreg_engine"]
FAST = ["--preset", "quick", "--set", "refinement_iterations=1"]


def nothing(row, folder, identity, threads=0, device="auto"):
    """Store a row without computing anything."""
    entry = {"row": row.name, "id": identity, "state": "done", "message": "", "seconds": 0.0}
    with CohortFolder(folder).new_results(row.name, entry):
        pass
    return entry


def overhead(options: SimpleNamespace, folder: Path) -> None:
    """Print seconds of planning, a row's share of a run of rows that compute nothing, and seconds of the status."""
    (folder / "image.txt").write_text("an image")
    rows = [Row(f"row {number:05d}", {"fixed": str(folder / "image.txt")}) for number in range(options.rows)]
    (folder / "pairs.csv").write_text(as_csv(rows))
    cohort = CohortFolder(folder / "cohort")
    begun = time.perf_counter()
    cohort.write_plan(read_csv(folder / "pairs.csv"))
    print(f"planning {options.rows} rows: {time.perf_counter() - begun:.2f} s")
    begun = time.perf_counter()
    run_cohort(CohortRun(str(cohort.path), compute=nothing))
    seconds = time.perf_counter() - begun
    print(f"running them: {seconds:.1f} s, {1000 * seconds / options.rows:.1f} ms a row")
    begun = time.perf_counter()
    found = status(cohort)
    print(f"status: {time.perf_counter() - begun:.2f} s ({found.done} done)")
    begun = time.perf_counter()
    run_cohort(CohortRun(str(cohort.path), compute=nothing))
    print(f"running again, with nothing to do: {time.perf_counter() - begun:.1f} s")


def chosen_pairs(data: Path, count: int, outputs: tuple[str, ...]) -> list[Row]:
    """Return pairs of hippocampi, drawn with a seed."""
    scans = scans_of(data / "hippocampus" / "images", str(data / "hippocampus" / "labels"))
    generator, rows = random.Random(0), {}
    while len(rows) < count:
        fixed, moving = generator.sample(scans, 2)
        row = pair(fixed, moving, Row("", {}, preset="people-mr", outputs=outputs))
        rows[row.name] = row
    return list(rows.values())


def throughput(options: SimpleNamespace, folder: Path) -> None:
    """Print the time of a cohort on this machine, of a loop of single commands, and of the peer, with mean Dice."""
    rows = chosen_pairs(Path(options.data), options.pairs, ("transform", "warped_labels"))
    cohort = CohortFolder(folder / "cohort")
    cohort.write_plan(rows)
    begun = time.perf_counter()
    subprocess.run([*COMMAND, "cohort", "run", str(cohort.path), "--quiet"], env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    together = time.perf_counter() - begun
    dice = [entry["dice"] for entry in cohort.journal().values()]
    print(f"cohort: {together:.0f} s for {len(rows)} pairs, mean Dice {sum(dice) / len(dice):.3f}", flush=True)
    begun = time.perf_counter()
    for row in rows:
        files = [part for name, path in row.files.items() for part in (f"--{name.replace('_', '-')}", path)]
        outputs = ["--transform", str(folder / "t.nrrd"), "--warped-labels", str(folder / "l.nii.gz"), "--report", str(folder / "r.json")]
        command = [*COMMAND, "register", "dense", *files, "--preset", row.preset, *outputs, "--quiet"]
        subprocess.run(command, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    single = time.perf_counter() - begun
    print(f"loop of single commands: {single:.0f} s, {single / together:.2f} times as long", flush=True)
    if options.peer == "ants":
        _ants(rows, together)


def _ants(rows: list[Row], together: float) -> None:
    import ants  # of the environment of peers
    import numpy as np

    begun, dice = time.perf_counter(), []
    for row in rows:
        fixed, moving = (ants.image_read(row.files[side]) for side in ("fixed", "moving"))
        found = ants.registration(fixed, moving, "SyN")
        labels = [ants.image_read(row.files[f"{side}_labels"]) for side in ("fixed", "moving")]
        warped = ants.apply_transforms(fixed, labels[1], found["fwdtransforms"], interpolator="genericLabel").numpy()
        own = labels[0].numpy()
        for value in (1, 2):
            one, other = own == value, warped == value
            dice.append(2 * np.sum(one & other) / max(np.sum(one) + np.sum(other), 1))
    seconds = time.perf_counter() - begun
    print(f"antspyx SyN: {seconds:.0f} s, {seconds / together:.2f} times as long, mean Dice {np.mean(dice):.3f}")


def phantoms(folder: Path, rows: int) -> list[Row]:
    """Return pairs of small phantoms."""
    from deepreg_engine.phantoms import make_pair, write_pair

    made = []
    for seed in range(3):
        target = folder / f"phantom {seed}"
        target.mkdir()
        write_pair(make_pair("abdomen", seed=seed, detail=0.5), target)
        fixed, moving = (next(target.glob(f"{side}.*")) for side in ("fixed", "moving"))
        made.append({"fixed": str(fixed), "moving": str(moving)})
    settings = {"refinement_iterations": "1"}
    return [Row(f"row {n:03d}", made[n % 3], preset="quick", parameters={**settings, "smoothness": str(1 + n)}) for n in range(rows)]


def _hashes(cohort: CohortFolder) -> dict[str, str]:
    return {
        folder.name: hashlib.sha256((folder / "transform.nrrd").read_bytes()).hexdigest()
        for folder in sorted(cohort.rows_folder.iterdir())
        if not folder.name.startswith(".")
    }


class Cluster:
    """A scheduler and two workers in processes of their own, on loopback; what has been killed is started again."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, random.Random(os.getpid()).randint(20000, 50000)
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.processes: dict[str, subprocess.Popen] = {}
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def _keep(self) -> None:
        """Start what has ended, as a system for clusters does; workers also end when they have lost their scheduler."""
        while not self._over.wait(0.5):
            self._start()

    def _start(self) -> None:
        commands = {"scheduler": ["scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"]}
        for number in (1, 2):
            commands[f"worker {number}"] = ["worker", self.address, "--nthreads", "1", "--no-dashboard", "--death-timeout", "60"]
        for name, command in commands.items():
            if name not in self.processes or self.processes[name].poll() is not None:
                log = (self._folder / "cluster.log").open("a")
                whole = [sys.executable, "-m", "dask", *command]
                self.processes[name] = subprocess.Popen(whole, env=ENVIRONMENT, cwd=self._folder, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        process = self.processes.get(name)
        if process is None or process.poll() is not None:
            return
        for each in [*psutil.Process(process.pid).children(recursive=True), process]:
            each.send_signal(signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        """Stop all processes."""
        self._over.set()
        self._keeper.join()
        for name in self.processes:
            self.kill(name)


def kills(options: SimpleNamespace, folder: Path) -> None:
    """Kill workers, the scheduler or the client at random moments; compare all fields with those of a run without kills."""
    rows = phantoms(folder, options.rows)
    whole, killed = CohortFolder(folder / "whole"), CohortFolder(folder / "killed")
    for each in (whole, killed):
        each.write_plan(rows)
    subprocess.run([*COMMAND, "cohort", "run", str(whole.path), "--threads", "1", "--quiet"], env=ENVIRONMENT, check=True)
    cluster, delay, count, runs = Cluster(folder), random.Random(1), 0, 0
    command = [*COMMAND, "cohort", "run", str(killed.path), "--cluster", cluster.address, "--threads", "1", "--quiet"]
    try:
        while count < options.kills:
            client = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            runs += 1
            while client.poll() is None and count < options.kills:
                time.sleep(delay.uniform(1.0, 6.0))
                target = delay.choice(("worker 1", "worker 2", "scheduler", "client"))
                if client.poll() is not None:
                    break
                client.kill() if target == "client" else cluster.kill(target)
                count += 1
                print(f"kill {count}: {target}, {status(killed).done} rows done", flush=True)
            if count < options.kills and client.wait(600) == 0 and status(killed).done == len(rows):
                for folder_ in list(killed.rows_folder.iterdir())[::2]:  # all done before the last kill: half of the rows again
                    (folder_ / "row.json").unlink()
                (killed.path / "journal.jsonl").unlink()
        client.wait(600)
        subprocess.run(command, env=ENVIRONMENT, check=True)
    finally:
        cluster.end()
    found = status(killed)
    equal = _hashes(whole) == _hashes(killed)
    print(f"{count} kills, {runs} runs and one more: {found.done} of {found.rows} rows done; all fields equal: {equal}")
    if found.done != found.rows or not equal:
        raise SystemExit(1)


def memory(options: SimpleNamespace, folder: Path) -> None:
    """Print the memory of workers after each fifth of many small rows."""
    cohort = CohortFolder(folder / "cohort")
    cohort.write_plan(phantoms(folder, options.rows))
    run_cohort(CohortRun(str(cohort.path), threads=1))
    peaks = [json.loads(line)["memory_mb"] for line in (cohort.path / "journal.jsonl").read_text().splitlines()]
    fifth = max(len(peaks) // 5, 1)
    print("largest memory of a worker in each fifth of the rows, MB:", [max(peaks[i : i + fifth]) for i in range(0, len(peaks), fifth)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("overhead", "throughput", "kills", "memory"))
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--peer", choices=("", "ants"), default="")
    options = parser.parse_args()
    options.rows = options.rows or {"overhead": 10000, "kills": 24, "memory": 500}.get(options.what, 0)
    with tempfile.TemporaryDirectory() as temporary:
        {"overhead": overhead, "throughput": throughput, "kills": kills, "memory": memory}[options.what](options, Path(temporary))


if __name__ == "__main__":
    main()
