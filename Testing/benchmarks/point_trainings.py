"""Training of point features through belief propagation and through coherent point drift, with the same examples and steps.

    python Testing/benchmarks/point_trainings.py --data FOLDER [--steps 120] [--batch 2]

FOLDER holds lung_points/l2r_lung_keypoints.zip (lung keypoints of Learn2Reg, 20 patients). Features are trained on 15 patients; the
independently detected keypoints of the other five are registered (two of them have such files). Prints the mean target registration error
at their keypoints as a table in Markdown: a row for each training, a column for each solver of the registration.
"""

from __future__ import annotations

import argparse
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
from deepreg_engine.training.points.pairs import patient_of, read_point_pairs  # noqa: E402

SPACING = (1.75, 1.0, 1.25)
HELD_OUT = ("4", "8", "12", "16", "20")
# Coherent point drift on its own has the kernel and stiffness that do best from a rough alignment.
SOLVERS = {
    "belief propagation": {"solver": "belief"},
    "coherent point drift": {"solver": "drift", "drift_iterations": 100, "drift_width": 30.0, "drift_stiffness": 3.0},
    "both": {},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with lung_points/")
    parser.add_argument("--steps", type=int, default=120, help="of each training")
    parser.add_argument("--batch", type=int, default=2, help="examples of a step")
    parser.add_argument("--share", type=float, default=0.5, help="of the steps, the last ones, in which the solver is part of the loss")
    options = parser.parse_args()
    archive = options.data / "lung_points" / "l2r_lung_keypoints.zip"
    pairs = read_point_pairs([archive], SPACING)
    test = [pair for pair in pairs if pair.moving is not None and patient_of(pair.name) in HELD_OUT]
    print("| features trained through | processor s | " + " | ".join(f"{name}, mm" for name in SOLVERS) + " |")
    print("|---|---|" + "---|" * len(SOLVERS))
    _row("no features", "-", test, "none")
    left_out = [pair.name for pair in pairs if patient_of(pair.name) in HELD_OUT]
    with tempfile.TemporaryDirectory() as folder:
        for solver, name in (("belief", "belief propagation"), ("drift", "coherent point drift")):
            parameters = {"solver": solver, "steps": options.steps, "batch": options.batch, "solver_share": options.share}
            model = str(Path(folder) / f"{solver}.safetensors")
            request = TrainingRequest(
                "points", [str(archive)], folder, parameters, name=solver, spacing=SPACING, leave_out=left_out, device="cpu"
            )
            begun = time.process_time()
            train_to_file(request, model, None, None)
            _row(name, f"{time.process_time() - begun:.0f}", test, model)


def _row(name: str, seconds: str, pairs: list, features: str) -> None:
    cells = []
    for settings in SOLVERS.values():
        parameters = PointsParameters(features=features, **settings)
        errors = [
            np.linalg.norm(
                register_points(pair.fixed, pair.moving, parameters, "cpu").map_points(pair.fixed) - pair.partners, axis=1
            ).mean()
            for pair in pairs
        ]
        cells.append(f"{np.mean(errors):.2f}")
    print("| " + " | ".join((name, seconds, *cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
