"""Accuracy, time and memory of the Points method, beside pycpd where that is installed.

    python Testing/benchmarks/points.py --data FOLDER [--tables accuracy growth peer] [--most 20000]

Prints tables in Markdown. FOLDER holds lung_points/dirlab_copd_02_05 (keypoints and landmarks of DIR-Lab COPD 02 to 05, CSV in mm; the
fixed points are exhaled). "accuracy": mean landmark errors. "growth": time and peak memory against the number of points, each in a
process of its own. "peer": one deformable registration by pycpd and by ``drift_smooth`` with equal settings. "processor s" counts the time
that all processors worked on it, and depends less on the load of the machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

# As the command line sets it, before torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

ENGINE = Path(__file__).resolve().parent.parent.parent / "DeepRegModules" / "DeepReg"
sys.path[:0] = [str(ENGINE)]

import numpy as np  # noqa: E402
import torch  # noqa: E402

from deepreg_engine.geometry.image_grid import ImageGrid  # noqa: E402
from deepreg_engine.methods.points.parameters import PointsParameters  # noqa: E402
from deepreg_engine.methods.points.register import register_points  # noqa: E402
from deepreg_engine.solvers.kernel import Kernel  # noqa: E402
from deepreg_engine.solvers.point_drift import DriftOptions, drift_smooth, first_variance  # noqa: E402

CASES = (2, 3, 4, 5)
SIZES = ((300, 300), (1200, 1500), (3000, 3000), (8000, 8000), (20000, 20000))
PEER_SIZES = ((500, 500), (1200, 1500), (3000, 3000))
# Classical coherent point drift: from far away, with the kernel and stiffness that did best without features.
_ALONE = {"solver": "drift", "drift_iterations": 100, "drift_width": 30.0, "drift_stiffness": 3.0}
_WAYS = {
    "drift alone": {**_ALONE, "features": "none"},
    "drift, feature prior": _ALONE,
    "belief propagation, positions alone": {"solver": "belief", "features": "none"},
    "belief propagation, features": {"solver": "belief"},
    "both (default)": {},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with lung_points/; without it there is no accuracy table")
    parser.add_argument("--tables", nargs="+", choices=("accuracy", "growth", "peer"), default=["accuracy", "growth", "peer"])
    parser.add_argument("--most", type=int, default=20000, help="largest number of points of the growth table")
    parser.add_argument("--one", nargs=2, type=int, metavar=("FIXED", "MOVING"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(_measured(*options.one)))
        return
    if "accuracy" in options.tables and options.data:
        _accuracy(options.data / "lung_points" / "dirlab_copd_02_05")
    if "growth" in options.tables:
        _growth([size for size in SIZES if max(size) <= options.most])
    if "peer" in options.tables:
        if _has_pycpd():
            _peer()
        else:
            print("\npycpd is not installed: no comparison with it", file=sys.stderr)


def _has_pycpd() -> bool:
    return importlib.util.find_spec("pycpd") is not None


def _row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def _head(*cells: str) -> None:
    print()
    _row(*cells)
    _row(*["---"] * len(cells))


# --------------------------------------------------------------------------------------------------------------- accuracy


def _accuracy(folder: Path) -> None:
    clouds = {
        case: [
            np.loadtxt(folder / f"case_{case:02d}_{part}.csv", delimiter=",", skiprows=1)
            for part in ("exp_keypoints", "insp_keypoints", "exp_landmarks", "insp_landmarks")
        ]
        for case in CASES
    }
    _head("mean landmark error, mm", *(f"COPD {case:02d}" for case in CASES), "mean")
    _errors("before", clouds, lambda fixed, moving, marks: marks)
    _errors("affine", clouds, _aligned)
    for name, settings in _WAYS.items():
        for initial in ("affine", "none", "centres"):
            parameters = replace(PointsParameters(), initial=initial, **settings)
            title = name if initial == "affine" else f"{name}; {'no alignment' if initial == 'none' else 'aligned by the centres'}"
            _errors(title, clouds, lambda fixed, moving, marks, p=parameters: register_points(fixed, moving, p, "cpu").map_points(marks))
    if _has_pycpd():
        _errors("pycpd affine", clouds, lambda fixed, moving, marks: _pycpd(fixed, moving, marks, False))
        _errors("pycpd affine, then deformable (alpha 2, beta 2)", clouds, lambda fixed, moving, marks: _pycpd(fixed, moving, marks, True))


def _errors(name: str, clouds: dict, way) -> None:
    errors = [float(np.linalg.norm(way(f, m, marks) - truth, axis=1).mean()) for f, m, marks, truth in clouds.values()]
    _row(name, *(f"{error:.2f}" for error in errors), f"{np.mean(errors):.2f}")


def _aligned(fixed: np.ndarray, moving: np.ndarray, marks: np.ndarray) -> np.ndarray:
    shortest = replace(PointsParameters(), features="none", solver="drift", drift_iterations=1)
    matrix = register_points(fixed, moving, shortest, "cpu").alignment
    return marks @ matrix[:3, :3].T + matrix[:3, 3]


def _pycpd(fixed: np.ndarray, moving: np.ndarray, marks: np.ndarray, deformable: bool) -> np.ndarray:
    from pycpd import AffineRegistration, DeformableRegistration
    from scipy.interpolate import RBFInterpolator

    moved, (matrix, offset) = AffineRegistration(X=moving, Y=fixed).register()
    marks = marks @ matrix + offset
    if deformable:
        # It maps only its own points, by Gaussians of 2 mm; a thin-plate spline through these points maps the landmarks.
        there, _ = DeformableRegistration(X=moving, Y=moved, alpha=2, beta=2).register()
        marks = marks + RBFInterpolator(moved, there - moved, kernel="linear", degree=1)(marks)
    return marks


# ----------------------------------------------------------------------------------------------------------------- growth


def lung_like(count: int, others: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points in two lungs at exhalation and at inhalation: four of five have a partner."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1.0, 1.0, (4 * max(count, others) + 200, 3))
    points = points[(points**2).sum(1) < 1.0] * (50.0, 80.0, 110.0)
    points[:, 0] += np.where(rng.random(len(points)) < 0.5, -70.0, 70.0)
    fixed, alone = points[:count], points[count : 2 * max(count, others)]
    shared = min(count, others) * 4 // 5
    moving = np.concatenate([fixed[:shared], alone[: others - shared]])
    depth = (110.0 - moving[:, 2:]) / 220.0
    moving = moving + depth * (0.0, -8.0, -30.0) + 4.0 * np.sin(moving[:, [1, 2, 0]] / 35.0) + rng.normal(0.0, 0.5, moving.shape)
    return fixed, moving[rng.permutation(len(moving))]


def _measured(count: int, others: int) -> dict:
    fixed, moving = lung_like(count, others)
    small = lung_like(100, 100)
    register_points(*small, PointsParameters(), "cpu")  # libraries are loaded
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, processors = time.perf_counter(), time.process_time()
    result = register_points(fixed, moving, PointsParameters(), "cpu")
    solved = time.perf_counter()
    low, high = fixed.min(0) - 10.0, fixed.max(0) + 10.0
    result.field(ImageGrid((160,) * 3, tuple((high - low) / 159), tuple(low)))
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "processors": time.process_time() - processors,
        "solve": solved - begun,
        "field": done - solved,
        "peak_mb": peak / 1024,
        "more_mb": (peak - before) / 1024,
        **{name: seconds for name, seconds in result.seconds.items() if name not in ("field", "total")},
    }


def _growth(sizes: list[tuple[int, int]]) -> None:
    parts = ("alignment s", "belief propagation s", "drift s", "field 160^3 s", "total s")
    _head("fixed x moving points", *parts, "processor s", "peak memory MB", "of this for the points MB")
    for size in sizes:
        command = [sys.executable, __file__, "--one", *map(str, size)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            _row(f"{size[0]} x {size[1]}", f"failed: {done.stderr.strip().splitlines()[-1:]}")
            continue
        row = json.loads(done.stdout)
        parts = [row["alignment"], row["belief propagation"], row["coherent point drift"], row["field"], row["solve"] + row["field"]]
        seconds = [f"{part:.2f}" for part in (*parts, row["processors"])]
        _row(f"{size[0]} x {size[1]}", *seconds, f"{row['peak_mb']:.0f}", f"{row['more_mb']:.0f}")


# ------------------------------------------------------------------------------------------------------------------- peer


def _peer(iterations: int = 30, beta: float = 30.0, alpha: float = 2.0) -> None:
    from pycpd import DeformableRegistration

    _head(
        "points",
        "pycpd s",
        "processor s",
        "drift_smooth s",
        "processor s",
        "ratio of times",
        "ratio of processor times",
        "largest difference mm",
    )
    for count, others in PEER_SIZES:
        fixed, moving = lung_like(count, others)
        one, two = torch.from_numpy(fixed), torch.from_numpy(moving)
        settings = {"alpha": alpha, "beta": beta, "max_iterations": iterations, "tolerance": 0.0, "w": 0.0}
        variance = float(first_variance(one, two))
        peer, (theirs, _) = _timed(DeformableRegistration(X=moving, Y=fixed, sigma2=variance, **settings).register)
        ways = [_timed(partial(_smooth, one, two, Kernel((beta,)), alpha, iterations, variance)) for _ in range(3)]
        own, ours = min(ways, key=lambda way: way[0])
        apart = float(np.linalg.norm(ours - theirs, axis=1).max())
        ratios = [f"{a / b:.0f}" for a, b in zip(peer, own, strict=True)]
        _row(f"{count} x {others}", *(f"{t:.2f}" for t in (*peer, *own)), *ratios, f"{apart:.4f}")


def _timed(run: Callable[[], Any]) -> tuple[tuple[float, float], Any]:
    """Seconds by the clock and of all processors, and the result."""
    begun, processors = time.perf_counter(), time.process_time()
    result = run()
    return (time.perf_counter() - begun, time.process_time() - processors), result


@torch.no_grad()
def _smooth(one: torch.Tensor, two: torch.Tensor, kernel: Kernel, alpha: float, iterations: int, variance: float) -> np.ndarray:
    return drift_smooth(
        one, two, kernel, alpha, DriftOptions(outliers=0.0, iterations=iterations, tolerance=0.0, variance=variance)
    ).moved.numpy()


if __name__ == "__main__":
    main()
