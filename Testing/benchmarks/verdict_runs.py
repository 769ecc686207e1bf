"""The registrations of the benchmark of the verdict, each kept in a folder: inputs, displacement field, report, and what is true."""

from __future__ import annotations

import csv
import json
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "DeepRegModules" / "DeepReg")]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
from verdict_spoiled import IMAGES, POINTS, same  # noqa: E402
from verdict_subjects import Maker, Subject, chosen, subjects  # noqa: E402

from deepreg_engine.errors import EngineError  # noqa: E402
from deepreg_engine.geometry.displacement_field import DisplacementField  # noqa: E402
from deepreg_engine.geometry.image_grid import ImageGrid  # noqa: E402
from deepreg_engine.geometry.transform_files import read_field  # noqa: E402
from deepreg_engine.jobs.registration import run_registration  # noqa: E402
from deepreg_engine.jobs.request import make_request  # noqa: E402
from deepreg_engine.metrics.overlap import label_overlap  # noqa: E402

# A result is good up to the first error, voxels, and wrong beyond the second; so is one by its mean Dice. Others belong to neither.
_ERRORS, _DICES = (0.75, 2.0), (0.65, 0.4)
# Sources without a label map.
_WITHOUT_LABELS = ("T1", "T2", "ch2", "FLAIR", "example", "chaos", "ct-", "Test")


def region(name: str) -> str:
    """The part of the body that a source shows."""
    starts = {"chest": ("thorax", "keypoints", "Test", "ct-64", "lungs"), "belly": ("abdomen", "two-abdomen", "people", "example", "chaos")}
    starts["hippocampus"] = ("hippocampus",)
    return next((part for part, beginnings in starts.items() if name.startswith(beginnings)), "head")


def cases(half: str, data: Path) -> Iterator[tuple[str, str, Maker]]:
    """Name, way of spoiling ("" for none, "same" for one image twice) and function of each pair of a half."""
    makers = subjects(half, data)
    clouds = [name for name in makers if name.startswith("lungs")]
    images = [name for name in makers if name not in clouds]
    for name, make in makers.items():
        yield name, "", make
    for name in [*chosen(images, 6, "same"), clouds[0]]:
        yield name, "same", lambda make=makers[name]: same(make(), np.random.default_rng(1), make())
    for names, spoilers in ((images, IMAGES), (clouds, POINTS)):
        for spoil, (function, count) in spoilers.items():
            able = [each for each in names if spoil != "label map" or not each.startswith(_WITHOUT_LABELS)]
            for name in chosen(able, count, f"{half} {spoil}"):
                rng = np.random.default_rng(zlib.crc32(f"{half} {spoil} {name}".encode()))
                others = [other for other in images if region(other) != region(name)]
                other = makers[others[int(rng.integers(len(others)))]]
                yield name, spoil, lambda f=function, m=makers[name], r=rng, o=other: f(m(), r, o())


def run_case(folder: Path, name: str, spoil: str, make: Maker) -> None:
    """Register a pair, and store result and true error in a folder. A folder that has them already is not changed."""
    if (folder / "truth.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    subject = make()
    arguments = _written(subject, folder)
    truth = {"name": name, "subject": subject.name, "spoil": spoil, "method": subject.method, "preset": subject.preset}
    try:
        run_registration(
            make_request(
                subject.method,
                **arguments,
                preset=subject.preset,
                parameters=subject.settings,
                transform=folder / "transform.nrrd",
                report=folder / "report.json",
                threads=1,
                **({"uncertainty": folder / "uncertainty.nrrd"} if subject.method == "dense" else {}),
            )
        )
        truth.update(_truth(subject, read_field(folder / "transform.nrrd")))
    except EngineError as error:
        truth.update(state="refused", error=error.line())
    (folder / "truth.json").write_text(json.dumps(truth))
    print(json.dumps(truth), flush=True)


def _written(subject: Subject, folder: Path) -> dict[str, str]:
    """Write the inputs; returns the arguments of the run."""
    arguments = {}
    for side, image in (("fixed", subject.fixed), ("moving", subject.moving)):
        if image is not None:
            arguments[side] = str(folder / f"{side}.nrrd")
            sitk.WriteImage(image, arguments[side], useCompression=True)
    for side, cloud in zip(("fixed", "moving"), subject.clouds or (), strict=False):
        arguments[f"{side}_points"] = str(folder / f"{side}.csv")
        with open(arguments[f"{side}_points"], "w", newline="") as stream:
            csv.writer(stream).writerows([("x", "y", "z"), *np.round(cloud, 4).tolist()])
    if subject.start is not None:
        arguments["initial"] = str(folder / "start.tfm")
        sitk.WriteTransform(subject.start, arguments["initial"])
    return arguments


def _truth(subject: Subject, field: DisplacementField) -> dict[str, object]:
    """Return the state of a result, "good", "wrong" or "between", and the figure from which it follows."""
    if subject.points is not None:
        fixed, moving = subject.points
        inside = field.grid.contains(fixed)
        if subject.moving is not None:
            inside &= ImageGrid.of(subject.moving).contains(moving)
        if np.count_nonzero(inside) >= 20:
            error = float(np.linalg.norm(field.map_points(fixed[inside]) - moving[inside], axis=1).mean())
            share = error / subject.voxel
            state = "good" if share <= _ERRORS[0] else "wrong" if share > _ERRORS[1] else "between"
            return {"state": state, "error_mm": error, "error_voxels": share}
    if subject.labels is not None:
        fixed_labels, moving_labels = subject.labels
        found = label_overlap(fixed_labels, _on(field, fixed_labels, moving_labels), subject.common)
        dice = float(np.mean([each.dice for each in found]))
        return {"state": "good" if dice >= _DICES[0] else "wrong" if dice < _DICES[1] else "between", "dice": dice}
    return {"state": "wrong"}


def _on(field: DisplacementField, fixed: sitk.Image, moving: sitk.Image) -> sitk.Image:
    """The moving labels, warped onto the grid of the fixed labels."""
    return field.resampled(ImageGrid.of(fixed)).warp_image(moving, "nearest")


def run_half(half: str, data: Path, folder: Path) -> list[Path]:
    """Run all pairs of a half that are not in the folder yet; returns their folders."""
    folders = []
    for name, spoil, make in cases(half, data):
        where = folder / half / f"{name} {spoil or 'as it is'}".replace(" ", "_")
        try:
            run_case(where, name, spoil, make)
        except Exception as error:  # a pair that cannot be made is no pair
            print(f"{where.name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            continue
        folders.append(where)
    return folders


if __name__ == "__main__":
    run_half(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
