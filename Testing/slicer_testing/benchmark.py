"""Measures times of the host: ``python Testing/slicer_testing/benchmark.py [MODULE.py ...]``, with panels to set up."""

from __future__ import annotations

import gc
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).resolve().parent))


def timed(work: Callable[[], object], repeats: int) -> str:
    """Run a function several times and return its median and slowest time in milliseconds, as a text."""
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return f"{1e3 * statistics.median(seconds):8.1f} ms median, {1e3 * max(seconds):8.1f} ms slowest of {repeats}"


def memory() -> float:
    """Return the peak of the resident memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(scripts: list[str]) -> None:
    begun = time.perf_counter()
    import slicer_testing

    host = slicer_testing.start()
    print(f"start of the application        {1e3 * (time.perf_counter() - begun):8.1f} ms")
    import numpy as np
    import slicer

    print(f"fresh scene, without views      {timed(host.fresh, 20)}")
    begun = time.perf_counter()
    manager = host.app.layoutManager()
    viewport = manager.viewport()
    viewport.resize(1640, 1680)
    viewport.show()
    host.process_events()
    print(f"four views                      {1e3 * (time.perf_counter() - begun):8.1f} ms")

    generator = np.random.default_rng(0)
    volumes = []
    for name in ("fixed", "moving"):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        slicer.util.updateVolumeFromArray(node, generator.normal(size=(208, 192, 192)).astype(np.float32))
        node.CreateDefaultDisplayNodes()
        volumes.append(node)
    slicer.util.setSliceViewerLayers(background=volumes[0], foreground=volumes[1], foregroundOpacity=0.5)
    widget = manager.sliceWidget("Red")
    offsets = iter(range(-90, 90))

    def redraw() -> None:
        widget.sliceLogic().SetSliceOffset(next(offsets))
        widget.sliceView().forceRender()

    redraw()
    size = widget.sliceView().size
    print(f"slice with overlay, {size.width()}x{size.height()}    {timed(redraw, 30)}")

    def fresh_with_views() -> None:
        host.fresh()
        host.app.layoutManager().viewport().show()
        host.process_events()

    print(f"fresh scene with four views     {timed(fresh_with_views, 10)}")

    for script in scripts:
        module = host.load_module(script)

        def set_up(module: object = module) -> None:
            module.close()
            module.widgetRepresentation()
            host.process_events()

        print(f"panel {module.name:25s} {timed(set_up, 5)}")

    import qt

    button = qt.QPushButton("text")
    none_before = sys.getrefcount(None)
    at = memory()

    def reads_and_writes() -> None:
        for number in range(10000):
            button.text = str(number)
            assert button.text == str(number)
            button.setEnabled(True)

    text = timed(reads_and_writes, 5)
    gc.collect()
    print(
        f"10,000 reads and writes         {text}; "
        f"None's references {sys.getrefcount(None) - none_before:+d}, memory {memory() - at:+.1f} MiB"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
