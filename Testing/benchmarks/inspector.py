"""Response times of the Inspector with many landmarks.

    python Testing/benchmarks/inspector.py [--landmarks 1000]

A pair of 200 x 200 x 160 voxels with a displacement field and landmark pairs; median of 15 repetitions each, including the update of views.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Testing" / "slicer_testing"), str(ROOT / "Testing" / "modules"), str(ROOT / "DeepRegModules" / "DeepReg")]

import numpy as np  # noqa: E402

import slicer_testing  # noqa: E402

SIZE = (200, 200, 160)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--landmarks", type=int, default=1000)
    count = parser.parse_args().landmarks
    host = slicer_testing.start((str(ROOT / "DeepRegModules"),))
    host.load_module("DeepRegInspector")
    import slicer
    from inspector_bench import grid_node, markups
    from panels import opened
    from world import TURN, add_volume, matrix4, smooth

    manager = slicer.app.layoutManager()
    manager.viewport().resize(1100, 900)
    manager.viewport().show()
    ijk = matrix4(TURN * np.array([1.0, 1.0, 1.5]), (-80.0, -60.0, -70.0))
    values = np.random.default_rng(0).integers(0, 200, SIZE[::-1], dtype=np.int16)
    fixed, moving = add_volume("fixed", values, ijk), add_volume("moving", values[:, ::-1].copy(), ijk)
    coarse = (20, 20, 16)
    grid = ijk @ np.diag([*(np.array(SIZE) / coarse), 1.0])
    at = np.stack(np.unravel_index(np.arange(np.prod(coarse)), coarse, order="F"), axis=1) @ grid[:3, :3].T + grid[:3, 3]
    transform = grid_node("result", np.stack([smooth(at, seed) / 40.0 for seed in (1, 2, 3)], axis=1), coarse, grid)
    generator = np.random.default_rng(1)
    points = (generator.uniform(0.1, 0.9, (count, 3)) * SIZE) @ ijk[:3, :3].T + ijk[:3, 3]
    widget = opened(host, "DeepRegInspector", 760)
    panel = widget.panel
    panel.inspect(transform, fixedVolume=fixed, movingVolume=moving)
    widget.ui.sideBySideButton.checked = True
    panel.node.fixedPoints, panel.node.movingPoints = markups("f", points), markups("m", points + generator.normal(size=(count, 3)))
    host.wait_for(lambda: not panel.busy, 60, "the panel")
    host.process_events(0.5)
    landmarks = panel.sections["landmarks"]

    def measured(what: str, act: Callable[[int], None]) -> None:
        times = []
        for number in range(15):
            start = time.perf_counter()
            act(number)
            host.wait_for(lambda: not panel.busy, 60, "the panel")
            host.process_events()
            times.append(time.perf_counter() - start)
        print(f"| {what} | {1000 * np.median(times):.0f} | {1000 * max(times):.0f} |")

    print(f"| {count} landmark pairs | median ms | longest ms |\n|---|---|---|")
    measured("select a row, all views follow", lambda number: landmarks.table.select((37 * number + 5) % count))
    moving = panel.node.movingPoints
    measured("move a landmark, all is measured again", lambda number: moving.SetNthControlPointPosition(number, *points[number + 1]))
    measured("sort by another column", lambda number: widget.ui.pairsTable.horizontalHeader().sectionClicked.emit(1 + number % 2))
    measured("undo", lambda _number: panel.sections["history"].undo())


if __name__ == "__main__":
    main()
