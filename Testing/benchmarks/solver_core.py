"""Time of the core of the Dense method, compared with a plain implementation of its formulas.

The paper's size: features of 16 channels on 77 x 56 x 95 voxels, 32^3 control points, 15^3 displacements. Cost, twice
min-convolution and mean field with the published weights, softmax. Timed are

* the plain formulation: one trilinear lookup for each control point and displacement, then pooling
  (``Testing/engine/plain.py``);
* the engine on the paper's own lattice, displacements up to q = 0.4 of half the extent (``correlate_anywhere``);
* the engine on the nearest lattice on which displacements and control points are commensurate, q = 14/31 = 0.45
  (``correlate``), as the Dense method chooses its lattices.

Both results are compared with the plain ones, at the same displacements. Every measurement runs in a separate process, so that its peak
memory can be measured. Usage:

    python Testing/benchmarks/solver_core.py [--device cpu|cuda] [--plain-share S] [--repeats N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTING.parent / "DeepRegModules" / "DeepReg"), str(TESTING / "engine")]

import plain  # noqa: E402

from deepreg_engine.geometry.sampling import sample  # noqa: E402
from deepreg_engine.solvers.correlation import correlate, correlate_anywhere, lattice_size  # noqa: E402
from deepreg_engine.solvers.labels import probabilities  # noqa: E402
from deepreg_engine.solvers.mean_field import PUBLISHED_WEIGHTS, regularise  # noqa: E402

CHANNELS = 16
SIZE = (77, 56, 95)  # a third of the paper's images
CONTROLS = 32
RADIUS = 7
PAPER_REACH = 0.4
LATTICE_REACH = 2 * RADIUS / (CONTROLS - 1)  # a displacement step as long as the control point spacing
# The greatest difference that counts as equal, as a share of the range of the values.
TOLERANCE = 1e-4

SIDES = {
    "plain": ("plain formulation", PAPER_REACH),
    "anywhere": ("engine, any lattice", PAPER_REACH),
    "plain-lattice": ("plain formulation", LATTICE_REACH),
    "lattice": ("engine, commensurate lattice", LATTICE_REACH),
}


def make_features(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Random features of both images, the same in every process."""
    generator = torch.Generator().manual_seed(2019)
    return tuple(torch.randn(CHANNELS, *SIZE, generator=generator).to(device) for _ in range(2))


# ------------------------------------------------------------------------------------------------------------------- sides


def run_plain(fixed: torch.Tensor, moving: torch.Tensor, planes: int, reach: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Regularised cost and probabilities (Kz, Ky, Kx, Lz, Ly, Lx) by the formulas."""
    a0, a1, *mixing, a5 = PUBLISHED_WEIGHTS
    places = torch.linspace(-1.0, 1.0, CONTROLS, device=fixed.device)
    controls = places[:planes], places, places
    steps = reach * torch.linspace(-1.0, 1.0, 2 * RADIUS + 1, device=fixed.device)
    cost = plain.correlation(plain.lookup(fixed, plain.lattice(controls)), moving, controls, (steps,) * 3)
    cost = a1 + a0 * cost
    smooth = plain.regularised(cost, 2, *mixing)
    del cost
    return smooth, plain.probabilities(smooth, a5)


def control_positions(planes: int, like: torch.Tensor) -> list[torch.Tensor]:
    """Control points along z, y, x, in voxels, from face to face."""
    positions = [torch.linspace(0.0, n - 1.0, CONTROLS, device=like.device) for n in SIZE]
    return [positions[0][:planes], *positions[1:]]


def at(volume: torch.Tensor, positions: list[torch.Tensor]) -> torch.Tensor:
    """Values of a volume at positions in voxels along z, y, x, held at the faces."""
    z, y, x = torch.meshgrid(*positions, indexing="ij")
    return sample(volume, torch.stack([x, y, z]), "border")


def run_anywhere(fixed: torch.Tensor, moving: torch.Tensor, planes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Regularised cost and probabilities (Kz, Ky, Lz, Ly, Lx, Kx) by the engine, on the paper's lattice."""
    a0, a1, *mixing, a5 = PUBLISHED_WEIGHTS
    positions = control_positions(planes, fixed)
    labels = torch.linspace(-1.0, 1.0, 2 * RADIUS + 1, device=fixed.device)
    steps = tuple(0.5 * PAPER_REACH * (n - 1) * labels for n in SIZE)
    cost = correlate_anywhere(a0**0.5 * at(fixed, positions), a0**0.5 * moving, tuple(positions), steps).add_(a1)
    smooth = regularise(cost, 2, mixing)
    del cost
    return smooth, probabilities(smooth, a5)


def run_lattice(fixed: torch.Tensor, moving: torch.Tensor, planes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The same on a lattice whose displacement step is the control point spacing."""
    a0, a1, *mixing, a5 = PUBLISHED_WEIGHTS
    controls = (planes, CONTROLS, CONTROLS)
    places = [
        (torch.arange(count, dtype=torch.float32, device=fixed.device) - RADIUS) * ((n - 1) / (CONTROLS - 1))
        for count, n in zip(lattice_size(controls, 1, RADIUS), SIZE, strict=True)
    ]
    lattice = at(a0**0.5 * moving, places)
    constant = torch.full(lattice.shape[1:], a1, device=fixed.device)
    cost = correlate(a0**0.5 * at(fixed, control_positions(planes, fixed)), lattice, 1, RADIUS, penalty=constant)
    smooth = regularise(cost, 2, mixing)
    del cost
    return smooth, probabilities(smooth, a5)


# -------------------------------------------------------------------------------------------------------------- measuring


def peak_bytes(device: torch.device) -> int:
    """The most memory this process has had, on a GPU that of its tensors."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    try:  # unlike ru_maxrss, this does not include the memory of the parent process
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


@torch.no_grad()
def measure(side: str, device: torch.device, planes: int, repeats: int, folder: Path | None) -> dict:
    """Run one side; the last result is written to the folder as arrays (Kz, Ky, Kx, Lz, Ly, Lx)."""
    fixed, moving = make_features(device)
    before = peak_bytes(device)
    seconds = []
    for _ in range(repeats):
        result = None  # free the memory of the last result first
        start = time.perf_counter()
        if side.startswith("plain"):
            result = run_plain(fixed, moving, planes, SIDES[side][1])
        else:
            result = (run_anywhere if side == "anywhere" else run_lattice)(fixed, moving, planes)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    peak = peak_bytes(device)
    if folder is not None:
        for name, value in zip(("cost", "probability"), result, strict=True):
            value = value if side.startswith("plain") else value.permute(0, 1, 5, 2, 3, 4)
            np.save(folder / f"{side}-{name}.npy", value.cpu().numpy())
    return {"seconds": seconds, "peak_bytes": peak, "start_bytes": before}


def in_own_process(side: str, device: str, planes: int, repeats: int, folder: Path | None) -> dict:
    """:func:`measure` in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--device", device, "--planes", str(planes), "--repeats", str(repeats)]
    if folder is not None:
        command += ["--folder", str(folder)]
    # As fast as torch's default on an idle machine, and ten times faster than it on a busy one.
    environment = {"GOMP_SPINCOUNT": "1000", **os.environ}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def compare(folder: Path, theirs: str, ours: str) -> dict:
    """Greatest difference and range of two sides' costs and probabilities, read plane by plane; the files are removed."""
    result = {"equal": True}
    for name in ("cost", "probability"):
        paths = [folder / f"{side}-{name}.npy" for side in (theirs, ours)]
        first, second = (np.load(path, mmap_mode="r") for path in paths)
        if first.shape != second.shape:
            raise RuntimeError(f"results of shapes {first.shape} and {second.shape} cannot be compared")
        difference = max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))
        spread = max(float(a.max()) for a in first) - min(float(a.min()) for a in first)
        result[name] = {"difference": difference, "range": spread, "share": difference / spread}
        result["equal"] &= difference <= TOLERANCE * spread  # False if there is a NaN
        del first, second
        for path in paths:
            path.unlink()
    return result


def processor(device: str) -> str:
    """Return the name of the processor or GPU."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        model = next(line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {torch.get_num_threads()} threads"


# -------------------------------------------------------------------------------------------------------------- the report


def benchmark(device: str, share: float, repeats: int) -> dict:
    """All measurements and comparisons."""
    planes = max(3, math.ceil(share * CONTROLS))
    report = {"device": processor(device), "torch": torch.__version__, "plain_planes": planes, "sides": {}, "comparisons": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for theirs, ours in (("plain", "anywhere"), ("plain-lattice", "lattice")):
            report["sides"][theirs] = in_own_process(theirs, device, planes, 1, folder)
            if planes < CONTROLS:  # the same part of both has to be compared
                in_own_process(ours, device, planes, 1, folder)
            report["sides"][ours] = in_own_process(ours, device, CONTROLS, repeats, folder if planes == CONTROLS else None)
            report["comparisons"][ours] = compare(folder, theirs, ours)
    return report


def table(report: dict) -> str:
    """The report as markdown."""
    planes = report["plain_planes"]
    lines = [
        f"{CONTROLS}^3 control points, {2 * RADIUS + 1}^3 displacements, {CHANNELS} channels on {' x '.join(map(str, SIZE))}; "
        f"cost, two passes, softmax. {report['device']}, torch {report['torch']}.",
        "",
        "| | q | best (s) | median (s) | runs | faster | peak memory (MiB) | of it at the start (MiB) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    plain_seconds = {}
    for side, values in report["sides"].items():
        title, reach = SIDES[side]
        seconds = np.array(values["seconds"])
        if side.startswith("plain"):
            seconds = seconds * (CONTROLS / planes)
            plain_seconds[reach] = float(np.median(seconds))
            title += "" if planes == CONTROLS else f", from {planes} of {CONTROLS} planes"
        faster = plain_seconds[reach] / float(np.median(seconds))
        memory = " | ".join(f"{values[key] / 2**20:.0f}" for key in ("peak_bytes", "start_bytes"))
        lines.append(
            f"| {title} | {reach:.3f} | {seconds.min():.2f} | {np.median(seconds):.2f} | {len(seconds)} | {faster:.1f} x | {memory} |"
        )
    lines += ["", "| compared with plain | values | greatest difference | their range | share | equal |", "|---|---|---|---|---|---|"]
    for side, values in report["comparisons"].items():
        for name, title in (("cost", "regularised cost"), ("probability", "probability")):
            numbers = values[name]
            verdict = "yes" if numbers["share"] <= TOLERANCE else "NO"
            difference, spread, share = numbers["difference"], numbers["range"], numbers["share"]
            lines.append(f"| {SIDES[side][0]} | {title} | {difference:.2e} | {spread:.3g} | {share:.1e} | {verdict} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the Dense method's cost and regularisation against the plain formulas.")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--plain-share", type=float, default=1.0, help="share of the control points that the plain formulation computes")
    parser.add_argument("--repeats", type=int, default=5, help="runs of the engine")
    parser.add_argument("--json", type=Path, help="write the numbers to this file too")
    parser.add_argument("--side", choices=tuple(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--planes", type=int, default=CONTROLS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not 0.0 < options.plain_share <= 1.0 or options.repeats < 1:
        parser.error("the share is above 0 and at most 1, and there is at least one run")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here")
    if options.side:
        values = measure(options.side, torch.device(options.device), options.planes, options.repeats, options.folder)
        print(json.dumps(values))
        return 0
    report = benchmark(options.device, options.plain_share, options.repeats)
    print(table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if all(values["equal"] for values in report["comparisons"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
