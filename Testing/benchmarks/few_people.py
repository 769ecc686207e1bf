"""Registration with features that were learned from a few labelled hippocampi, and with a network that predicts fields directly.

    python Testing/benchmarks/few_people.py --data FOLDER --folder FOLDER [--scans 6 20 65] [--pairs 40] [--set NAME=VALUE ...] [--direct]

The scans to learn from are of the half for tuning, see ``people_sets``; pairs for the figures are of the other half, the same ones as in
``people.py``. FOLDER keeps trainings and figures; a second call resumes them. For each number of scans, the Trainer's recipe is trained and
its features register all pairs. With ``--direct`` a U-Net (``direct_net.py``) learns from the same scans for the same time of the
processor. "p" is that of Wilcoxon's signed-rank test of the pairs' Dice against the same registration without learned features.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "DeepRegModules" / "DeepReg")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from people import figures  # noqa: E402
from people_sets import PersonPair, halves, hippocampus  # noqa: E402
from scipy.stats import wilcoxon  # noqa: E402

from deepreg_engine.geometry.displacement_field import DisplacementField  # noqa: E402
from deepreg_engine.geometry.transform_files import read_field  # noqa: E402
from deepreg_engine.jobs.registration import run_registration  # noqa: E402
from deepreg_engine.jobs.request import make_request  # noqa: E402
from deepreg_engine.jobs.training import run_training  # noqa: E402
from deepreg_engine.methods.common.parameters import parse_settings  # noqa: E402
from deepreg_engine.training.base import TrainingRequest  # noqa: E402

Register = Callable[[PersonPair], DisplacementField]
LABELS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="folder with hippocampus/")
    parser.add_argument("--folder", required=True, type=Path, help="for trainings and figures")
    parser.add_argument("--scans", type=int, nargs="+", default=[6, 20, 65], help="numbers of scans to learn from")
    parser.add_argument("--pairs", type=int, default=40, help="pairs to register")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of these pairs")
    parser.add_argument("--half", choices=("report", "tune"), default="report", help="half of the hippocampi that are registered")
    parser.add_argument("--preset", default="people-mr", help="preset of the registrations")
    parser.add_argument("--set", action="append", default=[], help="option of the training")
    parser.add_argument("--parameters", action="append", default=[], help="parameter of the registrations with learned features")
    parser.add_argument("--direct", action="store_true", help="also train a network that predicts the field")
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    options.folder.mkdir(parents=True, exist_ok=True)
    pairs = hippocampus(options)
    untrained = _measured(options, "untrained", pairs, lambda pair: _registered(pair, options, []))
    print("| scans | features | Dice | lowest | p | folding % | SD log J | training, processor s |\n|---|---|---|---|---|---|---|---|")
    print(_line("", "untrained", untrained, untrained, 0.0), flush=True)
    for count in options.scans:
        names = _chosen(options.data / "hippocampus", count)
        model, seconds = _learned(options, names)
        settings = [f"features={model}", *options.parameters]
        own = _measured(options, f"learned {count}", pairs, lambda pair, settings=settings: _registered(pair, options, settings))
        print(_line(count, "learned", own, untrained, seconds), flush=True)
        if options.direct:
            found = _measured(options, f"direct {count}", pairs, _direct(options, names, seconds))
            print(_line(count, "U-Net that predicts the field", found, untrained, seconds), flush=True)


def _chosen(folder: Path, count: int) -> list[str]:
    """Return the names of the first scans of the half for tuning, shuffled by seed 0: fewer scans are a part of more."""
    names = halves(folder)[0]
    random.Random(0).shuffle(names)
    return names[:count]


def _learned(options: argparse.Namespace, names: list[str]) -> tuple[str, float]:
    """Return the file of the model, and the seconds of the processor that its training took."""
    folder = options.folder / f"learned-{len(names)}"
    scans, done = folder / "scans", folder / "done.json"
    if not done.is_file():
        for kind in ("images", "labels"):
            (scans / kind).mkdir(parents=True, exist_ok=True)
            for name in names:
                link = scans / kind / name
                if not link.exists():
                    link.symlink_to((options.data / "hippocampus" / kind / name).resolve())
        request = TrainingRequest(
            "dense", [str(scans)], str(folder / "training"), parse_settings(options.set), modality="mr", device="cpu", workers=0
        )
        begun = time.process_time()
        result = run_training(request, lambda share, stage: print(f"\r{share:5.1%} {stage[:120]:120s}", end="", file=sys.stderr))
        done.write_text(json.dumps({"model": result["model"], "seconds": time.process_time() - begun}))
    found = json.loads(done.read_text())
    return found["model"], found["seconds"]


def _direct(options: argparse.Namespace, names: list[str], seconds: float) -> Register:
    from direct_net import DirectNet, read_scan, register, train

    folder = options.data / "hippocampus"
    file = options.folder / f"direct-{len(names)}.pt"
    if not file.is_file():
        network, steps = train([read_scan(folder, name) for name in names], seconds, LABELS)
        print(f"{steps} steps of the U-Net", file=sys.stderr)
        torch.save(network.state_dict(), file)
    network = DirectNet()
    network.load_state_dict(torch.load(file, weights_only=True))
    return lambda pair: register(network.eval(), read_scan(folder, pair.fixed.name), read_scan(folder, pair.moving.name))


def _registered(pair: PersonPair, options: argparse.Namespace, settings: list[str]) -> DisplacementField:
    out = options.folder / f"field-{os.getpid()}.nrrd"
    parameters = parse_settings(settings)
    request = make_request(
        "dense", fixed=str(pair.fixed), moving=str(pair.moving), transform=str(out), preset=options.preset, parameters=parameters
    )
    run_registration(request)
    field = read_field(str(out))
    out.unlink()
    return field


def _measured(options: argparse.Namespace, name: str, pairs: list[PersonPair], register: Register) -> list[dict]:
    """Return the figures of all pairs; those that the folder holds are not computed again."""
    file = options.folder / f"{name.replace(' ', '-')}-{options.half}-{options.seed}.json"
    known = json.loads(file.read_text()) if file.is_file() else {}
    for pair in pairs:
        if pair.name not in known:
            known[pair.name] = figures(pair, register(pair))
            file.write_text(json.dumps(known, indent=1) + "\n")
    return [known[pair.name] for pair in pairs]


def _line(count: int | str, name: str, rows: list[dict], untrained: list[dict], seconds: float) -> str:
    dice, before = (np.array([row["dice"] for row in side]) for side in (rows, untrained))
    differences = dice - before
    p = f"{float(wilcoxon(differences).pvalue):.1e}" if len(dice) > 5 and differences.any() else ""
    folding, deviation = (float(np.mean([row[key] for row in rows])) for key in ("folding_percent", "sd_log_jacobian"))
    return f"| {count} | {name} | {dice.mean():.3f} | {dice.min():.3f} | {p} | {folding:.3f} | {deviation:.2f} | {seconds:.0f} |"


if __name__ == "__main__":
    main()
