"""Every method on every available device: differences between the fields, errors, and times.

    python Testing/benchmarks/devices.py --data FOLDER [--scans example_ct T1 ...] [--repeats 3]

FOLDER holds the scans that ``known_pairs.RECIPES`` names. Times are those of a registration in a process that has loaded its libraries,
without reading and writing files; the first one on each device is not counted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "DeepRegModules" / "DeepReg")]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from known_pairs import CONTRASTS, RECIPES, make_pair  # noqa: E402

from deepreg_engine.methods.common.device import DeviceMemory, choose_device  # noqa: E402
from deepreg_engine.methods.common.image_pair import ImagePair  # noqa: E402
from deepreg_engine.methods.dense.presets import dense_preset  # noqa: E402
from deepreg_engine.methods.dense.register import register_dense  # noqa: E402
from deepreg_engine.methods.descent.presets import descent_preset  # noqa: E402
from deepreg_engine.methods.descent.register import register_descent  # noqa: E402
from deepreg_engine.methods.points.presets import points_preset  # noqa: E402
from deepreg_engine.methods.points.register import register_points  # noqa: E402
from deepreg_engine.training.points.pairs import read_point_pairs  # noqa: E402

KEYPOINTS, KEYPOINT_SPACING = "lung_points/l2r_lung_keypoints.zip", (1.75, 1.0, 1.25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="folder with abdomen/, brain/ and thorax/")
    parser.add_argument("--scans", nargs="*", choices=(*RECIPES, *CONTRASTS), default=[*RECIPES, "T2 to T1"])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    print(", ".join(choose_device(device)[1] for device in devices), f"torch {torch.__version__}", sep=", ")
    print(
        "\n| pair | method | features | device | error (mm) | largest difference from the CPU (mm) | best of "
        + f"{options.repeats} (s) | GPU memory (GB) |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for scan in options.scans:
        for method, features, run, error in _methods(scan, options.data):
            _compare((scan, method, features), run, error, devices, options.repeats)
    for name, features, run, error in _points(options.data) if (options.data / KEYPOINTS).is_file() else ():
        _compare((name, "points", features), run, error, devices, options.repeats)


def _methods(scan: str, data: Path):
    """Yield the method, the features, a function that registers on a device, and a function that returns a field's error."""
    pair = make_pair(scan, data)
    images = ImagePair(pair.fixed, pair.moving)
    # The alignment is SimpleITK's, on the CPU whatever the device is.
    images = ImagePair(pair.fixed, pair.moving, alignment=register_dense(images, dense_preset("quick").parameters, "cpu").alignment)
    preset = dense_preset(pair.recipe.preset).parameters
    for features in dict.fromkeys((preset.features, "mind", "any-contrast")):
        parameters = preset.replaced({"features": features, "refinement_features": "same"})
        yield "dense", features, lambda device, p=parameters: register_dense(images, p, device), pair.error
    if scan in CONTRASTS or scan == "T1":
        for features in ("mind", "any-contrast"):
            parameters = descent_preset("brain-mr").parameters.replaced({"features": features})
            yield "descent", features, lambda device, p=parameters: register_descent(images, p, device), pair.error


def _points(data: Path):
    """Keypoints of the first patients that have both scans' own."""
    pairs = [pair for pair in read_point_pairs([data / KEYPOINTS], KEYPOINT_SPACING) if pair.moving is not None][:2]
    parameters = points_preset("lung").parameters
    for pair in pairs:
        for features in (parameters.features, "none"):
            changed = parameters.replaced({"features": features})
            yield (
                pair.name,
                features,
                lambda device, pair=pair, p=changed: register_points(pair.fixed, pair.moving, p, device),
                lambda moved, pair=pair: float(np.linalg.norm(moved - pair.partners, axis=1).mean()),
            )


def _compare(names: tuple[str, str, str], run, error, devices: list[str], repeats: int) -> None:
    reference = None
    for name in devices:
        device, _ = choose_device(name)
        run(name)
        memory, times = DeviceMemory(device), []
        for _ in range(repeats):
            begun = time.perf_counter()
            result = run(name)
            times.append(time.perf_counter() - begun)
        found = result.moved if hasattr(result, "moved") else result.field
        vectors = found if isinstance(found, np.ndarray) else found.vectors
        reference = vectors if reference is None else reference
        apart = float(np.linalg.norm(vectors - reference, axis=vectors.shape.index(3)).max())
        taken = memory.most()
        print(
            f"| {' | '.join(names)} | {name} | {error(found):.3f} | {apart:.2g} | {min(times):.2f} |"
            f" {'' if taken is None else f'{taken / 1e9:.2f}'} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
