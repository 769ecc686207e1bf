"""``demo``: a complete registration of a phantom or of two images, with a picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from deepreg_engine.commands.parsing import Parser, examples, paragraph, seed
from deepreg_engine.commands.phantom import check_folder
from deepreg_engine.commands.progress import ProgressBar
from deepreg_engine.commands.tables import number, table
from deepreg_engine.errors import OutputError, ParameterError
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_image, resample
from deepreg_engine.geometry.transform_files import read_field
from deepreg_engine.jobs.outputs import check_outputs
from deepreg_engine.jobs.overview import check_matplotlib
from deepreg_engine.jobs.registration import run_registration
from deepreg_engine.jobs.request import make_request
from deepreg_engine.methods.dense.presets import DEFAULT_DENSE_PRESET, dense_preset
from deepreg_engine.phantoms import ANATOMIES

_HELP = "register a phantom or two images, with a picture"
_ABOUT = """
Make a phantom pair and register it, or register two images of your own with the Dense method; print the figures before and after, and
write transform, warped image, report and one picture (before, after, deformation grid, difference) into a folder.
"""
_EXAMPLES = ("demo", "demo --anatomy thorax --seed 2 --output breathing", "demo fixed.nii.gz moving.nii.gz --preset mr-ct --output result")
PHANTOM_PRESETS = {"abdomen": "abdomen-ct", "thorax": "thorax-ct", "brain": "brain-mr"}
_RESULTS = {"transform": "transform.nrrd", "warped": "warped.nii.gz", "report": "report.json", "overview": "overview.png"}


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("demo", help=_HELP, description=paragraph(_ABOUT), epilog=examples(*_EXAMPLES))
    add_choices(parser)
    parser.set_defaults(run=run, parser=parser)


def add_choices(parser: Parser) -> None:
    """Add the options that this demo shares with the demo in a window."""
    parser.add_argument("images", nargs="*", metavar="FIXED MOVING", help="two images of your own (default: a phantom)")
    parser.add_argument("--output", default="demo", metavar="DIR", help="folder for the results, made if it is missing (default: demo)")
    parser.add_argument("--anatomy", choices=ANATOMIES, metavar="NAME", help=f"which phantom: {', '.join(ANATOMIES)} (default: abdomen)")
    parser.add_argument("--seed", type=seed, metavar="N", help="of the phantom: patient, deformation and noise (default: 0)")
    presets = f"default: the phantom's; {DEFAULT_DENSE_PRESET} for two images"
    parser.add_argument("--preset", metavar="NAME", help=f"parameters for a task ({presets})")


def run(options: argparse.Namespace) -> None:
    """Register, print the figures and write the results."""
    check_images(options)
    anatomy = options.anatomy or "abdomen"
    preset = options.preset or (DEFAULT_DENSE_PRESET if options.images else PHANTOM_PRESETS[anatomy])
    parameters = dense_preset(preset).parameters
    check_matplotlib()
    folder = Path(options.output)
    results: dict[str, Any] = {name: str(folder / file) for name, file in _RESULTS.items()}
    with made_folder(folder) as written, ProgressBar() as progress:
        check_outputs(results, options.images)
        if options.images:
            files: dict[str, Any] = dict(zip(("fixed", "moving"), options.images, strict=True))
        else:
            check_folder(folder)
            progress(0.0, f"making the phantom ({anatomy})")
            files = written_phantom(anatomy, options.seed or 0, folder, written)
        request = make_request("dense", **files, **results, preset=preset, parameters=parameters)
        report = run_registration(request, progress)
    gained = phantom_rows(report) if not options.images else similarity_rows(options.images[0], options.images[1], results["transform"])
    sys.stdout.write("\n".join(summary_lines(report, gained, results)) + "\n")


def check_images(options: argparse.Namespace) -> None:
    """Check that either a phantom or two images are given.

    Raises:
        ParameterError: if not.
    """
    if len(options.images) not in (0, 2):
        count = len(options.images)
        raise ParameterError(f"{count} image{'s' if count > 1 else ''} given", "give two, FIXED and MOVING, or none for a phantom")
    if options.images and (options.anatomy or options.seed is not None):
        raise ParameterError("an anatomy and a seed are for the phantom", "leave them out with images of your own")


def summary_lines(report: dict, gained: list[list[str]], results: dict[str, str]) -> list[str]:
    """Return the table of figures before and after a registration, notes, and the files, as lines of text.

    Args:
        report: of the registration.
        gained: rows of the table: a name, and the figure before and after.
        results: name to file.
    """
    rows = [
        *gained,
        ["folded voxels, %", "-", number(report["regularity"]["folding_percent"], 3)],
        ["shift of the alignment, mm", "-", number(report["linear_part"]["shift_mm"])],
        ["mean deformation beyond it, mm", "-", number(report["deformation"]["mean"])],
        ["time, s", "-", number(report["seconds"]["total"], 1)],
    ]
    lines = [*table([["", "before", "after"], *rows]), ""]
    lines += [f"note: {note}" for note in report["notes"]]
    return lines + [f"{name:<10} {path}" for name, path in results.items()]


@contextmanager
def made_folder(folder: Path) -> Iterator[list[Path]]:
    """Make a folder if it is missing; yields a list. If the block fails, the files in it are removed, and the folder if it was made."""
    written: list[Path] = []
    made = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder} ({error.strerror or error})", "choose another", "output") from error
    try:
        yield written
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise


def written_phantom(anatomy: str, number: int, folder: Path, written: list[Path]) -> dict[str, str]:
    """Make and write a phantom; returns its files as fields of a request. Files that did not exist are appended to ``written``."""
    from deepreg_engine.phantoms import make_pair, write_pair

    pair = make_pair(anatomy, number)
    before = set(folder.iterdir())
    paths = write_pair(pair, folder)
    written += [path for path in paths.values() if path not in before]
    return {
        "fixed": str(paths["fixed"]),
        "moving": str(paths["moving"]),
        "fixed_labels": str(paths["fixed_labels"]),
        "moving_labels": str(paths["moving_labels"]),
        "label_names": str(paths["phantom"]),
        "test_fixed_landmarks": str(paths["fixed_landmarks"]),
        "test_moving_landmarks": str(paths["moving_landmarks"]),
    }


def phantom_rows(report: dict) -> list[list[str]]:
    """Return the rows of the table with the errors at a phantom's landmarks and the overlap of its labels."""
    landmarks, overlap = report["landmarks"], report["overlap"]
    rows = [[f"landmark error, mean of {landmarks['after']['count']}, mm", *(number(landmarks[k]["mean"]) for k in ("before", "after"))]]
    rows.append(["landmark error, largest, mm", *(number(landmarks[k]["max"]) for k in ("before", "after"))])
    rows.append([f"Dice, mean of {len(overlap['labels'])} labels", *(number(overlap[f"mean_{k}"]["dice"], 3) for k in ("before", "after"))])
    rows.append(["95 % Hausdorff distance, mm", *(number(overlap[f"mean_{k}"]["hd95"], 1) for k in ("before", "after"))])
    return rows


def similarity_rows(fixed_file: str, moving_file: str, transform_file: str) -> list[list[str]]:
    """Return the rows of the table with the mutual information of two images without landmarks or labels."""
    fixed, moving = read_image(fixed_file), read_image(moving_file)
    field = read_field(transform_file)
    values = [_mutual_information(fixed, moving, transform) for transform in (None, field.to_transform())]
    return [["mutual information (higher is better)", *(number(value, 3) for value in values)]]


def _mutual_information(fixed: sitk.Image, moving: sitk.Image, transform: sitk.Transform | None) -> float | None:
    """Return the mutual information of the joint histogram with 32 x 32 bins over the overlap, in nats; None if they do not overlap."""
    ones = sitk.Image(moving.GetSize(), sitk.sitkUInt8) + 1
    ones.CopyInformation(moving)
    grid = ImageGrid.of(fixed)
    inside = sitk.GetArrayFromImage(resample(ones, grid, transform, "nearest")) > 0
    if np.count_nonzero(inside) < 100:
        return None
    values = [sitk.GetArrayViewFromImage(image)[inside] for image in (fixed, resample(moving, grid, transform))]
    ranges = [np.percentile(value, [0.5, 99.5]) + (0.0, 1e-6) for value in values]
    joint, _, _ = np.histogram2d(*(np.clip(value, *limit) for value, limit in zip(values, ranges, strict=True)), bins=32)
    joint /= joint.sum()
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    some = joint > 0
    return float((joint[some] * np.log(joint[some] / apart[some])).sum())
