"""Distance of the partners that the Inspector proposes from the true positions, by confidence.

    python Testing/benchmarks/proposals.py

The landmarks of an abdomen phantom, CT with CT and MR with CT, after the Dense method with the preset "quick"; window 10 mm.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Testing" / "slicer_testing"), str(ROOT / "DeepRegModules" / "DeepReg")]

import numpy as np  # noqa: E402

import slicer_testing  # noqa: E402

WINDOW = 10.0  # mm
BOUNDS = (0.0, 0.1, 0.3, 0.5, 1.01)


def main() -> None:
    host = slicer_testing.start((str(ROOT / "DeepRegModules"),))
    for name in ("DeepReg", "DeepRegDense", "DeepRegInspector"):
        host.load_module(name)
    import slicer
    from DeepRegDense import DeepRegDenseLogic
    from DeepRegInspectorLib.matching import Matcher
    from DeepRegLib.samples import makePhantom

    from deepreg_slicer.worker_client import workerClient

    print("| pair | confidence | landmarks | transform alone: median mm | proposed: median mm |\n|---|---|---|---|---|")
    for kind in ("ct-ct", "mr-ct"):
        nodes = makePhantom("abdomen", 0, kind)
        result = DeepRegDenseLogic().register(nodes["fixed"], nodes["moving"], preset="quick", outputs=("transform",))
        fixed, moving = (slicer.util.arrayFromMarkupsControlPoints(nodes[f"{side}Landmarks"], world=True) for side in ("fixed", "moving"))
        matcher = Matcher(nodes["fixed"], nodes["moving"], result.nodes["transform"])
        begun = time.perf_counter()
        proposals = [matcher.propose(point, WINDOW) for point in fixed]
        each = (time.perf_counter() - begun) / len(fixed)
        alone, proposed = (
            np.linalg.norm(np.array([getattr(p, name) for p in proposals]) - moving, axis=1) for name in ("predicted", "position")
        )
        confidence = np.array([proposal.confidence for proposal in proposals])
        for low, high in zip(BOUNDS, BOUNDS[1:], strict=False):
            chosen = (confidence >= low) & (confidence < high)
            if chosen.any():
                row = f"{chosen.sum()} | {np.median(alone[chosen]):.2f} | {np.median(proposed[chosen]):.2f}"
                print(f"| {kind} | {low:g} to {min(high, 1.0):g} | {row} |")
        print(f"{1e3 * each:.0f} ms a landmark", file=sys.stderr)
    workerClient().stop()


if __name__ == "__main__":
    main()
