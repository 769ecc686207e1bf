"""``register``: find the deformation between two images."""

from __future__ import annotations

import argparse
import sys

from deepreg_engine.commands import register_descent, register_points
from deepreg_engine.commands.parsing import Parser, examples, paragraph, parameter_table, preset_table
from deepreg_engine.commands.progress import ProgressBar
from deepreg_engine.commands.register_images import add_how, add_images, add_judges, add_results, chosen, make_request
from deepreg_engine.commands.tables import result_lines
from deepreg_engine.jobs.dense import DenseRequest, run_dense
from deepreg_engine.methods.dense.parameters import DenseParameters
from deepreg_engine.methods.dense.presets import DEFAULT_DENSE_PRESET, DENSE_PRESETS, dense_preset

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
    parser = commands.add_parser(
        "register", help="find the deformation between two images or clouds of points", description=about, epilog=epilog
    )
    parser.set_defaults(parser=parser)
    methods = parser.add_subparsers(title="methods", metavar="<method>", dest="method", required=True)
    _add_dense(methods)
    register_points.add(methods)
    register_descent.add(methods)


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
    images = add_images(parser)
    images.add_argument("--fixed-landmarks", metavar="P", help="points that guide the registration")
    images.add_argument("--moving-landmarks", metavar="Q", help="their partners, in the same order")
    add_how(parser, DEFAULT_DENSE_PRESET)
    results = add_results(parser)
    results.add_argument("--uncertainty", metavar="OUT", help="standard deviation of the displacement in the last search, mm")
    add_judges(parser)
    parser.set_defaults(run=run, parser=parser)


def chosen_parameters(preset: str, settings: list[str], initial: str | None, features: str | None) -> DenseParameters:
    """The preset's parameters with the user's changes.

    Raises:
        ParameterError: if a name or value is wrong.
    """
    return chosen(dense_preset(preset).parameters, settings, initial, features)


def run(options: argparse.Namespace) -> None:
    """Register, and print what came out."""
    parameters = chosen_parameters(options.preset, options.set, options.initial, options.features)
    request = make_request(DenseRequest, options, parameters)
    with ProgressBar(quiet=options.quiet) as progress:
        report = run_dense(request, progress)
    sys.stdout.write("\n".join(result_lines(report)) + "\n")
