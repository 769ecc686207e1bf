"""Response times of the Inspector's part "Confidence and alternatives", from the question to the views, and memory that the worker keeps.

    python Testing/benchmarks/explanation.py [--detail 1.5]

Cold: the pair is opened first. Warm: the same question at other positions (median and longest of 20), or the same map again.
A brain phantom of about 165 x 189 x 141 and 162 x 198 x 156 voxels after Dense and Descent, and 1500 keypoints of a thorax phantom after
Points.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Testing" / "slicer_testing"), str(ROOT / "DeepRegModules" / "DeepReg")]

import numpy as np  # noqa: E402
import psutil  # noqa: E402

import slicer_testing  # noqa: E402

PLACES = 20


class Questions:
    """The panel of the Inspector, with measurement of time."""

    def __init__(self, host) -> None:  # noqa: ANN001
        self._host = host
        panel = host.load_module("DeepRegInspector").widgetRepresentation()
        panel.show()
        panel.enter()
        self.panel = panel.self().panel
        self.part = self.panel.sections["explanation"]
        self.part.ui.explainCollapsibleButton.collapsed = False
        self.settle()

    def settle(self) -> None:
        self._host.wait_for(lambda: not self.panel.busy, 300, "the panel")

    def time(self, ask) -> float:  # noqa: ANN001
        """Seconds until a question is answered and shown."""
        begun = time.perf_counter()
        ask()
        self.settle()
        return time.perf_counter() - begun

    def close(self) -> None:
        """Make the worker drop the pair, as for another pair."""
        self.part.session.about(self.part._subject)
        self.part.answer = None
        from deepreg_slicer.worker_client import workerClient

        workerClient().stop()
        from deepreg_slicer.waiting import waitForJob

        waitForJob(workerClient().submit("warm", {}))

    def at_places(self, points: np.ndarray) -> str:
        seconds = [self.time(lambda point=point: self.part.setPoint(point)) for point in points]
        return f"{np.median(seconds):.2f} (longest {max(seconds):.2f})"

    def resident(self) -> float:
        from deepreg_slicer.worker_client import workerClient

        return max(psutil.Process(pid).memory_info().rss for pid in workerClient().pids) / 1e6


def volumes(anatomy: str, detail: float):  # noqa: ANN201
    import slicer

    from deepreg_engine.phantoms import make_pair, write_pair

    with tempfile.TemporaryDirectory() as folder:
        paths = write_pair(make_pair(anatomy, detail=detail), folder)
        return [slicer.util.loadVolume(str(paths[side])) for side in ("fixed", "moving")]


def places(volume, share: float = 0.25) -> np.ndarray:  # noqa: ANN001
    """Points inside a volume, RAS mm."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    size = np.array(volume.GetImageData().GetDimensions())
    index = np.random.default_rng(0).uniform(share, 1.0 - share, size=(PLACES, 3)) * size
    return np.array([matrix.MultiplyPoint((*place, 1.0))[:3] for place in index])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--detail", type=float, default=1.5, help="of the brain phantom")
    detail = parser.parse_args().detail
    host = slicer_testing.start((str(ROOT / "DeepRegModules"),))
    for name in ("DeepReg", "DeepRegDense", "DeepRegDescent", "DeepRegPoints"):
        host.load_module(name)
    from DeepRegDense import DeepRegDenseLogic
    from DeepRegDescent import DeepRegDescentLogic
    from DeepRegPoints import DeepRegPointsLogic

    from deepreg_slicer.worker_client import workerClient

    fixed, moving = volumes("brain", detail)
    print(f"brain {fixed.GetImageData().GetDimensions()}, {moving.GetImageData().GetDimensions()}", file=sys.stderr)
    dense = DeepRegDenseLogic().register(fixed, moving, preset="brain-mr", outputs=("transform",)).nodes["transform"]
    asks = Questions(host)
    asks.panel.inspect(dense)
    asks.settle()
    points = places(fixed)
    print("| result | question | cold (s) | warm (s) |\n|---|---|---|---|")
    for number in range(3):
        asks.close()
        before = asks.resident()
        asks.panel.node.explainStage = ("search 1", "search 2", "fine")[number]
        cold = asks.time(lambda: asks.part.setPoint(points[0]))
        stage = asks.part.session.opened["stages"][number]
        title = f"{stage['step_mm']:.2g} mm steps, ± {stage['range_mm']:.2g} mm"
        print(f"| Dense | probabilities at a point, {title} | {cold:.2f} | {asks.at_places(points)} |")
        cold = asks.time(lambda: asks.part.show("entropy"))
        again = asks.time(lambda: asks.part.show("offset"))
        print(f"| Dense | entropy of the whole volume, {title} | {cold:.2f} (pair open) | {again:.2f} |")
        asks.part.show("none")
    cold = asks.time(lambda: asks.part.show("fixedFeatures"))
    print(f"| Dense | features of both volumes | {cold:.2f} (pair open) | {asks.time(lambda: asks.part.show('movingFeatures')):.2f} |")
    kept = asks.resident() - before
    print(f"the worker has grown by {kept:.0f} MB", file=sys.stderr)

    descent = DeepRegDescentLogic().register(fixed, moving, preset="quick", outputs=("transform",)).nodes["transform"]
    asks.panel.inspect(descent)
    asks.settle()
    cold = asks.time(lambda: asks.part.show("fixedFeatures"))
    print(f"| Descent | features of both volumes | {cold:.2f} | {asks.time(lambda: asks.part.show('movingFeatures')):.2f} |")

    pair = volumes("thorax", 0.6)
    found = DeepRegPointsLogic().register(fixed=pair[0], moving=pair[1], preset="lung", outputs=("transform", "fixedCloud", "movingCloud"))
    asks.panel.inspect(found.nodes["transform"])
    asks.settle()
    cold = asks.time(lambda: asks.part.show("confidences"))
    count = found.report["points"]["fixed"]
    print(f"| Points | confidence of {count} points | {cold:.2f} | {asks.time(lambda: asks.part.show('confidences')):.2f} |")
    print(f"| Points | partners of the point next to a place | with the confidences | {asks.at_places(places(pair[0]))} |")
    workerClient().stop()


if __name__ == "__main__":
    main()
