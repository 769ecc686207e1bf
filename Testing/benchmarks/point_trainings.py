"""Training of point features by our variant and by the papers' own: coherent point drift in the loss, and a dynamic graph.

    python Testing/benchmarks/point_trainings.py --data FOLDER [--seeds 0 1 2] [--steps 200] [--trainings static ...] [--json FILE]

FOLDER holds lung_points/: l2r_lung_keypoints.zip (lung keypoints of Learn2Reg, 20 patients), on which all trainings learn from the same
examples, and dirlab_copd_02_05 (keypoints and landmarks of DIR-Lab COPD 02 to 05, CSV in mm), whose four pairs are registered. Prints the
mean landmark error of the four pairs as a table in Markdown: a row for each training, a column for each solver of the registration; a cell
is the mean over the seeds and, in brackets, the smallest and the largest. --json adds the figures of each training to a file; those
that it already holds are not measured again, so that a long comparison can be made in parts.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "DeepRegModules" / "DeepReg")]

import numpy as np  # noqa: E402

from deepreg_engine.jobs.training import train_to_file  # noqa: E402
from deepreg_engine.methods.points.parameters import PointsParameters  # noqa: E402
from deepreg_engine.methods.points.register import register_points  # noqa: E402
from deepreg_engine.training.base import TrainingRequest  # noqa: E402

SPACING = (1.75, 1.0, 1.25)
CASES = (2, 3, 4, 5)
PARTS = ("exp_keypoints", "insp_keypoints", "exp_landmarks", "insp_landmarks")
# "static" is our variant: a graph of the positions, and belief propagation in the loss.
TRAININGS = {"static": {}, "dynamic": {"graph": "dynamic"}, "drift": {"solver": "drift"}}
TITLES = {
    "none": "no features",
    "static": "belief propagation, static graph (default)",
    "dynamic": "belief propagation, dynamic graph",
    "drift": "coherent point drift, static graph",
}
# Coherent point drift on its own has the kernel and stiffness that do best from a rough alignment.
SOLVERS = {
    "belief propagation": {"solver": "belief"},
    "coherent point drift": {"solver": "drift", "drift_iterations": 100, "drift_width": 30.0, "drift_stiffness": 3.0},
    "both": {},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with lung_points/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the trainings")
    parser.add_argument("--steps", type=int, default=200, help="of each training, with two examples; the solver is in the last 30 %%")
    parser.add_argument("--trainings", nargs="+", choices=TRAININGS, default=list(TRAININGS))
    parser.add_argument("--json", type=Path, help="file of the figures of each training")
    options = parser.parse_args()
    rows = json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    clouds = _clouds(options.data / "lung_points" / "dirlab_copd_02_05")
    if "none" not in rows:
        rows["none"] = _errors(clouds, "none")
    for seed in options.seeds:
        for name in options.trainings:
            if f"{name} {seed}" not in rows:
                rows[f"{name} {seed}"] = _trained(options, name, seed, clouds)
                print(name, seed, rows[f"{name} {seed}"], file=sys.stderr, flush=True)
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(_markdown(rows))


def _clouds(folder: Path) -> list[list[np.ndarray]]:
    """Return the fixed and moving keypoints and landmarks of each patient, mm."""
    return [[np.loadtxt(folder / f"case_{case:02d}_{part}.csv", delimiter=",", skiprows=1) for part in PARTS] for case in CASES]


def _trained(options: argparse.Namespace, name: str, seed: int, clouds: list) -> dict[str, float]:
    """Return the processor time of a training, s, and the errors with its features."""
    archive = str(options.data / "lung_points" / "l2r_lung_keypoints.zip")
    parameters = {"steps": options.steps, "batch": 2, "seed": seed, **TRAININGS[name]}
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "trained.safetensors")
        request = TrainingRequest("points", [archive], folder, parameters, name=name, spacing=SPACING, device="cpu")
        begun = time.process_time()
        train_to_file(request, model, None, None)
        return {"processor time": time.process_time() - begun, **_errors(clouds, model)}


def _errors(clouds: list, features: str) -> dict[str, float]:
    """Return the mean landmark error of the four patients by each solver, mm."""
    means = {}
    for solver, settings in SOLVERS.items():
        parameters = PointsParameters(features=features, **settings)
        maps = [(register_points(fixed, moving, parameters, "cpu"), marks, truth) for fixed, moving, marks, truth in clouds]
        means[solver] = float(np.mean([np.linalg.norm(found.map_points(marks) - truth, axis=1).mean() for found, marks, truth in maps]))
    return means


def _markdown(rows: dict[str, dict[str, float]]) -> str:
    lines = ["| features trained through | processor time, s | " + " | ".join(f"{name}, mm" for name in SOLVERS) + " |"]
    lines.append("|---|---|" + "---|" * len(SOLVERS))
    for name, title in TITLES.items():
        found = [row for key, row in rows.items() if key.split()[0] == name]
        if found:
            seconds = f"{np.mean([row['processor time'] for row in found]):.0f}" if name != "none" else "-"
            lines.append(f"| {title} | {seconds} | " + " | ".join(_cell([row[solver] for row in found]) for solver in SOLVERS) + " |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    mean = f"{np.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
