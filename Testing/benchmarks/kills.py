"""Kill a training without warning, again and again, and compare what it ends with with one that nobody disturbed.

    python Testing/benchmarks/kills.py [--method descent] [--kills 20] [--steps 120]

The child writes a checkpoint after every step, so that many a kill hits one that is being written.
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
from deepreg_engine.training.course import Places
method, folder, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
places = Places(folder + "/log.jsonl", folder + "/checkpoint.pt")
torch.set_num_threads(1)
if method == "descent":
    from deepreg_engine.training.descent_training import Material, train_descent
    from deepreg_engine.training.options import DescentTraining
    options = DescentTraining(steps=steps, size=24, width=8, phantoms=0, shapes=1.0)
    trained = train_descent(Material(), options, places=places, workers=0, keep_every=1)
else:
    import SimpleITK as sitk
    from deepreg_engine.training.dense_training import train_dense
    from deepreg_engine.training.label_training import train_labels
    from deepreg_engine.training.options import DenseTraining
    from deepreg_engine.training.training_scans import make_scan
    network = "label" if method == "dense" else "context"
    options = DenseTraining(network=network, steps=steps, spacing=4.0, size=24, controls=6, radius=3, width=8, channels=6)
    if network == "label":
        train_dense = train_labels
    scans, labels = [], list(range(1, 7))
    for name in sys.argv[4:]:
        image, map = (sitk.ReadImage(f"{name}_{kind}.nrrd") for kind in ("image", "labels"))
        scans.append(make_scan(name, sitk.Cast(image, sitk.sitkFloat32), map, "ct", options.spacing, labels))
    trained = train_dense(scans, [], options, len(labels), torch.device("cpu"), places, workers=0, keep_every=1, validated=False)
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
        scans = _people(folder) if options.method != "descent" else []
        whole, disturbed = folder / "whole", folder / "disturbed"
        for each in (whole, disturbed):
            each.mkdir()
        _start(options, whole, scans).wait()
        chance, kills = random.Random(0), 0
        while kills < options.kills:
            child = _start(options, disturbed, scans)
            before = _written(disturbed)
            while child.poll() is None and _written(disturbed) == before:  # it has gone on
                time.sleep(0.005)
            time.sleep(chance.uniform(0.0, 0.5))
            if child.poll() is not None:
                raise SystemExit(f"it ended after {kills} kills: give more --steps")
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
        if _start(options, disturbed, scans).wait():
            raise SystemExit("it did not go on")
        print(f"{options.method}: killed {kills} times, {_compared(whole, disturbed, options.steps)}")


def _start(options: argparse.Namespace, folder: Path, scans: list[str]) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD, options.method, str(folder), str(options.steps), *scans]
    return subprocess.Popen(command, env={"PYTHONPATH": str(ENGINE), "OMP_NUM_THREADS": "1"})


def _written(folder: Path) -> int:
    path = folder / "checkpoint.pt"
    return path.stat().st_mtime_ns if path.exists() else 0


def _people(folder: Path) -> list[str]:
    """Two small phantoms."""
    sys.path.insert(0, str(ENGINE))
    import SimpleITK as sitk

    from deepreg_engine.phantoms.population import make_volunteer

    names = []
    for number in (2000, 2001):
        person = make_volunteer("abdomen", number, "ct", 0.4)
        names.append(str(folder / str(number)))
        sitk.WriteImage(person.image, f"{names[-1]}_image.nrrd")
        sitk.WriteImage(person.labels, f"{names[-1]}_labels.nrrd")
    return names


def _compared(whole: Path, disturbed: Path, steps: int) -> str:
    import torch

    one, other = (torch.load(folder / "trained.pt", weights_only=True) for folder in (whole, disturbed))
    same = all(torch.equal(one[name], other[name]) for name in one)
    lines = [[json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()] for folder in (whole, disturbed)]
    logs = "its log without gaps" if lines[0] == lines[1] and lines[1][-1] == steps else "its log is not whole"
    return f"weights {'equal to the last bit' if same else 'DIFFER'}, {logs}"


if __name__ == "__main__":
    main()
