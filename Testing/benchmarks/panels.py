"""Memory of the application over many registrations, and the time that entering a module takes.

    python Testing/benchmarks/panels.py [--runs 20] [--size 128]

Each run registers a pair of volumes of SIZE^3 voxels in the Dense panel; then the scene is closed. Resident memory is measured after each
run, and reported per run as a share of the memory of one pair. Modules are entered and left 100 times.
"""

from __future__ import annotations

import argparse
import gc
import resource
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Testing" / "slicer_testing"), str(ROOT / "Testing" / "modules"), str(ROOT / "DeepRegModules" / "DeepReg")]

import numpy as np  # noqa: E402

import slicer_testing  # noqa: E402

MODULES = ("DeepRegDense", "DeepRegDescent", "DeepRegPoints", "DeepRegInspector", "DeepRegTrainer")


def resident() -> float:
    """Return the resident memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--size", type=int, default=128)
    options = parser.parse_args()
    host = slicer_testing.start((str(ROOT / "DeepRegModules"),))
    host.load_module("DeepRegDense")
    import slicer
    from panels import finish, opened, quick
    from world import TURN, add_volume, matrix4

    for name in MODULES:
        widget, times = opened(host, name), []
        for _ in range(100):
            start = time.perf_counter()
            widget.exit()
            widget.enter()
            times.append(time.perf_counter() - start)
        print(f"{name}: exit and enter, median {1000 * np.median(times):.1f} ms, longest {1000 * max(times):.1f} ms")
        widget.exit()

    shape = (options.size,) * 3
    lattice = np.stack(np.meshgrid(*(np.linspace(-1.0, 1.0, options.size),) * 3, indexing="ij"))
    values = [(400.0 * np.exp(-3.0 * ((lattice - shift) ** 2).sum(axis=0))).astype(np.int16) for shift in (0.0, 0.05)]
    pair = sum(array.nbytes for array in values) / 1e6
    widget, memory = opened(host), []
    for number in range(options.runs):
        for name, array in zip(("fixed", "moving"), values, strict=True):
            add_volume(name, array, matrix4(TURN * 1.5, (-80.0, -60.0, -70.0)))
        widget.panel.initialize()
        quick(widget, working_spacing=12.0, control_spacing=36.0)
        widget.ui.applyButton.click()
        finish(host, widget, 120.0)
        slicer.mrmlScene.Clear()
        host.process_events()
        gc.collect()
        memory.append(resident())
        print(f"run {number + 1}: {memory[-1]:.1f} MB", flush=True)
    grown = (memory[-1] - memory[1]) / max(1, len(memory) - 2)
    print(f"pair of {shape}: {pair:.1f} MB; resident memory grows by {grown:.2f} MB a run, {100 * grown / pair:.1f} % of the pair")
    widget.panel.client.stop()


if __name__ == "__main__":
    main()
