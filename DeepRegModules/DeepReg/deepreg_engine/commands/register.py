"""``register``: find the deformation between two images."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import sys
from pathlib import Path

from deepreg_engine.commands import register_points
from deepreg_engine.commands.parsing import Parser, count, examples, parameter_table, paragraph, preset_table
from deepreg_engine.commands.progress import Progress
from deepreg_engine.commands.tables import result_lines
from deepreg_engine.errors import ParameterError
from deepreg_engine.geometry.images import IMAGE_SUFFIXES
from deepreg_engine.geometry.transform_files import WRITABLE_SUFFIXES
from deepreg_engine.jobs.dense import DenseRequest, run_dense
from deepreg_engine.methods.parameters import DEVICES, INITIALS, DenseParameters, parse_settings
from deepreg_engine.methods.presets import DEFAULT_DENSE_PRESET, DENSE_PRESETS, dense_preset


_DENSE_ABOUT = """
Register MOVING to FIXED with the Dense method: features (MIND by default, or a network's) are compared at control points for all
displacements up to the capture range; min-convolutions and mean-field inference make neighbours agree; the smooth field that
fits best is then refined on the features, coarse to fine.
"""

_DENSE_NOTES = """
The result is a displacement field on the fixed image's grid, in LPS mm: it takes a fixed point x to the moving point x + u(x), as
ITK's resampling does. SimpleITK, ANTs and 3D Slicer read it. Points files are CSV with a header x,y,z in LPS mm, or Slicer's
.mrk.json and .fcsv, whose own frame is honoured. Files appear only when all of them are complete.
"""

_DENSE_EXAMPLES = (
    "register dense --fixed a.nii.gz --moving b.nii.gz --transform b_to_a.nrrd --warped b_on_a.nii.gz",
    "register dense --fixed mr.nrrd --moving ct.nrrd --preset mr-ct --transform t.h5 --report t.json",
    "register dense --fixed a.nii.gz --moving b.nii.gz --fixed-landmarks a.mrk.json --moving-landmarks b.mrk.json "
    "--set smoothness=20 --set capture_range=40 --transform t.nrrd --inverse t_inverse.nrrd",
)


def add(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    about = "Find the deformation between two images, or two clouds of points."
    epilog = f"{examples(_DENSE_EXAMPLES[0])}\n\nEach method has its page: deepreg-engine register METHOD --help"
    parser = commands.add_parser("register", help="find the deformation between two images or clouds of points", description=about, epilog=epilog)
    parser.set_defaults(parser=parser)
    methods = parser.add_subparsers(title="methods", metavar="<method>", dest="method", required=True)
    _add_dense(methods)
    register_points.add(methods)


def _add_dense(methods: argparse._SubParsersAction) -> None:
    epilog = "\n\n".join(
        (
            paragraph(_DENSE_NOTES),
            examples(*_DENSE_EXAMPLES),
            "presets:\n" + preset_table(DENSE_PRESETS),
            f"parameters for --set, with the values of {DEFAULT_DENSE_PRESET}:\n" + parameter_table(DenseParameters),
        )
    )
    parser: Parser = methods.add_parser(
        "dense",
        help="discrete search over large displacements, then refinement",
        usage="%(prog)s --fixed F --moving M\n" + " " * 37 + "--transform OUT [options]",
        description=paragraph(_DENSE_ABOUT),
        epilog=epilog,
    )
    images = parser.add_argument_group("images")
    images.add_argument("--fixed", required=True, metavar="F", help="image that stays: NIfTI, NRRD, MetaImage, DICOM folder (required)")
    images.add_argument("--moving", required=True, metavar="M", help="image that is deformed onto it (required)")
    images.add_argument("--fixed-mask", metavar="A", help="look only where this is not 0")
    images.add_argument("--moving-mask", metavar="B", help="match only with what is not 0 here")
    images.add_argument("--fixed-landmarks", metavar="P", help="points that guide the registration")
    images.add_argument("--moving-landmarks", metavar="Q", help="their partners, in the same order")

    how = parser.add_argument_group("how")
    about = f"parameters for a task, see below (default: {DEFAULT_DENSE_PRESET})"
    how.add_argument("--preset", default=DEFAULT_DENSE_PRESET, metavar="NAME", help=about)
    about = "change one parameter of the preset, see below; may be repeated"
    how.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=about)
    about = f"alignment before: {', '.join(INITIALS)}, or a transform file (default: the preset's)"
    how.add_argument("--initial", metavar="HOW", help=about)
    how.add_argument("--features", metavar="NAME", help="mind, intensity, or a model's name or file (default: the preset's)")
    about = f"where to compute: {', '.join(DEVICES)} (default: auto)"
    how.add_argument("--device", default="auto", metavar="WHERE", choices=DEVICES, help=about)
    how.add_argument("--threads", type=count("threads", 1024), default=0, metavar="N", help="threads of the CPU (default: all)")
    how.add_argument("--quiet", action="store_true", help="show no progress")

    results = parser.add_argument_group("results", f"Images can be {', '.join(IMAGE_SUFFIXES)}.")
    results.add_argument("--transform", required=True, metavar="OUT", help=f"displacement field: {', '.join(WRITABLE_SUFFIXES)} (required)")
    results.add_argument("--inverse", metavar="OUT", help="the inverse field, on the moving image's grid, with its error in the report")
    results.add_argument("--warped", metavar="OUT", help="moving image on the fixed grid")
    results.add_argument("--jacobian", metavar="OUT", help="local volume change: 1 is none, 0 or less a fold")
    results.add_argument("--uncertainty", metavar="OUT", help="standard deviation of the displacement in the last search, mm")
    results.add_argument("--overview", metavar="OUT.png", help="picture of before, after, grid and difference (needs matplotlib)")
    results.add_argument("--report", metavar="OUT.json", help="parameters, inputs, times and all figures")

    judge = parser.add_argument_group("to judge the result (never used to find it)")
    judge.add_argument("--fixed-labels", metavar="A", help="label map: Dice, HD95 and mean surface distance before and after")
    judge.add_argument("--moving-labels", metavar="B", help="with the same label numbers")
    judge.add_argument("--label-names", metavar="JSON", help='names of the labels: {"1": "liver", ...}')
    judge.add_argument("--warped-labels", metavar="OUT", help="moving labels on the fixed grid")
    judge.add_argument("--test-fixed-landmarks", metavar="P", help="points: target registration error before and after")
    judge.add_argument("--test-moving-landmarks", metavar="Q", help="their partners, in the same order")
    parser.set_defaults(run=run, parser=parser)


def chosen_parameters(preset: str, settings: list[str], initial: str | None, features: str | None) -> DenseParameters:
    """The preset's parameters with the user's changes.

    Raises:
        ParameterError: if a name or value is wrong.
    """
    parameters = dense_preset(preset).parameters.replaced(parse_settings(settings))
    changes = {"initial": initial} if initial in INITIALS else {}
    if features:
        changes["features"] = features
    return parameters.replaced(changes)


def run(options: argparse.Namespace) -> None:
    """Register, and print what came out."""
    parameters = chosen_parameters(options.preset, options.set, options.initial, options.features)
    initial = options.initial or ""
    if initial and initial not in INITIALS and not Path(initial).exists() and not Path(initial).suffix:
        near = difflib.get_close_matches(initial, INITIALS, n=1)
        advice = f"did you mean {near[0]}?" if near else f"use {', '.join(INITIALS)}, or a transform's file"
        raise ParameterError(f"--initial {initial} is neither an alignment nor a file", advice)
    own = {f.name for f in dataclasses.fields(DenseRequest)}
    values = {name: value for name, value in vars(options).items() if name in own}
    request = DenseRequest(**{**values, "parameters": parameters, "initial": initial})
    with Progress(quiet=options.quiet) as progress:
        report = run_dense(request, progress)
    sys.stdout.write("\n".join(result_lines(report)) + "\n")
