"""``register points``: find the deformation between two clouds of points, or two images by their keypoints."""

from __future__ import annotations

import argparse
import dataclasses
import sys

from deepreg_engine.commands.parsing import Parser, count, examples, paragraph, parameter_table, preset_table
from deepreg_engine.commands.progress import ProgressBar
from deepreg_engine.commands.tables import result_lines
from deepreg_engine.geometry.images import IMAGE_SUFFIXES
from deepreg_engine.geometry.point_clouds import SOURCES
from deepreg_engine.geometry.points import POINT_SUFFIXES
from deepreg_engine.geometry.transform_files import WRITABLE_SUFFIXES
from deepreg_engine.jobs.points import PointsRequest, run_points
from deepreg_engine.methods.common.parameters import DEVICES, parse_settings
from deepreg_engine.methods.points.parameters import POINT_INITIALS, SOLVERS, PointsParameters
from deepreg_engine.methods.points.presets import DEFAULT_POINTS_PRESET, POINTS_PRESETS, points_preset

_ABOUT = """
Register two clouds of points whose order means nothing and many of which have no partner: keypoints, vessels, surfaces, landmarks.
Features of each point's neighbourhood and belief propagation find partners, coherent point drift refines them, and a smooth
deformation goes through. With two images and no points, Förstner keypoints of the images are registered.
"""

_NOTES = """
The result takes a fixed point x to its moving point x + u(x), LPS mm, as in register dense. Without images the field's grid is the box
around both clouds and 20 mm more. Points files are CSV with a header x,y,z in LPS mm, or Slicer's .mrk.json and .fcsv; a label map gives
its surface or its skeleton.
"""

_EXAMPLES = (
    "register points --fixed exhale.nii.gz --moving inhale.nii.gz --fixed-mask lungs_e.nii.gz --moving-mask lungs_i.nii.gz "
    "--transform t.nrrd --warped inhale_on_exhale.nii.gz --refine",
    "register points --fixed-points a.csv --moving-points b.csv --warp-points landmarks_a.csv --warped-points landmarks_b.csv",
    "register points --fixed-points vessels_a.nii.gz --moving-points vessels_b.nii.gz --source skeleton --preset shape --transform t.nrrd",
)


def add(methods: argparse._SubParsersAction) -> None:
    """Describe the command."""
    epilog = "\n\n".join(
        (
            paragraph(_NOTES),
            examples(*_EXAMPLES),
            "presets:\n" + preset_table(POINTS_PRESETS),
            f"parameters for --set, with the values of {DEFAULT_POINTS_PRESET}:\n" + parameter_table(PointsParameters),
        )
    )
    parser: Parser = methods.add_parser(
        "points",
        help="keypoints, vessels, surfaces or landmarks find each other",
        usage="%(prog)s --fixed-points P --moving-points Q ...\n       deepreg-engine register points --fixed F --moving M ...",
        description=paragraph(_ABOUT),
        epilog=epilog,
    )
    points = parser.add_argument_group("points")
    points.add_argument("--fixed-points", metavar="P", help=f"points that stay ({', '.join(POINT_SUFFIXES)}), or a label map")
    points.add_argument("--moving-points", metavar="Q", help="points that are to be found there; any order, any number")
    points.add_argument(
        "--source", choices=SOURCES, default="surface", metavar="WHAT", help="of a label map: surface (default) or skeleton"
    )
    points.add_argument("--source-spacing", type=_distance, default=3.0, metavar="MM", help="distance of its points (default: 3)")
    points.add_argument("--thin", type=count("points"), default=0, metavar="N", help="take at most N points of each cloud, spread evenly")
    images = parser.add_argument_group("images", "For keypoints, for the grid of the field, and to be warped.")
    images.add_argument("--fixed", metavar="F", help="image that stays: NIfTI, NRRD, MetaImage, DICOM folder")
    images.add_argument("--moving", metavar="M", help="image that is deformed to fit it")
    images.add_argument("--fixed-mask", metavar="A", help="where keypoints are looked for: the organ")
    images.add_argument("--moving-mask", metavar="B", help="likewise")
    images.add_argument("--refine", action="store_true", help="go on with the Dense method on the images")
    images.add_argument("--refine-preset", default="thorax-ct", metavar="NAME", help="its preset (default: thorax-ct)")
    how = parser.add_argument_group("how")
    about = f"parameters for a task, see below (default: {DEFAULT_POINTS_PRESET})"
    how.add_argument("--preset", default=DEFAULT_POINTS_PRESET, metavar="NAME", help=about)
    how.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change one parameter, see below; may be repeated")
    how.add_argument("--initial", choices=POINT_INITIALS, metavar="HOW", help=f"alignment before: {', '.join(POINT_INITIALS)}")
    how.add_argument("--solver", choices=SOLVERS, metavar="NAME", help=f"{', '.join(SOLVERS)} (default: the preset's)")
    how.add_argument("--features", metavar="NAME", help="a model's name or file, or none (default: the preset's)")
    how.add_argument("--device", default="auto", metavar="WHERE", choices=DEVICES, help=f"where to compute: {', '.join(DEVICES)}")
    how.add_argument("--threads", type=count("threads", 1024), default=0, metavar="N", help="threads of the CPU (default: all)")
    how.add_argument("--quiet", action="store_true", help="show no progress")
    results = parser.add_argument_group("results", f"Images can be {', '.join(IMAGE_SUFFIXES)}.")
    results.add_argument("--transform", metavar="OUT", help=f"displacement field: {', '.join(WRITABLE_SUFFIXES)}")
    results.add_argument("--inverse", metavar="OUT", help="the inverse field, with its error in the report")
    results.add_argument("--warp-points", metavar="A", help="fixed points to take to the moving side")
    results.add_argument("--warped-points", metavar="OUT", help="where they land")
    results.add_argument("--correspondences", metavar="OUT.csv", help="each fixed point, where it goes, its partner, its confidence")
    results.add_argument("--moved-points", metavar="OUT", help="the fixed cloud where the result takes it")
    results.add_argument("--fixed-keypoints", metavar="OUT", help="the fixed points that were registered")
    results.add_argument("--moving-keypoints", metavar="OUT", help="the moving points that were registered")
    results.add_argument("--warped", metavar="OUT", help="moving image on the fixed grid")
    results.add_argument("--jacobian", metavar="OUT", help="local volume change: 1 is none, 0 or less a fold")
    results.add_argument("--overview", metavar="OUT.png", help="picture of before, after, grid and difference (needs matplotlib)")
    results.add_argument("--report", metavar="OUT.json", help="parameters, inputs, times and all figures")
    judge = parser.add_argument_group("to judge the result (never used to find it)")
    judge.add_argument("--test-fixed-landmarks", metavar="P", help="points: target registration error before and after")
    judge.add_argument("--test-moving-landmarks", metavar="Q", help="their partners, in the same order")
    judge.add_argument("--fixed-labels", metavar="A", help="label map: Dice, HD95 and mean surface distance before and after")
    judge.add_argument("--moving-labels", metavar="B", help="with the same label numbers")
    judge.add_argument("--label-names", metavar="JSON", help='names of the labels: {"1": "lung", ...}')
    judge.add_argument("--warped-labels", metavar="OUT", help="moving labels on the fixed grid")
    parser.set_defaults(run=run, parser=parser)


def _distance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.2 <= value <= 50.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a distance from 0.2 to 50 mm")
    return value


def run(options: argparse.Namespace) -> None:
    """Register, and print what came out."""
    parameters = points_preset(options.preset).parameters.replaced(parse_settings(options.set))
    chosen = {name: getattr(options, name) for name in ("initial", "solver", "features") if getattr(options, name)}
    own = {f.name for f in dataclasses.fields(PointsRequest)}
    values = {name: value for name, value in vars(options).items() if name in own}
    request = PointsRequest(**{**values, "parameters": parameters.replaced(chosen)})
    with ProgressBar(quiet=options.quiet) as progress:
        report = run_points(request, progress)
    sys.stdout.write("\n".join(result_lines(report)) + "\n")
