"""Registrations between real people, and those of peers on the same pairs.

    python Testing/benchmarks/people.py --data FOLDER [--sets hippocampus abdomen] [--pairs 40] [--half tune] [--ours ...] [--peers]

FOLDER holds what ``people_sets`` names. Each registration is a process of its own, from files to files. Label maps of the moving image are
warped with nearest neighbours. For each method the table has the mean Dice over labels and pairs, the lowest Dice of a pair, the mean
95th percentile of the surface distances, the share of folded voxels, the standard deviation of the logarithm of the Jacobian
determinant, seconds of the whole process, seconds of its processor, memory, and how often our verdict is good, to be checked and bad.
"p" is that of Wilcoxon's signed-rank test of the pairs' Dice against our first method.

The hippocampi are split by their names into two halves: parameters are tuned on one ("tune"), figures reported of the other ("report").
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
HERE = Path(__file__).resolve().parent
ENGINE = HERE.parent.parent / "DeepRegModules" / "DeepReg"
sys.path[:0] = [str(HERE), str(ENGINE)]

import numpy as np  # noqa: E402
from people_sets import SETS, PersonPair  # noqa: E402
from scipy.stats import wilcoxon  # noqa: E402

from deepreg_engine.errors import InputError  # noqa: E402
from deepreg_engine.geometry.displacement_field import DisplacementField  # noqa: E402
from deepreg_engine.geometry.transform_files import read_field  # noqa: E402
from deepreg_engine.metrics.overlap import label_overlap  # noqa: E402
from deepreg_engine.verdict.line import LEVELS, level_of  # noqa: E402

# The module by which a peer is found.
PEERS = {"greedy": "picsl_greedy", "greedy-identity": "picsl_greedy", "ants": "ants", "elastix": "itk", "convexadam": "convexAdam"}


@dataclass
class Usage:
    """Time and memory of one process."""

    seconds: float
    processor: float
    memory_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="folder with abdomen/, brain/ and hippocampus/")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--pairs", type=int, default=40, help="pairs of hippocampi")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of these pairs")
    parser.add_argument("--half", choices=("report", "tune"), default="report", help="half of the hippocampi")
    parser.add_argument(
        "--ours", nargs="+", default=["dense brain-mr"], metavar="'METHOD PRESET [NAME=VALUE ...]'", help="method, preset and parameters"
    )
    parser.add_argument("--peers", nargs="*", choices=PEERS, help="also run these peers; without names all that can be imported")
    parser.add_argument("--peer-python", default=sys.executable, help="Python in which the peers are installed")
    parser.add_argument("--json", type=Path, help="write all figures there")
    options = parser.parse_args()
    options.data = options.data.resolve()
    options.peer_python = os.path.abspath(shutil.which(options.peer_python) or parser.error(f"{options.peer_python} is no program"))
    methods = [*options.ours, *_peers(options)]
    everything = {}
    for name in options.sets:
        rows = [_row(pair, method, options) for pair in SETS[name](options) for method in methods]
        everything[name] = rows
        print(_markdown(name, rows, methods), flush=True)
    if options.json:
        options.json.write_text(json.dumps(everything, indent=1) + "\n")


def _peers(options: argparse.Namespace) -> list[str]:
    """The chosen peers that their Python can import."""
    if options.peers is None:
        return []
    probe = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n)])"
    command = [options.peer_python, "-c", probe, *PEERS.values()]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in options.peers or PEERS if PEERS[name] in found]


def _row(pair: PersonPair, method: str, options: argparse.Namespace) -> dict:
    row: dict = {"pair": pair.name, "method": method}
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "field.nrrd")
        usage = _run(method, pair, out, options)
        row.update(vars(usage))
        try:
            row.update(figures(pair, read_field(out)))
            row["verdict"] = level_of(json.loads(_report_beside(out).read_text())) if _report_beside(out).exists() else ""
        except InputError as error:  # no field, or a field with values that are not finite
            print(f"{method}: {error.line()}", file=sys.stderr)
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def _report_beside(out: str) -> Path:
    """The report of our own run that writes a field."""
    return Path(out).with_suffix(".json")


def figures(pair: PersonPair, field: DisplacementField) -> dict:
    fixed, moving = pair.labels()
    warped = field.warp_image(moving, "nearest")
    overlaps = label_overlap(fixed, warped, pair.common)
    determinant = field.jacobian_determinant()
    return {
        "dice": float(np.mean([each.dice for each in overlaps])),
        "by_label": {str(each.label): each.dice for each in overlaps},
        "hd95_mm": float(np.mean([each.hd95 for each in overlaps if each.hd95 is not None] or [np.nan])),
        "folding_percent": 100.0 * float((determinant <= 0).mean()),
        "sd_log_jacobian": float(np.log(determinant.clip(1e-3)).std()),
    }


def _run(method: str, pair: PersonPair, out: str, options: argparse.Namespace) -> Usage:
    if method in PEERS:
        command = [options.peer_python, str(HERE / "peers.py"), method, str(pair.fixed), str(pair.moving), out]
    else:
        name, preset, *settings = method.split()
        command = [sys.executable, "-m", "deepreg_engine", "register", name, "--preset", preset, "--quiet"]
        command += ["--fixed", str(pair.fixed), "--moving", str(pair.moving), "--transform", out, "--report", str(_report_beside(out))]
        command += [part for setting in settings for part in ("--set", setting)]
    begun = time.perf_counter()
    log = Path(out).with_suffix(".log")
    with log.open("w") as stream:
        environment = dict(os.environ, PYTHONPATH=str(ENGINE))
        process = subprocess.Popen(command, env=environment, cwd=Path(out).parent, stdout=stream, stderr=stream)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        print(f"{method}: {log.read_text().strip().splitlines()[-1:]}", file=sys.stderr)
        Path(out).unlink(missing_ok=True)
    return Usage(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _markdown(name: str, rows: list[dict], methods: list[str]) -> str:
    lines = [
        f"\n{name}, {len({row['pair'] for row in rows})} pairs\n",
        "| method | Dice | lowest | p | HD95 mm | folding % | SD log J | s | processor s | MB | good, check, bad | failed |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    first = _dice(rows, methods[0])
    for method in methods:
        own = [row for row in rows if row["method"] == method]
        done = [row for row in own if "dice" in row]
        if not done:
            lines.append(f"| {method} |" + " |" * 10 + f" {len(own)} |")
            continue
        means = [float(np.nanmean([row[key] for row in done])) for key in ("hd95_mm", "folding_percent", "sd_log_jacobian")]
        usage = [float(np.mean([row[key] for row in own])) for key in ("seconds", "processor", "memory_mb")]
        dice = _dice(rows, method)
        levels = [sum(row.get("verdict") == level for row in done) for level in LEVELS]
        verdicts = ", ".join(str(count) for count in levels) if any(levels) else ""
        lines.append(
            f"| {method} | {np.mean(list(dice.values())):.3f} | {min(dice.values()):.3f} | {_p(first, dice)} "
            f"| {means[0]:.2f} | {means[1]:.3f} | {means[2]:.2f} "
            f"| {usage[0]:.1f} | {usage[1]:.1f} | {usage[2]:.0f} | {verdicts} | {len(own) - len(done)} |"
        )
    return "\n".join(lines)


def _dice(rows: list[dict], method: str) -> dict[str, float]:
    return {row["pair"]: row["dice"] for row in rows if row["method"] == method and "dice" in row}


def _p(first: dict[str, float], other: dict[str, float]) -> str:
    differences = np.array([first[pair] - other[pair] for pair in first if pair in other])
    if len(differences) < 6 or not differences.any():
        return ""
    return f"{float(wilcoxon(differences).pvalue):.1e}"


if __name__ == "__main__":
    main()
