"""``register descent``: find the deformation between two images of different contrast by iterative descent."""

from __future__ import annotations

import argparse
import sys

from deepreg_engine.commands.parsing import Parser, count, examples, paragraph, parameter_table, preset_table
from deepreg_engine.commands.progress import ProgressBar
from deepreg_engine.commands.register_images import add_how, add_images, add_judges, add_results, chosen, make_request
from deepreg_engine.commands.tables import result_lines
from deepreg_engine.jobs.descent import DescentRequest, run_descent
from deepreg_engine.methods.descent.parameters import MODALITIES, DescentParameters
from deepreg_engine.methods.descent.presets import DEFAULT_DESCENT_PRESET, DESCENT_PRESETS, descent_preset

_ABOUT = """
Register MOVING to FIXED with the Descent method: a network's features, which look alike in MR and CT or in any two contrasts, are brought
together step by step, coarse to fine; each step is smoothed, and so is the deformation. Large displacements are not searched for: where
the images differ by more than some centimetres after the alignment, take register dense.
"""

_NOTES = """
The result is a displacement field on the fixed image's grid, in LPS mm: it takes a fixed point x to the moving point x + u(x), as ITK's
resampling does. Files appear only when all of them are complete.
"""

_EXAMPLES = (
    "register descent --fixed mr.nii.gz --moving ct.nii.gz --transform ct_to_mr.nrrd --warped ct_on_mr.nii.gz",
    "register descent --fixed t1.nii.gz --moving t2.nii.gz --preset brain-mr --transform t.nrrd --report t.json",
    "register descent --fixed mr.nrrd --moving us.nrrd --features prostate.safetensors --set symmetric=true --transform t.nrrd "
    "--warped-colours features.nrrd --iterations steps",
)


def add(methods: argparse._SubParsersAction) -> None:
    """Describe the command."""
    epilog = "\n\n".join(
        (
            paragraph(_NOTES),
            examples(*_EXAMPLES),
            "presets:\n" + preset_table(DESCENT_PRESETS),
            f"parameters for --set, with the values of {DEFAULT_DESCENT_PRESET}:\n" + parameter_table(DescentParameters),
        )
    )
    parser: Parser = methods.add_parser(
        "descent",
        help="iterative descent on features that look alike in any contrast",
        usage="%(prog)s --fixed F --moving M\n" + " " * 39 + "--transform OUT [options]",
        description=paragraph(_ABOUT),
        epilog=epilog,
    )
    add_images(parser)
    how = add_how(parser, DEFAULT_DESCENT_PRESET)
    for side in ("fixed", "moving"):
        about = f"what the {side} image is: {', '.join(MODALITIES)} (default: the preset's)"
        how.add_argument(f"--{side}-modality", metavar="WHAT", choices=MODALITIES, help=about)
    results = add_results(parser)
    results.add_argument("--fixed-colours", metavar="OUT", help="features of the fixed image as colours (RGB)")
    results.add_argument("--moving-colours", metavar="OUT", help="features of the moving image, in the same colours")
    results.add_argument("--warped-colours", metavar="OUT", help="these on the fixed grid")
    results.add_argument("--iterations", metavar="FOLDER", help="fields of some iterations, to see how it converged")
    about = "about how many of them (default: 20)"
    results.add_argument("--kept-iterations", type=count("iterations", 1000), default=20, metavar="N", help=about)
    add_judges(parser)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> None:
    """Register, and print what came out."""
    parameters = chosen(descent_preset(options.preset).parameters, options.set, options.initial, options.features)
    sides = {f"{side}_modality": getattr(options, f"{side}_modality") for side in ("fixed", "moving")}
    parameters = parameters.replaced({name: value for name, value in sides.items() if value})
    request = make_request(DescentRequest, options, parameters)
    with ProgressBar(quiet=options.quiet) as progress:
        report = run_descent(request, progress)
    sys.stdout.write("\n".join(result_lines(report)) + "\n")
