"""``evaluate``: how good a transform is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from deepreg_engine import __version__
from deepreg_engine.commands.parsing import examples, paragraph
from deepreg_engine.commands.tables import measured_lines
from deepreg_engine.errors import InputError
from deepreg_engine.geometry.displacement_field import DisplacementField
from deepreg_engine.geometry.files import FileGroup
from deepreg_engine.geometry.image_grid import ImageGrid
from deepreg_engine.geometry.images import read_labels, read_mask, read_volume
from deepreg_engine.geometry.points import read_pairs
from deepreg_engine.geometry.transform_files import field_grid, read_transform
from deepreg_engine.jobs.label_names import read_label_names
from deepreg_engine.jobs.outputs import check_outputs, check_suffix
from deepreg_engine.methods.common.affine import overlap
from deepreg_engine.metrics.landmarks import check_reached
from deepreg_engine.metrics.report import evaluation_report, to_json

_ABOUT = """
Measure a transform of this or any other program: target registration error of landmark pairs; Dice, 95 % Hausdorff distance and
mean surface distance of labels, before and after; Jacobian determinant (folding, SD of its logarithm); length of the displacement.
"""

_NOTES = """
The transform takes fixed points to moving points (ITK's direction). Its Jacobian and lengths are measured on its own grid, or on
that of --reference for a transform without one (an affine, a B-spline).
"""

_EXAMPLES = (
    "evaluate --transform t.nrrd --fixed-landmarks a.csv --moving-landmarks b.csv",
    "evaluate --transform t.h5 --fixed-labels a_organs.nii.gz --moving-labels b_organs.nii.gz --report t.json",
    "evaluate --transform affine.tfm --reference a.nii.gz",
)

_INPUTS = ("transform", "fixed_landmarks", "moving_landmarks", "fixed_labels", "moving_labels", "label_names", "mask", "reference")


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    epilog = f"{paragraph(_NOTES)}\n\n{examples(*_EXAMPLES)}"
    parser = commands.add_parser("evaluate", help="measure how good a transform is", description=paragraph(_ABOUT), epilog=epilog)
    parser.add_argument("--transform", required=True, metavar="T", help="displacement field or ITK transform (required)")
    parser.add_argument("--fixed-landmarks", metavar="P", help="points: .csv, .mrk.json or .fcsv")
    parser.add_argument("--moving-landmarks", metavar="Q", help="their partners, in the same order")
    parser.add_argument("--fixed-labels", metavar="A", help="label map of the fixed image")
    parser.add_argument("--moving-labels", metavar="B", help="label map of the moving image, with the same numbers")
    parser.add_argument("--label-names", metavar="JSON", help='names of the labels: {"1": "liver", ...}, or a phantom.json')
    parser.add_argument("--mask", metavar="A", help="measure the Jacobian only where this is not 0")
    parser.add_argument("--reference", metavar="F", help="image on whose grid to measure a transform that has none")
    parser.add_argument("--report", metavar="OUT.json", help="all figures, those of each landmark and label too")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> None:
    """Evaluate."""
    inputs = [getattr(options, name) for name in _INPUTS]
    check_suffix("--report", options.report, (".json",))
    check_outputs({"--report": options.report}, inputs)
    for kind in ("landmarks", "labels"):
        given = [side for side in ("fixed", "moving") if getattr(options, f"{side}_{kind}")]
        if len(given) == 1:
            missing = "moving" if given == ["fixed"] else "fixed"
            raise InputError(f"--{given[0]}-{kind} needs its partner", f"give --{missing}-{kind} too")
    transform = read_transform(options.transform)
    landmarks = read_pairs(options.fixed_landmarks, options.moving_landmarks) if options.fixed_landmarks else None
    labels = None
    if options.fixed_labels:
        labels = read_labels(options.fixed_labels, "fixed labels"), read_labels(options.moving_labels, "moving labels")
    names = read_label_names(options.label_names) if options.label_names else None
    grid = own = field_grid(transform)
    if options.reference:
        grid = ImageGrid.of(read_volume(options.reference, "reference image"))
        if own and overlap(own, grid, np.zeros(3)) == 0.0:
            message = f"the field {options.transform} and the reference image have no point in common"
            raise InputError(message, "check that they belong together")
    elif grid is None and labels:
        grid = ImageGrid.of(labels[0])
    if landmarks:
        check_reached(transform, landmarks[0])
    if not (grid or landmarks):
        raise InputError(f"the transform {options.transform} has no grid of its own", "give --reference, landmarks or labels to measure it")
    if options.mask and grid is None:
        raise InputError(f"the transform {options.transform} has no grid of its own", "give --reference, an image on whose grid to measure")
    field = DisplacementField.from_transform(transform, grid) if grid else None
    mask, note = read_mask(options.mask, grid) if options.mask else (None, "")
    report = {"engine": f"deepreg-engine {__version__}", "transform": options.transform, "notes": [note] if note else []}
    report.update(evaluation_report(transform, landmarks=landmarks, labels=labels, label_names=names, mask=mask, field=field))
    if options.report:
        with FileGroup() as files:
            files.add(options.report, lambda name: Path(name).write_text(to_json(report), encoding="utf-8"))
    lines = [*measured_lines(report), *(f"note: {text}" for text in report["notes"])]
    sys.stdout.write("\n".join(lines) + "\n")
