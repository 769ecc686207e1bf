"""Kill a training repeatedly, and compare its result with that of a training without interruptions.

    python Testing/benchmarks/kills.py [--method descent] [--kills 20] [--steps 120]

The child writes a checkpoint after every step, so that many kills hit one that is being written.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ENGINE = Path(__file__).resolve().parents[2] / "DeepRegModules" / "DeepReg"
CHILD = """
import sys, torch
from deepreg_engine.training.base import RunSettings, TrainingData
from deepreg_engine.training.loop import Monitor
from deepreg_engine.training.registry import TRAININGS, find_trainer
method, folder, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(1)
data = TrainingData(labels=list(range(1, 7)))
if method == "descent":
    options = TRAININGS[method](steps=steps, size=24, width=8, phantoms=0, shapes=1.0)
else:
    import SimpleITK as sitk
    from deepreg_engine.training.dense.scans import make_scan
    network, method = ("label" if method == "dense" else "context"), "dense"
    options = TRAININGS[method](network=network, steps=steps, spacing=4.0, size=24, controls=6, radius=3, width=8, channels=6)
    for name in sys.argv[4:]:
        image, labels = (sitk.ReadImage(f"{name}_{kind}.nrrd") for kind in ("image", "labels"))
        data.items[name] = [make_scan(name, sitk.Cast(image, sitk.sitkFloat32), labels, "ct", options.spacing, data.labels)]
monitor = Monitor(folder + "/log.jsonl", folder + "/checkpoint.pt")
run = RunSettings(torch.device("cpu"), monitor, checkpoint_every=1, validate=False)
trained = find_trainer(method).train(data, options, run)
torch.save(trained.network.state_dict(), folder + "/trained.pt")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--method", choices=("descent", "dense", "context"), default="descent")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=120)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        scans = _scans(folder) if options.method != "descent" else []
        whole, killed = folder / "whole", folder / "killed"
        for each in (whole, killed):
            each.mkdir()
        _start(options, whole, scans).wait()
        delay, kills = random.Random(0), 0
        while kills < options.kills:
            child = _start(options, killed, scans)
            before = _written(killed)
            while child.poll() is None and _written(killed) == before:  # the training has resumed
                time.sleep(0.005)
            time.sleep(delay.uniform(0.0, 0.5))
            if child.poll() is not None:
                raise SystemExit(f"it ended after {kills} kills: give more --steps")
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
        if _start(options, killed, scans).wait():
            raise SystemExit("it did not resume")
        print(f"{options.method}: killed {kills} times, {_compared(whole, killed, options.steps)}")


def _start(options: argparse.Namespace, folder: Path, scans: list[str]) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD, options.method, str(folder), str(options.steps), *scans]
    return subprocess.Popen(command, env={"PYTHONPATH": str(ENGINE), "OMP_NUM_THREADS": "1"})


def _written(folder: Path) -> int:
    path = folder / "checkpoint.pt"
    return path.stat().st_mtime_ns if path.exists() else 0


def _scans(folder: Path) -> list[str]:
    """Two small phantoms."""
    sys.path.insert(0, str(ENGINE))
    import SimpleITK as sitk

    from deepreg_engine.phantoms.population import make_volunteer

    names = []
    for number in (2000, 2001):
        patient = make_volunteer("abdomen", number, "ct", 0.4)
        names.append(str(folder / str(number)))
        sitk.WriteImage(patient.image, f"{names[-1]}_image.nrrd")
        sitk.WriteImage(patient.labels, f"{names[-1]}_labels.nrrd")
    return names


def _compared(whole: Path, killed: Path, steps: int) -> str:
    import torch

    one, other = (torch.load(folder / "trained.pt", weights_only=True) for folder in (whole, killed))
    same = all(torch.equal(one[name], other[name]) for name in one)
    lines = [[json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()] for folder in (whole, killed)]
    logs = "its log without gaps" if lines[0] == lines[1] and lines[1][-1] == steps else "its log is not whole"
    return f"weights {'equal to the last bit' if same else 'DIFFER'}, {logs}"


if __name__ == "__main__":
    main()
