"""``evaluate``: measures of the accuracy and regularity of a transform."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields

from deepreg_engine.commands.parsing import examples, paragraph
from deepreg_engine.commands.tables import measured_lines
from deepreg_engine.jobs.evaluation import EvaluationRequest, run_evaluation

_ABOUT = """
Measure a transform of this or any other program: target registration error of landmark pairs; Dice, 95 % Hausdorff distance and
mean surface distance of labels, before and after; Jacobian determinant (folding, SD of its logarithm); length of the displacement.
"""

_NOTES = """
The transform maps fixed points to moving points (ITK's direction). Its Jacobian and lengths are measured on its own grid, or on
that of --reference for a transform without one (an affine, a B-spline).
"""

_EXAMPLES = (
    "evaluate --transform t.nrrd --fixed-landmarks a.csv --moving-landmarks b.csv",
    "evaluate --transform t.h5 --fixed-labels a_organs.nii.gz --moving-labels b_organs.nii.gz --report t.json",
    "evaluate --transform affine.tfm --reference a.nii.gz",
)


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    epilog = f"{paragraph(_NOTES)}\n\n{examples(*_EXAMPLES)}"
    parser = commands.add_parser(
        "evaluate", help="measure the accuracy and regularity of a transform", description=paragraph(_ABOUT), epilog=epilog
    )
    parser.add_argument("--transform", required=True, metavar="T", help="displacement field or ITK transform (required)")
    parser.add_argument("--fixed-landmarks", metavar="P", help="points: .csv, .mrk.json or .fcsv")
    parser.add_argument("--moving-landmarks", metavar="Q", help="the corresponding landmarks, in the same order")
    parser.add_argument("--fixed-labels", metavar="A", help="label map of the fixed image")
    parser.add_argument("--moving-labels", metavar="B", help="label map of the moving image, with the same numbers")
    parser.add_argument("--label-names", metavar="JSON", help='names of the labels: {"1": "liver", ...}, or a phantom.json')
    parser.add_argument("--mask", metavar="A", help="measure the Jacobian only where this is not 0")
    parser.add_argument("--reference", metavar="F", help="image on whose grid to measure a transform that has none")
    parser.add_argument("--report", metavar="OUT.json", help="all figures, those of each landmark and label too")
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> None:
    """Evaluate."""
    report = run_evaluation(EvaluationRequest(**{field.name: getattr(options, field.name) for field in fields(EvaluationRequest)}))
    lines = [*measured_lines(report), *(f"note: {text}" for text in report["notes"])]
    sys.stdout.write("\n".join(lines) + "\n")
